//! What has something for JavaScript, and the one wake-up that says so.
//!
//! Not a queue of events: events stay in the sessions' logs, which are bounded. A source stands in here at most once,
//! however much it has, and while one stands here JavaScript is not woken again.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Wake;

use napi::Status;
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use parking_lot::Mutex;

/// The wake-up of a pool: it does not keep the process alive, and one call at most is under way.
pub(crate) type Signal = ThreadsafeFunction<(), (), (), Status, false, true, 1>;

/// Something that JavaScript gave a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// A reader of events.
    Reader(u32),
    /// A call under way.
    Call(u32),
}

/// The sources that wait for JavaScript.
pub(crate) struct Ready {
    state: Mutex<State>,
}

struct State {
    queue: VecDeque<Source>,
    /// JavaScript was woken, or comes by itself, and has not emptied the queue yet.
    told: bool,
    /// `None` once its thread ends: nobody may be woken any more.
    signal: Option<Signal>,
}

impl Ready {
    pub(crate) fn new(signal: Signal) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State {
                queue: VecDeque::new(),
                told: false,
                signal: Some(signal),
            }),
        })
    }

    /// A source has something, and JavaScript is to come for it.
    pub(crate) fn push(&self, source: Source) {
        let mut state = self.state.lock();
        if state.signal.is_none() {
            return;
        }
        state.queue.push_back(source);
        if state.told {
            return;
        }
        state.told = true;
        if let Some(signal) = &state.signal {
            // Under the lock, so that it is not called after `stop`. It only queues. A full queue wakes as well.
            signal.call((), ThreadsafeFunctionCallMode::NonBlocking);
        }
    }

    /// The same, where JavaScript comes by itself.
    pub(crate) fn push_untold(&self, source: Source) {
        let mut state = self.state.lock();
        state.told = true;
        state.queue.push_back(source);
    }

    /// Takes a source out. `None`: from now on JavaScript is woken again.
    pub(crate) fn pop(&self) -> Option<Source> {
        let mut state = self.state.lock();
        let source = state.queue.pop_front();
        if source.is_none() {
            state.told = false;
        }
        source
    }

    /// Nobody is woken any more. The thread of JavaScript calls this before its end, and whoever wakes waits for it.
    /// `false`: it was called before.
    pub(crate) fn stop(&self) -> bool {
        let mut state = self.state.lock();
        state.queue.clear();
        let signal = state.signal.take();
        drop(state);
        signal.is_some()
    }
}

/// Puts one source among the ready ones.
pub(crate) struct Bell {
    source: Source,
    /// It stands among them, and nobody has looked yet.
    rung: AtomicBool,
    ready: Arc<Ready>,
}

impl Bell {
    pub(crate) fn new(source: Source, ready: &Arc<Ready>) -> Arc<Self> {
        Arc::new(Self {
            source,
            rung: AtomicBool::new(false),
            ready: Arc::clone(ready),
        })
    }

    /// The source has something.
    pub(crate) fn ring(&self) {
        if !self.rung.swap(true, Ordering::AcqRel) {
            self.ready.push(self.source);
        }
    }

    /// The source has something, and JavaScript, which asks just now, comes by itself.
    pub(crate) fn ring_untold(&self) {
        if !self.rung.swap(true, Ordering::AcqRel) {
            self.ready.push_untold(self.source);
        }
    }

    /// Somebody is about to look: what comes from now on rings again.
    pub(crate) fn still(&self) {
        self.rung.store(false, Ordering::Release);
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.ring();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.ring();
    }
}
