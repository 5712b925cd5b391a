//! The only place where panics, NULLs and foreign strings are dealt with.

use std::ffi::{CStr, c_char};
use std::mem::MaybeUninit;
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

/// Copies a struct of the caller that may be shorter than ours: fields the caller was not compiled with read as zero,
/// which means "default" everywhere.
///
/// # Safety
///
/// A non-NULL `ptr` must be valid for reading as many bytes as its leading `struct_size` field says. All-zero bytes must
/// be a valid `T`, and so must any bytes that C can write into its fields.
pub(crate) unsafe fn sized<T: Copy>(ptr: *const T, name: &str) -> Result<T, Failure> {
    // SAFETY: passed on to the caller.
    let size = unsafe { size_of_struct(ptr, name) }?;
    let mut copy = MaybeUninit::<T>::zeroed();
    // SAFETY: `size` bytes are readable by contract, and no more than fit are copied.
    unsafe {
        copy.as_mut_ptr()
            .cast::<u8>()
            .copy_from(ptr.cast(), size.min(size_of::<T>()));
        Ok(copy.assume_init())
    }
}

/// What the leading `struct_size` of a struct of the caller says, if it can be true.
///
/// # Safety
///
/// A non-NULL `ptr` must be valid for reading a `size_t`.
unsafe fn size_of_struct<T>(ptr: *const T, name: &str) -> Result<usize, Failure> {
    if ptr.is_null() {
        return Err(Failure::null(name));
    }
    // SAFETY: every struct of the caller begins with its size.
    let size = unsafe { ptr.cast::<usize>().read() };
    if size < size_of::<usize>() {
        let why = format!("struct_size is {size}; call the _init function first");
        return Err(Failure::invalid(name, why));
    }
    Ok(size)
}

/// Writes a struct of ours into the caller's, which may be shorter or longer: as much as both know. The caller's
/// `struct_size` stays.
///
/// # Safety
///
/// A non-NULL `ptr` must be valid for writing as many bytes as its leading `struct_size` field says.
pub(crate) unsafe fn give_sized<T: Copy>(
    ptr: *mut T,
    value: &T,
    name: &str,
) -> Result<(), Failure> {
    // SAFETY: passed on to the caller.
    let size = unsafe { size_of_struct(ptr, name) }?;
    let head = size_of::<usize>();
    let size = size.min(size_of::<T>()).saturating_sub(head);
    // SAFETY: as many bytes are writable by contract, and no more than there are.
    unsafe {
        let from = std::ptr::from_ref(value).cast::<u8>().add(head);
        ptr.cast::<u8>().add(head).copy_from(from, size);
    }
    Ok(())
}

/// Fills a struct of the caller with defaults: its size, then zeros. Nothing past `size` is touched; the caller may
/// know a shorter struct than we do.
///
/// # Safety
///
/// A non-NULL `ptr` must be valid for writing `size` bytes.
pub(crate) unsafe fn init<T>(ptr: *mut T, size: usize) {
    if !ptr.is_null() && size >= size_of::<usize>() {
        let known = size.min(size_of::<T>());
        // SAFETY: `size` bytes are writable by contract; the first field of every such struct is its size.
        unsafe {
            ptr.cast::<u8>().write_bytes(0, known);
            ptr.cast::<usize>().write(known);
        }
    }
}
