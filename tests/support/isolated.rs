//! Runs a test in a process of its own, with the standing checks: when it ends, no process,
//! descriptor or thread is left.
//!
//! The process is a subreaper: whatever escapes from an agent's tree lands on it, also daemons and
//! sessions of their own. That cannot be seen in a process that runs other tests at the same time.

use std::env;
use std::fs;
use std::io::{Read as _, Seek as _};
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use crate::watch::descendants;

const INSIDE: &str = "REMUDA_TEST_ISOLATED";
/// How long things may take to be gone after the test's own end. Not a measure of speed: a leak
/// never goes, and then the test fails.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long a test may run. Not a measure of speed either: one that hangs is to be named, with the
/// processes that it waits for, before somebody kills the whole run.
const LIMIT: Duration = Duration::from_mins(15);

/// Runs the body of the calling test apart from all others.
///
/// # Panics
///
/// If the body panics, or leaves anything behind.
pub fn isolated(body: impl FnOnce()) {
    isolated_with(&[], body);
}

/// Like [`isolated`], with further variables in the environment.
///
/// # Panics
///
/// If the body panics, or leaves anything behind.
#[expect(clippy::print_stdout, reason = "shown only if it is asked for")]
pub fn isolated_with(environment: &[(&str, &str)], body: impl FnOnce()) {
    let thread = std::thread::current();
    let name = thread.name().unwrap_or("main");
    if env::var_os(INSIDE).is_some() || name == "main" {
        return checked(body);
    }
    let test = env::current_exe().expect("the test's own program");
    // A file and not a pipe: a process that was left behind could hold a pipe open for ever.
    let mut said = tempfile::tempfile().expect("a temporary file");
    let copy = || said.try_clone().expect("a descriptor");
    let inside = Command::new(test)
        .args(["--exact", name, "--nocapture", "--include-ignored"])
        .env(INSIDE, "1")
        .envs(environment.iter().copied())
        .stdout(copy())
        .stderr(copy())
        .spawn()
        .expect("the test starts again");
    let status = ended(inside);
    let mut output = String::new();
    said.rewind().expect("a file");
    said.read_to_string(&mut output).expect("text");
    let ran = output.contains("test result: ok. 1 passed");
    match status {
        Ok(status) => assert!(status.success() && ran, "{name}: {status}\n{output}"),
        Err(hung) => panic!("{name} hangs, with {hung:?} below it\n{output}"),
    }
    // What was measured inside, for those who ask to see it.
    print!("{output}");
}

/// How the process ended, or all that ran below it when its time was up.
fn ended(mut inside: Child) -> Result<ExitStatus, Vec<(u32, char, String)>> {
    let start = Instant::now();
    loop {
        if let Some(status) = inside.try_wait().expect("a child") {
            return Ok(status);
        }
        if start.elapsed() > LIMIT {
            let hung = descendants(inside.id());
            let _ = inside.kill();
            let _ = inside.wait();
            return Err(hung);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Like [`isolated`], for a body that is a future.
///
/// # Panics
///
/// If the body panics, or leaves anything behind.
pub fn isolated_async<F: Future<Output = ()>>(body: impl FnOnce() -> F) {
    isolated(|| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(body());
    });
}

fn checked(body: impl FnOnce()) {
    rustix::process::set_child_subreaper(Some(rustix::process::getpid())).expect("a subreaper");
    let (before, threads) = (descriptors(), count("task"));
    body();
    until(
        "processes",
        || descendants(std::process::id()),
        Vec::is_empty,
    );
    until("descriptors", || new_ones(&before), Vec::is_empty);
    until("threads", || count("task"), |now| *now <= threads);
}

/// Waits until what is looked at is as it should be, or fails.
fn until<T: std::fmt::Debug>(what: &str, look: impl Fn() -> T, good: impl Fn(&T) -> bool) {
    let start = Instant::now();
    loop {
        let seen = look();
        if good(&seen) {
            return;
        }
        assert!(start.elapsed() < PATIENCE, "{what} are left: {seen:?}");
        std::thread::yield_now();
    }
}

/// What every open descriptor stands for.
fn descriptors() -> Vec<String> {
    let entries = fs::read_dir("/proc/self/fd").expect("/proc is there");
    let targets = entries
        .flatten()
        .filter_map(|e| fs::read_link(e.path()).ok());
    let targets = targets.map(|t| t.display().to_string());
    // The library keeps the guard's image for as long as it is loaded.
    targets
        .filter(|t| !t.contains("remuda-guard") && !t.starts_with("/proc/"))
        .collect()
}

/// Those that were not there before.
fn new_ones(before: &[String]) -> Vec<String> {
    let mut now = descriptors();
    for old in before {
        if let Some(place) = now.iter().position(|d| d == old) {
            now.swap_remove(place);
        }
    }
    now
}

fn count(kind: &str) -> usize {
    let folder = format!("/proc/self/{kind}");
    // The folder's own descriptor counts each time alike.
    fs::read_dir(folder).expect("/proc is there").count()
}
