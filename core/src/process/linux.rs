//! What only Linux has: pidfd and `/proc`.

use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{
    Pid, PidfdFlags, Signal as RawSignal, WaitId, WaitIdOptions, WaitIdStatus, kill_process,
    kill_process_group, pidfd_open, pidfd_send_signal, waitid,
};

use super::control::StillThere;
use super::group::Leader;
use super::tree::{COOKIE, Exit, Identity, Signal, TreeRecord};

/// A child of this process that nobody has waited for yet, as far as we know.
#[derive(Debug)]
pub(super) struct ChildProcess {
    pid: Pid,
    /// Refers to this child even if the host waited for it and its pid was given to another. None on old kernels.
    fd: Option<OwnedFd>,
}

impl ChildProcess {
    pub(super) fn new(pid: u32) -> Self {
        let pid = raw_pid(pid).unwrap_or(Pid::INIT);
        Self {
            pid,
            fd: pidfd_open(pid, PidfdFlags::empty()).ok(),
        }
    }

    pub(super) fn pid(&self) -> Pid {
        self.pid
    }

    /// Lets it go on if somebody stopped it.
    pub(super) fn wake(&self) {
        // It may have ended just now.
        let _ended = match &self.fd {
            Some(fd) => pidfd_send_signal(fd, RawSignal::CONT),
            None => kill_process(self.pid, RawSignal::CONT),
        };
    }

    /// Does the work of a guard that does not: kills everything below it, then itself, and takes it
    /// away. Gives back who did not die.
    ///
    /// It is killed last because until then it adopts whoever loses a parent, also when it is stopped
    /// or hangs: what is below it is the whole tree.
    pub(super) fn depose(&self) -> Vec<Identity> {
        let below = || {
            // Its pid is its own only as long as it is there.
            if self.try_wait() {
                return Vec::new();
            }
            let (mut found, mut others) = (Vec::new(), all());
            let own = self.pid.as_raw_pid().cast_unsigned();
            add_descendants(&mut found, &mut others, &[own]);
            found.retain(|status| status.alive);
            found
        };
        let left = clear(below);
        let _ended = match &self.fd {
            Some(fd) => pidfd_send_signal(fd, RawSignal::KILL),
            None if self.try_wait() => Ok(()),
            None => kill_process(self.pid, RawSignal::KILL),
        };
        self.wait();
        left
    }

    /// Waits until it ends, and takes it away, but no longer than this. Its
    /// exit code is as [`wait`](Self::wait) gives it.
    pub(super) fn wait_for(&self, longest: Duration) -> Result<Option<i32>, StillThere> {
        let begun = Instant::now();
        loop {
            match self.ended(WaitIdOptions::EXITED | WaitIdOptions::NOHANG) {
                Ok(Some(status)) => return Ok(status.exit_status()),
                Ok(None) => {}
                Err(Errno::INTR) => continue,
                Err(_) => return Ok(None),
            }
            let left = longest.saturating_sub(begun.elapsed());
            if left.is_zero() {
                return Err(StillThere);
            }
            match (&self.fd, Timespec::try_from(left)) {
                (Some(fd), Ok(left)) => {
                    // Whatever it says, the next look tells.
                    let _ready = poll(&mut [PollFd::new(fd, PollFlags::IN)], Some(&left));
                }
                (_, _) => thread::sleep(left.min(Duration::from_millis(5))),
            }
        }
    }

    /// Waits until it ends, and takes it away. Its exit code, or none if a signal ended it or the host was first.
    pub(super) fn wait(&self) -> Option<i32> {
        self.status(WaitIdOptions::EXITED)
            .and_then(|status| status.exit_status())
    }

    /// Takes it away if it has ended. Tells whether it is gone.
    pub(super) fn try_wait(&self) -> bool {
        let ended = self.ended(WaitIdOptions::EXITED | WaitIdOptions::NOHANG);
        !matches!(ended, Ok(None))
    }

    /// Waits until it ends, and leaves it there, so that its pid stays its own.
    pub(super) fn await_exit(&self) -> Exit {
        let status = self.status(WaitIdOptions::EXITED | WaitIdOptions::NOWAIT);
        status.map_or_else(Exit::default, |status| Exit {
            code: status.exit_status(),
            signal: status.terminating_signal(),
            ..Exit::default()
        })
    }

    fn status(&self, options: WaitIdOptions) -> Option<WaitIdStatus> {
        loop {
            match self.ended(options) {
                Ok(status) => return status,
                Err(Errno::INTR) => {}
                Err(_) => return None,
            }
        }
    }

    fn ended(&self, options: WaitIdOptions) -> rustix::io::Result<Option<WaitIdStatus>> {
        let id = self
            .fd
            .as_ref()
            .map_or(WaitId::Pid(self.pid), |fd| WaitId::PidFd(fd.as_fd()));
        waitid(id, options)
    }
}

fn raw_pid(pid: u32) -> Option<Pid> {
    i32::try_from(pid).ok().and_then(Pid::from_raw)
}

/// What finds the tree of this agent again.
pub(super) fn record(agent: u32, cookie: &str) -> TreeRecord {
    let start = Status::read(agent).map(|status| status.start);
    TreeRecord {
        boot: boot(),
        agent: Identity { pid: agent, start },
        cookie: cookie.to_owned(),
    }
}

