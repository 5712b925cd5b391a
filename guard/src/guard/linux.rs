//! What only Linux has: the subreaper, the parent-death signal, signalfd, pidfd and `/proc`.

use core::ffi::{CStr, c_char, c_int, c_long, c_uint, c_ulong, c_void};

use super::sys::{self, Fd, Pid, PollFd, SignalSet};

const PR_SET_PDEATHSIG: c_int = 1;
// The same on every architecture that Linux has today but MIPS and PA-RISC, where it has no effect.
const SIGCONT: c_ulong = 18;
const PR_SET_DUMPABLE: c_int = 4;
const PR_SET_NAME: c_int = 15;
const PR_SET_CHILD_SUBREAPER: c_int = 36;
const SFD_CLOEXEC_NONBLOCK: c_int = sys::O_CLOEXEC | 0o4000;
// These two have the same number on every architecture.
const SYS_PIDFD_OPEN: c_long = 434;
const SYS_CLOSE_RANGE: c_long = 436;
const SEEK_SET: c_int = 0;
/// The agent is to go before the host when memory runs out.
const AGENT_IMPORTANCE: i64 = 300;

/// The start of what `readdir` gives; the name follows.
#[repr(C)]
struct Entry {
    inode: u64,
    offset: i64,
    len: u16,
    kind: u8,
    name: [c_char; 256],
}

unsafe extern "C" {
    safe fn prctl(option: c_int, a: c_ulong, b: c_ulong, c: c_ulong, d: c_ulong) -> c_int;
    safe fn lseek(fd: Fd, offset: i64, from: c_int) -> i64;
    fn syscall(number: c_long, ...) -> c_long;
    fn signalfd(fd: Fd, set: *const SignalSet, flags: c_int) -> Fd;
    fn sigemptyset(set: *mut SignalSet) -> c_int;
    fn sigaddset(set: *mut SignalSet, number: c_int) -> c_int;
    fn opendir(path: *const c_char) -> *mut c_void;
    fn rewinddir(directory: *mut c_void);
    fn readdir(directory: *mut c_void) -> *mut Entry;
}

/// What is made before there is an agent.
pub(crate) struct Prepared {
    signals: Fd,
    pub(crate) children: Children,
}

/// Makes this process the owner of all its descendants, and deaf to everybody but the host.
pub(crate) fn isolate() -> Result<Prepared, i32> {
    // SAFETY: no descriptor above stderr is in use yet. What the host forgot to close must not stay open here.
    if unsafe { syscall(SYS_CLOSE_RANGE, 3 as c_uint, c_uint::MAX, 0 as c_uint) } != 0 {
        sys::close_each_from(3);
    }
    sys::block_all_signals();
    // An ignored SIGCHLD is inherited, and would throw away the exit codes.
    sys::default_action(sys::SIGCHLD);
    sys::setsid();
    if prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0 {
        return Err(sys::errno());
    }
    // A guard that somebody stopped could not see that the host is gone: its end lets it go on. The
    // end of the host's thread that started it does the same, which harms nobody.
    prctl(PR_SET_PDEATHSIG, SIGCONT, 0, 0, 0);
    prctl(
        PR_SET_NAME,
        c"remuda-guard".as_ptr().addr() as c_ulong,
        0,
        0,
        0,
    );
    raise_oom_score(0);
    // No other process of this user may read the start message out of this one. Files of an undumpable process belong
    // to root, so this comes after the score.
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    Ok(Prepared {
        signals: child_signals()?,
        children: Children::open(),
    })
}

fn child_signals() -> Result<Fd, i32> {
    let mut set = core::mem::MaybeUninit::<SignalSet>::uninit();
    // SAFETY: the set is made by sigemptyset before it is used.
    let fd = unsafe {
        sigemptyset(set.as_mut_ptr());
        sigaddset(set.as_mut_ptr(), sys::SIGCHLD);
        signalfd(-1, set.as_ptr(), SFD_CLOEXEC_NONBLOCK)
    };
    if fd < 0 { Err(sys::errno()) } else { Ok(fd) }
}

