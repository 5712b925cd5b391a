//! Processes that the agent leaves around: this program in a hidden mode.
//!
//! All are bounded: in number, and each ends by itself after 120 s at most.
//! A child tells its id over a pipe, so that it exists when its instruction is done.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, WaitOptions, setsid, waitpid};
use rustix::stdio::{dup2_stderr, dup2_stdin, dup2_stdout};
use scripted_agent::{Action, ChildKind, Stream};

use crate::context::Agent;
use crate::faults::LONGEST;
use crate::{complain, sys};

/// The argument that selects the hidden mode.
pub(crate) const FLAG: &str = "--scripted-child";

/// The most children of one instruction.
const MOST: u64 = 256;

/// The most hops per second of a hopper.
const FASTEST: u64 = 10_000;

/// Set in a process that a wrapper started, which must not wrap again.
const WRAPPED: &str = "SCRIPTED_AGENT_WRAPPED";

/// Starts the children of an instruction; gives the ids of all that exist then.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "only the instructions that start children come here"
)]
pub(crate) fn start(agent: &Agent, action: &Action) -> Vec<u32> {
    let started = match action {
        Action::Children(kind, count) => {
            let times = 0..(*count).min(MOST);
            times
                .map(|_| spawn(kind_name(*kind), &[], Some(*kind), None))
                .collect()
        }
        Action::Hold(stream) => spawn("hold", &[], None, Some(*stream)).map(|child| vec![child]),
        Action::Hopper(rate, seconds) => {
            let numbers = [(*rate).clamp(1, FASTEST), (*seconds).min(LONGEST.as_secs())];
            spawn("hopper", &numbers, None, None).map(|child| vec![child])
        }
        Action::Bomb(count) => {
            spawn("bomb", &[(*count).clamp(1, MOST)], None, None).map(|child| vec![child])
        }
        _ => Ok(Vec::new()),
    };
    let groups: Vec<Started> = started.unwrap_or_else(|why: io::Error| {
        complain(&format!("starting a child: {why}"));
        Vec::new()
    });
    let mut pids = Vec::new();
    for group in groups {
        for pid in group.pids {
            agent.store.record_child(pid, group.kind);
            pids.push(pid);
        }
    }
    pids
}

struct Started {
    kind: &'static str,
    pids: Vec<u32>,
}

fn kind_name(kind: ChildKind) -> &'static str {
    match kind {
        ChildKind::Plain => "plain",
        ChildKind::Pgrp => "pgrp",
        ChildKind::Setsid => "setsid",
        ChildKind::DoubleFork => "double-fork",
        ChildKind::CleanEnv => "clean-env",
        ChildKind::TermProof => "term-proof",
    }
}

fn spawn(
    kind: &'static str,
    numbers: &[u64],
    attributes: Option<ChildKind>,
    held: Option<Stream>,
) -> io::Result<Started> {
    let (reader, writer) = io::pipe()?;
    let mut command = Command::new(std::env::current_exe()?);
    command
        .arg(FLAG)
        .arg(kind)
        .args(numbers.iter().map(u64::to_string));
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    // The ids come over a stream that is not the held one.
    match held {
        Some(Stream::Stdin) => command
            .stdin(Stdio::inherit())
            .stdout(writer)
            .arg("report-1"),
        Some(Stream::Stdout) => command
            .stdout(Stdio::inherit())
            .stdin(writer)
            .arg("report-0"),
        Some(Stream::Stderr) => command
            .stderr(Stdio::inherit())
            .stdout(writer)
            .arg("report-1"),
        None => command.stdout(writer).arg("report-1"),
    };
    match attributes {
        Some(ChildKind::CleanEnv) => drop(command.env_clear()),
        Some(ChildKind::Pgrp) => drop(command.process_group(0)),
        _ => {}
    }
    // Not waited for: what becomes of children is what the tests are about.
    let child = command.spawn()?;
    // The command still holds the writing end.
    drop(command);
    let pids = BufReader::new(reader)
        .lines()
        .map_while(Result::ok)
        .filter_map(|line| line.parse().ok())
        .collect();
    if kind == "double-fork" {
        reap(child.id());
    }
    Ok(Started { kind, pids })
}

/// Lets a child write these lines wherever it can; gives the number of descriptors that took them.
pub(crate) fn forge(lines: &[serde_json::Value; 2]) -> i32 {
    let child = std::env::current_exe().and_then(|program| {
        Command::new(program)
            .args([FLAG, "forge"])
            .arg(std::process::id().to_string())
            .args(lines.iter().map(ToString::to_string))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
    });
    child.ok().and_then(|status| status.code()).unwrap_or(-1)
}

