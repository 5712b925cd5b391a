//! How a session ends that does not end by itself: after a panic, or because the library's threads end.
//!
//! No turn is left without an end, no reader waits for ever, and what is not proved gone is named.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::{Actor, Reports, end_of};
use crate::error::ErrorKind;
use crate::event::{Body, CloseReason, Failure, StopReason, TurnResult};
use crate::process::{Command, Report, Stop};
use crate::session::gate::{End, Farewell};
use crate::session::replies::Replies;

impl Actor {
    /// After a panic: everything that began ends, told without the machine. The log, the gate and the
    /// replies hold only whole values.
    pub(super) fn break_off(&mut self) {
        self.broken = true;
        let failure = Failure::new(ErrorKind::Internal, "the session's actor panicked");
        let shared = &self.parts.shared;
        // What the last step showed before the panic stays, with the ends that are among it.
        let mut shown = std::mem::take(&mut self.shown);
        let mut ends = HashMap::new();
        for (turn, body) in &shown {
            self.unfinished.note(*turn, body);
            ends.extend(turn.zip(end_of(body)));
        }
        let abandoned = shared.gate.abandon();
        let missing = abandoned.iter().filter(|a| !ends.contains_key(&a.turn));
        let missing = missing.map(|a| (a.turn, a.tag));
        shown.extend(self.unfinished.end(missing, &failure));
        for (turn, body) in &shown {
            self.parts.counters.count(body);
            shared.note(*turn, body);
        }
        shared.log.append(shown);
        self.farewells.drain(..).for_each(Farewell::tell);
        for turn in abandoned {
            let end = ends.remove(&turn.turn);
            let failed = || End::Failed(failure.clone(), TurnResult::default());
            turn.farewell(end.unwrap_or_else(failed)).tell();
        }
        // Whoever waits for an answer learns that none comes, and what the pool gave goes back.
        self.replies = Replies::default();
        self.parts.inbox.close();
        while self.parts.inbox.try_recv().is_ok() {}
        (self.grant, self.slot, self.start, self.seat) = (None, None, None, None);
        self.parts.pool.cancel();
    }

    /// Kills the session's own processes and leaves the others, and waits until each is gone, left or
    /// named. Each of them says so in time.
    pub(super) async fn bury(&mut self, reports: &mut Reports) {
        for process in self.processes.values_mut() {
            // Its commands die.
            process.desk = None;
            let conversation = process.conversation;
            process.tell(if process.shared {
                // It is not at fault, and serves others.
                let stop = Stop::Gently { by: None };
                Command::Leave { conversation, stop }
            } else {
                Command::Stop(Stop::Kill)
            });
        }
        while !self.processes.is_empty()
            && let Some((process, report)) = reports.recv().await
        {
            let seen = self.processes.get(&process).and_then(|known| known.pid);
            self.note(process, &report);
            let (left, runs_on) = match report {
                Report::Gone { left } => (left, false),
                Report::Left => (Vec::new(), true),
                Report::Spawned { .. }
                | Report::SpawnFailed(_)
                | Report::Signals(_)
                | Report::Note { .. }
                | Report::WriteFailed { .. }
                | Report::OutputClosed
                | Report::Exited { .. }
                | Report::Held(_) => continue,
            };
            if seen.is_some() {
                let stopped = Body::ProcessStopped {
                    process,
                    reason: StopReason::Failed,
                    exit: None,
                    left,
                    runs_on,
                };
                self.parts.shared.log.append([(None, stopped)]);
            }
        }
    }

    /// The last event of a session that panicked.
    fn end_broken(&mut self) {
        let unproved = self
            .processes
            .drain()
            .filter_map(|(_, process)| process.pid);
        self.left.extend(unproved);
        let closed = Body::SessionClosed {
            reason: CloseReason::Internal,
            left: self.left.clone(),
        };
        self.parts.shared.log.append([(None, closed)]);
    }
}

impl Drop for Actor {
    /// Also when the runtime is dropped, or something panicked.
    fn drop(&mut self) {
        // Unwind safe because after a panic the machine is not used any more.
        if !self.broken && catch_unwind(AssertUnwindSafe(|| self.abandon())).is_err() {
            self.break_off();
        }
        if self.broken {
            self.end_broken();
        }
        let shared = &self.parts.shared;
        for turn in shared.gate.abandon() {
            let failure = Failure::new(ErrorKind::Closed, "the session is gone");
            turn.farewell(End::Failed(failure, TurnResult::default()))
                .tell();
        }
        shared.log.close();
        self.parts.pool.closed(std::mem::take(&mut self.left));
    }
}

#[cfg(all(test, target_os = "linux"))]
#[path = "fall_tests.rs"]
mod tests;
