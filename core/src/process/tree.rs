//! One agent with all that it starts.
//!
//! A tree has one owner, who starts it and sees it end. Nothing of it outlives its [`Control`]: dropping that kills
//! the tree, and so does the end of the host, however it comes.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;

pub(crate) use super::Containment;
use super::{Control, Stdio};

/// The variable in the environment of every agent that tells which tree a process belongs to.
pub(crate) const COOKIE: &str = "REMUDA_TREE";

/// What to start.
#[derive(Clone, Debug)]
pub(crate) struct TreeSpec {
    /// The file to execute. No `PATH` is looked at.
    pub program: PathBuf,
    /// The arguments, without the program's name.
    pub args: Vec<OsString>,
    /// The whole environment but for [`COOKIE`]: nothing is inherited.
    pub env: Vec<(OsString, OsString)>,
    /// The working directory.
    pub cwd: PathBuf,
    /// Whether stderr is the same as stdout.
    pub merged: bool,
    /// The weakest containment that will do. The strongest that works here is taken.
    pub lowest: Containment,
}

/// Why there is no tree. Nothing is left of the attempt.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SpawnError {
    #[error("no program or interpreter at {}", .program.display())]
    NotFound { program: PathBuf },
    #[error("{} cannot be executed", .program.display())]
    NotExecutable { program: PathBuf, source: io::Error },
    #[error("working directory {} cannot be entered", .cwd.display())]
    Directory { cwd: PathBuf, source: io::Error },
    #[error("no guard: {why}")]
    GuardUnavailable { why: String },
    #[error("the system refused {what}")]
    System {
        what: &'static str,
        source: io::Error,
    },
    #[cfg(windows)]
    #[error("agents cannot be started on this system")]
    Unsupported,
}

impl SpawnError {
    /// Sorts an error of exec.
    pub(super) fn from_exec(program: PathBuf, source: io::Error) -> Self {
        let kind = source.kind();
        if matches!(kind, io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) {
            Self::NotFound { program }
        } else if kind == io::ErrorKind::ArgumentListTooLong {
            Self::System {
                what: "arguments and environment",
                source,
            }
        } else if is_shortage(&source) {
            Self::System {
                what: "a process",
                source,
            }
        } else {
            Self::NotExecutable { program, source }
        }
    }
}

/// Whether the error is about what the machine has, not about what was asked.
pub(super) fn is_shortage(error: &io::Error) -> bool {
    const EMFILE: i32 = 24;
    const ENFILE: i32 = 23;
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::OutOfMemory
    ) || matches!(error.raw_os_error(), Some(EMFILE | ENFILE))
}

/// A started tree. Its parts may go to different tasks.
#[derive(Debug)]
pub(crate) struct Tree {
    /// Process id of the agent.
    pub pid: u32,
    /// The containment in force, at least what was asked.
    pub containment: Containment,
    /// To the agent. Shutting it down tells the agent that there is no more input.
    pub stdin: Stdio,
    /// From the agent.
    pub stdout: Stdio,
    /// From the agent.
    pub stderr: Stdio,
    /// Signals, kills and watches the tree.
    pub control: Control,
}

impl Tree {
    /// Starts the agent and returns when its exec has succeeded.
    ///
    /// Blocks for about a millisecond; a guard that says nothing for ten seconds is given up. Does not fork: the host may be large and may
    /// have threads. The runtime of the handle drives the streams.
    #[cfg(unix)]
    pub(crate) fn spawn(spec: TreeSpec, handle: &Handle) -> Result<Self, SpawnError> {
        let places = super::guard_image::Place::usual();
        Self::spawn_from(spec, handle, &places)
    }

    /// As [`spawn`](Self::spawn), with the guard executed from one of these places.
    #[cfg(unix)]
    pub(super) fn spawn_from(
        spec: TreeSpec,
        handle: &Handle,
        places: &[super::guard_image::Place],
    ) -> Result<Self, SpawnError> {
        let cookie = uuid::Uuid::new_v4().simple().to_string();
        let spec = with_cookie(spec, &cookie);
        let started = match super::guarded::spawn(&spec, &cookie, places) {
            Err(SpawnError::GuardUnavailable { .. })
                if spec.lowest == Containment::ProcessGroup =>
            {
                super::group::spawn(&spec, &cookie)
            }
            result => result,
        }?;
        started.attach(handle)
    }

    /// Trees need a job object here, which is not written yet. Always fails.
    #[cfg(windows)]
    pub(crate) fn spawn(_spec: TreeSpec, _handle: &Handle) -> Result<Self, SpawnError> {
        Err(SpawnError::Unsupported)
    }
}

/// The strongest containment that works here, and why not a stronger one. Starts no agent.
#[cfg(unix)]
pub(crate) fn contained() -> (Containment, Option<String>) {
    // The root directory cannot be executed: to learn that, a guard must have come as far as an agent's exec.
    let nothing = TreeSpec {
        program: "/".into(),
        args: Vec::new(),
        env: Vec::new(),
        cwd: "/".into(),
        merged: false,
        lowest: Containment::Guard,
    };
    let places = super::guard_image::Place::usual();
    match super::guarded::spawn(&nothing, "", &places) {
        Err(SpawnError::NotFound { .. } | SpawnError::NotExecutable { .. }) | Ok(_) => {
            (Containment::Guard, None)
        }
        Err(
            why @ (SpawnError::GuardUnavailable { .. }
            | SpawnError::Directory { .. }
            | SpawnError::System { .. }),
        ) => (Containment::ProcessGroup, Some(why.to_string())),
    }
}

/// Trees need a job object here, which is not written yet.
#[cfg(windows)]
pub(crate) fn contained() -> (Containment, Option<String>) {
    (
        Containment::ProcessGroup,
        Some(SpawnError::Unsupported.to_string()),
    )
}

/// The agent's environment with the mark that finds its descendants. One that was there, of an outer tree, goes.
fn with_cookie(mut spec: TreeSpec, cookie: &str) -> TreeSpec {
    spec.env.retain(|(name, _)| name != COOKIE);
    spec.env.push((COOKIE.into(), cookie.into()));
    spec
}

/// What happens to a tree, in this order: `Exited` once, `Left` any number of times (also before), `Gone` at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TreeEvent {
    /// The agent itself ended. Everything that it left behind is being killed.
    Exited(Exit),
    /// These were killed but have not died for a second. They are watched further.
    Left(Vec<u32>),
    /// Nothing of the tree is left, as far as the containment in force can know.
    Gone,
}

/// How the agent itself ended. With neither code nor signal nobody knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Exit {
    /// Its exit code, if it exited.
    pub code: Option<i32>,
    /// The signal that killed it, if one did.
    pub signal: Option<i32>,
    /// It was killed, not by us, and the system killed for want of memory in its cgroup meanwhile.
    pub out_of_memory: bool,
    /// The largest resident memory of one of its processes, 0 if unknown.
    pub max_rss_bytes: u64,
    /// CPU time of the agent and the children that it waited for.
    pub cpu: Duration,
}

/// A signal that asks an agent to do something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    /// SIGINT.
    Interrupt,
    /// SIGTERM.
    Terminate,
}

/// Enough to find a tree again, for whoever comes after this process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TreeRecord {
    /// The boot in which it ran. In another boot the rest means nothing.
    pub boot: String,
    /// The agent.
    pub agent: Identity,
    /// The value of [`COOKIE`] in the environment of its processes.
    pub cookie: String,
}

/// A process that is not mistaken for a later one with the same pid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Identity {
    /// Its process id.
    pub pid: u32,
    /// When it started, in units of the system. None if it was over too soon to see.
    pub start: Option<u64>,
}
