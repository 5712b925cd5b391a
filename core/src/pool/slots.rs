//! Which sessions may hold a warm process, which wait for one, and which has been idle longest.
//! Where sessions share a process, it is the process that holds the slot: `herd` knows them.
//!
//! Bookkeeping only: no clock, no task, no process. Time comes in as a parameter. The pool's actor
//! feeds inputs in and carries effects out; the tests do the same without it.
//!
//! Three things are counted, each bounded: slots (of sessions or of shared processes), processes (all
//! of them, until their tree is gone) and starts (processes that are not ready yet). Requests wait
//! in one queue, first come first served; one that waits for a slot does not keep another that needs
//! none from starting.

use std::time::{Duration, Instant};

use hashlink::{LinkedHashMap, LinkedHashSet};

use crate::config::WhenFull;
use crate::event::EvictionReason;
use crate::ids::{ProcessId, SessionId};
use crate::pool::herd::{Herd, Leaving, Seat, Standing};
use crate::pool::key::ShareKey;
use crate::process::Stop;

#[path = "admission.rs"]
mod admission;
#[path = "queue.rs"]
mod queue;

use queue::{Queue, Waiter};

/// The bounds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub max_warm: usize,
    pub max_processes: usize,
    pub max_starting: usize,
    /// The most sessions in one shared process.
    pub max_sessions: usize,
    pub when_full: WhenFull,
    pub idle_timeout: Duration,
}

/// What a session asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Want {
    /// A slot and a process in it.
    Warm(Spill),
    /// A seat in a process of that key. If there is none, one is started under that id.
    Shared(ShareKey, ProcessId, Spill),
    /// A process for one turn.
    OneShot,
}

/// Whether a process for one turn will do as well, if all slots are busy and the pool spills.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spill {
    /// It will.
    Allowed,
    /// It cannot do what is wanted: then the session waits for a slot.
    Never,
}

/// What a session is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Given {
    /// A slot, a process and a start.
    Slot,
    /// A seat in a process that has all that.
    Seat(Seat),
    /// A process and a start, as asked.
    OneShot,
    /// A process and a start instead of a slot, because all slots are busy.
    Spill,
}

/// What happened.
#[derive(Clone, Debug)]
pub(crate) enum Input {
    /// A session without a process wants one.
    Request(SessionId, Want),
    /// It no longer does. A request that was already granted is not affected.
    Cancel(SessionId),
    /// A session that holds a slot or a seat has nothing to do.
    Idle(SessionId),
    /// A session that holds a slot or a seat has something to do.
    Busy(SessionId),
    /// The session that was to be evicted is busy after all.
    Refused(SessionId),
    /// A session gave its slot back.
    SlotFreed(SessionId),
    /// A session gave its seat back.
    SeatFreed(SessionId, Seat, Leaving),
    /// A process is ready, or never will be.
    StartDone,
    /// A shared process is ready. May be said more than once.
    Ready(ProcessId),
    /// A shared process came to its end by itself, or is of no use any more.
    Useless(ProcessId),
    /// The tree of a process is gone. `Given` says what it was started for.
    ProcessGone(Given),
    /// The tree of a shared process is gone.
    SharedGone(ProcessId),
    /// From now on no shared process stays without a session.
    Close,
    /// Time went by.
    Tick,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Start a shared process, as this session would. Grants of seats follow.
    Found(ProcessId, SessionId),
    /// Give the session what it asked for.
    Grant(SessionId, Given),
    /// Tell the session that it gets nothing.
    Refuse(SessionId),
    /// Ask the session to give its process back. It answers with `SlotFreed`, `SeatFreed` or
    /// `Refused`.
    Evict(SessionId, EvictionReason),
    /// End a shared process.
    End(ProcessId, Stop),
}

