//! Pools.

use std::ffi::c_char;
use std::mem::offset_of;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use runtime::PoolOptions;
use serde::Serialize;

use crate::boundary::{guard, in_pool, output};
use crate::config::remuda_pool_config;
use crate::error::{Failure, remuda_error};
use crate::herd::Herd;
use crate::host::{Host, remuda_destroy_fn};
use crate::registry;
use crate::seat::HostPointer;
use crate::sized::{self, Layout, give_sized, init};
use crate::status::{REMUDA_STATUS_WOULD_DEADLOCK, remuda_status};
use crate::text::give_json;

/// A bounded herd of warm agent processes, and the sessions that use them. A handle that was freed is answered with
/// `CLOSED`, never followed.
pub struct remuda_pool {
    _opaque: [u8; 0],
}

/// A pool's numbers. Each is right, but not all are of the same instant. Set `struct_size` with `remuda_pool_stats_init`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct remuda_pool_stats {
    /// The size of this struct as you know it.
    pub struct_size: usize,
    /// Open sessions.
    pub sessions: u64,
    /// Sessions that hold a slot.
    pub warm: u64,
    /// The most there may be.
    pub max_warm: u64,
    /// Those of them that have nothing to do.
    pub idle: u64,
    /// Processes whose tree is not gone, one-shot ones included.
    pub processes: u64,
    /// The most there may be.
    pub max_processes: u64,
    /// Processes that are not ready yet.
    pub starting: u64,
    /// Turns that wait for a process.
    pub waiting: u64,
    /// Processes started so far.
    pub processes_started: u64,
    /// Evictions so far.
    pub evicted: u64,
    /// Spilled turns so far.
    pub spilled: u64,
    /// Downgrades so far.
    pub downgraded: u64,
    /// Recycled processes so far.
    pub recycled: u64,
    /// Turns so far, the agents' own included.
    pub turns_started: u64,
    /// Turns that ended well.
    pub turns_completed: u64,
    /// Turns that failed.
    pub turns_failed: u64,
    /// Turns that were interrupted.
    pub turns_interrupted: u64,
    /// 1: the pool lost count, by a fault of this library: `warm`, `idle`, `processes`, `starting` and `waiting` are as they
    /// were before, and no process is started any more. Close the sessions and make another pool. Else 0.
    pub lost: u64,
    /// Sessions of which a reader is so far behind that their agents are not listened to. They keep their slots.
    pub held_back: u64,
}

// SAFETY: it is `repr(C)`, begins with its size, and holds numbers and pointers alone.
unsafe impl Layout for remuda_pool_stats {}

/// Makes a pool. `config` may be NULL: all defaults, and events are pulled. No process is started.
///
/// When this fails, `destroy` has run, on this thread, unless it could not be read: `struct_size` ends before it, or is more
/// than 4096.
///
/// # Safety
///
/// `config` is NULL or valid, as its `struct_size` says, with strings that are NULL or NUL-terminated; `pool` is valid
/// for one pointer; `err` is NULL or valid for one pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn remuda_pool_new(
    config: *const remuda_pool_config,
    pool: *mut *mut remuda_pool,
    err: *mut *mut remuda_error,
) -> remuda_status {
    guard(err, || {
        // SAFETY: the contract of this function.
        let host = unsafe { host_of(config) };
        // SAFETY: the contract of this function.
        let pool = unsafe { output(pool, "pool") }?;
        registry::not_forked()?;
        let options = if config.is_null() {
            PoolOptions::default()
        } else {
            // SAFETY: the contract of this function.
            unsafe { sized::sized(config, "config")?.options() }?
        };
        *pool = registry::add(Herd::new(options, host)?);
        Ok(())
    })
}

/// Whom the config names, as far as it can be read: `destroy` runs also when the rest of it is refused.
///
/// # Safety
///
/// `config` is NULL or valid for reading as many bytes as its `struct_size` says.
unsafe fn host_of(config: *const remuda_pool_config) -> Host {
    let mut host = Host {
        on_event: None,
        user_data: HostPointer(std::ptr::null_mut()),
        destroy: None,
    };
    if config.is_null() {
        return host;
    }
    // SAFETY: every struct of the caller begins with its size.
    let size = unsafe { config.cast::<usize>().read() };
    let needed = offset_of!(remuda_pool_config, destroy) + size_of::<remuda_destroy_fn>();
    if (needed..=sized::MAX_STRUCT).contains(&size) {
        // SAFETY: `size` bytes are readable by contract.
        let config = unsafe { sized::head(config, size) };
        host.on_event = config.on_event;
        host.user_data = HostPointer(config.user_data);
        host.destroy = config.destroy;
    }
    host
}

/// Frees a pool: its sessions are closed, and what it started is ended without waiting for it; call
/// `remuda_pool_shutdown` first to end it in order and see that it is gone. Must be the last call with this pool. When it
/// returns, no callback runs or will run, and `destroy` has run: in push mode on the thread of the callbacks, as the last
/// thing that it runs, else on this one. In a callback of this or of another pool, or in their `destroy`, it does not wait for
/// that thread. NULL is accepted.
///
/// # Safety
///
/// `pool` is NULL, or came from `remuda_pool_new`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn remuda_pool_free(pool: *mut remuda_pool) {
    guard(std::ptr::null_mut(), || {
        if let Some(herd) = registry::remove(pool) {
            herd.free();
        }
        Ok(())
    });
}

