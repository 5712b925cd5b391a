//! Numbers about a pool, readable at any time without asking its actor.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};

use schemars::JsonSchema;
use serde::Serialize;

use crate::config::PoolOptions;
use crate::event::{Body, EventKind};
use crate::pool::slots::Slots;

/// What is in use at this moment. Written by the pool's actor alone.
#[derive(Debug, Default)]
pub(crate) struct Gauges {
    sessions: AtomicUsize,
    warm: AtomicUsize,
    idle: AtomicUsize,
    processes: AtomicUsize,
    starting: AtomicUsize,
    waiting: AtomicUsize,
    lost: AtomicBool,
}

impl Gauges {
    pub(crate) fn publish(&self, slots: &Slots) {
        self.warm.store(slots.used(), Relaxed);
        self.idle.store(slots.idle(), Relaxed);
        self.processes.store(slots.processes(), Relaxed);
        self.starting.store(slots.starting(), Relaxed);
        self.waiting.store(slots.waiting(), Relaxed);
    }

    pub(crate) fn publish_sessions(&self, sessions: usize) {
        self.sessions.store(sessions, Relaxed);
    }

    /// What was published of the slots does not become better any more.
    pub(crate) fn lose(&self) {
        self.lost.store(true, Relaxed);
    }

    pub(crate) fn is_lost(&self) -> bool {
        self.lost.load(Relaxed)
    }
}

/// What has happened since the pool was made. Written by the sessions' actors.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    processes_started: AtomicU64,
    evicted: AtomicU64,
    spilled: AtomicU64,
    downgraded: AtomicU64,
    recycled: AtomicU64,
    turns_started: AtomicU64,
    turns_completed: AtomicU64,
    turns_failed: AtomicU64,
    turns_interrupted: AtomicU64,
    held_back: AtomicUsize,
}

impl Counters {
    pub(crate) fn process_started(&self) {
        self.processes_started.fetch_add(1, Relaxed);
    }

    /// Counts what a host is told. Deltas, the most of it, are not counted.
    #[expect(clippy::wildcard_enum_match_arm, reason = "most kinds are not counted")]
    pub(crate) fn count(&self, body: &Body) {
        let counter = match body.kind() {
            EventKind::Evicted => &self.evicted,
            EventKind::Spilled => &self.spilled,
            EventKind::Downgraded => &self.downgraded,
            EventKind::Recycled => &self.recycled,
            EventKind::TurnStarted => &self.turns_started,
            EventKind::TurnCompleted => &self.turns_completed,
            EventKind::TurnFailed => &self.turns_failed,
            EventKind::TurnInterrupted => &self.turns_interrupted,
            _ => return,
        };
        counter.fetch_add(1, Relaxed);
    }
}

/// A session that is held back. It is counted as such while this lives.
#[derive(Debug)]
pub(crate) struct HeldBack(Arc<Counters>);

impl HeldBack {
    pub(crate) fn new(counters: &Arc<Counters>) -> Self {
        counters.held_back.fetch_add(1, Relaxed);
        Self(Arc::clone(counters))
    }
}

impl Drop for HeldBack {
    fn drop(&mut self) {
        self.0.held_back.fetch_sub(1, Relaxed);
    }
}

/// A pool at one moment. The numbers are each right, but not all of the same instant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct PoolStats {
    /// Open sessions.
    pub sessions: usize,
    /// Slots in use: warm processes, each of one session or shared by several.
    pub warm: usize,
    /// The most there may be.
    pub max_warm: usize,
    /// Those of them whose sessions have nothing to do.
    pub idle: usize,
    /// Processes whose tree is not gone, one-shot ones included.
    pub processes: usize,
    /// The most there may be.
    pub max_processes: usize,
    /// Processes that are not ready yet.
    pub starting: usize,
    /// Turns that wait for a process.
    pub waiting: usize,
    /// Sessions of which a reader is so far behind that their agents are not listened to. They keep
    /// their slots. See [`Events`](crate::Events).
    pub held_back: usize,
    /// Processes started so far.
    pub processes_started: u64,
    /// Evictions so far.
    pub evicted: u64,
    /// Spilled turns so far.
    pub spilled: u64,
    /// Downgrades so far.
    pub downgraded: u64,
    /// Recycled processes so far.
    pub recycled: u64,
    /// Turns so far, the agents' own included.
    pub turns_started: u64,
    /// Turns that ended well.
    pub turns_completed: u64,
    /// Turns that failed.
    pub turns_failed: u64,
    /// Turns that were interrupted.
    pub turns_interrupted: u64,
    /// The pool lost count, by a fault of this library: `warm`, `idle`, `processes`, `starting` and
    /// `waiting` are as they were before, and no process is started any more. What to do: close the
    /// sessions and make another pool.
    pub lost: bool,
}

impl PoolStats {
    pub(crate) fn read(gauges: &Gauges, counters: &Counters, options: &PoolOptions) -> Self {
        Self {
            sessions: gauges.sessions.load(Relaxed),
            warm: gauges.warm.load(Relaxed),
            max_warm: options.max_warm,
            idle: gauges.idle.load(Relaxed),
            processes: gauges.processes.load(Relaxed),
            max_processes: options.process_limit(),
            starting: gauges.starting.load(Relaxed),
            waiting: gauges.waiting.load(Relaxed),
            held_back: counters.held_back.load(Relaxed),
            processes_started: counters.processes_started.load(Relaxed),
            evicted: counters.evicted.load(Relaxed),
            spilled: counters.spilled.load(Relaxed),
            downgraded: counters.downgraded.load(Relaxed),
            recycled: counters.recycled.load(Relaxed),
            turns_started: counters.turns_started.load(Relaxed),
            turns_completed: counters.turns_completed.load(Relaxed),
            turns_failed: counters.turns_failed.load(Relaxed),
            turns_interrupted: counters.turns_interrupted.load(Relaxed),
            lost: gauges.is_lost(),
        }
    }
}
