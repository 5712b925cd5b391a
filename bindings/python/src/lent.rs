//! A lent process, as Python holds it.

use std::task::{Context, Poll};

use parking_lot::Mutex;
use pyo3::prelude::*;
use runtime::{Error, ErrorKind, LentEnd, LentInput};
use serde_json::{Value as Json, json};

use crate::call::{Call, Value};
use crate::error::refused;
use crate::inbox::Inbox;
use crate::life::Ours;
use crate::source::Number;

/// A process that Python borrowed: its lines, in and out.
#[pyclass(frozen, module = "remuda._remuda")]
pub(crate) struct Lent {
    number: Number,
    inner: Ours<Mutex<Option<runtime::Lent>>>,
    input: Ours<Option<LentInput>>,
}

fn over() -> PyErr {
    refused(Error::new(ErrorKind::Closed, "the process is closed"))
}

fn told(end: &LentEnd) -> Json {
    let error = end.error.as_ref();
    let error = error.map(|e| json!({"code": e.kind().name(), "message": e.message()}));
    json!({"exit": end.exit, "stderr": end.stderr, "error": error, "left": end.left})
}

impl Lent {
    pub(crate) fn new(lent: runtime::Lent) -> Self {
        Self {
            number: Number::new(),
            input: Ours::new(lent.input()),
            inner: Ours::new(Mutex::new(Some(lent))),
        }
    }

    fn input(&self) -> PyResult<&LentInput> {
        self.input.get()?.as_ref().ok_or_else(over)
    }
}

#[pymethods]
impl Lent {
    /// Its number in inboxes.
    #[getter]
    fn id(&self) -> u64 {
        self.number.id
    }

    /// The operating system's number of the program, once it runs.
    #[getter]
    fn pid(&self) -> PyResult<Option<u32>> {
        let lent = self.inner.get()?.lock();
        Ok(lent.as_ref().and_then(runtime::Lent::pid))
    }

    /// The lines that wait, as `Reader.take` gives events.
    fn take(&self, inbox: &Bound<'_, Inbox>, most: usize) -> PyResult<Option<Vec<String>>> {
        let waker = self.number.waker(inbox.get().ready()?);
        let mut context = Context::from_waker(&waker);
        let mut place = self.inner.get()?.lock();
        let Some(lent) = place.as_mut() else {
            return Ok(None);
        };
        let mut lines = Vec::new();
        while lines.len() < most {
            match lent.poll_next(&mut context) {
                Poll::Ready(Some(line)) => lines.push(line),
                Poll::Ready(None) if lines.is_empty() => return Ok(None),
                Poll::Ready(None) | Poll::Pending => break,
            }
        }
        Ok(Some(lines))
    }

    /// Writes text as it is: whole lines.
    fn write(&self, text: String) -> PyResult<()> {
        self.input()?.write(text).map_err(refused)
    }

    /// Ends its input, after what was written.
    fn end_input(&self) -> PyResult<()> {
        self.input()?.end().map_err(refused)
    }

    /// Kills it with all that it started.
    fn kill(&self) -> PyResult<()> {
        self.input()?.kill().map_err(refused)
    }

    /// How it ended, as JSON; `None`: it did not.
    fn end(&self) -> PyResult<Option<String>> {
        let end = self
            .inner
            .get()?
            .lock()
            .as_ref()
            .and_then(runtime::Lent::end);
        Ok(end.map(|end| told(&end).to_string()))
    }

    /// Gives it back for later, idle, under this name.
    fn keep(&self, name: String) -> PyResult<()> {
        let lent = self.inner.get()?.lock().take().ok_or_else(over)?;
        lent.keep(name).map_err(refused)
    }

    /// Ends it, and waits until its tree is gone. Gives as JSON how.
    fn close(&self) -> PyResult<Call> {
        let lent = self.inner.get()?.lock().take();
        Ok(Call::new(async move {
            let end = match lent {
                Some(lent) => lent.close().await,
                None => LentEnd::default(),
            };
            Value::json(&told(&end))
        }))
    }
}
