//! Conversations that go back, of agents that do so only with a new process.
//!
//! The process is replaced between two turns, by one that begins at an earlier place. Until the agent
//! has said something there, the rest of the conversation is still its end, and every further process
//! has to be told the place again.

use std::time::Instant;

use super::{Effect, Machine, show};
use crate::config::Mode;
use crate::error::{Error, ErrorKind};
use crate::event::{Body, RawJson, StopReason, WarningCode};
use crate::operation::OperationKind;
use crate::process::Stop;

/// Where the conversation stands.
#[derive(Debug, Default)]
pub(super) struct Rewinds {
    /// What was said last, if the agent told that.
    point: Option<String>,
    /// The place that it went back to, while nothing has been said there.
    back_to: Option<String>,
}

impl Machine {
    /// Makes room for the process that goes back, or says why not.
    pub(super) fn begin_rewind(
        &mut self,
        now: Instant,
        out: &mut Vec<Effect>,
    ) -> Result<(), Error> {
        let busy = |why| Err(Error::new(ErrorKind::TurnInProgress, why));
        if self.host.is_some() || self.agent.is_some() {
            return busy("a turn runs");
        }
        if !self.errands.is_empty() {
            return busy("another operation runs");
        }
        if self.process.as_ref().is_some_and(|p| p.background > 0) {
            return busy("the agent works in the background");
        }
        if self.conversation.is_none() {
            return Err(Error::invalid("before", "the conversation has not begun"));
        }
        self.drop_ended(now, out);
        if self.process.is_some() {
            let reason = "the conversation goes back".to_owned();
            show(out, None, Body::Recycled { reason });
            self.release(StopReason::Recycled, Stop::Gently { by: None }, out);
        }
        Ok(())
    }

    /// The place at which the next process begins.
    pub(super) fn place(&self, mode: Mode) -> Option<String> {
        let wanted = self.wanted_place(mode);
        wanted.or_else(|| self.rewinds.back_to.clone())
    }

    /// The place that a process of that kind is to be started at for the host. Only one that says
    /// whether it is there is started for that.
    fn wanted_place(&self, mode: Mode) -> Option<String> {
        let tells = self.can_operate(OperationKind::Rewind, mode);
        let rewinds = self.policy.rewinds_with_process && tells;
        let mut wanted = self.errands.iter();
        wanted.find_map(|errand| errand.back_to().filter(|_| rewinds).map(str::to_owned))
    }

    /// The process is ready: it is where it was to go back to.
    pub(super) fn went_back(&mut self, out: &mut Vec<Effect>) {
        let mode = self.process.as_ref().map(|p| p.mode);
        let Some(place) = mode.and_then(|mode| self.wanted_place(mode)) else {
            return;
        };
        self.rewinds.point = Some(place.clone());
        self.rewinds.back_to = Some(place);
        for errand in self.errands.extract_if(.., |e| e.back_to().is_some()) {
            out.push(Effect::Operated {
                number: errand.number,
                outcome: Ok(RawJson::from_text("{}")),
            });
        }
    }

    /// The process would not begin at that place. The conversation is where it was.
    pub(super) fn not_gone_back(
        &mut self,
        now: Instant,
        message: &str,
        out: &mut Vec<Effect>,
    ) -> bool {
        let mode = self.process.as_ref().map_or(self.mode, |p| p.mode);
        if self.wanted_place(mode).is_none() {
            return false;
        }
        self.fail_errands(&Error::new(ErrorKind::InvalidArgument, message), out);
        self.release(StopReason::Failed, Stop::Gently { by: None }, out);
        self.acquire(now, mode, out);
        true
    }

    /// A process that began at an earlier place failed before it said anything: the agent may not know
    /// that place any more. The next one begins at the end of the conversation.
    pub(super) fn forget_place(&mut self, code: ErrorKind, out: &mut Vec<Effect>) {
        let refused = matches!(code, ErrorKind::AgentError | ErrorKind::ResumeFailed);
        let back = self.process.as_ref().is_some_and(|p| p.back);
        if refused && back && self.rewinds.back_to.take().is_some() {
            let message = "the place that the conversation was taken back to was refused: the \
                           conversation goes on at its end";
            self.warn(out, WarningCode::NotResumed, message);
        }
    }

    /// The agent said something.
    pub(super) fn at_point(&mut self, point: String) {
        self.rewinds.back_to = None;
        self.rewinds.point = Some(point);
    }

    /// Tells what the conversation can be taken back to before the host's turn.
    pub(super) fn tell_point(&self, out: &mut Vec<Effect>) {
        let turn = self.host.as_ref().map(|h| h.tally.id);
        if let Some(message) = self.rewinds.point.clone() {
            let state = "turn_id".to_owned();
            show(out, turn, Body::Status { state, message });
        }
    }
}
