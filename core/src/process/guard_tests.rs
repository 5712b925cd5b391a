//! The guard against hosts that do not behave.

#![expect(clippy::unwrap_used, reason = "a test may fail")]

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use remuda_guard::protocol::{Command as Order, Ending, HEADER_LEN, REPLY_LEN, Reply, Step};
use rustix::net::Shutdown;
use rustix::process::{Pid, Signal as RawSignal, kill_process};

use super::guard_image::{GuardImage, Place};
use super::guarded::{Message, execute, streams};
use super::os::ChildProcess;
use super::test_host::{alone, is_alive, shell, spec, stat};
use super::tree::TreeSpec;

fn guard() -> (UnixStream, ChildProcess) {
    let image = GuardImage::obtain(&Place::Memory).unwrap();
    let (ours, its) = UnixStream::pair().unwrap();
    (ours, execute(&image, its).unwrap())
}

fn start(spec: &TreeSpec) -> (UnixStream, ChildProcess) {
    let (control, guard) = guard();
    Message::new(spec)
        .unwrap()
        .send(&control, &streams(false).unwrap().1)
        .unwrap();
    (control, guard)
}

fn reply(control: &UnixStream) -> Reply {
    let (mut bytes, mut reader) = ([0; REPLY_LEN], control);
    reader.read_exact(&mut bytes).unwrap();
    Reply::decode(&bytes).unwrap()
}

fn started(control: &UnixStream) -> u32 {
    let Reply::Started { pid } = reply(control) else {
        panic!("not started")
    };
    pid
}

/// What is wrong with a start message.
#[derive(Clone, Debug)]
enum Fault {
    Bytes(Vec<u8>),
    Cut(usize),
    Flipped(usize, u8),
    NoDescriptors,
    Twice,
    Trailing(Vec<u8>),
}

fn faults() -> impl Strategy<Value = Fault> {
    prop_oneof![
        vec(any::<u8>(), 0..200).prop_map(Fault::Bytes),
        (0..80usize).prop_map(Fault::Cut),
        (0..HEADER_LEN + 40, 1..=255u8).prop_map(|(at, bits)| Fault::Flipped(at, bits)),
        Just(Fault::NoDescriptors),
        Just(Fault::Twice),
        vec(any::<u8>(), 1..40).prop_map(Fault::Trailing),
    ]
}

fn send_wrongly(control: &UnixStream, fault: &Fault) {
    let mut message = Message::new(&shell("sleep 1000")).unwrap();
    let whole = |message: &Message| [message.header.as_slice(), &message.strings].concat();
    let (_ours, stdio) = streams(false).unwrap();
    let mut writer = control;
    // The guard may have refused it before the end.
    let _refused = match fault {
        Fault::Bytes(bytes) => writer.write_all(bytes),
        Fault::Cut(len) => writer.write_all(whole(&message).get(..*len).unwrap_or_default()),
        Fault::NoDescriptors => writer.write_all(&whole(&message)),
        Fault::Flipped(at, bits) => {
            match at.checked_sub(HEADER_LEN) {
                None => message.header[*at] ^= bits,
                Some(at) => message.strings[at] ^= bits,
            }
            message.send(control, &stdio)
        }
        Fault::Twice => message
            .send(control, &stdio)
            .and_then(|()| message.send(control, &stdio)),
        Fault::Trailing(bytes) => message
            .send(control, &stdio)
            .and_then(|()| writer.write_all(bytes)),
    };
}

#[test]
fn no_start_message_makes_the_guard_hang_or_leave_anything() {
    alone(|_| {
        let mut runner = TestRunner::new(Config {
            cases: 300,
            failure_persistence: None,
            ..Config::default()
        });
        let property = |fault| {
            let (control, guard) = guard();
            send_wrongly(&control, &fault);
            // It may have refused the message and be gone.
            let _gone = rustix::net::shutdown(&control, Shutdown::Write);
            let code = guard.wait();
            prop_assert!(matches!(code, Some(0 | 1)), "{code:?}");
            Ok(())
        };
        runner.run(&faults(), property).unwrap();
    });
}

#[test]
fn a_message_for_another_host_is_refused() {
    alone(|_| {
        let (control, guard) = guard();
        let mut message = Message::new(&shell("exit 0")).unwrap();
        message.header[8] ^= 1;
        message.send(&control, &streams(false).unwrap().1).unwrap();
        assert_eq!(
            reply(&control),
            Reply::Failed {
                step: Step::Message,
                errno: 22
            }
        );
        assert_eq!(reply(&control), Reply::Gone);
        assert_eq!(guard.wait(), Some(1));
    });
}

