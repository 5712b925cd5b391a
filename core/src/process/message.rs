//! What sessions tell a process actor, and what it tells them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use crate::event::{Exit, WarningCode};
use crate::ids::ProcessId;
use crate::process::Containment;
use crate::provider::{Conversation, Request, Signal};

/// A session's message to a process.
#[derive(Debug)]
pub(crate) enum Command {
    /// A session joins. Its reports go to `reports` until the process is gone. A later one is told
    /// first what those before it were told; one that takes over a conversation replaces the one
    /// before, which hears no more.
    Attach {
        conversation: Conversation,
        reports: mpsc::Sender<(ProcessId, Report)>,
    },
    /// A session leaves a process that others use. Its conversation is closed, and when the agent has
    /// let go of it, the session hears `Left` and no more. An agent that does not let go within five
    /// seconds is killed: two processes of one conversation would each write a history of their own.
    /// Of a process that is being stopped it only makes the stop faster.
    Leave {
        conversation: Conversation,
        stop: Stop,
    },
    /// Something for the codec. Held until the process runs; ignored once it is being stopped or
    /// its output is closed.
    Request(Request),
    /// End the process and its tree. A second one may only be faster. From now on output that finds
    /// no room in a session's queue is dropped; every other report still waits for room.
    Stop(Stop),
}

/// How to end a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// By the provider's ladder, with the steps shortened so that the kill comes by `by`.
    Gently { by: Option<Instant> },
    /// At once.
    Kill,
}

/// A process's message to a session.
///
/// The order: `Spawned`, then any number of `Signals` and `Note`, and each of the others at most
/// once: `WriteFailed` at any time, `OutputClosed` after the last `Signals` of the output, `Exited`
/// before or after that. `Gone` comes always, last and once. Before it come
///
/// - `SpawnFailed` alone, if there never was a process, or nothing at all, if the process was
///   stopped while it started and did not come;
/// - else `OutputClosed`, and `Exited` unless the agent itself could not be killed. Both may be
///   missing after a fault of this library.
///
/// To a session that has left, `Left` may come instead of `Gone`.
///
/// Reports wait for room in the session's queue, and while any session's queue is full nothing is
/// read from the agent; where several sessions share it, a session may be some reports behind before
/// it holds up the others, who are told by `Held`. So a session receives until `Gone`, or drops its receiver, and never waits
/// for the process while it does not receive.
#[derive(Debug)]
pub(crate) enum Report {
    /// It runs.
    Spawned { pid: u32, containment: Containment },
    /// It does not, and never will. `Gone` follows.
    SpawnFailed(crate::Error),
    /// What the agent said, one read's worth. A codec that panics says `Broken` here, once, and its
    /// process is killed.
    Signals(Vec<Signal>),
    /// What the library noticed in the agent's output.
    Note { code: WarningCode, message: String },
    /// The agent's input is stuck or closed; the process is useless, and its session stops it.
    /// Nothing is written any more. Not said where the end of the process explains it.
    WriteFailed { message: String },
    /// The agent's stdout is at its end, or was closed on this side, and everything before that was
    /// delivered. A process that lives on is killed a second later; if its stdin is closed, after
    /// the time that a stop would give it.
    OutputClosed,
    /// The agent's own process ended. Its descendants are being killed.
    Exited { exit: Exit, stderr: String },
    /// The agent is not listened to because another session has no room; or that is over. While it
    /// lasts it cannot be silent.
    Held(bool),
    /// The agent has let go of the conversation, which another process may go on with. The last that
    /// a session hears that left.
    Left,
    /// Nothing is left of the tree but these, which did not die within two seconds of a kill. As
    /// long as any is left, the process keeps its lease.
    Gone { left: Vec<u32> },
}

/// A session's hold on a process actor. Dropping every handle kills the process. Sending fails
/// after `Gone` and never waits for an agent or a session.
#[derive(Clone, Debug)]
pub(crate) struct ProcessHandle {
    pub commands: mpsc::UnboundedSender<Command>,
    /// The last of stderr, at most 64 KiB, readable at any time.
    pub stderr: Arc<crate::process::stderr::StderrTail>,
}

/// The limits a process actor keeps.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// The longest line, in bytes.
    pub max_line: usize,
    /// Writing without progress.
    pub write: Duration,
}
