//! The door of a session: accepts, queues or refuses a message at once, without asking the actor.
//!
//! The actor lives on the library's threads and may be busy; a host's `send` must not wait for it.
//! So what decides, whether a turn runs and what waits behind it, stands here under a lock that is
//! held for a few instructions. The queue belongs to the session and not to a process: eviction,
//! downgrade and the death of a process leave it as it is.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;
use schemars::JsonSchema;
use serde::Serialize;
use tokio::sync::watch;

use crate::budget::Budget;
use crate::error::{Error, ErrorKind};
use crate::event::{Failure, TurnResult};
use crate::host_code::fenced;
use crate::ids::TurnId;
use crate::message::Message;

/// How a turn ended.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum End {
    Completed(TurnResult),
    Failed(Failure, TurnResult),
    Interrupted(TurnResult),
}

/// Where a turn's end will be, for those who wait for it.
pub(crate) type EndReceiver = watch::Receiver<Option<End>>;

/// What comes in.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub tag: Option<u64>,
    pub message: Arc<Message>,
    pub budget: Budget,
}

/// What becomes of it.
#[derive(Debug)]
pub(crate) enum Entered {
    /// It runs.
    Started { turn: TurnId, end: EndReceiver },
    /// It waits behind so many others.
    Queued {
        turn: TurnId,
        position: usize,
        end: EndReceiver,
    },
}

/// A message that waits for the running turn to end.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub turn: TurnId,
    pub entry: Entry,
    /// Why it waits, if it was to join the running turn.
    pub why: Option<String>,
    /// Whether the host was told by an event.
    pub announced: bool,
    /// Whether it was taken out, and the actor has not told of it yet. It has its place until then.
    pub cancelled: bool,
    end: watch::Sender<Option<End>>,
}

/// So many messages that were taken out may be there beside those that wait, until the actor has told
/// of them. It bounds what a host that queues and cancels causes before the actor sees any of it.
const CANCELLED: usize = 64;

/// A waiting message, as hosts see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct QueuedTurn {
    /// Its turn.
    pub turn: TurnId,
    /// The host's mark.
    pub tag: Option<u64>,
    /// Its text.
    pub text: String,
}

/// What stands at the door and behind it.
#[derive(Debug)]
pub(crate) struct Sight {
    /// The host's turn that runs.
    pub running: Option<TurnId>,
    /// What waits for it to end, in order.
    pub queued: Vec<QueuedTurn>,
    /// Whether no turn comes in any more.
    pub closed: bool,
}

/// The state of the door.
#[derive(Debug)]
pub(crate) struct Gate {
    limit: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    closed: bool,
    running: Option<Running>,
    queue: VecDeque<Waiting>,
}

#[derive(Debug)]
struct Running {
    turn: TurnId,
    tag: Option<u64>,
    end: watch::Sender<Option<End>>,
}

/// A turn that was let in, and that no actor will end.
#[derive(Debug)]
pub(crate) struct Abandoned {
    pub turn: TurnId,
    pub tag: Option<u64>,
    end: watch::Sender<Option<End>>,
}

impl Abandoned {
    /// It ends all the same.
    pub(crate) fn farewell(self, end: End) -> Farewell {
        let waiting = self.end;
        Farewell { end, waiting }
    }
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
    /// Whoever waits may do anything when it is woken.
    pub(crate) fn tell(self) {
        fenced(|| drop(self.waiting.send_replace(Some(self.end))));
    }
}

impl Waiting {
    /// It ends without having begun.
    pub(crate) fn farewell(self, end: End) -> Farewell {
        Farewell {
            end,
            waiting: self.end,
        }
    }
}

