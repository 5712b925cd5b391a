//! How processes and turns leave a session.

use std::time::{Duration, Instant};

use super::{Effect, Errand, HostTurn, Input, Machine, Probation, Process, show};
use crate::config::Mode;
use crate::error::{Error, ErrorKind};
use crate::event::{Body, CloseReason, Exit, Failure, RawJson, StopReason, WarningCode};
use crate::ids::ProcessId;
use crate::pool::slots::Given;
use crate::process::Stop;
use crate::provider::{Outcome, TurnEnd};
use crate::schema;

/// A process that the session no longer uses, until its tree is gone.
#[derive(Debug)]
pub(super) struct Ending {
    pub(super) id: ProcessId,
    /// The operating system's number; 0: it was never seen to run.
    pub(super) pid: u32,
    pub(super) reason: StopReason,
    pub(super) exit: Option<Exit>,
}

/// How long a process that is ending may keep the next turn waiting.
const HASTE: Duration = Duration::from_secs(1);

impl Machine {
    /// Whether a process that is not gone yet has the conversation that is to go on. Two at a time
    /// would each write a history of their own, and some agents refuse. Nor does a session come back
    /// into a process that it has not left.
    pub(super) fn waits_for_ending(
        &self,
        now: Instant,
        given: Given,
        out: &mut Vec<Effect>,
    ) -> bool {
        let again = |e: &Ending| matches!(given, Given::Seat(seat) if seat.process == e.id);
        let goes_on = self.conversation.is_some() && self.policy.resume;
        if !goes_on && !self.ending.iter().any(again) {
            return false;
        }
        let by = Some(now + HASTE);
        for ending in &self.ending {
            out.push(Effect::Stop(ending.id, Stop::Gently { by }));
        }
        !self.ending.is_empty()
    }

    /// Lets go of a process that ended by itself between turns, or that cannot be heard any more.
    pub(super) fn drop_ended(&mut self, now: Instant, out: &mut Vec<Effect>) {
        let ended = |p: &Process| p.exit.is_some() || p.output_closed;
        if self.process.as_ref().is_some_and(ended) {
            let failure = Failure::new(ErrorKind::ProcessExit, "the process ended");
            self.end_agent_failed(now, failure, out);
            self.release(StopReason::Exited, Stop::Gently { by: None }, out);
        }
    }

    /// Lets go of the current process.
    pub(super) fn release(&mut self, reason: StopReason, stop: Stop, out: &mut Vec<Effect>) {
        let Some(process) = self.process.take() else {
            return;
        };
        // Of a shared one, only the sessions together know.
        if !process.ready && !process.shared {
            out.push(Effect::StartDone);
        }
        self.withdraw_of(None, out);
        self.drop_steers(out);
        self.drop_changes(out);
        let lost = Error::new(ErrorKind::ProcessExit, "the process ended first");
        self.fail_errands(&lost, out);
        out.push(Effect::Stop(process.id, stop));
        self.free_slot(out);
        let Process { id, pid, exit, .. } = process;
        self.ending.push(Ending {
            id,
            pid,
            reason,
            exit: exit.map(|(exit, _)| exit),
        });
    }

    fn free_slot(&mut self, out: &mut Vec<Effect>) {
        if std::mem::take(&mut self.slot) {
            self.told_idle = false;
            out.push(Effect::FreeSlot);
        }
    }

    /// The tree of a process is gone, but for these.
    pub(super) fn gone(&mut self, id: ProcessId, left: Vec<u32>, out: &mut Vec<Effect>) {
        let Some(place) = self.ending.iter().position(|e| e.id == id) else {
            return;
        };
        let ending = self.ending.swap_remove(place);
        if !left.is_empty() {
            let pids: Vec<_> = left.iter().map(u32::to_string).collect();
            let message = format!("processes could not be ended: {}", pids.join(", "));
            self.warn(out, WarningCode::Stuck, message);
        }
        self.left.extend_from_slice(&left);
        ending.show_stopped(left, false, out);
    }

    /// The session is out of a process that goes on for others.
    pub(super) fn left(&mut self, id: ProcessId, out: &mut Vec<Effect>) {
        if let Some(place) = self.ending.iter().position(|e| e.id == id) {
            let ending = self.ending.swap_remove(place);
            ending.show_stopped(Vec::new(), true, out);
        }
    }

    /// Nothing is carried out or heard any more, because the library's own threads end. All that
    /// began has its end all the same, and what is not proved gone is named.
    pub(crate) fn part(&mut self, now: Instant, out: &mut Vec<Effect>) {
        let by = Some(now);
        let reason = CloseReason::Host;
        self.step(now, Input::Close { reason, by }, out);
        for ending in std::mem::take(&mut self.ending) {
            self.left.extend((ending.pid != 0).then_some(ending.pid));
        }
        self.step(now, Input::Tick, out);
    }

    /// The agent says that the host's turn is over.
    pub(super) fn end_host(&mut self, now: Instant, mut end: TurnEnd, out: &mut Vec<Effect>) {
        let Some(mut host) = self.host.take() else {
            return;
        };
        self.kept = true;
        self.withdraw_of(Some(host.tally.id), out);
        let outcome = over_budget(&host, &end).unwrap_or_else(|| end.outcome.clone());
        let good = outcome == Outcome::Completed;
        if let Some(schema) = &host.message.output_schema
            && let Err(why) = fit(schema, &mut end, good)
        {
            let (code, message) = (WarningCode::OutputSchema, format!("the answer {why}"));
            show(out, Some(host.tally.id), Body::Warning { code, message });
        }
        let result = host.tally.result(now, Some(end), &mut self.cost_usd);
        show(out, Some(host.tally.id), end_body(outcome, result));
        if let Some(process) = &mut self.process {
            process.served = true;
        }
        if good {
            self.serve_probation(out);
        }
    }

