//! What can be asked without a pool.

use std::ffi::{CStr, c_char};
use std::time::Duration;

use crate::boundary::{guard, optional_string, output};
use crate::error::remuda_error;
use crate::registry;
use crate::status::remuda_status;
use crate::text::give_json;

/// The version of the ABI that this header is of: `remuda_abi_version` of the library that you run with must give the same.
pub const REMUDA_ABI_VERSION: u32 = 0;

/// The package's version, with its NUL.
const VERSION: &CStr =
    match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
        Ok(version) => version,
        Err(_) => c"",
    };

/// The version of the library's ABI: the number in its SONAME. Until 1.0 it is 0, and the header and the library must be
/// of the same release.
#[unsafe(no_mangle)]
pub extern "C" fn remuda_abi_version() -> u32 {
    REMUDA_ABI_VERSION
}

/// The version of the package: `"0.1.0"`. It lives as long as the program.
#[unsafe(no_mangle)]
pub extern "C" fn remuda_version() -> *const c_char {
    VERSION.as_ptr()
}

/// Gives what a provider's agent can do, in a warm and in a one-shot process, as JSON of yours, to be freed with
/// `remuda_string_free`: `{"steer": {"warm": true, "one_shot": false}, …}`. With a NULL provider: of all, by name.
/// `FORKED` in a forked copy of a process that made a pool.
///
/// # Safety
///
/// `provider` is NULL or NUL-terminated; `json` is valid for one pointer; `len` is NULL or valid for one number; `err` is
/// NULL or valid for one pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn remuda_capabilities(
    provider: *const c_char,
    json: *mut *mut c_char,
    len: *mut usize,
    err: *mut *mut remuda_error,
) -> remuda_status {
    guard(err, || {
        registry::not_forked()?;
        // SAFETY: the contract of this function.
        match unsafe { optional_string(provider, "provider") }? {
            // SAFETY: the contract of this function.
            Some(name) => unsafe { give_json(&runtime::capabilities_of(&name)?, json, len) },
            // SAFETY: the contract of this function.
            None => unsafe { give_json(&runtime::capabilities(), json, len) },
        }
    })
}

/// Gives what is on this machine, as JSON of yours, to be freed with `remuda_string_free`: what ends processes here, and for each
/// agent where it is installed, its version, whether it stays warm, whether somebody is logged in, and what is wrong with it:
/// `{"containment": "guard", "agents": [{"provider": "claude", "program": "/usr/bin/claude", "version": "2.1.327", "mode":
/// "warm", "login": "logged_in", "problem": null, …}, …]}`. Its schema is `docs/schema/doctor.json`.
///
/// Each program is run once with `--version`, all at the same time, and ended with all that it started after `timeout_ms`;
/// with 0 none is run, and there are no versions. A program that is missing, broken or hangs is told in `problem`, and fails
/// nothing. Blocks for about as long as the slowest program takes: an event loop calls it on another thread. Needs no pool.
/// `FORKED` in a forked copy of a process that made a pool.
///
/// # Safety
///
/// `json` is valid for one pointer; `len` is NULL or valid for one number; `err` is NULL or valid for one pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn remuda_doctor(
    timeout_ms: u32,
    json: *mut *mut c_char,
    len: *mut usize,
    err: *mut *mut remuda_error,
) -> remuda_status {
    guard(err, || {
        registry::not_forked()?;
        // SAFETY: the contract of this function. Asked before programs are run for nothing.
        unsafe { output(json, "json") }?;
        let report = runtime::doctor(Duration::from_millis(timeout_ms.into()));
        // SAFETY: the contract of this function.
        unsafe { give_json(&report, json, len) }
    })
}
