//! Trees of real processes, on Linux.

#![expect(clippy::unwrap_used, reason = "a test may fail")]

use std::fs;
use std::io::{self, BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::SystemTime;

use rustix::process::{Pid, Signal as RawSignal, WaitOptions, kill_process, wait, waitpid};
use tempfile::tempdir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::guard_image::Place;
use super::os::sweep;
use super::test_host::{
    alone, alone_by, crowd, end_of, exit_then_gone, is_alive, output_of, parent, shell, spawn,
    spawn_crowd, spec, stat, survivors,
};
use super::tree::{Containment, Exit, Signal, SpawnError, Tree, TreeEvent, TreeRecord};

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
        kill_process(guard, RawSignal::STOP).unwrap();
        host.kill().unwrap();
        host.wait().unwrap();
        kill_process(guard, RawSignal::KILL).unwrap();
        waitpid(Some(guard), WaitOptions::empty()).unwrap();
        sweep(&TreeRecord {
            boot: "another".to_owned(),
            ..record.clone()
        });
        // The agent dies with the guard.
        while is_alive(record.agent.pid) {
            thread::yield_now();
        }
        assert_eq!(survivors(register.path()).len(), 7);
        sweep(&record);
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
fn without_a_guard_nothing_starts_unless_that_is_allowed() {
    alone(|runtime| {
        for places in [vec![], vec![Place::Folder("/proc".into())]] {
            let error = Tree::spawn_from(shell("exit 0"), runtime.handle(), &places).unwrap_err();
            assert!(
                matches!(error, SpawnError::GuardUnavailable { .. }),
                "{error}"
            );
        }
    });
}

#[test]
fn the_guard_runs_from_every_place() {
    alone(|runtime| {
        let folder = tempdir().unwrap();
        for place in [Place::Memory, Place::Folder(folder.path().to_owned())] {
            // The first does not work.
            let places = [Place::Folder("/proc".into()), place];
            let tree = Tree::spawn_from(shell("exit 4"), runtime.handle(), &places).unwrap();
            assert_eq!(tree.containment, Containment::Guard);
            assert_eq!(exit_then_gone(runtime, tree).code, Some(4));
        }
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
fn exit_codes_arrive_although_the_host_takes_all_statuses() {
    alone(|runtime| {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thief = thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                if wait(WaitOptions::empty()).is_err() {
                    thread::yield_now();
                }
            }
        });
        for code in 0..50 {
            assert_eq!(
                end_of(runtime, shell(&format!("exit {code}"))).code,
                Some(code)
            );
        }
        stop.store(true, Ordering::Relaxed);
        thief.join().unwrap();
    });
}

#[test]
fn signal_settings_of_the_host_do_not_reach_the_agent() {
    let launcher = "import os, signal, sys
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
signal.signal(signal.SIGINT, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGUSR1])
os.execv(sys.argv[1], sys.argv[1:])";
    let mut command = Command::new("/usr/bin/python3");
    command
        .args(["-c", launcher])
        .arg(std::env::current_exe().unwrap());
    alone_by(command, |runtime| {
        let own = fs::read_to_string("/proc/thread-self/status").unwrap();
        let words = |name| {
            own.lines()
                .find_map(|line: &str| line.strip_prefix(name))
                .unwrap()
        };
        assert_ne!(
            words("SigBlk:\t"),
            "0000000000000000",
            "the test tests nothing"
        );
        assert_ne!(
            words("SigIgn:\t"),
            "0000000000000000",
            "the test tests nothing"
        );
        let printed = output_of(
            runtime,
            spec(
                "/usr/bin/grep",
                &["-E", "SigBlk|SigIgn", "/proc/self/status"],
            ),
        );
        assert_eq!(
            printed,
            "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n"
        );
        assert_eq!(end_of(runtime, shell("exit 7")).code, Some(7));
        let tree = spawn(runtime, shell("exec sleep 1000"));
        tree.control.signal(Signal::Terminate);
        assert_eq!(exit_then_gone(runtime, tree).signal, Some(15));
    });
}

#[test]
fn the_environment_is_exactly_what_was_asked_and_the_cookie() {
    alone(|runtime| {
        let mut spec = spec("/usr/bin/env", &["-0"]);
        spec.env = vec![
            ("ONE".into(), "a\nb=c".into()),
            ("EMPTY".into(), "".into()),
            ("REMUDA_TREE".into(), "x".into()),
        ];
        let printed = output_of(runtime, spec);
        let mut lines: Vec<&str> = printed.split_terminator('\0').collect();
        let cookie = lines.pop().unwrap().strip_prefix("REMUDA_TREE=").unwrap();
        assert_eq!(lines, ["ONE=a\nb=c", "EMPTY="]);
        assert_eq!(cookie.len(), 32, "{cookie}");
    });
}

