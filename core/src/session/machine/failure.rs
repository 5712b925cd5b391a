//! What follows when a process fails its session.

use std::time::Instant;

use super::{Effect, Machine, Probation, Process, Stage, show};
use crate::config::{Downgrade, Mode};
use crate::error::ErrorKind;
use crate::event::{Body, Exit, Failure, StopReason, WarningCode};
use crate::ids::ProcessId;
use crate::process::{Containment, Report, Stop};

impl Machine {
    /// A process says something about itself.
    pub(super) fn report(
        &mut self,
        now: Instant,
        id: ProcessId,
        report: Report,
        out: &mut Vec<Effect>,
    ) {
        if self.process.as_ref().is_none_or(|p| p.id != id) {
            return self.report_of_ending(now, id, report, out);
        }
        match report {
            Report::Spawned { pid, containment } => self.spawned(pid, containment, out),
            Report::SpawnFailed(error) => {
                let failure = Failure::new(error.kind(), error.message());
                self.process_failed(now, failure, out);
            }
            // The actor takes signals apart, and `Left` comes only to those who have left.
            Report::Signals(_) | Report::Left => {}
            Report::Note { code, message } => self.warn(out, code, message),
            Report::WriteFailed { message } => {
                let failure = Failure::new(ErrorKind::WriteFailed, message);
                self.process_failed(now, failure, out);
            }
            Report::OutputClosed => {
                if let Some(process) = &mut self.process {
                    process.output_closed = true;
                }
                self.join_exit(now, out);
            }
            Report::Exited { exit, stderr } => {
                if let Some(process) = &mut self.process {
                    process.exit = Some((exit, stderr));
                }
                self.join_exit(now, out);
            }
            Report::Held(held) => {
                if let Some(process) = &mut self.process {
                    process.held = held;
                }
                if !held {
                    self.restart_clocks(now);
                }
            }
            Report::Gone { left } => {
                let failure = Failure::new(ErrorKind::ProcessExit, "the process is gone");
                self.process_failed(now, failure, out);
                self.gone(id, left, out);
            }
        }
    }

    fn report_of_ending(
        &mut self,
        now: Instant,
        id: ProcessId,
        report: Report,
        out: &mut Vec<Effect>,
    ) {
        let Some(ending) = self.ending.iter_mut().find(|e| e.id == id) else {
            return;
        };
        match report {
            Report::Spawned { pid, .. } => ending.pid = pid,
            Report::Exited { exit, .. } => ending.exit = Some(exit),
            Report::Gone { left } => {
                self.gone(id, left, out);
                self.start_granted(now, out);
            }
            Report::Left => {
                self.left(id, out);
                self.start_granted(now, out);
            }
            Report::Note { code, message } => self.warn(out, code, message),
            Report::SpawnFailed(_)
            | Report::Held(_)
            | Report::Signals(_)
            | Report::WriteFailed { .. }
            | Report::OutputClosed => {}
        }
    }

    fn spawned(&mut self, pid: u32, containment: Containment, out: &mut Vec<Effect>) {
        if let Some(process) = &mut self.process {
            process.pid = pid;
            process.containment = containment;
        }
        match containment {
            Containment::Guard => {}
            Containment::ProcessGroup => self.warn(
                out,
                WarningCode::Containment,
                "no guard can run here: the agent is only held by its process group",
            ),
        }
    }

    /// The end of the process and the end of its output are two facts; the turn is lost only when
    /// both are known, because the output may hold its end.
    fn join_exit(&mut self, now: Instant, out: &mut Vec<Effect>) {
        let Some(process) = &mut self.process else {
            return;
        };
        if !process.output_closed || process.exit.is_none() {
            return;
        }
        let Some((exit, stderr)) = process.exit.clone() else {
            return;
        };
        let failure = Failure {
            code: ErrorKind::ProcessExit,
            message: exit_message(exit),
            exit: Some(exit),
            stderr: (!stderr.is_empty()).then_some(stderr),
        };
        self.process_failed(now, failure, out);
    }

