//! The functions of the C library that the guard needs, and nothing else of it.
//!
//! Declared here because the guard is compiled without any crate. Only for 64-bit little-endian targets, where glibc
//! and musl agree on every layout below. What cannot break memory is declared `safe`; the rest has a wrapper.

use core::ffi::{c_char, c_int, c_long, c_ulong, c_void};
use core::ptr;

pub(crate) type Fd = c_int;
pub(crate) type Pid = c_int;

pub(crate) const EINTR: c_int = 4;
pub(crate) const EAGAIN: c_int = if cfg!(target_os = "macos") { 35 } else { 11 };
pub(crate) const EINVAL: c_int = 22;
pub(crate) const ETIME: c_int = 62;

pub(crate) const SIGKILL: c_int = 9;
pub(crate) const SIGCHLD: c_int = if cfg!(target_os = "macos") { 20 } else { 17 };
pub(crate) const SIG_COUNT: c_int = if cfg!(target_os = "macos") { 31 } else { 64 };

pub(crate) const O_RDONLY: c_int = 0;
pub(crate) const O_RDWR: c_int = 2;
pub(crate) const O_CLOEXEC: c_int = if cfg!(target_os = "macos") {
    0x0100_0000
} else {
    0o2_000_000
};

const SIG_SETMASK: c_int = if cfg!(target_os = "macos") { 3 } else { 2 };
const MSG_DONTWAIT: c_int = if cfg!(target_os = "macos") {
    0x80
} else {
    0x40
};
// macOS has no such flag; there the guard ignores SIGPIPE by blocking it.
const MSG_NOSIGNAL: c_int = if cfg!(target_os = "macos") {
    0x8_0000
} else {
    0x4000
};
const SOL_SOCKET: c_int = if cfg!(target_os = "macos") { 0xffff } else { 1 };
const SCM_RIGHTS: c_int = 1;
const PROT_READ_WRITE: c_int = 3;
const MAP_PRIVATE_ANONYMOUS: c_int = if cfg!(target_os = "macos") {
    0x1002
} else {
    0x22
};
const F_SETFD: c_int = 2;
const F_SETFL: c_int = 4;
const O_NONBLOCK: c_int = if cfg!(target_os = "macos") { 4 } else { 0o4000 };
const RLIMIT_CORE: c_int = 4;
const RLIMIT_NOFILE: c_int = if cfg!(target_os = "macos") { 8 } else { 7 };
const CLOCK_MONOTONIC: c_int = if cfg!(target_os = "macos") { 6 } else { 1 };

pub(crate) const POLLIN: i16 = 1;
pub(crate) const POLLOUT: i16 = 4;
pub(crate) const POLLERR: i16 = 8;
pub(crate) const POLLHUP: i16 = 16;

#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct PollFd {
    pub(crate) fd: Fd,
    pub(crate) events: i16,
    pub(crate) revents: i16,
}

#[derive(Clone, Copy)]
#[repr(C, align(8))]
pub(crate) struct SignalSet([u8; 128]);

#[derive(Clone, Copy, Default)]
#[repr(C)]
struct TimeVal {
    seconds: c_long,
    // `suseconds_t` is an int followed by padding on macOS.
    micros: c_long,
}

#[derive(Default)]
#[repr(C)]
pub(crate) struct Usage {
    user: TimeVal,
    system: TimeVal,
    max_rss: c_long,
    rest: [c_long; 13],
}

impl Usage {
    /// CPU time in microseconds.
    pub(crate) fn cpu(&self) -> u64 {
        let micros = |time: TimeVal| {
            time.seconds.cast_unsigned() * 1_000_000 + (time.micros.cast_unsigned() & 0xf_ffff)
        };
        micros(self.user) + micros(self.system)
    }

    /// The largest resident memory in bytes.
    pub(crate) fn max_rss(&self) -> u64 {
        self.max_rss.cast_unsigned() * if cfg!(target_os = "macos") { 1 } else { 1024 }
    }
}

#[repr(C)]
struct IoVec {
    base: *mut c_void,
    len: usize,
}

// The lengths are ints followed by padding in some C libraries; with little-endian words that is the same.
#[repr(C)]
struct Message {
    name: *mut c_void,
    name_len: usize,
    parts: *mut IoVec,
    parts_len: usize,
    control: *mut c_void,
    #[cfg(target_os = "linux")]
    control_len: usize,
    #[cfg(target_os = "macos")]
    control_len: u32,
    flags: c_int,
}