/// Sets the signals that the C library keeps to itself to their default. It refuses to touch them, but their being
/// ignored is inherited all the same.
pub(crate) fn reset_private_signals() {
    const SYS_RT_SIGACTION: c_long = if cfg!(target_arch = "x86_64") {
        13
    } else if cfg!(target_arch = "powerpc64") {
        173
    } else {
        134
    };
    // Handler, flags, restorer and mask, in an order that differs; the default is zero for each.
    let default = [0u64; 4];
    for number in [32, 33, 34] {
        let none: *mut c_void = core::ptr::null_mut();
        // SAFETY: the action is as large as the kernel's, and the old one is not asked for.
        unsafe {
            syscall(
                SYS_RT_SIGACTION,
                number as c_int,
                default.as_ptr(),
                none,
                8usize,
            )
        };
    }
}

/// Called in the forked child: dies when the guard does.
pub(crate) fn tie_to_parent() {
    prctl(
        PR_SET_PDEATHSIG,
        c_ulong::from(sys::SIGKILL.cast_unsigned()),
        0,
        0,
        0,
    );
}

/// Called in the forked child: when memory runs out, it goes before the host.
pub(crate) fn lower_importance() {
    // The files of an undumpable process belong to root. The exec resets this anyway.
    prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
    raise_oom_score(AGENT_IMPORTANCE);
}

/// Called when the agent has been forked: keeps no file system busy.
pub(crate) fn leave_directory() {
    sys::change_directory(c"/");
}

fn raise_oom_score(to: i64) {
    let Ok(fd) = sys::open_file(c"/proc/self/oom_score_adj", sys::O_RDWR) else {
        return;
    };
    let mut text = [0; 16];
    let len = sys::read(fd, &mut text).unwrap_or(0);
    let negative = text[0] == b'-';
    if len > 0 && (negative || first_number(&text[..len]).is_none_or(|score| i64::from(score) < to))
    {
        // A score that cannot be raised is no reason not to run.
        let _written = sys::write(fd, if to == AGENT_IMPORTANCE { b"300" } else { b"0" });
    }
    sys::close(fd);
}

fn first_number(text: &[u8]) -> Option<u32> {
    let digits = text
        .iter()
        .skip_while(|byte| !byte.is_ascii_digit())
        .take_while(|byte| byte.is_ascii_digit());
    digits.fold(None, |number, digit| {
        Some(
            number
                .unwrap_or(0u32)
                .wrapping_mul(10)
                .wrapping_add(u32::from(digit - b'0')),
        )
    })
}

/// What to wait for.
pub(crate) struct Interest {
    pub(crate) commands: bool,
    pub(crate) room: bool,
    pub(crate) report: Option<Fd>,
    pub(crate) timeout: c_int,
}

/// What has happened. That a child ended or the report came is not told: the guard looks at both each time.
pub(crate) struct Ready {
    pub(crate) commands: bool,
    pub(crate) host_gone: bool,
}

/// Waits for the host, for its commands and for the children.
pub(crate) struct Watch {
    signals: Fd,
    host: Pid,
    /// Readable when the host is dead, even if a forked child of it still holds the control socket.
    host_fd: Option<Fd>,
    /// The other end of the control socket is closed completely.
    hung_up: bool,
}

impl Watch {
    // The signature is that of the other system, where this can fail.
    #[expect(clippy::unnecessary_wraps, reason = "one signature for all systems")]
    pub(crate) fn new(host: Pid, prepared: &Prepared) -> Result<Self, i32> {
        // SAFETY: no pointers. The result is a descriptor that is closed by exec.
        let host_fd = unsafe { syscall(SYS_PIDFD_OPEN, host, 0 as c_uint) };
        let host_fd = Fd::try_from(host_fd).ok().filter(|fd| *fd >= 0);
        Ok(Self {
            signals: prepared.signals,
            host,
            host_fd,
            hung_up: false,
        })
    }

