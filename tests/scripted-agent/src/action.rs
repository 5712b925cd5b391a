//! What the agent can be told to do.

use serde::{Deserialize, Serialize};

/// Where an action makes sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Only inside a turn.
    Turn,
    /// Wherever a line of output can start.
    Line,
    /// Anywhere, also in the middle of a line.
    Anywhere,
}

/// One instruction. The text form is the name in kebab case and its arguments:
/// `Action::Exit(3)` is `exit 3`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Says so many numbered words, one delta each; the second is the stem of the words.
    Words(u64, String),
    /// Says a text as one delta.
    Say(String),
    /// Shows a piece of reasoning.
    Think(String),
    /// Says a text of so many bytes, in deltas of 64 KiB.
    Bytes(u64),
    /// Says a text of so many megabytes in one delta, so in one line.
    Line(u64),
    /// Says all earlier prompts of the conversation, one per line.
    Recall,
    /// Says the environment, the working directory and the arguments as JSON.
    Env,
    /// Says the table of open descriptors as JSON.
    Fds,
    /// Runs a tool without asking: name, input, milliseconds.
    Tool(String, String, u64),
    /// Asks for permission, then runs the tool or not.
    Ask(String, String, u64),
    /// Asks for permission, and before the answer comes a child writes a yes and an end of the turn to
    /// each of our streams, if it can open it, and to all that it has inherited. The answer says
    /// how many it could: name, input.
    Forge(String, String),
    /// Shows a plan of so many steps; the first is done, the second in work.
    Plan(u64),
    /// Sends a request of the agent's own to the host and says the reply as JSON: method, parameters.
    /// The session's id is put in. ACP only; elsewhere the reply is `null`.
    Request(String, String),
    /// Ends the turn with a failure of the model of this HTTP status.
    ModelError(u16),
    /// Starts a turn by itself after this one, with this text as its prompt. One conversation per process only.
    FollowUp(String),
    /// Sends so many text deltas from a pre-built buffer.
    Flood(u64),
    /// Sends deltas at a rate: per second, count, each with the monotonic time in nanoseconds or not.
    Paced(u64, u64, bool),
    /// Sends so many deltas at once, then nothing more.
    Burst(u64),
    /// The turn gets no end.
    NoTerminal,
    /// The turn ends twice.
    DoubleTerminal,
    /// The turn ends as interrupted, then as completed.
    ContradictoryTerminals,
    /// The end of the turn comes before its deltas.
    TerminalFirst,
    /// Deltas come after the end of the turn.
    AfterTerminal,
    /// The end of the turn comes without a newline, then the process exits with 0.
    NoFinalNewline,
    /// Everything in the turn carries ids of another turn and session.
    WrongId,
    /// Sends so many permission requests at once and goes on without answers.
    AskFlood(u64),
    /// Sends a permission request and withdraws it at once.
    AskStale,
    /// Sends the same permission request twice and waits for one answer.
    AskTwice,
    /// Waits without a sign until interrupted or steered.
    Hang,
    /// Writes a line as it stands.
    Raw(String),
    /// Writes lines that are no protocol.
    Noise(NoiseKind),
    /// Writes a text delta with invalid UTF-8 in it.
    InvalidUtf8,
    /// Writes a line nested so deep.
    DeepJson(u64),
    /// Writes well-formed messages of kinds nobody knows.
    UnknownTypes,
    /// Writes messages of known kinds whose members have wrong types.
    WrongTypes,
    /// Writes one line of up to so many megabytes, for at most 120 s, and never ends it.
    EndlessLine(u64),
    /// Does nothing for so long.
    SleepMs(u64),
    /// Stops all output and all reaction for 120 s, then exits with 1; only signals still work.
    Freeze,
    /// Keeps one core busy, for at most 120 s, beside all else.
    Spin,
    /// Exits with this code.
    Exit(i32),
    /// Dies of SIGABRT.
    Abort,
    /// Dies of SIGSEGV.
    Segv,
    /// Dies of SIGKILL.
    KillSelf,
    /// Stops itself with SIGSTOP.
    StopSelf,
    /// Takes and touches so many megabytes of memory, at most 4096.
    Allocate(u64),
    /// Opens descriptors until none is left.
    OpenFds,
    /// Ignores SIGTERM, SIGINT and SIGHUP.
    IgnoreSignals,
    /// Lives on after the end of stdin, for at most 120 s.
    IgnoreEof,
    /// Exits only so many milliseconds after the end of stdin.
    SlowEof(u64),
    /// At start: runs itself again with the same arguments and streams, then exits with 0.
    Wrapper,
    /// At start: like `Wrapper`, but the new process is in a session of its own.
    Daemonise,
    /// Starts children of a kind that do nothing.
    Children(ChildKind, u64),
    /// Starts a child that keeps one of the standard streams open.
    Hold(Stream),
    /// Starts a process that replaces itself by a new one so often per second, for so many seconds.
    Hopper(u64, u64),
    /// Starts a tree of so many processes, at most 256.
    Bomb(u64),
    /// Reads no more from stdin.
    StopReading,
    /// Reads so many bytes of stdin per second.
    ReadSlow(u64),
    /// Closes stdin and lives on.
    CloseStdin,
    /// Closes stdout and lives on.
    CloseStdout,
    /// Writes so many megabytes to stderr.
    Stderr(u64),
    /// From now on every byte is written alone.
    OneByteWrites,
    /// From now on every line is written in two parts; the cut moves on by one byte per line.
    SplitLines,
    /// From now on lines end in CR LF.
    Crlf,
    /// From now on every write is delayed by so many milliseconds.
    DelayWrites(u64),
    /// From now on interrupts are treated so; the number is the delay of `late` in milliseconds.
    Interrupts(InterruptMode, u64),
    /// From now on replies to requests are treated so.
    Replies(ReplyMode),
}

