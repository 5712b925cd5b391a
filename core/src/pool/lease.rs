//! What the pool gives to sessions, and gets back by `Drop`, whatever happens.

use tokio::sync::mpsc;

use crate::ids::{ProcessId, SessionId};
use crate::pool::actor::PoolMessage;
use crate::pool::founding::Recipe;
use crate::pool::herd::{Leaving, Seat};
use crate::pool::slots::{Given, Input, Want};
use crate::process::ProcessHandle;

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

    /// Asks for a process. The answer carries the ticket. `recipe`: how to start one that sessions
    /// share. `false`: nobody is there to answer.
    #[must_use = "who asks nobody waits for ever"]
    pub(crate) fn request(&self, want: Want, ticket: u64, recipe: Option<Recipe>) -> bool {
        let request = PoolMessage::Request {
            session: self.session,
            want,
            ticket,
            recipe,
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
    input: Option<Input>,
    pool: mpsc::UnboundedSender<PoolMessage>,
}

impl Notice {
    fn new(input: Input, pool: &mpsc::UnboundedSender<PoolMessage>) -> Self {
        Self {
            input: Some(input),
            pool: pool.clone(),
        }
    }
}

impl Drop for Notice {
    fn drop(&mut self) {
        if let Some(input) = self.input.take() {
            let _ = self.pool.send(PoolMessage::Slots(input));
        }
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

impl ProcessLease {
    /// The right to a process that sessions share.
    pub(super) fn shared(process: ProcessId, pool: &mpsc::UnboundedSender<PoolMessage>) -> Self {
        Self {
            _notice: Notice::new(Input::SharedGone(process), pool),
        }
    }
}

/// The right to start, until the process is ready.
#[derive(Debug)]
pub(crate) struct StartLease {
    _notice: Notice,
}

/// A place in a shared process.
#[derive(Debug)]
pub(crate) struct SeatLease {
    pub(crate) seat: Seat,
    pub(crate) handle: ProcessHandle,
    session: SessionId,
    how: Leaving,
    pool: mpsc::UnboundedSender<PoolMessage>,
}

impl SeatLease {
    pub(super) fn new(
        session: SessionId,
        seat: Seat,
        handle: ProcessHandle,
        pool: &mpsc::UnboundedSender<PoolMessage>,
    ) -> Self {
        Self {
            seat,
            handle,
            session,
            how: Leaving::Well,
            pool: pool.clone(),
        }
    }

    /// The conversation takes turns, so the process is ready.
    pub(crate) fn ready(&self) {
        let ready = Input::Ready(self.seat.process);
        let _ = self.pool.send(PoolMessage::Slots(ready));
    }

    /// The process failed the session.
    pub(crate) fn failed(&mut self) {
        self.how = Leaving::Failed;
    }
}

impl Drop for SeatLease {
    fn drop(&mut self) {
        let freed = Input::SeatFreed(self.session, self.seat, self.how);
        let _ = self.pool.send(PoolMessage::Slots(freed));
    }
}

/// What the pool gives to a session that asked for a process.
#[derive(Debug)]
pub(crate) enum Grant {
    /// All that it needs to start one.
    Own(OwnGrant),
    /// A seat in one that others may use too.
    Seat(SeatLease),
}

/// All that a session needs to start a process of its own.
#[derive(Debug)]
pub(crate) struct OwnGrant {
    given: Given,
    process: ProcessLease,
    slot: Option<SlotLease>,
    start: StartLease,
}

impl OwnGrant {
    pub(super) fn new(
        session: SessionId,
        given: Given,
        pool: &mpsc::UnboundedSender<PoolMessage>,
    ) -> Self {
        let notice = |input| Notice::new(input, pool);
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

    pub(crate) fn split(self) -> (ProcessLease, Option<SlotLease>, StartLease) {
        (self.process, self.slot, self.start)
    }
}

impl Grant {
    pub(crate) const fn given(&self) -> Given {
        match self {
            Self::Own(own) => own.given,
            Self::Seat(lease) => Given::Seat(lease.seat),
        }
    }
}