#[test]
fn a_command_that_does_not_exist_ends_the_tree() {
    alone(|_| {
        let (mut control, guard) = start(&shell("sleep 1000"));
        started(&control);
        control.write_all(b"nonsense").unwrap();
        let Reply::Exited(Ending {
            signal: Some(9), ..
        }) = reply(&control)
        else {
            panic!("not killed")
        };
        assert_eq!(reply(&control), Reply::Gone);
        assert_eq!(guard.wait(), Some(0));
    });
}

#[test]
fn a_command_may_come_byte_by_byte() {
    alone(|_| {
        let (mut control, guard) = start(&shell("sleep 1000"));
        started(&control);
        for byte in Order::Signal(15).encode() {
            control.write_all(&[byte]).unwrap();
            thread::yield_now();
        }
        let Reply::Exited(Ending {
            signal: Some(15), ..
        }) = reply(&control)
        else {
            panic!("not terminated")
        };
        assert_eq!(reply(&control), Reply::Gone);
        guard.wait();
    });
}

#[test]
fn a_host_that_never_reads_gets_its_tree_killed_all_the_same() {
    alone(|_| {
        let (mut control, guard) = start(&shell("sleep 1000 & exec sleep 1000"));
        // Only to know whom to look at.
        let agent = started(&control);
        control.write_all(&Order::Kill.encode()).unwrap();
        // All that the guard has to say fits, so it can go.
        assert_eq!(guard.wait(), Some(0));
        assert!(!is_alive(agent));
    });
}

/// A control group of its own, of the first version. Only the privileged can make one.
struct Group(PathBuf);

impl Group {
    fn new(controller: &str) -> Self {
        let folder = format!(
            "/sys/fs/cgroup/{controller}/remuda-test-{}",
            std::process::id()
        );
        fs::create_dir(&folder).unwrap();
        Self(folder.into())
    }

    fn set(&self, file: &str, value: &str) {
        fs::write(self.0.join(file), value).unwrap();
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _busy = fs::remove_dir(&self.0);
    }
}

#[test]
#[ignore = "needs the right to make control groups"]
fn a_process_that_does_not_die_is_named_and_the_rest_waits_for_it() {
    alone(|_| {
        let freezer = Group::new("freezer");
        let (mut control, guard) = start(&shell("exec sleep 1000"));
        let agent = started(&control);
        freezer.set("cgroup.procs", &agent.to_string());
        freezer.set("freezer.state", "FROZEN");
        while fs::read_to_string(freezer.0.join("freezer.state")).unwrap() != "FROZEN\n" {
            thread::yield_now();
        }
        control.write_all(&Order::Kill.encode()).unwrap();
        let Reply::Left(pids) = reply(&control) else {
            panic!("not named")
        };
        assert_eq!(
            pids.into_iter().filter(|pid| *pid != 0).collect::<Vec<_>>(),
            [agent]
        );
        freezer.set("freezer.state", "THAWED");
        let Reply::Exited(Ending {
            signal: Some(9), ..
        }) = reply(&control)
        else {
            panic!("not killed")
        };
        assert_eq!(reply(&control), Reply::Gone);
        assert_eq!(guard.wait(), Some(0));
    });
}

#[test]
#[ignore = "needs the right to make control groups"]
fn an_agent_that_ran_out_of_memory_is_told_from_one_that_was_killed() {
    alone(|_| {
        let memory = Group::new("memory");
        memory.set("memory.limit_in_bytes", "60000000");
        let hungry = "import os; os.read(0, 1); x = [bytes(range(256)) * 4096 for _ in range(100)]";
        for (input, out_of_memory) in [(true, true), (false, false)] {
            let (control, guard) = guard();
            // Its counter is that of the group in which it starts the agent.
            memory.set("cgroup.procs", &guard.pid().as_raw_nonzero().to_string());
            let (mut ours, its) = streams(false).unwrap();
            let message = Message::new(&spec("/usr/bin/python3", &["-c", hungry])).unwrap();
            message.send(&control, &its).unwrap();
            let agent = started(&control);
            if input {
                ours[0].write_all(b"x").unwrap();
            } else {
                kill_process(Pid::from_raw(agent.cast_signed()).unwrap(), RawSignal::KILL).unwrap();
            }
            let Reply::Exited(ending) = reply(&control) else {
                panic!("not ended")
            };
            assert_eq!(
                (ending.signal, ending.out_of_memory),
                (Some(9), out_of_memory)
            );
            guard.wait();
        }
    });
}

