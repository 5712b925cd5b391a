//! How the real agent programs are found and started offline.
//!
//! The programs come from `tests/real-agents`, at the versions of its lock
//! file. Nothing here starts a process.

use std::fmt;
use std::path::{Path, PathBuf};

mod adapters;
mod claude;
mod codex;
mod gemini;
mod kimi;
mod opencode;

pub use adapters::{claude_acp, claude_acp_env, codex_acp, codex_acp_env};
pub use claude::{claude, claude_env};
pub use codex::{codex, codex_config, codex_env};
pub use gemini::{GEMINI_MODEL, age_gemini_sessions, gemini, gemini_env};
pub use kimi::{kimi, kimi_env};
pub use opencode::{OPENCODE_MODEL, opencode, opencode_env};

/// An agent program that is not there, and what brings it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    program: &'static str,
    searched: PathBuf,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} is not installed in {}; run `npm ci` in tests/real-agents",
            self.program,
            self.searched.display()
        )
    }
}

impl std::error::Error for Missing {}

fn modules() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap_or(Path::new("."))
        .join("real-agents")
        .join("node_modules")
}

/// Finds a program that is a script inside of a package.
fn script(program: &'static str, path: &str) -> Result<PathBuf, Missing> {
    let found = modules().join(path);
    if found.is_file() {
        return Ok(found);
    }
    Err(Missing {
        program,
        searched: modules(),
    })
}

/// Puts the Node that `npm ci` has brought in front of others in the `PATH`; where it brought none, that
/// of the system must be new enough.
fn with_new_node(mut env: Vec<(String, String)>) -> Vec<(String, String)> {
    for package in entries(&modules(), "node-") {
        let folder = package.join("bin");
        let path = env.iter_mut().find(|(name, _)| name == "PATH");
        if let Some((_, path)) = path.filter(|_| folder.join("node").is_file()) {
            *path = format!("{}:{path}", folder.display());
        }
    }
    env
}

/// The entries of `folder` whose names start with `prefix`, in order.
///
/// Native programs live in a package per platform, of which only the fitting
/// one is installed: its name need not be known.
fn entries(folder: &Path, prefix: &str) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix))
        .map(|entry| entry.path())
        .collect();
    found.sort();
    found
}

/// The environment that every agent needs from ours, and no more.
fn base_env(home: &Path) -> Vec<(String, String)> {
    let mut env = vec![
        ("HOME".to_owned(), home.display().to_string()),
        // No proxy of the surroundings may come between the agent and us.
        ("NO_PROXY".to_owned(), "*".to_owned()),
    ];
    for name in ["PATH", "SystemRoot", "TEMP", "USERPROFILE"] {
        if let Ok(value) = std::env::var(name) {
            env.push((name.to_owned(), value));
        }
    }
    env
}
