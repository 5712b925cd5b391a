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
    /// A session joins. Its reports go to `reports` until the process is gone.
    Attach {
        conversation: Conversation,
        reports: mpsc::Sender<(ProcessId, Report)>,
    },
    /// Something for the codec.
    Request(Request),
    /// End the process and its tree. A second one may only be faster.
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

/// A process's message to a session. In order: `Spawned`, then any number of `Signals`, `Notes` and
/// `Failed`, `OutputClosed`, `Exited` (these two in either order), then `Gone`, always and last.
#[derive(Debug)]
pub(crate) enum Report {
    /// It runs.
    Spawned { pid: u32, containment: Containment },
    /// It does not, and never will. `Gone` follows.
    SpawnFailed(crate::Error),
    /// What the agent said, one read's worth.
    Signals(Vec<Signal>),
    /// What the library noticed in the agent's output.
    Note { code: WarningCode, message: String },
    /// The agent's input is stuck or closed; the process is useless.
    WriteFailed { message: String },
    /// The agent's stdout is at its end, and everything before it was delivered.
    OutputClosed,
    /// The agent's own process ended. Its descendants are being killed.
    Exited { exit: Exit, stderr: String },
    /// Nothing is left of the tree but these.
    Gone { left: Vec<u32> },
}

/// A session's hold on a process actor. Dropping every handle kills the process.
#[derive(Clone, Debug)]
pub(crate) struct ProcessHandle {
    pub id: ProcessId,
    pub commands: mpsc::Sender<Command>,
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
