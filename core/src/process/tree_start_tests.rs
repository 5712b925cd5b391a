//! What an agent finds when it starts, and why it does not start, with real processes on Linux.

#![expect(clippy::unwrap_used, reason = "a test may fail")]

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use rustix::process::{WaitOptions, wait};
use tempfile::tempdir;
use tokio::io::AsyncWriteExt;

use super::guard_image::Place;
use super::test_host::{
    alone, alone_by, end_of, exit_then_gone, output_of, shell, spawn, spec, stat,
};
use super::tree::{Containment, Exit, Signal, SpawnError, Tree, TreeEvent};

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
        let tree = spawn(runtime, shell("read line"));
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
