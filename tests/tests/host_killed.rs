//! However a host ends, nothing that its agents started lives on.
//!
//! The test's process is a subreaper: whatever escapes from the guards lands on it, also what left
//! its process group, its session and its parents, and changed its environment.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use remuda_tests::{PROTOCOLS, descendants, isolated, wait_until};
use rustix::process::{WaitOptions, wait};
use tempfile::TempDir;

/// How long anything may live on after its host. No guess about a machine: this second is promised, so
/// it is looked at with a clock. Measured far below; the rest is for machines that run other things.
const DEAD_AFTER: Duration = Duration::from_secs(1);

/// How often each state is tried with each protocol: with seven states, 98 kills, and 7 of another.
const ROUNDS: u32 = 7;

/// How often the state that matters most is tried: with two protocols, 100 kills.
const ROUNDS_IN_A_TOOL: u32 = 50;

/// A running test host.
struct Host {
    child: Child,
    said: BufReader<ChildStdout>,
    /// Where it leaves its files, which it does not clean up.
    _folder: TempDir,
}

impl Host {
    fn start(state: &str, protocol: &str, end: &str) -> Self {
        let folder = TempDir::new().expect("a folder");
        let mut child = Command::new(env!("CARGO_BIN_EXE_test-host"))
            .args([state, protocol, end])
            .env("TMPDIR", folder.path())
            .stdout(Stdio::piped())
            .stderr(if end.starts_with("panic") {
                Stdio::null()
            } else {
                Stdio::inherit()
            })
            .spawn()
            .expect("a host");
        let said = BufReader::new(child.stdout.take().expect("its output"));
        Self {
            child,
            said,
            _folder: folder,
        }
    }

    fn wait_for(&mut self, word: &str) {
        let mut line = String::new();
        self.said.read_line(&mut line).expect("a line");
        assert_eq!(line.trim(), word);
    }
}

impl Drop for Host {
    /// A test that fails leaves no host behind, which would keep its agents.
    fn drop(&mut self) {
        let _ = self.child.kill();
    }
}

/// Everything that is below this process, without what has died and came to it.
fn alive() -> Vec<(u32, char, String)> {
    while let Ok(Some(_)) = wait(WaitOptions::NOHANG) {}
    descendants(std::process::id())
}

/// Waits until nothing lives, and says how long it took from `start`.
fn until_dead(start: Instant) -> Duration {
    loop {
        let left = alive();
        let elapsed = start.elapsed();
        if left.is_empty() {
            return elapsed;
        }
        assert!(elapsed < DEAD_AFTER, "alive after {elapsed:?}: {left:?}");
        std::thread::yield_now();
    }
}

/// States in which something goes on are met at different moments of it, which the number of processes
/// tells: a start has more and more of them, a shutdown fewer and fewer.
fn meet(state: &str, round: u32) {
    let agents = usize::try_from(round).expect("small");
    match state {
        "starting" => wait_until("more are started", || alive().len() > 2 * agents),
        "shutdown" => wait_until("more are stopped", || alive().len() <= 49 - 8 * agents),
        _ => {}
    }
}

/// Kills hosts in this state so often with each protocol, and sees that at least so many processes
/// go with each.
fn killed_while(state: &str, rounds: u32, at_least: usize) {
    killed_with(&PROTOCOLS, state, rounds, at_least);
}

/// The same with these protocols.
fn killed_with(protocols: &[&str], state: &str, rounds: u32, at_least: usize) {
    isolated(|| {
        let (mut times, mut processes) = (Vec::new(), 0);
        for round in 0..rounds {
            for protocol in protocols {
                let mut host = Host::start(state, protocol, "live");
                host.wait_for("ready");
                meet(state, round);
                let before = alive().len();
                assert!(before > at_least, "{protocol}: {before} processes");
                processes += before;
                let start = Instant::now();
                host.child.kill().expect("it lives");
                times.push(until_dead(start));
            }
        }
        figures(state, &mut times, processes);
    });
}

/// Tells what was measured, for people.
fn figures(state: &str, times: &mut [Duration], processes: usize) {
    times.sort_unstable();
    let (middle, most) = (times[times.len() / 2], times[times.len() - 1]);
    let kills = times.len();
    let line = format!(
        "host killed while {state}: {kills} kills, {processes} processes, p50 {} ms, max {} ms",
        middle.as_millis(),
        most.as_millis()
    );
    writeln!(std::io::stdout(), "{line}").expect("somebody reads");
}

// With each agent there are its guard, itself and its six children, and the host.

#[test]
fn a_host_killed_while_agents_start_leaves_nothing() {
    killed_while("starting", ROUNDS, 0);
}

#[test]
fn a_host_killed_while_an_agent_is_idle_leaves_nothing() {
    killed_while("idle", ROUNDS, 8);
}

#[test]
fn a_host_killed_in_the_middle_of_text_leaves_nothing() {
    killed_while("mid-text", ROUNDS, 8);
}

#[test]
fn a_host_killed_in_the_middle_of_a_tool_leaves_nothing() {
    killed_while("mid-tool", ROUNDS_IN_A_TOOL, 8);
}

#[test]
fn a_host_killed_during_a_one_shot_turn_leaves_nothing() {
    killed_while("one-shot", ROUNDS, 8);
}

#[test]
fn a_host_killed_with_many_sessions_leaves_nothing() {
    killed_while("many", ROUNDS, 48);
}

#[test]
fn a_host_killed_during_a_shutdown_leaves_nothing() {
    killed_while("shutdown", ROUNDS, 0);
}

// With the command there are its guard, itself, and three that got away from something.

#[test]
fn a_host_killed_while_a_command_runs_for_an_agent_leaves_nothing() {
    killed_with(&["acp"], "command", ROUNDS, 7);
}

#[test]
fn a_host_killed_during_an_eviction_leaves_nothing() {
    killed_while("evicting", ROUNDS, 8);
}

#[test]
fn a_host_that_ends_in_any_way_without_a_shutdown_leaves_nothing() {
    isolated(|| {
        for end in ["return", "return-holding", "exit", "abort", "panic"] {
            for protocol in PROTOCOLS {
                let mut host = Host::start("mid-tool", protocol, end);
                host.wait_for("ready");
                let mut rest = String::new();
                // The end of its output is the end of the host.
                host.said.read_line(&mut rest).expect("an end");
                assert_eq!(rest, "");
                until_dead(Instant::now());
            }
        }
    });
}

#[test]
fn a_host_whose_thread_panics_with_a_pool_lives_on_without_the_agents() {
    isolated(|| {
        for protocol in PROTOCOLS {
            let mut host = Host::start("mid-tool", protocol, "panic-in-thread");
            host.wait_for("ready");
            host.wait_for("panicked");
            let start = Instant::now();
            loop {
                let left = alive();
                if left.len() == 1 && left[0].0 == host.child.id() {
                    break;
                }
                assert!(start.elapsed() < DEAD_AFTER, "alive: {left:?}");
                std::thread::yield_now();
            }
            host.child.kill().expect("it lives");
            until_dead(Instant::now());
        }
    });
}
