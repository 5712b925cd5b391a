use serde_json::Value;

use super::*;
use crate::event::EventKind;

#[path = "../../../tests/tests/events_page/examples.rs"]
mod examples;

/// Members that the examples leave out.
const MORE: &[(&str, &str)] = &[
    ("text_delta", r#"{"parent":"call"}"#),
    ("reasoning_delta", r#"{"parent":"call"}"#),
    ("message", r#"{"parent":"call"}"#),
    ("tool_use", r#"{"parent":"call"}"#),
    ("tool_result", r#"{"parent":"call","output":{"a":"b"}}"#),
    ("plan", r#"{"explanation":"why"}"#),
    (
        "file_change",
        r#"{"changes":[{"path":"a","kind":"move","diff":"d","moved_to":"b"}]}"#,
    ),
    (
        "turn_failed",
        r#"{"failure":{"code":"process_exit","message":"m","stderr":"s"},
            "result":{"text":"t","structured":{"a":"b"},"model":"m","stop_reason":"s"}}"#,
    ),
    (
        "request_opened",
        r#"{"questions":[{"id":"i","header":"h","text":"t","several":false,"free_text":true,
            "secret":false,"choices":[{"label":"l","description":"d"}]}]}"#,
    ),
    (
        "session_closed",
        r#"{"left":[2000000001,2000000002,2000000003]}"#,
    ),
];

/// Every example, and again with the members that it leaves out.
fn bodies() -> Vec<Value> {
    let mut bodies = Vec::new();
    for (name, _, members) in examples::EXAMPLES {
        let mut body: Value = serde_json::from_str(members).expect("JSON");
        body["type"] = (*name).into();
        bodies.push(body.clone());
        for (_, more) in MORE.iter().filter(|(kind, _)| kind == name) {
            let more: Value = serde_json::from_str(more).expect("JSON");
            for (member, value) in more.as_object().expect("members") {
                body[member] = value.clone();
            }
            bodies.push(body.clone());
        }
    }
    assert!(bodies.len() == EventKind::ALL.len() + MORE.len());
    bodies
}

fn read(body: &Value) -> Option<Body> {
    serde_json::from_value(body.clone()).ok()
}

/// Where each text stands, but for the name of the kind.
fn texts(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::String(_) if at != "/type" => found.push(at.to_owned()),
        Value::Array(items) => {
            for (n, item) in items.iter().enumerate() {
                texts(item, &format!("{at}/{n}"), found);
            }
        }
        Value::Object(members) => {
            for (name, member) in members {
                texts(member, &format!("{at}/{name}"), found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn every_text_of_every_event_counts_with_its_length() {
    let mut counted = 0;
    for body in bodies() {
        let mut places = Vec::new();
        texts(&body, "", &mut places);
        for place in places {
            let mut longer = body.clone();
            let text = longer.pointer_mut(&place).expect("a text");
            let before = text.as_str().map_or(0, str::len);
            *text = "x".repeat(10_000).into();
            // Where it is not free text but a word of an enum, this is no event.
            let (Some(longer), Some(body)) = (read(&longer), read(&body)) else {
                continue;
            };
            // Text and not JSON in JSON: an escaped character counts as it is held.
            let grown = weight(&longer) - weight(&body);
            let escaped = place.contains("raw") || place.contains("input");
            let near = if escaped { 8 } else { 0 };
            assert!(
                grown.abs_diff(10_000 - before) <= near,
                "{place} of {body:?}: {grown}"
            );
            counted += 1;
        }
    }
    assert!(counted > 40, "{counted}");
}

/// Short events weigh what the largest one needs; beside that the weight is near the JSON.
#[test]
fn an_event_weighs_at_least_half_its_json_and_at_most_twice_that_and_its_envelope() {
    for body in bodies() {
        let json = body.to_string().len();
        let body = read(&body).expect("an event");
        let weight = weight(&body);
        let most = 2 * json + ENVELOPE + size_of::<TurnResult>() + size_of::<Failure>();
        assert!(json <= 2 * weight, "{body:?}: {weight} for {json}");
        assert!(weight <= most, "{body:?}: {weight} for {json}");
    }
}
