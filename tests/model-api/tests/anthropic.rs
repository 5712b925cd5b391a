//! The Messages side of the server, over HTTP.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use model_api::{ModelApi, Options};
use serde_json::{Value, json};

mod client;
use client::{Answer, names, post};

const LIMIT: Duration = Duration::from_secs(20);

fn user(text: &str) -> Value {
    json!({"role": "user", "content": [{"type": "text", "text": text}]})
}

fn ask(api: &ModelApi, messages: &[Value]) -> Answer {
    let body = json!({"model": "m", "stream": true, "max_tokens": 1, "messages": messages,
        "metadata": {"user_id": "u"}, "tools": [{"name": "Bash"}]});
    post(api, "/v1/messages", &body)
}

/// What the text deltas of an answer join to.
fn text(answer: &Answer) -> String {
    answer
        .events()
        .iter()
        .filter_map(|(_, data)| data["delta"]["text"].as_str())
        .collect()
}

#[test]
fn a_text_comes_in_the_order_of_the_real_api() {
    let api = ModelApi::start().expect("a server");
    let answer = ask(&api, &[user(r#"MODEL:["one two"]"#)]);
    assert_eq!(
        names(&answer),
        [
            "message_start",
            "content_block_start",
            "ping",
            "content_block_delta",
            "content_block_delta",
            "content_block_stop",
            "message_delta",
            "message_stop"
        ]
    );
    assert_eq!(text(&answer), "one two");
    let delta = &answer.events()[6].1;
    assert_eq!(delta["delta"]["stop_reason"], "end_turn");
    assert!(delta["usage"]["output_tokens"].as_u64() > Some(0));
}

#[test]
fn one_answer_may_have_several_blocks() {
    let api = ModelApi::start().expect("a server");
    let script = r#"MODEL:[[{"thinking":"hm"},{"redacted_thinking":"x"},"so",
        {"tool":"Read","input":{"file_path":"a"}},{"shell":"ls"}]]"#;
    let answer = ask(&api, &[user(script)]);
    let events = answer.events();
    let blocks: Vec<&str> = events
        .iter()
        .filter_map(|(_, data)| data["content_block"]["type"].as_str())
        .collect();
    let kinds = [
        "thinking",
        "redacted_thinking",
        "text",
        "tool_use",
        "tool_use",
    ];
    assert_eq!(blocks, kinds);
    assert!(
        events
            .iter()
            .any(|(_, data)| data["delta"]["type"] == "signature_delta")
    );
    let input = |index: u64| -> String {
        let own = events.iter().filter(|(_, data)| data["index"] == index);
        own.filter_map(|(_, data)| data["delta"]["partial_json"].as_str())
            .collect()
    };
    assert_eq!(input(3), r#"{"file_path":"a"}"#);
    assert!(input(4).contains(r#""command":"ls""#));
    let stop = &events[events.len() - 2].1["delta"]["stop_reason"];
    assert_eq!(stop, "tool_use");
}

#[test]
fn the_answers_since_the_prompt_say_which_step_is_next() {
    let api = ModelApi::start().expect("a server");
    let prompt = user(r#"MODEL:[{"shell":"ls"},"done"]"#);
    let call = json!({"role": "assistant", "content": [
        {"type": "tool_use", "id": "t", "name": "Bash", "input": {}}]});
    let result = json!({"role": "user", "content": [
        {"type": "tool_result", "tool_use_id": "t", "content": "a.txt"}]});
    let last = json!({"role": "assistant", "content": "done"});
    let conversation = [prompt, call, result, last, user("and now?")];
    assert_eq!(text(&ask(&api, &conversation[..3])), "done");
    assert_eq!(text(&ask(&api, &conversation[..4])), "end of script");
    assert_eq!(text(&ask(&api, &conversation)), "turn 2");
}

#[test]
fn a_client_that_does_not_stream_gets_the_answer_in_one_piece() {
    let api = ModelApi::start().expect("a server");
    let script = r#"MODEL:[["a",{"shell":"ls"},{"stop":"max_tokens"}]]"#;
    let body = json!({"model": "m", "messages": [user(script)]});
    let message = post(&api, "/v1/messages", &body).json();
    assert_eq!(message["content"][0], json!({"type": "text", "text": "a"}));
    assert_eq!(message["content"][1]["input"]["command"], "ls");
    assert_eq!(message["stop_reason"], "max_tokens");
}

#[test]
fn an_error_happens_as_often_as_told_in_each_conversation() {
    let api = ModelApi::start().expect("a server");
    let script = r#"MODEL:[{"error":529,"times":1,"retry_after":7},"back"]"#;
    let first = ask(&api, &[user(script)]);
    assert_eq!((first.status, first.header("retry-after")), (529, "7"));
    assert_eq!(first.json()["error"]["type"], "overloaded_error");
    assert_eq!(text(&ask(&api, &[user(script)])), "back");
    let other = user(&format!("another {script}"));
    assert_eq!(ask(&api, &[other]).status, 529);
}

#[test]
fn a_script_with_a_mistake_is_a_400_that_names_it() {
    let api = ModelApi::start().expect("a server");
    let answer = ask(&api, &[user(r#"MODEL:[{"shel":"ls"}]"#)]);
    assert_eq!(answer.status, 400);
    assert!(answer.body.contains("shel"), "{}", answer.body);
}

#[test]
fn a_failure_in_the_stream_follows_the_words() {
    let api = ModelApi::start().expect("a server");
    let script = r#"MODEL:[{"fail":"overloaded_error","after":2}]"#;
    let answer = ask(&api, &[user(script)]);
    assert_eq!(text(&answer), "word0 word1");
    let (name, data) = answer.events().pop().expect("an event");
    assert_eq!(
        (name.as_str(), &data["error"]["type"]),
        ("error", &json!("overloaded_error"))
    );
}

#[test]
fn a_drop_cuts_the_connection_behind_the_words() {
    let api = ModelApi::start().expect("a server");
    let answer = ask(&api, &[user(r#"MODEL:[{"drop_after":2}]"#)]);
    assert!(answer.cut, "{}", answer.body);
    assert_eq!(text(&answer), "word0 word1");
}

#[test]
fn a_stall_ends_when_the_client_goes_away() {
    let api = ModelApi::start().expect("a server");
    let body = json!({"stream": true, "messages": [user(r#"MODEL:[{"stall_after":1}]"#)]});
    let reader = client::open(&api, "/v1/messages", &body);
    assert!(api.wait_until(LIMIT, |_, open| open == 1));
    drop(reader);
    assert!(api.wait_until(LIMIT, |_, open| open == 0));
}

#[test]
fn a_dropped_server_closes_stalled_connections() {
    let api = ModelApi::start().expect("a server");
    let body = json!({"stream": true, "messages": [user(r#"MODEL:[{"stall":true}]"#)]});
    let reader = client::open(&api, "/v1/messages", &body);
    drop(api);
    assert!(client::read(reader).cut);
}

#[test]
fn a_hang_sends_nothing_until_the_server_ends() {
    let api = ModelApi::start().expect("a server");
    let body = json!({"stream": true, "messages": [user(r#"MODEL:[{"hang":true}]"#)]}).to_string();
    let mut socket = TcpStream::connect(("127.0.0.1", api.port())).expect("a connection");
    let length = body.len();
    let head = format!("POST /v1/messages HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n");
    socket.write_all((head + &body).as_bytes()).expect("sent");
    assert!(api.wait_until(LIMIT, |requests, _| requests.len() == 1));
    drop(api);
    let mut got = Vec::new();
    // A reset is as good as an orderly end.
    let _ = socket.read_to_end(&mut got);
    assert!(got.is_empty(), "{got:?}");
}

#[test]
fn ten_megabytes_arrive_whole() {
    let api = ModelApi::start().expect("a server");
    let answer = ask(&api, &[user(r#"MODEL:[{"bytes":10000000}]"#)]);
    assert_eq!(text(&answer).len(), 10_000_000);
}

#[test]
fn recall_proves_which_history_was_sent() {
    let api = ModelApi::start().expect("a server");
    let answer = json!({"role": "assistant", "content": "fine marker-blue"});
    let last = user(r#"MODEL:[{"recall":"marker-"}]"#);
    let found = ask(&api, &[user("keep marker-red"), answer, last]);
    assert_eq!(text(&found), "marker-red marker-blue");
}

#[test]
fn requests_are_recorded_without_credentials() {
    let api = ModelApi::start().expect("a server");
    ask(&api, &[user("hello")]);
    let requests = api.requests();
    let request = requests.first().expect("a request");
    let call = request.call.as_ref().expect("a model call");
    assert_eq!(
        (request.method.as_str(), request.path.as_str()),
        ("POST", "/v1/messages")
    );
    assert_eq!((call.model.as_str(), call.prompts, call.index), ("m", 1, 0));
    assert_eq!(call.tools, ["Bash"]);
    assert!(request.header_names.contains(&"authorization".to_owned()));
    assert!(!format!("{requests:?}").contains(client::SECRET));
}

#[test]
fn other_routes_of_the_agent_answer_harmlessly() {
    let api = ModelApi::start().expect("a server");
    let body = json!({"messages": [user("hello")]});
    let counted = post(&api, "/v1/messages/count_tokens", &body).json();
    assert!(counted["input_tokens"].as_u64() > Some(0));
    assert_eq!(post(&api, "/api/event_logging", &json!({})).status, 200);
    assert_eq!(post(&api, "/elsewhere", &json!({})).status, 404);
}

#[test]
fn latency_is_added_before_every_answer() {
    let latency = Duration::from_millis(30);
    let options = Options {
        latency,
        ..Options::default()
    };
    let api = ModelApi::start_with(&options).expect("a server");
    let start = std::time::Instant::now();
    ask(&api, &[user("hello")]);
    assert!(start.elapsed() >= latency, "a lower bound, so no race");
}
