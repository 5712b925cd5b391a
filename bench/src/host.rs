//! One run of one host: what it is given, and what it prints.
//!
//! Every host, in whatever language, is a program of its own with the same arguments behind its own words:
//!
//! ```text
//! warm|each PROVIDER AGENT FOLDER SESSIONS TURNS PROMPT
//! ```
//!
//! It opens that many sessions with that agent. `warm`: each session plays one short turn, and only then the measurement
//! begins. `each`: every turn has a process of its own, and all of it is measured. Each session plays its turns one after
//! the other, all sessions at the same time. Then the host prints one JSON object with the numbers of [`Sample`], and ends.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde::Deserialize;

/// How long one run may take. No measure: what hangs is ended and said.
const LONGEST: Duration = Duration::from_mins(3);

/// What a run printed: CPU time and wall time of the measured part in µs, pieces of text and their bytes, the largest and
/// the added memory in KiB, medians per turn, and latencies in µs.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Sample {
    pub cpu_us: f64,
    pub wall_us: f64,
    pub events: f64,
    pub bytes: f64,
    pub peak_kb: f64,
    pub idle_kb: f64,
    pub first_us: f64,
    pub end_us: f64,
    pub p50_us: f64,
    pub p99_us: f64,
    pub max_us: f64,
}

impl Sample {
    /// Its numbers by name.
    pub(crate) fn numbers(&self) -> [(&'static str, f64); 11] {
        [
            ("cpu_us", self.cpu_us),
            ("wall_us", self.wall_us),
            ("events", self.events),
            ("bytes", self.bytes),
            ("peak_kb", self.peak_kb),
            ("idle_kb", self.idle_kb),
            ("first_us", self.first_us),
            ("end_us", self.end_us),
            ("p50_us", self.p50_us),
            ("p99_us", self.p99_us),
            ("max_us", self.max_us),
        ]
    }
}

/// A program that is measured.
#[derive(Clone, Debug)]
pub(crate) struct Host {
    /// How it is called in tables.
    pub name: &'static str,
    pub program: PathBuf,
    /// Its own words, before those that all take.
    pub words: Vec<String>,
    pub env: BTreeMap<String, String>,
}

/// What a host is to do.
#[derive(Clone, Debug)]
pub(crate) struct Task {
    pub warm: bool,
    pub provider: &'static str,
    pub agent: PathBuf,
    pub sessions: u32,
    pub turns: u32,
    pub prompt: String,
    /// Variables for the agent, of which its login is a part.
    pub env: BTreeMap<String, String>,
}

impl Host {
    /// Runs it once.
    ///
    /// # Errors
    ///
    /// What went wrong, with the last of what it said.
    pub(crate) fn run(&self, task: &Task, folder: &Path) -> Result<Sample, String> {
        let mut command = Command::new(&self.program);
        command
            .args(&self.words)
            .arg(if task.warm { "warm" } else { "each" })
            .arg(task.provider)
            .arg(&task.agent)
            .arg(folder)
            .args([task.sessions, task.turns].map(|number| number.to_string()))
            .arg(&task.prompt)
            .envs(&self.env)
            .envs(&task.env)
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        // A file and not a pipe: nobody reads it before the end.
        let said = folder.join("stderr");
        let file = std::fs::File::create(&said).map_err(|why| why.to_string())?;
        command.stderr(file);
        let fail = |why: String| {
            let said = std::fs::read_to_string(&said).unwrap_or_default();
            let tail: Vec<_> = said.lines().rev().take(6).collect();
            let tail: Vec<_> = tail.into_iter().rev().collect();
            format!("{}: {why}\n{}", self.name, tail.join("\n"))
        };
        let child = command.spawn().map_err(|why| fail(why.to_string()))?;
        let printed = ended(child).map_err(fail)?;
        let line = printed.lines().rev().find(|line| line.starts_with('{'));
        let line = line.ok_or_else(|| fail(format!("it printed {printed:?}")))?;
        serde_json::from_str(line).map_err(|why| fail(format!("{line}: {why}")))
    }
}

/// What it printed, once it has ended well.
fn ended(mut child: Child) -> Result<String, String> {
    let start = Instant::now();
    // One line, which a pipe holds.
    let status = loop {
        if let Some(status) = child.try_wait().map_err(|why| why.to_string())? {
            break status;
        }
        if start.elapsed() > LONGEST {
            let _ = child.kill();
            let _ = child.wait();
            return Err(format!("no end after {} s", LONGEST.as_secs()));
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let mut printed = String::new();
    if let Some(mut stdout) = child.stdout.take() {
        stdout
            .read_to_string(&mut printed)
            .map_err(|why| why.to_string())?;
    }
    if status.success() {
        Ok(printed)
    } else {
        Err(status.to_string())
    }
}
