//! A host for tests: a process of its own that adopts orphans and proves at its end that it leaves nothing.

#![expect(clippy::unwrap_used, reason = "a test may fail")]

use std::any::type_name_of_val;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio, abort};
use std::thread;
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{WaitOptions, getpid, set_child_subreaper, wait};
use tokio::io::AsyncReadExt;
use tokio::runtime::{Builder, Runtime};

use super::tree::{Containment, Exit, Tree, TreeEvent, TreeSpec};

const MARK: &str = "REMUDA_TEST_ALONE";
/// Makes the test fail instead of hanging.
const LONGEST: Duration = Duration::from_mins(1);

/// Runs the body of a test in a process of its own, in which it can reap and count as it likes.
pub(crate) fn alone<F: FnOnce(&Runtime)>(body: F) {
    let Ok(host) = std::env::current_exe() else {
        abort()
    };
    alone_by(Command::new(host), body);
}

/// As [`alone`]; the command must execute this program with the arguments that are added to it.
pub(super) fn alone_by<F: FnOnce(&Runtime)>(mut command: Command, body: F) {
    let name = type_name_of_val(&body)
        .trim_start_matches("remuda::")
        .trim_end_matches("::{{closure}}")
        .to_owned();
    if std::env::var(MARK).is_ok_and(|running| running == name) {
        return run(body);
    }
    // Files and not pipes: what a failed test leaves would keep a pipe open.
    let printed = tempfile::NamedTempFile::new().unwrap();
    let file = || printed.as_file().try_clone().unwrap();
    let arguments = [
        &name,
        "--exact",
        "--include-ignored",
        "--nocapture",
        "--test-threads=1",
    ];
    command
        .args(arguments)
        .env(MARK, &name)
        .stdin(Stdio::null())
        .stdout(file())
        .stderr(file());
    let passed = command.status().unwrap().success();
    let printed = fs::read_to_string(printed.path()).unwrap();
    assert!(passed && printed.contains("1 passed"), "{name}: {printed}");
}

fn run(body: impl FnOnce(&Runtime)) {
    thread::spawn(|| {
        thread::sleep(LONGEST);
        abort();
    });
    set_child_subreaper(Some(getpid())).unwrap();
    let runtime = || {
        Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap()
    };
    let first = runtime();
    // What stays open for the next tree is open from now on.
    assert_eq!(end_of(&first, shell("exit 0")).code, Some(0));
    drop(first);
    no_children_left();
    let before = descriptors();
    let second = runtime();
    body(&second);
    drop(second);
    no_children_left();
    // The threads that waited for them close theirs a moment later.
    while descriptors() != before {
        thread::yield_now();
    }
}

/// Waits until this process has no children. Hangs if one lives on.
fn no_children_left() {
    while wait(WaitOptions::empty()).err() != Some(Errno::CHILD) {}
}

fn descriptors() -> BTreeMap<String, String> {
    let entries = fs::read_dir("/proc/self/fd").unwrap().flatten();
    let target = |path: &Path| fs::read_link(path).map(|target| target.display().to_string());
    entries
        .filter_map(|entry| {
            Some((
                entry.file_name().into_string().ok()?,
                target(&entry.path()).ok()?,
            ))
        })
        // The folder that is being read.
        .filter(|(_, target)| !target.contains("/proc/") && !target.ends_with("/fd"))
        .collect()
}

pub(super) fn spec(program: &str, args: &[&str]) -> TreeSpec {
    TreeSpec {
        program: program.into(),
        args: args.iter().map(Into::into).collect(),
        env: vec![("PATH".into(), "/usr/bin:/bin".into())],
        cwd: "/".into(),
        merged: false,
        lowest: Containment::Guard,
    }
}

pub(super) fn shell(script: &str) -> TreeSpec {
    spec("/bin/sh", &["-c", script, "sh"])
}

