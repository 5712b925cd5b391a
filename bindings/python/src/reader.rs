//! Events of a session, or of a turn, as Python takes them.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use futures_core::Stream;
use parking_lot::Mutex;
use pyo3::prelude::*;
use pyo3::types::PyList;
use runtime::{Event, EventKind};

use crate::event::list;
use crate::inbox::Inbox;
use crate::life::Ours;
use crate::source::Number;

/// Where events come from.
type Stored = Pin<Box<dyn Stream<Item = Arc<Event>> + Send>>;

/// Takes what waits, `most` events at most. `None`: the last one was taken.
pub(crate) fn drain<S: Stream<Item = Arc<Event>> + ?Sized>(
    mut events: Pin<&mut S>,
    waker: &Waker,
    most: usize,
    wanted: impl Fn(EventKind) -> bool,
) -> Option<Vec<Arc<Event>>> {
    let mut context = Context::from_waker(waker);
    let mut taken = Vec::new();
    while taken.len() < most {
        match events.as_mut().poll_next(&mut context) {
            Poll::Ready(Some(event)) if wanted(event.kind()) => taken.push(event),
            Poll::Ready(Some(_)) => {}
            Poll::Ready(None) if taken.is_empty() => return None,
            Poll::Ready(None) | Poll::Pending => break,
        }
    }
    Some(taken)
}

/// A reader of a session's events. Like every reader it holds the session back while it does not read.
#[pyclass(frozen, module = "remuda._remuda")]
pub(crate) struct Reader {
    number: Number,
    events: Ours<Mutex<Stored>>,
    kinds: Option<Vec<u16>>,
}

impl Reader {
    pub(crate) fn new(events: runtime::Events, kinds: Option<Vec<u16>>) -> Self {
        Self {
            number: Number::new(),
            events: Ours::new(Mutex::new(Box::pin(events))),
            kinds,
        }
    }
}

#[pymethods]
impl Reader {
    /// Its number in inboxes.
    #[getter]
    fn id(&self) -> u64 {
        self.number.id
    }

    /// The events that wait, `most` at most. Empty: none yet, and the inbox tells when. `None`: there are no more.
    fn take(
        &self,
        py: Python<'_>,
        inbox: &Bound<'_, Inbox>,
        most: usize,
    ) -> PyResult<Option<Py<PyList>>> {
        let events = self.events.get()?;
        let waker = self.number.waker(inbox.get().ready()?);
        let wanted = |kind: EventKind| {
            let kinds = self.kinds.as_deref();
            kinds.is_none_or(|kinds| kinds.contains(&kind.number()))
        };
        let taken = drain(events.lock().as_mut(), &waker, most, wanted);
        taken.map(|events| list(py, events)).transpose()
    }
}
