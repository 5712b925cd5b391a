//! The host's callback, its data, and the end of that data.

use std::ffi::c_void;

use crate::event::remuda_event;
use crate::seat::HostPointer;

/// Called for every event, on one thread of the library, one event at a time. The event is borrowed until it returns.
/// It may call every function of this header except `remuda_pool_shutdown`. It must not unwind, `longjmp`, or end its
/// thread. Signals are blocked in that thread, but for faults of its own; a program that you start in a callback inherits that
/// unless you unblock them.
pub type remuda_event_fn =
    Option<unsafe extern "C" fn(event: *const remuda_event, user_data: *mut c_void)>;

/// Called once with your data, after the last callback: in push mode on the thread of the callbacks, in pull mode on the
/// thread that frees the pool, and when a pool cannot be made on the thread that tried.
pub type remuda_destroy_fn = Option<unsafe extern "C" fn(user_data: *mut c_void)>;

/// Whom to call. Its `destroy` runs when it is dropped, so it runs once whatever happens.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) on_event: remuda_event_fn,
    pub(crate) user_data: HostPointer,
    pub(crate) destroy: remuda_destroy_fn,
}

impl Host {
    /// Shows an event to the host, if it wants to be called.
    pub(crate) fn show(&self, event: &remuda_event) {
        if let Some(on_event) = self.on_event {
            // SAFETY: the contract of `remuda_event_fn`; the event and its texts live until it returns.
            unsafe { on_event(event, self.user_data.0) };
        }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if let Some(destroy) = self.destroy {
            // SAFETY: the contract of `remuda_destroy_fn`; this is dropped once.
            unsafe { destroy(self.user_data.0) };
        }
    }
}
