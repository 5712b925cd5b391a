//! Events that pull mode gave out, until they are released.

use std::ffi::c_void;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::boundary::guard;
use crate::event::{Item, Texts, remuda_event};
use crate::ready::Ready;

/// So many events may be out at a time.
pub(crate) const MAX_OUT: usize = 16 << 10;

/// An event and what it points into. The event comes first: its address is the address of all.
#[repr(C)]
struct Held {
    event: remuda_event,
    texts: Texts,
    out: Arc<Out>,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.out.count.fetch_sub(1, Ordering::SeqCst);
        self.out.relight();
    }
}

/// The events of a pool that are out.
#[derive(Debug)]
pub(crate) struct Out {
    count: AtomicUsize,
    /// The descriptor was darkened because there were too many.
    dark: AtomicBool,
    ready: Arc<Ready>,
}

impl Out {
    pub(crate) fn new(ready: Arc<Ready>) -> Arc<Self> {
        Arc::new(Self {
            count: AtomicUsize::new(0),
            dark: AtomicBool::new(false),
            ready,
        })
    }

    pub(crate) fn count(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }

    /// There are too many: nobody is woken by the descriptor until one comes back.
    pub(crate) fn darken(&self) {
        self.ready.darken();
        self.dark.store(true, Ordering::SeqCst);
        // One may have come back meanwhile, and not have seen that it is dark.
        self.relight();
    }

    fn relight(&self) {
        if self.dark.load(Ordering::SeqCst)
            && self.count() < MAX_OUT
            && self.dark.swap(false, Ordering::SeqCst)
        {
            self.ready.relight();
        }
    }
}

/// Gives an event out; it lives until it is released, also longer than its pool.
pub(crate) fn give_out(
    session: u64,
    data: *mut c_void,
    item: &Item,
    out: &Arc<Out>,
) -> *const remuda_event {
    out.count.fetch_add(1, Ordering::SeqCst);
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
