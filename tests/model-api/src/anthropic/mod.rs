//! The Anthropic Messages API.
//!
//! `request.rs` reads, `stream.rs` answers.

use serde_json::{Value, json};

pub(crate) mod request;
pub(crate) mod stream;

pub(crate) const HEADERS: [(&str, &str); 4] = [
    ("anthropic-ratelimit-requests-limit", "4000"),
    ("anthropic-ratelimit-requests-remaining", "3999"),
    ("anthropic-ratelimit-tokens-limit", "4000000"),
    ("anthropic-ratelimit-tokens-remaining", "3999000"),
];

/// The body of an HTTP error.
pub(crate) fn error(status: u16, kind: Option<&str>, message: &str) -> Value {
    let kind = kind.unwrap_or(match status {
        401 => "authentication_error",
        402 => "billing_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        504 => "timeout_error",
        529 => "overloaded_error",
        400..500 => "invalid_request_error",
        _ => "api_error",
    });
    json!({"type": "error", "error": {"type": kind, "message": message}, "request_id": null})
}
