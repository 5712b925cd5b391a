//! Which sessions may hold a warm process, which wait for one, and which has been idle longest.
//!
//! Bookkeeping only: no clock, no task, no process. Time comes in as a parameter. The pool's actor
//! feeds inputs in and carries effects out; the tests do the same without it.
//!
//! Three things are counted, each bounded: slots (sessions that hold a warm process), processes (all
//! of them, until their tree is gone) and starts (processes that are not ready yet). Requests wait
//! in one queue, first come first served; one that waits for a slot does not keep another that needs
//! none from starting.

use std::time::{Duration, Instant};

use hashlink::{LinkedHashMap, LinkedHashSet};

use crate::config::WhenFull;
use crate::event::EvictionReason;
use crate::ids::SessionId;

/// The bounds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub max_warm: usize,
    pub max_processes: usize,
    pub max_starting: usize,
    pub when_full: WhenFull,
    pub idle_timeout: Duration,
}

/// What a session asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Want {
    /// A slot and a process in it.
    Warm,
    /// A process for one turn.
    OneShot,
}

/// What a session is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Given {
    /// A slot, a process and a start.
    Slot,
    /// A process and a start, as asked.
    OneShot,
    /// A process and a start instead of a slot, because all slots are busy.
    Spill,
}

/// What happened.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Input {
    /// A session without a process wants one.
    Request(SessionId, Want),
    /// It no longer does. A request that was already granted is not affected.
    Cancel(SessionId),
    /// A session that holds a slot has nothing to do.
    Idle(SessionId),
    /// A session that holds a slot has something to do.
    Busy(SessionId),
    /// The session that was to be evicted is busy after all.
    Refused(SessionId),
    /// A session gave its slot back.
    SlotFreed(SessionId),
    /// A process is ready, or never will be.
    StartDone,
    /// The tree of a process is gone. `Given` says what it was started for.
    ProcessGone(Given),
    /// Time went by.
    Tick,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Give the session what it asked for.
    Grant(SessionId, Given),
    /// Tell the session that it gets nothing.
    Refuse(SessionId),
    /// Ask the session to give its process back. It answers with `SlotFreed` or `Refused`.
    Evict(SessionId, EvictionReason),
}

#[derive(Clone, Copy, Debug)]
struct Waiter {
    want: Want,
    /// Until when it waits for a slot.
    until: Option<Instant>,
}

/// The slots of a pool.
#[derive(Debug)]
pub(crate) struct Slots {
    bounds: Bounds,
    used: usize,
    processes: usize,
    starting: usize,
    /// Processes whose slot was given back and whose tree is not gone. The two facts come in either
    /// order, so it may be below 0 for a moment.
    ending: isize,
    /// Idle sessions and since when, longest idle first.
    idle: LinkedHashMap<SessionId, Instant>,
    /// Sessions that were asked to give their slot back and have not answered.
    evicting: LinkedHashSet<SessionId>,
    waiting: LinkedHashMap<SessionId, Waiter>,
}

