//! Which sources have something to look at.
//!
//! Not a queue of events: those stay in core's logs, which are bounded. A source stands in here at most once, however much it
//! has, and while it does nobody is woken for it again. So a burst of text costs one wake-up.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};
use std::task::Wake;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use pyo3::prelude::*;
use pyo3::types::PyTuple;
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

/// A source's bells: one in each inbox from which it was polled, while that lives.
#[derive(Debug)]
pub(crate) struct Bells {
    source: u64,
    bells: Mutex<Vec<Bell>>,
}

/// Puts one source into one inbox.
#[derive(Debug)]
struct Bell {
    ready: Weak<Ready>,
    rung: bool,
}

impl Bells {
    pub(crate) fn new(source: u64) -> Arc<Self> {
        Arc::new(Self {
            source,
            bells: Mutex::default(),
        })
    }

    /// Somebody is about to look from this inbox: what comes from now on rings there again.
    pub(crate) fn still(&self, inbox: &Arc<Ready>) {
        let mut bells = self.bells.lock();
        let mut known = bells.iter_mut();
        if let Some(bell) = known.find(|bell| bell.ready.as_ptr() == Arc::as_ptr(inbox)) {
            bell.rung = false;
            return;
        }
        bells.retain(|bell| bell.ready.strong_count() > 0);
        bells.push(Bell {
            ready: Arc::downgrade(inbox),
            rung: false,
        });
    }
}

impl Wake for Bells {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        for bell in self.bells.lock().iter_mut() {
            if !std::mem::replace(&mut bell.rung, true)
                && let Some(ready) = bell.ready.upgrade()
            {
                ready.push(self.source);
            }
        }
    }
}

/// The numbers of the sources that have something. One per event loop, or per thread that waits.
#[pyclass(frozen, module = "remuda._remuda")]
pub(crate) struct Inbox {
    ready: Ours<Arc<Ready>>,
    /// From the first wait until whoever waited has looked at the sources.
    waiting: Mutex<Option<Waiting>>,
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
            waiting: Mutex::default(),
        }
    }

    fn __enter__(this: Py<Self>) -> Py<Self> {
        this
    }

    /// Whoever waited has looked. Not left to the end of the inbox: a traceback that is kept keeps that, too.
    #[pyo3(signature = (*_error))]
    fn __exit__(&self, _error: &Bound<'_, PyTuple>) {
        *self.waiting.lock() = None;
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

    /// Waits for some source, not longer than this many seconds, and takes the numbers. Signals interrupt it. To be used
    /// in a `with` block: the end of the interpreter waits for those who wait until that ends.
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
            self.waiting.lock().get_or_insert_with(Waiting::begin);
            check_leaving()?;
            py.detach(|| ready.wait(slice));
            py.check_signals()?;
        }
    }
}
