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
/// Reports wait for room in the session's queue, and while any session's queue is full nothing is
/// read from the agent. So a session receives until `Gone`, or drops its receiver, and never waits
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
