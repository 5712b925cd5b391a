//! The boundary between core and a protocol: requests become bytes, lines become signals.
//!
//! A codec has no clock, no task and no pipe. The process actor calls it, writes what it gives and
//! hands the signals to the sessions. It must not panic on any input, and what it does not
//! understand it passes on as [`Body::Unknown`] or a warning.

use std::sync::Arc;
use std::time::Duration;

use crate::client::{self, ClientCall};
use crate::config::SessionOptions;
use crate::error::ErrorKind;
use crate::event::{Body, RawJson, RequestKind, Usage};
use crate::ids::TurnId;
use crate::message::Message;
use crate::operation::Operation;
use crate::request::{Answer, Decision, Question, Subject};
use crate::settings::Change;

/// Reads and writes one process's protocol.
pub(crate) trait Codec: Send {
    /// The process runs: writes what opens the protocol. Comes first, once.
    fn start(&mut self, out: &mut Output);

    /// The host wants something.
    fn request(&mut self, request: Request, out: &mut Output);

    /// The agent wrote a line, here without its line end. May be any bytes.
    fn line(&mut self, line: &[u8], out: &mut Output);

    /// A line was too long to be read and is skipped: how it begins, and how many bytes it had when
    /// it was given up. Core warns of it; what follows from what the agent said in it, for instance
    /// that a turn is over, is for the codec to tell.
    fn skipped(&mut self, _head: &[u8], _size: usize, _out: &mut Output) {}

    /// The agent's output is at its end. What a one-shot process leaves unsaid by then is said here.
    fn end_of_output(&mut self, out: &mut Output);

    /// What the agent wrote to stderr by the end of its output. Comes last, once; for agents that
    /// say only there why they ended.
    fn last_words(&mut self, _stderr: &str, _out: &mut Output) {}
}

/// What a codec wants done after a call: bytes first, then signals, in order.
#[derive(Debug, Default)]
pub(crate) struct Output {
    /// Bytes for the agent's stdin: whole lines.
    pub bytes: Vec<u8>,
    /// Whether stdin ends after these bytes.
    pub close_stdin: bool,
    /// A signal for the agent's process, where that is how the protocol says it.
    pub kill: Option<AgentSignal>,
    /// Facts for the sessions.
    pub signals: Vec<Signal>,
    /// Conversations that were closed and that the agent has let go of: another process can go on
    /// with them.
    pub left: Vec<Conversation>,
}

impl Output {
    /// Adds a fact.
    pub(crate) fn signal(&mut self, conversation: Conversation, turn: TurnRef, body: SignalBody) {
        self.signals.push(Signal {
            conversation,
            turn,
            body,
        });
    }

    /// Adds an event to show as it is.
    pub(crate) fn show(&mut self, conversation: Conversation, turn: TurnRef, body: Body) {
        self.signal(conversation, turn, SignalBody::Show(body));
    }
}

/// A signal of the operating system that an agent understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AgentSignal {
    /// SIGINT.
    Interrupt,
    /// SIGTERM.
    Terminate,
}

/// A session's place in a process. Chosen by core, unique within the process. A process of one
/// session has only number 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Conversation(pub u32);

impl Conversation {
    /// No session's: of those who only hear what concerns all.
    pub(crate) const NOBODY: Self = Self(u32::MAX);
}

/// A question of the agent, or a call of its client, numbered by the codec within the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct AgentRequest(pub u64);

/// What the host wants of the agent.
#[derive(Debug)]
pub(crate) enum Request {
    /// Begin a conversation, or go on with one. Answered by [`SignalBody::Ready`] or
    /// [`SignalBody::Refused`]. Comes before every other request of that conversation.
    Open {
        conversation: Conversation,
        options: Arc<SessionOptions>,
        resume: Option<String>,
        /// What the session has cost so far, in US dollars: some agents go on counting from there.
        cost_usd: f64,
    },
    /// Run a turn. Sent only after `Ready`, and only when no other host turn runs in that conversation.
    Turn {
        conversation: Conversation,
        turn: TurnId,
        message: Arc<Message>,
    },
    /// Add a message to the host turn that runs. Answered by [`SignalBody::Steered`], also when the
    /// turn ended meanwhile. Sent only to agents that can.
    Steer {
        conversation: Conversation,
        turn: TurnId,
        /// Core's number of this message within the session.
        steer: u64,
        message: Arc<Message>,
    },
    /// Change settings, of those that the provider takes live. Answered by [`SignalBody::Changed`].
    Change {
        conversation: Conversation,
        change: Arc<Change>,
    },
    /// Do something with the conversation. Answered by [`SignalBody::Operated`] with the same number,
    /// always.
    Operate {
        conversation: Conversation,
        number: u64,
        operation: Arc<Operation>,
    },
    /// End this turn, the host's or the agent's own, and no other. Held by the codec until the agent
    /// can take it. The host's turn that waits behind one of the agent's own is taken back, and that
    /// one runs on. The turn is over: nothing is written. Commands that the agent would leave running
    /// are ended too, unless `keep_commands`. Sent only to agents that can.
    Interrupt {
        conversation: Conversation,
        turn: TurnRef,
        keep_commands: bool,
    },
    /// Answer a question. Unknown or settled ones are ignored.
    Answer {
        conversation: Conversation,
        request: AgentRequest,
        answer: Answer,
    },
    /// What became of a call. Unknown ones, and those that were taken back, are ignored.
    Served {
        conversation: Conversation,
        request: AgentRequest,
        outcome: client::Outcome,
    },
    /// The session leaves a process that others may go on using. The conversation is forgotten: what
    /// runs in it is ended, and nothing more is said of it. Answered by [`Output::left`], once
    /// another process can go on with it. Sent only to agents that share processes.
    Close { conversation: Conversation },
}

