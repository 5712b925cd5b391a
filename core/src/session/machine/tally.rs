//! What a turn has given so far.

use std::collections::HashSet;
use std::time::Instant;

use crate::event::{Body, Cost, TurnResult, Usage};
use crate::ids::TurnId;
use crate::provider::{Outcome, TurnEnd};

/// When there is so much of a message that is not whole, in bytes, no more of it is kept. It is told
/// only of a turn that ends before the message does.
const PIECES: usize = 1 << 20;

/// The record of one turn.
#[derive(Debug)]
pub(super) struct Tally {
    pub(super) id: TurnId,
    accepted: Instant,
    first_output: Option<Instant>,
    text: String,
    /// The pieces of the message that is not whole yet, up to [`PIECES`].
    pieces: String,
    usage: Option<Usage>,
    /// How often the agent told its own usage: once for each time it went to the model itself.
    pub(super) model_calls: u32,
    calls: HashSet<String>,
    results: HashSet<String>,
    /// Whether anything at all was shown.
    pub(super) shown: bool,
    /// When the host interrupted it.
    pub(super) interrupted: Option<Instant>,
}

impl Tally {
    pub(super) fn new(id: TurnId, accepted: Instant) -> Self {
        Self {
            id,
            accepted,
            first_output: None,
            text: String::new(),
            pieces: String::new(),
            usage: None,
            model_calls: 0,
            calls: HashSet::new(),
            results: HashSet::new(),
            shown: false,
            interrupted: None,
        }
    }

    /// Whether a tool has started: then the turn may have had effects, and is never sent again.
    pub(super) fn has_used_tools(&self) -> bool {
        !self.calls.is_empty()
    }

    /// Whether a tool runs.
    pub(super) fn awaits_tool(&self) -> bool {
        self.calls.len() > self.results.len()
    }

    /// What counts against a budget of tokens.
    pub(super) fn tokens(&self) -> u64 {
        self.usage.map_or(0, |u| {
            u.input_tokens + u.cache_write_tokens + u.output_tokens
        })
    }

    /// When the turn was accepted.
    pub(super) const fn accepted(&self) -> Instant {
        self.accepted
    }

    /// Takes note of an event of the turn. `false`: the agent said it before, and it is not shown
    /// again.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the rest says nothing about the turn"
    )]
    pub(super) fn note(&mut self, now: Instant, body: &Body) -> bool {
        self.shown = true;
        // The hot path: deltas need nothing else.
        match body {
            Body::TextDelta { text, parent } => {
                if parent.is_none() && self.pieces.len() < PIECES {
                    self.pieces.push_str(text);
                }
            }
            Body::ReasoningDelta { .. } => {}
            Body::Message { text, parent } => {
                if parent.is_none() {
                    self.text.clone_from(text);
                    self.pieces.clear();
                }
            }
            Body::ToolUse { id, .. } => {
                if !self.calls.insert(id.clone()) {
                    return false;
                }
            }
            Body::ToolResult { id, .. } => {
                if self.calls.contains(id) && !self.results.insert(id.clone()) {
                    return false;
                }
                return true;
            }
            Body::Usage { usage, parent } => {
                self.usage = Some(*usage);
                if parent.is_none() {
                    self.model_calls += 1;
                }
                return true;
            }
            // Nothing else is output of the model.
            _ => return true,
        }
        if self.first_output.is_none() {
            self.first_output = Some(now);
        }
        true
    }

    /// The last whole message, in the agent's own words where it repeats it. Of a turn that did not end
    /// well, the message that was not whole then.
    fn take_text(&mut self, end: Option<&mut TurnEnd>) -> String {
        let well = |end: &&mut TurnEnd| end.outcome == Outcome::Completed;
        if !self.pieces.is_empty() && !end.as_ref().is_some_and(well) {
            return std::mem::take(&mut self.pieces);
        }
        let repeated = end.and_then(|end| end.text.take());
        repeated.unwrap_or_else(|| std::mem::take(&mut self.text))
    }

    /// What the turn gave, with what the agent says at its end. The session's cost grows by it.
    pub(super) fn result(
        &mut self,
        now: Instant,
        end: Option<TurnEnd>,
        session_cost: &mut f64,
    ) -> Box<TurnResult> {
        let mut end = end;
        let text = self.take_text(end.as_mut());
        let end = end.unwrap_or_default();
        let cost = end.cost_usd.map(|delta_usd| {
            // There is a zero below zero, and nobody wants to read it.
            let delta_usd = delta_usd + 0.0;
            *session_cost += delta_usd;
            Cost {
                delta_usd,
                total_usd: *session_cost,
            }
        });
        Box::new(TurnResult {
            text,
            stop_reason: end.stop_reason,
            usage: end.usage.or(self.usage),
            structured: end.structured,
            cost,
            model: end.model,
            agent_turns: end.agent_turns,
            duration: now.saturating_duration_since(self.accepted),
            time_to_first_output: self
                .first_output
                .map(|first| first.saturating_duration_since(self.accepted)),
            agent_duration: end.duration,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_that_cost_nothing_has_a_cost_that_reads_as_zero() {
        let now = Instant::now();
        let end = TurnEnd {
            cost_usd: Some(-0.0),
            ..TurnEnd::default()
        };
        let result = Tally::new(TurnId::next(), now).result(now, Some(end), &mut 0.0);
        let cost = result.cost.expect("the agent told it");
        assert!(cost.delta_usd.is_sign_positive());
    }
}
