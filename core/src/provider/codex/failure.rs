//! Why turns fail, in the agent's words and in ours.

use serde::Deserialize;
use serde_json::Value;

use crate::error::ErrorKind;
use crate::provider::Outcome;
pub(super) use crate::provider::lines::one_line;

/// The agent's error, of a turn or of one try.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct TurnError {
    pub message: String,
    pub codex_error_info: Value,
    pub additional_details: Option<String>,
}

impl TurnError {
    /// The agent's word for it, if it has one.
    pub(super) fn word(&self) -> Option<&str> {
        match &self.codex_error_info {
            Value::String(word) => Some(word),
            Value::Object(map) => map.keys().next().map(String::as_str),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => None,
        }
    }

    fn http_status(&self) -> Option<u64> {
        let map = self.codex_error_info.as_object()?;
        map.values().next()?.get("httpStatusCode")?.as_u64()
    }

    /// What to act on.
    pub(super) fn kind(&self) -> ErrorKind {
        match self.http_status() {
            Some(429) => return ErrorKind::RateLimited,
            Some(401 | 403) => return ErrorKind::AccountError,
            Some(_) | None => {}
        }
        match self.word() {
            Some("usageLimitExceeded" | "rateLimitExceeded") => ErrorKind::RateLimited,
            Some("unauthorized") => ErrorKind::AccountError,
            Some("contextWindowExceeded") => ErrorKind::ContextFull,
            Some("sessionBudgetExceeded") => ErrorKind::BudgetExceeded,
            Some(
                "sandboxError"
                | "threadRollbackFailed"
                | "activeTurnNotSteerable"
                | "tooManyDenials",
            ) => ErrorKind::AgentError,
            Some("other") | None => kind_by_text(&self.message),
            Some(_) => ErrorKind::ModelError,
        }
    }

    /// The failed end of a turn.
    pub(super) fn outcome(&self) -> Outcome {
        Outcome::Failed {
            code: self.kind(),
            message: one_line(&self.message),
        }
    }
}

/// Guesses the kind where the agent gives no word for it, as in `codex exec`. The texts are those
/// that the agent was seen to write.
pub(super) fn kind_by_text(message: &str) -> ErrorKind {
    let has = |part: &str| message.contains(part);
    if has("last status: 429")
        || has("usage limit")
        || has("Quota exceeded")
        || has("rate limit exceeded")
    {
        ErrorKind::RateLimited
    } else if has("401 Unauthorized")
        || has("403 Forbidden")
        || has("Missing environment variable: ")
        || has("auth refresh request")
    {
        ErrorKind::AccountError
    } else if has("ran out of room in the model's context window") {
        ErrorKind::ContextFull
    } else {
        ErrorKind::ModelError
    }
}

/// Why a thread could not be opened.
pub(super) fn open_kind(resuming: bool, message: &str) -> ErrorKind {
    let lost = [
        "no rollout found",
        "active writer",
        "invalid thread id",
        "thread not found",
        "thread not loaded",
    ];
    if resuming && lost.iter().any(|part| message.contains(part)) {
        ErrorKind::ResumeFailed
    } else {
        ErrorKind::AgentError
    }
}

/// Why a turn could not be started.
pub(super) fn start_kind(code: i64) -> ErrorKind {
    match code {
        -32602 => ErrorKind::TooLarge,
        _ => ErrorKind::AgentError,
    }
}
