//! A turn, as Python holds it.

use std::pin::Pin;

use parking_lot::Mutex;
use pyo3::prelude::*;
use pyo3::types::PyList;

use crate::call::{Call, Value};
use crate::event::list;
use crate::inbox::Inbox;
use crate::life::Ours;
use crate::reader::drain;
use crate::source::Number;

/// An accepted message and everything until its one end.
#[pyclass(frozen, module = "remuda._remuda")]
pub(crate) struct Turn {
    number: Number,
    inner: Ours<Mutex<runtime::Turn>>,
    name: u64,
    position: Option<usize>,
    why: Option<String>,
}

impl Turn {
    pub(crate) fn new(turn: runtime::Turn, queued: Option<(usize, Option<String>)>) -> Self {
        let name = turn.id().get();
        let (position, why) = queued.map_or((None, None), |(at, why)| (Some(at), why));
        Self {
            number: Number::new(),
            inner: Ours::new(Mutex::new(turn)),
            name,
            position,
            why,
        }
    }
}

#[pymethods]
impl Turn {
    /// Its number in inboxes.
    #[getter]
    fn id(&self) -> u64 {
        self.number.id
    }

    /// The turn's number.
    #[getter]
    fn turn(&self) -> u64 {
        self.name
    }

    /// How many messages waited before it when it was sent; `None`: it began at once.
    #[getter]
    fn position(&self) -> Option<usize> {
        self.position
    }

    /// Why it did not join the running turn, if that was wanted.
    #[getter]
    fn why(&self) -> Option<&str> {
        self.why.as_deref()
    }

    /// The events of the turn that wait, `most` at most, as `Reader.take` does.
    fn take(
        &self,
        py: Python<'_>,
        inbox: &Bound<'_, Inbox>,
        most: usize,
    ) -> PyResult<Option<Py<PyList>>> {
        let turn = self.inner.get()?;
        let waker = self.number.waker(inbox.get().ready()?);
        let taken = drain(Pin::new(&mut *turn.lock()), &waker, most, |_| true);
        taken.map(|events| list(py, events)).transpose()
    }

    /// Waits for the end. Gives the result as JSON.
    fn result(&self) -> PyResult<Call> {
        let end = self.inner.get()?.lock().end();
        Ok(Call::new(async move {
            let result = end.await?;
            Value::json(&result)
        }))
    }
}

/// What became of a message.
pub(crate) fn sent(sent: runtime::Sent) -> Value {
    match sent {
        runtime::Sent::Started(turn) => Value::Turn(Turn::new(turn, None)),
        runtime::Sent::Queued {
            turn,
            position,
            why,
        } => Value::Turn(Turn::new(turn, Some((position, why)))),
        runtime::Sent::Steered { into } => Value::Steered(into.get()),
    }
}
