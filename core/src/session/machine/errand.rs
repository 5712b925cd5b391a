//! Operations on the conversation: they need a process, and are no turn.

use std::sync::Arc;
use std::time::Instant;

use super::{Effect, Machine, ONLY};
use crate::capabilities::Feature;
use crate::error::{Error, ErrorKind};
use crate::event::RawJson;
use crate::operation::{Operation, OperationKind};
use crate::provider::Request;

/// An operation that is not done.
#[derive(Debug)]
pub(super) struct Errand {
    pub(super) number: u64,
    operation: Arc<Operation>,
    /// When the process was asked, or could begin.
    asked: Option<Instant>,
    /// The agent does it only when the turn that runs is over.
    after_turn: bool,
}

impl Errand {
    pub(super) fn kind(&self) -> OperationKind {
        self.operation.kind()
    }

    /// Whether no process was asked yet.
    pub(super) fn waits_for_process(&self) -> bool {
        self.asked.is_none()
    }

    /// The place that the conversation is to go back to.
    pub(super) fn back_to(&self) -> Option<&str> {
        if let Operation::Rewind { before } = &*self.operation {
            Some(before)
        } else {
            None
        }
    }
}

impl Machine {
    /// The host wants something done with the conversation. Without a process one is started.
    pub(super) fn operate(
        &mut self,
        now: Instant,
        number: u64,
        operation: Arc<Operation>,
        out: &mut Vec<Effect>,
    ) {
        if self.closing.is_some() {
            let outcome = Err(Error::closed("session"));
            return out.push(Effect::Operated { number, outcome });
        }
        let errand = Errand {
            number,
            operation,
            asked: None,
            after_turn: false,
        };
        if self.policy.rewinds_with_process
            && errand.back_to().is_some()
            && let Err(error) = self.begin_rewind(now, out)
        {
            let outcome = Err(error);
            return out.push(Effect::Operated { number, outcome });
        }
        self.errands.push(errand);
        self.run_errands(now, out);
        if self.process.is_none() && self.host.is_none() && !self.acquiring {
            self.acquire(now, self.mode, out);
        }
    }

    /// Gives the process what it has not been asked, once it is ready. What it cannot do waits for
    /// another one.
    pub(super) fn run_errands(&mut self, now: Instant, out: &mut Vec<Effect>) {
        if self.process.as_ref().is_none_or(|p| !p.ready) {
            return;
        }
        self.went_back(out);
        let Some(process) = &self.process else {
            return;
        };
        let features = self.policy.features;
        let can = |errand: &&mut Errand| {
            let feature = Feature::from(errand.kind());
            let mut all = features.iter();
            all.any(|(f, support)| *f == feature && support.in_mode(process.mode))
        };
        let turn = self.host.is_some() || self.agent.is_some();
        let waiting = self.errands.iter_mut().filter(|e| e.asked.is_none());
        for errand in waiting.filter(can) {
            errand.asked = Some(now);
            errand.after_turn = turn && errand.kind() == OperationKind::Compact;
            out.push(Effect::Ask(
                process.id,
                Request::Operate {
                    conversation: ONLY,
                    number: errand.number,
                    operation: Arc::clone(&errand.operation),
                },
            ));
        }
    }

    /// The agent says what became of one.
    pub(super) fn operated(
        &mut self,
        number: u64,
        outcome: Result<RawJson, (ErrorKind, String)>,
        out: &mut Vec<Effect>,
    ) {
        let Some(place) = self.errands.iter().position(|e| e.number == number) else {
            return;
        };
        self.errands.swap_remove(place);
        let outcome = outcome.map_err(|(kind, message)| Error::new(kind, message));
        out.push(Effect::Operated { number, outcome });
    }

    /// No turn runs: the agent can do now what it did not do in one.
    pub(super) fn begin_waiting_errands(&mut self, now: Instant) {
        if self.host.is_some() || self.agent.is_some() {
            return;
        }
        for errand in self.errands.iter_mut().filter(|e| e.after_turn) {
            errand.after_turn = false;
            errand.asked = Some(now);
        }
    }

    /// When the oldest of them was asked that the agent can do now.
    pub(super) fn errand_asked(&self) -> Option<Instant> {
        let can_be_done = self.errands.iter().filter(|e| !e.after_turn);
        can_be_done.filter_map(|e| e.asked).min()
    }

    /// The agent does not answer those that were asked by then.
    pub(super) fn expire_errands(&mut self, asked_by: Instant, out: &mut Vec<Effect>) {
        let late = |e: &Errand| !e.after_turn && e.asked.is_some_and(|at| at <= asked_by);
        for errand in self.errands.extract_if(.., |e| late(e)) {
            let message = "the agent did not answer";
            out.push(Effect::Operated {
                number: errand.number,
                outcome: Err(Error::new(ErrorKind::FirstOutputTimeout, message)),
            });
        }
    }

    /// The agent was not listened to until now.
    pub(super) fn restart_errands(&mut self, now: Instant) {
        let asked = self.errands.iter_mut().filter_map(|e| e.asked.as_mut());
        asked.for_each(|at| *at = now);
    }

    /// There is no process for them, or it is gone: they failed.
    pub(super) fn fail_errands(&mut self, error: &Error, out: &mut Vec<Effect>) {
        for errand in self.errands.drain(..) {
            out.push(Effect::Operated {
                number: errand.number,
                outcome: Err(error.clone()),
            });
        }
    }
}