impl Request {
    /// The conversation that it is about.
    pub(crate) fn conversation(&self) -> Conversation {
        match self {
            Self::Open { conversation, .. }
            | Self::Turn { conversation, .. }
            | Self::Steer { conversation, .. }
            | Self::Change { conversation, .. }
            | Self::Operate { conversation, .. }
            | Self::Interrupt { conversation, .. }
            | Self::Answer { conversation, .. }
            | Self::Served { conversation, .. }
            | Self::Close { conversation } => *conversation,
        }
    }

    /// The same, about that conversation.
    pub(crate) fn readdressed(mut self, to: Conversation) -> Self {
        match &mut self {
            Self::Open { conversation, .. }
            | Self::Turn { conversation, .. }
            | Self::Steer { conversation, .. }
            | Self::Change { conversation, .. }
            | Self::Operate { conversation, .. }
            | Self::Interrupt { conversation, .. }
            | Self::Answer { conversation, .. }
            | Self::Served { conversation, .. }
            | Self::Close { conversation } => *conversation = to,
        }
        self
    }
}

/// A fact about a conversation.
#[derive(Debug)]
pub(crate) struct Signal {
    pub conversation: Conversation,
    pub turn: TurnRef,
    pub body: SignalBody,
}

/// Which turn a fact belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TurnRef {
    /// None: it is about the conversation.
    None,
    /// The host's turn of that id, even if it is over.
    Host(TurnId),
    /// A turn that the agent started by itself, numbered by the codec: 1, 2, 3 …
    Agent(u32),
}

/// What a codec can say.
#[derive(Debug)]
pub(crate) enum SignalBody {
    /// The conversation takes turns. Agents that print nothing before the first turn are ready as
    /// soon as they answered the handshake, or, without a handshake, at once.
    Ready { version: Option<String> },
    /// The agent says of itself that it goes on with no conversation in another process. Comes before
    /// `Ready` or `Refused`. From those that can, by the provider's table, but not in this version.
    Forgets,
    /// The conversation cannot be opened, or resumed.
    Refused { code: ErrorKind, message: String },
    /// The agent's own id of the conversation, whenever it is new or other than before.
    Bound {
        provider_session_id: String,
        model: Option<String>,
        resumed: bool,
    },
    /// The agent's version, where it comes later than `Ready`.
    Version(String),
    /// The agent has this turn: its first sign. Anything else of a turn is a sign too.
    Taken,
    /// The agent started a turn by itself. Comes before anything else of it.
    AgentTurn,
    /// An event for the host, as it is. Tool uses and results are counted by core.
    Show(Body),
    /// The agent asks something.
    Asked(Box<Asked>),
    /// The agent took its question back.
    Withdrawn { request: AgentRequest },
    /// The agent wants something done by its client. Answered by [`Request::Served`].
    Called(Box<Called>),
    /// Nobody waits any more for what becomes of that call.
    Forgone { request: AgentRequest },
    /// The agent's background work in this conversation: how many tasks run on after the turn.
    Background { tasks: u32 },
    /// What became of a message that was to join the running turn. `None`: it joined. Otherwise why
    /// it did not; it was not and will not be seen by the agent, and is sent again. At the end of the
    /// output only what was never written is refused: the rest is left unsaid, and counts as lost.
    Steered { steer: u64, refused: Option<String> },
    /// What became of the oldest change of settings that has no answer.
    Changed(ChangeOutcome),
    /// What is said last in the conversation stands here: the agent's id of it, for
    /// [`LaunchPlan::back_to`](crate::provider::LaunchPlan::back_to).
    Point(String),
    /// What became of an operation.
    Operated {
        number: u64,
        outcome: Result<RawJson, (ErrorKind, String)>,
    },
    /// The agent says that the turn is over.
    Ended(Box<TurnEnd>),
    /// The agent broke its protocol in a way that leaves the process useless.
    Broken { message: String },
}

/// What became of a change of settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ChangeOutcome {
    /// It holds from now on.
    Live,
    /// Only a new process can take it. The codec knows that; nothing was changed in this one.
    NeedsProcess,
    /// The agent was asked and refused.
    Refused {
        /// In its words.
        message: String,
        /// It had taken a part of the change before.
        halfway: bool,
    },
}

/// A question of the agent.
#[derive(Debug)]
pub(crate) struct Asked {
    pub request: AgentRequest,
    pub kind: RequestKind,
    /// The tool call it is about.
    pub tool: Option<String>,
    pub title: String,
    /// What rules look at.
    pub subject: Subject,
    /// What the agent can be answered.
    pub decisions: Vec<Decision>,
    /// What the user is asked, of a user question.
    pub questions: Vec<Question>,
    /// The tool's input, or the content's schema of an elicitation.
    pub input: Option<RawJson>,
    pub raw: RawJson,
}

/// A call of the agent's client.
#[derive(Debug)]
pub(crate) struct Called {
    pub request: AgentRequest,
    pub call: ClientCall,
    /// All that the agent said of it.
    pub raw: RawJson,
}

/// How the agent says a turn ended.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct TurnEnd {
    pub outcome: Outcome,
    /// The final text, where the agent repeats it at the end.
    pub text: Option<String>,
    pub stop_reason: Option<String>,
    pub usage: Option<Usage>,
    /// What this turn cost, in US dollars.
    pub cost_usd: Option<f64>,
    pub model: Option<String>,
    pub agent_turns: Option<u32>,
    pub duration: Option<Duration>,
    /// The structured answer, where one was asked for.
    pub structured: Option<RawJson>,
}

/// The three ends, as the agent sees them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Outcome {
    #[default]
    Completed,
    Interrupted,
    Failed {
        code: ErrorKind,
        message: String,
    },
}
