//! What happened: the bodies of events.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::{Mode, millis};
use crate::error::ErrorKind;
use crate::event::kind::EventKind;
use crate::event::outcome::{Exit, Failure, TurnResult, Usage};
use crate::event::raw::RawJson;
use crate::event::words::{
    Changed, CloseReason, CompactionPhase, EvictionReason, FileChangeKind, PlanStatus, RequestKind,
    Resolution, ResolvedBy, StopReason, ToolKind, TurnOrigin, WarningCode,
};
use crate::ids::{ProcessId, RequestId};
use crate::process::Containment;
use crate::request::{Decision, Question};
use crate::settings::Setting;

/// What happened.
///
/// Fields named `parent` carry the id of the tool call within which a sub-agent said this;
/// `None` is the agent itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Body {
    /// The session exists.
    SessionOpened {
        /// The provider's name.
        provider: String,
    },
    /// The session has, or changed, its conversation at the agent.
    SessionBound {
        /// The agent's own id of the conversation; resumes it in any pool.
        provider_session_id: String,
        /// The model, where the agent tells.
        model: Option<String>,
        /// Whether an earlier conversation goes on.
        resumed: bool,
    },
    /// The session is over.
    SessionClosed {
        /// Who ended it.
        reason: CloseReason,
        /// Processes that could not be ended, by pid. Empty: the whole tree is proved gone.
        left: Vec<u32>,
    },
    /// A process became ready.
    ProcessStarted {
        /// Its generation.
        process: ProcessId,
        /// The operating system's number.
        pid: u32,
        /// The agent's version, where it tells.
        version: Option<String>,
        /// Whether it stays for later turns.
        mode: Mode,
        /// Whether it goes on with an earlier conversation.
        resumed: bool,
        /// What ends its tree when the host dies.
        containment: Containment,
        /// Whether other sessions may use it too. It may have been there before.
        shared: bool,
        /// From the decision to start it, or to use it, until it was ready for the session.
        #[serde(rename = "start_ms", with = "millis")]
        #[schemars(with = "u64")]
        start: Duration,
    },
    /// A process and its whole tree ended, or the session is out of one that others use. Also told of
    /// one that was never ready, and so was never told of as started.
    ProcessStopped {
        /// Its generation.
        process: ProcessId,
        /// Why.
        reason: StopReason,
        /// How, where it could be seen.
        exit: Option<Exit>,
        /// Processes of its tree that could not be ended, by pid.
        left: Vec<u32>,
        /// It did not end: other sessions use it, or may.
        runs_on: bool,
    },
    /// The idle session gave its process back.
    Evicted {
        /// Why.
        reason: EvictionReason,
    },
    /// The process is replaced at a turn boundary.
    Recycled {
        /// Why, for people.
        reason: String,
    },
    /// From now on one process per turn.
    Downgraded {
        /// What the warm process did.
        reason: ErrorKind,
        /// The same for people.
        message: String,
    },
    /// This turn runs in a process of its own because all slots are busy.
    Spilled {},
    /// The session uses a warm process again.
    Restored {},
    /// Settings were changed.
    SettingsChanged {
        /// Which.
        settings: Vec<Setting>,
        /// When they hold.
        how: Changed,
    },
    /// A message waits for the running turn to end.
    TurnQueued {
        /// How many wait before it.
        position: usize,
        /// The host's own mark, from `send`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tag: Option<u64>,
        /// Why it did not join the running turn, if that was wanted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<String>,
    },
    /// A message joined the running turn.
    Steered {
        /// The message.
        text: String,
        /// The host's own mark, from `send`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tag: Option<u64>,
    },
    /// A turn was accepted, or a queued one begins.
    TurnStarted {
        /// Who started it.
        origin: TurnOrigin,
        /// The host's own mark, from `send`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tag: Option<u64>,
    },
    /// The turn ended well.
    TurnCompleted {
        /// What it gave.
        result: Box<TurnResult>,
    },
    /// The turn ended with a failure.
    TurnFailed {
        /// Why.
        failure: Box<Failure>,
        /// What it gave until then.
        result: Box<TurnResult>,
    },
    /// The turn was interrupted.
    TurnInterrupted {
        /// What it gave until then.
        result: Box<TurnResult>,
    },
    /// A piece of the answer. Pieces may be merged, never lost.
    TextDelta {
        /// The text.
        text: String,
        /// The sub-agent's tool call.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        parent: Option<Box<str>>,
    },
    /// A piece of the model's reasoning. Pieces may be merged, never lost.
    ReasoningDelta {
        /// The text.
        text: String,
        /// The sub-agent's tool call.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        parent: Option<Box<str>>,
    },
    /// A whole message. Replaces the deltas since the last message or tool use.
    Message {
        /// The text.
        text: String,
        /// The sub-agent's tool call.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        parent: Option<Box<str>>,
    },
    /// The agent calls a tool.
    ToolUse {
        /// The agent's id of the call; unique within the turn.
        id: String,
        /// The agent's name of the tool.
        name: String,
        /// What kind of tool it is.
        kind: ToolKind,
        /// One line for people: the command, the path, the query.
        title: String,
        /// The input, whole, as the agent sent it.
        input: RawJson,
        /// The sub-agent's tool call.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        parent: Option<Box<str>>,
    },
    /// A piece of a running tool's output. May be incomplete; the result is whole.
    ToolOutputDelta {
        /// The call.
        id: String,
        /// The text.
        text: String,
    },
    /// A tool ended.
    ToolResult {
        /// The call.
        id: String,
        /// Whether it failed or was refused.
        is_error: bool,
        /// The output as text, whole.
        text: String,
        /// The agent's structured output, whole, where there is more than text.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        output: Option<RawJson>,
        /// The sub-agent's tool call.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        parent: Option<Box<str>>,
    },
    /// The agent's plan, whole; replaces the one before.
    Plan {
        /// Its steps, in order.
        entries: Vec<PlanEntry>,
        /// Prose around it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        explanation: Option<String>,
    },
    /// Files changed by a tool.
    FileChange {
        /// The tool call that changed them.
        id: String,
        /// The files.
        changes: Vec<FileChange>,
    },
    /// Tokens of this turn so far.
    Usage {
        /// The count, with those of its sub-agents as far as the agent tells them.
        usage: Usage,
        /// The tool call of the sub-agent whose use is the latest in it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        parent: Option<Box<str>>,
    },
    /// A rate limit's state.
    RateLimit {
        /// Which limit, in the agent's word.
        limit: Option<String>,
        /// Its state, in the agent's word.
        status: Option<String>,
        /// How much of it is used, 0 to 100.
        used_percent: Option<f64>,
        /// When it starts anew, in seconds since the Unix epoch.
        resets_at: Option<i64>,
        /// All that the agent said.
        raw: RawJson,
    },
    /// How full the model's context is.
    ContextUsage {
        /// Tokens in it.
        used_tokens: u64,
        /// Tokens it can hold.
        window_tokens: Option<u64>,
    },
    /// The conversation is, or was, compacted.
    Compaction {
        /// How far.
        phase: CompactionPhase,
        /// Tokens before.
        tokens_before: Option<u64>,
        /// Tokens after.
        tokens_after: Option<u64>,
    },
    /// What the agent is busy with.
    Status {
        /// In the agent's word: `requesting`, `retrying`, …
        state: String,
        /// One line for people.
        message: String,
    },
    /// Something the host may want to know.
    Warning {
        /// What to act on.
        code: WarningCode,
        /// What to read.
        message: String,
    },
    /// The agent asks something.
    RequestOpened {
        /// The id to answer.
        request: RequestId,
        /// What it asks.
        kind: RequestKind,
        /// The tool call it is about.
        tool: Option<String>,
        /// One line for people; of a call of a host's tool, the tool's name.
        title: String,
        /// What it can be answered with.
        decisions: Vec<Decision>,
        /// What the user is asked, of a user question.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        questions: Vec<Question>,
        /// The tool's input, or the schema of the content that an MCP server asks for, or the page
        /// that it sends the user to: `{"url": "…"}`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        input: Option<RawJson>,
        /// Until when it waits for the host, in milliseconds since the Unix epoch. `None`: it does
        /// not wait, and the next event says how it was settled.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        deadline_unix_ms: Option<i64>,
        /// All that the agent said.
        raw: RawJson,
    },
    /// The question is answered, or gone.
    RequestResolved {
        /// The id.
        request: RequestId,
        /// How.
        resolution: Resolution,
        /// By whom.
        by: ResolvedBy,
        /// The rule that decided, by name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rule: Option<String>,
    },
    /// Events `first` to `last` are no longer in the log. Only in a reader's stream.
    Gap {
        /// The first missing `seq`.
        first: u64,
        /// The last missing `seq`.
        last: u64,
    },
    /// Something the agent said that this version does not know.
    Unknown {
        /// All of it.
        raw: RawJson,
    },
}

