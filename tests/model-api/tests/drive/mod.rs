//! Starts a real agent and speaks lines of JSON with it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;

/// No step of a healthy agent takes nearly as long.
pub(crate) const LIMIT: Duration = Duration::from_mins(1);

/// A running agent. Dropping it kills it.
pub(crate) struct Agent {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<Value>,
    stderr: Option<JoinHandle<String>>,
    /// Every line so far.
    pub(crate) seen: Vec<Value>,
}

impl Agent {
    /// Starts `program` in `folder` with nothing but `env`.
    pub(crate) fn start(
        program: &Path,
        arguments: &[&str],
        env: Vec<(String, String)>,
        folder: &Path,
    ) -> Self {
        let mut child = Command::new(program)
            .args(arguments)
            .env_clear()
            .envs(env)
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the agent starts");
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().expect("piped");
        let mut stderr = child.stderr.take().expect("piped");
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let value = serde_json::from_str(&line);
                // What is no JSON object is for people; the test has gone on an error.
                if value.is_ok_and(|value| sender.send(value).is_err()) {
                    return;
                }
            }
        });
        let stderr = std::thread::spawn(move || {
            let mut text = Vec::new();
            let _ = stderr.read_to_end(&mut text);
            String::from_utf8_lossy(&text).into_owned()
        });
        Self {
            child,
            stdin,
            lines,
            stderr: Some(stderr),
            seen: Vec::new(),
        }
    }

    /// Writes one line.
    pub(crate) fn send(&mut self, line: &Value) {
        self.write(&line.to_string());
    }

    /// Writes one line that is not JSON.
    pub(crate) fn write(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().expect("stdin is open");
        writeln!(stdin, "{line}").expect("the agent reads");
        stdin.flush().expect("the agent reads");
    }

    /// Reads until a line for which `wanted` is true, and returns it.
    pub(crate) fn until(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        let end = Instant::now() + LIMIT;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let Ok(line) = self.lines.recv_timeout(left) else {
                self.fail();
            };
            self.seen.push(line.clone());
            if wanted(&line) {
                return line;
            }
        }
    }

    fn fail(&mut self) -> ! {
        let _ = self.child.kill();
        let stderr = self.stderr.take().map(JoinHandle::join);
        let last: Vec<String> = self.seen.iter().rev().take(5).map(cut).collect();
        panic!("no such line; the last ones: {last:#?}; stderr: {stderr:?}");
    }

    /// Closes stdin, reads to the end, and returns how the agent ended.
    pub(crate) fn finish(&mut self) -> ExitStatus {
        self.stdin = None;
        let end = Instant::now() + LIMIT;
        while let Ok(line) = self
            .lines
            .recv_timeout(end.saturating_duration_since(Instant::now()))
        {
            self.seen.push(line);
        }
        assert!(Instant::now() < end, "the agent does not end");
        self.child.wait().expect("a child of ours")
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn cut(line: &Value) -> String {
    line.to_string().chars().take(400).collect()
}

/// A private home and a project folder, gone with the value.
pub(crate) struct Place {
    _root: tempfile::TempDir,
    pub(crate) home: PathBuf,
    pub(crate) project: PathBuf,
}

impl Place {
    pub(crate) fn new() -> Self {
        let root = tempfile::tempdir().expect("a folder");
        let (home, project) = (root.path().join("home"), root.path().join("project"));
        for folder in [&home, &project] {
            std::fs::create_dir(folder).expect("a folder");
        }
        Self {
            _root: root,
            home,
            project,
        }
    }
}
