//! What a session's reader saw, and the laws that hold for it whatever happened.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use remuda::{Body, Event, EventKind, Events, Session, TurnId};

/// How long an event may take to come. Not a measure of speed: one that never comes fails the test.
const PATIENCE: Duration = Duration::from_mins(1);

/// A reader of a session that keeps what it read.
#[derive(Debug)]
pub struct Tape {
    events: Events,
    seen: Vec<Arc<Event>>,
}

impl Tape {
    /// Reads a session from its first event on.
    #[must_use]
    pub fn of(session: &Session) -> Self {
        Self {
            events: session.events(1),
            seen: Vec::new(),
        }
    }

    /// Reads on until an event is as wanted, and gives it.
    ///
    /// # Panics
    ///
    /// If the session ends before, or nothing comes for a minute.
    pub async fn until(&mut self, what: &str, wanted: impl Fn(&Event) -> bool) -> Arc<Event> {
        loop {
            let next = tokio::time::timeout(PATIENCE, self.events.next()).await;
            let Ok(Some(event)) = next else {
                panic!(
                    "{what}: it never came; seen: {:#?}",
                    self.seen.last_chunk::<8>()
                );
            };
            self.seen.push(Arc::clone(&event));
            if wanted(&event) {
                return event;
            }
        }
    }

    /// Reads on until an event of this kind.
    pub async fn until_kind(&mut self, kind: EventKind) -> Arc<Event> {
        self.until(kind.name(), |e| e.kind() == kind).await
    }

    /// Reads on until the text of the answer has this in it, across its pieces.
    pub async fn until_text(&mut self, text: &str) {
        let mut said = String::new();
        while !said.contains(text) {
            let event = self.until_kind(EventKind::TextDelta).await;
            if let Body::TextDelta { text, .. } = &event.body {
                said.push_str(text);
            }
        }
    }

    /// What was read so far.
    #[must_use]
    pub fn seen(&self) -> &[Arc<Event>] {
        &self.seen
    }

    /// Reads to the end of the session and gives all of it, when the laws hold.
    ///
    /// # Panics
    ///
    /// If the end does not come, or a law does not hold.
    pub async fn whole(mut self) -> Vec<Arc<Event>> {
        let rest = async {
            while let Some(event) = self.events.next().await {
                self.seen.push(event);
            }
        };
        let ended = tokio::time::timeout(PATIENCE, rest).await;
        assert!(
            ended.is_ok(),
            "the end never came; seen: {:#?}",
            self.seen.last_chunk::<8>()
        );
        assert_lawful(&self.seen);
        self.seen
    }
}

/// The laws of a session's events from the first to the last: `seq` is dense, each turn has one
/// start and then one end with all that belongs to it between, the last event says that the session
/// is closed, and no other does.
///
/// # Panics
///
/// If one does not hold.
pub fn assert_lawful(events: &[Arc<Event>]) {
    let mut turns: BTreeMap<TurnId, bool> = BTreeMap::new();
    for (place, event) in events.iter().enumerate() {
        assert_eq!(event.seq, place as u64 + 1, "seq is dense: {event:?}");
        let last = place + 1 == events.len();
        let closes = event.kind() == EventKind::SessionClosed;
        assert_eq!(closes, last, "session_closed is the last, once: {event:?}");
        let Some(turn) = event.turn else { continue };
        if event.kind() == EventKind::TurnStarted {
            assert_eq!(turns.insert(turn, false), None, "one start: {event:?}");
        } else {
            let over = turns.get_mut(&turn).expect("a turn starts first");
            assert!(!*over, "nothing of a turn after its end: {event:?}");
            *over = event.is_turn_end();
        }
    }
    for (turn, over) in turns {
        assert!(over, "turn {turn} has no end");
    }
}

/// The kinds of the events, in order, without those that only say how a turn went on.
#[must_use]
pub fn story(events: &[Arc<Event>]) -> Vec<EventKind> {
    let kinds = events.iter().map(|e| e.kind());
    kinds
        .filter(|kind| {
            matches!(
                kind,
                EventKind::SessionClosed
                    | EventKind::ProcessStarted
                    | EventKind::ProcessStopped
                    | EventKind::Evicted
                    | EventKind::Downgraded
                    | EventKind::Spilled
                    | EventKind::Restored
                    | EventKind::TurnStarted
                    | EventKind::TurnCompleted
                    | EventKind::TurnFailed
                    | EventKind::TurnInterrupted
            )
        })
        .collect()
}

/// How many events of this kind there are.
#[must_use]
pub fn count(events: &[Arc<Event>], kind: EventKind) -> usize {
    events.iter().filter(|e| e.kind() == kind).count()
}
