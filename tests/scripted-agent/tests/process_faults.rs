//! Faults of the process: modes 1 to 18.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::io::Read;
use std::path::Path;

use rustix::process::{Pid, Signal, WaitOptions, kill_process, kill_process_group, waitpid};
use scripted_agent::{
    Action, ChildKind, Script, Shape, SignalName, Stream, Trigger, children, starts,
};
use serde_json::{Value, json};
use support::{Run, Setup, WARM, answer, deltas, is_result};

fn signal(pid: i32, signal: Signal) {
    kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
}

/// Ends children when the test is over, by their ids.
struct Cleanup<'a>(&'a Path);

impl Drop for Cleanup<'_> {
    fn drop(&mut self) {
        for child in children(self.0).unwrap_or_default() {
            let pid = i32::try_from(child.pid).ok().and_then(Pid::from_raw);
            let _ = pid.map(|pid| kill_process(pid, Signal::KILL));
        }
    }
}

/// State, parent, group and session of a process, if it exists.
fn stat(pid: u32) -> Option<(char, u32, u32, u32)> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let number = |at: usize| fields[at].parse().ok();
    Some((
        fields[0].chars().next()?,
        number(1)?,
        number(2)?,
        number(3)?,
    ))
}

fn status_line(pid: u32, name: &str) -> String {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = text.lines().find(|line| line.starts_with(name)).unwrap();
    line[name.len()..].trim().to_owned()
}

fn exits(trigger: Trigger, code: i32) -> Setup {
    Setup::script(&Script::new().on(trigger, [Action::Exit(code)]))
}

#[test]
fn mode_1_exit_at_every_kind_of_point() {
    assert_eq!(exits(Trigger::Start, 3).claude().code(), Some(3));
    assert_eq!(exits(Trigger::Eof, 4).claude().code(), Some(4));
    assert_eq!(
        exits(Trigger::AfterMs(1), 5)
            .claude()
            .child
            .wait()
            .unwrap()
            .code(),
        Some(5)
    );
    let mut run = exits(Trigger::Turn(2), 6).claude();
    run.turn("first");
    run.prompt("second");
    assert_eq!(run.code(), Some(6));
    let setup = exits(Trigger::Prompt("now".to_owned()), 7);
    let mut run = setup.claude();
    run.turn("not yet");
    run.prompt("and now");
    assert_eq!(run.code(), Some(7));
    let setup = exits(Trigger::Handshake, 8);
    let mut run = setup.claude();
    run.control(&json!({"subtype": "initialize"}));
    assert_eq!(run.code(), Some(8));
    let mut run = exits(Trigger::Interrupt, 9).claude();
    run.send(
        &json!({"type": "control_request", "request_id": "i", "request": {"subtype": "interrupt"}}),
    );
    assert_eq!(run.code(), Some(9));
    let mut run = Setup::new().claude();
    run.prompt("[[words 2]] [[exit 10]]");
    let (rest, _, status) = run.finish();
    let lines: Vec<Value> = String::from_utf8(rest)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(
        (deltas(&lines).as_str(), status.code()),
        ("word1 word2 ", Some(10))
    );
}

#[test]
fn mode_1_exit_after_an_exact_count_of_lines_or_bytes() {
    let mut run = exits(Trigger::Event(3), 3).claude();
    run.prompt("x");
    let (rest, _, status) = run.finish();
    assert_eq!(
        (
            String::from_utf8(rest).unwrap().lines().count(),
            status.code()
        ),
        (3, Some(3))
    );
    let mut run = exits(Trigger::Byte(1000), 4).claude();
    run.prompt("x");
    let (rest, _, status) = run.finish();
    assert_eq!((rest.len(), status.code()), (1000, Some(4)));
}

