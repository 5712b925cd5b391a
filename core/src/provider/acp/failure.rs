//! Why things fail, in the agents' words and in ours.

use serde_json::Value;

use super::wire::{LOGIN_REQUIRED, RpcError};
use crate::error::ErrorKind;
use crate::provider::Outcome;
use crate::provider::lines::one_line;

/// A text, or what stands inside where it holds the answer of a model's service as JSON.
pub(super) fn unwrapped(text: &str) -> String {
    let (start, end) = (text.find('{'), text.rfind('}'));
    let json = start
        .zip(end)
        .and_then(|(start, end)| text.get(start..=end));
    let inner = json.and_then(|json| serde_json::from_str::<Value>(json).ok());
    let inner = inner.as_ref().and_then(|v| v["error"]["message"].as_str());
    one_line(inner.unwrap_or(text))
}

/// What people read of an error. Some agents put the text into `data`.
pub(super) fn text(error: &RpcError) -> String {
    let message = unwrapped(&error.message);
    let details = error.data["details"].as_str().filter(|d| !d.is_empty());
    one_line(&match details {
        Some(details) => format!("{message}: {details}"),
        None => message,
    })
}

/// Why a turn failed. Gemini's codes are those of HTTP.
pub(super) fn turn_kind(error: &RpcError) -> ErrorKind {
    match error.code {
        LOGIN_REQUIRED | 401 | 403 => return ErrorKind::AccountError,
        429 => return ErrorKind::RateLimited,
        400..600 => return ErrorKind::ModelError,
        _ => {}
    }
    let text = text(error);
    match error.data["errorKind"].as_str() {
        Some("rate_limit") => ErrorKind::RateLimited,
        Some("authentication_failed" | "billing_error") => ErrorKind::AccountError,
        Some(_) => ErrorKind::ModelError,
        None if error.data["errorName"] == "APIError" => by_text(&text),
        None if text.contains("maximum length") => ErrorKind::TooLarge,
        None => ErrorKind::AgentError,
    }
}

/// Guesses where there is only a text.
pub(super) fn by_text(text: &str) -> ErrorKind {
    let has = |part: &str| text.contains(part);
    if has("429") || has("rate limit") || has("Too Many Requests") {
        ErrorKind::RateLimited
    } else if has("401") || has("403") || has("API key") {
        ErrorKind::AccountError
    } else {
        ErrorKind::ModelError
    }
}

/// The end of a turn that was answered with an error.
pub(super) fn outcome(error: &RpcError) -> Outcome {
    if error.code == -32800 {
        return Outcome::Interrupted;
    }
    Outcome::Failed {
        code: turn_kind(error),
        message: text(error),
    }
}

/// Why a conversation could not be opened. Each agent has its own code for one that it does not
/// know; some answer with no more than "Internal error", which may mean that too.
pub(super) fn open_kind(resuming: bool, error: &RpcError) -> ErrorKind {
    let text = text(error);
    let lost = [
        "not found",
        "Unknown sessionId",
        "No previous sessions",
        "invalid session id",
        "Invalid session identifier",
        "valid session ID",
        "service failure",
    ];
    let unknown = error.code == -32002
        || lost.iter().any(|part| text.contains(part))
        || (error.code == -32602 && error.data["session_id"].is_string());
    match error.code {
        LOGIN_REQUIRED => ErrorKind::AccountError,
        super::wire::METHOD_NOT_FOUND => ErrorKind::Unsupported,
        _ if resuming && unknown => ErrorKind::ResumeFailed,
        _ => ErrorKind::AgentError,
    }
}
