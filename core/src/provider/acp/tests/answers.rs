//! What a capture's client answered, in core's words.

use serde_json::Value;

use crate::client::{Done, Ended, Failure, Outcome, Why};
use crate::event::RawJson;
use crate::request::{Answer, Scope};

/// What became of a call in the capture, in core's words.
pub(super) fn outcome(answer: &Value) -> Outcome {
    let result = &answer["result"];
    let text = |member: &Value| member.as_str().map(str::to_owned);
    let ended = |status: &Value| Ended {
        code: status["exitCode"]
            .as_i64()
            .and_then(|code| code.try_into().ok()),
        signal: None,
    };
    if result.is_null() {
        return Err(Failure::new(Why::Missing, "Resource not found"));
    }
    Ok(if let Some(content) = text(&result["content"]) {
        Done::Text(content)
    } else if let Some(id) = text(&result["terminalId"]) {
        Done::Terminal(id)
    } else if let Some(text) = text(&result["output"]) {
        Done::Output {
            text,
            truncated: result["truncated"] == true,
            ended: result["exitStatus"]
                .is_object()
                .then(|| ended(&result["exitStatus"])),
        }
    } else if result.get("exitCode").is_some() {
        Done::Ended(ended(result))
    } else {
        Done::Nothing
    })
}

/// An answer of the capture's client, in core's words.
pub(super) fn answer(result: &Value, options: &Value) -> Answer {
    let deny = |interrupt| Answer::Deny {
        message: "no".into(),
        interrupt,
    };
    if let Some(action) = result["action"].as_str() {
        let content = RawJson::from_text(&result["content"].to_string());
        return match action {
            "accept" => Answer::Content { content },
            _ => deny(false),
        };
    }
    let Some(id) = result["outcome"]["optionId"].as_str() else {
        return deny(true);
    };
    let all = options.as_array().into_iter().flatten();
    let chosen = all.clone().find(|o| o["optionId"] == id);
    let chosen = chosen.expect("an option that was offered");
    let input = None;
    let yes = all.filter(|o| o["kind"] == "allow_once").count();
    match chosen["kind"].as_str() {
        Some("allow_once") if yes > 1 => {
            let label = chosen["name"].as_str().unwrap_or_default().to_owned();
            let answers = [("choice".to_owned(), vec![label])].into();
            Answer::Answers { answers }
        }
        Some("allow_once") => {
            let scope = Scope::Once;
            Answer::Allow { scope, input }
        }
        Some("allow_always") => {
            let scope = Scope::Session;
            Answer::Allow { scope, input }
        }
        _ => deny(false),
    }
}