impl Body {
    /// The stable kind.
    #[must_use]
    pub const fn kind(&self) -> EventKind {
        match self {
            Self::SessionOpened { .. } => EventKind::SessionOpened,
            Self::SessionBound { .. } => EventKind::SessionBound,
            Self::SessionClosed { .. } => EventKind::SessionClosed,
            Self::ProcessStarted { .. } => EventKind::ProcessStarted,
            Self::ProcessStopped { .. } => EventKind::ProcessStopped,
            Self::Evicted { .. } => EventKind::Evicted,
            Self::Recycled { .. } => EventKind::Recycled,
            Self::Downgraded { .. } => EventKind::Downgraded,
            Self::Spilled {} => EventKind::Spilled,
            Self::Restored {} => EventKind::Restored,
            Self::SettingsChanged { .. } => EventKind::SettingsChanged,
            Self::TurnQueued { .. } => EventKind::TurnQueued,
            Self::Steered { .. } => EventKind::Steered,
            Self::TurnStarted { .. } => EventKind::TurnStarted,
            Self::TurnCompleted { .. } => EventKind::TurnCompleted,
            Self::TurnFailed { .. } => EventKind::TurnFailed,
            Self::TurnInterrupted { .. } => EventKind::TurnInterrupted,
            Self::TextDelta { .. } => EventKind::TextDelta,
            Self::ReasoningDelta { .. } => EventKind::ReasoningDelta,
            Self::Message { .. } => EventKind::Message,
            Self::ToolUse { .. } => EventKind::ToolUse,
            Self::ToolOutputDelta { .. } => EventKind::ToolOutputDelta,
            Self::ToolResult { .. } => EventKind::ToolResult,
            Self::Plan { .. } => EventKind::Plan,
            Self::FileChange { .. } => EventKind::FileChange,
            Self::Usage { .. } => EventKind::Usage,
            Self::RateLimit { .. } => EventKind::RateLimit,
            Self::ContextUsage { .. } => EventKind::ContextUsage,
            Self::Compaction { .. } => EventKind::Compaction,
            Self::Status { .. } => EventKind::Status,
            Self::Warning { .. } => EventKind::Warning,
            Self::RequestOpened { .. } => EventKind::RequestOpened,
            Self::RequestResolved { .. } => EventKind::RequestResolved,
            Self::Gap { .. } => EventKind::Gap,
            Self::Unknown { .. } => EventKind::Unknown,
        }
    }
}

/// One step of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlanEntry {
    /// What is to be done.
    pub text: String,
    /// How far it is.
    pub status: PlanStatus,
}

/// One changed file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FileChange {
    /// Its path, as the agent names it.
    pub path: String,
    /// What happened to it.
    pub kind: FileChangeKind,
    /// The change: unified hunks, or the whole content of a new or deleted file. Empty where the
    /// agent does not tell.
    pub diff: String,
    /// Its new path, if it was moved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved_to: Option<String>,
}
