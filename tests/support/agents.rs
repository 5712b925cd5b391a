//! The scripted agent as a provider's program.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use remuda::SessionOptions;
use remuda::config::Environment;
use tempfile::TempDir;

/// The scripted agent's program. Cargo builds it with the workspace.
///
/// # Panics
///
/// If it was not built.
#[must_use]
pub fn scripted_agent() -> PathBuf {
    let test = std::env::current_exe().expect("the test's own program");
    let folder = test
        .ancestors()
        .find(|folder| folder.join("scripted-agent").is_file())
        .expect("the scripted agent is built: cargo build --workspace --bins");
    folder.join("scripted-agent")
}

/// A place where scripted agents live: their state, their scripts, their working directory. Gone
/// with the value.
#[derive(Debug)]
pub struct Scripted {
    protocol: &'static str,
    folder: TempDir,
    script: Option<PathBuf>,
}

impl Scripted {
    /// Agents that speak Claude Code's protocol.
    #[must_use]
    pub fn claude() -> Self {
        Self::new("claude")
    }

    /// Agents that speak Codex's protocols.
    #[must_use]
    pub fn codex() -> Self {
        Self::new("codex")
    }

    /// Agents that speak the Agent Client Protocol.
    #[must_use]
    pub fn acp() -> Self {
        Self::new("acp")
    }

    /// Agents that speak this provider's protocol.
    ///
    /// # Panics
    ///
    /// If there is no temporary folder.
    #[must_use]
    pub fn new(protocol: &'static str) -> Self {
        Self {
            protocol,
            folder: TempDir::new().expect("a temporary folder"),
            script: None,
        }
    }

    /// Agents that follow a script.
    ///
    /// # Panics
    ///
    /// If it cannot be written.
    #[must_use]
    pub fn with_script(mut self, script: &::scripted_agent::script::Script) -> Self {
        self.script = Some(
            script
                .write(self.folder.path())
                .expect("the script is written"),
        );
        self
    }

    /// Where the agents work.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Options of a session with such an agent.
    #[must_use]
    pub fn options(&self) -> SessionOptions {
        let mut set = BTreeMap::from([
            (
                "SCRIPTED_AGENT_PROTOCOL".to_owned(),
                self.protocol.to_owned(),
            ),
            (
                "SCRIPTED_AGENT_STATE".to_owned(),
                self.folder.path().display().to_string(),
            ),
        ]);
        if let Some(script) = &self.script {
            set.insert(
                "SCRIPTED_AGENT_SCRIPT".to_owned(),
                script.display().to_string(),
            );
        }
        SessionOptions {
            program: Some(scripted_agent()),
            environment: Environment {
                set,
                ..Environment::default()
            },
            ..SessionOptions::new(self.protocol, self.folder.path())
        }
    }
}