#[test]
fn rules_can_be_limited_to_a_process_and_a_shape() {
    let script = Script::new()
        .on(Trigger::Turn(1), [Action::Exit(2)])
        .in_process(2)
        .on(Trigger::Turn(1), [Action::Exit(3)])
        .in_process(3)
        .in_shape(Shape::OneShot);
    let setup = Setup::script(&script);
    let code = |arguments: &[&str]| {
        let mut run = setup.start(arguments);
        run.prompt("x");
        run.code()
    };
    assert_eq!(
        [code(WARM), code(WARM), code(WARM)],
        [Some(0), Some(2), Some(0)]
    );
    let started = starts(setup.state.path()).unwrap();
    assert_eq!(
        started.iter().map(|start| start.number).collect::<Vec<_>>(),
        [1, 2, 3]
    );
    assert_eq!(started[0].arguments, WARM);
}

#[test]
fn modes_2_and_3_die_of_a_signal() {
    for (action, expected) in [
        (Action::Abort, 6),
        (Action::Segv, 11),
        (Action::KillSelf, 9),
    ] {
        let setup = Setup::script(&Script::new().on(Trigger::Turn(1), [action]));
        let mut run = setup.claude();
        run.prompt("x");
        assert_eq!(run.signal(), Some(expected));
    }
}

#[test]
fn mode_4_stops_itself() {
    let mut run = Setup::new().claude();
    run.prompt("[[stop-self]]");
    let (_, status) = waitpid(Pid::from_raw(run.pid()), WaitOptions::UNTRACED)
        .unwrap()
        .unwrap();
    assert!(status.stopped());
    signal(run.pid(), Signal::CONT);
    assert_eq!(answer(&run.until(is_result)), "You said: [[stop-self]]");
}

#[test]
fn mode_5_freezes_in_silence() {
    let script = Script::new()
        .on(Trigger::Byte(100), [Action::Freeze])
        .on(Trigger::AfterMs(1000), [Action::Exit(7)]);
    let mut run = Setup::script(&script).claude();
    run.prompt("x");
    let mut first = [0; 100];
    run.stdout.read_exact(&mut first).unwrap();
    run.send(
        &json!({"type": "control_request", "request_id": "i", "request": {"subtype": "interrupt"}}),
    );
    let (rest, _, status) = run.finish();
    assert_eq!(
        (rest.as_slice(), status.code()),
        (&b""[..], Some(7)),
        "it neither answers nor ends"
    );
}

#[test]
fn mode_6_freezes_after_the_handshake() {
    let setup = Setup::script(
        &Script::new()
            .on(Trigger::Handshake, [Action::Freeze])
            .on(Trigger::AfterMs(1000), [Action::Exit(7)]),
    );
    let mut run = setup.claude();
    run.control(&json!({"subtype": "initialize"}));
    run.prompt("x");
    let (rest, _, status) = run.finish();
    assert_eq!((rest.as_slice(), status.code()), (&b""[..], Some(7)));
}

#[test]
fn mode_7_keeps_a_core_busy() {
    let mut run = Setup::new().claude();
    run.turn("[[spin]]");
    let ticks = || {
        let text = std::fs::read_to_string(format!("/proc/{}/stat", run.pid())).unwrap();
        let fields: Vec<&str> = text
            .rsplit_once(')')
            .unwrap()
            .1
            .split_whitespace()
            .collect();
        fields[11].parse::<u64>().unwrap()
    };
    let start = ticks();
    while ticks() < start + 5 {}
}

#[test]
fn mode_8_takes_memory() {
    let mut run = Setup::new().claude();
    run.turn("[[allocate 64]]");
    let resident = status_line(run.child.id(), "VmRSS:");
    let kilobytes: u64 = resident.trim_end_matches(" kB").parse().unwrap();
    assert!(kilobytes > 64 * 1024, "{kilobytes}");
}

#[test]
fn mode_9_opens_all_descriptors() {
    let setup = Setup::new();
    let mut command = std::process::Command::new("sh");
    command
        .args(["-c", "ulimit -n 64; exec \"$0\" -p '[[open-fds]] [[hang]]'"])
        .arg(setup.command(&[]).get_program());
    let mut child = command.stdin(std::process::Stdio::null()).spawn().unwrap();
    let open = |pid: u32| std::fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count);
    while open(child.id()) < 64 {}
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn mode_10_ignores_signals() {
    let setup = Setup::script(&Script::new().on(Trigger::Handshake, [Action::IgnoreSignals]));
    let mut run = setup.claude();
    run.control(&json!({"subtype": "initialize"}));
    run.turn("wait for the handshake rule");
    for sent in [Signal::TERM, Signal::INT, Signal::HUP] {
        signal(run.pid(), sent);
    }
    assert_eq!(answer(&run.turn("alive")), "You said: alive");
    assert_eq!(run.code(), Some(0));
}