#[test]
fn a_copy_of_the_socket_does_not_hide_the_death_of_the_host() {
    // A host that starts a guard by hand, lends its socket to a child that lives on, and is killed.
    let host = r"
import array, os, socket, struct, subprocess, sys, time
ours, its = socket.socketpair()
guard = subprocess.Popen([sys.argv[1]], stdin=its)
its.close()
strings = b'/bin/sh\0/\0sh\0-c\0sleep 1000 & exec sleep 1000\0'
header = struct.pack('<4sB3xIIII', b'rmda', 1, os.getpid(), 3, 0, len(strings))
stdio = socket.socketpair()[0]
ours.sendmsg([header], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [stdio.fileno()] * 3))])
ours.sendall(strings)
reply = ours.recv(64)
agent, = struct.unpack('<I', reply[8:12])
if os.fork() == 0:
    time.sleep(1000)
print(agent, guard.pid, flush=True)
time.sleep(1000)
";
    let body = move |_: &tokio::runtime::Runtime| {
        let folder = tempfile::tempdir().unwrap();
        let image = GuardImage::obtain(&Place::Folder(folder.path().to_owned())).unwrap();
        let mut host = Command::new("/usr/bin/python3")
            .args(["-c", host])
            .arg(image.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        std::io::BufRead::read_line(
            &mut std::io::BufReader::new(host.stdout.take().unwrap()),
            &mut line,
        )
        .unwrap();
        let pids: Vec<u32> = line
            .split_whitespace()
            .map(|word| word.parse().unwrap())
            .collect();
        let (agent, guard) = (pids[0], pids[1]);
        let children =
            fs::read_to_string(format!("/proc/{0}/task/{0}/children", host.id())).unwrap();
        let copy = children
            .split_whitespace()
            .map(|pid| pid.parse().unwrap())
            .find(|pid| *pid != guard)
            .unwrap();
        host.kill().unwrap();
        host.wait().unwrap();
        let raw = |pid: u32| Pid::from_raw(pid.cast_signed()).unwrap();
        let (_, status) =
            rustix::process::waitpid(Some(raw(guard)), rustix::process::WaitOptions::empty())
                .unwrap()
                .unwrap();
        assert_eq!(status.exit_status(), Some(0));
        assert!(!is_alive(agent) && is_alive(copy));
        kill_process(raw(copy), RawSignal::KILL).unwrap();
    };
    alone(body);
}

#[test]
fn only_sigkill_and_sigstop_reach_the_guard() {
    alone(|_| {
        let (control, guard) = start(&shell("exec sleep 1000"));
        let agent = started(&control);
        for number in [
            RawSignal::TERM,
            RawSignal::INT,
            RawSignal::HUP,
            RawSignal::USR1,
            RawSignal::PIPE,
        ] {
            kill_process(guard.pid(), number).unwrap();
        }
        let mut writer = &control;
        writer.write_all(&Order::Signal(15).encode()).unwrap();
        let Reply::Exited(Ending {
            signal: Some(15), ..
        }) = reply(&control)
        else {
            panic!("not terminated")
        };
        assert_eq!(reply(&control), Reply::Gone);
        assert_eq!(guard.wait(), Some(0));
        assert!(!is_alive(agent));
    });
}

#[test]
fn the_guard_holds_no_copy_of_the_agents_streams() {
    alone(|_| {
        let (control, guard) = start(&shell("exec sleep 1000"));
        started(&control);
        let folder = format!("/proc/{}/fd", guard.pid().as_raw_nonzero());
        // The privileged may look.
        if let Ok(entries) = fs::read_dir(folder) {
            let targets = entries
                .flatten()
                .filter_map(|entry| fs::read_link(entry.path()).ok());
            assert_eq!(
                targets
                    .filter(|target| target.to_string_lossy().starts_with("socket:"))
                    .count(),
                1
            );
        }
        drop(control);
        assert_eq!(guard.wait(), Some(0));
    });
}

#[test]
fn an_orphan_that_ends_is_taken_away_while_the_agent_runs() {
    alone(|_| {
        let (control, guard) = start(&shell("(sh -c 'exit 0' &) ; exec sleep 1000"));
        let agent = started(&control);
        let own = guard.pid().as_raw_nonzero();
        let children = || fs::read_to_string(format!("/proc/{own}/task/{own}/children")).unwrap();
        // The shell is replaced once its orphan is the guard's.
        while stat(agent)
            .is_some_and(|_| fs::read(format!("/proc/{agent}/comm")).unwrap() != b"sleep\n")
        {
            thread::yield_now();
        }
        while children().trim() != agent.to_string() {
            thread::yield_now();
        }
        drop(control);
        guard.wait();
    });
}