    /// The agent says that its own turn is over.
    pub(super) fn end_agent(&mut self, now: Instant, end: TurnEnd, out: &mut Vec<Effect>) {
        let Some(mut agent) = self.agent.take() else {
            return;
        };
        self.withdraw_of(Some(agent.tally.id), out);
        let outcome = end.outcome.clone();
        let result = agent.tally.result(now, Some(end), &mut self.cost_usd);
        show(out, Some(agent.tally.id), end_body(outcome, result));
        // The agent turns to the host's turn only now.
        self.restart_clocks(now);
    }

    pub(super) fn end_host_failed(
        &mut self,
        now: Instant,
        failure: Failure,
        out: &mut Vec<Effect>,
    ) {
        if let Some(mut host) = self.host.take() {
            self.withdraw_of(Some(host.tally.id), out);
            let result = host.tally.result(now, None, &mut self.cost_usd);
            show(
                out,
                Some(host.tally.id),
                Body::TurnFailed {
                    failure: failure.into(),
                    result,
                },
            );
        }
    }

    pub(super) fn end_host_interrupted(&mut self, now: Instant, out: &mut Vec<Effect>) {
        if let Some(mut host) = self.host.take() {
            self.withdraw_of(Some(host.tally.id), out);
            let result = host.tally.result(now, None, &mut self.cost_usd);
            let body = match host.exceeded.take() {
                Some(why) => Body::TurnFailed {
                    failure: Failure::new(ErrorKind::BudgetExceeded, why).into(),
                    result,
                },
                None => Body::TurnInterrupted { result },
            };
            show(out, Some(host.tally.id), body);
        }
    }

    pub(super) fn end_agent_failed(
        &mut self,
        now: Instant,
        failure: Failure,
        out: &mut Vec<Effect>,
    ) {
        if let Some(mut agent) = self.agent.take() {
            self.withdraw_of(Some(agent.tally.id), out);
            let result = agent.tally.result(now, None, &mut self.cost_usd);
            show(
                out,
                Some(agent.tally.id),
                Body::TurnFailed {
                    failure: failure.into(),
                    result,
                },
            );
        }
    }

    pub(super) fn end_agent_interrupted(&mut self, now: Instant, out: &mut Vec<Effect>) {
        if let Some(mut agent) = self.agent.take() {
            self.withdraw_of(Some(agent.tally.id), out);
            let result = agent.tally.result(now, None, &mut self.cost_usd);
            show(out, Some(agent.tally.id), Body::TurnInterrupted { result });
        }
    }

    /// A one-shot process with nothing to do goes. Operations that it cannot do get another one.
    pub(super) fn drop_unwanted(&mut self, now: Instant, out: &mut Vec<Effect>) {
        let unwanted = |p: &Process| p.mode == Mode::OneShot && p.ready;
        if self.host.is_none()
            && self.agent.is_none()
            && self.errands.iter().all(Errand::waits_for_process)
            && self.process.as_ref().is_some_and(unwanted)
        {
            let waiting = std::mem::take(&mut self.errands);
            self.release(StopReason::TurnDone, Stop::Gently { by: None }, out);
            self.errands = waiting;
            self.acquire(now, self.mode, out);
        }
    }

    fn serve_probation(&mut self, out: &mut Vec<Effect>) {
        if let Probation::Serving(missing) = self.probation {
            if missing > 1 {
                self.probation = Probation::Serving(missing - 1);
            } else {
                self.probation = Probation::Used;
                self.mode = Mode::Warm;
                show(out, None, Body::Restored {});
            }
        }
    }
}

/// Leaves out an answer that does not fit the schema, and says why. One that is missing is a fault only
/// where the turn went well.
fn fit(wanted: &RawJson, end: &mut TurnEnd, good: bool) -> Result<(), String> {
    match end.structured.take() {
        None if good => Err("is not the JSON that the schema asks for".to_owned()),
        None => Ok(()),
        Some(answer) => {
            schema::fits(wanted, &answer)?;
            end.structured = Some(answer);
            Ok(())
        }
    }
}

impl Ending {
    /// One that was never seen to run is not told of.
    fn show_stopped(&self, left: Vec<u32>, runs_on: bool, out: &mut Vec<Effect>) {
        if self.pid == 0 {
            return;
        }
        let body = Body::ProcessStopped {
            process: self.id,
            reason: self.reason,
            exit: self.exit,
            left,
            runs_on,
        };
        show(out, None, body);
    }
}

/// The failure of a turn that used up what it may, however the agent ended it.
fn over_budget(host: &HostTurn, end: &TurnEnd) -> Option<Outcome> {
    let code = ErrorKind::BudgetExceeded;
    if let Some(message) = host.exceeded.clone() {
        return Some(Outcome::Failed { code, message });
    }
    let (most, cost) = (host.budget.max_cost_usd?, end.cost_usd?);
    let message = format!("the turn cost {cost} US dollars");
    (cost > most).then_some(Outcome::Failed { code, message })
}

fn end_body(outcome: Outcome, result: Box<crate::event::TurnResult>) -> Body {
    match outcome {
        Outcome::Completed => Body::TurnCompleted { result },
        Outcome::Interrupted => Body::TurnInterrupted { result },
        Outcome::Failed { code, message } => Body::TurnFailed {
            failure: Failure::new(code, message).into(),
            result,
        },
    }
}
