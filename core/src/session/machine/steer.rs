//! Messages that join the running turn.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Effect, Machine, ONLY, Stage};
use crate::message::Message;
use crate::provider::Request;

impl Machine {
    /// The host wants the message in the running turn.
    pub(super) fn steer(&mut self, steer: u64, message: Arc<Message>, out: &mut Vec<Effect>) {
        let refused = match (&self.process, &self.host) {
            (Some(process), Some(host)) if matches!(host.stage, Stage::Sent { .. }) => {
                if !self.policy.steer.in_mode(process.mode) {
                    "the agent cannot take a message into a running turn"
                } else if host.interrupted.is_some() {
                    "the turn is being interrupted"
                } else {
                    self.steers.insert(steer, host.tally.id);
                    out.push(Effect::Ask(
                        process.id,
                        Request::Steer {
                            conversation: ONLY,
                            turn: host.tally.id,
                            steer,
                            message,
                        },
                    ));
                    return;
                }
            }
            (_, Some(_)) => "the turn has not reached the agent yet",
            (_, None) => "no turn runs",
        };
        out.push(not_steered(steer, refused));
    }

    /// The agent says what became of it. It may say so after the end of the turn.
    pub(super) fn steered(&mut self, steer: u64, refused: Option<String>, out: &mut Vec<Effect>) {
        if let Some(turn) = self.steers.remove(&steer) {
            let outcome = refused.map_or(Ok(turn), Err);
            let over = self.host.as_ref().is_none_or(|h| h.tally.id != turn);
            out.push(Effect::SteerDone {
                steer,
                outcome,
                over,
            });
        }
    }

    /// When nobody waits any longer for the agent to say whether a message joined a turn that is over.
    pub(super) fn steer_waits_until(&self, limit: Duration) -> Option<Instant> {
        let running = self.host.as_ref().map(|h| h.tally.id);
        let over = self.steers.values().any(|turn| Some(*turn) != running);
        over.then(|| self.active + limit)
    }

    /// The agent never said it. Whether it has the message nobody knows, so it is not sent again.
    pub(super) fn expire_steers(&mut self, out: &mut Vec<Effect>) {
        let running = self.host.as_ref().map(|h| h.tally.id);
        self.steers.retain(|steer, turn| {
            let kept = Some(*turn) == running;
            if !kept {
                out.push(Effect::SteerLost { steer: *steer });
            }
            kept
        });
    }

    /// The session lets go of the process, and whatever it had not said it never will. It may have
    /// read the messages and acted on them: only the codec knows which of them it never wrote, and
    /// those it has refused by now.
    pub(super) fn drop_steers(&mut self, out: &mut Vec<Effect>) {
        for steer in std::mem::take(&mut self.steers).into_keys() {
            out.push(Effect::SteerLost { steer });
        }
    }
}

fn not_steered(steer: u64, why: &str) -> Effect {
    Effect::SteerDone {
        steer,
        outcome: Err(why.to_owned()),
        over: false,
    }
}
