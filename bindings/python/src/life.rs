//! Forks, and the end of the interpreter.
//!
//! A forked copy has none of the library's threads, and their locks may be held in it for ever: everything that was made before
//! the fork is refused there, and is never dropped. At the end of the interpreter nothing of ours may wait while attached
//! to it, or come back to it: waits end with an error, and pools are shut down before.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::{Duration, Instant};

use pyo3::exceptions::PySystemExit;
use pyo3::prelude::*;

use crate::error::forked_error;
use crate::pool::Pool;

static PROCESS: AtomicU32 = AtomicU32::new(0);
static LEAVING: AtomicBool = AtomicBool::new(false);
static WAITING: AtomicUsize = AtomicUsize::new(0);

/// How long the processes of a pool may take to end when the interpreter does. Guards end what is left then.
const SHUTDOWN: Duration = Duration::from_millis(500);
/// How long other threads may take to come back from a wait.
const RETURN: Duration = Duration::from_secs(2);

/// Tells that this process is a forked copy, or the first.
#[pyfunction]
pub(crate) fn forked() {
    PROCESS.store(std::process::id(), SeqCst);
    WAITING.store(0, SeqCst);
}

/// Ends every wait, and these pools, before the interpreter ends. From now on nothing waits any more.
#[pyfunction]
#[expect(clippy::needless_pass_by_value, reason = "the shape that Python calls")]
pub(crate) fn leave(py: Python<'_>, pools: Vec<Py<Pool>>) {
    LEAVING.store(true, SeqCst);
    let pools: Vec<_> = pools.iter().filter_map(|pool| pool.get().core()).collect();
    py.detach(|| {
        // First, so that no thread sees its turn fail.
        let until = Instant::now() + RETURN;
        while WAITING.load(SeqCst) > 0 && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::scope(|scope| {
            for pool in pools {
                // Where the system gives no thread, the guards end the processes.
                let _ = std::thread::Builder::new().spawn_scoped(scope, move || {
                    block_on(pool.shutdown(SHUTDOWN));
                });
            }
        });
    });
}

/// Whether the interpreter is about to end.
pub(crate) fn is_leaving() -> bool {
    LEAVING.load(SeqCst)
}

/// A thread that waits, or looks at what it waited for: it will come back to the interpreter.
#[derive(Debug)]
pub(crate) struct Waiting {
    process: u32,
}

impl Waiting {
    pub(crate) fn begin() -> Self {
        WAITING.fetch_add(1, SeqCst);
        Self {
            process: PROCESS.load(SeqCst),
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if self.process == PROCESS.load(SeqCst) {
            WAITING.fetch_sub(1, SeqCst);
        }
    }
}

/// Ends the thread quietly when the interpreter is about to end: nobody is to be told any more.
///
/// # Errors
///
/// `SystemExit`.
pub(crate) fn check_leaving() -> PyResult<()> {
    if is_leaving() {
        return Err(PySystemExit::new_err(()));
    }
    Ok(())
}

/// Something of core. In a forked copy it is neither used nor dropped.
pub(crate) struct Ours<T> {
    /// Always there, but while it is dropped.
    value: Option<T>,
    process: u32,
}

impl<T> Ours<T> {
    pub(crate) fn new(value: T) -> Self {
        Self {
            value: Some(value),
            process: PROCESS.load(SeqCst),
        }
    }

    fn is_ours(&self) -> bool {
        self.process == PROCESS.load(SeqCst)
    }

    /// # Errors
    ///
    /// This process is a forked copy of the one that made it.
    pub(crate) fn get(&self) -> PyResult<&T> {
        match &self.value {
            Some(value) if self.is_ours() => Ok(value),
            Some(_) | None => Err(forked_error()),
        }
    }
}

impl<T> Drop for Ours<T> {
    fn drop(&mut self) {
        if !self.is_ours() {
            std::mem::forget(self.value.take());
        }
    }
}

/// Runs a future on this thread.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return value;
        }
        std::thread::park();
    }
}