/// Room for one control message that carries [`crate::protocol::DESCRIPTORS`] descriptors.
#[derive(Default)]
#[repr(C, align(8))]
struct Rights {
    #[cfg(target_os = "linux")]
    len: usize,
    #[cfg(target_os = "macos")]
    len: u32,
    level: c_int,
    kind: c_int,
    descriptors: [Fd; 3],
}

#[repr(C)]
struct Limit {
    soft: u64,
    hard: u64,
}

#[repr(C)]
struct TimeSpec {
    seconds: i64,
    nanos: c_long,
}

#[link(name = "c")]
unsafe extern "C" {
    pub(crate) safe fn close(fd: Fd) -> c_int;
    pub(crate) safe fn dup2(from: Fd, to: Fd) -> c_int;
    pub(crate) safe fn getpid() -> Pid;
    pub(crate) safe fn getppid() -> Pid;
    pub(crate) safe fn kill(pid: Pid, signal: c_int) -> c_int;
    pub(crate) safe fn setsid() -> Pid;
    pub(crate) safe fn _exit(code: c_int) -> !;
    safe fn fcntl(fd: Fd, command: c_int, ...) -> c_int;

    fn fork() -> Pid;
    fn open(path: *const c_char, flags: c_int, ...) -> Fd;
    #[link_name = "chdir"]
    fn c_chdir(path: *const c_char) -> c_int;
    fn execve(
        path: *const c_char,
        arguments: *const *const c_char,
        variables: *const *const c_char,
    ) -> c_int;
    fn pipe(ends: *mut Fd) -> c_int;
    #[link_name = "read"]
    fn c_read(fd: Fd, to: *mut c_void, len: usize) -> isize;
    #[link_name = "write"]
    fn c_write(fd: Fd, from: *const c_void, len: usize) -> isize;
    fn recv(fd: Fd, to: *mut c_void, len: usize, flags: c_int) -> isize;
    fn recvmsg(fd: Fd, message: *mut Message, flags: c_int) -> isize;
    #[link_name = "send"]
    fn c_send(fd: Fd, from: *const c_void, len: usize, flags: c_int) -> isize;
    #[link_name = "poll"]
    fn c_poll(fds: *mut PollFd, count: c_ulong, timeout: c_int) -> c_int;
    fn signal(number: c_int, action: usize) -> usize;
    fn sigfillset(set: *mut SignalSet) -> c_int;
    fn sigprocmask(how: c_int, set: *const SignalSet, old: *mut SignalSet) -> c_int;
    fn wait4(pid: Pid, status: *mut c_int, options: c_int, usage: *mut Usage) -> Pid;
    fn getrlimit(resource: c_int, limit: *mut Limit) -> c_int;
    fn setrlimit(resource: c_int, limit: *const Limit) -> c_int;
    fn clock_gettime(clock: c_int, time: *mut TimeSpec) -> c_int;
    fn mmap(
        at: *mut c_void,
        len: usize,
        access: c_int,
        flags: c_int,
        fd: Fd,
        offset: i64,
    ) -> *mut c_void;
    fn munmap(at: *mut c_void, len: usize) -> c_int;
    #[cfg_attr(target_os = "linux", link_name = "__errno_location")]
    #[cfg_attr(target_os = "macos", link_name = "__error")]
    safe fn errno_place() -> *mut c_int;
}

/// The error number of the last call that failed.
pub(crate) fn errno() -> c_int {
    // SAFETY: the C library gives a valid pointer to this thread's error number.
    unsafe { *errno_place() }
}

fn checked(result: isize) -> Result<usize, c_int> {
    usize::try_from(result).map_err(|_| errno())
}

/// What [`fork_process`] returned to whom.
pub(crate) enum Forked {
    Child,
    Parent(Pid),
}

pub(crate) fn fork_process() -> Result<Forked, c_int> {
    // SAFETY: the guard has one thread and no at-fork handlers, so the child may go on as usual.
    match unsafe { fork() } {
        0 => Ok(Forked::Child),
        pid if pid > 0 => Ok(Forked::Parent(pid)),
        _ => Err(errno()),
    }
}

pub(crate) fn open_file(path: &core::ffi::CStr, flags: c_int) -> Result<Fd, c_int> {
    // SAFETY: a valid string; no mode is read without O_CREAT.
    let fd = unsafe { open(path.as_ptr(), flags | O_CLOEXEC) };
    if fd < 0 { Err(errno()) } else { Ok(fd) }
}

