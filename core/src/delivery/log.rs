//! The events of one session, in order, for any number of readers.
//!
//! The session's actor appends, readers take. The log is bounded by bytes: what every reader has
//! taken makes room first; what a reader has not taken yet is never dropped for it. Instead the log
//! says that it has no room, and the actor stops listening to the agent. Neither side ever waits
//! while it holds the lock, and no waker is cloned, called or dropped under it: that is the host's
//! code, which may come back here.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::Notify;

use crate::delivery::weight::weight;
use crate::event::{Body, Event, unix_now};
use crate::ids::{SessionId, TurnId};

/// A merged delta grows no longer than this.
const MERGED_DELTA: usize = 16 << 10;

/// A reader takes at most this many events, and stops after this many bytes, in one go.
const TAKE_EVENTS: usize = 256;
const TAKE_BYTES: usize = 256 << 10;

/// A session's events.
#[derive(Debug)]
pub(crate) struct Log {
    session: SessionId,
    limit: usize,
    /// The process that made it.
    maker: u32,
    state: Mutex<State>,
    /// Told when a reader made room in a full log.
    room: Notify,
}

#[derive(Debug, Default)]
struct State {
    ring: VecDeque<Arc<Event>>,
    bytes: usize,
    /// The last `seq` that was given out.
    last: u64,
    /// The last `seq` that any reader took: from here back, events no longer change.
    taken: u64,
    closed: bool,
    readers: Vec<Reader>,
    next_reader: u64,
}

/// A reader's place.
#[derive(Debug)]
struct Reader {
    id: u64,
    /// The next `seq` it wants.
    cursor: u64,
    waker: Option<Waker>,
}

/// Names a reader of one log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ReaderId(u64);

impl Log {
    pub(crate) fn new(session: SessionId, limit: usize) -> Arc<Self> {
        Arc::new(Self {
            session,
            limit,
            maker: std::process::id(),
            state: Mutex::default(),
            room: Notify::new(),
        })
    }

