//! An agent under the conformance suite: a real one or a scripted one, told by prompts that mean the
//! same to each.

use remuda::config::{PermissionMode, Requests};
use remuda::{Feature, SessionOptions, capabilities_of};
use serde_json::json;

use crate::agents::Scripted;
use crate::control::model;
use crate::real::{Installed, Real, pids_in, runs};
use crate::watch::wait_until;

/// Who plays an agent.
#[derive(Debug)]
pub enum Played {
    /// Our own program.
    Scripted(Scripted),
    /// The program itself.
    Real(Real),
}

/// An agent under test, and where it lives.
#[derive(Debug)]
pub struct Subject {
    played: Played,
}

impl Subject {
    /// The scripted agent, speaking this protocol.
    #[must_use]
    pub fn scripted(protocol: &'static str) -> Self {
        let played = Played::Scripted(Scripted::new(protocol));
        Self { played }
    }

    /// A real agent.
    #[must_use]
    pub fn real(installed: Installed) -> Self {
        let played = Played::Real(Real::new(installed));
        Self { played }
    }

    /// Whether its warm processes can do this, by the provider's table.
    ///
    /// # Panics
    ///
    /// If there is no such provider.
    #[must_use]
    pub fn can(&self, feature: Feature) -> bool {
        let options = self.options();
        let table = capabilities_of(&options.provider).expect("a provider");
        table[&feature].warm
    }

    /// Options of a session in which nothing is asked.
    #[must_use]
    pub fn options(&self) -> SessionOptions {
        match &self.played {
            Played::Scripted(scripted) => scripted.options(),
            Played::Real(real) => real.options(),
        }
    }

    /// Options of a session in which the host is asked before a command runs.
    #[must_use]
    pub fn asking(&self) -> SessionOptions {
        match &self.played {
            Played::Scripted(scripted) => SessionOptions {
                requests: Requests::Host,
                ..scripted.options()
            },
            Played::Real(real) => real.answering_in(match real.installed() {
                // It never asks unless it is configured to; in this mode it asks about commands.
                Installed::OpenCode => PermissionMode::AcceptEdits,
                Installed::Claude
                | Installed::Codex
                | Installed::Gemini
                | Installed::Kimi
                | Installed::ClaudeAcp
                | Installed::CodexAcp => PermissionMode::Default,
            }),
        }
    }

    /// The agent says which words beginning with `marker-` stand in the conversation.
    #[must_use]
    pub const fn recall(&self) -> &'static str {
        match &self.played {
            Played::Scripted(_) => "[[recall]]",
            Played::Real(_) => r#"MODEL:[{"recall":"marker-"}]"#,
        }
    }

    /// The agent says something, and then no more.
    #[must_use]
    pub const fn stalling(&self) -> &'static str {
        match &self.played {
            Played::Scripted(_) => "[[say here]] [[hang]]",
            Played::Real(_) => r#"MODEL:[{"stall_after":3}]"#,
        }
    }

    /// The agent runs a command that does not end.
    #[must_use]
    pub const fn working(&self) -> &'static str {
        match &self.played {
            Played::Scripted(_) => "[[tool Bash sleep 1000000]]",
            Played::Real(_) => {
                r#"MODEL:[{"shell":"echo $$ >> pids; sleep 1000; echo late"},"done"]"#
            }
        }
    }

    /// Waits until that command runs, and gives its process, if it is a real one.
    ///
    /// # Panics
    ///
    /// If it never does.
    #[must_use]
    pub fn command(&self) -> Option<u32> {
        let Played::Real(real) = &self.played else {
            return None;
        };
        let pids = real.project().join("pids");
        wait_until("the command runs", || !pids_in(&pids).is_empty());
        pids_in(&pids).last().copied()
    }

    /// Whether an interrupt ends the turn's commands. Where it does not, the agent's page says so, and
    /// they end with the process.
    #[must_use]
    pub const fn ends_commands(&self) -> bool {
        match &self.played {
            Played::Scripted(_) => true,
            Played::Real(real) => !matches!(real.installed(), Installed::CodexAcp),
        }
    }

    /// The agent makes a file with a command that it asks about.
    #[must_use]
    pub fn making(&self, file: &str) -> String {
        match &self.played {
            Played::Scripted(_) => format!(r#"[[ask Bash "touch {file}" 0]] [[say done]]"#),
            Played::Real(real) => model(&json!([real.risky(&format!("touch {file}")), "done"])),
        }
    }

    /// Whether the file was made, as far as commands are real here.
    #[must_use]
    pub fn made(&self, file: &str) -> Option<bool> {
        let Played::Real(real) = &self.played else {
            return None;
        };
        Some(real.project().join(file).exists())
    }
}

/// Waits until a command that was ended is gone.
///
/// # Panics
///
/// If it never is.
pub fn is_ended(command: Option<u32>) {
    if let Some(pid) = command {
        wait_until("the command is ended", || !runs(pid));
    }
}
