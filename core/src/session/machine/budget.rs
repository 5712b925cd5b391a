//! What follows when a turn has used up what it may.

use std::time::Instant;

use super::{Effect, Machine, Stage};

impl Machine {
    /// Looks at the host's turn after the agent told what it used.
    pub(super) fn check_budget(&mut self, now: Instant, out: &mut Vec<Effect>) {
        let Some(host) = &self.host else { return };
        let (budget, tally) = (host.budget, &host.tally);
        let exceeded = if budget
            .max_agent_turns
            .is_some_and(|most| tally.model_calls >= most)
        {
            format!("the agent went to the model {} times", tally.model_calls)
        } else if budget.max_tokens.is_some_and(|most| tally.tokens() >= most) {
            format!("the turn used {} tokens", tally.tokens())
        } else {
            return;
        };
        self.exceed(now, exceeded, out);
    }

    /// Ends the host's turn because of its budget.
    pub(super) fn exceed(&mut self, now: Instant, why: String, out: &mut Vec<Effect>) {
        let Some(host) = &mut self.host else { return };
        if host.exceeded.is_some() {
            return;
        }
        host.exceeded = Some(why);
        match host.stage {
            Stage::Sent { .. } => {
                if host.interrupted.is_none() {
                    host.interrupted = Some(now);
                    self.ask_interrupt(false, out);
                }
            }
            Stage::Acquiring => {
                self.take_back(out);
                self.end_host_interrupted(now, out);
            }
            Stage::Starting => self.end_host_interrupted(now, out),
        }
    }
}
