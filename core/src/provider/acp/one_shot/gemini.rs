//! `gemini --output-format stream-json`. Seen: 0.61.0.

use serde_json::Value;

use super::super::failure::{by_text, unwrapped};
use super::super::speech::Voice;
use super::Printed;
use crate::event::{Body, Usage, WarningCode};
use crate::provider::lines::one_line;
use crate::provider::{Outcome, Output};

impl Printed {
    /// Takes an event. `None`: it is not understood.
    pub(super) fn gemini(&mut self, event: &Value, out: &mut Output) -> Option<()> {
        let text = |name: &str| event[name].as_str();
        match text("type")? {
            "init" => {
                let model = text("model").map(str::to_owned);
                self.model = model.or_else(|| self.model.take());
                self.name(text("session_id")?, out);
                self.sign(out);
            }
            "message" if event["role"] == "user" => self.sign(out),
            "message" => {
                let place = self.place()?;
                let piece = text("content")?;
                self.speech.piece(Voice::Answer, None, piece, place, out);
            }
            "tool_use" => {
                self.flush(out);
                self.used(
                    text("tool_id")?,
                    text("tool_name")?,
                    &event["parameters"],
                    out,
                );
            }
            "tool_result" => {
                let failed = event["status"] == "error";
                let output = text("output").or_else(|| event["error"]["message"].as_str());
                self.result(text("tool_id")?, failed, output.unwrap_or_default(), out);
            }
            "error" => {
                let message = one_line(text("message")?);
                let code = WarningCode::Agent;
                self.show(Body::Warning { code, message }, out);
            }
            "result" => self.gemini_result(event, out),
            _ => return None,
        }
        Some(())
    }

    fn flush(&mut self, out: &mut Output) {
        if let Some(place) = self.place() {
            self.speech.flush(place, out);
        }
    }

    fn gemini_result(&mut self, event: &Value, out: &mut Output) {
        let stats = &event["stats"];
        let count = |name: &str| stats[name].as_u64().unwrap_or_default();
        if stats.is_object() {
            let cached = count("cached");
            self.usage = Some(Usage {
                input_tokens: count("input_tokens").saturating_sub(cached),
                output_tokens: count("output_tokens"),
                cache_read_tokens: cached,
                ..Usage::default()
            });
        }
        let outcome = if event["status"] == "success" {
            Outcome::Completed
        } else if self.interrupted {
            Outcome::Interrupted
        } else {
            let message = event["error"]["message"].as_str();
            let message = message.unwrap_or("the agent gave no reason");
            let (code, message) = (by_text(message), unwrapped(message));
            Outcome::Failed { code, message }
        };
        self.end(outcome, out);
    }
}
