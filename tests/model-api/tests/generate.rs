//! The Gemini API of the server, without an agent.

use model_api::ModelApi;
use serde_json::{Value, json};

mod client;
use client::{Answer, names, post};

const PATH: &str = "/v1beta/models/gemini-x:streamGenerateContent";

fn prompt(text: &str) -> Value {
    json!({"contents": [{"role": "user", "parts": [{"text": text}]}]})
}

/// The events of a stream: they have no names.
fn events(answer: &Answer) -> Vec<Value> {
    assert!(names(answer).iter().all(String::is_empty));
    let events = answer.events().into_iter();
    events.map(|(_, data)| data).collect()
}

/// All parts of all events, in order.
fn parts(events: &[Value]) -> Vec<Value> {
    let lists = events.iter();
    lists
        .filter_map(|event| event["candidates"][0]["content"]["parts"].as_array())
        .flatten()
        .cloned()
        .collect()
}

fn text(parts: &[Value]) -> String {
    let said = parts.iter().filter(|part| part["thought"].is_null());
    said.filter_map(|part| part["text"].as_str()).collect()
}

#[test]
fn words_stream_one_by_one_and_the_last_event_says_why_it_ends() {
    let api = ModelApi::start().expect("a server");
    let answer = post(&api, PATH, &prompt(r#"MODEL:[{"words":3}]"#));
    assert_eq!(answer.header("content-type"), "text/event-stream");
    let events = events(&answer);
    assert_eq!(text(&parts(&events)), "word0 word1 word2");
    assert_eq!(events.len(), 4);
    let last = events.last().expect("an event");
    assert_eq!(last["candidates"][0]["finishReason"], "STOP");
    assert!(last["usageMetadata"]["totalTokenCount"].is_u64());
    let call = &api.calls()[0];
    assert_eq!((call.model.as_str(), call.stream), ("gemini-x", true));
}

#[test]
fn thoughts_and_calls_are_parts_of_their_own() {
    let api = ModelApi::start().expect("a server");
    let script =
        r#"MODEL:[[{"thinking":"hm"},{"shell":"ls"},{"tool":"read_file","input":{"a":1}}]]"#;
    let parts = parts(&events(&post(&api, PATH, &prompt(script))));
    assert_eq!(parts[0], json!({"text": "hm", "thought": true}));
    let calls: Vec<&Value> = parts.iter().map(|part| &part["functionCall"]).collect();
    assert_eq!(calls[1]["name"], "run_shell_command");
    assert_eq!(calls[1]["args"]["command"], "ls");
    assert_eq!(calls[2]["args"], json!({"a": 1}));
    assert_ne!(calls[1]["id"], calls[2]["id"]);
}

#[test]
fn the_answer_can_come_in_one_piece() {
    let api = ModelApi::start().expect("a server");
    let path = "/v1beta/models/gemini-x:generateContent";
    let body = post(
        &api,
        path,
        &prompt(r#"MODEL:[[{"text":"half"},{"stop":"max_tokens"}]]"#),
    )
    .json();
    assert_eq!(
        body["candidates"][0]["content"]["parts"],
        json!([{"text": "half"}])
    );
    assert_eq!(body["candidates"][0]["finishReason"], "MAX_TOKENS");
    let count = post(&api, "/v1beta/models/gemini-x:countTokens", &prompt("x"));
    assert!(count.json()["totalTokens"].is_u64());
}

#[test]
fn faults_have_the_form_of_this_api() {
    let api = ModelApi::start().expect("a server");
    let failed = post(
        &api,
        PATH,
        &prompt(r#"MODEL:[{"error":429,"message":"slow down"}]"#),
    );
    assert_eq!(failed.status, 429);
    let error = json!({"code": 429, "message": "slow down", "status": "RESOURCE_EXHAUSTED"});
    assert_eq!(failed.json()["error"], error);
    let cut = post(&api, PATH, &prompt(r#"MODEL:[{"drop_after":2}]"#));
    assert!(cut.cut);
    assert_eq!(text(&parts(&events(&cut))), "word0 word1");
    let broken = post(
        &api,
        PATH,
        &prompt(r#"MODEL:[{"fail":"UNAVAILABLE","after":1}]"#),
    );
    let broken = events(&broken);
    assert_eq!(
        broken.last().expect("an event")["error"]["status"],
        "UNAVAILABLE"
    );
}