impl Slots {
    pub(crate) fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            used: 0,
            processes: 0,
            starting: 0,
            ending: 0,
            idle: LinkedHashMap::new(),
            evicting: LinkedHashSet::new(),
            waiting: LinkedHashMap::new(),
        }
    }

    /// Slots in use.
    pub(crate) const fn used(&self) -> usize {
        self.used
    }

    /// Processes whose tree is not gone.
    pub(crate) const fn processes(&self) -> usize {
        self.processes
    }

    /// Processes that are not ready yet.
    pub(crate) const fn starting(&self) -> usize {
        self.starting
    }

    /// Sessions that hold a slot and have nothing to do.
    pub(crate) fn idle(&self) -> usize {
        self.idle.len()
    }

    /// Sessions that wait for a process.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// When `Tick` has something to do at the latest.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        // Every idle session waits equally long, so the front is the first to expire.
        let expiry = self
            .idle
            .front()
            .map(|(_, s)| *s + self.bounds.idle_timeout);
        let patience = self.waiting.values().filter_map(|w| w.until).min();
        expiry.into_iter().chain(patience).min()
    }

    /// Advances by one input. Effects are added to `out`, in order.
    pub(crate) fn step(&mut self, now: Instant, input: Input, out: &mut Vec<Effect>) {
        match input {
            Input::Request(session, want) => {
                let until = match (want, self.bounds.when_full) {
                    (Want::Warm, WhenFull::Wait { timeout }) => Some(now + timeout),
                    (Want::Warm, WhenFull::Spill | WhenFull::Fail) | (Want::OneShot, _) => None,
                };
                self.waiting.insert(session, Waiter { want, until });
            }
            Input::Cancel(session) => {
                self.waiting.remove(&session);
            }
            Input::Idle(session) => {
                if !self.evicting.contains(&session) {
                    self.idle.remove(&session);
                    self.idle.insert(session, now);
                }
            }
            Input::Busy(session) => {
                self.idle.remove(&session);
            }
            Input::Refused(session) => {
                self.evicting.remove(&session);
            }
            Input::SlotFreed(session) => {
                self.idle.remove(&session);
                self.evicting.remove(&session);
                self.used = self.used.saturating_sub(1);
                self.ending += 1;
            }
            Input::StartDone => self.starting = self.starting.saturating_sub(1),
            Input::ProcessGone(given) => {
                self.processes = self.processes.saturating_sub(1);
                self.ending -= isize::from(given == Given::Slot);
            }
            Input::Tick => self.expire(now, out),
        }
        self.pump(now, out);
    }

    /// Takes out every session that has been idle for too long.
    fn expire(&mut self, now: Instant, out: &mut Vec<Effect>) {
        while let Some((&session, &since)) = self.idle.front()
            && since + self.bounds.idle_timeout <= now
        {
            self.evict(session, EvictionReason::IdleTimeout, out);
        }
    }

    fn evict(&mut self, session: SessionId, reason: EvictionReason, out: &mut Vec<Effect>) {
        self.idle.remove(&session);
        self.evicting.insert(session);
        out.push(Effect::Evict(session, reason));
    }

    /// Serves the queue as far as the bounds allow.
    fn pump(&mut self, now: Instant, out: &mut Vec<Effect>) {
        // What is on its way back is meant for the first waiters, so that one request takes out one
        // session and not several.
        let mut coming = Coming {
            slots: self.evicting.len(),
            processes: self.evicting.len() + usize::try_from(self.ending).unwrap_or(0),
        };
        let mut served = Vec::new();
        for (&session, waiter) in &self.waiting {
            let mut verdict = self.decide(waiter.want, &mut coming);
            let patient = waiter.until.is_none_or(|until| now < until);
            if !patient && !matches!(verdict, Verdict::Give(_)) {
                verdict = Verdict::Refuse;
            }
            match verdict {
                Verdict::Give(given) => {
                    self.processes += 1;
                    self.starting += 1;
                    self.used += usize::from(given == Given::Slot);
                    served.push(session);
                    out.push(Effect::Grant(session, given));
                }
                Verdict::Refuse => {
                    served.push(session);
                    out.push(Effect::Refuse(session));
                }
                Verdict::TakeOut => {
                    if let Some((idle, _)) = self.idle.pop_front() {
                        self.evicting.insert(idle);
                        out.push(Effect::Evict(idle, EvictionReason::LeastRecentlyUsed));
                    }
                }
                Verdict::Wait => {}
            }
        }
        for session in served {
            self.waiting.remove(&session);
        }
    }

    fn decide(&self, want: Want, coming: &mut Coming) -> Verdict {
        let slot_free = self.used < self.bounds.max_warm;
        let process_free = self.processes < self.bounds.max_processes;
        let may_start = process_free && self.starting < self.bounds.max_starting;
        match want {
            Want::OneShot if may_start => Verdict::Give(Given::OneShot),
            Want::Warm if slot_free && may_start => Verdict::Give(Given::Slot),
            Want::Warm if !slot_free => {
                if coming.claim_slot() {
                    Verdict::Wait
                } else if self.idle.is_empty() {
                    self.overflow(may_start)
                } else {
                    Verdict::TakeOut
                }
            }
            // All processes are in use: an idle one makes way.
            Want::OneShot | Want::Warm if !process_free => {
                if coming.claim_process() || self.idle.is_empty() {
                    Verdict::Wait
                } else {
                    Verdict::TakeOut
                }
            }
            // Only the limit on starts is in the way.
            Want::OneShot | Want::Warm => Verdict::Wait,
        }
    }

    /// All slots are busy.
    fn overflow(&self, may_start: bool) -> Verdict {
        match self.bounds.when_full {
            WhenFull::Fail => Verdict::Refuse,
            WhenFull::Spill if may_start => Verdict::Give(Given::Spill),
            WhenFull::Spill | WhenFull::Wait { .. } => Verdict::Wait,
        }
    }
}

/// What a waiter gets now.
enum Verdict {
    Give(Given),
    Refuse,
    /// Nothing yet, but the longest idle session is asked to make way for it.
    TakeOut,
    /// Nothing yet.
    Wait,
}

/// What is on its way back and not yet meant for anybody.
struct Coming {
    slots: usize,
    processes: usize,
}

impl Coming {
    fn claim_slot(&mut self) -> bool {
        let claimed = self.slots > 0;
        self.slots = self.slots.saturating_sub(1);
        claimed
    }

    fn claim_process(&mut self) -> bool {
        let claimed = self.processes > 0;
        self.processes = self.processes.saturating_sub(1);
        claimed
    }
}

#[cfg(test)]
#[path = "slots_tests.rs"]
mod tests;
