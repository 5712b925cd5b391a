//! A session as its pool's reader sees it: its events, its calls under way, its place among the ready ones.

use std::collections::{BTreeSet, VecDeque};
use std::ffi::c_void;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use futures_core::Stream;
use parking_lot::Mutex;
use runtime::{Body, Event, Events, Hold, Session};

use crate::error::Failure;
use crate::event::Item;
use crate::in_flight::{About, Answer, InFlight, Outcome};
use crate::ready::{Bell, Ready};
use crate::status::REMUDA_STATUS_TOO_MANY;

/// So many calls of a session may wait for their answers.
const MAX_CALLS: usize = 1024;

/// What the host gave to be given back; never looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HostPointer(pub(crate) *mut c_void);

// SAFETY: the library only carries it; the header says on which threads it is given back.
unsafe impl Send for HostPointer {}
// SAFETY: as above.
unsafe impl Sync for HostPointer {}

/// One session of a pool.
#[derive(Debug)]
pub(crate) struct Seat {
    pub(crate) session: Session,
    pub(crate) data: HostPointer,
    bell: Arc<Bell>,
    waker: Waker,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// `None` after the last one.
    events: Option<Events>,
    /// The `seq` up to which everything was read.
    read: u64,
    /// The last event, held back until every call has its answer.
    last: Option<Arc<Event>>,
    /// Turns that are not over, and their tags. At most the running one and the queue.
    tags: Vec<(u64, u64)>,
    calls: Vec<InFlight>,
    /// Calls that are being begun, without the lock.
    beginning: usize,
    /// Turns of which an event was read while calls are being begun: one of them may be a call's own.
    entered: BTreeSet<u64>,
    /// Answers that were not told.
    answered: VecDeque<Answered>,
    holds: Vec<Hold>,
    over: bool,
}

/// An answer, and what must be read before it is told.
#[derive(Debug)]
struct Answered {
    /// What core had told when it was given.
    seq: u64,
    /// An event of the turn that it speaks of. Core tells that one a little later.
    turn: Option<u64>,
    outcome: Outcome,
}

/// What a look at a seat found, beside its items.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// Nothing more now: the bell will ring.
    Nothing,
    /// There is more.
    More,
    /// The session's last event was among the items.
    Over,
}

impl Seat {
    pub(crate) fn new(session: Session, data: *mut c_void, ready: Arc<Ready>) -> Arc<Self> {
        let bell = Bell::new(session.id().get(), ready);
        let events = session.events(1);
        Arc::new(Self {
            session,
            data: HostPointer(data),
            waker: Waker::from(Arc::clone(&bell)),
            bell,
            state: Mutex::new(State {
                events: Some(events),
                read: 0,
                last: None,
                tags: Vec::new(),
                calls: Vec::new(),
                beginning: 0,
                entered: BTreeSet::new(),
                answered: VecDeque::new(),
                holds: Vec::new(),
                over: false,
            }),
        })
    }

    pub(crate) fn id(&self) -> u64 {
        self.session.id().get()
    }

    /// Asks to be looked at.
    pub(crate) fn ring(&self) {
        self.bell.ring();
    }

    /// Takes at most `most` items into `out`, in the order in which the host is to see them.
    pub(crate) fn look(&self, out: &mut Vec<Item>, most: usize) -> Look {
        self.bell.still();
        let mut context = Context::from_waker(&self.waker);
        let mut state = self.state.lock();
        if state.over {
            return Look::Nothing;
        }
        state.ask_calls(&mut context, || self.told());
        let enough = out.len() + most;
        while out.len() < enough {
            // Answers that had no room the last time come before what is newer.
            if state.tell_answers(out, enough, false) {
                continue;
            }
            if let Poll::Ready(Some(event)) = state.next_event(&mut context) {
                out.push(event);
                continue;
            }
            state.tell_answers(out, enough, true);
            if out.len() >= enough {
                break;
            }
            if state.events.is_some() || state.calls_open() {
                return Look::Nothing;
            }
            out.extend(state.last.take().map(|event| Item::Event(event, 0)));
            state.over = true;
            state.holds.clear();
            return Look::Over;
        }
        Look::More
    }

    /// Makes an asynchronous call. It is begun before this returns, so calls reach the session in their order. Its
    /// answer comes as an event, also when it is there at once: whether it is, is chance.
    pub(crate) fn call(
        &self,
        about: About,
        future: impl Future<Output = Answer> + Send + 'static,
    ) -> Result<(), Failure> {
        self.begin(InFlight::new(about, future), false)
    }

    /// Like [`call`](Self::call), but what fails at once is refused, and then no event comes.
    pub(crate) fn call_or_refuse(
        &self,
        about: About,
        future: impl Future<Output = Answer> + Send + 'static,
    ) -> Result<(), Failure> {
        self.begin(InFlight::new(about, future), true)
    }

    /// Begins a call without a lock: it may read files first, and the reader goes on meanwhile.
    fn begin(&self, mut call: InFlight, refuses: bool) -> Result<(), Failure> {
        self.state.lock().reserve()?;
        let polled = call.poll(&mut Context::from_waker(&self.waker));
        let told = self.told();
        let mut state = self.state.lock();
        let outcome = match polled {
            Poll::Pending => {
                state.calls.push(call);
                Ok(())
            }
            Poll::Ready(Outcome {
                answer: Err(why), ..
            }) if refuses => Err(why),
            Poll::Ready(outcome) => {
                state.answer(told, outcome);
                Ok(())
            }
        };
        state.beginning -= 1;
        if state.beginning == 0 {
            state.entered.clear();
        }
        drop(state);
        // Also for a call that waits: it may have been woken before the reader knew of it.
        self.bell.ring();
        outcome
    }