pub(crate) fn change_directory(path: &core::ffi::CStr) -> c_int {
    // SAFETY: a valid string.
    if unsafe { c_chdir(path.as_ptr()) } == 0 {
        0
    } else {
        errno()
    }
}

/// Replaces this program. Returns the error number if that failed.
///
/// # Safety
/// The three must be what `execve` expects: ended strings, and tables of them ended by null.
pub(crate) unsafe fn execute(
    path: *const c_char,
    arguments: *const *const c_char,
    variables: *const *const c_char,
) -> c_int {
    // SAFETY: the contract of this function.
    unsafe { execve(path, arguments, variables) };
    errno()
}

/// A pipe whose ends do not block and are closed by exec: reading end, writing end.
pub(crate) fn private_pipe() -> Result<(Fd, Fd), c_int> {
    let mut ends = [0; 2];
    // SAFETY: room for two descriptors.
    if unsafe { pipe(ends.as_mut_ptr()) } != 0 {
        return Err(errno());
    }
    for fd in ends {
        set_close_on_exec(fd);
        fcntl(fd, F_SETFL, O_NONBLOCK);
    }
    Ok((ends[0], ends[1]))
}

pub(crate) fn set_close_on_exec(fd: Fd) {
    fcntl(fd, F_SETFD, 1);
}

pub(crate) fn read(fd: Fd, to: &mut [u8]) -> Result<usize, c_int> {
    // SAFETY: the room is as large as said.
    checked(unsafe { c_read(fd, to.as_mut_ptr().cast(), to.len()) })
}

pub(crate) fn write(fd: Fd, from: &[u8]) -> Result<usize, c_int> {
    // SAFETY: the bytes are as many as said.
    checked(unsafe { c_write(fd, from.as_ptr().cast(), from.len()) })
}

/// Receives without blocking.
pub(crate) fn receive(fd: Fd, to: &mut [u8]) -> Result<usize, c_int> {
    // SAFETY: the room is as large as said.
    checked(unsafe { recv(fd, to.as_mut_ptr().cast(), to.len(), MSG_DONTWAIT) })
}

/// Sends without blocking and without SIGPIPE.
pub(crate) fn send(fd: Fd, from: &[u8]) -> Result<usize, c_int> {
    // SAFETY: the bytes are as many as said.
    checked(unsafe {
        c_send(
            fd,
            from.as_ptr().cast(),
            from.len(),
            MSG_DONTWAIT | MSG_NOSIGNAL,
        )
    })
}

/// Receives without blocking, with up to three descriptors. An absent one is -1.
pub(crate) fn receive_descriptors(fd: Fd, to: &mut [u8]) -> Result<(usize, [Fd; 3]), c_int> {
    let mut part = IoVec {
        base: to.as_mut_ptr().cast(),
        len: to.len(),
    };
    let mut rights = Rights {
        descriptors: [-1; 3],
        ..Rights::default()
    };
    let mut message = Message {
        name: ptr::null_mut(),
        name_len: 0,
        parts: &raw mut part,
        parts_len: 1,
        control: (&raw mut rights).cast(),
        // Without the padding, or a fourth descriptor would fit.
        control_len: (core::mem::offset_of!(Rights, descriptors) + size_of::<[Fd; 3]>()) as _,
        flags: 0,
    };
    // SAFETY: everything that the message points to lives until the call returns.
    let len = checked(unsafe { recvmsg(fd, &raw mut message, MSG_DONTWAIT) })?;
    let mut descriptors = [-1; 3];
    let filled = message.control_len > 0 && rights.level == SOL_SOCKET && rights.kind == SCM_RIGHTS;
    if filled {
        let len: usize = rights.len as _;
        let count =
            len.saturating_sub(core::mem::offset_of!(Rights, descriptors)) / size_of::<Fd>();
        for (to, from) in descriptors.iter_mut().zip(rights.descriptors).take(count) {
            set_close_on_exec(from);
            *to = from;
        }
    }
    Ok((len, descriptors))
}

/// Waits until something is ready or the time (in milliseconds, -1 for ever) is over.
pub(crate) fn poll(fds: &mut [PollFd], timeout: c_int) {
    // SAFETY: the entries are as many as said.
    let ready = unsafe { c_poll(fds.as_mut_ptr(), fds.len() as c_ulong, timeout) };
    if ready < 0 {
        for entry in fds {
            entry.revents = 0;
        }
    }
}

