//! What has become of a process, for sessions that come later.

use crate::error::Error;
use crate::event::Exit;
use crate::process::{Containment, Report};
use crate::provider::{Conversation, Signal, SignalBody, TurnRef};

/// The facts that stay true. What a session that comes later is told is what those before it were
/// told.
#[derive(Debug, Default)]
pub(super) struct Facts {
    pub start: Option<Start>,
    /// The codec panicked.
    pub broken: bool,
    pub write_failed: Option<String>,
    pub exited: Option<(Exit, String)>,
    pub output_closed: bool,
}

/// How the start went.
#[derive(Debug)]
pub(super) enum Start {
    Spawned { pid: u32, containment: Containment },
    Failed(Error),
}

impl Facts {
    pub(super) fn start(&self) -> Option<Report> {
        self.start.as_ref().map(|start| match start {
            Start::Spawned { pid, containment } => Report::Spawned {
                pid: *pid,
                containment: *containment,
            },
            Start::Failed(error) => Report::SpawnFailed(error.clone()),
        })
    }

    /// What happened since the start. `Gone` is not among it.
    pub(super) fn since(&self, conversation: Conversation) -> Vec<Report> {
        let broken = self.broken.then(|| broken(conversation));
        let failed = self.write_failed.clone();
        let failed = failed.map(|message| Report::WriteFailed { message });
        let closed = self.output_closed.then_some(Report::OutputClosed);
        let exited = self.exited.clone();
        let exited = exited.map(|(exit, stderr)| Report::Exited { exit, stderr });
        [broken, failed, closed, exited]
            .into_iter()
            .flatten()
            .collect()
    }
}

/// What a session is told of a codec that panicked.
pub(super) fn broken(conversation: Conversation) -> Report {
    Report::Signals(vec![Signal {
        conversation,
        turn: TurnRef::None,
        body: SignalBody::Broken {
            message: "a fault of this library: the codec panicked".into(),
        },
    }])
}
