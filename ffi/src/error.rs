//! Why a call failed, as an object of the caller.

use std::ffi::{CString, c_char};
use std::fmt;

use crate::boundary::guard;
use crate::status::{self, remuda_status};
use crate::text::without_nul;

/// Why a call failed: a code to act on and one line to read. Yours, to be freed with `remuda_error_free`.
pub struct remuda_error {
    status: remuda_status,
    message: CString,
}

/// Why a call fails, inside.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) status: remuda_status,
    pub(crate) message: String,
}

impl Failure {
    pub(crate) fn new(status: remuda_status, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { status, message }
    }

    pub(crate) fn invalid(name: &str, why: impl fmt::Display) -> Self {
        Self::new(
            status::REMUDA_STATUS_INVALID_ARGUMENT,
            format!("{name}: {why}"),
        )
    }

    pub(crate) fn null(name: &str) -> Self {
        Self::invalid(name, "it is NULL")
    }

    pub(crate) fn closed(what: &str) -> Self {
        let message = format!("the {what} is closed, or never was");
        Self::new(status::REMUDA_STATUS_CLOSED, message)
    }

    pub(crate) fn internal(why: &dyn fmt::Display) -> Self {
        Self::new(status::REMUDA_STATUS_INTERNAL, why.to_string())
    }

    pub(crate) fn panicked() -> Self {
        Self::new(
            status::REMUDA_STATUS_PANIC,
            "the library panicked; the pool can only be freed",
        )
    }

    pub(crate) fn into_object(self) -> *mut remuda_error {
        Box::into_raw(Box::new(remuda_error {
            status: self.status,
            message: without_nul(&self.message),
        }))
    }
}

impl From<runtime::Error> for Failure {
    fn from(error: runtime::Error) -> Self {
        Self::new(status::of(error.kind()), error.message())
    }
}

/// The code of an error: the same that the call returned. 0 for NULL.
///
/// # Safety
///
/// `error` is NULL, or came from this library and was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn remuda_error_status(error: *const remuda_error) -> remuda_status {
    // SAFETY: the contract of this function.
    unsafe { error.as_ref() }.map_or(status::REMUDA_STATUS_OK, |error| error.status)
}

/// One line to read. It lives as long as the error. Empty for NULL.
///
/// # Safety
///
/// `error` is NULL, or came from this library and was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn remuda_error_message(error: *const remuda_error) -> *const c_char {
    // SAFETY: the contract of this function.
    unsafe { error.as_ref() }.map_or(c"".as_ptr(), |error| error.message.as_ptr())
}

/// Frees an error. NULL is accepted.
///
/// # Safety
///
/// `error` is NULL, or came from this library and was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn remuda_error_free(error: *mut remuda_error) {
    guard(std::ptr::null_mut(), || {
        if !error.is_null() {
            // SAFETY: by contract it came from `into_object` and is freed once.
            drop(unsafe { Box::from_raw(error) });
        }
        Ok(())
    });
}
