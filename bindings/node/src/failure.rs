//! Errors on their way to JavaScript.

use remuda::{Error, ErrorKind};
use serde::Serialize;

/// A refused call, with the name of its kind as the code. JavaScript makes its own error of it.
pub(crate) type Refused = napi::Error<&'static str>;

pub(crate) fn refused(error: &Error) -> Refused {
    napi::Error::new(error.kind().name(), error.message())
}

/// A handle of JavaScript that names nothing any more.
pub(crate) fn gone(what: &str) -> Refused {
    let message = format!("the {what} is closed");
    refused(&Error::new(ErrorKind::Closed, message))
}

/// The JSON of a value of core, which has one.
pub(crate) fn json(value: &impl Serialize) -> Result<String, Error> {
    serde_json::to_string(value)
        .map_err(|why| Error::new(ErrorKind::Internal, format!("no JSON: {why}")))
}
