//! Claude Code over its `stream-json` protocol.
//!
//! | file | holds |
//! |---|---|
//! | `launch` | arguments and environment |
//! | `program` | the way from a launcher to the native program |
//! | `wire`, `field` | the shapes of lines, tolerant and borrowing, and how a field is read |
//! | `features` | what the agent can do |
//! | `codec` | the codec: dispatch, noise |
//! | `turn` | which turn a line belongs to |
//! | `stream`, `message`, `tool` | what the model says and does |
//! | `system` | everything around it |
//! | `open` | the handshake and the conversation |
//! | `content` | what the host says, as lines |
//! | `control` | questions in both directions |
//! | `ask`, `answer` | what the agent asks, and what the host says to it |
//! | `host` | tools of the host |
//! | `steer`, `change`, `operate` | what else the host wants |
//! | `background`, `cost`, `result` | counts and ends |

mod answer;
mod ask;
mod background;
mod change;
mod codec;
mod content;
mod control;
mod cost;
mod features;
mod field;
mod host;
mod launch;
mod message;
mod open;
mod operate;
mod program;
mod result;
mod steer;
mod stream;
mod system;
mod tool;
mod turn;
mod wire;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::capabilities::Support;
use crate::error::Error;
use crate::provider::{
    AgentFile, AgentSignal, Capabilities, Codec, Launch, LaunchPlan, LoginSigns, Provider,
    StopLadder,
};

/// Where the login is: also of what else runs this program inside.
pub(in crate::provider) static LOGIN: LoginSigns = LoginSigns {
    variables: &[
        "ANTHROPIC_API_KEY",
        "ANTHROPIC_AUTH_TOKEN",
        "CLAUDE_CODE_OAUTH_TOKEN",
    ],
    files: &[in_config(".credentials.json")],
    other_variables: &[
        "CLAUDE_CODE_USE_BEDROCK",
        "CLAUDE_CODE_USE_VERTEX",
        "CLAUDE_CODE_USE_FOUNDRY",
        "ANTHROPIC_BASE_URL",
    ],
    // They may name a program that gives the key.
    other_files: &[in_config("settings.json")],
    // The keychain.
    hidden: cfg!(target_os = "macos"),
};

const fn in_config(path: &'static str) -> AgentFile {
    AgentFile {
        variable: "CLAUDE_CONFIG_DIR",
        below_home: ".claude",
        path,
    }
}

/// The adapter for Claude Code.
#[derive(Debug)]
pub(crate) struct Claude;

impl Provider for Claude {
    fn name(&self) -> &'static str {
        "claude"
    }

    fn program(&self) -> &'static str {
        "claude"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            features: features::FEATURES,
            warm: true,
            resume: true,
            resume_rest: Duration::ZERO,
            rewinds_with_process: true,
            first_sign: true,
            one_shot_deltas: true,
            sharing: None,
            mixes_mcp_servers: false,
            tools_over_mcp: Support::default(),
            max_prompt_chars: None,
            stop: StopLadder {
                // An idle one ends within 0.1 s. One with background work waits for it, up to
                // minutes.
                half_close: Duration::from_secs(2),
                // At most 1.6 s were seen, with background work to end.
                signal: Some((AgentSignal::Terminate, Duration::from_secs(3))),
            },
        }
    }

    fn environment(&self) -> &'static [&'static str] {
        launch::ENVIRONMENT
    }

    fn login(&self) -> &'static LoginSigns {
        &LOGIN
    }

    fn native_program(&self, found: &Path) -> PathBuf {
        program::native(found)
    }

    fn launch(&self, plan: &LaunchPlan<'_>) -> Result<Launch, Error> {
        launch::launch(plan)
    }

    fn codec(&self, plan: &LaunchPlan<'_>) -> Box<dyn Codec> {
        Box::new(codec::ClaudeCodec::new(plan))
    }
}
