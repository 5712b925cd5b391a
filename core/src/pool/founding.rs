//! The processes that sessions share. The pool starts them, watches them and ends them: a session
//! only has a seat in one.

use std::collections::HashMap;
use std::fmt;
use std::time::Instant;

use tokio::sync::mpsc;

use crate::ids::ProcessId;
use crate::pool::actor::PoolMessage;
use crate::pool::lease::ProcessLease;
use crate::process::{Command, ProcessHandle, Report, Stop};
use crate::provider::Conversation;

/// Reports that wait for the watch. It takes them at once.
const REPORTS: usize = 8;

type Start = dyn FnOnce(ProcessId, ProcessLease) -> ProcessHandle + Send;

/// How to start a process, as the session that asked for it would.
pub(crate) struct Recipe(Box<Start>);

impl Recipe {
    pub(crate) fn new(
        start: impl FnOnce(ProcessId, ProcessLease) -> ProcessHandle + Send + 'static,
    ) -> Self {
        Self(Box::new(start))
    }
}

impl fmt::Debug for Recipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recipe").finish_non_exhaustive()
    }
}

/// What the pool hears of a shared process.
#[derive(Debug)]
pub(crate) enum News {
    /// It runs, with this number.
    Spawned(u32),
    /// Nobody is to join it any more.
    Useless,
    /// Its tree is gone, but for these.
    Gone(Vec<u32>),
}

/// The shared processes that run.
#[derive(Default)]
pub(super) struct Founded(HashMap<ProcessId, Process>);

struct Process {
    handle: ProcessHandle,
    /// The operating system's number; 0 until it runs.
    pid: u32,
    stopping: bool,
}

impl Founded {
    /// Starts one.
    pub(super) fn start(
        &mut self,
        id: ProcessId,
        recipe: Recipe,
        pool: &mpsc::UnboundedSender<PoolMessage>,
    ) {
        let handle = (recipe.0)(id, ProcessLease::shared(id, pool));
        let (reports, heard) = mpsc::channel(REPORTS);
        // Its first listener. It hears what concerns all.
        let conversation = Conversation::NOBODY;
        let attach = Command::Attach {
            conversation,
            reports,
        };
        // One that takes no commands is gone, and its lease says so.
        let _ = handle.commands.send(attach);
        tokio::spawn(watch(heard, pool.clone()));
        let process = Process {
            handle,
            pid: 0,
            stopping: false,
        };
        self.0.insert(id, process);
    }

    pub(super) fn handle(&self, id: ProcessId) -> Option<ProcessHandle> {
        self.0.get(&id).map(|process| process.handle.clone())
    }

    /// Ends one. It stays here until its tree is gone.
    pub(super) fn stop(&mut self, id: ProcessId, stop: Stop) {
        if let Some(process) = self.0.get_mut(&id) {
            process.stopping = true;
            let _ = process.handle.commands.send(Command::Stop(stop));
        }
    }

    /// Those that are being stopped are gone by then.
    pub(super) fn hasten(&self, by: Instant) {
        for process in self.0.values().filter(|p| p.stopping) {
            let stop = Stop::Gently { by: Some(by) };
            let _ = process.handle.commands.send(Command::Stop(stop));
        }
    }

    pub(super) fn spawned(&mut self, id: ProcessId, pid: u32) {
        if let Some(process) = self.0.get_mut(&id) {
            process.pid = pid;
        }
    }

    pub(super) fn gone(&mut self, id: ProcessId) {
        self.0.remove(&id);
    }

    /// The numbers of those that are not gone.
    pub(super) fn pids(&self) -> impl Iterator<Item = u32> {
        self.0.values().map(|p| p.pid).filter(|pid| *pid != 0)
    }

    /// Lets go of all of them: those in which nobody sits are killed, the others when their sessions
    /// leave.
    pub(super) fn abandon(&mut self) {
        self.0.clear();
    }
}

/// Passes on what a process says of itself, until it is gone.
async fn watch(
    mut heard: mpsc::Receiver<(ProcessId, Report)>,
    pool: mpsc::UnboundedSender<PoolMessage>,
) {
    while let Some((id, report)) = heard.recv().await {
        let news = match report {
            Report::Spawned { pid, .. } => News::Spawned(pid),
            // A codec that panicked, or one line of output more than its sessions hear.
            Report::SpawnFailed(_)
            | Report::Signals(_)
            | Report::WriteFailed { .. }
            | Report::OutputClosed
            | Report::Exited { .. } => News::Useless,
            Report::Gone { left } => News::Gone(left),
            Report::Note { .. } | Report::Held(_) | Report::Left => continue,
        };
        let _ = pool.send(PoolMessage::Founded(id, news));
    }
}
