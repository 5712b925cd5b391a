//! The guard's program: start one agent, own all its descendants, end them.
//!
//! One thread, no allocator, no files but a few in `/proc`. All waiting is in one place (`os::Watch`), nothing else
//! blocks, and every way out leads through the kill loop.

mod agent;
#[cfg(target_os = "linux")]
#[path = "linux.rs"]
mod os;
#[cfg(target_os = "macos")]
#[path = "macos.rs"]
mod os;
mod outbox;
mod start;
#[cfg_attr(
    target_os = "macos",
    expect(dead_code, reason = "some of it is for Linux only")
)]
mod sys;

use outbox::Outbox;
use start::Start;
use sys::{Fd, Forked, Pid, Waited};

use crate::protocol::{COMMAND_LEN, Command, Ending, MAX_LEFT, Step};

/// The control socket is the guard's stdin.
const CONTROL: Fd = 0;
/// How long a killed process may take before the host hears of it, in milliseconds.
const OVERDUE: i64 = 1000;

/// Runs the guard to its end and returns its exit code: 0 if nothing was left.
#[must_use]
pub fn run() -> i32 {
    match os::isolate()
        .map_err(|errno| (Step::Prepare, errno))
        .and_then(start)
    {
        Ok(guard) => guard.watch(),
        Err((step, errno)) => {
            let mut outbox = Outbox::default();
            outbox.failed(step, errno);
            outbox.gone();
            outbox.flush(CONTROL);
            i32::from(step == Step::Message)
        }
    }
}

/// Ends the guard at once.
pub fn abandon() -> ! {
    sys::_exit(70)
}

fn start(prepared: os::Prepared) -> Result<Guard, (Step, i32)> {
    let host = sys::getppid();
    let watch = os::Watch::new(host, &prepared).map_err(|errno| (Step::Prepare, errno))?;
    let mut start =
        Start::receive(CONTROL, host.cast_unsigned()).map_err(|errno| (Step::Message, errno))?;
    // Between the first look and the opening of the watch the host could have died and its pid been taken.
    if sys::getppid() != host {
        return Err((Step::Message, 0));
    }
    let memory_kills = os::MemoryKills::open();
    let (report, report_end) = sys::private_pipe().map_err(|errno| (Step::Prepare, errno))?;
    let guard = sys::getpid();
    let agent = match sys::fork_process().map_err(|errno| (Step::Fork, errno))? {
        Forked::Child => agent::become_agent(&mut start, guard, report_end),
        Forked::Parent(pid) => pid,
    };
    sys::close(report_end);
    for fd in start.stdio {
        sys::close(fd);
    }
    os::leave_directory();
    Ok(Guard {
        watch,
        outbox: Outbox::default(),
        report: Some(report),
        agent: Some(agent),
        leader: agent,
        failed: false,
        killing: None,
        last_left: [0; MAX_LEFT],
        command: ([0; COMMAND_LEN], 0),
        listening: true,
        children: prepared.children,
        memory_kills,
    })
}

/// Writes why the agent could not become one.
fn tell_failure(report: Fd, step: Step, errno: i32) {
    let mut bytes = [0; 8];
    bytes[0] = step as u8;
    bytes[4..].copy_from_slice(&errno.to_le_bytes());
    // Eight bytes fit into an empty pipe; if the guard is gone, there is nobody to tell.
    let _sent = sys::write(report, &bytes);
}

struct Guard {
    watch: os::Watch,
    outbox: Outbox,
    /// Closed by the agent's exec, or carries the reason why there was none.
    report: Option<Fd>,
    /// Until it has been waited for. Until then its pid cannot belong to another process.
    agent: Option<Pid>,
    /// The agent's pid, which is also its session and group.
    leader: Pid,
    failed: bool,
    /// Since when everything is being killed.
    killing: Option<i64>,
    last_left: [u32; MAX_LEFT],
    /// The command that is being received and how much of it is here.
    command: ([u8; COMMAND_LEN], usize),
    /// The host may still say something.
    listening: bool,
    children: os::Children,
    memory_kills: os::MemoryKills,
}

impl Guard {
    fn watch(mut self) -> i32 {
        loop {
            self.outbox.flush(CONTROL);
            let ready = self.watch.wait(&os::Interest {
                commands: self.listening,
                room: !self.outbox.is_empty(),
                report: self.report,
                timeout: self.timeout(),
            });
            if ready.host_gone {
                self.listening = false;
                self.outbox.clear();
                self.start_killing();
            }
            if ready.commands && self.listening {
                self.obey();
            }
            self.settle_start();
            // More may have become ours by each death, so killing comes after reaping, and both again after a wait.
            let none_left = self.reap() && !self.children.strangers_left(self.leader);
            if none_left {
                self.outbox.gone();
                return self.say_goodbye();
            }
            if self.killing.is_some() {
                self.children.kill_all(self.leader);
                self.report_left();
            }
        }
    }