#[test]
fn arguments_of_megabytes_arrive_and_too_many_are_refused() {
    alone(|runtime| {
        // One string may have 128 KiB.
        let mut large = shell("echo $# ${#1}; shift 15; echo ${#1}");
        large
            .args
            .extend((0..16).map(|_| "x".repeat(100_000).into()));
        assert_eq!(output_of(runtime, large), "16 100000\n100000\n");
        let mut larger = shell("exit 0");
        larger
            .args
            .extend((0..160).map(|_| "x".repeat(100_000).into()));
        let error = Tree::spawn(larger, runtime.handle()).unwrap_err();
        let SpawnError::System { source, .. } = error else {
            panic!("{error}")
        };
        assert_eq!(source.kind(), io::ErrorKind::ArgumentListTooLong);
        let error = Tree::spawn(spec("/bin/sh", &["a\0b"]), runtime.handle()).unwrap_err();
        let SpawnError::System { source, .. } = error else {
            panic!("{error}")
        };
        assert_eq!(source.kind(), io::ErrorKind::InvalidInput);
    });
}

#[test]
fn the_agent_has_three_sockets_and_no_other_descriptor() {
    alone(|runtime| {
        // One that the host forgot to mark as private.
        let leaked = rustix::io::dup(io::stdin()).unwrap();
        let printed = output_of(runtime, shell("exec readlink /proc/$$/fd/*"));
        drop(leaked);
        let kinds: Vec<&str> = printed
            .lines()
            .map(|line| line.split('[').next().unwrap())
            .collect();
        assert_eq!(kinds, ["socket:", "socket:", "socket:"]);
    });
}

#[test]
fn the_agent_leads_a_session_and_is_the_first_to_go_when_memory_is_short() {
    alone(|runtime| {
        let before = SystemTime::now();
        let tree = spawn(runtime, shell("read line"));
        assert!(tree.started_at >= before);
        let words = stat(tree.pid).unwrap();
        let pid = tree.pid.to_string();
        assert_eq!((&words[2], &words[3]), (&pid, &pid));
        let score = fs::read_to_string(format!("/proc/{pid}/oom_score_adj")).unwrap();
        assert!(score.trim().parse::<i32>().unwrap() >= 300, "{score}");
        let limits = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
        let cores = limits
            .lines()
            .find(|line| line.starts_with("Max core file size"))
            .unwrap();
        assert_eq!(cores.split_ascii_whitespace().nth(4), Some("0"));
        // The end of stdin lets it end.
        let Tree {
            mut stdin,
            control,
            stdout,
            stderr,
            ..
        } = tree;
        runtime.block_on(stdin.shutdown()).unwrap();
        let mut control = control;
        let event = runtime.block_on(control.next());
        assert!(
            matches!(event, TreeEvent::Exited(Exit { code: Some(1), .. })),
            "{event:?}"
        );
        drop((stdout, stderr));
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
        tree.control.signal_group(Signal::Terminate);
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
fn why_an_agent_did_not_start_is_told_at_either_level() {
    alone(|runtime| {
        let folder = tempdir().unwrap();
        let write = |name: &str, mode| {
            let path = folder.path().join(name);
            fs::write(&path, "no program").unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            path
        };
        let (plain, garbage) = (write("plain", 0o644), write("garbage", 0o755));
        for places in [Place::usual(), vec![]] {
            let fails = |program: &Path, cwd: &Path| {
                let mut spec = spec("", &[]);
                spec.program = program.to_owned();
                spec.cwd = cwd.to_owned();
                spec.lowest = Containment::ProcessGroup;
                Tree::spawn_from(spec, runtime.handle(), &places).unwrap_err()
            };
            let root = Path::new("/");
            let error = fails(&folder.path().join("missing"), root);
            assert!(matches!(error, SpawnError::NotFound { .. }), "{error}");
            for (program, errno) in [
                (plain.as_path(), 13),
                (folder.path(), 13),
                (garbage.as_path(), 8),
            ] {
                let error = fails(program, root);
                let SpawnError::NotExecutable { source, .. } = error else {
                    panic!("{error}")
                };
                assert_eq!(source.raw_os_error(), Some(errno));
            }
            for (cwd, kind) in [
                (folder.path().join("missing"), io::ErrorKind::NotFound),
                (plain.clone(), io::ErrorKind::NotADirectory),
            ] {
                let error = fails(Path::new("/bin/sh"), &cwd);
                let SpawnError::Directory { source, .. } = error else {
                    panic!("{error}")
                };
                assert_eq!(source.kind(), kind);
            }
        }
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