/// Sets every signal to its default action and blocks none.
pub(crate) fn reset_signals() {
    for number in 1..=SIG_COUNT {
        default_action(number);
    }
    // SAFETY: an empty set is all zeroes.
    unsafe { sigprocmask(SIG_SETMASK, &SignalSet([0; 128]), ptr::null_mut()) };
}

pub(crate) fn default_action(number: c_int) {
    // SAFETY: zero is the default action. Numbers that cannot be set are refused.
    unsafe { signal(number, 0) };
}

pub(crate) fn block_all_signals() {
    let mut set = SignalSet([0; 128]);
    // SAFETY: the set is valid, and no smaller than that of any C library here.
    unsafe {
        sigfillset(&raw mut set);
        sigprocmask(SIG_SETMASK, &raw const set, ptr::null_mut());
    }
}

/// A child that was waited for.
pub(crate) struct Ended {
    pub(crate) pid: Pid,
    pub(crate) status: c_int,
    pub(crate) usage: Usage,
}

/// What waiting for a child without blocking gave.
pub(crate) enum Waited {
    Ended(Ended),
    AllRunning,
    NoChildren,
}

pub(crate) fn wait_any() -> Waited {
    const WNOHANG: c_int = 1;
    // Children that were made by clone without a signal count too.
    const ALL: c_int = if cfg!(target_os = "macos") {
        0
    } else {
        0x4000_0000
    };
    let (mut status, mut usage) = (0, Usage::default());
    // SAFETY: both places are valid.
    match unsafe { wait4(-1, &raw mut status, WNOHANG | ALL, &raw mut usage) } {
        0 => Waited::AllRunning,
        pid if pid > 0 => Waited::Ended(Ended { pid, status, usage }),
        _ if errno() == EINTR => Waited::AllRunning,
        _ => Waited::NoChildren,
    }
}

pub(crate) fn forbid_core_dumps() {
    // SAFETY: a valid limit.
    unsafe { setrlimit(RLIMIT_CORE, &Limit { soft: 0, hard: 0 }) };
}

/// Closes every descriptor from this one on, one by one.
pub(crate) fn close_each_from(first: Fd) {
    let mut limit = Limit { soft: 0, hard: 0 };
    // SAFETY: a valid place.
    unsafe { getrlimit(RLIMIT_NOFILE, &raw mut limit) };
    for fd in first..c_int::try_from(limit.soft.min(1 << 20)).unwrap_or(1024) {
        close(fd);
    }
}

/// Milliseconds of a clock that never goes back.
pub(crate) fn now() -> i64 {
    let mut time = TimeSpec {
        seconds: 0,
        nanos: 0,
    };
    // SAFETY: a valid place.
    unsafe { clock_gettime(CLOCK_MONOTONIC, &raw mut time) };
    time.seconds * 1000 + time.nanos / 1_000_000
}

/// Zeroed memory that is given back to the system as a whole.
pub(crate) struct Memory {
    start: *mut u8,
    len: usize,
}

impl Memory {
    pub(crate) fn new(len: usize) -> Result<Self, c_int> {
        let len = len.max(1);
        // SAFETY: a new private mapping touches nothing that exists.
        let start = unsafe {
            mmap(
                ptr::null_mut(),
                len,
                PROT_READ_WRITE,
                MAP_PRIVATE_ANONYMOUS,
                -1,
                0,
            )
        };
        if start.addr() == usize::MAX {
            Err(errno())
        } else {
            Ok(Self {
                start: start.cast(),
                len,
            })
        }
    }

    pub(crate) fn bytes(&mut self) -> &mut [u8] {
        // SAFETY: the mapping is ours, zeroed, and lives as long as self.
        unsafe { core::slice::from_raw_parts_mut(self.start, self.len) }
    }

    /// The mapping as a table of strings. It starts at a page, so it is aligned.
    pub(crate) fn table(&mut self) -> &mut [*const c_char] {
        // SAFETY: as above; all bit patterns are pointers.
        unsafe {
            core::slice::from_raw_parts_mut(
                self.start.cast(),
                self.len / size_of::<*const c_char>(),
            )
        }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, and nothing borrows it any more.
        unsafe { munmap(self.start.cast(), self.len) };
    }
}
