//! How trees end, with real processes on Linux.

#![expect(clippy::unwrap_used, reason = "a test may fail")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;

use rustix::process::{Pid, Signal as RawSignal, WaitOptions, kill_process, waitpid};
use tempfile::tempdir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::control::{Control, Owner};
use super::os::sweep;
use super::test_host::{
    alone, crowd, end_of, exit_then_gone, is_alive, parent, shell, spawn, spawn_crowd, stat,
    survivors,
};
use super::tree::{Containment, Exit, Signal, Tree, TreeEvent, TreeRecord};

fn kill_9(pid: u32) {
    kill_process(Pid::from_raw(pid.cast_signed()).unwrap(), RawSignal::KILL).unwrap();
}

#[test]
fn a_kill_ends_the_whole_crowd() {
    alone(|runtime| {
        let register = tempdir().unwrap();
        let tree = spawn_crowd(runtime, crowd(register.path()));
        assert_eq!(survivors(register.path()).len(), 8);
        tree.control.kill();
        assert_eq!(exit_then_gone(runtime, tree).signal, Some(9));
        assert_eq!(survivors(register.path()), []);
    });
}

#[test]
fn the_exit_of_the_agent_ends_the_whole_crowd() {
    alone(|runtime| {
        let register = tempdir().unwrap();
        let mut tree = spawn_crowd(runtime, crowd(register.path()));
        runtime.block_on(tree.stdin.write_all(b"end\n")).unwrap();
        let exit = exit_then_gone(runtime, tree);
        assert_eq!(
            (exit.code, exit.signal, exit.out_of_memory),
            (Some(3), None, false)
        );
        assert!(exit.max_rss_bytes > 0 && !exit.cpu.is_zero(), "{exit:?}");
        assert_eq!(survivors(register.path()), []);
    });
}

#[test]
fn dropping_the_control_ends_the_whole_crowd() {
    alone(|runtime| {
        let register = tempdir().unwrap();
        let tree = spawn_crowd(runtime, crowd(register.path()));
        let Tree {
            control,
            mut stdout,
            ..
        } = tree;
        drop(control);
        // Every process of the crowd holds stdout, so its end is theirs.
        assert_eq!(
            runtime
                .block_on(stdout.read_to_end(&mut Vec::new()))
                .unwrap_or(0),
            0
        );
        while !survivors(register.path()).is_empty() {
            thread::yield_now();
        }
    });
}

#[test]
fn dropping_the_control_needs_no_runtime() {
    alone(|_| {
        let register = tempdir().unwrap();
        let other = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let tree = spawn_crowd(&other, crowd(register.path()));
        drop(other);
        drop(tree);
        while !survivors(register.path()).is_empty() {
            thread::yield_now();
        }
    });
}

