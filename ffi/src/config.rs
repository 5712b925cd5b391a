//! What a host fills in to make a pool and to open a session.

use std::ffi::{c_char, c_void};
use std::path::PathBuf;
use std::time::Duration;

use runtime::config::read_json;
use runtime::{PoolOptions, SessionOptions};
use serde::de::DeserializeOwned;

use crate::boundary::optional_string;
use crate::error::Failure;
use crate::host::{remuda_destroy_fn, remuda_event_fn};
use crate::sized::{Layout, init};

/// What a pool is. Fill it with `remuda_pool_config_init`, then set what you need; zero means the default.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct remuda_pool_config {
    /// The size of this struct as you know it.
    pub struct_size: usize,
    /// Called for every event. NULL: you take them with `remuda_pool_next_events`.
    pub on_event: remuda_event_fn,
    /// Yours, handed to `on_event` and `destroy`.
    pub user_data: *mut c_void,
    /// Called once with `user_data` when nothing uses it any more, also when the pool cannot be made. May be NULL.
    pub destroy: remuda_destroy_fn,
    /// Slots: sessions that may hold a warm process.
    pub max_warm: u32,
    /// All agent processes together.
    pub max_processes: u32,
    /// After this long without work a warm process is stopped.
    pub idle_timeout_ms: u64,
    /// All other options, as a JSON object: `PoolOptions` in `remuda-options.schema.json`. The fields above win. May be NULL.
    pub options_json: *const c_char,
}

// SAFETY: it is `repr(C)`, begins with its size, and holds numbers, pointers, and functions that may be NULL.
unsafe impl Layout for remuda_pool_config {}

// SAFETY: it is `repr(C)`, begins with its size, and holds numbers and pointers alone.
unsafe impl Layout for remuda_session_config {}

/// What a session is. Fill it with `remuda_session_config_init`, then set what you need; zero means the default.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct remuda_session_config {
    /// The size of this struct as you know it.
    pub struct_size: usize,
    /// Yours, in every event of the session. Free it at `SESSION_CLOSED`, or after `remuda_pool_free`.
    pub session_data: *mut c_void,
    /// The provider's name: `claude`, `codex`. Here or in the options.
    pub provider: *const c_char,
    /// The directory the agent works in. Must exist. Here or in the options.
    pub cwd: *const c_char,
    /// The agent's program, by path or by name. NULL: the provider's name for it.
    pub program: *const c_char,
    /// The model, in the agent's word. NULL: the agent's.
    pub model: *const c_char,
    /// The provider's id of an earlier conversation to go on with. NULL: a new one.
    pub resume: *const c_char,
    /// All other options, as a JSON object: `SessionOptions` in `remuda-options.schema.json`. The fields above win. May be NULL.
    pub options_json: *const c_char,
}

/// Fills a config with defaults.
///
/// # Safety
///
/// `config` is NULL or valid for writing `struct_size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn remuda_pool_config_init(
    config: *mut remuda_pool_config,
    struct_size: usize,
) {
    // SAFETY: the contract of this function.
    unsafe { init(config, struct_size) };
}

/// Fills a config with defaults.
///
/// # Safety
///
/// `config` is NULL or valid for writing `struct_size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn remuda_session_config_init(
    config: *mut remuda_session_config,
    struct_size: usize,
) {
    // SAFETY: the contract of this function.
    unsafe { init(config, struct_size) };
}

/// Reads a JSON string of the host. NULL is the default.
///
/// # Safety
///
/// A non-NULL `json` must point to a NUL-terminated string.
pub(crate) unsafe fn parsed<T: DeserializeOwned + Default>(
    json: *const c_char,
    name: &str,
) -> Result<T, Failure> {
    // SAFETY: passed on to the caller.
    match unsafe { optional_string(json, name) }? {
        Some(json) => Ok(read_json(name, &json)?),
        None => Ok(T::default()),
    }
}

impl remuda_pool_config {
    /// # Safety
    ///
    /// Its strings must be NULL or NUL-terminated.
    pub(crate) unsafe fn options(&self) -> Result<PoolOptions, Failure> {
        // SAFETY: passed on to the caller.
        let mut options: PoolOptions = unsafe { parsed(self.options_json, "options_json") }?;
        let number = |value: u32| usize::try_from(value).unwrap_or(usize::MAX);
        if self.max_warm > 0 {
            options.max_warm = number(self.max_warm);
        }
        if self.max_processes > 0 {
            options.max_processes = Some(number(self.max_processes));
        }
        if self.idle_timeout_ms > 0 {
            options.idle_timeout = Duration::from_millis(self.idle_timeout_ms);
        }
        Ok(options)
    }
}

impl remuda_session_config {
    /// # Safety
    ///
    /// Its strings must be NULL or NUL-terminated.
    pub(crate) unsafe fn options(&self) -> Result<SessionOptions, Failure> {
        // SAFETY: passed on to the caller.
        let (mut options, provider, cwd, program, model, resume) = unsafe {
            (
                parsed::<SessionOptions>(self.options_json, "options_json")?,
                optional_string(self.provider, "provider")?,
                optional_string(self.cwd, "cwd")?,
                optional_string(self.program, "program")?,
                optional_string(self.model, "model")?,
                optional_string(self.resume, "resume")?,
            )
        };
        if let Some(provider) = provider {
            options.provider = provider;
        }
        if let Some(cwd) = cwd {
            options.cwd = PathBuf::from(cwd);
        }
        options.program = program.map(PathBuf::from).or(options.program);
        options.model = model.or(options.model);
        options.resume = resume.or(options.resume);
        Ok(options)
    }
}