/// Writes the lines to all that was inherited, and to the agent's streams.
fn write_everywhere(arguments: &[String]) -> i32 {
    let Some((agent, lines)) = arguments.split_first() else {
        return 0;
    };
    let text = lines.join("\n") + "\n";
    let mut written = 0;
    // Its own streams lead nowhere.
    for inherited in (0..64).filter(|fd| is_channel(&format!("/proc/self/fd/{fd}"))) {
        written += i32::from(sys::write(inherited, text.as_bytes()));
    }
    // What the agent has beside its streams is its own affair.
    for stream in 0..=2 {
        let path = format!("/proc/{agent}/fd/{stream}");
        let file = std::fs::File::options().write(true).open(path);
        let took = file.and_then(|mut file| file.write_all(text.as_bytes()));
        written += i32::from(took.is_ok());
    }
    written.min(100)
}

/// Whether a descriptor leads to another process.
fn is_channel(path: &str) -> bool {
    let target = std::fs::read_link(path).unwrap_or_default();
    let target = target.to_string_lossy();
    target.starts_with("pipe:") || target.starts_with("socket:")
}

fn reap(pid: u32) {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    let _ = waitpid(pid, WaitOptions::empty());
}

/// Runs the agent again with the same streams and leaves. The new process carries on.
pub(crate) fn replace_self(agent: &Agent, daemon: bool) {
    if std::env::var_os(WRAPPED).is_some() {
        return;
    }
    let started = std::env::current_exe().and_then(|program| {
        let mut command = Command::new(program);
        if daemon {
            command.args([FLAG, "daemon"]);
        }
        command.args(&agent.arguments).env(WRAPPED, "1").spawn()
    });
    match started {
        Ok(mut child) => {
            if daemon {
                // It starts the daemon and exits, so that the daemon is an orphan.
                let _ = child.wait();
            }
            std::process::exit(0);
        }
        Err(why) => complain(&format!("wrapping: {why}")),
    }
}

/// The life of a hidden child.
pub(crate) fn play(arguments: &[String]) -> ! {
    let kind = arguments.first().map_or("", String::as_str);
    let number = |at: usize| {
        arguments
            .get(at)
            .and_then(|word| word.parse().ok())
            .unwrap_or(1)
    };
    let report_to_stdin = arguments.iter().any(|word| word == "report-0");
    match kind {
        "daemon" => daemon(&arguments[1..]),
        "term-proof" => drop([libc::SIGTERM, libc::SIGINT, libc::SIGHUP].map(sys::ignore_signal)),
        "double-fork" if sys::fork().is_some() => sys::exit_now(0),
        "setsid" | "double-fork" => drop(setsid()),
        "forge" => sys::exit_now(write_everywhere(&arguments[1..])),
        "hopper" => hop(number(1), number(2)),
        "bomb" => split(number(1)),
        _ => {}
    }
    report(report_to_stdin);
    std::thread::sleep(LONGEST);
    sys::exit_now(0);
}

/// Tells the own id and lets go of the stream that it went over.
fn report(over_stdin: bool) {
    let line = format!("{}\n", std::process::id());
    let nothing = std::fs::File::options()
        .read(true)
        .write(true)
        .open("/dev/null");
    let Ok(nothing) = nothing else { return };
    if over_stdin {
        let _ = rustix::io::write(rustix::stdio::stdin(), line.as_bytes());
        let _ = dup2_stdin(&nothing);
    } else {
        let _ = rustix::io::write(rustix::stdio::stdout(), line.as_bytes());
        let _ = dup2_stdout(&nothing);
    }
}

/// Becomes the leader of a session and runs the agent in it.
fn daemon(arguments: &[String]) -> ! {
    let _ = setsid();
    let started =
        std::env::current_exe().and_then(|program| Command::new(program).args(arguments).spawn());
    std::process::exit(i32::from(started.is_err()));
}

/// Replaces itself by a copy again and again.
fn hop(rate: u64, seconds: u64) -> ! {
    let start = Instant::now();
    let end = start + Duration::from_secs(seconds).min(LONGEST);
    let pause = Duration::from_secs(1) / u32::try_from(rate.clamp(1, FASTEST)).unwrap_or(u32::MAX);
    // Bounded by count as well, should the clock stand still.
    let hops = u32::try_from(rate.saturating_mul(seconds)).unwrap_or(u32::MAX);
    let _ = setsid();
    report(false);
    for hop in 1..=hops {
        if Instant::now() >= end || sys::fork().is_some() {
            break;
        }
        let due = start + pause * hop;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
    }
    sys::exit_now(0);
}

/// Grows into a tree of `count` processes, this one included, two below each.
fn split(count: u64) {
    let mut below = count.saturating_sub(1);
    let mut branches = 2;
    while below > 0 && branches > 0 {
        let share = below.div_ceil(branches);
        if sys::fork().is_none() {
            return split(share);
        }
        below -= share;
        branches -= 1;
    }
    // Only the pipe of the report may stay open until it is written.
    if let Ok(nothing) = std::fs::File::open("/dev/null") {
        let _ = dup2_stderr(&nothing);
    }
    let _ = std::io::stdout().flush();
}