    /// The process is of no more use. It costs the turn at the most, never the session.
    pub(super) fn process_failed(&mut self, now: Instant, failure: Failure, out: &mut Vec<Effect>) {
        let Some(process) = &self.process else {
            return;
        };
        let (mode, exited) = (process.mode, process.exit.is_some());
        let left_well = process.left_well();
        let came_late = process.joined && !process.ready && failure.code != ErrorKind::StartTimeout;
        if self.host.is_none() && self.agent.is_none() {
            // Nobody is hurt: the next turn starts another one.
            let reason = if exited {
                StopReason::Exited
            } else {
                StopReason::Failed
            };
            return self.release(reason, Stop::Kill, out);
        }
        let interrupted = self.host.as_ref().is_some_and(|h| h.interrupted.is_some());
        self.release(StopReason::Failed, Stop::Kill, out);
        self.end_agent_failed(now, failure.clone(), out);
        if interrupted {
            // However the agent ended, it did what was asked.
            return self.end_host_interrupted(now, out);
        }
        // One that ended between two turns, and was only found so late, has done nothing wrong.
        if left_well && self.may_retry() {
            if let Some(host) = &mut self.host {
                host.retried = true;
            }
            return self.acquire(now, self.mode, out);
        }
        // One that others had started, and that ended before the session was in it, has not failed this
        // session. It was sent nothing.
        if came_late && let Some(host) = self.host.as_mut().filter(|h| !h.rejoined) {
            host.rejoined = true;
            return self.acquire(now, self.mode, out);
        }
        if mode == Mode::Warm && failure.code.is_runtime() {
            self.downgrade(&failure, out);
        }
        // What a process of one turn cannot do fails as it did.
        let serves = self.unmet(Mode::OneShot).is_none();
        if mode == Mode::Warm && failure.code.is_runtime() && serves && self.may_retry() {
            if let Some(host) = &mut self.host {
                host.retried = true;
            }
            return self.acquire(now, Mode::OneShot, out);
        }
        self.end_host_failed(now, failure, out);
    }

    /// Only a turn of which the agent had shown no sign is sent again, and only once.
    pub(super) fn may_retry(&self) -> bool {
        self.is_unsigned() && self.host.as_ref().is_some_and(|host| !host.retried)
    }

    /// Whether the agent has shown no sign of the host's turn.
    fn is_unsigned(&self) -> bool {
        self.host.as_ref().is_some_and(|host| {
            let unseen = match host.stage {
                Stage::Acquiring | Stage::Starting => true,
                Stage::Sent { signed, .. } => !signed,
            };
            unseen && !host.tally.shown && !host.tally.has_used_tools()
        })
    }

    fn downgrade(&mut self, failure: &Failure, out: &mut Vec<Effect>) {
        self.probation = match (self.policy.downgrade, self.probation) {
            (Downgrade::Never, _) => return,
            (Downgrade::Probation { turns }, Probation::Unused) => Probation::Serving(turns),
            (Downgrade::Probation { .. } | Downgrade::Sticky, _) => Probation::Used,
        };
        self.mode = Mode::OneShot;
        let turn = self.host.as_ref().map(|h| h.tally.id);
        show(
            out,
            turn,
            Body::Downgraded {
                reason: failure.code,
                message: failure.message.clone(),
            },
        );
    }

    /// The agent would not open or resume the conversation.
    pub(super) fn refused(
        &mut self,
        now: Instant,
        code: ErrorKind,
        message: String,
        out: &mut Vec<Effect>,
    ) {
        let Some(process) = &self.process else {
            return;
        };
        let (mode, back) = (process.mode, process.back);
        if self.not_gone_back(now, &message, out) {
            return;
        }
        self.forget_place(code, out);
        self.release(StopReason::Failed, Stop::Gently { by: None }, out);
        self.end_agent_failed(now, Failure::new(code, message.clone()), out);
        // A conversation that never ended a turn may not have been kept by the agent; there is
        // nothing in it to lose.
        if code == ErrorKind::ResumeFailed
            && !back
            && !self.kept
            && self.conversation.take().is_some()
        {
            self.warn(
                out,
                WarningCode::NotResumed,
                "the agent had not kept the conversation: it begins anew",
            );
            if self
                .host
                .as_ref()
                .is_some_and(|h| !h.tally.has_used_tools())
            {
                return self.acquire(now, mode, out);
            }
        }
        self.end_host_failed(now, Failure::new(code, message), out);
    }
}

impl Process {
    /// Whether it served turns and then ended by itself, without a fault.
    fn left_well(&self) -> bool {
        let well = |exit: &Exit| exit.code == Some(0);
        self.served && self.exit.as_ref().is_some_and(|(exit, _)| well(exit))
    }
}

fn exit_message(exit: Exit) -> String {
    match exit {
        Exit {
            out_of_memory: true,
            ..
        } => "the process was killed because memory ran out".to_owned(),
        Exit {
            signal: Some(signal),
            ..
        } => format!("the process was killed by signal {signal}"),
        Exit {
            code: Some(code), ..
        } => format!("the process ended with exit code {code} before the turn did"),
        Exit { .. } => "the process ended before the turn did".to_owned(),
    }
}