pub(super) fn spawn(runtime: &Runtime, spec: TreeSpec) -> Tree {
    Tree::spawn(spec, runtime.handle()).unwrap()
}

/// Runs an agent to its end.
pub(super) fn end_of(runtime: &Runtime, spec: TreeSpec) -> Exit {
    let tree = spawn(runtime, spec);
    exit_then_gone(runtime, tree)
}

/// The exit of a tree's agent; nothing else but the end of the tree may come with it.
pub(super) fn exit_then_gone(runtime: &Runtime, mut tree: Tree) -> Exit {
    runtime.block_on(async {
        let TreeEvent::Exited(exit) = tree.control.next().await else {
            panic!("something before the exit")
        };
        assert_eq!(tree.control.next().await, TreeEvent::Gone);
        assert_eq!(tree.control.next().await, TreeEvent::Gone);
        exit
    })
}

/// What an agent prints before it ends.
pub(super) fn output_of(runtime: &Runtime, spec: TreeSpec) -> String {
    let mut tree = spawn(runtime, spec);
    let mut printed = String::new();
    runtime
        .block_on(tree.stdout.read_to_string(&mut printed))
        .unwrap();
    exit_then_gone(runtime, tree);
    printed
}

/// The words of `/proc/<pid>/stat` after the name: state, parent, group, session.
pub(super) fn stat(pid: u32) -> Option<Vec<String>> {
    let line = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    Some(
        line.rsplit(") ")
            .next()?
            .split(' ')
            .map(str::to_owned)
            .collect(),
    )
}

pub(super) fn is_alive(pid: u32) -> bool {
    stat(pid).is_some_and(|words| words[0] != "Z")
}

pub(super) fn parent(pid: u32) -> u32 {
    stat(pid).unwrap()[1].parse().unwrap()
}

/// An agent that starts processes that are hard to find, then says `ready`, then waits for a line and exits with 3.
pub(super) fn crowd(register: &Path) -> TreeSpec {
    let mut spec = shell(
        r#"
        wait_here='echo "$2" > "$1/.$$"; mv "$1/.$$" "$1/$$"; exec sleep 1000'
        sh -c "$wait_here" sh "$1" plain &
        set -m; sh -c "$wait_here" sh "$1" group & set +m
        setsid sh -c "$wait_here" sh "$1" session &
        (setsid sh -c "$wait_here" sh "$1" daemon &)
        (env -i /usr/bin/setsid /bin/sh -c "$wait_here" sh "$1" cleared &)
        sh -c "trap '' TERM INT HUP; $wait_here" sh "$1" deaf &
        sh -c 'sh -c "$0" sh "$1" grandchild & wait' "$wait_here" "$1" &
        echo agent > "$1/$$"
        while [ $(ls "$1" | wc -l) -lt 8 ]; do sleep 0.01; done
        echo ready
        read line
        exit 3
        "#,
    );
    spec.args.push(register.into());
    spec
}

/// The processes of a crowd: pid and name.
pub(super) fn registered(register: &Path) -> Vec<(u32, String)> {
    let entries = fs::read_dir(register).unwrap().flatten();
    entries
        .map(|entry| {
            let name = fs::read_to_string(entry.path()).unwrap().trim().to_owned();
            (entry.file_name().to_str().unwrap().parse().unwrap(), name)
        })
        .collect()
}

/// Those of a crowd that live.
pub(super) fn survivors(register: &Path) -> Vec<(u32, String)> {
    let all = registered(register);
    assert_eq!(all.len(), 8, "{all:?}");
    all.into_iter().filter(|(pid, _)| is_alive(*pid)).collect()
}

/// Starts a crowd and returns when it is complete.
pub(super) fn spawn_crowd(runtime: &Runtime, spec: TreeSpec) -> Tree {
    let mut tree = spawn(runtime, spec);
    let mut line = [0; 6];
    runtime.block_on(tree.stdout.read_exact(&mut line)).unwrap();
    assert_eq!(&line, b"ready\n");
    tree
}