    /// Adds events, in order. They are numbered here, and a delta may melt into the one before it
    /// if nobody has taken that yet.
    pub(crate) fn append(&self, bodies: impl IntoIterator<Item = (Option<TurnId>, Body)>) {
        let now = unix_now();
        let wakers = {
            let mut state = self.state.lock();
            for (turn, body) in bodies {
                state.push(self.session, turn, now, body);
            }
            state.make_room(self.limit);
            state.take_wakers()
        };
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Nothing follows. Readers end after the last event.
    pub(crate) fn close(&self) {
        let wakers = {
            let mut state = self.state.lock();
            state.closed = true;
            state.take_wakers()
        };
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Whether the agent may be listened to.
    pub(crate) fn has_room(&self) -> bool {
        self.state.lock().bytes <= self.limit
    }

    /// Waits until there is room. Cancel safe: it only looks.
    pub(crate) async fn room(&self) {
        loop {
            let told = self.room.notified();
            if self.has_room() {
                return;
            }
            told.await;
        }
    }

    /// The `seq` that the next event will have.
    pub(crate) fn next_seq(&self) -> u64 {
        self.state.lock().last + 1
    }

    /// Adds a reader that wants everything from `seq` on. 0 means 1.
    pub(crate) fn attach(&self, seq: u64) -> ReaderId {
        let mut state = self.state.lock();
        state.next_reader += 1;
        let id = state.next_reader;
        let cursor = seq.max(1);
        // What is before its place it will never take: it must not grow any more.
        state.taken = state.taken.max((cursor - 1).min(state.last));
        state.readers.push(Reader {
            id,
            cursor,
            waker: None,
        });
        ReaderId(id)
    }

    /// Removes a reader; it holds nothing back any more.
    pub(crate) fn detach(&self, reader: ReaderId) {
        // In a forked copy the lock may be held for ever, and nobody is held back.
        if std::process::id() != self.maker {
            return;
        }
        let mut state = self.state.lock();
        let place = state.readers.iter().position(|r| r.id == reader.0);
        let gone = place.map(|place| state.readers.remove(place));
        self.settle(state);
        drop(gone);
    }

    /// Moves what the reader has not taken yet into `out`: at most one portion. `Ready(false)` means
    /// that the log is closed and the reader has everything.
    pub(crate) fn poll_take(
        &self,
        reader: ReaderId,
        out: &mut VecDeque<Arc<Event>>,
        context: &mut Context<'_>,
    ) -> Poll<bool> {
        let mut waker = None;
        loop {
            let mut state = self.state.lock();
            if state.take(self.session, reader, out) {
                self.settle(state);
                return Poll::Ready(true);
            }
            if state.closed {
                return Poll::Ready(false);
            }
            let Some(reader) = state.readers.iter_mut().find(|r| r.id == reader.0) else {
                return Poll::Pending;
            };
            let known = reader.waker.as_ref();
            if known.is_some_and(|known| known.will_wake(context.waker())) {
                return Poll::Pending;
            }
            if waker.is_some() {
                let old = std::mem::replace(&mut reader.waker, waker);
                drop(state);
                drop(old);
                return Poll::Pending;
            }
            drop(state);
            // Meanwhile something may have come, so that it is looked for again.
            waker = Some(context.waker().clone());
        }
    }

    /// Like `poll_take`, without waiting: whether anything was taken.
    pub(crate) fn try_take(&self, reader: ReaderId, out: &mut VecDeque<Arc<Event>>) -> bool {
        let mut state = self.state.lock();
        let taken = state.take(self.session, reader, out);
        if taken {
            self.settle(state);
        }
        taken
    }

    /// A reader moved or left: a full log may have room now.
    fn settle(&self, mut state: MutexGuard<'_, State>) {
        if state.bytes <= self.limit {
            return;
        }
        state.make_room(self.limit);
        let room = state.bytes <= self.limit;
        drop(state);
        if room {
            self.room.notify_one();
        }
    }
}

impl State {
    fn push(&mut self, session: SessionId, turn: Option<TurnId>, now: i64, body: Body) {
        let Some(body) = self.merge(turn, body) else {
            return;
        };
        self.last += 1;
        self.bytes += weight(&body);
        self.ring.push_back(Arc::new(Event {
            session,
            seq: self.last,
            turn,
            time_unix_ns: now,
            body,
        }));
    }

    /// Adds a delta to the one before it, or gives it back.
    fn merge(&mut self, turn: Option<TurnId>, body: Body) -> Option<Body> {
        if self.last <= self.taken {
            return Some(body);
        }
        let Some(before) = self.ring.back_mut().and_then(Arc::get_mut) else {
            return Some(body);
        };
        if before.turn != turn {
            return Some(body);
        }
        let (whole, piece) = match (&mut before.body, &body) {
            (
                Body::TextDelta {
                    text: whole,
                    parent,
                },
                Body::TextDelta { text, parent: same },
            )
            | (
                Body::ReasoningDelta {
                    text: whole,
                    parent,
                },
                Body::ReasoningDelta { text, parent: same },
            ) if parent == same => (whole, text),
            (
                Body::ToolOutputDelta { id, text: whole },
                Body::ToolOutputDelta { id: same, text },
            ) if id == same => (whole, text),
            _ => return Some(body),
        };
        if whole.len() + piece.len() > MERGED_DELTA {
            return Some(body);
        }
        whole.push_str(piece);
        self.bytes += piece.len();
        None
    }

    /// Drops the oldest events that every reader has taken, while there are too many bytes.
    fn make_room(&mut self, limit: usize) {
        if self.bytes <= limit {
            return;
        }
        let wanted = self.readers.iter().map(|r| r.cursor).min();
        while self.bytes > limit {
            let Some(oldest) = self.ring.front() else {
                return;
            };
            if wanted.is_some_and(|wanted| oldest.seq >= wanted) {
                return;
            }
            self.bytes -= weight(&oldest.body);
            self.ring.pop_front();
        }
    }

    fn take(
        &mut self,
        session: SessionId,
        reader: ReaderId,
        out: &mut VecDeque<Arc<Event>>,
    ) -> bool {
        let first = self.last + 1 - self.ring.len() as u64;
        let Some(reader) = self.readers.iter_mut().find(|r| r.id == reader.0) else {
            return false;
        };
        if reader.cursor > self.last {
            return false;
        }
        if reader.cursor < first {
            out.push_back(Arc::new(Event {
                session,
                seq: 0,
                turn: None,
                time_unix_ns: unix_now(),
                body: Body::Gap {
                    first: reader.cursor,
                    last: first - 1,
                },
            }));
            reader.cursor = first;
            return true;
        }
        // Fits: the ring's length is a usize.
        let start = usize::try_from(reader.cursor - first).unwrap_or(usize::MAX);
        let mut bytes = 0;
        for event in self.ring.range(start..).take(TAKE_EVENTS) {
            bytes += weight(&event.body);
            reader.cursor = event.seq + 1;
            out.push_back(Arc::clone(event));
            if bytes > TAKE_BYTES {
                break;
            }
        }
        self.taken = self.taken.max(reader.cursor - 1);
        true
    }

    fn take_wakers(&mut self) -> Vec<Waker> {
        let last = self.last;
        let closed = self.closed;
        self.readers
            .iter_mut()
            .filter(|r| closed || r.cursor <= last)
            .filter_map(|r| r.waker.take())
            .collect()
    }
}

#[cfg(test)]
#[path = "log_tests.rs"]
mod tests;
