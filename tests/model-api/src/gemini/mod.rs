//! The Gemini API: `generateContent` and `streamGenerateContent`.
//!
//! `request.rs` reads, `stream.rs` answers.

use serde_json::{Value, json};

pub(crate) mod request;
pub(crate) mod stream;

pub(crate) const HEADERS: [(&str, &str); 0] = [];

/// What a path asks for.
#[derive(Debug, PartialEq)]
pub(crate) enum Route<'a> {
    /// A model call of this model, as a stream or in one piece.
    Generate {
        model: &'a str,
        stream: bool,
    },
    CountTokens,
}

/// Reads `/v1beta/models/MODEL:METHOD`; nothing for paths of other APIs.
pub(crate) fn route(path: &str) -> Option<Route<'_>> {
    let (_, rest) = path.split_once("/models/")?;
    let (model, method) = rest.split_once(':')?;
    match method {
        "generateContent" => Some(Route::Generate {
            model,
            stream: false,
        }),
        "streamGenerateContent" => Some(Route::Generate {
            model,
            stream: true,
        }),
        "countTokens" => Some(Route::CountTokens),
        _ => None,
    }
}

/// The body of an HTTP error.
pub(crate) fn error(status: u16, kind: Option<&str>, message: &str) -> Value {
    let kind = kind.unwrap_or(match status {
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        429 => "RESOURCE_EXHAUSTED",
        503 | 529 => "UNAVAILABLE",
        504 => "DEADLINE_EXCEEDED",
        400..500 => "INVALID_ARGUMENT",
        _ => "INTERNAL",
    });
    json!({"error": {"code": status, "message": message, "status": kind}})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_names_the_model_and_the_method() {
        let generate = |model, stream| Some(Route::Generate { model, stream });
        assert_eq!(
            route("/v1beta/models/gemini-x:streamGenerateContent"),
            generate("gemini-x", true)
        );
        assert_eq!(route("/v1/models/m:generateContent"), generate("m", false));
        assert_eq!(
            route("/v1beta/models/m:countTokens"),
            Some(Route::CountTokens)
        );
        assert_eq!(route("/v1/models"), None);
    }
}
