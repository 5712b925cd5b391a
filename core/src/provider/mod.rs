//! Adapters for agents. A provider says how to start its agent and what it can do; its codec reads
//! and writes the protocol. Neither does any I/O.
//!
//! Adding an agent: a folder here, one line in [`all`], a page in `docs/providers/`, captures.

mod acp;
mod claude;
mod codec;
mod codex;
mod cut;
mod lines;
mod login;
mod one_turn;
mod paseo;
mod rpc;

pub(crate) use lines::one_line;

pub(crate) use codec::{
    AgentRequest, AgentSignal, Asked, Called, ChangeOutcome, Codec, Conversation, Outcome, Output,
    Request, Signal, SignalBody, TurnEnd, TurnRef,
};

pub(crate) use login::{AgentFile, LoginSigns};

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::capabilities::{Feature, Support};
use crate::config::{Mode, SessionOptions, Sharing};
use crate::error::{Error, ErrorKind};

/// One kind of agent.
pub(crate) trait Provider: Send + Sync + 'static {
    /// The name that options use.
    fn name(&self) -> &'static str;

    /// The name of the agent's program in `PATH`.
    fn program(&self) -> &'static str;

    /// What it can do. Core branches on this and on nothing else.
    fn capabilities(&self) -> Capabilities;

    /// Names of environment variables that the agent takes its login and settings from; `*` at the
    /// end stands for any rest.
    fn environment(&self) -> &'static [&'static str];

    /// Where its login can be seen without a request.
    fn login(&self) -> &'static LoginSigns;

    /// Follows wrappers and launcher scripts to the native program. `found` is absolute; the answer
    /// is `found` itself where there is nothing to follow. May look at the file system, briefly.
    fn native_program(&self, found: &Path) -> PathBuf;

    /// How to start the agent.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unsupported`] or [`ErrorKind::InvalidArgument`] for options the agent cannot
    /// take, naming them.
    fn launch(&self, plan: &LaunchPlan<'_>) -> Result<Launch, Error>;

    /// A fresh codec for one process started by that plan.
    fn codec(&self, plan: &LaunchPlan<'_>) -> Box<dyn Codec>;
}

/// What an agent can do.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one yes or no about an agent"
)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Capabilities {
    /// It stays alive between turns.
    pub warm: bool,
    /// It goes on with an earlier conversation in a new process.
    pub resume: bool,
    /// How long a conversation has to lie after it was begun or gone on with, before a warm process may
    /// go on with it: sooner, the agent could lose it. Mostly zero.
    pub resume_rest: Duration,
    /// It takes a conversation back with a new process, which refuses before it is ready where there is
    /// no such place. Its codec says where a conversation stands.
    pub rewinds_with_process: bool,
    /// A warm process answers a sent turn at once with some line, before the model does.
    pub first_sign: bool,
    /// A one-shot process shows its output as it comes. Without it, the turn may stay silent until
    /// its end.
    pub one_shot_deltas: bool,
    /// What hosts can ask of it, each warm and one-shot. What does not stand here it cannot do.
    pub features: &'static [(Feature, Support)],
    /// Whether one process holds several conversations, whose turns run at the same time. `None`: no.
    /// Otherwise what holds if the host does not say. All that a session sets must then be told to
    /// the agent per conversation, or stand in its launch: what is in neither is lost. So it must not
    /// need a new process to go back.
    pub sharing: Option<Sharing>,
    /// Whether the MCP servers of one session are there for the others in its process. Then a session
    /// that has any, or tools of the host that come by one, shares none.
    pub mixes_mcp_servers: bool,
    /// Where it calls the host's tools by way of an MCP server, having no way of its own.
    pub tools_over_mcp: Support,
    /// The most text it takes in one message, in Unicode scalar values.
    pub max_prompt_chars: Option<usize>,
    /// How it is stopped.
    pub stop: StopLadder,
}

/// The steps by which an idle or failed agent is stopped, before its tree is killed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StopLadder {
    /// How long it may take to end by itself after its stdin was closed.
    pub half_close: Duration,
    /// The signal that follows, and how long it may take. `None`: it ignores signals.
    pub signal: Option<(AgentSignal, Duration)>,
}

/// What a process is to be started for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LaunchPlan<'a> {
    /// Whether it stays.
    pub mode: Mode,
    /// The session's options; the first session's, where several share the process.
    pub options: &'a SessionOptions,
    /// The conversation to go on with.
    pub resume: Option<&'a str>,
    /// Where in it: behind what stands there, as if the rest had not been said. Only for agents that
    /// rewind with a new process.
    pub back_to: Option<&'a str>,
    /// Whether other sessions may use the process too.
    pub shared: bool,
}

/// How to start it.
#[derive(Debug, Default)]
pub(crate) struct Launch {
    /// Arguments, without the program's name.
    pub args: Vec<OsString>,
    /// Variables that the provider sets. The session's own win over them.
    pub env: Vec<(OsString, OsString)>,
    /// More of them, which are other for every process and so tell no launches apart.
    pub secrets: Vec<(OsString, OsString)>,
}

/// Every provider there is.
pub(crate) const fn all() -> &'static [&'static dyn Provider] {
    &[
        &claude::Claude,
        &codex::Codex,
        &acp::GEMINI,
        &acp::OPENCODE,
        &acp::KIMI,
        &acp::CLAUDE_ACP,
        &acp::CODEX_ACP,
        &acp::ANY,
        &paseo::Paseo,
    ]
}

/// Finds a provider by the name that options use.
pub(crate) fn find(name: &str) -> Result<&'static dyn Provider, Error> {
    all()
        .iter()
        .copied()
        .find(|p| p.name() == name)
        .ok_or_else(|| {
            let names: Vec<_> = all().iter().map(|p| p.name()).collect();
            Error::new(
                ErrorKind::InvalidArgument,
                format!("provider: {name:?} is none of {}", names.join(", ")),
            )
        })
}

impl Capabilities {
    /// In which kinds of process the agent can do this.
    pub(crate) fn support(&self, feature: Feature) -> Support {
        let found = self.features.iter().find(|(f, _)| *f == feature);
        found.map_or_else(Support::default, |(_, support)| *support)
    }

    /// What holds for a session with these options if the host does not say. `None`: it has its
    /// processes for itself.
    pub(crate) fn sharing_of(&self, options: &SessionOptions) -> Option<Sharing> {
        let over_mcp = self.tools_over_mcp.warm && !options.tools.is_empty();
        let servers = over_mcp || !options.mcp_servers.is_empty();
        self.sharing
            .filter(|_| !(self.mixes_mcp_servers && servers))
    }

    /// Whether the agent can do this in a process of this kind.
    pub(crate) fn can(&self, feature: Feature, mode: Mode) -> bool {
        self.support(feature).in_mode(mode)
    }
}
