//! The only place with `unsafe`: signal handlers and fork.

use std::sync::atomic::{AtomicI32, Ordering};

/// Where the handler writes the number of a signal that came.
static NOTES: AtomicI32 = AtomicI32::new(-1);

extern "C" fn note(signal: libc::c_int) {
    let Ok(byte) = u8::try_from(signal) else {
        return;
    };
    // SAFETY: write(2) may be called in a signal handler, and one byte of our
    // stack is readable. A full pipe loses the note, which nobody waits for.
    unsafe { libc::write(NOTES.load(Ordering::Relaxed), (&raw const byte).cast(), 1) };
}

/// Lets these signals be noted on a descriptor that stays open for ever.
pub(crate) fn note_signals(signals: &[i32], descriptor: i32) {
    NOTES.store(descriptor, Ordering::Relaxed);
    for &signal in signals {
        let handler: extern "C" fn(libc::c_int) = note;
        // SAFETY: the handler has the right signature and calls only write(2).
        unsafe { libc::signal(signal, handler as *const () as libc::sighandler_t) };
    }
}

/// Ignores a signal, here and in children that do not change it.
pub(crate) fn ignore_signal(signal: i32) {
    // SAFETY: SIG_IGN needs no handler.
    unsafe { libc::signal(signal, libc::SIG_IGN) };
}

/// Gives a signal its default disposition back.
pub(crate) fn default_signal(signal: i32) {
    // SAFETY: SIG_DFL needs no handler.
    unsafe { libc::signal(signal, libc::SIG_DFL) };
}

/// Sends a signal to the calling thread, which does nothing more before it has come.
pub(crate) fn raise(signal: i32) {
    // SAFETY: no memory is touched.
    unsafe { libc::raise(signal) };
}

/// Splits the process in two: `Some(pid)` in the parent, `None` in the child.
/// Only for the hidden child modes, which have one thread.
pub(crate) fn fork() -> Option<i32> {
    // SAFETY: with one thread no lock can be held by another one.
    match unsafe { libc::fork() } {
        0 => None,
        pid => Some(pid),
    }
}

/// Writes to a descriptor by its number. Whether it took all.
pub(crate) fn write(descriptor: i32, bytes: &[u8]) -> bool {
    // SAFETY: the bytes are readable; a number that is not open gives an error.
    let written = unsafe { libc::write(descriptor, bytes.as_ptr().cast(), bytes.len()) };
    usize::try_from(written) == Ok(bytes.len())
}

/// Leaves at once, without the exit handlers that belong to a parent.
pub(crate) fn exit_now(code: i32) -> ! {
    // SAFETY: never returns and runs nothing of this program.
    unsafe { libc::_exit(code) }
}