fn boot() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .map(|id| id.trim().to_owned())
        .unwrap_or_default()
}

pub(super) fn signal(leader: &Leader, signal: Signal) {
    if let Some(pid) = *leader.lock() {
        // It may have ended just now.
        let _ended = kill_process(pid, raw_signal(signal));
    }
}

pub(super) fn kill_group(leader: &Leader) {
    if let Some(pid) = *leader.lock() {
        let _ended = kill_process_group(pid, RawSignal::KILL);
    }
}

fn raw_signal(signal: Signal) -> RawSignal {
    match signal {
        Signal::Interrupt => RawSignal::INT,
        Signal::Terminate => RawSignal::TERM,
    }
}

/// Kills what is left of a tree whose owner is gone, and returns when nothing is found any more, or
/// who does not die.
///
/// Found are those that are known, the agent itself, its session, whoever has its cookie in the
/// environment, and the children of all these. Missed are those that left the session, cleared their
/// environment and lost their parent.
pub(crate) fn sweep(record: &TreeRecord, known: &[Identity]) -> Vec<Identity> {
    if record.boot != boot() {
        return Vec::new();
    }
    clear(|| remains(record, known))
}

/// Kills whoever is found, again and again, until nobody is or it takes too long. Who is left then.
fn clear(find: impl Fn() -> Vec<Status>) -> Vec<Identity> {
    const LONGEST: Duration = Duration::from_secs(1);
    let begun = Instant::now();
    let mut pause = Duration::from_millis(1);
    let mut clean = 0;
    loop {
        let found = find();
        // A process that is forked during a look may be missed by it, so one clean look is not enough.
        clean = if found.is_empty() { clean + 1 } else { 0 };
        if clean == 2 {
            return Vec::new();
        }
        for status in &found {
            kill_verified(status);
        }
        if begun.elapsed() >= LONGEST {
            return found.iter().map(Status::identity).collect();
        }
        if !found.is_empty() {
            thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(50));
        }
    }
}

/// The processes of this tree that live.
fn remains(record: &TreeRecord, known: &[Identity]) -> Vec<Status> {
    let mut others = all();
    let mine = format!("{COOKIE}={}", record.cookie);
    // If the agent's pid was given to another process, its session is not the agent's.
    let taken = others
        .iter()
        .any(|status| status.pid == record.agent.pid && Some(status.start) != record.agent.start);
    others.retain(|status| status.alive);
    let mut found: Vec<Status> = others
        .extract_if(.., |status| {
            (!taken && status.session == record.agent.pid)
                || known.contains(&status.identity())
                || has_variable(status.pid, mine.as_bytes())
        })
        .collect();
    let parents: Vec<u32> = found.iter().map(|status| status.pid).collect();
    add_descendants(&mut found, &mut others, &parents);
    found
}

/// Everybody but this process.
fn all() -> Vec<Status> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    let own = std::process::id();
    let pids = entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid| *pid != own)
        .filter_map(Status::read)
        .collect()
}

/// Moves the descendants of these parents from the others to the found.
fn add_descendants(found: &mut Vec<Status>, others: &mut Vec<Status>, parents: &[u32]) {
    let mut parents = parents.to_vec();
    while let Some(parent) = parents.pop() {
        let children: Vec<Status> = others
            .extract_if(.., |status| status.parent == parent)
            .collect();
        parents.extend(children.iter().map(|child| child.pid));
        found.extend(children);
    }
}

fn has_variable(pid: u32, variable: &[u8]) -> bool {
    let environment: io::Result<Vec<u8>> = fs::read(format!("/proc/{pid}/environ"));
    environment.is_ok_and(|environment| {
        environment
            .split(|byte| *byte == 0)
            .any(|found| found == variable)
    })
}

/// Kills the process that was looked at, and no later one with its pid.
fn kill_verified(status: &Status) {
    let Some(pid) = raw_pid(status.pid) else {
        return;
    };
    let same = || Status::read(status.pid).is_some_and(|now| now.start == status.start);
    match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(fd) if same() => drop(pidfd_send_signal(fd, RawSignal::KILL)),
        Err(Errno::NOSYS | Errno::PERM) if same() => drop(kill_process(pid, RawSignal::KILL)),
        Ok(_) | Err(_) => {}
    }
}

/// A line of `/proc/<pid>/stat`.
#[derive(Debug)]
struct Status {
    pid: u32,
    parent: u32,
    session: u32,
    start: u64,
    alive: bool,
}

impl Status {
    fn read(pid: u32) -> Option<Self> {
        let line = fs::read(format!("/proc/{pid}/stat")).ok()?;
        // The name is in parentheses and may contain anything.
        let after = line.get(memchr::memrchr(b')', &line)? + 2..)?;
        let fields: Vec<&str> = std::str::from_utf8(after)
            .ok()?
            .split_ascii_whitespace()
            .collect();
        Some(Self {
            pid,
            parent: fields.get(1)?.parse().ok()?,
            session: fields.get(3)?.parse().ok()?,
            start: fields.get(19)?.parse().ok()?,
            alive: !matches!(*fields.first()?, "Z" | "X"),
        })
    }

    fn identity(&self) -> Identity {
        Identity {
            pid: self.pid,
            start: Some(self.start),
        }
    }
}
