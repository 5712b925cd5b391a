//! The real Claude Code, driven through the server by raw lines.

use model_api::ModelApi;
use model_api::real_agents::{claude, claude_env};
use serde_json::{Value, json};

mod drive;
use drive::{Agent, LIMIT, Place};

const STREAM: [&str; 9] = [
    "-p",
    "--input-format",
    "stream-json",
    "--output-format",
    "stream-json",
    "--verbose",
    "--include-partial-messages",
    "--permission-mode",
    "bypassPermissions",
];

fn start(api: &ModelApi, place: &Place, more: &[&str]) -> Agent {
    let program = claude().unwrap_or_else(|missing| panic!("{missing}"));
    let arguments = [&STREAM[..], more].concat();
    let env = claude_env(&place.home, api);
    Agent::start(&program, &arguments, env, &place.project)
}

fn prompt(agent: &mut Agent, text: &str) {
    agent.send(&json!({"type": "user", "parent_tool_use_id": null,
        "message": {"role": "user", "content": text}}));
}

fn is(line: &Value, kind: &str) -> bool {
    line["type"] == kind
}

/// Runs one turn and returns its `result` line.
fn turn(agent: &mut Agent, text: &str) -> Value {
    prompt(agent, text);
    agent.until(|line| is(line, "result"))
}

fn deltas(agent: &Agent, field: &str) -> String {
    let lines = agent.seen.iter();
    lines
        .filter_map(|line| line["event"]["delta"][field].as_str())
        .collect()
}

