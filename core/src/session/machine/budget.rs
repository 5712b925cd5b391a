//! What follows when a turn has used up what it may.

use std::time::Instant;

use super::{Effect, Machine, Stage};
use crate::event::Body;
use crate::provider::TurnRef;

impl Machine {
    /// Looks at the host's turn after the agent told what it used.
    pub(super) fn check_budget(&mut self, now: Instant, out: &mut Vec<Effect>) {
        let Some(host) = &self.host else { return };
        let (budget, tally) = (host.budget, &host.tally);
        let exceeded = if budget
            .max_agent_turns
            .is_some_and(|most| tally.model_calls > most)
        {
            format!("the agent went to the model {} times", tally.model_calls)
        } else if budget.max_tokens.is_some_and(|most| tally.tokens() >= most) {
            format!("the turn used {} tokens", tally.tokens())
        } else {
            return;
        };
        self.exceed(now, exceeded, out);
    }

    /// The model speaks again. Usage comes when it is done, so this is the first that is seen of it.
    pub(super) fn check_going_on(&mut self, now: Instant, body: &Body, out: &mut Vec<Effect>) {
        let Some(host) = &self.host else { return };
        let (most, calls) = (host.budget.max_agent_turns, host.tally.model_calls);
        if most.is_some_and(|most| calls >= most) && is_speech(body) {
            let why = format!("the agent went to the model more than {calls} times");
            self.exceed(now, why, out);
        }
    }

    /// Ends the host's turn because of its budget, unless the host ended it before.
    pub(super) fn exceed(&mut self, now: Instant, why: String, out: &mut Vec<Effect>) {
        let Some(host) = &mut self.host else { return };
        if host.exceeded.is_some() || host.interrupted.is_some() {
            return;
        }
        host.exceeded = Some(why);
        match host.stage {
            Stage::Sent { .. } => {
                host.interrupted = Some(now);
                let turn = TurnRef::Host(host.tally.id);
                self.end_by_interrupt(now, turn, false, out);
            }
            Stage::Acquiring | Stage::Starting => self.hold_back(now, out),
        }
    }
}

/// Whether the agent itself speaks; a sub-agent goes to the model on its own.
#[expect(clippy::wildcard_enum_match_arm, reason = "only speech counts")]
fn is_speech(body: &Body) -> bool {
    match body {
        Body::TextDelta { parent, .. }
        | Body::ReasoningDelta { parent, .. }
        | Body::Message { parent, .. } => parent.is_none(),
        _ => false,
    }
}