/// What a shutdown came to, as JSON.
#[derive(Serialize)]
struct Report {
    #[serde(flatten)]
    report: runtime::Shutdown,
    /// Sessions whose last event the host has not had.
    undelivered: Vec<u64>,
}

/// Closes every session and ends every process, gently as long as there is time, then not. Nothing can be opened any
/// more. Returns when nothing is left and, in push mode, every event was delivered; or at the deadline. In pull mode the
/// last events wait for you. May be called again, also from elsewhere at the same time.
///
/// `report` may be NULL; else it is yours, to be freed with `remuda_string_free`, and `report_len` its length or NULL:
/// `{"closed": [sessions], "unfinished": [sessions], "left": [pids], "undelivered": [sessions]}`.
///
/// `WOULD_DEADLOCK` in a callback of this pool.
///
/// # Safety
///
/// `report` and `report_len` are NULL or valid for one write; `err` is NULL or valid for one pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn remuda_pool_shutdown(
    pool: *mut remuda_pool,
    deadline_ms: u32,
    report: *mut *mut c_char,
    report_len: *mut usize,
    err: *mut *mut remuda_error,
) -> remuda_status {
    in_pool(pool, err, |herd| {
        if herd.is_inside() {
            let message = "shutdown waits for the callback that it is called in";
            return Err(Failure::new(REMUDA_STATUS_WOULD_DEADLOCK, message));
        }
        let until = Instant::now() + Duration::from_millis(deadline_ms.into());
        herd.shut(until);
        let left = until.saturating_duration_since(Instant::now());
        let ended = block_on(herd.pool.shutdown(left));
        let undelivered = herd.drained(until);
        herd.ready.nudge();
        if report.is_null() {
            return Ok(());
        }
        let ended = Report {
            report: ended,
            undelivered,
        };
        // SAFETY: the contract of this function.
        unsafe { give_json(&ended, report, report_len) }
    })
}

/// Prepares the output of `remuda_pool_get_stats`.
///
/// # Safety
///
/// `stats` is NULL or valid for writing `struct_size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn remuda_pool_stats_init(stats: *mut remuda_pool_stats, struct_size: usize) {
    // SAFETY: the contract of this function.
    unsafe { init(stats, struct_size) };
}

/// Gives the pool's numbers at this moment.
///
/// # Safety
///
/// `stats` is valid for writing as many bytes as its `struct_size` says; `err` is NULL or valid for one pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn remuda_pool_get_stats(
    pool: *mut remuda_pool,
    stats: *mut remuda_pool_stats,
    err: *mut *mut remuda_error,
) -> remuda_status {
    in_pool(pool, err, |herd| {
        let now = herd.pool.stats();
        let now = remuda_pool_stats {
            struct_size: size_of::<remuda_pool_stats>(),
            sessions: now.sessions as u64,
            warm: now.warm as u64,
            max_warm: now.max_warm as u64,
            idle: now.idle as u64,
            processes: now.processes as u64,
            max_processes: now.max_processes as u64,
            starting: now.starting as u64,
            waiting: now.waiting as u64,
            processes_started: now.processes_started,
            evicted: now.evicted,
            spilled: now.spilled,
            downgraded: now.downgraded,
            recycled: now.recycled,
            turns_started: now.turns_started,
            turns_completed: now.turns_completed,
            turns_failed: now.turns_failed,
            turns_interrupted: now.turns_interrupted,
            lost: now.lost.into(),
            held_back: now.held_back as u64,
        };
        // SAFETY: the contract of this function.
        unsafe { give_sized(stats, &now, "stats") }
    })
}

/// Gives the options that are in force, as JSON of yours, to be freed with `remuda_string_free`.
///
/// # Safety
///
/// `json` is valid for one pointer; `len` is NULL or valid for one number; `err` is NULL or valid for one pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn remuda_pool_options(
    pool: *mut remuda_pool,
    json: *mut *mut c_char,
    len: *mut usize,
    err: *mut *mut remuda_error,
) -> remuda_status {
    in_pool(pool, err, |herd| {
        // SAFETY: the contract of this function.
        unsafe { give_json(herd.pool.options(), json, len) }
    })
}

/// Wakes the thread that waits in [`block_on`]. Not `thread::park`: on a thread of the host that would leave something
/// behind.
#[derive(Default)]
struct Alarm {
    rings: Mutex<bool>,
    changed: Condvar,
}

impl Alarm {
    fn wait(&self) {
        let mut rings = self.rings.lock();
        while !std::mem::take(&mut *rings) {
            self.changed.wait(&mut rings);
        }
    }
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        *self.rings.lock() = true;
        self.changed.notify_one();
    }
}

/// Waits on this thread. Core's futures need no executor.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let alarm = Arc::<Alarm>::default();
    let waker = Waker::from(Arc::clone(&alarm));
    let mut context = Context::from_waker(&waker);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(value) => return value,
            Poll::Pending => alarm.wait(),
        }
    }
}
