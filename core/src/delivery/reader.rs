//! A reader's place in a log, and what is kept for it beside the log.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::Waker;

use crate::event::Event;
use crate::ids::TurnId;

/// Names a reader of one log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ReaderId(pub(super) u64);

/// A reader's place.
#[derive(Debug)]
pub(super) struct Reader {
    pub(super) id: ReaderId,
    /// The next `seq` it wants.
    pub(super) cursor: u64,
    /// It wants this turn alone.
    pub(super) turn: Option<TurnId>,
    /// The end of that turn, once it is there: the last `seq` it wants.
    pub(super) until: Option<u64>,
    /// What it has not taken of a turn that is over, and the log has dropped.
    pub(super) kept: VecDeque<Arc<Event>>,
    pub(super) waker: Option<Waker>,
}

impl Reader {
    /// Whether the log keeps everything for it. A turn that is over keeps only what is its own,
    /// beside the log, so that a forgotten one stops nobody.
    pub(super) const fn holds_back(&self) -> bool {
        self.until.is_none()
    }

    /// Whether it has everything that it wants.
    pub(super) fn is_over(&self) -> bool {
        self.until.is_some_and(|until| self.cursor > until)
    }

    /// Whether an event that the log drops is to be kept for it.
    pub(super) fn keeps(&self, seq: u64) -> bool {
        self.cursor <= seq && self.until.is_some_and(|until| seq <= until)
    }
}