    pub(crate) fn wait(&mut self, interest: &Interest) -> Ready {
        let events = if interest.commands { sys::POLLIN } else { 0 }
            | if interest.room { sys::POLLOUT } else { 0 };
        let entry = |fd: Option<Fd>, events| PollFd {
            fd: fd.unwrap_or(-1),
            events,
            revents: 0,
        };
        let mut entries = [
            entry((!self.hung_up).then_some(super::CONTROL), events),
            entry(Some(self.signals), sys::POLLIN),
            entry(self.host_fd, sys::POLLIN),
            entry(interest.report, sys::POLLIN),
        ];
        // Without a pidfd the parent has to be looked at.
        let slowest = if self.host_fd.is_some() { -1 } else { 500 };
        sys::poll(
            &mut entries,
            if interest.timeout < 0 {
                slowest
            } else {
                interest.timeout
            },
        );
        if entries[1].revents != 0 {
            // One record is as good as many: the children are all looked at each time.
            let _record = sys::read(self.signals, &mut [0; 1024]);
        }
        self.hung_up |= entries[0].revents & (sys::POLLHUP | sys::POLLERR) != 0;
        let host_dead = entries[2].revents != 0 || sys::getppid() != self.host;
        if host_dead {
            self.host_fd = None;
        }
        Ready {
            commands: entries[0].revents & sys::POLLIN != 0,
            host_gone: host_dead || self.hung_up,
        }
    }
}

/// Finds the direct children. Only those are killed: their pids cannot be taken by others before they have been waited
/// for, and what is deeper becomes a direct child as its parents die.
pub(crate) struct Children {
    /// `/proc/thread-self/children`, where the kernel has it.
    list: Option<Fd>,
    /// `/proc`, where it has not.
    proc: *mut c_void,
}

impl Children {
    fn open() -> Self {
        let list = sys::open_file(c"/proc/thread-self/children", sys::O_RDONLY).ok();
        let proc = if list.is_some() {
            core::ptr::null_mut()
        } else {
            // SAFETY: a valid string. Null if there is no such directory.
            unsafe { opendir(c"/proc".as_ptr()) }
        };
        Self { list, proc }
    }

    /// Kills every direct child.
    pub(crate) fn kill_all(&mut self, leader: Pid) {
        self.each(leader, |pid| {
            // Stopped ones die of it too. SIGCONT before it would only let them run on for a moment.
            sys::kill(pid, sys::SIGKILL);
        });
    }

    /// Writes down the first direct children.
    pub(crate) fn list(&mut self, leader: Pid, pids: &mut [u32]) {
        let mut places = pids.iter_mut();
        self.each(leader, |pid| {
            if let Some(place) = places.next() {
                *place = pid.cast_unsigned();
            }
        });
    }

    /// Every descendant is a child or the child of one, so when no child is left, nothing is.
    #[expect(clippy::unused_self, reason = "one signature for all systems")]
    pub(crate) fn strangers_left(&mut self, _leader: Pid) -> bool {
        false
    }

    fn each(&mut self, leader: Pid, act: impl FnMut(Pid)) {
        match self.list {
            Some(fd) => each_listed(fd, act),
            None if !self.proc.is_null() => self.each_in_proc(act),
            // Without `/proc` only the agent itself is known. Its children come up as they become ours to reap.
            None => core::iter::once(leader)
                .filter(|pid| sys::kill(*pid, 0) == 0)
                .for_each(act),
        }
    }

    fn each_in_proc(&mut self, mut act: impl FnMut(Pid)) {
        let own = sys::getpid();
        // SAFETY: an open directory that only this process reads.
        unsafe { rewinddir(self.proc) };
        loop {
            // SAFETY: as above; the entry is valid until the next call.
            let entry = unsafe { readdir(self.proc) };
            if entry.is_null() {
                return;
            }
            // SAFETY: names are ended strings.
            let name = unsafe { CStr::from_ptr((&raw const (*entry).name).cast()) };
            if name.to_bytes().iter().all(u8::is_ascii_digit) && parent_of(name) == Some(own) {
                act(first_number(name.to_bytes()).unwrap_or(0).cast_signed());
            }
        }
    }
}

