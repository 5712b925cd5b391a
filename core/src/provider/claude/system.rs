//! What the agent says around the model's work: status, retries, compaction, tasks, hooks.

use crate::event::{Body, CompactionPhase, RawJson, WarningCode};
use crate::provider::claude::codec::{ClaudeCodec, one_line};
use crate::provider::claude::wire::{RateLimitInfo, RateLimitLine, System, Talk, parse, text};
use crate::provider::{Output, TurnRef};

/// How much of a remark is shown, in characters.
const REMARK_LENGTH: usize = 1000;

impl ClaudeCodec {
    pub(super) fn system(&mut self, subtype: &str, line: &str, out: &mut Output) {
        let Some(system) = parse::<System<'_>>(line) else {
            self.unknown(self.turns.running(), line, out);
            return;
        };
        match subtype {
            "status" => self.state(&system, out),
            "api_retry" => {
                let message = retry(&system);
                self.status(self.turns.running(), "retrying", message, out);
            }
            "compact_boundary" => {
                let tokens = system.compact_metadata.unwrap_or_default();
                let body = Body::Compaction {
                    phase: CompactionPhase::Completed,
                    tokens_before: tokens.pre_tokens,
                    tokens_after: tokens.post_tokens,
                };
                self.show(self.turns.running(), body, out);
            }
            "task_started" | "task_updated" | "task_notification" | "background_tasks_changed" => {
                self.background.task(subtype, &system, self.turns.running());
                self.report_background(out);
            }
            "session_state_changed" => {
                if text(system.state.as_ref()) == "idle" {
                    self.background.settle();
                    self.steers.settle();
                    self.report_background(out);
                }
            }
            "commands_changed" => {
                if let Some(commands) = system.commands {
                    self.commands = Some(commands.to_owned().into());
                }
            }
            // Estimates, single steps of tasks, lists that changed: nothing that a host acts on.
            "thinking_tokens"
            | "task_progress"
            | "control_request_progress"
            | "elicitation_complete"
            | "files_persisted" => {}
            _ => self.remark(subtype, &system, line, out),
        }
    }

    fn state(&mut self, system: &System<'_>, out: &mut Output) {
        let state = text(system.status.as_ref());
        if state == "compacting" && self.turns.running() == TurnRef::None {
            self.compact_started(None, out);
        }
        if !state.is_empty() {
            self.turns.sign(out);
        }
        let turn = self.turns.running();
        let compaction = |phase| Body::Compaction {
            phase,
            tokens_before: None,
            tokens_after: None,
        };
        match state {
            "" => {}
            "compacting" => self.show(turn, compaction(CompactionPhase::Started), out),
            "requesting" => self.status(turn, state, "waiting for the model".to_owned(), out),
            other => self.status(turn, other, String::new(), out),
        }
        if text(system.compact_result.as_ref()) == "failed" {
            self.show(turn, compaction(CompactionPhase::Failed), out);
            let why = text(system.compact_error.as_ref());
            if !why.is_empty() {
                let message = format!("the compaction failed: {why}");
                self.warn(turn, WarningCode::Agent, &message, out);
            }
        }
        if let Some(mode) = &system.permission_mode {
            self.status(turn, "permission_mode", mode.to_string(), out);
        }
    }

    /// What is only for people.
    fn remark(&mut self, subtype: &str, system: &System<'_>, line: &str, out: &mut Output) {
        let turn = self.turns.running();
        let content = text(system.content.as_ref());
        let said = [
            content,
            text(system.message.as_ref()),
            text(system.text.as_ref()),
            text(system.title.as_ref()),
            text(system.description.as_ref()),
            text(system.error.as_ref()),
        ];
        let said = said.into_iter().find(|said| !said.is_empty()).unwrap_or("");
        let said = one_line(said, REMARK_LENGTH);
        match subtype {
            "permission_denied" | "model_fallback" | "mirror_error" | "session_writes_lost" => {
                self.warn(turn, WarningCode::Agent, &or(said, subtype), out);
            }
            "model_refusal_no_fallback" | "model_refusal_fallback" => {
                let said = or(said, "the model refused to answer");
                self.warn(turn, WarningCode::Agent, &said, out);
            }
            "informational" if text(system.level.as_ref()) == "warning" => {
                self.warn(turn, WarningCode::Agent, &said, out);
            }
            "informational" => self.status(turn, "info", said, out),
            "session_title_changed" => self.status(turn, "title", said, out),
            "notification"
            | "local_command_output"
            | "memory_recall"
            | "plugin_install"
            | "worker_shutting_down" => self.status(turn, subtype, said, out),
            "hook_started" | "hook_progress" | "hook_response" => {
                let name = text(system.hook_name.as_ref());
                let step = match text(system.outcome.as_ref()) {
                    "" => subtype.trim_start_matches("hook_"),
                    outcome => outcome,
                };
                self.status(turn, "hook", format!("{name}: {step}"), out);
            }
            _ => self.unknown(turn, line, out),
        }
    }

    /// The types of line that only the agent's surroundings use.
    pub(super) fn small_talk(&mut self, kind: &str, line: &str, out: &mut Output) {
        let turn = self.turns.running();
        let talk = parse::<Talk<'_>>(line).unwrap_or_default();
        match kind {
            "rate_limit_event" => self.rate_limit(line, out),
            "tool_progress" => {
                let name = text(talk.tool_name.as_ref());
                let seconds = talk.elapsed_time_seconds.unwrap_or(0.0);
                let message = format!("{name} has run for {seconds:.0} s");
                self.status(turn, "tool_running", message, out);
            }
            "prompt_suggestion" => {
                let said = one_line(text(talk.suggestion.as_ref()), REMARK_LENGTH);
                self.status(turn, kind, said, out);
            }
            "tool_use_summary" => {
                let said = one_line(text(talk.summary.as_ref()), REMARK_LENGTH);
                self.status(turn, kind, said, out);
            }
            // The next `init` names the new conversation.
            "conversation_reset" => {
                let message = "the conversation begins anew".to_owned();
                self.status(turn, kind, message, out);
            }
            _ => self.unknown(turn, line, out),
        }
    }

    fn rate_limit(&mut self, line: &str, out: &mut Output) {
        let turn = self.turns.running();
        let parsed = parse::<RateLimitLine<'_>>(line).unwrap_or_default();
        let Some(raw) = parsed.rate_limit_info else {
            self.unknown(turn, line, out);
            return;
        };
        let info = parse::<RateLimitInfo<'_>>(raw.get()).unwrap_or_default();
        let body = Body::RateLimit {
            limit: info.limit.map(|limit| limit.0.into_owned()),
            status: info.status.map(|status| status.0.into_owned()),
            used_percent: info.utilization.map(|used| used * 100.0),
            resets_at: info.resets_at.map(seconds),
            raw: RawJson::from(raw.to_owned()),
        };
        self.show(turn, body, out);
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a float beyond the range becomes its bound, and no such time is meant"
)]
fn seconds(at: f64) -> i64 {
    at as i64
}

fn or(said: String, otherwise: &str) -> String {
    if said.is_empty() {
        otherwise.to_owned()
    } else {
        said
    }
}

fn retry(system: &System<'_>) -> String {
    let attempt = system.attempt.unwrap_or(0);
    let most = system.max_retries.unwrap_or(0);
    let wait = system.retry_delay_ms.unwrap_or(0.0);
    let error = text(system.error.as_ref());
    let status = system.error_status.map(|status| format!(" {status}"));
    let status = status.unwrap_or_default();
    format!("attempt {attempt} of {most} in {wait:.0} ms: {error}{status}")
}