    /// How long to wait, in milliseconds. While killing, a look now and then costs little and misses nothing.
    fn timeout(&self) -> i32 {
        match self.killing {
            None => -1,
            Some(since) if sys::now() - since < OVERDUE => 5,
            Some(_) => 100,
        }
    }

    fn start_killing(&mut self) {
        self.killing.get_or_insert_with(sys::now);
    }

    /// Receives and carries out what the host asks. The end of the stream means that it is gone.
    fn obey(&mut self) {
        loop {
            let (bytes, filled) = &mut self.command;
            match sys::receive(CONTROL, &mut bytes[*filled..]) {
                Ok(len) if len > 0 => *filled += len,
                Err(sys::EINTR) => continue,
                Err(sys::EAGAIN) => return,
                Ok(_) | Err(_) => {
                    self.listening = false;
                    return self.start_killing();
                }
            }
            if *filled < COMMAND_LEN {
                continue;
            }
            *filled = 0;
            match (Command::decode(*bytes), self.agent) {
                (Some(Command::Signal(number)), Some(agent)) => {
                    sys::kill(agent, i32::from(number));
                }
                // Its pid may belong to another process by now.
                (Some(Command::Signal(_)), None) => {}
                // A host that says what no host says is not the host.
                (Some(Command::Kill) | None, _) => self.start_killing(),
            }
        }
    }

    /// Learns whether the agent's exec succeeded. Must come before the agent is waited for.
    fn settle_start(&mut self) {
        let Some(report) = self.report else { return };
        let mut bytes = [0; 8];
        match sys::read(report, &mut bytes) {
            Err(sys::EAGAIN | sys::EINTR) => return,
            Ok(8) => {
                let errno = i32::from_le_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]);
                self.failed = true;
                self.outbox
                    .failed(Step::from_number(bytes[0]).unwrap_or(Step::Execute), errno);
            }
            Ok(_) | Err(_) => self.outbox.started(self.leader),
        }
        sys::close(report);
        self.report = None;
    }

    /// Waits for every child that has ended. Tells whether no child is left.
    fn reap(&mut self) -> bool {
        loop {
            let ended = match sys::wait_any() {
                Waited::Ended(ended) => ended,
                Waited::AllRunning => return false,
                Waited::NoChildren => return true,
            };
            if self.agent != Some(ended.pid) {
                continue;
            }
            // It may have ended after the last look at the report.
            self.settle_start();
            self.agent = None;
            if !self.failed {
                let ending = self.ending(&ended);
                self.outbox.exited(ending);
            }
            self.start_killing();
        }
    }

    fn ending(&self, ended: &sys::Ended) -> Ending {
        let signal = (ended.status & 0x7f != 0).then_some(ended.status & 0x7f);
        let code = signal.is_none().then_some(ended.status >> 8 & 0xff);
        // 137 is how a launcher tells that its child was killed.
        let killed = signal == Some(sys::SIGKILL) || code == Some(128 + sys::SIGKILL);
        Ending {
            code,
            signal,
            out_of_memory: killed && self.killing.is_none() && self.memory_kills.have_risen(),
            max_rss: ended.usage.max_rss(),
            cpu: ended.usage.cpu(),
        }
    }

    /// Tells the host which processes do not die, when that is overdue and new.
    fn report_left(&mut self) {
        if self
            .killing
            .is_none_or(|since| sys::now() - since < OVERDUE)
        {
            return;
        }
        let mut left = [0; MAX_LEFT];
        self.children.list(self.leader, &mut left);
        if left != self.last_left && left[0] != 0 {
            self.last_left = left;
            self.outbox.left(left);
        }
    }

    /// Delivers what the host has not yet taken. Nothing is left to kill, so waiting harms nobody.
    fn say_goodbye(mut self) -> i32 {
        loop {
            self.outbox.flush(CONTROL);
            if self.outbox.is_empty() {
                return 0;
            }
            let interest = os::Interest {
                commands: false,
                room: true,
                report: None,
                timeout: -1,
            };
            if self.watch.wait(&interest).host_gone {
                return 0;
            }
        }
    }
}
