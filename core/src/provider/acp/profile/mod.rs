//! What is special about one agent, as data. The codec and the launcher read it; nothing else
//! knows agents apart.

mod claude;
mod codex;
mod gemini;
mod kimi;
mod opencode;
mod other;

use std::time::Duration;

pub(crate) use claude::CLAUDE_ACP;
pub(crate) use codex::CODEX_ACP;
pub(crate) use gemini::GEMINI;
pub(crate) use kimi::KIMI;
pub(crate) use opencode::OPENCODE;
pub(crate) use other::ACP;

use crate::capabilities::{Feature, Support};
use crate::config::{PermissionMode, Sharing};
use crate::provider::{AgentSignal, LoginSigns, StopLadder};
use crate::request::Decision;

/// One agent.
#[derive(Debug)]
pub(crate) struct Profile {
    /// The provider's name.
    pub name: &'static str,
    /// The name of its program. Empty: the session must name it.
    pub program: &'static str,
    /// The arguments by which it speaks the protocol.
    pub arguments: &'static [&'static str],
    /// The variables of the host that it needs.
    pub environment: &'static [&'static str],
    /// Variables that are set for it.
    pub settings: &'static [(&'static str, &'static str)],
    /// Variables that are set to a new secret for every process.
    pub secrets: &'static [&'static str],
    /// Variables by which it is told what it may do, where the protocol has no words for it.
    pub permissions: &'static [(Permission, &'static str, &'static str)],
    /// Where its login can be seen.
    pub signs: &'static LoginSigns,
    /// How it is asked to use a login that is already there.
    pub login: Option<Login>,
    /// Its words for what it may do, the preferred first. A mode that does not stand here and not
    /// in `permissions` it does not have.
    pub modes: &'static [(PermissionMode, &'static [&'static str])],
    /// For how long its `allow_always` holds.
    pub always: Decision,
    /// The command that serves one turn, where there is one beside the protocol.
    pub print: Option<Print>,
    /// Whether one process serves many sessions at a time, if it does it well.
    pub sharing: Option<Sharing>,
    /// How it is stopped.
    pub stop: StopLadder,
    /// What it can do at most. What a version of it cannot, it says itself.
    pub features: &'static [(Feature, Support)],
    /// The most text that it takes in one message, in Unicode scalar values.
    pub max_prompt_chars: Option<usize>,
    /// Where it departs from the protocol.
    pub quirks: Quirks,
}

/// What a variable is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Permission {
    /// A permission mode.
    Mode(PermissionMode),
    /// The option `read_only`, in every mode.
    ReadOnly,
}

/// A method of `authenticate` that needs nobody in front of a screen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Login {
    pub method: &'static str,
    /// Whether a new conversation may need it too, and not only one that goes on.
    pub for_new: bool,
}

/// A command that prints what one turn gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Print {
    /// `gemini --output-format stream-json`.
    Gemini,
    /// `opencode run --format json`.
    OpenCode,
}

/// What the content of a tool that still runs is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LiveContent {
    /// Its output so far.
    Output,
    /// Its arguments, as far as the model has written them.
    Arguments,
    /// What it is about to do, in prose.
    Description,
}

/// Departures from the protocol, each seen in the version that the profile names.
#[derive(Clone, Copy, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one yes or no about an agent"
)]
pub(crate) struct Quirks {
    /// A change of mode is announced as text of the model.
    pub mode_as_text: bool,
    /// The answer to `session/load` overtakes the history that it replays.
    pub replay_after_answer: bool,
    /// `session/load` so soon after the conversation began, or was loaded, empties it. Where that is not
    /// zero, a process of one turn, which would load it soon after the last one, never does.
    pub resume_rest: Duration,
    /// Its `allow_always` holds for all conversations of the process.
    pub always_for_all: bool,
    /// The id of a tool call begins with the tool's name and two underscores.
    pub name_in_id: bool,
    /// The title of a tool call is the tool's name, until its arguments are whole.
    pub title_is_name: bool,
    /// The title of a command is the command.
    pub title_is_command: bool,
    /// Nothing more is said of a tool call that was denied.
    pub silent_denial: bool,
    /// The input of a tool call comes in pieces that each look whole.
    pub input_grows: bool,
    /// It makes no file that it could not read before: of one that is not there it is told that it is
    /// empty.
    pub missing_is_empty: bool,
    /// Text without an id that begins so is a warning.
    pub warning: Option<&'static str>,
    pub live_content: LiveContent,
}

impl Quirks {
    /// An agent that keeps to the protocol.
    const NONE: Self = Self {
        mode_as_text: false,
        replay_after_answer: false,
        resume_rest: Duration::ZERO,
        always_for_all: false,
        name_in_id: false,
        title_is_name: false,
        title_is_command: false,
        silent_denial: false,
        input_grows: false,
        missing_is_empty: false,
        warning: None,
        live_content: LiveContent::Output,
    };
}

/// End of input, then SIGTERM, then the tree is killed.
const fn ladder(half_close: u64, terminate: u64) -> StopLadder {
    StopLadder {
        half_close: Duration::from_secs(half_close),
        signal: Some((AgentSignal::Terminate, Duration::from_secs(terminate))),
    }
}

impl Profile {
    /// The agent's words for a mode.
    pub(super) fn words(&self, mode: PermissionMode) -> &'static [&'static str] {
        let found = self.modes.iter().find(|(known, _)| *known == mode);
        found.map_or(&[], |(_, words)| words)
    }

    /// In which kinds of process the agent can do this at most.
    pub(super) fn support(&self, feature: Feature) -> Support {
        let found = self.features.iter().find(|(known, _)| *known == feature);
        found.map_or_else(Support::default, |(_, support)| *support)
    }

    /// The variables that carry a permission.
    pub(super) fn variables(
        &self,
        wanted: Permission,
    ) -> impl Iterator<Item = (&'static str, &'static str)> {
        let found = self.permissions.iter().filter(move |p| p.0 == wanted);
        found.map(|(_, name, value)| (*name, *value))
    }
}