/// The kind of a child.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChildKind {
    /// In our process group and session.
    Plain,
    /// In a process group of its own.
    Pgrp,
    /// In a session of its own.
    Setsid,
    /// Its parent has exited.
    DoubleFork,
    /// With an empty environment.
    CleanEnv,
    /// Ignores SIGTERM, SIGINT and SIGHUP.
    TermProof,
}

/// A standard stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stream {
    /// Descriptor 0.
    Stdin,
    /// Descriptor 1.
    Stdout,
    /// Descriptor 2.
    Stderr,
}

/// Output that is no protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoiseKind {
    /// A line of plain text.
    Banner,
    /// A byte order mark before a line.
    Bom,
    /// A line with NUL bytes.
    Nul,
    /// A line with terminal escapes.
    Ansi,
    /// Empty lines, with and without CR.
    Blank,
    /// Each of the others.
    All,
}

/// How interrupts are treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InterruptMode {
    /// As the real agent does.
    Normal,
    /// No answer and no effect.
    Ignore,
    /// Answer and effect come late.
    Late,
    /// Two answers.
    Twice,
}

/// How replies to requests of the host are treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReplyMode {
    /// As the real agent does.
    Normal,
    /// Every reply comes twice.
    Duplicate,
    /// Replies come in pairs, the later one first.
    Reorder,
    /// No reply comes.
    Drop,
    /// Before each reply comes one with an id that nobody used.
    Unknown,
    /// Every change of settings is refused.
    Refuse,
}

impl Action {
    /// Says where this action makes sense.
    #[must_use]
    pub fn place(&self) -> Place {
        match self {
            Self::Words(..)
            | Self::Say(_)
            | Self::Think(_)
            | Self::Bytes(_)
            | Self::Line(_)
            | Self::Recall
            | Self::Env
            | Self::Fds
            | Self::Tool(..)
            | Self::Ask(..)
            | Self::Forge(..)
            | Self::Plan(_)
            | Self::Request(..)
            | Self::ModelError(_)
            | Self::FollowUp(_)
            | Self::Flood(_)
            | Self::Paced(..)
            | Self::Burst(_)
            | Self::Hang
            | Self::NoTerminal
            | Self::DoubleTerminal
            | Self::ContradictoryTerminals
            | Self::TerminalFirst
            | Self::AfterTerminal
            | Self::NoFinalNewline
            | Self::WrongId
            | Self::AskFlood(_)
            | Self::AskStale
            | Self::AskTwice => Place::Turn,
            Self::Raw(_)
            | Self::Noise(_)
            | Self::InvalidUtf8
            | Self::DeepJson(_)
            | Self::UnknownTypes
            | Self::WrongTypes
            | Self::EndlessLine(_) => Place::Line,
            Self::SleepMs(_)
            | Self::Freeze
            | Self::Spin
            | Self::Exit(_)
            | Self::Abort
            | Self::Segv
            | Self::KillSelf
            | Self::StopSelf
            | Self::Allocate(_)
            | Self::OpenFds
            | Self::IgnoreSignals
            | Self::IgnoreEof
            | Self::SlowEof(_)
            | Self::Wrapper
            | Self::Daemonise
            | Self::Children(..)
            | Self::Hold(_)
            | Self::Hopper(..)
            | Self::Bomb(_)
            | Self::StopReading
            | Self::ReadSlow(_)
            | Self::CloseStdin
            | Self::CloseStdout
            | Self::Stderr(_)
            | Self::OneByteWrites
            | Self::SplitLines
            | Self::Crlf
            | Self::DelayWrites(_)
            | Self::Interrupts(..)
            | Self::Replies(_) => Place::Anywhere,
        }
    }

    /// Whether this action takes the place of the answer that is given otherwise.
    #[must_use]
    pub fn answers(&self) -> bool {
        matches!(
            self,
            Self::Words(..)
                | Self::Say(_)
                | Self::Bytes(_)
                | Self::Line(_)
                | Self::Recall
                | Self::Forge(..)
                | Self::Request(..)
                | Self::Env
                | Self::Fds
                | Self::ModelError(_)
                | Self::Flood(_)
                | Self::Paced(..)
                | Self::Burst(_)
                | Self::Hang
                | Self::Children(..)
                | Self::Hold(_)
                | Self::Hopper(..)
                | Self::Bomb(_)
        )
    }
}
