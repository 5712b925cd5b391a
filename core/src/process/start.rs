//! From a plan to a running actor.

use std::error::Error as _;
use std::io;

use tokio::runtime::Handle;

use crate::error::{Error, ErrorKind};
use crate::event::Exit;
use crate::ids::ProcessId;
use crate::process::actor::{Parts, actor};
use crate::process::seam::{self, Started, TreeEvent};
use crate::process::tree::{self, Signal, SpawnError, Tree, TreeSpec, is_shortage};
use crate::process::{Control, Limits, ProcessHandle};
use crate::provider::{AgentSignal, Codec, StopLadder};

/// Says what to start. It may look at the file system, so it runs where blocking does no harm.
pub(crate) type Plan = Box<dyn FnOnce() -> Result<TreeSpec, Error> + Send>;

/// What a process is made of.
pub(crate) struct ProcessSpec {
    pub id: ProcessId,
    pub plan: Plan,
    pub codec: Box<dyn Codec>,
    pub stop: StopLadder,
    pub limits: Limits,
    /// Dropped when the tree is gone, or there will be none.
    pub lease: Box<dyn Send>,
    /// Whether several sessions may use it.
    pub shared: bool,
    /// Called once, when it runs.
    pub spawned: Box<dyn FnOnce() + Send>,
    /// Where the actor and the streams run. It needs timers and I/O.
    pub runtime: Handle,
}

/// Starts a process. Returns at once; how the start goes is reported.
pub(crate) fn start(spec: ProcessSpec) -> ProcessHandle {
    let parts = Parts {
        id: spec.id,
        codec: spec.codec,
        stop: spec.stop,
        limits: spec.limits,
        lease: spec.lease,
        shared: spec.shared,
        spawned: spec.spawned,
    };
    let (plan, runtime) = (spec.plan, spec.runtime.clone());
    let (handle, actor) = actor(parts, async move {
        let task = tokio::task::spawn_blocking(move || {
            Tree::spawn(plan()?, &runtime).map_err(|error| refused(&error))
        });
        match task.await {
            Ok(outcome) => outcome.map(started),
            Err(_) => Err(Error::new(ErrorKind::Internal, "the start panicked")),
        }
    });
    spec.runtime.spawn(actor);
    handle
}

fn started(tree: Tree) -> Started<Control> {
    Started {
        pid: tree.pid,
        containment: tree.containment,
        stdin: tree.stdin,
        stdout: tree.stdout,
        stderr: tree.stderr,
        control: tree.control,
    }
}

fn refused(error: &SpawnError) -> Error {
    let kind = match error {
        SpawnError::NotFound { .. } => ErrorKind::ProgramNotFound,
        SpawnError::Directory { .. } => ErrorKind::CwdUnusable,
        SpawnError::GuardUnavailable { .. } => ErrorKind::ContainmentUnavailable,
        SpawnError::System { source, .. } if is_shortage(source) => ErrorKind::Shortage,
        // It was fit when the session was opened: the host's settings or variables have grown.
        SpawnError::System { source, .. }
            if source.kind() == io::ErrorKind::ArgumentListTooLong =>
        {
            ErrorKind::InvalidArgument
        }
        SpawnError::NotExecutable { .. } | SpawnError::System { .. } => ErrorKind::SpawnFailed,
    };
    match error.source() {
        Some(source) => Error::new(kind, format!("{error}: {source}")),
        None => Error::new(kind, error.to_string()),
    }
}

impl seam::Control for Control {
    async fn next(&mut self) -> TreeEvent {
        match Control::next(self).await {
            tree::TreeEvent::Exited(exit) => TreeEvent::Exited(Exit {
                code: exit.code,
                signal: exit.signal,
                out_of_memory: exit.out_of_memory,
            }),
            tree::TreeEvent::Left(pids) => TreeEvent::Left(pids),
            tree::TreeEvent::Gone => TreeEvent::Gone,
        }
    }

    fn signal(&self, signal: AgentSignal) {
        Control::signal(
            self,
            match signal {
                AgentSignal::Interrupt => Signal::Interrupt,
                AgentSignal::Terminate => Signal::Terminate,
            },
        );
    }

    fn kill(&self) {
        Control::kill(self);
    }

    fn force(&mut self) {
        Control::force(self);
    }
}

#[cfg(all(test, unix))]
#[path = "start_tests.rs"]
mod tests;