/// Who has a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Holder {
    /// A session, for a process of its own.
    Session(SessionId),
    /// A process that sessions share.
    Process(ProcessId),
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
    /// Holders of a slot that have nothing to do and since when, longest idle first.
    idle: LinkedHashMap<Holder, Instant>,
    /// Sessions that were asked to give their slot back and have not answered.
    evicting: LinkedHashSet<SessionId>,
    herd: Herd,
    waiting: Queue,
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
            herd: Herd::new(bounds.max_sessions),
            waiting: Queue::default(),
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

    /// Slots whose holders have nothing to do.
    pub(crate) fn idle(&self) -> usize {
        self.idle.len()
    }

    /// Sessions that wait for a process.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// When `Tick` has something to do at the latest.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        // Every holder waits equally long, so the front is the first to expire.
        let expiry = self
            .idle
            .front()
            .map(|(_, s)| *s + self.bounds.idle_timeout);
        let patience = self.waiting.soonest().map(|(until, _)| until);
        expiry.into_iter().chain(patience).min()
    }

    /// Advances by one input. Effects are added to `out`, in order.
    pub(crate) fn step(&mut self, now: Instant, input: Input, out: &mut Vec<Effect>) {
        match input {
            Input::Request(session, want) => {
                let until = match (&want, self.bounds.when_full) {
                    (Want::Warm(_) | Want::Shared(..), WhenFull::Wait { timeout }) => {
                        Some(now + timeout)
                    }
                    (Want::Warm(_) | Want::Shared(..), WhenFull::Spill | WhenFull::Fail)
                    | (Want::OneShot, _) => None,
                };
                self.waiting.push(session, Waiter { want, until });
            }
            Input::Cancel(session) => self.waiting.remove(session),
            Input::Idle(session) => self.is_idle(now, session, out),
            Input::Busy(session) => {
                self.idle.remove(&Holder::Session(session));
                self.herd.set_idle(session, false);
                self.settle_process_of(now, session, out);
            }
            Input::Refused(session) => {
                self.evicting.remove(&session);
                self.herd.refused(session);
                self.settle_process_of(now, session, out);
            }
            Input::SlotFreed(session) => {
                self.idle.remove(&Holder::Session(session));
                self.evicting.remove(&session);
                self.used = self.used.saturating_sub(1);
                self.ending += 1;
            }
            Input::SeatFreed(session, seat, how) => {
                if !self.herd.leave(session, seat, how) {
                    // It waits for others from now on.
                    self.idle.remove(&Holder::Process(seat.process));
                }
                self.settle(now, seat.process, out);
            }
            Input::StartDone => self.starting = self.starting.saturating_sub(1),
            Input::Ready(process) => {
                self.starting = self
                    .starting
                    .saturating_sub(self.herd.ready(process).into());
            }
            Input::Useless(process) => {
                self.herd.retire(process);
                self.settle(now, process, out);
            }
            Input::ProcessGone(given) => {
                self.processes = self.processes.saturating_sub(1);
                self.ending -= isize::from(given == Given::Slot);
            }
            Input::SharedGone(process) => self.shared_gone(process),
            Input::Close => {
                for process in self.herd.close() {
                    self.settle(now, process, out);
                }
            }
            Input::Tick => self.expire(now, out),
        }
        self.pump(now, out);
    }

    fn is_idle(&mut self, now: Instant, session: SessionId, out: &mut Vec<Effect>) {
        if self.herd.process_of(session).is_some() {
            self.herd.set_idle(session, true);
            self.settle_process_of(now, session, out);
        } else if !self.evicting.contains(&session) {
            self.idle.remove(&Holder::Session(session));
            self.idle.insert(Holder::Session(session), now);
        }
    }

    fn settle_process_of(&mut self, now: Instant, session: SessionId, out: &mut Vec<Effect>) {
        if let Some(process) = self.herd.process_of(session) {
            self.settle(now, process, out);
        }
    }

    /// What follows for a shared process from what its sessions do.
    fn settle(&mut self, now: Instant, process: ProcessId, out: &mut Vec<Effect>) {
        let holder = Holder::Process(process);
        match self.herd.standing(process) {
            Standing::Busy | Standing::Ended => {
                self.idle.remove(&holder);
            }
            Standing::Idle => {
                if !self.idle.contains_key(&holder) {
                    self.idle.insert(holder, now);
                }
            }
            Standing::Unwanted => {
                self.idle.remove(&holder);
                let asked = self.herd.ask_all(process);
                let evict = |session| Effect::Evict(session, EvictionReason::ProcessRetired);
                out.extend(asked.into_iter().map(evict));
            }
            Standing::Over if !self.herd.has_failed(process) => {
                self.end(process, Stop::Gently { by: None }, out);
            }
            Standing::Over | Standing::Failed => self.end(process, Stop::Kill, out),
        }
    }

    /// Ends a shared process. Its slot is free from now on.
    fn end(&mut self, process: ProcessId, stop: Stop, out: &mut Vec<Effect>) {
        self.idle.remove(&Holder::Process(process));
        let was_starting = self.herd.end(process);
        self.starting = self.starting.saturating_sub(was_starting.into());
        self.used = self.used.saturating_sub(1);
        self.ending += 1;
        out.push(Effect::End(process, stop));
    }

    fn shared_gone(&mut self, process: ProcessId) {
        let Some(remains) = self.herd.gone(process) else {
            return;
        };
        self.idle.remove(&Holder::Process(process));
        self.processes = self.processes.saturating_sub(1);
        self.starting = self.starting.saturating_sub(remains.starting.into());
        if remains.ended {
            self.ending -= 1;
        } else {
            self.used = self.used.saturating_sub(1);
        }
    }

    /// Takes out every holder that has been idle for too long.
    fn expire(&mut self, now: Instant, out: &mut Vec<Effect>) {
        while let Some((_, &since)) = self.idle.front()
            && since + self.bounds.idle_timeout <= now
        {
            self.take_out(EvictionReason::IdleTimeout, out);
        }
    }

    /// Takes its slot from the holder that is idle longest.
    fn take_out(&mut self, reason: EvictionReason, out: &mut Vec<Effect>) -> TakenOut {
        match self.idle.pop_front() {
            None => TakenOut::Asked,
            Some((Holder::Session(session), _)) => {
                self.evicting.insert(session);
                out.push(Effect::Evict(session, reason));
                TakenOut::Asked
            }
            Some((Holder::Process(process), _)) => {
                let asked = self.herd.ask_all(process);
                if asked.is_empty() {
                    self.end(process, Stop::Gently { by: None }, out);
                    return TakenOut::AtOnce;
                }
                out.extend(asked.into_iter().map(|s| Effect::Evict(s, reason)));
                TakenOut::Asked
            }
        }
    }
}

/// How a holder makes way.
enum TakenOut {
    /// Its sessions were asked.
    Asked,
    /// Nobody had to be asked: it is being ended.
    AtOnce,
}

#[cfg(test)]
#[path = "herd_laws.rs"]
mod herd_laws;
#[cfg(test)]
#[path = "herd_tests.rs"]
mod herd_tests;
#[cfg(test)]
#[path = "slots_tests.rs"]
mod tests;
