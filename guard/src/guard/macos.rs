//! What only macOS has: kqueue and libproc. **Not tested**: written from the documentation, not run on macOS.
//!
//! There is no subreaper and no parent-death signal. What belongs to the agent is found by session, group and parent.
//! A process that leaves all three between two looks is missed.

use core::ffi::{c_int, c_long, c_void};

use super::sys::{self, Fd, Pid, PollFd};

const EVFILT_PROC: i16 = -5;
const EVFILT_SIGNAL: i16 = -6;
const EV_ADD: u16 = 1;
const EV_CLEAR: u16 = 0x20;
const NOTE_EXIT: u32 = 0x8000_0000;
const PROC_PIDTBSDINFO: c_int = 3;
/// How many processes are looked at.
const MANY: usize = 8192;

#[derive(Clone, Copy)]
#[repr(C)]
struct Event {
    ident: usize,
    filter: i16,
    flags: u16,
    note: u32,
    data: isize,
    user: *mut c_void,
}

#[repr(C)]
struct Time {
    seconds: c_long,
    nanos: c_long,
}

/// `proc_bsdinfo`: the parent is the fifth of its words, the group the one after the two names.
#[repr(C, align(8))]
struct Info {
    words: [u32; 34],
}

unsafe extern "C" {
    safe fn kqueue() -> Fd;
    safe fn getsid(pid: Pid) -> Pid;
    fn kevent(
        queue: Fd,
        changes: *const Event,
        change_count: c_int,
        events: *mut Event,
        event_count: c_int,
        timeout: *const Time,
    ) -> c_int;
    fn proc_listallpids(pids: *mut Pid, size: c_int) -> c_int;
    fn proc_pidinfo(pid: Pid, flavor: c_int, argument: u64, info: *mut Info, size: c_int) -> c_int;
}

/// What is made before there is an agent.
pub(crate) struct Prepared {
    pub(crate) children: Children,
}

/// Makes this process deaf to everybody but the host.
pub(crate) fn isolate() -> Result<Prepared, i32> {
    sys::close_each_from(3);
    sys::block_all_signals();
    sys::default_action(sys::SIGCHLD);
    sys::setsid();
    Ok(Prepared { children: Children })
}

/// The C library keeps no signal to itself.
pub(crate) fn reset_private_signals() {}

/// There is no parent-death signal.
pub(crate) fn tie_to_parent() {}

/// There is no such thing as an out-of-memory score.
pub(crate) fn lower_importance() {}

/// Called when the agent has been forked: keeps no file system busy.
pub(crate) fn leave_directory() {
    sys::change_directory(c"/");
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

/// Waits for the host, for its commands and for the agent.
pub(crate) struct Watch {
    queue: Fd,
    host: Pid,
    hung_up: bool,
}

impl Watch {
    pub(crate) fn new(host: Pid, _prepared: &Prepared) -> Result<Self, i32> {
        let queue = kqueue();
        if queue < 0 {
            return Err(sys::errno());
        }
        sys::set_close_on_exec(queue);
        let event = |ident: c_int, filter, note| Event {
            ident: ident.unsigned_abs() as usize,
            filter,
            flags: EV_ADD | EV_CLEAR,
            note,
            data: 0,
            user: core::ptr::null_mut(),
        };
        for change in [
            event(host, EVFILT_PROC, NOTE_EXIT),
            event(sys::SIGCHLD, EVFILT_SIGNAL, 0),
        ] {
            // SAFETY: one change, no room for events.
            if unsafe {
                kevent(
                    queue,
                    &raw const change,
                    1,
                    core::ptr::null_mut(),
                    0,
                    core::ptr::null(),
                )
            } < 0
            {
                return Err(sys::errno());
            }
        }
        Ok(Self {
            queue,
            host,
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
            entry(Some(self.queue), sys::POLLIN),
            entry(interest.report, sys::POLLIN),
        ];
        sys::poll(&mut entries, interest.timeout);
        let mut event = Event {
            ident: 0,
            filter: 0,
            flags: 0,
            note: 0,
            data: 0,
            user: core::ptr::null_mut(),
        };
        let at_once = Time {
            seconds: 0,
            nanos: 0,
        };
        // SAFETY: room for one event. Each is only a reason to look.
        while unsafe {
            kevent(
                self.queue,
                core::ptr::null(),
                0,
                &raw mut event,
                1,
                &raw const at_once,
            )
        } > 0
        {}
        self.hung_up |= entries[0].revents & (sys::POLLHUP | sys::POLLERR) != 0;
        let host_dead = sys::getppid() != self.host;
        Ready {
            commands: entries[0].revents & sys::POLLIN != 0,
            host_gone: host_dead || self.hung_up,
        }
    }
}

/// Finds what belongs to the agent.
pub(crate) struct Children;

impl Children {
    /// Kills everything that belongs to the agent.
    pub(crate) fn kill_all(&mut self, leader: Pid) {
        sys::kill(-leader, sys::SIGKILL);
        each(leader, |pid| {
            sys::kill(pid, sys::SIGKILL);
        });
    }

    /// Writes down the first that belong to the agent.
    pub(crate) fn list(&mut self, leader: Pid, pids: &mut [u32]) {
        let mut places = pids.iter_mut();
        each(leader, |pid| {
            if let Some(place) = places.next() {
                *place = pid.cast_unsigned();
            }
        });
    }

    /// Processes whose parent died belong to launchd, not to the guard, so waiting does not tell.
    pub(crate) fn strangers_left(&mut self, leader: Pid) -> bool {
        let mut left = false;
        each(leader, |_| left = true);
        left
    }
}

/// Calls for each process whose session, group or ancestor is the agent's.
fn each(leader: Pid, mut act: impl FnMut(Pid)) {
    let mut pids = [0; MANY];
    // SAFETY: the room is as large as said.
    let count = unsafe { proc_listallpids(pids.as_mut_ptr(), size_of_val(&pids) as c_int) };
    let pids = &mut pids[..usize::try_from(count).unwrap_or(0).min(MANY)];
    let own = sys::getpid();
    let mut found = 0;
    loop {
        let before = found;
        for index in found..pids.len() {
            let pid = pids[index];
            let Some((parent, group)) = relations(pid).filter(|_| pid != own && pid > 1) else {
                continue;
            };
            let belongs = getsid(pid) == leader
                || group == leader
                || parent == own
                || pids[..found].contains(&parent);
            if belongs {
                act(pid);
                pids.swap(index, found);
                found += 1;
            }
        }
        if found == before {
            return;
        }
    }
}

/// Parent and group of a process that is not a zombie.
fn relations(pid: Pid) -> Option<(Pid, Pid)> {
    const ZOMBIE: u32 = 5;
    let mut info = Info { words: [0; 34] };
    let size = size_of::<Info>() as c_int;
    // SAFETY: the room is as large as said.
    let len = unsafe { proc_pidinfo(pid, PROC_PIDTBSDINFO, 0, &raw mut info, size) };
    (len == size && info.words[1] != ZOMBIE)
        .then(|| (info.words[4].cast_signed(), info.words[25].cast_signed()))
}

/// There is no such counter.
pub(crate) struct MemoryKills;

impl MemoryKills {
    pub(crate) fn open() -> Self {
        Self
    }

    pub(crate) fn have_risen(&self) -> bool {
        false
    }
}