impl Gate {
    /// A door behind which so many messages may wait.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit,
            state: Mutex::default(),
        }
    }

    /// Lets a message in. `tell` tells the actor; it runs under the lock, so that turns reach the
    /// actor in the order in which they were let in. All that it wakes is the actor, a task on the
    /// library's own threads. `None` of it: there is no actor.
    pub(crate) fn enter<T>(
        &self,
        entry: Entry,
        queue: bool,
        why: Option<String>,
        tell: impl FnOnce(TurnId, Option<Entry>) -> Option<T>,
    ) -> Result<(Entered, T), Error> {
        let mut state = self.state.lock();
        if state.closed {
            return Err(Error::closed("session"));
        }
        let turn = TurnId::next();
        let (sender, end) = watch::channel(None);
        let gone = || Error::closed("session");
        let Some(running) = &state.running else {
            let tag = entry.tag;
            let told = tell(turn, Some(entry)).ok_or_else(gone)?;
            let running = Running {
                turn,
                tag,
                end: sender,
            };
            state.running = Some(running);
            return Ok((Entered::Started { turn, end }, told));
        };
        let position = state.waiting().count();
        let cancelled = state.queue.len() - position;
        let full = if !queue {
            Some(String::new())
        } else if position >= self.limit {
            Some(format!(", and {position} wait already"))
        } else if cancelled >= CANCELLED {
            Some(format!(", and {cancelled} more are being cancelled"))
        } else {
            None
        };
        if let Some(more) = full {
            let message = format!("turn {} is still running{more}", running.turn);
            return Err(Error::new(ErrorKind::TurnInProgress, message));
        }
        let told = tell(turn, None).ok_or_else(gone)?;
        state.queue.push_back(Waiting {
            turn,
            entry,
            why,
            announced: false,
            cancelled: false,
            end: sender,
        });
        let entered = Entered::Queued {
            turn,
            position,
            end,
        };
        Ok((entered, told))
    }

    /// The actor is about to tell of a waiting message: its place and what it is. `None`: it waits no
    /// more, or was told of.
    pub(crate) fn announce(&self, turn: TurnId) -> Option<(usize, Option<u64>, Option<String>)> {
        let mut state = self.state.lock();
        let position = state.waiting().position(|w| w.turn == turn)?;
        let waiting = state.waiting_mut(turn)?;
        if std::mem::replace(&mut waiting.announced, true) {
            return None;
        }
        Some((position, waiting.entry.tag, waiting.why.clone()))
    }

    /// The turn is over: the next one runs, and is given back to be begun. Whoever waits for the end
    /// learns it from the farewell, when everything before it can be read.
    pub(crate) fn leave(&self, turn: TurnId, end: End) -> Option<(Farewell, Option<Waiting>)> {
        let mut state = self.state.lock();
        let running = state.running.take_if(|r| r.turn == turn)?;
        let place = state.queue.iter().position(|w| !w.cancelled);
        let next = place.and_then(|place| state.queue.remove(place));
        if let Some(next) = &next {
            state.running = Some(Running {
                turn: next.turn,
                tag: next.entry.tag,
                end: next.end.clone(),
            });
        }
        let waiting = running.end;
        Some((Farewell { end, waiting }, next))
    }

    /// Takes a waiting message out. `tell` tells the actor, under the lock. The message has its place
    /// until the actor [collects](Self::collect) it. After the close what waits is the actor's, which
    /// ends it.
    pub(crate) fn cancel(&self, turn: TurnId, tell: impl FnOnce(TurnId)) -> Result<(), Error> {
        let mut state = self.state.lock();
        if state.closed {
            return Err(Error::closed("session"));
        }
        let waiting = state.waiting_mut(turn).ok_or_else(|| not_waiting(turn))?;
        waiting.cancelled = true;
        tell(turn);
        Ok(())
    }

    /// As [`cancel`](Self::cancel), and all the others that wait go with it.
    pub(crate) fn cancel_queue(&self, turn: TurnId, tell: impl Fn(TurnId)) -> Result<(), Error> {
        let mut state = self.state.lock();
        if state.closed {
            return Err(Error::closed("session"));
        }
        state.waiting_mut(turn).ok_or_else(|| not_waiting(turn))?;
        for waiting in state.queue.iter_mut().filter(|w| !w.cancelled) {
            waiting.cancelled = true;
            tell(waiting.turn);
        }
        Ok(())
    }

    /// The actor is about to tell that a message was taken out, and gives its place free.
    pub(crate) fn collect(&self, turn: TurnId) -> Option<Waiting> {
        let mut state = self.state.lock();
        let cancelled = |w: &Waiting| w.turn == turn && w.cancelled;
        let place = state.queue.iter().position(cancelled)?;
        state.queue.remove(place)
    }

    /// Puts another message in the place of a waiting one.
    pub(crate) fn edit(&self, turn: TurnId, message: Arc<Message>) -> Result<(), Error> {
        let mut state = self.state.lock();
        if state.closed {
            return Err(Error::closed("session"));
        }
        let waiting = state.waiting_mut(turn).ok_or_else(|| not_waiting(turn))?;
        waiting.entry.message = message;
        Ok(())
    }

    /// Takes out everything that waits, for the actor.
    pub(crate) fn clear(&self) -> Vec<Waiting> {
        self.state.lock().queue.drain(..).collect()
    }

    /// What runs and what waits, at one moment.
    pub(crate) fn look(&self) -> Sight {
        let state = self.state.lock();
        let queued = state.waiting().map(|w| QueuedTurn {
            turn: w.turn,
            tag: w.entry.tag,
            text: w.entry.message.text.clone(),
        });
        Sight {
            running: state.running.as_ref().map(|r| r.turn),
            queued: queued.collect(),
            closed: state.closed,
        }
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

    /// The actor is gone: no turn comes in any more, and these were let in and have no end.
    pub(crate) fn abandon(&self) -> Vec<Abandoned> {
        let mut state = self.state.lock();
        state.closed = true;
        let running = state.running.take().map(|r| (r.turn, r.tag, r.end));
        let queued = state.queue.drain(..).map(|w| (w.turn, w.entry.tag, w.end));
        let all = running.into_iter().chain(queued);
        all.map(|(turn, tag, end)| Abandoned { turn, tag, end })
            .collect()
    }
}

impl State {
    /// What waits, in order, but for what was taken out.
    fn waiting(&self) -> impl Iterator<Item = &Waiting> {
        self.queue.iter().filter(|w| !w.cancelled)
    }

    fn waiting_mut(&mut self, turn: TurnId) -> Option<&mut Waiting> {
        let waits = |w: &&mut Waiting| w.turn == turn && !w.cancelled;
        self.queue.iter_mut().find(waits)
    }
}

fn not_waiting(turn: TurnId) -> Error {
    let message = format!("turn {turn} does not wait in the queue, or no more");
    Error::new(ErrorKind::Stale, message)
}

#[cfg(test)]
#[path = "gate_tests.rs"]
mod tests;
