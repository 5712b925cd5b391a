//! Calls of code that is the host's: its wakers may panic when they are called or dropped.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Waker;

/// Runs code that may call the host's. A panic in it ends there, and nothing of the library with it.
pub(crate) fn fenced(call: impl FnOnce()) {
    // Unwind safe because what is called owns what it uses, and nobody looks at that afterwards.
    let Err(panic) = catch_unwind(AssertUnwindSafe(call)) else {
        return;
    };
    // What it panicked with is the host's as well, and its drop may panic. That is the end of it.
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(panic))) {
        std::mem::forget(again);
    }
}

/// Wakes all, whatever each of them does.
pub(crate) fn wake_all(wakers: Vec<Waker>) {
    for waker in wakers {
        fenced(|| waker.wake());
    }
}
