//! The events of one session, in order, for any number of readers.
//!
//! The session's actor appends, readers take. The log is bounded by bytes: what every reader has
//! taken makes room first; what a reader has not taken yet is never dropped for it. Instead the log
//! says that it has no room, and the actor stops listening to the agent. Neither side ever waits
//! while it holds the lock, and no waker is cloned, called or dropped under it: that is the host's
//! code, which may come back here, or panic.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::Notify;

use crate::delivery::reader::{Reader, ReaderId};
use crate::delivery::weight::weight;
use crate::event::{Body, Event, unix_now};
use crate::host_code::{fenced, wake_all};
use crate::ids::{SessionId, TurnId};

/// A merged delta grows no longer than this.
const MERGED_DELTA: usize = 16 << 10;

/// So much may a merged delta keep that it does not use, in bytes.
const SLACK: usize = 512;

/// A reader takes at most this many events, and stops after this many bytes, in one go.
const TAKE_EVENTS: usize = 256;
const TAKE_BYTES: usize = 256 << 10;

/// What may come while the log is full is at least this much, if `log_bytes` is not more: an agent
/// that is interrupted says what it has at hand, and that is seldom more.
const SURPLUS: usize = 1 << 20;

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
    /// How many of them came while there was no room.
    surplus: usize,
    /// The last `seq` that was given out.
    last: u64,
    /// The last `seq` that any reader took: from here back, events no longer change.
    taken: u64,
    closed: bool,
    readers: Vec<Reader>,
    next_reader: u64,
    /// The turns that somebody may read, and where they end. Bounded by those who hold a [`Mark`].
    ///
    /// [`Mark`]: crate::delivery::Mark
    ends: HashMap<TurnId, Option<u64>>,
    /// What is kept beside the ring for readers of turns that are over, in bytes.
    kept: usize,
}

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
            let before = state.bytes;
            for (turn, body) in bodies {
                state.push(self.session, turn, now, body);
            }
            if before > self.limit {
                state.surplus += state.bytes - before;
            }
            state.make_room(self.limit);
            state.take_wakers()
        };
        wake_all(wakers);
    }

    /// Nothing follows. Readers end after the last event.
    pub(crate) fn close(&self) {
        let wakers = {
            let mut state = self.state.lock();
            state.closed = true;
            state.take_wakers()
        };
        wake_all(wakers);
    }

    /// Whether the agent may be listened to.
    pub(crate) fn has_room(&self) -> bool {
        self.state.lock().bytes <= self.limit
    }

    /// Whether so much came while there was no room that nothing may be caused any more. Calls of
    /// hosts that cause events are refused then, so that the memory stays bounded whatever they do.
    pub(crate) fn is_backed_up(&self) -> bool {
        self.state.lock().surplus > self.limit.max(SURPLUS)
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
        self.add(seq, None)
    }

    /// Adds a reader that wants a turn, whose first event has at least this `seq`. It ends with the
    /// turn, if that is [marked](Self::mark), and holds nothing back from there on.
    pub(crate) fn attach_to(&self, turn: TurnId, seq: u64) -> ReaderId {
        self.add(seq, Some(turn))
    }

    fn add(&self, seq: u64, turn: Option<TurnId>) -> ReaderId {
        let mut state = self.state.lock();
        state.next_reader += 1;
        let id = ReaderId(state.next_reader);
        let cursor = seq.max(1);
        // What is before its place it will never take: it must not grow any more.
        state.taken = state.taken.max((cursor - 1).min(state.last));
        let until = turn.and_then(|turn| state.ends.get(&turn).copied().flatten());
        state.readers.push(Reader {
            id,
            cursor,
            turn,
            until,
            kept: VecDeque::new(),
            waker: None,
        });
        id
    }

    /// Begins to remember where a turn ends. Before the turn can have an event.
    pub(super) fn mark(&self, turn: TurnId) {
        self.state.lock().ends.insert(turn, None);
    }

    /// Forgets where a turn ends.
    pub(super) fn unmark(&self, turn: TurnId) {
        if std::process::id() == self.maker {
            self.state.lock().ends.remove(&turn);
        }
    }

    /// Removes a reader; it holds nothing back any more.
    pub(crate) fn detach(&self, reader: ReaderId) {
        // In a forked copy the lock may be held for ever, and nobody is held back.
        if std::process::id() != self.maker {
            return;
        }
        let mut state = self.state.lock();
        let place = state.readers.iter().position(|r| r.id == reader);
        let gone = place.map(|place| state.readers.remove(place));
        let kept = gone.iter().flat_map(|gone| &gone.kept);
        state.kept -= kept.map(|event| weight(&event.body)).sum::<usize>();
        self.settle(state);
        fenced(|| drop(gone));
    }

    /// Moves what the reader has not taken yet into `out`: at most one portion. `Ready(false)` means
    /// that nothing follows and the reader has everything.
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
            let Some(reader) = state.readers.iter_mut().find(|r| r.id == reader) else {
                return Poll::Pending;
            };
            if reader.is_over() {
                return Poll::Ready(false);
            }
            let known = reader.waker.as_ref();
            if known.is_some_and(|known| known.will_wake(context.waker())) {
                return Poll::Pending;
            }
            if waker.is_some() {
                let old = std::mem::replace(&mut reader.waker, waker);
                drop(state);
                fenced(|| drop(old));
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
        self.trim();
        self.last += 1;
        self.bytes += weight(&body);
        if body.kind().is_turn_end() {
            self.end(turn);
        }
        self.ring.push_back(Arc::new(Event {
            session,
            seq: self.last,
            turn,
            time_unix_ns: now,
            body,
        }));
    }

    /// Gives back the room that the last event, a merged delta, keeps for pieces that will not come: growing by doubling
    /// leaves up to as much again, which no weight counts.
    fn trim(&mut self) {
        if let Some(last) = self.ring.back_mut().and_then(Arc::get_mut)
            && let Body::TextDelta { text, .. }
            | Body::ReasoningDelta { text, .. }
            | Body::ToolOutputDelta { text, .. } = &mut last.body
            && text.capacity() - text.len() > SLACK
        {
            text.shrink_to_fit();
        }
    }

    /// The turn ends with the last event. Whoever reads it ends there, too.
    fn end(&mut self, turn: Option<TurnId>) {
        let Some(end) = turn.and_then(|turn| self.ends.get_mut(&turn)) else {
            return;
        };
        *end = Some(self.last);
        let readers = self.readers.iter_mut().filter(|r| r.turn == turn);
        readers.for_each(|reader| reader.until = Some(self.last));
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
        if self.bytes > limit {
            let readers = self.readers.iter().filter(|r| r.holds_back());
            let wanted = readers.map(|r| r.cursor).min().unwrap_or(u64::MAX);
            while self.bytes > limit
                && let Some(oldest) = self.ring.pop_front_if(|oldest| oldest.seq < wanted)
            {
                self.bytes -= weight(&oldest.body);
                self.keep(&oldest, limit);
            }
        }
        self.surplus = self.surplus.min(self.bytes.saturating_sub(limit));
    }

    /// Keeps what the ring drops for those who read a turn that is over: of the last such turn all,
    /// which the ring held before, so that whoever reads it slowly loses nothing; of the others as
    /// much as the ring holds. The oldest goes first, and its reader will be told of the gap.
    fn keep(&mut self, event: &Arc<Event>, limit: usize) {
        for reader in self.readers.iter_mut().filter(|r| r.keeps(event.seq)) {
            reader.kept.push_back(Arc::clone(event));
            self.kept += weight(&event.body);
        }
        if self.kept <= limit {
            return;
        }
        let keeping = |reader: &&mut Reader| !reader.kept.is_empty();
        let newest = self.readers.iter().filter(|r| !r.kept.is_empty());
        let newest = newest.filter_map(|r| r.until).max();
        while self.kept > limit {
            let others = self.readers.iter_mut().filter(keeping);
            let others = others.filter(|r| r.until != newest);
            let oldest = others.min_by_key(|r| r.kept.front().map(|e| e.seq));
            let Some(dropped) = oldest.and_then(|reader| reader.kept.pop_front()) else {
                return;
            };
            self.kept -= weight(&dropped.body);
        }
    }

    fn take(
        &mut self,
        session: SessionId,
        reader: ReaderId,
        out: &mut VecDeque<Arc<Event>>,
    ) -> bool {
        let first = self.last + 1 - self.ring.len() as u64;
        let Some(reader) = self.readers.iter_mut().find(|r| r.id == reader) else {
            return false;
        };
        let last = reader.until.unwrap_or(self.last);
        if reader.cursor > last {
            return false;
        }
        let oldest = reader.kept.front().map_or(first, |kept| kept.seq);
        if reader.cursor < oldest {
            let missing = last.min(oldest - 1);
            out.push_back(Arc::new(Event {
                session,
                seq: 0,
                turn: None,
                time_unix_ns: unix_now(),
                body: Body::Gap {
                    first: reader.cursor,
                    last: missing,
                },
            }));
            reader.cursor = missing + 1;
            return true;
        }
        let mut bytes = 0;
        while bytes <= TAKE_BYTES
            && let Some(event) = reader.kept.pop_front()
        {
            bytes += weight(&event.body);
            reader.cursor = event.seq + 1;
            out.push_back(event);
        }
        if bytes > 0 {
            self.kept -= bytes;
            return true;
        }
        // Fits: the ring's length is a usize.
        let start = usize::try_from(reader.cursor - first).unwrap_or(usize::MAX);
        for event in self.ring.range(start..).take(TAKE_EVENTS) {
            if event.seq > last {
                break;
            }
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
