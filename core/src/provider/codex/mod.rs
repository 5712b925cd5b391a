//! Codex, an agent: warm by `codex app-server`, one-shot by `codex exec --json`.
//!
//! Seen: 0.169.0. The protocol and what becomes of each message: `docs/providers/codex.md`.
//!
//! | file | holds |
//! |---|---|
//! | `launch`, `options`, `settings`, `features` | how it is started, a session's options in its words, what it can do |
//! | `wire`, `input` | JSON; messages |
//! | `server`, `opening`, `responses`, `notification`, `lifecycle`, `account` | the app-server's codec: routing by thread id |
//! | `skipped` | lines that are too long to be read |
//! | `operations` | changes of settings, operations |
//! | `thread`, `turn`, `steer`, `interrupt` | one thread, and its turns |
//! | `item`, `ledger`, `delta`, `usage`, `failure` | what both transports say of items, tokens, errors |
//! | `approval`, `asking`, `answer`, `shell`, `calls` | open questions of the server, and ours |
//! | `exec` | the one-shot codec |

mod account;
mod answer;
mod approval;
mod asking;
mod calls;
mod delta;
mod exec;
mod failure;
mod features;
mod input;
mod interrupt;
mod item;
mod launch;
mod ledger;
mod lifecycle;
mod notification;
mod opening;
mod operations;
mod options;
mod responses;
mod server;
mod settings;
mod shell;
mod skipped;
mod steer;
#[cfg(test)]
mod tests;
mod thread;
mod turn;
mod usage;
mod wire;

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::capabilities::Support;
use crate::config::{Mode, Sharing};
use crate::error::Error;
use crate::provider::{
    AgentFile, AgentSignal, Capabilities, Codec, Launch, LaunchPlan, LoginSigns, Provider,
    StopLadder,
};

/// Where the login is: also of what else runs this program inside.
pub(in crate::provider) static LOGIN: LoginSigns = LoginSigns {
    variables: &[],
    files: &[in_home("auth.json")],
    // Which of them counts depends on the model's provider in the settings.
    other_variables: &["OPENAI_API_KEY", "CODEX_API_KEY", "AZURE_OPENAI_API_KEY"],
    // They may name another service, or another place for the login.
    other_files: &[in_home("config.toml")],
    hidden: false,
};

const fn in_home(path: &'static str) -> AgentFile {
    AgentFile {
        variable: "CODEX_HOME",
        below_home: ".codex",
        path,
    }
}

/// The provider.
#[derive(Debug)]
pub(crate) struct Codex;

impl Provider for Codex {
    fn name(&self) -> &'static str {
        "codex"
    }

    fn program(&self) -> &'static str {
        "codex"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            features: features::FEATURES,
            warm: true,
            resume: true,
            resume_rest: Duration::ZERO,
            rewinds_with_process: false,
            first_sign: true,
            one_shot_deltas: false,
            sharing: Some(Sharing::PerSession),
            mixes_mcp_servers: false,
            // A warm one calls them over its protocol.
            tools_over_mcp: Support::ONE_SHOT,
            max_prompt_chars: Some(1_048_576),
            stop: StopLadder {
                half_close: Duration::from_secs(5),
                signal: Some((AgentSignal::Terminate, Duration::from_secs(5))),
            },
        }
    }

    fn environment(&self) -> &'static [&'static str] {
        &["OPENAI_*", "CODEX_*", "AZURE_OPENAI_*"]
    }

    fn login(&self) -> &'static LoginSigns {
        &LOGIN
    }

    fn native_program(&self, found: &Path) -> PathBuf {
        launch::native_program(found)
    }

    fn launch(&self, plan: &LaunchPlan<'_>) -> Result<Launch, Error> {
        launch::launch(plan)
    }

    fn codec(&self, plan: &LaunchPlan<'_>) -> Box<dyn Codec> {
        match plan.mode {
            Mode::Warm => Box::new(server::AppServer::default()),
            Mode::OneShot => Box::new(exec::Exec::default()),
        }
    }
}
