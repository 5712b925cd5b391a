//! Keeps the host's signals off the library's threads.

/// Runs something that starts threads; they inherit that no signal is delivered to them. Faults of the thread itself
/// are left as they are, for the host's crash handler.
#[cfg(unix)]
pub(crate) fn blocked<T>(body: impl FnOnce() -> T) -> T {
    use std::mem::MaybeUninit;
    struct Restore(libc::sigset_t);
    impl Drop for Restore {
        fn drop(&mut self) {
            // SAFETY: the set was filled by the system.
            unsafe {
                libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.0, std::ptr::null_mut())
            };
        }
    }
    let faults = [
        libc::SIGSEGV,
        libc::SIGBUS,
        libc::SIGFPE,
        libc::SIGILL,
        libc::SIGABRT,
        libc::SIGTRAP,
        libc::SIGSYS,
    ];
    let mut all = MaybeUninit::<libc::sigset_t>::zeroed();
    let mut before = MaybeUninit::<libc::sigset_t>::zeroed();
    // SAFETY: `sigfillset` fills the set before the others use it; both sets are ours.
    let restore = unsafe {
        libc::sigfillset(all.as_mut_ptr());
        for fault in faults {
            libc::sigdelset(all.as_mut_ptr(), fault);
        }
        let done = libc::pthread_sigmask(libc::SIG_BLOCK, all.as_ptr(), before.as_mut_ptr());
        (done == 0).then(|| Restore(before.assume_init()))
    };
    let result = body();
    drop(restore);
    result
}

/// There are none here.
#[cfg(not(unix))]
pub(crate) fn blocked<T>(body: impl FnOnce() -> T) -> T {
    body()
}
