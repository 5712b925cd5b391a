//! Which sources have something to look at.
//!
//! Not a queue of events: those stay in core's logs, which are bounded. A source stands in here at most once, however much it
//! has, and while it does nobody is woken for it again. So a burst of text costs one wake-up.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::Wake;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use pyo3::prelude::*;
use remuda_wake::WakeFd;

use crate::life::{Ours, Waiting, check_leaving};

/// How long a thread waits before it looks for signals, and for the end of the interpreter.
const SLICE: Duration = Duration::from_millis(50);

/// The sources that one event loop, or one waiting thread, is to look at.
#[derive(Debug, Default)]
pub(crate) struct Ready {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<u64>,
    fd: Option<WakeFd>,
    lit: bool,
}

impl Ready {
    fn push(&self, source: u64) {
        let mut state = self.state.lock();
        state.queue.push_back(source);
        if let Some(fd) = &state.fd
            && !state.lit
        {
            fd.light();
            state.lit = true;
        }
        drop(state);
        self.changed.notify_one();
    }

    fn take(&self) -> Vec<u64> {
        let mut state = self.state.lock();
        if std::mem::take(&mut state.lit) {
            state.fd.iter().for_each(WakeFd::clear);
        }
        state.queue.drain(..).collect()
    }

    /// Waits until then at most.
    fn wait(&self, until: Instant) {
        let mut state = self.state.lock();
        if state.queue.is_empty() {
            self.changed.wait_until(&mut state, until);
        }
    }
}

/// Puts one source into one inbox.
#[derive(Debug)]
pub(crate) struct Bell {
    source: u64,
    rung: AtomicBool,
    pub(crate) ready: Arc<Ready>,
}

impl Bell {
    pub(crate) fn new(source: u64, ready: Arc<Ready>) -> Arc<Self> {
        Arc::new(Self {
            source,
            rung: AtomicBool::new(false),
            ready,
        })
    }

    /// Somebody is about to look: what comes from now on rings again.
    pub(crate) fn still(&self) {
        self.rung.store(false, Ordering::Release);
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.rung.swap(true, Ordering::AcqRel) {
            self.ready.push(self.source);
        }
    }
}

/// The numbers of the sources that have something. One per event loop, or per thread that waits.
#[pyclass(frozen, module = "remuda._remuda")]
pub(crate) struct Inbox {
    ready: Ours<Arc<Ready>>,
    /// From the first wait until whoever waited drops the inbox: it may be about to look at a source.
    waiting: OnceLock<Waiting>,
}

impl Inbox {
    pub(crate) fn ready(&self) -> PyResult<&Arc<Ready>> {
        self.ready.get()
    }
}

#[pymethods]
impl Inbox {
    #[new]
    fn new() -> Self {
        Self {
            ready: Ours::new(Arc::default()),
            waiting: OnceLock::new(),
        }
    }

    /// A descriptor that is readable while a source has something. It belongs to the inbox: only poll it.
    fn fileno(&self) -> PyResult<i32> {
        let mut state = self.ready()?.state.lock();
        let fd = match &mut state.fd {
            Some(fd) => fd,
            none => none.insert(WakeFd::new()?),
        };
        let number = fd.number();
        if !state.queue.is_empty() && !state.lit {
            state.fd.iter().for_each(WakeFd::light);
            state.lit = true;
        }
        Ok(number)
    }

    /// Takes the numbers of the sources that have something. Does not wait.
    fn take(&self) -> PyResult<Vec<u64>> {
        Ok(self.ready()?.take())
    }

    /// Waits for some source, not longer than this many seconds, and takes the numbers. Signals interrupt it. Drop
    /// the inbox soon after: the end of the interpreter waits for those who wait.
    #[pyo3(signature = (timeout = None))]
    fn wait(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<Vec<u64>> {
        let until = timeout
            .and_then(|seconds| Duration::try_from_secs_f64(seconds.max(0.0)).ok())
            .and_then(|time| Instant::now().checked_add(time));
        let ready = self.ready()?;
        loop {
            let sources = ready.take();
            let now = Instant::now();
            if !sources.is_empty() || until.is_some_and(|until| until <= now) {
                return Ok(sources);
            }
            let slice = now + SLICE;
            let slice = until.map_or(slice, |until| until.min(slice));
            self.waiting.get_or_init(Waiting::begin);
            check_leaving()?;
            py.detach(|| ready.wait(slice));
            py.check_signals()?;
        }
    }
}
