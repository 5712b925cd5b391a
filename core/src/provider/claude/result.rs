//! The result line: how a turn ended, or why the process could not begin.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::config::Mode;
use crate::error::ErrorKind;
use crate::event::{Body, WarningCode};
use crate::provider::claude::codec::{ClaudeCodec, one_line};
use crate::provider::claude::message::{TurnTokens, usage};
use crate::provider::claude::turn::{Ending, Verdict};
use crate::provider::claude::wire::{ModelUsage, ResultLine, Text, parse, text};
use crate::provider::cut::{Cut, unread};
use crate::provider::{Outcome, Output, SignalBody, TurnEnd, TurnRef};

/// How much of an error is given, in characters.
const ERROR_LENGTH: usize = 1000;

/// Marks a line of `errors` that is meant for the agent's makers.
const DIAGNOSTIC: &str = "[ede_diagnostic]";

impl ClaudeCodec {
    pub(super) fn result(&mut self, line: &str, out: &mut Output) {
        let Some(mut result) = parse::<ResultLine<'_>>(line) else {
            self.unknown(self.turns.running(), line, out);
            return;
        };
        let mut uuids = result.user_message_uuids.take().unwrap_or_default();
        uuids.extend(result.user_message_uuid.take());
        let origin = result
            .origin
            .as_ref()
            .and_then(|origin| origin.kind.as_deref());
        let own = origin.is_some_and(|kind| kind != "human");
        match self.turns.judge(&uuids, own, out) {
            Verdict::Running => self.end_turn(result, None, out),
            Verdict::Nothing if self.never_began(&result) => self.fail_start(&result, out),
            Verdict::Nothing => {
                let message = "the agent ended a turn that is over";
                self.warn(TurnRef::None, WarningCode::LateOutput, message, out);
            }
        }
    }

    /// The result is too long to be read, and with it the answer: the turn is over all the same.
    pub(super) fn result_skipped(&mut self, head: &Cut, size: usize, out: &mut Output) {
        let subtype = head.text("subtype");
        let is_error = head.get("is_error").and_then(serde_json::Value::as_bool);
        let result = ResultLine {
            subtype: Some(Text(subtype.into())),
            is_error,
            ..ResultLine::default()
        };
        match self.turns.judge(&[], false, out) {
            Verdict::Running => self.end_turn(result, Some(size), out),
            // The warning says that there was something.
            Verdict::Nothing => {}
        }
    }

    /// `lost`: the size of the line, of which no more is known than stands in `result`.
    fn end_turn(&mut self, mut result: ResultLine<'_>, lost: Option<usize>, out: &mut Output) {
        let Some(ending) = self.turns.end() else {
            return;
        };
        let mut outcome = self.outcome(&result, &ending);
        if let Some(size) = lost
            && outcome != Outcome::Interrupted
        {
            let code = ErrorKind::ProtocolError;
            let message = unread("the end of the turn", size);
            outcome = Outcome::Failed { code, message };
        }
        self.end_steers(out);
        let since = result.model_usage_since_last_result.as_ref().map(sum);
        let model = self.speech.model.take().or_else(|| self.model.clone());
        let end = TurnEnd {
            text: result
                .result
                .take()
                .filter(|text| outcome == Outcome::Completed && !text.is_empty())
                .filter(|text| !self.speech.repeats(ending.turn, text))
                .map(|text| text.0.into_owned()),
            outcome,
            stop_reason: result.stop_reason.as_ref().map(|reason| reason.to_string()),
            usage: result.usage.as_ref().map(usage),
            cost_usd: self.cost.turn(result.total_cost_usd, since),
            model,
            agent_turns: result.num_turns,
            duration: result.duration_ms.and_then(milliseconds),
            structured: result.structured_output.map(|raw| raw.to_owned().into()),
        };
        self.context_usage(ending.turn, &result, end.model.as_deref(), out);
        self.speech.open_text = false;
        self.speech.thought = false;
        self.speech.error = None;
        self.speech.tokens = TurnTokens::default();
        self.say(ending.turn, SignalBody::Ended(Box::new(end)), out);
        if self.mode == Mode::OneShot && matches!(ending.turn, TurnRef::Host(_)) {
            out.close_stdin = true;
        }
    }

    fn context_usage(
        &mut self,
        turn: TurnRef,
        result: &ResultLine<'_>,
        model: Option<&str>,
        out: &mut Output,
    ) {
        let Some(used_tokens) = self.speech.tokens.context else {
            return;
        };
        let models = result.model_usage.as_ref();
        let window_tokens = models.and_then(|models| {
            // The bill may know the model by the name of a variant: `name[1m]`.
            let named = |name: &str| model.is_some_and(|model| name.starts_with(model));
            let mut known = models.iter().filter(|(name, _)| named(name));
            known.next().and_then(|(_, usage)| usage.context_window)
        });
        let body = Body::ContextUsage {
            used_tokens,
            window_tokens,
        };
        self.show(turn, body, out);
    }

    fn outcome(&self, result: &ResultLine<'_>, ending: &Ending) -> Outcome {
        let subtype = text(result.subtype.as_ref());
        let failed = result.is_error.unwrap_or(subtype.starts_with("error"));
        let reason = text(result.terminal_reason.as_ref());
        let aborted = reason.starts_with("aborted_");
        if !failed {
            // Cut short by a message with priority: an interrupt only if one was asked for.
            return if aborted && ending.interrupt_sent {
                Outcome::Interrupted
            } else {
                Outcome::Completed
            };
        }
        let stopped = aborted || ending.interrupt_sent || ending.aborted;
        let code = match subtype {
            "error_during_execution" if stopped => return Outcome::Interrupted,
            "error_max_turns" | "error_max_budget_usd" => ErrorKind::BudgetExceeded,
            "error_max_structured_output_retries" => ErrorKind::ModelError,
            "success" => self.api_error_kind(result),
            _ => ErrorKind::AgentError,
        };
        Outcome::Failed {
            code,
            message: message(result, "the agent gave no reason"),
        }
    }

    fn api_error_kind(&self, result: &ResultLine<'_>) -> ErrorKind {
        let said = text(result.result.as_ref());
        let full = text(result.terminal_reason.as_ref()) == "prompt_too_long"
            || said.starts_with("Prompt is too long");
        if full {
            return ErrorKind::ContextFull;
        }
        match self.speech.error.as_deref().unwrap_or("") {
            "authentication_failed" | "billing_error" | "oauth_org_not_allowed" => {
                return ErrorKind::AccountError;
            }
            "rate_limit" => return ErrorKind::RateLimited,
            _ => {}
        }
        match result.api_error_status {
            Some(401..=403) => ErrorKind::AccountError,
            Some(413) => ErrorKind::ContextFull,
            Some(429) => ErrorKind::RateLimited,
            _ => ErrorKind::ModelError,
        }
    }

    /// Whether it tells of a failed start: no turn ever ran.
    fn never_began(&self, result: &ResultLine<'_>) -> bool {
        let failed = result.is_error == Some(true) && result.num_turns.unwrap_or(0) == 0;
        failed && self.session_id.is_none()
    }

    fn fail_start(&mut self, result: &ResultLine<'_>, out: &mut Output) {
        let message = message(result, "the agent could not start");
        let code = if message.starts_with("No conversation found") {
            ErrorKind::ResumeFailed
        } else {
            ErrorKind::AgentError
        };
        match self.turns.give_up_waiting() {
            Some(turn) => {
                self.failure = Some((code, message.clone()));
                self.end_steers(out);
                let end = TurnEnd {
                    outcome: Outcome::Failed { code, message },
                    ..TurnEnd::default()
                };
                self.say(turn, SignalBody::Ended(Box::new(end)), out);
                out.close_stdin |= self.mode == Mode::OneShot;
            }
            None => self.refuse(code, message, out),
        }
    }
}

/// What people should read.
fn message(result: &ResultLine<'_>, otherwise: &str) -> String {
    let mut said = text(result.result.as_ref()).to_owned();
    for error in result.errors.iter().flatten() {
        if !error.starts_with(DIAGNOSTIC) {
            said.push(' ');
            said.push_str(error);
        }
    }
    let said = one_line(&said, ERROR_LENGTH);
    if said.is_empty() {
        otherwise.to_owned()
    } else {
        said
    }
}

fn sum(models: &BTreeMap<Text<'_>, ModelUsage>) -> f64 {
    models.values().filter_map(|model| model.cost_usd).sum()
}

fn milliseconds(ms: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(ms / 1000.0).ok()
}