#[test]
#[ignore = "it is the host that other tests kill"]
#[expect(
    clippy::print_stdout,
    reason = "the test that kills this process reads it"
)]
fn a_host_that_waits_to_be_killed() {
    let Ok(register) = std::env::var("REMUDA_TEST_REGISTER") else {
        return;
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let tree = spawn_crowd(&runtime, crowd(Path::new(&register)));
    println!(
        "\nrecord {}",
        serde_json::to_string(tree.control.record()).unwrap()
    );
    loop {
        thread::park();
    }
}

/// Starts a host with a crowd. Gives the host, the guard and what would find the crowd.
fn start_host(register: &Path) -> (Child, Pid, TreeRecord) {
    let mut host = Command::new(std::env::current_exe().unwrap())
        .args([
            "process::tree_tests::a_host_that_waits_to_be_killed",
            "--exact",
            "--ignored",
            "--nocapture",
        ])
        .env("REMUDA_TEST_REGISTER", register)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(host.stdout.take().unwrap())
        .lines()
        .map(Result::unwrap);
    let record = lines
        .find_map(|line| Some(line.strip_prefix("record ")?.to_owned()))
        .unwrap();
    let record: TreeRecord = serde_json::from_str(&record).unwrap();
    let guard = Pid::from_raw(parent(record.agent.pid).cast_signed()).unwrap();
    assert_eq!(survivors(register).len(), 8);
    (host, guard, record)
}

#[test]
fn a_killed_host_leaves_nobody_of_the_crowd() {
    alone(|_| {
        for _ in 0..20 {
            let register = tempdir().unwrap();
            let (mut host, guard, _) = start_host(register.path());
            host.kill().unwrap();
            host.wait().unwrap();
            // The guard is adopted by this process, and so would be whomever it left.
            let (_, status) = waitpid(Some(guard), WaitOptions::empty()).unwrap().unwrap();
            assert_eq!(status.exit_status(), Some(0));
            assert_eq!(survivors(register.path()), []);
        }
    });
}

#[test]
fn a_record_finds_what_a_host_and_a_guard_left_that_were_killed_together() {
    alone(|_| {
        let register = tempdir().unwrap();
        let (mut host, guard, record) = start_host(register.path());
        // A host that is stopped cannot sweep, and a guard that is stopped goes on when its host dies.
        let stopped = Pid::from_raw(host.id().cast_signed()).unwrap();
        kill_process(stopped, RawSignal::STOP).unwrap();
        while stat(host.id()).unwrap()[0] != "T" {
            thread::yield_now();
        }
        kill_process(guard, RawSignal::KILL).unwrap();
        host.kill().unwrap();
        host.wait().unwrap();
        waitpid(Some(guard), WaitOptions::empty()).unwrap();
        let other = TreeRecord {
            boot: "another".to_owned(),
            ..record.clone()
        };
        sweep(&other, &[]);
        // The agent dies with the guard.
        while is_alive(record.agent.pid) {
            thread::yield_now();
        }
        assert_eq!(survivors(register.path()).len(), 7);
        sweep(&record, &[]);
        kill_the_only(register.path(), &["cleared"]);
    });
}

/// Those with these names, and no others, must have survived. Kills them.
fn kill_the_only(register: &Path, names: &[&str]) {
    let left = survivors(register);
    assert_eq!(
        left.iter()
            .map(|(_, name)| name.as_str())
            .collect::<Vec<_>>(),
        names
    );
    for (pid, _) in left {
        kill_9(pid);
    }
}

#[test]
fn a_killed_guard_takes_the_agent_along_and_the_rest_is_swept() {
    alone(|runtime| {
        let register = tempdir().unwrap();
        let tree = spawn_crowd(runtime, crowd(register.path()));
        kill_9(parent(tree.pid));
        assert_eq!(exit_then_gone(runtime, tree), Exit::default());
        // The one that only the guard knew.
        kill_the_only(register.path(), &["cleared"]);
    });
}

#[test]
fn without_a_guard_the_group_and_the_marked_are_killed() {
    alone(|runtime| {
        let register = tempdir().unwrap();
        let mut spec = crowd(register.path());
        spec.lowest = Containment::ProcessGroup;
        let mut tree = Tree::spawn_from(spec, runtime.handle(), &[]).unwrap();
        assert_eq!(tree.containment, Containment::ProcessGroup);
        runtime
            .block_on(tree.stdout.read_exact(&mut [0; 6]))
            .unwrap();
        tree.control.kill();
        assert_eq!(
            exit_then_gone(runtime, tree),
            Exit {
                signal: Some(9),
                ..Exit::default()
            }
        );
        kill_the_only(register.path(), &["cleared"]);
    });
}

#[test]
fn every_exit_code_arrives() {
    alone(|runtime| {
        for code in 0..=255 {
            let exit = end_of(runtime, shell(&format!("exit {code}")));
            assert_eq!((exit.code, exit.signal), (Some(code), None));
        }
    });
}

#[test]
fn the_signal_that_killed_the_agent_arrives() {
    alone(|runtime| {
        for number in [9, 11, 15] {
            let exit = end_of(runtime, shell(&format!("kill -{number} $$")));
            assert_eq!((exit.code, exit.signal), (None, Some(number)));
        }
    });
}

#[test]
fn signals_reach_the_agent_or_its_group() {
    alone(|runtime| {
        let said = |tree: &mut Tree| {
            let mut line = [0; 3];
            runtime
                .block_on(tree.stdout.read_exact(&mut line))
                .map(|_| line)
        };
        let script = "trap 'echo int' INT; sh -c 'trap \"echo ter\" TERM; echo one; while :; do sleep 0.01; done' & \
                      while :; do wait; done";
        let mut tree = spawn(runtime, shell(script));
        assert_eq!(&said(&mut tree).unwrap(), b"one");
        runtime
            .block_on(tree.stdout.read_exact(&mut [0; 1]))
            .unwrap();
        tree.control.signal(Signal::Interrupt);
        assert_eq!(&said(&mut tree).unwrap(), b"int");
        runtime
            .block_on(tree.stdout.read_exact(&mut [0; 1]))
            .unwrap();
        tree.control.signal(Signal::Terminate);
        assert_eq!(exit_then_gone(runtime, tree).signal, Some(15));
    });
}

#[test]
fn a_stopped_agent_can_be_killed() {
    alone(|runtime| {
        let mut tree = spawn(runtime, shell("echo up; kill -STOP $$; exit 0"));
        runtime
            .block_on(tree.stdout.read_exact(&mut [0; 3]))
            .unwrap();
        while stat(tree.pid).unwrap()[0] != "T" {
            thread::yield_now();
        }
        tree.control.kill();
        assert_eq!(exit_then_gone(runtime, tree).signal, Some(9));
    });
}

#[test]
fn a_stopped_guard_still_ends_its_tree() {
    alone(|runtime| {
        let mut tree = spawn(runtime, shell("echo up; read line"));
        runtime
            .block_on(tree.stdout.read_exact(&mut [0; 3]))
            .unwrap();
        let guard: u32 = stat(tree.pid).unwrap()[1].parse().unwrap();
        let pid = rustix::process::Pid::from_raw(guard.cast_signed()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::STOP).unwrap();
        while stat(guard).unwrap()[0] != "T" {
            thread::yield_now();
        }
        tree.control.kill();
        assert_eq!(exit_then_gone(runtime, tree).signal, Some(9));
    });
}

#[test]
fn a_guard_that_stays_stopped_is_ended_with_its_whole_crowd() {
    alone(|runtime| {
        let register = tempdir().unwrap();
        let mut tree = spawn_crowd(runtime, crowd(register.path()));
        let guard = parent(tree.pid);
        let pid = rustix::process::Pid::from_raw(guard.cast_signed()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::STOP).unwrap();
        while stat(guard).unwrap()[0] != "T" {
            thread::yield_now();
        }
        // As if it had been told to and were stopped again.
        tree.control.force();
        assert_eq!(exit_then_gone(runtime, tree), Exit::default());
        assert_eq!(survivors(register.path()), []);
        assert!(!is_alive(guard));
    });
}

#[test]
#[expect(clippy::zombie_processes, reason = "the control waits for it")]
fn a_guard_that_does_not_listen_is_ended_with_all_below_it_when_the_control_is_dropped() {
    alone(|runtime| {
        let (ours, its) = std::os::unix::net::UnixStream::pair().unwrap();
        let script = "sleep 1000 & setsid sleep 1000 & \
            env -i /usr/bin/setsid /bin/sleep 1000 & exec sleep 1000";
        let guard = std::process::Command::new("/bin/sh")
            .args(["-c", script])
            .stdin(std::os::fd::OwnedFd::from(its))
            .spawn()
            .unwrap();
        let record = super::os::record(guard.id(), "nobody");
        let guard = super::os::ChildProcess::new(guard.id());
        let owner = Owner::Guard {
            control: ours,
            guard,
        };
        let _entered = runtime.enter();
        drop(Control::new(record, owner).unwrap());
        // That nobody lives on is seen at the end.
    });
}

#[test]
fn an_unfinished_wait_for_an_event_loses_nothing() {
    alone(|runtime| {
        let mut tree = spawn(runtime, shell("read line; exit 5"));
        runtime.block_on(async {
            for _ in 0..100 {
                tokio::select! {
                    biased;
                    event = tree.control.next() => panic!("{event:?}"),
                    () = tokio::task::yield_now() => {}
                }
            }
            tree.stdin.write_all(b"\n").await.unwrap();
            let mut events = Vec::new();
            while events.last() != Some(&TreeEvent::Gone) {
                tokio::select! {
                    biased;
                    event = tree.control.next() => events.push(event),
                    () = tokio::task::yield_now() => {}
                }
            }
            assert!(
                matches!(events[0], TreeEvent::Exited(Exit { code: Some(5), .. })),
                "{events:?}"
            );
            assert_eq!(events.len(), 2);
        });
    });
}

#[test]
fn chains_of_short_lived_processes_are_caught() {
    alone(|runtime| {
        let register = tempdir().unwrap();
        let hop = "n=$((n + 1)); echo > \"$1/$n\"; setsid sh -c \"$0\" \"$0\" \"$1\" & exit 0";
        let mut spec = shell(
            "export n=0; for chain in 1 2 3 4; do sh -c \"$1\" \"$1\" \"$2\" & done; echo; read line",
        );
        spec.args.extend([hop.into(), register.path().into()]);
        let mut tree = spawn(runtime, spec);
        runtime
            .block_on(tree.stdout.read_exact(&mut [0; 1]))
            .unwrap();
        while fs::read_dir(register.path()).unwrap().count() < 20 {
            thread::yield_now();
        }
        tree.control.kill();
        assert_eq!(exit_then_gone(runtime, tree).signal, Some(9));
        let reached = fs::read_dir(register.path()).unwrap().count();
        thread::yield_now();
        assert_eq!(fs::read_dir(register.path()).unwrap().count(), reached);
    });
}

#[test]
fn a_hundred_agents_at_once_all_end() {
    alone(|runtime| {
        let trees: Vec<Tree> = (0..100)
            .map(|_| spawn(runtime, shell("read line; exit 6")))
            .collect();
        let pids: Vec<u32> = trees.iter().map(|tree| tree.pid).collect();
        assert!(pids.iter().all(|pid| is_alive(*pid)));
        for tree in trees {
            tree.control.kill();
            assert_eq!(exit_then_gone(runtime, tree).signal, Some(9));
        }
        assert!(!pids.iter().any(|pid| is_alive(*pid)));
    });
}
