//! What each kind of `session/update` means.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::profile::Profile;
use super::session::Session;
use super::speech::Voice;
use super::tool::block_text;
use super::wire::{Update, read};
use crate::event::{Body, CompactionPhase, PlanEntry, PlanStatus, RawJson, WarningCode};
use crate::provider::lines::one_line;
use crate::provider::{Output, SignalBody};

/// How Gemini announces a mode.
const MODE_UPDATE: &str = "[MODE_UPDATE] ";

impl Session {
    /// Takes an update of a conversation that takes turns. What is not understood is shown raw.
    pub(super) fn update(
        &mut self,
        profile: &Profile,
        raw: &RawValue,
        line: &str,
        out: &mut Output,
    ) {
        let update: Option<Update<'_>> = read(Some(raw));
        let understood = update.and_then(|update| self.understand(profile, &update, out));
        if understood.is_none() {
            let raw = RawJson::from_text(line);
            self.place().show(Body::Unknown { raw }, out);
        }
    }

    /// What counts also of a conversation that is only being opened. The rest is history, and the
    /// host has seen it.
    pub(super) fn settle_update(&mut self, raw: &RawValue) -> Heard {
        let Some(update) = read::<Update<'_>>(Some(raw)) else {
            return Heard::Nothing;
        };
        match update.tag.as_deref() {
            Some("available_commands_update") => {
                self.commands = read(update.available_commands);
                return Heard::Commands;
            }
            Some("config_option_update") => {
                self.offers
                    .set_options(read(update.config_options).unwrap_or_default());
            }
            Some("current_mode_update") => {
                if let Some(mode) = update.current_mode_id.as_deref() {
                    self.offers.set_mode(mode);
                }
            }
            Some(_) | None => {}
        }
        Heard::Nothing
    }

    fn understand(
        &mut self,
        profile: &Profile,
        update: &Update<'_>,
        out: &mut Output,
    ) -> Option<()> {
        let place = self.place();
        let tag = update.tag.as_deref()?;
        if profile.quirks.input_grows {
            let about = update.tool_call_id.as_deref();
            self.tools.turn_to(about, place, out);
        }
        match tag {
            "agent_message_chunk" => self.chunk(Voice::Answer, profile, update, out)?,
            "agent_thought_chunk" => self.chunk(Voice::Thought, profile, update, out)?,
            // The host knows what it said, and a summary replaces nothing that it shows.
            "user_message_chunk" | "compaction_summary_chunk" => self.sign(out),
            "tool_call" | "tool_call_update" => {
                self.gave();
                self.speech.flush(place, out);
                let cancelled = self.running.as_ref().is_some_and(|r| r.cancelled);
                self.tools.update(profile, place, update, cancelled, out)?;
            }
            "plan" => {
                let entries = plan(update.entries?)?;
                let explanation = None;
                let body = Body::Plan {
                    entries,
                    explanation,
                };
                place.show(body, out);
            }
            "available_commands_update" => self.commands = Some(read(update.available_commands)?),
            "current_mode_update" => {
                let mode = update.current_mode_id.as_deref()?;
                self.offers.set_mode(mode);
                self.status("mode", mode, out);
            }
            "config_option_update" => self.offers.set_options(read(update.config_options)?),
            "session_info_update" => self.information(update, out),
            "usage_update" => self.usage(update, out)?,
            "notice" => {
                let parts = [update.title.as_deref(), update.description.as_deref()];
                let parts: Vec<_> = parts.into_iter().flatten().collect();
                let message = one_line(&parts.join(": "));
                let code = WarningCode::Agent;
                place.show(Body::Warning { code, message }, out);
            }
            "compaction_update" => {
                let phase = match update.status.as_deref()? {
                    "completed" => CompactionPhase::Completed,
                    "failed" | "cancelled" => CompactionPhase::Failed,
                    _ => CompactionPhase::Started,
                };
                let body = Body::Compaction {
                    phase,
                    tokens_before: None,
                    tokens_after: None,
                };
                place.show(body, out);
            }
            _ => return None,
        }
        Some(())
    }

    /// A piece of text. Other content than text is not understood.
    fn chunk(
        &mut self,
        voice: Voice,
        profile: &Profile,
        update: &Update<'_>,
        out: &mut Output,
    ) -> Option<()> {
        let text = block_text(update.content)?;
        let id = update.message_id.as_deref();
        if profile.quirks.mode_as_text
            && let Some(mode) = text.strip_prefix(MODE_UPDATE)
            && !mode.contains(char::is_whitespace)
        {
            self.offers.set_mode(mode);
            self.status("mode", mode, out);
            return Some(());
        }
        let place = self.place();
        let warns = |start: &str| id.is_none() && text.starts_with(start);
        if voice == Voice::Answer && profile.quirks.warning.is_some_and(warns) {
            let message = one_line(&text);
            let code = WarningCode::Agent;
            place.show(Body::Warning { code, message }, out);
            return Some(());
        }
        if !text.is_empty() {
            self.gave();
        }
        self.speech.piece(voice, id, &text, place, out);
        Some(())
    }

    /// Titles; and, beside the protocol, how codex-acp fares.
    fn information(&mut self, update: &Update<'_>, out: &mut Output) {
        if let Some(title) = update.title.as_deref() {
            self.status("title", title, out);
        }
        let meta: Value = read(update.meta).unwrap_or_default();
        let codex = &meta["codex"];
        let failed = codex["threadStatus"]["type"] == "systemError";
        if failed && let Some(running) = &mut self.running {
            running.fault.get_or_insert_default();
        }
        let error = &codex["error"];
        let Some(message) = error["message"].as_str() else {
            return self.sign(out);
        };
        let message = match error["additionalDetails"].as_str() {
            Some(details) => format!("{message}: {details}"),
            None => message.to_owned(),
        };
        if error["willRetry"] == true {
            self.status("retrying", &message, out);
        } else if let Some(running) = &mut self.running {
            running.fault = Some(message);
        }
    }

    fn usage(&mut self, update: &Update<'_>, out: &mut Output) -> Option<()> {
        #[derive(Deserialize)]
        struct Cost {
            amount: f64,
            #[serde(default)]
            currency: String,
        }
        let used = whole(update.used?);
        let window = update.size.map(whole);
        let meta: Value = read(update.meta).unwrap_or_default();
        if let Some(model) = meta["_claude/model"].as_str() {
            self.model = Some(model.to_owned());
        }
        let cost: Option<Cost> = read(update.cost);
        if let Some(cost) = cost.filter(|c| c.currency == "USD" && c.amount.is_finite()) {
            self.cost = Some(cost.amount);
            self.counts_cost = true;
        }
        if self.context.replace((used, window)) == Some((used, window)) {
            self.sign(out);
            return Some(());
        }
        let body = Body::ContextUsage {
            used_tokens: used,
            window_tokens: window,
        };
        self.place().show(body, out);
        Some(())
    }

    fn gave(&mut self) {
        if let Some(running) = &mut self.running {
            running.gave = true;
        }
    }

    /// A sign of life of the turn.
    fn sign(&self, out: &mut Output) {
        let place = self.place();
        if self.running.is_some() {
            out.signal(place.conversation, place.turn, SignalBody::Taken);
        }
    }

    fn status(&self, state: &str, message: &str, out: &mut Output) {
        let state = state.to_owned();
        let message = one_line(message);
        self.place().show(Body::Status { state, message }, out);
    }
}

/// What an update meant to a conversation that is only being opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    Nothing,
    /// The commands, which Gemini tells last of all.
    Commands,
}

fn plan(raw: &RawValue) -> Option<Vec<PlanEntry>> {
    #[derive(Deserialize)]
    struct Entry {
        content: String,
        #[serde(default)]
        status: String,
    }
    let entries: Vec<Entry> = read(Some(raw))?;
    let entries = entries.into_iter().map(|entry| PlanEntry {
        text: entry.content,
        status: match entry.status.as_str() {
            "completed" => PlanStatus::Completed,
            "in_progress" => PlanStatus::InProgress,
            _ => PlanStatus::Pending,
        },
    });
    Some(entries.collect())
}

/// A count, however the agent writes it.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "tokens are few, and a cast of anything else saturates"
)]
fn whole(count: f64) -> u64 {
    count as u64
}
