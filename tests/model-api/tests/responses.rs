//! The Responses side of the server, over HTTP.

use model_api::ModelApi;
use serde_json::{Value, json};

mod client;
use client::{Answer, names, post};

fn user(text: &str) -> Value {
    json!({"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]})
}

fn ask(api: &ModelApi, tools: &Value, input: &[Value]) -> Answer {
    let body = json!({"model": "m", "stream": true, "input": input, "tools": tools,
        "prompt_cache_key": "c"});
    post(api, "/v1/responses", &body)
}

fn say(api: &ModelApi, script: &str) -> Answer {
    ask(api, &json!([]), &[user(script)])
}

/// The finished items of an answer.
fn items(answer: &Answer) -> Vec<Value> {
    let events = answer.events().into_iter();
    events
        .filter(|(name, _)| name == "response.output_item.done")
        .map(|(_, data)| data["item"].clone())
        .collect()
}

#[test]
fn a_text_comes_in_the_order_of_the_real_api() {
    let api = ModelApi::start().expect("a server");
    let answer = say(&api, r#"MODEL:["one two"]"#);
    assert_eq!(
        names(&answer),
        [
            "response.created",
            "response.in_progress",
            "response.output_item.added",
            "response.content_part.added",
            "response.output_text.delta",
            "response.output_text.delta",
            "response.output_text.done",
            "response.content_part.done",
            "response.output_item.done",
            "response.completed"
        ]
    );
    assert_eq!(items(&answer)[0]["content"][0]["text"], "one two");
    let (_, last) = answer.events().pop().expect("an event");
    assert!(last["response"]["usage"]["total_tokens"].as_u64() > Some(0));
    assert_eq!(answer.header("x-codex-primary-used-percent"), "12");
}

#[test]
fn thinking_is_a_reasoning_item_with_a_summary() {
    let api = ModelApi::start().expect("a server");
    let answer = say(&api, r#"MODEL:[[{"thinking":"hm"},"so"]]"#);
    let found = items(&answer);
    assert_eq!(found[0]["type"], "reasoning");
    assert_eq!(
        found[0]["summary"],
        json!([{"type": "summary_text", "text": "hm"}])
    );
    assert_eq!(found[1]["type"], "message");
    let names = names(&answer);
    assert!(names.contains(&"response.reasoning_summary_text.delta".to_owned()));
}

#[test]
fn a_shell_command_follows_the_tools_on_offer() {
    let api = ModelApi::start().expect("a server");
    let call = |tools: Value| {
        let answer = ask(&api, &tools, &[user(r#"MODEL:[{"shell":"ls"}]"#)]);
        items(&answer).remove(0)
    };
    let plain = call(json!([{"type": "function", "name": "exec_command"}]));
    assert_eq!(
        (&plain["type"], &plain["arguments"]),
        (&json!("function_call"), &json!(r#"{"cmd":"ls"}"#))
    );
    let code_mode = call(json!([{"type": "custom", "name": "exec"}]));
    assert_eq!(
        (&code_mode["type"], &code_mode["name"]),
        (&json!("custom_tool_call"), &json!("exec"))
    );
    let code = code_mode["input"].as_str().expect("a text");
    assert!(
        code.contains(r#"tools.exec_command({"cmd":"ls"})"#),
        "{code}"
    );
}

#[test]
fn the_answers_since_the_prompt_say_which_step_is_next() {
    let api = ModelApi::start().expect("a server");
    let call = json!({"type": "function_call", "name": "exec_command", "arguments": "{}"});
    let result = json!({"type": "function_call_output", "output": "a.txt"});
    let input = [
        user(r#"MODEL:[{"shell":"ls"},{"echo":"result"}]"#),
        call,
        result,
    ];
    let answer = ask(&api, &json!([]), &input);
    assert_eq!(items(&answer)[0]["content"][0]["text"], "a.txt");
}

#[test]
fn a_failure_is_a_failed_response() {
    let api = ModelApi::start().expect("a server");
    let answer = say(
        &api,
        r#"MODEL:[{"fail":"server_is_overloaded","message":"full"}]"#,
    );
    let (name, data) = answer.events().pop().expect("an event");
    assert_eq!(name, "response.failed");
    let error = json!({"code": "server_is_overloaded", "message": "full"});
    assert_eq!(data["response"]["error"], error);
}

#[test]
fn a_stop_is_an_incomplete_response() {
    let api = ModelApi::start().expect("a server");
    let answer = say(&api, r#"MODEL:[{"text":"a","stop":"max_tokens"}]"#);
    let (name, data) = answer.events().pop().expect("an event");
    assert_eq!(name, "response.incomplete");
    assert_eq!(
        data["response"]["incomplete_details"]["reason"],
        "max_output_tokens"
    );
}

#[test]
fn an_error_has_the_body_that_the_client_reads() {
    let api = ModelApi::start().expect("a server");
    let answer = say(
        &api,
        r#"MODEL:[{"error":429,"kind":"usage_limit_reached"}]"#,
    );
    assert_eq!(answer.status, 429);
    assert_eq!(answer.json()["error"]["type"], "usage_limit_reached");
}

#[test]
fn a_client_that_does_not_stream_gets_the_answer_in_one_piece() {
    let api = ModelApi::start().expect("a server");
    let body = json!({"model": "m", "input": r#"MODEL:["a"]"#});
    let response = post(&api, "/v1/responses", &body).json();
    assert_eq!(response["output"][0]["content"][0]["text"], "a");
    assert_eq!(response["status"], "completed");
}

#[test]
fn a_drop_cuts_the_connection_behind_the_words() {
    let api = ModelApi::start().expect("a server");
    let answer = say(&api, r#"MODEL:[{"drop_after":2}]"#);
    assert!(answer.cut, "{}", answer.body);
    let (name, data) = answer.events().pop().expect("an event");
    assert_eq!(name, "response.output_text.delta");
    assert_eq!(data["delta"], "word1");
}
