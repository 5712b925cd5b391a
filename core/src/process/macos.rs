//! What is different on macOS. **Not tested**: written from the documentation, not run on macOS.
//!
//! There is no pidfd, so a child is waited for by its pid, and there is no `/proc`, so of a tree without an owner only
//! the agent's process group is found.

use std::thread;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{
    Pid, Signal as RawSignal, WaitId, WaitIdOptions, WaitIdStatus, kill_process,
    kill_process_group, waitid,
};

use super::control::StillThere;
use super::group::Leader;
use super::tree::{Exit, Identity, Signal, TreeRecord};

/// A child of this process that nobody has waited for yet, as far as we know.
#[derive(Debug)]
pub(super) struct ChildProcess {
    pid: Pid,
}

impl ChildProcess {
    pub(super) fn new(pid: u32) -> Self {
        Self {
            pid: raw_pid(pid).unwrap_or(Pid::INIT),
        }
    }

    pub(super) fn pid(&self) -> Pid {
        self.pid
    }

    /// Lets it go on if somebody stopped it.
    pub(super) fn wake(&self) {
        // It may have ended just now.
        let _ended = kill_process(self.pid, RawSignal::CONT);
    }

    /// Ends a guard that does not do its work. What is below it is not found here.
    pub(super) fn depose(&self) -> Vec<Identity> {
        if !self.try_wait() {
            let _ended = kill_process(self.pid, RawSignal::KILL);
            self.wait();
        }
        Vec::new()
    }

    /// Waits until it ends, and takes it away, but no longer than this. Its
    /// exit code is as [`wait`](Self::wait) gives it.
    pub(super) fn wait_for(&self, longest: Duration) -> Result<Option<i32>, StillThere> {
        let begun = Instant::now();
        loop {
            let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
            match waitid(WaitId::Pid(self.pid), options) {
                Ok(Some(status)) => return Ok(status.exit_status()),
                Ok(None) if begun.elapsed() >= longest => return Err(StillThere),
                Ok(None) => thread::sleep(Duration::from_millis(5)),
                Err(Errno::INTR) => {}
                Err(_) => return Ok(None),
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
        !matches!(
            waitid(
                WaitId::Pid(self.pid),
                WaitIdOptions::EXITED | WaitIdOptions::NOHANG
            ),
            Ok(None)
        )
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
            match waitid(WaitId::Pid(self.pid), options) {
                Ok(status) => return status,
                Err(Errno::INTR) => {}
                Err(_) => return None,
            }
        }
    }
}

fn raw_pid(pid: u32) -> Option<Pid> {
    i32::try_from(pid).ok().and_then(Pid::from_raw)
}

/// What finds the tree of this agent again.
pub(super) fn record(agent: u32, cookie: &str) -> TreeRecord {
    TreeRecord {
        boot: String::new(),
        agent: Identity {
            pid: agent,
            start: None,
        },
        cookie: cookie.to_owned(),
    }
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

/// Would kill what is left of a tree whose owner is gone. Does nothing yet: a record cannot be verified here, and the
/// wrong process must not be killed.
pub(crate) fn sweep(_record: &TreeRecord, _known: &[Identity]) -> Vec<Identity> {
    Vec::new()
}
