//! The only place of these tests with `unsafe`: copies of this process, and wakers that do something
//! whenever they are touched.

use std::fmt;
use std::sync::Arc;
use std::task::{RawWaker, RawWakerVTable, Waker};

/// What is done to a waker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Touch {
    /// It is cloned.
    Clone,
    /// It is called.
    Wake,
    /// It is dropped.
    Drop,
}

struct Act(Box<dyn Fn(Touch) + Send + Sync>);

impl fmt::Debug for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Act")
    }
}

/// A waker that does this each time when it is touched, on the thread that does so.
pub fn touchy(act: impl Fn(Touch) + Send + Sync + 'static) -> Waker {
    let data = Arc::into_raw(Arc::new(Act(Box::new(act)))).cast();
    // SAFETY: the table keeps one count of the act for each waker, and the act may be shared by threads.
    unsafe { Waker::from_raw(RawWaker::new(data, &TABLE)) }
}

static TABLE: RawWakerVTable = RawWakerVTable::new(
    |data| {
        act(data, Touch::Clone);
        // SAFETY: made by `into_raw`, and the waker that is cloned keeps it alive.
        unsafe { Arc::increment_strong_count(data.cast::<Act>()) };
        RawWaker::new(data, &TABLE)
    },
    |data| {
        act(data, Touch::Wake);
        release(data);
    },
    |data| act(data, Touch::Wake),
    |data| {
        act(data, Touch::Drop);
        release(data);
    },
);

fn act(data: *const (), touch: Touch) {
    // SAFETY: made by `into_raw`, and the waker that is touched keeps it alive.
    let act = unsafe { &*data.cast::<Act>() };
    (act.0)(touch);
}

fn release(data: *const ()) {
    // SAFETY: made by `into_raw`; the waker that ends here gives its own count back.
    drop(unsafe { Arc::from_raw(data.cast::<Act>()) });
}

/// Copies this process: `Some(pid)` in the original, `None` in the copy, which has no other threads.
/// The copy may only drop things and then leave.
///
/// # Panics
///
/// If the system refuses.
#[must_use]
pub fn fork() -> Option<i32> {
    // SAFETY: the allocator of the C library can be used in a copy, and whatever else the copy does
    // is what the test is about.
    match unsafe { libc::fork() } {
        0 => None,
        pid => {
            assert!(pid > 0, "no copy");
            Some(pid)
        }
    }
}

/// Leaves at once, without the exit handlers that belong to the original.
pub fn leave() -> ! {
    // SAFETY: never returns and runs nothing of this program.
    unsafe { libc::_exit(0) }
}
