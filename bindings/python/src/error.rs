//! Errors as exceptions: `remuda.RemudaError`, which has the code.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use runtime::{AskError, Error, ErrorKind};

/// Why a call failed, not yet as an exception: that needs the interpreter.
#[derive(Debug)]
pub(crate) struct Failure(Box<AskError>);

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self(Box::new(AskError::Refused(error)))
    }
}

impl From<AskError> for Failure {
    fn from(error: AskError) -> Self {
        Self(Box::new(error))
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Error::new(ErrorKind::Internal, error.to_string()).into()
    }
}

impl From<Failure> for PyErr {
    fn from(failure: Failure) -> Self {
        Python::attach(|py| match *failure.0 {
            AskError::Refused(error) => {
                let kind = error.kind();
                make(py, "error", (kind.name(), kind.code(), error.message()))
            }
            AskError::Failed { failure, result } => {
                let failure = serde_json::to_string(&failure).unwrap_or_default();
                let result = serde_json::to_string(&result).unwrap_or_default();
                make(py, "turn_failed", (failure, result))
            }
            AskError::Interrupted { result } => {
                let result = serde_json::to_string(&result).unwrap_or_default();
                make(py, "turn_interrupted", (result,))
            }
            other => make(py, "error", ("internal", 900, other.to_string())),
        })
    }
}

/// A core error as an exception.
pub(crate) fn refused(error: Error) -> PyErr {
    Failure::from(error).into()
}

/// What everything answers in a forked copy.
pub(crate) fn forked_error() -> PyErr {
    Python::attach(|py| make(py, "forked", ()))
}

/// Calls a function of `remuda._errors` that makes an exception.
fn make<'py>(py: Python<'py>, name: &str, arguments: impl pyo3::call::PyCallArgs<'py>) -> PyErr {
    static MODULE: PyOnceLock<Py<PyModule>> = PyOnceLock::new();
    let module = MODULE.get_or_try_init(py, || py.import("remuda._errors").map(Bound::unbind));
    let made = module.and_then(|module| module.bind(py).getattr(name)?.call1(arguments));
    made.map_or_else(|error| error, PyErr::from_value)
}

/// The stable numbers and names of errors.
#[pyfunction]
pub(crate) fn error_kinds() -> Vec<(u16, &'static str)> {
    ErrorKind::ALL
        .iter()
        .map(|k| (k.code(), k.name()))
        .collect()
}

/// Shows an exception that nobody can catch, by `sys.unraisablehook`, and who raised it.
#[pyfunction]
pub(crate) fn show(error: Bound<'_, PyAny>, who: &Bound<'_, PyAny>) {
    let py = error.py();
    PyErr::from_value(error).write_unraisable(py, Some(who));
}