#[test]
fn signals_do_what_the_rule_says_or_what_the_real_agent_does() {
    let setup =
        Setup::script(&Script::new().on(Trigger::Signal(SignalName::Term), [Action::Exit(7)]));
    let code = |setup: &Setup, sent: Signal| {
        let mut run = setup.claude();
        run.turn("x");
        signal(run.pid(), sent);
        run.child.wait().unwrap().code()
    };
    assert_eq!(code(&setup, Signal::TERM), Some(7));
    let real = [Signal::TERM, Signal::HUP, Signal::INT].map(|sent| code(&Setup::new(), sent));
    assert_eq!(real, [Some(143), Some(129), Some(0)]);
    let (mut run, _) = Setup::new().codex();
    signal(run.pid(), Signal::TERM);
    assert_eq!(run.child.wait().unwrap().code(), Some(0));
}

#[test]
fn modes_11_and_12_outlive_the_end_of_stdin() {
    for action in [Action::IgnoreEof, Action::SlowEof(100_000)] {
        let script = Script::new()
            .on(Trigger::Start, [action])
            .on(Trigger::AfterMs(50), [Action::Exit(7)]);
        assert_eq!(Setup::script(&script).claude().code(), Some(7));
    }
    let script = Script::new().on(Trigger::Start, [Action::SlowEof(1)]);
    assert_eq!(Setup::script(&script).claude().code(), Some(0));
}

fn replaced(action: Action) -> (Run, u32) {
    let setup = Setup::script(&Script::new().on(Trigger::Start, [action]));
    let mut run = setup.claude();
    assert_eq!(
        run.child.wait().unwrap().code(),
        Some(0),
        "the first process is gone"
    );
    let said: Value = serde_json::from_str(&answer(&run.turn("[[env]]"))).unwrap();
    let pid = u32::try_from(said["pid"].as_u64().unwrap()).unwrap();
    assert_ne!(pid, run.child.id());
    (run, pid)
}

#[test]
fn mode_13_leaves_the_real_work_to_a_copy() {
    let (run, pid) = replaced(Action::Wrapper);
    assert_eq!(
        stat(pid).unwrap().3,
        stat(std::process::id()).unwrap().3,
        "the session stays"
    );
    run.finish();
}

#[test]
fn mode_14_becomes_a_daemon() {
    let (run, pid) = replaced(Action::Daemonise);
    assert_ne!(
        stat(pid).unwrap().3,
        stat(std::process::id()).unwrap().3,
        "another session"
    );
    run.finish();
}

/// Starts children in a turn and gives their ids.
fn spawned(run: &mut Run, instruction: &str) -> Vec<u32> {
    let said: Value = serde_json::from_str(&answer(&run.turn(instruction))).unwrap();
    serde_json::from_value(said["children"].clone()).unwrap()
}

