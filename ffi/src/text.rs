//! Strings that go out: pointer, length, and a NUL behind it.

use std::collections::BTreeMap;
use std::ffi::{CString, c_char};
use std::sync::OnceLock;

use runtime::{ErrorKind, EventKind};
use serde::Serialize;

use crate::boundary::{guard, output};
use crate::error::Failure;

/// A name of core with a NUL behind it.
pub(crate) fn lasting(name: Option<&'static str>) -> *const c_char {
    static NAMES: OnceLock<BTreeMap<&'static str, CString>> = OnceLock::new();
    let names = NAMES.get_or_init(|| {
        let errors = ErrorKind::ALL.iter().map(|kind| kind.name());
        let events = EventKind::ALL.iter().map(|kind| kind.name());
        let named = |name| (name, without_nul(name));
        errors.chain(events).map(named).collect()
    });
    let name = name.and_then(|name| names.get(name));
    name.map_or(c"unknown".as_ptr(), |name| name.as_ptr())
}

/// The text up to its first NUL.
pub(crate) fn without_nul(text: &str) -> CString {
    let end = text.find('\0').unwrap_or(text.len());
    CString::new(&text[..end]).unwrap_or_default()
}

/// Gives a value as JSON to the caller, who frees it.
///
/// # Safety
///
/// `json` must be NULL or valid for one write; so must `len`.
pub(crate) unsafe fn give_json(
    value: &impl Serialize,
    json: *mut *mut c_char,
    len: *mut usize,
) -> Result<(), Failure> {
    // SAFETY: passed on to the caller.
    let json = unsafe { output(json, "json") }?;
    let text = serde_json::to_string(value).map_err(|why| Failure::internal(&why))?;
    // JSON holds no NUL: it writes one as an escape.
    let text = without_nul(&text);
    // SAFETY: passed on to the caller.
    if let Some(len) = unsafe { len.as_mut() } {
        *len = text.count_bytes();
    }
    *json = text.into_raw();
    Ok(())
}

/// Frees a string that an output gave you. NULL is accepted.
///
/// # Safety
///
/// `string` is NULL, or came from this library and was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn remuda_string_free(string: *mut c_char) {
    guard(std::ptr::null_mut(), || {
        if !string.is_null() {
            // SAFETY: by contract it came from `into_raw` and is freed once.
            drop(unsafe { CString::from_raw(string) });
        }
        Ok(())
    });
}

/// A text with a NUL behind it, in a buffer that is used again.
#[derive(Debug, Default)]
pub(crate) struct Terminated {
    bytes: Vec<u8>,
}

impl Terminated {
    /// Holds this text from now on.
    pub(crate) fn set(&mut self, text: &str) {
        self.bytes.clear();
        self.bytes.reserve_exact(text.len() + 1);
        self.bytes.extend_from_slice(text.as_bytes());
        self.bytes.push(0);
    }

    /// Holds the JSON of a value from now on.
    pub(crate) fn set_json(&mut self, value: &impl Serialize) {
        self.bytes.clear();
        if serde_json::to_writer(&mut self.bytes, value).is_err() {
            self.bytes.clear();
        }
        self.bytes.push(0);
    }

    pub(crate) fn pointer(&self) -> *const c_char {
        if self.bytes.is_empty() {
            return c"".as_ptr();
        }
        self.bytes.as_ptr().cast()
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len().saturating_sub(1)
    }

    /// A large text is not kept for ever.
    pub(crate) fn shrink(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(64 << 10);
    }
}
