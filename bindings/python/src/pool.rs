//! A pool, as Python holds it.

use std::time::Duration;

use pyo3::prelude::*;
use runtime::config::read_json;
use runtime::{Error, ErrorKind, LendOptions, PoolOptions, SessionOptions};
use tokio::sync::oneshot;

use crate::call::{Call, Value};
use crate::error::{Failure, refused};
use crate::lent::Lent;
use crate::life::Ours;
use crate::session::Session;

/// A bounded herd of warm agent processes.
#[pyclass(frozen, weakref, module = "remuda._remuda")]
pub(crate) struct Pool {
    pool: Ours<runtime::Pool>,
}

impl Pool {
    /// The pool, unless this is a forked copy.
    pub(crate) fn core(&self) -> Option<runtime::Pool> {
        self.pool.get().ok().cloned()
    }
}

#[pymethods]
impl Pool {
    #[new]
    fn new(py: Python<'_>, options: &str) -> PyResult<Self> {
        let options: PoolOptions = read_json("options", options).map_err(refused)?;
        let pool = py.detach(|| runtime::Pool::with_options(options));
        Ok(Self {
            pool: Ours::new(pool.map_err(refused)?),
        })
    }

    /// The options that are in force, as JSON.
    fn options(&self) -> PyResult<String> {
        let options = self.pool.get()?.options();
        Ok(serde_json::to_string(options).map_err(Failure::from)?)
    }

    /// Opens a session. Starts no process.
    fn open(&self, py: Python<'_>, options: &str) -> PyResult<Session> {
        let pool = self.pool.get()?;
        let options: SessionOptions = read_json("options", options).map_err(refused)?;
        let session = py.detach(|| pool.open(options));
        Ok(Session::new(session.map_err(refused)?))
    }

    /// The pool's numbers at this moment, as JSON.
    fn stats(&self) -> PyResult<String> {
        let stats = self.pool.get()?.stats();
        Ok(serde_json::to_string(&stats).map_err(Failure::from)?)
    }

    /// Closes every session and ends every process, within this many seconds. Gives, as JSON, what it came to.
    fn shutdown(&self, deadline: f64) -> PyResult<Call> {
        let pool = self.pool.get()?.clone();
        let deadline = Duration::try_from_secs_f64(deadline.max(0.0)).unwrap_or(Duration::MAX);
        Ok(Call::new(async move {
            Value::json(&pool.shutdown(deadline).await)
        }))
    }

    /// Lends a process that speaks lines.
    fn lend(&self, py: Python<'_>, options: &str) -> PyResult<Lent> {
        let pool = self.pool.get()?;
        let options: LendOptions = read_json("options", options).map_err(refused)?;
        let lent = py.detach(|| pool.lend(options));
        Ok(Lent::new(lent.map_err(refused)?))
    }

    /// Takes the lent process that was kept last under this name.
    fn take(&self, name: &str) -> PyResult<Option<Lent>> {
        Ok(self.pool.get()?.take(name).map(Lent::new))
    }

    /// How many lent processes are kept under this name.
    fn kept(&self, name: &str) -> PyResult<usize> {
        Ok(self.pool.get()?.kept(name))
    }
}

/// What each provider can do, as JSON.
#[pyfunction]
pub(crate) fn capabilities() -> PyResult<String> {
    let table = runtime::capabilities();
    Ok(serde_json::to_string(&table).map_err(Failure::from)?)
}

/// What of this machine matters before a session is opened, as JSON. Asks programs for their versions, for this many seconds
/// at most.
#[pyfunction]
pub(crate) fn doctor(timeout: f64) -> Call {
    let timeout = Duration::try_from_secs_f64(timeout.max(0.0)).unwrap_or(Duration::MAX);
    let (told, report) = oneshot::channel();
    let thread = std::thread::Builder::new().name("remuda-doctor".to_owned());
    // Where the system gives no thread, nobody tells. Nobody may listen any more.
    let _ = thread.spawn(move || told.send(runtime::doctor(timeout)));
    Call::new(async move {
        let lost = |_| Error::new(ErrorKind::Internal, "nobody examined this machine");
        Value::json(&report.await.map_err(lost)?)
    })
}