#[test]
fn mode_15_children_are_of_the_kind_that_was_asked_for() {
    let setup = Setup::new();
    let _cleanup = Cleanup(setup.state.path());
    let mut run = setup.claude();
    let agent = run.child.id();
    let (_, _, group, session) = stat(agent).unwrap();
    let mut one = |kind: &str| spawned(&mut run, &format!("[[children {kind}]]"))[0];
    let plain = one("plain");
    assert_eq!(
        stat(plain).unwrap(),
        (stat(plain).unwrap().0, agent, group, session)
    );
    let pgrp = one("pgrp");
    assert_eq!(
        (stat(pgrp).unwrap().2, stat(pgrp).unwrap().3),
        (pgrp, session)
    );
    let setsid = one("setsid");
    assert_eq!(stat(setsid).unwrap().3, setsid);
    let orphan = one("double-fork");
    assert_ne!(stat(orphan).unwrap().1, agent);
    let clean = one("clean-env");
    assert_eq!(
        std::fs::read(format!("/proc/{clean}/environ")).unwrap(),
        b""
    );
    assert_ne!(
        std::fs::read(format!("/proc/{plain}/environ")).unwrap(),
        b""
    );
    let proof = one("term-proof");
    signal(i32::try_from(proof).unwrap(), Signal::TERM);
    let ignored = u64::from_str_radix(&status_line(proof, "SigIgn:"), 16).unwrap();
    assert_ne!(ignored & (1 << 14), 0, "SIGTERM");
    let kinds: Vec<String> = children(setup.state.path())
        .unwrap()
        .into_iter()
        .map(|child| child.kind)
        .collect();
    assert_eq!(
        kinds,
        [
            "plain",
            "pgrp",
            "setsid",
            "double-fork",
            "clean-env",
            "term-proof"
        ]
    );
    assert_eq!(spawned(&mut run, "[[children plain 3]]").len(), 3);
}

#[test]
fn mode_16_a_child_keeps_a_stream_open() {
    for (stream, descriptor) in [(Stream::Stdin, 0), (Stream::Stdout, 1), (Stream::Stderr, 2)] {
        let setup = Setup::script(&Script::new().on(Trigger::Start, [Action::Hold(stream)]));
        let cleanup = Cleanup(setup.state.path());
        let mut run = setup.claude();
        run.turn("x");
        let child = children(setup.state.path()).unwrap()[0].pid;
        let target = |pid: u32, descriptor: u32| {
            std::fs::read_link(format!("/proc/{pid}/fd/{descriptor}")).unwrap()
        };
        for other in 0..3 {
            let same = target(child, other) == target(run.child.id(), other);
            assert_eq!(
                same,
                other == descriptor,
                "descriptor {other} of {stream:?}"
            );
        }
        drop(cleanup);
    }
}

/// The processes of a session.
fn members(session: u32) -> Vec<u32> {
    let pids = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| stat(*pid).is_some_and(|(state, _, _, sid)| sid == session && state != 'Z'))
        .collect()
}

#[test]
fn mode_17_hops_from_id_to_id_and_ends_by_itself() {
    let setup = Setup::new();
    let mut run = setup.claude();
    let first = spawned(&mut run, "[[hopper 200 2]]")[0];
    let group = Pid::from_raw(i32::try_from(first).unwrap()).unwrap();
    loop {
        // Held still, so that none is gone before its turn in the list comes.
        kill_process_group(group, Signal::STOP).unwrap();
        let held = members(first);
        kill_process_group(group, Signal::CONT).unwrap();
        if held.iter().any(|pid| *pid != first) {
            break;
        }
        // A look may miss it in the middle of a hop, but not each look.
        let ended = held.is_empty() && (0..50).all(|_| members(first).is_empty());
        assert!(!ended, "it ended before it was seen to hop");
    }
    while !members(first).is_empty() {}
}

#[test]
fn mode_18_the_tree_has_the_size_that_was_asked_for_and_never_more_than_256() {
    let setup = Setup::new();
    let _cleanup = Cleanup(setup.state.path());
    let mut run = setup.claude();
    for (wanted, expected) in [(1, 1), (20, 20), (1000, 256)] {
        let mut pids = spawned(&mut run, &format!("[[bomb {wanted}]]"));
        pids.sort_unstable();
        pids.dedup();
        assert_eq!(pids.len(), expected);
        assert!(pids.iter().all(|pid| stat(*pid).is_some()));
    }
}

#[test]
fn actions_that_fit_nowhere_are_refused() {
    let script = Script::new().on(Trigger::Byte(1), [Action::UnknownTypes]);
    assert!(script.write(Path::new(".")).is_err());
    let script = Script::new().on(Trigger::Start, [Action::Say("x".to_owned())]);
    assert!(script.write(Path::new(".")).is_err());
    let children = Script::new().on(Trigger::Byte(1), [Action::Children(ChildKind::Plain, 1)]);
    assert!(children.write(Setup::new().state.path()).is_ok());
}
