//! What the pool gives to sessions, and gets back by `Drop`, whatever happens.

use tokio::sync::mpsc;

use crate::ids::SessionId;
use crate::pool::actor::PoolMessage;
use crate::pool::slots::{Given, Input, Want};

/// A session's line to the pool.
///
/// The channel is not bounded by itself; what is sent is bounded by the number of sessions, leases
/// and processes, each of which sends a few messages in its life and per turn.
#[derive(Clone, Debug)]
pub(crate) struct PoolLink {
    session: SessionId,
    pool: mpsc::UnboundedSender<PoolMessage>,
}

impl PoolLink {
    pub(crate) const fn new(session: SessionId, pool: mpsc::UnboundedSender<PoolMessage>) -> Self {
        Self { session, pool }
    }

    /// Asks for a process. The answer carries the ticket. `false`: nobody is there to answer.
    #[must_use = "who asks nobody waits for ever"]
    pub(crate) fn request(&self, want: Want, ticket: u64) -> bool {
        let request = PoolMessage::Request {
            session: self.session,
            want,
            ticket,
        };
        self.pool.send(request).is_ok()
    }

    /// Takes the question back.
    pub(crate) fn cancel(&self) {
        self.tell(PoolMessage::Slots(Input::Cancel(self.session)));
    }

    pub(crate) fn idle(&self) {
        self.tell(PoolMessage::Slots(Input::Idle(self.session)));
    }

    pub(crate) fn busy(&self) {
        self.tell(PoolMessage::Slots(Input::Busy(self.session)));
    }

    pub(crate) fn refuse(&self) {
        self.tell(PoolMessage::Slots(Input::Refused(self.session)));
    }

    /// The session is over, but for these processes.
    pub(crate) fn closed(&self, left: Vec<u32>) {
        self.tell(PoolMessage::Closed {
            session: self.session,
            left,
        });
    }

    /// A pool that is gone needs no news.
    fn tell(&self, message: PoolMessage) {
        let _ = self.pool.send(message);
    }
}

/// Tells the pool once, when it is dropped.
#[derive(Debug)]
struct Notice {
    input: Input,
    pool: mpsc::UnboundedSender<PoolMessage>,
}

impl Drop for Notice {
    fn drop(&mut self) {
        let _ = self.pool.send(PoolMessage::Slots(self.input));
    }
}

/// The right to hold a warm process.
#[derive(Debug)]
pub(crate) struct SlotLease {
    _notice: Notice,
}

/// The right to a process, until its tree is gone.
#[derive(Debug)]
pub(crate) struct ProcessLease {
    _notice: Notice,
}

/// The right to start, until the process is ready.
#[derive(Debug)]
pub(crate) struct StartLease {
    _notice: Notice,
}

/// All that a session needs to start a process.
#[derive(Debug)]
pub(crate) struct Grant {
    given: Given,
    process: ProcessLease,
    slot: Option<SlotLease>,
    start: StartLease,
}

impl Grant {
    pub(crate) fn new(
        session: SessionId,
        given: Given,
        pool: &mpsc::UnboundedSender<PoolMessage>,
    ) -> Self {
        let notice = |input| Notice {
            input,
            pool: pool.clone(),
        };
        Self {
            given,
            process: ProcessLease {
                _notice: notice(Input::ProcessGone(given)),
            },
            slot: (given == Given::Slot).then(|| SlotLease {
                _notice: notice(Input::SlotFreed(session)),
            }),
            start: StartLease {
                _notice: notice(Input::StartDone),
            },
        }
    }

    pub(crate) const fn given(&self) -> Given {
        self.given
    }

    pub(crate) fn split(self) -> (ProcessLease, Option<SlotLease>, StartLease) {
        (self.process, self.slot, self.start)
    }
}
