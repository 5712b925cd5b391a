//! `opencode run --format json`. Seen: 1.18.33.
//!
//! It prints whole parts, and no line says that the turn is over: the end of the output does.

use serde_json::Value;

use super::super::failure::by_text;
use super::Printed;
use crate::error::ErrorKind;
use crate::event::Body;
use crate::provider::lines::one_line;
use crate::provider::{Outcome, Output};

impl Printed {
    /// Takes an event. `None`: it is not understood.
    pub(super) fn opencode(&mut self, event: &Value, out: &mut Output) -> Option<()> {
        if let Some(id) = event["sessionID"].as_str() {
            self.name(id, out);
        }
        let part = &event["part"];
        let text = |name: &str| part[name].as_str();
        let kind = event["type"].as_str()?;
        if kind != "step_finish" && kind != "error" {
            self.whole = false;
        }
        match kind {
            "step_start" => {
                self.refused = false;
                self.sign(out);
            }
            "text" => {
                let (text, parent) = (text("text")?.to_owned(), None);
                self.text = Some(text.clone());
                self.show(Body::Message { text, parent }, out);
            }
            "reasoning" => {
                let (text, parent) = (text("text")?.to_owned(), None);
                self.show(Body::ReasoningDelta { text, parent }, out);
            }
            "tool_use" => {
                let (id, state) = (text("callID")?, &part["state"]);
                self.used(id, text("tool")?, &state["input"], out);
                let failed = state["status"] == "error";
                let exit = state["metadata"]["exit"].as_i64();
                let output = [&state["output"], &state["error"]];
                let output = output.iter().find_map(|o| o.as_str()).unwrap_or_default();
                self.refused |= failed && output.contains("rejected permission");
                let failed = failed || exit.is_some_and(|code| code != 0);
                self.result(id, failed, output, out);
            }
            "step_finish" => {
                self.count(part);
                // After tools another step follows, unless one was refused.
                self.whole = text("reason") != Some("tool-calls") || self.refused;
                self.sign(out);
            }
            "error" => {
                let error = &event["error"];
                let message = error["data"]["message"].as_str();
                let message = message.or_else(|| error["name"].as_str())?;
                let message = one_line(message);
                let code = match error["data"]["statusCode"].as_u64() {
                    Some(401 | 403) => ErrorKind::AccountError,
                    Some(429) => ErrorKind::RateLimited,
                    Some(_) => ErrorKind::ModelError,
                    None => by_text(&message),
                };
                self.end(Outcome::Failed { code, message }, out);
            }
            _ => return None,
        }
        Some(())
    }

    /// Adds the tokens of a step.
    fn count(&mut self, part: &Value) {
        let tokens = &part["tokens"];
        let number = |value: &Value| value.as_u64().unwrap_or_default();
        let sum = self.usage.get_or_insert_default();
        let add = |to: &mut u64, more: &Value| *to = to.saturating_add(number(more));
        add(&mut sum.input_tokens, &tokens["input"]);
        add(&mut sum.output_tokens, &tokens["output"]);
        add(&mut sum.output_tokens, &tokens["reasoning"]);
        add(&mut sum.cache_read_tokens, &tokens["cache"]["read"]);
        add(&mut sum.cache_write_tokens, &tokens["cache"]["write"]);
        let reasoning = sum.reasoning_tokens.get_or_insert_default();
        add(reasoning, &tokens["reasoning"]);
        if let Some(cost) = part["cost"].as_f64() {
            *self.cost.get_or_insert_default() += cost;
        }
    }
}
