//! The door of a session: accepts or refuses a turn at once, without asking the actor.
//!
//! The actor lives on the library's threads and may be busy; a host's `send` must not wait for it.
//! So the one fact that decides, whether a turn runs, stands here under a lock that is held for a
//! few instructions.

use parking_lot::Mutex;
use tokio::sync::watch;

use crate::error::{Error, ErrorKind};
use crate::event::{Failure, TurnResult};
use crate::ids::TurnId;

/// How a turn ended.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum End {
    Completed(TurnResult),
    Failed(Failure, TurnResult),
    Interrupted(TurnResult),
}

/// Where a turn's end will be, for those who wait for it.
pub(crate) type EndReceiver = watch::Receiver<Option<End>>;

/// The state of the door.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    closed: bool,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    turn: TurnId,
    end: watch::Sender<Option<End>>,
}

/// The end of a turn, not told yet to those who wait for it. Must be told: dropped, it tells them
/// only that nothing comes.
#[derive(Debug)]
#[must_use = "somebody waits for it"]
pub(crate) struct Farewell {
    end: End,
    waiting: watch::Sender<Option<End>>,
}

impl Farewell {
    pub(crate) fn tell(self) {
        self.waiting.send_replace(Some(self.end));
    }
}

impl Gate {
    /// Lets a turn in if none runs. `tell` tells the actor; it runs under the lock, so that turns
    /// reach the actor in the order in which they were let in.
    pub(crate) fn enter(
        &self,
        tell: impl FnOnce(TurnId) -> bool,
    ) -> Result<(TurnId, EndReceiver), Error> {
        let mut state = self.state.lock();
        if state.closed {
            return Err(Error::closed("session"));
        }
        if let Some(running) = &state.running {
            let turn = running.turn;
            let message = format!("turn {turn} is still running");
            return Err(Error::new(ErrorKind::TurnInProgress, message));
        }
        let turn = TurnId::next();
        if !tell(turn) {
            return Err(Error::closed("session"));
        }
        let (end, receiver) = watch::channel(None);
        state.running = Some(Running { turn, end });
        Ok((turn, receiver))
    }

    /// The turn is over: the next one may come in. Whoever waits for the end learns it from what
    /// this gives, when everything before it can be read.
    pub(crate) fn leave(&self, turn: TurnId, end: End) -> Option<Farewell> {
        let running = self.state.lock().running.take_if(|r| r.turn == turn)?;
        Some(Farewell {
            end,
            waiting: running.end,
        })
    }

    /// No turn comes in any more. `false`: it was closed before.
    pub(crate) fn close(&self) -> bool {
        !std::mem::replace(&mut self.state.lock().closed, true)
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.state.lock().closed
    }

    /// The host's turn that runs.
    pub(crate) fn running(&self) -> Option<TurnId> {
        self.state.lock().running.as_ref().map(|r| r.turn)
    }

    /// The actor is gone: whoever waits for a turn learns it, whatever happened.
    pub(crate) fn abandon(&self) {
        let mut state = self.state.lock();
        state.closed = true;
        if let Some(running) = state.running.take() {
            let failure = Failure::new(ErrorKind::Closed, "the pool was dropped");
            let end = End::Failed(failure, TurnResult::default());
            running.end.send_replace(Some(end));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_turn_at_a_time_comes_in_and_none_after_the_close() {
        let gate = Gate::default();
        let (turn, end) = gate.enter(|_| true).expect("the gate is open");
        let refused = gate.enter(|_| true).expect_err("a turn runs");
        assert_eq!(refused.kind(), ErrorKind::TurnInProgress);
        let farewell = gate.leave(turn, End::Completed(TurnResult::default()));
        assert!(end.borrow().is_none(), "it is told later");
        gate.enter(|_| true).expect("the turn is over");
        farewell.expect("it ran").tell();
        assert!(end.borrow().is_some());
        assert!(gate.close());
        assert!(!gate.close());
        let refused = gate.enter(|_| true).expect_err("it is closed");
        assert_eq!(refused.kind(), ErrorKind::Closed);
    }

    #[test]
    fn an_actor_that_is_gone_leaves_no_turn_without_an_end() {
        let gate = Gate::default();
        let (_, end) = gate.enter(|_| true).expect("the gate is open");
        gate.abandon();
        let end = end.borrow().clone();
        assert!(matches!(end, Some(End::Failed(failure, _)) if failure.code == ErrorKind::Closed));
    }
}
