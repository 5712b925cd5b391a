//! What a host heard: of one turn, or of a whole session.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a test looks for some kinds of events"
)]

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use remuda::event::{Failure, WarningCode};
use remuda::{Body, ErrorKind, Event, TurnId, TurnResult};

/// The events of a session from the sending of a turn to its end.
#[derive(Debug)]
pub struct Told {
    turn: TurnId,
    /// All of them, those of no turn too.
    pub events: Vec<Arc<Event>>,
}

impl Told {
    pub(crate) fn new(turn: TurnId, events: Vec<Arc<Event>>) -> Self {
        Self { turn, events }
    }

    fn end(&self) -> &Body {
        let end = self.events.last().expect("a turn has an end");
        assert_eq!(end.turn, Some(self.turn));
        &end.body
    }

    /// The result of a turn that ended well.
    ///
    /// # Panics
    ///
    /// If it did not.
    #[expect(
        clippy::must_use_candidate,
        reason = "the check may be all that is wanted"
    )]
    pub fn completed(&self) -> &TurnResult {
        match self.end() {
            Body::TurnCompleted { result } => result,
            other => panic!("the turn should have completed: {other:?}"),
        }
    }

    /// Whether it ended well.
    #[must_use]
    pub fn is_completed(&self) -> bool {
        matches!(self.end(), Body::TurnCompleted { .. })
    }

    /// How the turn failed, and with what code.
    ///
    /// # Panics
    ///
    /// If it did not, or otherwise.
    #[expect(
        clippy::must_use_candidate,
        reason = "the check may be all that is wanted"
    )]
    pub fn failed(&self, code: ErrorKind) -> &Failure {
        match self.end() {
            Body::TurnFailed { failure, .. } if failure.code == code => failure,
            other => panic!("the turn should have failed with {code}: {other:?}"),
        }
    }

    /// Whether it ended as interrupted.
    #[must_use]
    pub fn is_interrupted(&self) -> bool {
        matches!(self.end(), Body::TurnInterrupted { .. })
    }

    /// The pieces of text that were shown in the turn.
    #[must_use]
    pub fn pieces(&self) -> String {
        let pieces = self.events.iter().filter(|e| e.turn == Some(self.turn));
        let pieces = pieces.filter_map(|event| match &event.body {
            Body::TextDelta { text, .. } => Some(text.as_str()),
            _ => None,
        });
        pieces.collect()
    }

    /// Why the session was downgraded meanwhile.
    ///
    /// # Panics
    ///
    /// If it was more than once.
    #[must_use]
    pub fn downgrade(&self) -> Option<ErrorKind> {
        let mut reasons = self.events.iter().filter_map(|event| match &event.body {
            Body::Downgraded { reason, .. } => Some(*reason),
            _ => None,
        });
        let first = reasons.next();
        assert_eq!(reasons.next(), None, "a session is downgraded once");
        first
    }

    /// Checks that the host saw one turn that went well although the first process failed, and
    /// that the session is downgraded.
    ///
    /// # Panics
    ///
    /// If it is otherwise.
    pub fn was_retried(&self, reason: ErrorKind) {
        self.completed();
        assert_eq!(self.downgrade(), Some(reason));
    }

    /// Checks that the turn failed, and that a warm process was downgraded for it, and no other.
    ///
    /// # Panics
    ///
    /// If it is otherwise.
    #[expect(
        clippy::must_use_candidate,
        reason = "the check may be all that is wanted"
    )]
    pub fn failed_with_downgrade(&self, code: ErrorKind, warm: bool) -> &Failure {
        let failure = self.failed(code);
        let expected = warm.then_some(code);
        assert_eq!(self.downgrade(), expected);
        failure
    }

    /// How often there was such a warning.
    #[must_use]
    pub fn warnings(&self, wanted: WarningCode) -> usize {
        warnings(&self.events, wanted)
    }
}

/// How often there is such a warning.
pub(crate) fn warnings(events: &[Arc<Event>], wanted: WarningCode) -> usize {
    let warned = events
        .iter()
        .filter(|e| matches!(&e.body, Body::Warning { code, .. } if *code == wanted));
    warned.count()
}

/// The laws of every whole log: `seq` without a gap; one end per turn, and nothing of a turn after
/// it; every process that started has stopped; `session_closed` once, at the end, with nothing left.
///
/// # Panics
///
/// If one is broken.
pub fn check_log(log: &[Arc<Event>]) {
    let mut open = HashSet::new();
    let mut known = HashSet::new();
    let mut processes = HashMap::new();
    for (event, seq) in log.iter().zip(1..) {
        assert_eq!(event.seq, seq, "no gap: {event:?}");
        match &event.body {
            Body::TurnQueued { .. } => {
                assert!(open.insert(event.turn), "a turn waits once: {event:?}");
            }
            Body::TurnStarted { .. } => {
                assert!(known.insert(event.turn), "a turn starts once: {event:?}");
                open.insert(event.turn);
            }
            Body::ProcessStarted { process, .. } => {
                // A session may leave a shared process and come back.
                assert_ne!(processes.insert(*process, true), Some(true), "{event:?}");
            }
            Body::ProcessStopped { process, left, .. } => {
                processes.insert(*process, false);
                assert!(left.is_empty(), "{event:?}");
            }
            _ => {}
        }
        if event.is_turn_end() {
            assert!(open.remove(&event.turn), "a turn ends once: {event:?}");
        } else if event.turn.is_some() {
            let turn = &event.turn;
            assert!(open.contains(turn), "of a turn that runs: {event:?}");
        }
    }
    assert!(open.is_empty(), "turns without an end: {open:?}");
    let alive = processes.iter().filter(|(_, alive)| **alive).count();
    assert_eq!(alive, 0, "every process stopped: {processes:?}");
    let last = log.last().map(|event| &event.body);
    assert!(
        matches!(last, Some(Body::SessionClosed { left, .. }) if left.is_empty()),
        "the end: {last:?}"
    );
}
