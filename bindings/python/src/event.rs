//! Events as Python objects.
//!
//! A piece of text is a class of its own in here, made without JSON and with one allocation. Every other kind is a class
//! that Python has from the schema, over [`Event`]: its fields are decoded when one of them is first asked for.

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyList, PyType};
use runtime::{Body, EventKind};

use crate::error::Failure;

/// Carries an event from core to the class that Python has for its kind.
#[pyclass(frozen, module = "remuda._remuda")]
pub(crate) struct Handle(Arc<runtime::Event>);

/// One thing that happened in a session. Its class says what.
#[pyclass(frozen, subclass, module = "remuda._remuda")]
pub(crate) struct Event {
    event: Arc<runtime::Event>,
    data: PyOnceLock<Py<PyDict>>,
}

impl Event {
    fn over(event: Arc<runtime::Event>) -> Self {
        Self {
            event,
            data: PyOnceLock::new(),
        }
    }
}

#[pymethods]
impl Event {
    #[new]
    fn new(handle: &Bound<'_, Handle>) -> Self {
        Self::over(Arc::clone(&handle.get().0))
    }

    /// The session it happened in.
    #[getter]
    fn session(&self) -> u64 {
        self.event.session.get()
    }

    /// 1, 2, 3 … within the session, without a gap; 0 only of `Gap`.
    #[getter]
    fn seq(&self) -> u64 {
        self.event.seq
    }

    /// The turn it belongs to, if any.
    #[getter]
    fn turn(&self) -> Option<u64> {
        self.event.turn.map(runtime::TurnId::get)
    }

    /// When it was recorded: nanoseconds since the Unix epoch, by the wall clock.
    #[getter]
    fn time_unix_ns(&self) -> i64 {
        self.event.time_unix_ns
    }

    /// The stable name of its kind.
    #[getter(r#type)]
    fn kind(&self) -> &'static str {
        self.event.kind().name()
    }

    /// Whether this is the one end of its turn.
    #[getter]
    fn is_turn_end(&self) -> bool {
        self.event.is_turn_end()
    }

    /// All of it as one JSON object.
    #[getter]
    fn json(&self) -> PyResult<String> {
        let json = self.event.to_json().map_err(Failure::from)?;
        Ok(json)
    }

    /// All of it as one decoded JSON object. Decoded once; not to be changed.
    #[getter]
    fn data(&self, py: Python<'_>) -> PyResult<Py<PyDict>> {
        static LOADS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        let data = self.data.get_or_try_init(py, || {
            let loads = LOADS.get_or_try_init(py, || {
                py.import("json")?.getattr("loads").map(Bound::unbind)
            })?;
            let value = loads.bind(py).call1((self.json()?,))?;
            Ok::<_, PyErr>(value.cast_into::<PyDict>()?.unbind())
        })?;
        Ok(data.clone_ref(py))
    }

    fn __eq__(&self, other: &Bound<'_, PyAny>) -> bool {
        other
            .cast::<Self>()
            .is_ok_and(|other| *self.event == *other.get().event)
    }

    fn __hash__(&self) -> u64 {
        self.event.session.get().rotate_left(32) ^ self.event.seq
    }
}

/// The fields of a piece of text.
fn piece(body: &Body) -> (&str, Option<&str>) {
    if let Body::TextDelta { text, parent } | Body::ReasoningDelta { text, parent } = body {
        (text, parent.as_deref())
    } else {
        (body.text(), None)
    }
}

macro_rules! pieces {
    ($($(#[$doc:meta])* $name:ident)*) => {$(
        $(#[$doc])*
        #[pyclass(frozen, extends = Event, module = "remuda")]
        pub(crate) struct $name;

        #[pymethods]
        impl $name {
            #[classattr]
            #[pyo3(name = "__match_args__")]
            const MATCH_ARGS: (&'static str, &'static str) = ("text", "parent");

            /// The text.
            #[getter]
            fn text<'a>(this: &'a Bound<'_, Self>) -> &'a str {
                piece(&this.as_super().get().event.body).0
            }

            /// The sub-agent's tool call; `None` is the agent itself.
            #[getter]
            fn parent<'a>(this: &'a Bound<'_, Self>) -> Option<&'a str> {
                piece(&this.as_super().get().event.body).1
            }

            fn __repr__(this: &Bound<'_, Self>) -> PyResult<String> {
                let event = &this.as_super().get().event;
                let (text, parent) = piece(&event.body);
                let text = pyo3::types::PyString::new(this.py(), text).repr()?;
                let parent = parent.map_or(String::new(), |parent| format!(", parent={parent:?}"));
                Ok(format!("{}(seq={}, text={text}{parent})", stringify!($name), event.seq))
            }
        }
    )*};
}

pieces! {
    /// A piece of the answer. Pieces may be merged, never lost.
    TextDelta
    /// A piece of the model's reasoning. Pieces may be merged, never lost.
    ReasoningDelta
}

/// Python's classes, by the number of the kind.
static CLASSES: [PyOnceLock<Py<PyType>>; 128] = [const { PyOnceLock::new() }; 128];

/// Names the class for a kind. Once for each.
#[pyfunction]
pub(crate) fn set_event_class(number: u16, class: &Bound<'_, PyType>) {
    if let Some(place) = CLASSES.get(usize::from(number)) {
        // A second one changes nothing.
        let _ = place.set(class.py(), class.clone().unbind());
    }
}

/// The stable numbers and names of events.
#[pyfunction]
pub(crate) fn event_kinds() -> Vec<(u16, &'static str)> {
    EventKind::ALL
        .iter()
        .map(|k| (k.number(), k.name()))
        .collect()
}

/// One event as the object that Python gets.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the rest has classes by number"
)]
fn object(py: Python<'_>, event: Arc<runtime::Event>) -> PyResult<Py<PyAny>> {
    let over = |event| PyClassInitializer::from(Event::over(event));
    match &event.body {
        Body::TextDelta { .. } => {
            let made = over(event).add_subclass(TextDelta);
            Ok(Py::new(py, made)?.into_any())
        }
        Body::ReasoningDelta { .. } => {
            let made = over(event).add_subclass(ReasoningDelta);
            Ok(Py::new(py, made)?.into_any())
        }
        body => {
            let class = CLASSES.get(usize::from(body.kind().number()));
            match class.and_then(|class| class.get(py)) {
                Some(class) => class.call1(py, (Handle(event),)),
                // A kind that this package does not know yet.
                None => Ok(Py::new(py, Event::over(event))?.into_any()),
            }
        }
    }
}

/// Events as a list.
pub(crate) fn list(py: Python<'_>, events: Vec<Arc<runtime::Event>>) -> PyResult<Py<PyList>> {
    let list = PyList::empty(py);
    for event in events {
        list.append(object(py, event)?)?;
    }
    Ok(list.unbind())
}
