//! Events that pull mode gave out, until they are released.

use std::ffi::c_void;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::boundary::guard;
use crate::event::{Item, Texts, remuda_event};

/// So many events may be out at a time.
pub(crate) const MAX_OUT: usize = 16 << 10;

/// An event and what it points into. The event comes first: its address is the address of all.
#[repr(C)]
struct Held {
    event: remuda_event,
    texts: Texts,
    out: Arc<AtomicUsize>,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.out.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Gives an event out; it lives until it is released, also longer than its pool.
pub(crate) fn give_out(
    session: u64,
    data: *mut c_void,
    item: &Item,
    out: &Arc<AtomicUsize>,
) -> *const remuda_event {
    out.fetch_add(1, Ordering::Relaxed);
    let mut texts = Texts::default();
    // The texts are on the heap: moving their owner does not move them.
    let event = texts.fill(session, data, item);
    let out = Arc::clone(out);
    Box::into_raw(Box::new(Held { event, texts, out })).cast()
}

/// Gives events back, and sets the pointers to NULL. NULLs among them are passed over; the batch may be given back in
/// parts, in any order, from any thread, also after the pool was freed.
///
/// # Safety
///
/// `events` is NULL, or points to `count` pointers, each NULL or from `remuda_pool_next_events` or
/// `remuda_session_replay` and not released.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn remuda_events_release(events: *mut *const remuda_event, count: usize) {
    guard(std::ptr::null_mut(), || {
        for index in 0..if events.is_null() { 0 } else { count } {
            // SAFETY: by contract there are `count` pointers.
            let event = unsafe { std::ptr::replace(events.add(index), std::ptr::null()) };
            if !event.is_null() {
                // SAFETY: by contract it came from `give_out`, as the address of all, and is released once.
                drop(unsafe { Box::from_raw(event.cast_mut().cast::<Held>()) });
            }
        }
        Ok(())
    });
}
