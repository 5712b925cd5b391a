//! A call of core that is answered later.

use std::pin::Pin;
use std::task::{Context, Poll};

use parking_lot::Mutex;
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use serde::Serialize;

use crate::error::Failure;
use crate::inbox::Inbox;
use crate::life::Ours;
use crate::source::Number;
use crate::turn::Turn;

/// What a call gives.
pub(crate) enum Value {
    /// Nothing but that it is done.
    Done,
    /// JSON.
    Json(String),
    /// A turn, and where it stands.
    Turn(Turn),
    /// The turn that a message joined.
    Steered(u64),
}

impl Value {
    pub(crate) fn json(value: &impl Serialize) -> Result<Self, Failure> {
        Ok(Self::Json(serde_json::to_string(value)?))
    }

    fn object(self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        match self {
            Self::Done => Ok(py.None()),
            Self::Json(json) => Ok(json.into_pyobject(py)?.into_any().unbind()),
            Self::Turn(turn) => Ok(Py::new(py, turn)?.into_any()),
            Self::Steered(turn) => Ok(turn.into_pyobject(py)?.into_any().unbind()),
        }
    }
}

type Answer = Pin<Box<dyn Future<Output = Result<Value, Failure>> + Send>>;

/// A call under way. Dropping it leaves open whether it takes effect.
#[pyclass(frozen, module = "remuda._remuda")]
pub(crate) struct Call {
    number: Number,
    answer: Ours<Mutex<Option<Answer>>>,
}

impl Call {
    pub(crate) fn new(
        answer: impl Future<Output = Result<Value, Failure>> + Send + 'static,
    ) -> Self {
        Self {
            number: Number::new(),
            answer: Ours::new(Mutex::new(Some(Box::pin(answer)))),
        }
    }
}

#[pymethods]
impl Call {
    /// Its number in inboxes.
    #[getter]
    fn id(&self) -> u64 {
        self.number.id
    }

    /// The answer in a tuple, once; before that nothing, and the inbox tells when.
    fn poll<'py>(
        &self,
        py: Python<'py>,
        inbox: &Bound<'_, Inbox>,
    ) -> PyResult<Option<Bound<'py, PyTuple>>> {
        let place = self.answer.get()?;
        let waker = self.number.waker(inbox.get().ready()?);
        let polled = py.detach(|| {
            let mut place = place.lock();
            let Some(answer) = place.as_mut() else {
                return Poll::Pending;
            };
            let polled = answer.as_mut().poll(&mut Context::from_waker(&waker));
            if polled.is_ready() {
                *place = None;
            }
            polled
        });
        match polled {
            Poll::Pending => Ok(None),
            Poll::Ready(answer) => {
                let value = answer?.object(py)?;
                Ok(Some(PyTuple::new(py, [value])?))
            }
        }
    }
}