#[test]
fn one_process_runs_many_turns() {
    let (api, place) = (ModelApi::start().expect("a server"), Place::new());
    let mut agent = start(&api, &place, &[]);
    let first = turn(&mut agent, r#"MODEL:["hello there"]"#);
    assert_eq!(first["result"], "hello there");
    assert_eq!(deltas(&agent, "text"), "hello there");
    assert_eq!(turn(&mut agent, "and now?")["result"], "turn 2");
    let recall = turn(&mut agent, r#"MODEL:[{"echo":"history"}]"#);
    let history = "user: \nmodel: hello there\nuser: and now?\nmodel: turn 2";
    assert_eq!(recall["result"], history);
    assert!(agent.finish().success());
    assert_eq!(api.calls().len(), 3, "no other model calls");
    let all_model = api.requests().iter().all(|one| one.call.is_some());
    assert!(all_model, "{:?}", api.requests());
}

#[test]
fn a_prompt_on_the_command_line_runs_one_turn() {
    let (api, place) = (ModelApi::start().expect("a server"), Place::new());
    let program = claude().unwrap_or_else(|missing| panic!("{missing}"));
    let arguments = ["-p", "--output-format", "json", r#"MODEL:["hello"]"#];
    let env = claude_env(&place.home, &api);
    let mut agent = Agent::start(&program, &arguments, env, &place.project);
    assert!(agent.finish().success());
    assert_eq!(agent.seen[0]["result"], "hello");
}

#[test]
fn thinking_reaches_the_host() {
    let (api, place) = (ModelApi::start().expect("a server"), Place::new());
    let mut agent = start(&api, &place, &[]);
    let script = r#"MODEL:[[{"thinking":"let me see"},{"redacted_thinking":"eA=="},"seen"]]"#;
    assert_eq!(turn(&mut agent, script)["result"], "seen");
    assert_eq!(deltas(&agent, "thinking"), "let me see");
    assert!(!deltas(&agent, "signature").is_empty());
}

#[test]
fn a_shell_step_runs_a_command() {
    let (api, place) = (ModelApi::start().expect("a server"), Place::new());
    let mut agent = start(&api, &place, &[]);
    let script =
        r#"MODEL:[["look",{"shell":"echo made-$((40+2)) | tee made.txt"}],{"echo":"result"}]"#;
    let result = turn(&mut agent, script);
    assert_eq!(
        (&result["result"], &result["num_turns"]),
        (&json!("made-42"), &json!(2))
    );
    let made = std::fs::read_to_string(place.project.join("made.txt")).expect("a file");
    assert_eq!(made, "made-42\n");
}

#[test]
fn two_tools_in_one_answer_both_run() {
    let (api, place) = (ModelApi::start().expect("a server"), Place::new());
    std::fs::write(place.project.join("a.txt"), "content-of-a").expect("a file");
    let path = place.project.join("a.txt");
    let mut agent = start(&api, &place, &[]);
    let script = json!([
        [{"tool": "Read", "input": {"file_path": path}}, {"shell": "echo shell-ran"}],
        "done"
    ]);
    assert_eq!(
        turn(&mut agent, &format!("MODEL:{script}"))["result"],
        "done"
    );
    let again = turn(&mut agent, r#"MODEL:[{"recall":"content-of-"}]"#);
    assert_eq!(again["result"], "content-of-a");
}

#[test]
fn ten_megabytes_arrive_whole() {
    let (api, place) = (ModelApi::start().expect("a server"), Place::new());
    let mut agent = start(&api, &place, &[]);
    let result = turn(&mut agent, r#"MODEL:[{"bytes":10000000}]"#);
    assert_eq!(result["result"].as_str().map(str::len), Some(10_000_000));
    assert_eq!(deltas(&agent, "text").len(), 10_000_000);
}

#[test]
fn an_overloaded_model_is_asked_again() {
    let (api, place) = (ModelApi::start().expect("a server"), Place::new());
    let mut agent = start(&api, &place, &[]);
    let result = turn(&mut agent, r#"MODEL:[{"error":529,"times":2},"back"]"#);
    assert_eq!(
        (&result["result"], &result["is_error"]),
        (&json!("back"), &json!(false))
    );
    let retries = agent
        .seen
        .iter()
        .filter(|line| line["subtype"] == "api_retry");
    assert_eq!(retries.count(), 2);
}

#[test]
fn a_bad_request_fails_the_turn_and_not_the_process() {
    let (api, place) = (ModelApi::start().expect("a server"), Place::new());
    let mut agent = start(&api, &place, &[]);
    let failed = turn(&mut agent, r#"MODEL:[{"error":400,"message":"no good"}]"#);
    assert_eq!(
        (&failed["is_error"], &failed["api_error_status"]),
        (&json!(true), &json!(400))
    );
    assert!(failed["result"].to_string().contains("no good"), "{failed}");
    assert_eq!(turn(&mut agent, r#"MODEL:["fine"]"#)["result"], "fine");
}

#[test]
fn a_dropped_stream_is_asked_again() {
    let (api, place) = (ModelApi::start().expect("a server"), Place::new());
    let mut agent = start(&api, &place, &[]);
    let result = turn(&mut agent, r#"MODEL:[{"drop_after":3,"times":1},"whole"]"#);
    assert_eq!(result["result"], "whole");
    assert_eq!(api.calls().len(), 2);
}

#[test]
fn a_cut_answer_is_continued_with_the_next_step() {
    let (api, place) = (ModelApi::start().expect("a server"), Place::new());
    let mut agent = start(&api, &place, &[]);
    let result = turn(
        &mut agent,
        r#"MODEL:[{"text":"first half","stop":"max_tokens"},"second half"]"#,
    );
    assert_eq!(result["result"], "second half");
}

#[test]
fn an_interrupt_ends_the_turn_and_the_stream() {
    let (api, place) = (ModelApi::start().expect("a server"), Place::new());
    let mut agent = start(&api, &place, &[]);
    prompt(&mut agent, r#"MODEL:[{"stall_after":3}]"#);
    agent.until(|line| line["event"]["delta"]["text"] == "word2");
    assert_eq!(api.open_streams(), 1);
    agent.send(&json!({"type": "control_request", "request_id": "i",
        "request": {"subtype": "interrupt"}}));
    let result = agent.until(|line| is(line, "result"));
    assert_eq!(result["subtype"], "error_during_execution");
    assert!(
        api.wait_until(LIMIT, |_, open| open == 0),
        "the agent hangs up"
    );
    assert_eq!(
        turn(&mut agent, r#"MODEL:["on we go"]"#)["result"],
        "on we go"
    );
}

#[test]
fn a_resumed_process_sends_the_old_conversation_to_a_new_server() {
    let place = Place::new();
    let session = {
        let api = ModelApi::start().expect("a server");
        let mut agent = start(&api, &place, &[]);
        let script = r#"keep marker-red MODEL:[{"shell":"echo marker-blue"},"ok marker-green"]"#;
        let result = turn(&mut agent, script);
        agent.finish();
        result["session_id"].as_str().expect("an id").to_owned()
    };
    let api = ModelApi::start().expect("a server");
    let mut agent = start(&api, &place, &[&format!("--resume={session}")]);
    let result = turn(&mut agent, r#"MODEL:[{"recall":"marker-"}]"#);
    assert_eq!(result["result"], "marker-red marker-blue marker-green");
    assert_eq!(result["session_id"], session);
}

#[test]
fn without_the_bypass_a_shell_command_asks_first() {
    let (api, place) = (ModelApi::start().expect("a server"), Place::new());
    let more = [
        "--permission-mode",
        "default",
        "--permission-prompt-tool",
        "stdio",
    ];
    let mut agent = start(&api, &place, &more);
    prompt(&mut agent, r#"MODEL:[{"shell":"touch made.txt"},"done"]"#);
    let ask = agent.until(|line| is(line, "control_request"));
    assert_eq!(ask["request"]["subtype"], "can_use_tool");
    assert_eq!(ask["request"]["input"]["command"], "touch made.txt");
    agent.send(&json!({"type": "control_response", "response": {
        "subtype": "success", "request_id": ask["request_id"],
        "response": {"behavior": "allow", "updatedInput": ask["request"]["input"]}}}));
    assert_eq!(agent.until(|line| is(line, "result"))["result"], "done");
    assert!(place.project.join("made.txt").exists());
}
