//! The stand-in for Paseo's daemon: `tests/src/bin/paseo-stand-in.rs` says what is in its folder.

use std::fs;
use std::path::{Path, PathBuf};

use remuda::config::Environment;
use remuda::{Pool, Session, SessionOptions};
use remuda_tests::wait_until;
use serde_json::Value;
use tempfile::TempDir;

/// The folder of a daemon that runs.
pub(crate) struct Daemon {
    /// Its folder.
    pub(crate) home: TempDir,
}

impl Daemon {
    /// Starts it.
    pub(crate) fn start() -> Self {
        let home = TempDir::new().expect("a folder");
        fs::write(home.path().join("daemon"), "").expect("a daemon");
        Self { home }
    }

    /// Options of a session with one of its agents.
    pub(crate) fn options(&self) -> SessionOptions {
        options(self.home.path())
    }

    /// Opens a session with one of its agents.
    pub(crate) fn open(&self, pool: &Pool) -> Session {
        pool.open(self.options()).expect("a session")
    }

    /// Ends it. Its agents are kept.
    pub(crate) fn stop(&self) {
        fs::remove_file(self.home.path().join("daemon")).expect("it ran");
    }

    /// The commands that it got, each with its arguments.
    pub(crate) fn calls(&self) -> Vec<Vec<String>> {
        calls(self.home.path())
    }

    /// How often it got this command.
    pub(crate) fn count(&self, command: &str) -> usize {
        let calls = self.calls();
        let named = calls
            .iter()
            .filter(|call| call.iter().take(2).any(|w| w == command));
        named.count()
    }

    /// Waits until it got this command so often.
    pub(crate) fn wait_for(&self, command: &str, times: usize) {
        wait_until(command, || self.count(command) >= times);
    }

    /// Its only agent.
    pub(crate) fn agent(&self) -> String {
        let agents = fs::read_dir(self.home.path().join("agents")).expect("agents");
        let agents: Vec<_> = agents.flatten().map(|file| file.file_name()).collect();
        let [agent] = agents.as_slice() else {
            panic!("{agents:?}")
        };
        agent.to_str().expect("text").to_owned()
    }

    /// What an agent is doing.
    pub(crate) fn status(&self, agent: &str) -> String {
        let file = self.home.path().join("agents").join(agent);
        let agent = fs::read(file).expect("an agent");
        let agent: Value = serde_json::from_slice(&agent).expect("JSON");
        agent["status"].as_str().expect("a status").to_owned()
    }
}

/// Options of a session with an agent of the daemon of that folder.
pub(crate) fn options(home: &Path) -> SessionOptions {
    let mut environment = Environment::default();
    let home_text = home.display().to_string();
    environment.set.insert("PASEO_HOME".to_owned(), home_text);
    SessionOptions {
        program: Some(PathBuf::from(env!("CARGO_BIN_EXE_paseo-stand-in"))),
        model: Some("codex/m".to_owned()),
        environment,
        ..SessionOptions::new("paseo", home)
    }
}

fn calls(home: &Path) -> Vec<Vec<String>> {
    let text = fs::read_to_string(home.join("calls")).unwrap_or_default();
    // The last line may be on its way.
    let whole = text
        .split_inclusive('\n')
        .filter(|line| line.ends_with('\n'));
    whole
        .map(|line| serde_json::from_str(line).expect("words"))
        .collect()
}
