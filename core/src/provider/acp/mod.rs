//! Agents that speak the Agent Client Protocol, version 1, over stdio.
//!
//! One codec for all of them; what is special about one stands in its profile, as data. The
//! protocol and what becomes of each message: `docs/providers/acp.md`, and a page for each agent.
//!
//! | file | holds |
//! |---|---|
//! | `profile/` | the agents, one file each |
//! | `launch` | how they are started |
//! | `wire`, `calls` | the messages; our requests until they are answered |
//! | `codec`, `opening`, `responses`, `operations` | the codec of many conversations |
//! | `session`, `settings` | one conversation; its mode, model and effort |
//! | `update`, `speech`, `tool`, `content`, `usage`, `failure` | what the agent says |
//! | `questions`, `asking`, `form` | what it asks |
//! | `client` | what it has done by us |
//! | `skipped` | lines that are too long |
//! | `prompt` | what it is told |
//! | `one_shot/` | commands that print one turn |

mod asking;
mod calls;
mod client;
mod codec;
mod content;
mod failure;
mod form;
mod launch;
mod one_shot;
mod opening;
mod operations;
mod profile;
mod prompt;
mod questions;
mod responses;
mod session;
mod settings;
mod skipped;
mod speech;
#[cfg(test)]
mod tests;
mod tool;
mod update;
mod usage;
mod wire;

use std::path::{Path, PathBuf};

use self::profile::{Print, Profile};
use crate::capabilities::Feature;
use crate::error::Error;
use crate::provider::{Capabilities, Codec, Launch, LaunchPlan, LoginSigns, Provider};

/// The provider for one profile.
#[derive(Debug)]
pub(crate) struct AcpAgent(&'static Profile);

/// All agents of this protocol.
pub(crate) const GEMINI: AcpAgent = AcpAgent(&profile::GEMINI);
pub(crate) const OPENCODE: AcpAgent = AcpAgent(&profile::OPENCODE);
pub(crate) const KIMI: AcpAgent = AcpAgent(&profile::KIMI);
pub(crate) const CLAUDE_ACP: AcpAgent = AcpAgent(&profile::CLAUDE_ACP);
pub(crate) const CODEX_ACP: AcpAgent = AcpAgent(&profile::CODEX_ACP);
pub(crate) const ANY: AcpAgent = AcpAgent(&profile::ACP);

impl Provider for AcpAgent {
    fn name(&self) -> &'static str {
        self.0.name
    }

    fn program(&self) -> &'static str {
        self.0.program
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            features: self.0.features,
            warm: true,
            resume: true,
            resume_rest: self.0.quirks.resume_rest,
            rewinds_with_process: false,
            // The first word of a turn is often the model's.
            first_sign: false,
            one_shot_deltas: match self.0.print {
                Some(Print::OpenCode) => false,
                Some(Print::Gemini) | None => true,
            },
            tools_over_mcp: self.0.support(Feature::HostTools),
            sharing: self.0.sharing,
            mixes_mcp_servers: true,
            max_prompt_chars: self.0.max_prompt_chars,
            stop: self.0.stop,
        }
    }

    fn environment(&self) -> &'static [&'static str] {
        self.0.environment
    }

    fn login(&self) -> &'static LoginSigns {
        self.0.signs
    }

    fn native_program(&self, found: &Path) -> PathBuf {
        found.to_owned()
    }

    fn launch(&self, plan: &LaunchPlan<'_>) -> Result<Launch, Error> {
        launch::launch(self.0, plan)
    }

    fn codec(&self, plan: &LaunchPlan<'_>) -> Box<dyn Codec> {
        match launch::print(self.0, plan) {
            Some(print) => Box::new(one_shot::Printed::new(print)),
            None => Box::new(codec::Acp::new(self.0, plan)),
        }
    }
}
