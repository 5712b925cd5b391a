//! What a test reads back: the binary's path and the records in the state directory.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// One start of the agent, in `starts.jsonl`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartRecord {
    /// Counted from 1 over all processes with this state directory.
    pub number: u64,
    /// Its process id.
    pub pid: u32,
    /// Its arguments without the program.
    pub arguments: Vec<String>,
}

/// One child that the agent started on request, in `children.jsonl`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChildRecord {
    /// Its process id.
    pub pid: u32,
    /// The instruction that started it.
    pub kind: String,
}

/// One request of the host but prompts, in `requests.jsonl`. ACP only.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RequestRecord {
    /// The agent's process id.
    pub pid: u32,
    /// What was asked for.
    pub method: String,
    /// Its parameters as they came.
    pub params: serde_json::Value,
}

/// Gives the starts that a state directory has seen, in order.
pub fn starts(state: &Path) -> io::Result<Vec<StartRecord>> {
    records(&state.join("starts.jsonl"))
}

/// Gives the children that agents with this state directory have started.
pub fn children(state: &Path) -> io::Result<Vec<ChildRecord>> {
    records(&state.join("children.jsonl"))
}

/// Gives the requests, other than prompts, that ACP agents with this state directory were sent.
pub fn requests(state: &Path) -> io::Result<Vec<RequestRecord>> {
    records(&state.join("requests.jsonl"))
}

fn records<T: DeserializeOwned>(path: &Path) -> io::Result<Vec<T>> {
    let text = match std::fs::read_to_string(path) {
        Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other?,
    };
    text.lines()
        .map(|line| serde_json::from_str(line).map_err(io::Error::from))
        .collect()
}

/// Gives the path of the agent binary that belongs to the running test. Under
/// cargo it is built first, once per test process, so it is never stale.
pub fn binary() -> io::Result<PathBuf> {
    static BUILT: OnceLock<Result<(), String>> = OnceLock::new();
    let test = std::env::current_exe()?;
    let profile = test
        .ancestors()
        .find(|folder| folder.join("deps").is_dir())
        .ok_or_else(|| io::Error::other("the test does not run from a cargo target directory"))?;
    BUILT
        .get_or_init(|| build(profile).map_err(|why| why.to_string()))
        .clone()
        .map_err(io::Error::other)?;
    Ok(profile.join(format!("scripted-agent{}", std::env::consts::EXE_SUFFIX)))
}

fn build(profile: &Path) -> io::Result<()> {
    let Some(cargo) = std::env::var_os("CARGO") else {
        return Ok(());
    };
    let mut command = Command::new(cargo);
    command
        .args([
            "build",
            "--quiet",
            "--package",
            "scripted-agent",
            "--bin",
            "scripted-agent",
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"));
    if profile.ends_with("release") {
        command.arg("--release");
    }
    let status = command.status()?;
    if status.success() {
        Ok(())
    } else {
        Err(io::Error::other(format!(
            "building scripted-agent: {status}"
        )))
    }
}
