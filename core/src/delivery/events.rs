//! A reader of a session's events.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_core::Stream;

use crate::delivery::log::Log;
use crate::delivery::reader::ReaderId;
use crate::event::Event;
use crate::ids::TurnId;

/// The events of one session, from some `seq` on, then live, until the session is closed.
///
/// While it lives it holds the session's log: a reader that does not read makes the agent wait,
/// after `log_bytes`, for as long as it does not read. No clock ends that, and no event tells of it,
/// because there is no room for one: [`SessionSnapshot::held_back`] and [`PoolStats::held_back`] do.
/// The session keeps its process and its slot meanwhile, so that with few slots other sessions may
/// wait too. Calls that cause events are refused with [`ErrorKind::Backlog`] when they alone would
/// fill the log once more. Drop the reader to let go. Works under any executor.
///
/// The waker with which it is polled runs on the library's threads, of which there are
/// [`PoolOptions::threads`](crate::PoolOptions::threads): one that blocks delays other sessions.
///
/// [`SessionSnapshot::held_back`]: crate::SessionSnapshot::held_back
/// [`PoolStats::held_back`]: crate::PoolStats::held_back
/// [`ErrorKind::Backlog`]: crate::ErrorKind::Backlog
#[derive(Debug)]
pub struct Events {
    log: Arc<Log>,
    reader: ReaderId,
    portion: VecDeque<Arc<Event>>,
}

impl Events {
    pub(crate) fn new(log: Arc<Log>, from_seq: u64) -> Self {
        let reader = log.attach(from_seq);
        Self::of(log, reader)
    }

    /// Ends after the end of the turn.
    pub(crate) fn of_turn(log: Arc<Log>, turn: TurnId, from_seq: u64) -> Self {
        let reader = log.attach_to(turn, from_seq);
        Self::of(log, reader)
    }

    const fn of(log: Arc<Log>, reader: ReaderId) -> Self {
        Self {
            log,
            reader,
            portion: VecDeque::new(),
        }
    }

    /// The next event; `None` after the last event of a closed session.
    ///
    /// Cancel safe: an event that was not returned comes next time.
    pub async fn next(&mut self) -> Option<Arc<Event>> {
        poll_fn(|context| self.poll(context)).await
    }

    /// The next event if one waits.
    pub fn try_next(&mut self) -> Option<Arc<Event>> {
        if self.portion.is_empty() {
            self.log.try_take(self.reader, &mut self.portion);
        }
        self.portion.pop_front()
    }

    /// Waits for events and moves all that wait, up to a portion of the library's choice, to the
    /// end of `out`: one wake-up, many events. `false` after the last event of a closed session.
    ///
    /// Cancel safe, like [`next`](Self::next).
    pub async fn next_batch(&mut self, out: &mut Vec<Arc<Event>>) -> bool {
        let more = poll_fn(|context| self.fill(context)).await;
        out.extend(self.portion.drain(..));
        more
    }

    fn fill(&mut self, context: &mut Context<'_>) -> Poll<bool> {
        if !self.portion.is_empty() {
            return Poll::Ready(true);
        }
        self.log.poll_take(self.reader, &mut self.portion, context)
    }

    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Arc<Event>>> {
        match self.fill(context) {
            Poll::Ready(true) => Poll::Ready(self.portion.pop_front()),
            Poll::Ready(false) => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl Stream for Events {
    type Item = Arc<Event>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Arc<Event>>> {
        self.poll(context)
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        self.log.detach(self.reader);
    }
}