fn each_listed(fd: Fd, mut act: impl FnMut(Pid)) {
    lseek(fd, 0, SEEK_SET);
    let mut text = [0; 4096];
    let mut pid = 0;
    while let Ok(len @ 1..) = sys::read(fd, &mut text) {
        for byte in &text[..len] {
            if byte.is_ascii_digit() {
                pid = pid * 10 + Pid::from(byte - b'0');
            } else if pid > 0 {
                act(pid);
                pid = 0;
            }
        }
    }
}

/// The parent of the process with this number in `/proc`.
fn parent_of(number: &CStr) -> Option<Pid> {
    let mut path = [0; 64];
    let parts = [b"/proc/".as_slice(), number.to_bytes(), b"/stat\0"];
    let path = join(&mut path, &parts)?;
    let fd = sys::open_file(path, sys::O_RDONLY).ok()?;
    let mut text = [0; 512];
    let len = sys::read(fd, &mut text).unwrap_or(0);
    sys::close(fd);
    // The name is in parentheses and may contain any byte; after it come the state and the parent.
    let end = text[..len].iter().rposition(|byte| *byte == b')')?;
    first_number(&text[end..len]).map(u32::cast_signed)
}

/// The parts as one string. The last part must end with a zero byte.
fn join<'a>(room: &'a mut [u8], parts: &[&[u8]]) -> Option<&'a CStr> {
    let mut len = 0;
    for part in parts {
        room.get_mut(len..len + part.len())?.copy_from_slice(part);
        len += part.len();
    }
    CStr::from_bytes_with_nul(&room[..len]).ok()
}

/// The counter of processes that the kernel killed in this memory cgroup, where it can be read.
pub(crate) struct MemoryKills {
    counter: Option<Fd>,
    before: u32,
}

impl MemoryKills {
    pub(crate) fn open() -> Self {
        let counter = open_counter();
        Self {
            counter,
            before: counter.map_or(0, read_counter),
        }
    }

    pub(crate) fn have_risen(&self) -> bool {
        self.counter
            .is_some_and(|counter| read_counter(counter) > self.before)
    }
}

fn open_counter() -> Option<Fd> {
    let fd = sys::open_file(c"/proc/self/cgroup", sys::O_RDONLY).ok()?;
    let mut text = [0; 4096];
    let len = sys::read(fd, &mut text).unwrap_or(0);
    sys::close(fd);
    let line = |key: &[u8]| {
        let mut lines = text[..len].split(|byte| *byte == b'\n');
        lines.find_map(|line| {
            let at = line.windows(key.len()).position(|part| part == key)?;
            Some(&line[at + key.len()..])
        })
    };
    let open = |parts: &[&[u8]]| sys::open_file(join(&mut [0; 4096], parts)?, sys::O_RDONLY).ok();
    let first = |path| open(&[b"/sys/fs/cgroup/memory", path, b"/memory.oom_control\0"]);
    let second = |path| open(&[b"/sys/fs/cgroup", path, b"/memory.events\0"]);
    // In a container the path may be that of the machine, while the files are those of the container.
    line(b":memory:")
        .and_then(|path| first(path).or_else(|| first(b"")))
        .or_else(|| line(b"0::").and_then(second))
}

fn read_counter(fd: Fd) -> u32 {
    let key = b"oom_kill ";
    let mut text = [0; 1024];
    lseek(fd, 0, SEEK_SET);
    let len = sys::read(fd, &mut text).unwrap_or(0);
    let at = text[..len].windows(key.len()).position(|part| part == key);
    at.and_then(|at| first_number(&text[at..len])).unwrap_or(0)
}
