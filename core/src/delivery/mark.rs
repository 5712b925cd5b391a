//! Where a turn ends in a log.

use std::fmt;
use std::sync::Arc;

use crate::delivery::{Events, Log};
use crate::ids::TurnId;

/// A turn that somebody may read. While it lives the log remembers where the turn ends, also when it
/// keeps the end no more.
pub(crate) struct Mark {
    log: Arc<Log>,
    turn: TurnId,
    from_seq: u64,
}

impl Mark {
    /// Marks a turn that has had no event yet, and none before this `seq`.
    pub(crate) fn new(log: &Arc<Log>, turn: TurnId, from_seq: u64) -> Self {
        log.mark(turn);
        Self {
            log: Arc::clone(log),
            turn,
            from_seq,
        }
    }

    /// The session's events from where the turn may begin to the turn's end.
    pub(crate) fn events(&self) -> Events {
        Events::of_turn(Arc::clone(&self.log), self.turn, self.from_seq)
    }
}

impl Drop for Mark {
    fn drop(&mut self) {
        self.log.unmark(self.turn);
    }
}

impl fmt::Debug for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Mark").field(&self.turn).finish()
    }
}