    /// The `seq` of what core has told until now. It answers a call when what the answer says can be read.
    fn told(&self) -> u64 {
        self.session.snapshot().next_seq.saturating_sub(1)
    }

    /// Keeps the session's process from eviction, once more.
    pub(crate) fn hold(&self) -> Result<(), Failure> {
        let mut state = self.state.lock();
        if state.over {
            return Err(Failure::closed("session"));
        }
        if state.holds.len() >= MAX_CALLS {
            let message = format!("the session is held {MAX_CALLS} times");
            return Err(Failure::new(REMUDA_STATUS_TOO_MANY, message));
        }
        state.holds.push(self.session.hold());
        Ok(())
    }

    /// Takes one hold back.
    pub(crate) fn unhold(&self) -> Result<(), Failure> {
        let hold = self.state.lock().holds.pop();
        match hold {
            Some(hold) => {
                drop(hold);
                Ok(())
            }
            None => Err(Failure::invalid("session", "it is not held")),
        }
    }
}

impl State {
    /// Keeps a place for a call, until it is among those that wait or was answered.
    fn reserve(&mut self) -> Result<(), Failure> {
        if self.over {
            return Err(Failure::closed("session"));
        }
        if self.calls.len() + self.beginning + self.answered.len() >= MAX_CALLS {
            let message = format!("{MAX_CALLS} calls of the session wait for their answers");
            return Err(Failure::new(REMUDA_STATUS_TOO_MANY, message));
        }
        self.beginning += 1;
        Ok(())
    }

    /// Sees which calls were answered.
    fn ask_calls(&mut self, context: &mut Context<'_>, told: impl Fn() -> u64) {
        let mut outcomes = Vec::new();
        self.calls.retain_mut(|call| match call.poll(context) {
            Poll::Ready(outcome) => {
                outcomes.push(outcome);
                false
            }
            Poll::Pending => true,
        });
        for outcome in outcomes {
            self.answer(told(), outcome);
        }
    }

    /// Keeps an answer until what belongs to it was read.
    fn answer(&mut self, seq: u64, outcome: Outcome) {
        let turn = outcome.begins.filter(|turn| !self.entered.contains(turn));
        self.answered.push_back(Answered { seq, turn, outcome });
    }

    /// An event was read: whoever waits for the first of its turn does no more.
    fn read(&mut self, event: &Event) {
        self.read = self.read.max(event.seq);
        let Some(turn) = event.turn else {
            return;
        };
        let turn = turn.get();
        if self.beginning > 0 {
            self.entered.insert(turn);
        }
        for answered in &mut self.answered {
            if answered.turn == Some(turn) {
                answered.turn = None;
            }
        }
    }

    fn next_event(&mut self, context: &mut Context<'_>) -> Poll<Option<Item>> {
        let Some(events) = &mut self.events else {
            return Poll::Ready(None);
        };
        match Pin::new(events).poll_next(context) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(None) => {
                self.events = None;
                Poll::Ready(None)
            }
            Poll::Ready(Some(event)) => {
                self.read(&event);
                if matches!(event.body, Body::SessionClosed { .. }) {
                    self.last = Some(event);
                    self.events = None;
                    return Poll::Ready(None);
                }
                let tag = self.tag(&event);
                Poll::Ready(Some(Item::Event(event, tag)))
            }
        }
    }

    /// The tag of an event: its turn's, or that of the message that joined.
    fn tag(&mut self, event: &Event) -> u64 {
        let own = event.body.tag();
        if matches!(event.body, Body::Steered { .. }) {
            return own.unwrap_or(0);
        }
        let Some(turn) = event.turn else {
            return own.unwrap_or(0);
        };
        let turn = turn.get();
        let known = self.tags.iter().position(|(of, _)| *of == turn);
        let tag = known.map_or(own.unwrap_or(0), |at| self.tags[at].1);
        match known {
            Some(at) if event.is_turn_end() => {
                self.tags.swap_remove(at);
            }
            None if own.is_some() && !event.is_turn_end() => self.tags.push((turn, tag)),
            Some(_) | None => {}
        }
        tag
    }

    /// Whether a call has no answer yet.
    fn calls_open(&self) -> bool {
        !self.calls.is_empty() || self.beginning > 0
    }

    /// Moves answers to `out`, until it is `enough`: those that are due. Once everything was read that there is until
    /// now, none waits for a `seq`; after the last event, none waits at all. Whether there was one.
    fn tell_answers(&mut self, out: &mut Vec<Item>, enough: usize, caught_up: bool) -> bool {
        let before = out.len();
        let ended = self.events.is_none();
        while out.len() < enough
            && let Some(next) = self.answered.pop_front_if(|next| {
                ended || next.turn.is_none() && (caught_up || next.seq <= self.read)
            })
        {
            out.push(Item::Done(next.outcome));
        }
        out.len() > before
    }
}

#[cfg(test)]
#[path = "seat_tests.rs"]
mod tests;
