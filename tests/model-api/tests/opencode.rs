//! The real `OpenCode`, driven through the server by raw lines.

use model_api::ModelApi;
use model_api::real_agents::{opencode, opencode_env};
use serde_json::Value;

mod acp;
mod drive;
use acp::Acp;
use drive::{Agent, LIMIT, Place};

fn launch(api: &ModelApi, place: &Place) -> Acp {
    let program = opencode().unwrap_or_else(|missing| panic!("{missing}"));
    let env = opencode_env(&place.home, api).expect("a home");
    Acp::launch(&program, &["acp"], env, place)
}

/// Asks before every command.
fn asking(api: &ModelApi, place: &Place) -> Acp {
    let program = opencode().unwrap_or_else(|missing| panic!("{missing}"));
    let mut env = opencode_env(&place.home, api).expect("a home");
    let ask = r#"{"bash":"ask","edit":"ask"}"#;
    env.push(("OPENCODE_PERMISSION".to_owned(), ask.to_owned()));
    Acp::launch(&program, &["acp"], env, place).open(place)
}

#[test]
fn one_process_runs_many_turns() {
    let (api, place) = (ModelApi::start().expect("a server"), Place::new());
    let mut opencode = launch(&api, &place).open(&place);
    assert_eq!(opencode.said(r#"MODEL:["hello there"]"#), "hello there");
    assert_eq!(opencode.said("and now?"), "turn 2");
    let history = "user: \nmodel: hello there\nuser: and now?\nmodel: turn 2";
    assert_eq!(opencode.said(r#"MODEL:[{"echo":"history"}]"#), history);
    assert!(opencode.agent.finish().success());
    assert_eq!(api.calls().len(), 3, "no other model calls");
    let all_model = api.requests().iter().all(|one| one.call.is_some());
    assert!(all_model, "{:?}", api.requests());
}

#[test]
fn thinking_reaches_the_host() {
    let (api, place) = (ModelApi::start().expect("a server"), Place::new());
    let mut opencode = launch(&api, &place).open(&place);
    let said = opencode.said(r#"MODEL:[[{"thinking":"let me see"},"seen"]]"#);
    assert_eq!(said, "seen");
    assert_eq!(opencode.thought(), "let me see");
}

#[test]
fn a_shell_step_asks_and_runs_a_command() {
    let (api, place) = (ModelApi::start().expect("a server"), Place::new());
    let mut opencode = asking(&api, &place);
    let script =
        r#"MODEL:[["look",{"shell":"echo made-$((40+2)) | tee made.txt"}],{"echo":"result"}]"#;
    let said = opencode.said(script);
    assert!(said.contains("made-42"), "{said}");
    assert_eq!(opencode.questions(), 1);
    let made = std::fs::read_to_string(place.project.join("made.txt")).expect("a file");
    assert_eq!(made, "made-42\n");
}

#[test]
fn a_rejected_command_does_not_run() {
    let (api, place) = (ModelApi::start().expect("a server"), Place::new());
    let mut opencode = asking(&api, &place);
    opencode.answer = "reject_once";
    opencode.turn(r#"MODEL:[{"shell":"touch made.txt"},"as you like"]"#);
    assert_eq!(opencode.questions(), 1);
    assert!(!place.project.join("made.txt").exists());
}

#[test]
fn a_cancel_ends_the_turn_and_the_stream() {
    let (api, place) = (ModelApi::start().expect("a server"), Place::new());
    let mut opencode = launch(&api, &place).open(&place);
    let prompt = opencode.prompt(r#"MODEL:[{"stall_after":3}]"#);
    opencode.until_said("word2");
    assert_eq!(opencode.cancel(prompt), "cancelled");
    assert!(
        api.wait_until(LIMIT, |_, open| open == 0),
        "the agent hangs up"
    );
    assert_eq!(opencode.said(r#"MODEL:["on we go"]"#), "on we go");
}

#[test]
fn a_bad_request_fails_the_turn_and_not_the_process() {
    let (api, place) = (ModelApi::start().expect("a server"), Place::new());
    let mut opencode = launch(&api, &place).open(&place);
    let failed = opencode.turn(r#"MODEL:[{"error":400,"message":"no good"}]"#);
    assert!(failed["error"].to_string().contains("no good"), "{failed}");
    assert_eq!(opencode.said(r#"MODEL:["fine"]"#), "fine");
}

#[test]
fn a_fresh_process_loads_the_old_conversation() {
    let place = Place::new();
    let session = {
        let api = ModelApi::start().expect("a server");
        let mut opencode = launch(&api, &place).open(&place);
        opencode.said(r#"keep marker-red MODEL:["ok marker-green"]"#);
        opencode.agent.finish();
        opencode.session
    };
    let api = ModelApi::start().expect("a server");
    let mut opencode = launch(&api, &place).load(&place, &session);
    let said = opencode.said(r#"MODEL:[{"recall":"marker-"}]"#);
    assert_eq!(said, "marker-red marker-green");
}

#[test]
fn a_prompt_on_stdin_runs_one_turn() {
    let (api, place) = (ModelApi::start().expect("a server"), Place::new());
    let program = opencode().unwrap_or_else(|missing| panic!("{missing}"));
    let script = r#"MODEL:[{"shell":"echo made-$((40+2))"},"done"]"#;
    let env = opencode_env(&place.home, &api).expect("a home");
    let arguments = ["run", "--format", "json"];
    let mut agent = Agent::start(&program, &arguments, env, &place.project);
    // As an argument it would be put in quotes, and its own quotes be escaped.
    agent.write(script);
    assert!(agent.finish().success());
    let parts: Vec<&Value> = agent.seen.iter().map(|line| &line["part"]).collect();
    let of_type = |kind: &str| parts.iter().find(|part| part["type"] == kind).copied();
    let tool = of_type("tool").expect("a tool");
    assert_eq!(tool["state"]["output"], "made-42\n");
    assert_eq!(of_type("text").expect("a text")["text"], "done");
}
