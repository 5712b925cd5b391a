//! The `OpenAI` Responses API.
//!
//! `request.rs` reads, `call.rs` finds the right shape of a tool call,
//! `stream.rs` answers.

use serde_json::{Value, json};

mod call;
pub(crate) mod request;
pub(crate) mod stream;

pub(crate) const HEADERS: [(&str, &str); 8] = [
    ("x-ratelimit-limit-requests", "10000"),
    ("x-ratelimit-remaining-requests", "9999"),
    ("x-codex-primary-used-percent", "12"),
    ("x-codex-primary-window-minutes", "300"),
    ("x-codex-primary-reset-at", "1900000000"),
    ("x-codex-secondary-used-percent", "3"),
    ("x-codex-secondary-window-minutes", "10080"),
    ("x-codex-secondary-reset-at", "1900500000"),
];

/// The body of an HTTP error.
pub(crate) fn error(status: u16, kind: Option<&str>, message: &str) -> Value {
    let kind = kind.unwrap_or(match status {
        401 => "invalid_api_key",
        403 => "permission_denied",
        404 => "model_not_found",
        429 => "rate_limit_exceeded",
        503 | 529 => "server_is_overloaded",
        400..500 => "invalid_request_error",
        _ => "server_error",
    });
    json!({"error": {"message": message, "type": kind, "param": null, "code": kind}})
}
