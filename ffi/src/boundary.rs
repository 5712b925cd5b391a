//! The only place where panics, NULLs and foreign strings are dealt with.

use std::ffi::{CStr, c_char};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

use crate::error::{Failure, remuda_error};
use crate::herd::Herd;
use crate::pool::remuda_pool;
use crate::registry;
use crate::seat::Seat;
use crate::status::{REMUDA_STATUS_OK, remuda_status};

/// Runs the body of an exported function: a panic becomes a status, an error becomes a status plus, when the caller
/// asked for one, an error object.
pub(crate) fn guard(
    err: *mut *mut remuda_error,
    body: impl FnOnce() -> Result<(), Failure>,
) -> remuda_status {
    let failure = match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(())) => return REMUDA_STATUS_OK,
        Ok(Err(failure)) => failure,
        Err(_) => Failure::panicked(),
    };
    let status = failure.status;
    // SAFETY: by contract `err` is NULL or valid for one pointer write.
    if let Some(slot) = unsafe { err.as_mut() } {
        *slot = failure.into_object();
    }
    status
}

/// Like [`guard`], for a function of a pool: a panic poisons the pool.
pub(crate) fn in_pool(
    pool: *const remuda_pool,
    err: *mut *mut remuda_error,
    body: impl FnOnce(&Arc<Herd>) -> Result<(), Failure>,
) -> remuda_status {
    guard(err, || {
        let pool = registry::find(pool)?;
        pool.sound()?;
        match catch_unwind(AssertUnwindSafe(|| body(&pool))) {
            Ok(outcome) => outcome,
            Err(panic) => {
                pool.poison();
                resume_unwind(panic)
            }
        }
    })
}

/// Like [`in_pool`], for a function of a session.
pub(crate) fn in_session(
    pool: *const remuda_pool,
    session: u64,
    err: *mut *mut remuda_error,
    body: impl FnOnce(&Arc<Herd>, &Arc<Seat>) -> Result<(), Failure>,
) -> remuda_status {
    in_pool(pool, err, |pool| body(pool, &pool.seat(session)?))
}

/// Borrows an output that the function will write, or reports which argument was NULL.
///
/// # Safety
///
/// A non-NULL `ptr` must be valid for writes for `'a`.
pub(crate) unsafe fn output<'a, T>(ptr: *mut T, name: &str) -> Result<&'a mut T, Failure> {
    // SAFETY: passed on to the caller.
    unsafe { ptr.as_mut() }.ok_or_else(|| Failure::null(name))
}

/// Copies a NUL-terminated UTF-8 string; nothing foreign is kept past the call.
///
/// # Safety
///
/// A non-NULL `ptr` must point to a NUL-terminated string.
pub(crate) unsafe fn string(ptr: *const c_char, name: &str) -> Result<String, Failure> {
    // SAFETY: passed on to the caller.
    unsafe { optional_string(ptr, name) }?.ok_or_else(|| Failure::null(name))
}

/// Like [`string`]; NULL is none.
///
/// # Safety
///
/// A non-NULL `ptr` must point to a NUL-terminated string.
pub(crate) unsafe fn optional_string(
    ptr: *const c_char,
    name: &str,
) -> Result<Option<String>, Failure> {
    if ptr.is_null() {
        return Ok(None);
    }
    // SAFETY: passed on to the caller.
    let bytes = unsafe { CStr::from_ptr(ptr) }.to_bytes();
    utf8(bytes, name).map(Some)
}

/// Copies UTF-8 text of a given length.
///
/// # Safety
///
/// A non-NULL `ptr` must be valid for reading `len` bytes.
pub(crate) unsafe fn bulk(ptr: *const c_char, len: usize, name: &str) -> Result<String, Failure> {
    if len == 0 {
        return Ok(String::new());
    }
    if ptr.is_null() {
        return Err(Failure::null(name));
    }
    if isize::try_from(len).is_err() {
        return Err(Failure::invalid(name, "its length is no length"));
    }
    // SAFETY: passed on to the caller; the length fits.
    let bytes = unsafe { std::slice::from_raw_parts(ptr.cast::<u8>(), len) };
    utf8(bytes, name)
}

fn utf8(bytes: &[u8], name: &str) -> Result<String, Failure> {
    let text = std::str::from_utf8(bytes).map_err(|why| {
        let place = why.valid_up_to();
        Failure::invalid(name, format!("it is not UTF-8 at byte {place}"))
    })?;
    Ok(text.to_owned())
}
