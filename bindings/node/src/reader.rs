//! A reader of events, as JavaScript has it: it gives a portion when it is asked to, and nothing else.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use futures_core::Stream;
use remuda::{Event, EventKind, Events, Lent, Turn};

use crate::batch::Batch;
use crate::bell::{Bell, Ready, Source};
use crate::joined::Joined;

/// A portion of one reader.
const PORTION: usize = 256;
/// So many events that nobody wants are passed over in one go.
const SKIPPED: usize = 4096;

/// Where the events come from.
pub(crate) enum Origin {
    /// A session.
    Session(Events),
    /// A turn, up to its end.
    Turn(Turn),
    /// A turn that a message joined, up to its end.
    Joined(Joined),
    /// The lines of a process that the pool lends.
    Lent(Lent),
}

/// What a reader gives.
enum Item {
    Event(Arc<Event>),
    Line(String),
}

/// Kinds of events, as a set of their numbers.
#[derive(Clone, Copy)]
pub(crate) struct Kinds(u128);

impl Kinds {
    /// The kinds of these names; those that are not known are none.
    pub(crate) fn of(names: &[String]) -> Self {
        let kinds = EventKind::ALL.iter();
        let wanted = kinds.filter(|kind| names.iter().any(|name| name == kind.name()));
        Self(wanted.fold(0, |set, kind| set | Self::bit(*kind)))
    }

    fn bit(kind: EventKind) -> u128 {
        1_u128.checked_shl(kind.number().into()).unwrap_or(0)
    }

    fn has(self, kind: EventKind) -> bool {
        self.0 & Self::bit(kind) != 0
    }
}

/// A reader and its place among what is ready.
pub(crate) struct Reader {
    id: u32,
    origin: Origin,
    kinds: Option<Kinds>,
    bell: Arc<Bell>,
    waker: Waker,
    /// What was found when it was asked, for the portion to come.
    ahead: Option<Item>,
    /// JavaScript waits for a portion.
    wanted: bool,
    over: bool,
}

impl Reader {
    pub(crate) fn new(id: u32, origin: Origin, kinds: Option<Kinds>, ready: &Arc<Ready>) -> Self {
        let bell = Bell::new(Source::Reader(id), ready);
        Self {
            id,
            origin,
            kinds,
            waker: Waker::from(Arc::clone(&bell)),
            bell,
            ahead: None,
            wanted: false,
            over: false,
        }
    }

    /// What it reads.
    pub(crate) const fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The process, if it reads the lines of one.
    pub(crate) const fn lent(&self) -> Option<&Lent> {
        match &self.origin {
            Origin::Lent(lent) => Some(lent),
            Origin::Session(_) | Origin::Turn(_) | Origin::Joined(_) => None,
        }
    }

    /// The same, and the reader is no more.
    pub(crate) fn into_lent(self) -> Option<Lent> {
        match self.origin {
            Origin::Lent(lent) => Some(lent),
            Origin::Session(_) | Origin::Turn(_) | Origin::Joined(_) => None,
        }
    }

    /// Asks for a portion. Whether there is one now: then JavaScript comes by itself, else it is woken.
    pub(crate) fn want(&mut self) -> bool {
        self.wanted = true;
        self.bell.still();
        match self.poll() {
            Poll::Pending => return false,
            Poll::Ready(Some(item)) => self.ahead = Some(item),
            Poll::Ready(None) => self.over = true,
        }
        self.bell.ring_untold();
        true
    }

    /// Adds a portion, if one is wanted and there.
    pub(crate) fn fill(&mut self, batch: &mut Batch<'_>) {
        if !self.wanted {
            // It stays among those that were rung: nobody is woken for it until it is asked again.
            return;
        }
        self.bell.still();
        for _ in 0..PORTION {
            if !batch.has_room() {
                break;
            }
            match self.poll() {
                Poll::Pending => break,
                Poll::Ready(Some(item)) => {
                    match item {
                        Item::Event(event) => batch.event(self.id, &event),
                        Item::Line(line) => batch.line(self.id, &line),
                    }
                    self.wanted = false;
                }
                Poll::Ready(None) => {
                    self.over = true;
                    self.wanted = false;
                    batch.end(self.id);
                    break;
                }
            }
        }
    }

    fn poll(&mut self) -> Poll<Option<Item>> {
        if let Some(item) = self.ahead.take() {
            return Poll::Ready(Some(item));
        }
        if self.over {
            return Poll::Ready(None);
        }
        let mut context = Context::from_waker(&self.waker);
        for _ in 0..SKIPPED {
            let next = match &mut self.origin {
                Origin::Session(events) => Pin::new(events).poll_next(&mut context),
                Origin::Turn(turn) => Pin::new(turn).poll_next(&mut context),
                Origin::Joined(joined) => joined.poll(&mut context),
                Origin::Lent(lent) => {
                    return lent
                        .poll_next(&mut context)
                        .map(|line| line.map(Item::Line));
                }
            };
            match (&next, self.kinds) {
                (Poll::Ready(Some(event)), Some(kinds)) if !kinds.has(event.kind()) => {}
                _ => return next.map(|event| event.map(Item::Event)),
            }
        }
        // There may be more: it is looked for when others had their turn.
        self.bell.ring();
        Poll::Pending
    }
}
