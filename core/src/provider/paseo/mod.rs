//! Paseo, a daemon that runs other agents: each turn by its command-line program, in a process of its own.
//!
//! Not tried with the real daemon. What was read of it, and what becomes of it here: `docs/providers/paseo.md`.
//!
//! | file | holds |
//! |---|---|
//! | `launch`, `features` | how a turn is started, what it can do |
//! | `turn.sh` | the commands of a turn, for the shell |
//! | `codec`, `said`, `failure` | what they say |

mod codec;
mod failure;
mod features;
mod launch;
mod said;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::capabilities::Support;
use crate::error::Error;
use crate::provider::{
    AgentSignal, Capabilities, Codec, Launch, LaunchPlan, LoginSigns, Provider, StopLadder,
};

/// A new agent's first message is an argument, of which Linux takes 128 KiB: so many characters, were
/// each of four bytes.
const MAX_PROMPT_CHARS: usize = 32_000;

/// The provider.
#[derive(Debug)]
pub(crate) struct Paseo;

impl Provider for Paseo {
    fn name(&self) -> &'static str {
        "paseo"
    }

    fn program(&self) -> &'static str {
        "paseo"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            features: features::FEATURES,
            warm: false,
            resume: true,
            resume_rest: Duration::ZERO,
            rewinds_with_process: false,
            first_sign: false,
            one_shot_deltas: false,
            sharing: None,
            mixes_mcp_servers: false,
            tools_over_mcp: Support::default(),
            max_prompt_chars: Some(MAX_PROMPT_CHARS),
            stop: StopLadder {
                // It is closed since the message was written.
                half_close: Duration::from_millis(500),
                signal: Some((AgentSignal::Terminate, Duration::from_secs(5))),
            },
        }
    }

    fn environment(&self) -> &'static [&'static str] {
        &["PASEO_*"]
    }

    /// The agents that the daemon runs have their own.
    fn login(&self) -> &'static LoginSigns {
        &LoginSigns::NONE
    }

    /// The shell: a turn takes several commands. That the program is there was seen before.
    fn native_program(&self, _found: &Path) -> PathBuf {
        PathBuf::from("/bin/sh")
    }

    fn launch(&self, plan: &LaunchPlan<'_>) -> Result<Launch, Error> {
        launch::launch(plan)
    }

    fn codec(&self, _plan: &LaunchPlan<'_>) -> Box<dyn Codec> {
        Box::new(codec::OneTurn::default())
    }
}
