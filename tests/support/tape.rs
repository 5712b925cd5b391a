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

    /// Reads what there is, without waiting.
    pub fn catch_up(&mut self) {
        while let Some(event) = self.events.try_next() {
            self.seen.push(event);
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
/// start, before which it may be queued, and then one end, with all that belongs to it between; one
/// that is queued may end without a start. Each question is settled once, before the end of its
/// turn. The last event says that the session is closed, and no other does.
///
/// # Panics
///
/// If one does not hold.
pub fn assert_lawful(events: &[Arc<Event>]) {
    let mut turns: BTreeMap<TurnId, Phase> = BTreeMap::new();
    let mut questions = BTreeMap::new();
    for (place, event) in events.iter().enumerate() {
        assert_eq!(event.seq, place as u64 + 1, "seq is dense: {event:?}");
        let last = place + 1 == events.len();
        let closes = event.kind() == EventKind::SessionClosed;
        assert_eq!(closes, last, "session_closed is the last, once: {event:?}");
        if let Body::RequestOpened { request, .. } = event.body {
            assert_eq!(questions.insert(request, event.turn), None, "{event:?}");
        }
        if let Body::RequestResolved { request, .. } = event.body {
            let asked = questions.remove(&request);
            assert_eq!(asked, Some(event.turn), "settled once: {event:?}");
        }
        let Some(turn) = event.turn else { continue };
        let before = turns.get(&turn).copied();
        turns.insert(turn, Phase::after(before, event));
        if event.is_turn_end() {
            let open = questions.values().any(|of| *of == Some(turn));
            assert!(!open, "a question outlives its turn: {event:?}");
        }
    }
    for (turn, phase) in turns {
        assert_eq!(phase, Phase::Over, "turn {turn} has no end");
    }
    assert!(questions.is_empty(), "open for ever: {questions:?}");
}

/// How far a turn is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Queued,
    Running,
    Over,
}

impl Phase {
    fn after(before: Option<Self>, event: &Event) -> Self {
        match (before, event.kind()) {
            (None, EventKind::TurnQueued) => Self::Queued,
            (None | Some(Self::Queued), EventKind::TurnStarted) => Self::Running,
            (Some(Self::Queued | Self::Running), _) if event.is_turn_end() => Self::Over,
            (Some(Self::Running), _) => Self::Running,
            (_, _) => panic!("a turn that is {before:?}: {event:?}"),
        }
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
