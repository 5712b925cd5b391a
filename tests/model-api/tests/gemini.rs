//! The real Gemini CLI, driven through the server by raw lines.

use model_api::ModelApi;
use model_api::real_agents::{GEMINI_MODEL, age_gemini_sessions, gemini, gemini_env};
use serde_json::{Value, json};

mod acp;
mod drive;
use acp::Acp;
use drive::{Agent, LIMIT, Place};

fn start(api: &ModelApi, place: &Place) -> Acp {
    let program = gemini().unwrap_or_else(|missing| panic!("{missing}"));
    let env = gemini_env(&place.home, api).expect("a home");
    Acp::launch(&program, &["--acp"], env, place).open(place)
}

#[test]
fn one_process_runs_many_turns() {
    let (api, place) = (ModelApi::start().expect("a server"), Place::new());
    let mut gemini = start(&api, &place);
    assert_eq!(gemini.said(r#"MODEL:["hello there"]"#), "hello there");
    assert_eq!(gemini.said("and now?"), "turn 2");
    let history = "user: \nmodel: hello there\nuser: and now?\nmodel: turn 2";
    assert_eq!(gemini.said(r#"MODEL:[{"echo":"history"}]"#), history);
    assert!(gemini.agent.finish().success());
    let models: Vec<String> = api.calls().into_iter().map(|call| call.model).collect();
    assert_eq!(models, [GEMINI_MODEL; 3], "no other model calls");
    let all_model = api.requests().iter().all(|one| one.call.is_some());
    assert!(all_model, "{:?}", api.requests());
}

#[test]
fn thinking_reaches_the_host() {
    let (api, place) = (ModelApi::start().expect("a server"), Place::new());
    let mut gemini = start(&api, &place);
    let said = gemini.said(r#"MODEL:[[{"thinking":"let me see"},"seen"]]"#);
    assert_eq!(said, "seen");
    assert!(
        gemini.thought().contains("let me see"),
        "{}",
        gemini.thought()
    );
}

#[test]
fn a_shell_step_asks_and_runs_a_command() {
    let (api, place) = (ModelApi::start().expect("a server"), Place::new());
    let mut gemini = start(&api, &place);
    let script =
        r#"MODEL:[["look",{"shell":"expr 40 + 2 > made.txt; cat made.txt"}],{"echo":"result"}]"#;
    let said = gemini.said(script);
    assert!(said.contains("42"), "{said}");
    assert_eq!(gemini.questions(), 1);
    let made = std::fs::read_to_string(place.project.join("made.txt")).expect("a file");
    assert_eq!(made, "42\n");
}

#[test]
fn a_rejected_command_does_not_run_and_the_model_goes_on() {
    let (api, place) = (ModelApi::start().expect("a server"), Place::new());
    let mut gemini = start(&api, &place);
    gemini.answer = "reject_once";
    gemini.turn(r#"MODEL:[{"shell":"touch made.txt"},"as you like"]"#);
    assert_eq!(gemini.questions(), 1);
    assert!(!place.project.join("made.txt").exists());
}

#[test]
fn a_cancel_ends_the_turn_and_the_stream() {
    let (api, place) = (ModelApi::start().expect("a server"), Place::new());
    let mut gemini = start(&api, &place);
    let prompt = gemini.prompt(r#"MODEL:[{"stall_after":3}]"#);
    gemini.until_said("word2");
    assert_eq!(gemini.cancel(prompt), "cancelled");
    assert!(
        api.wait_until(LIMIT, |_, open| open == 0),
        "the agent hangs up"
    );
    assert_eq!(gemini.said(r#"MODEL:["on we go"]"#), "on we go");
}

#[test]
fn a_bad_request_fails_the_turn_with_its_status_and_not_the_process() {
    let (api, place) = (ModelApi::start().expect("a server"), Place::new());
    let mut gemini = start(&api, &place);
    let failed = gemini.turn(r#"MODEL:[{"error":400,"message":"no good"}]"#);
    assert_eq!(failed["error"]["code"], 400, "{failed}");
    assert!(failed["error"]["message"].to_string().contains("no good"));
    assert_eq!(gemini.said(r#"MODEL:["fine"]"#), "fine");
}

#[test]
fn a_fresh_process_loads_the_old_conversation() {
    let place = Place::new();
    let session = {
        let api = ModelApi::start().expect("a server");
        let mut gemini = start(&api, &place);
        gemini.said(r#"keep marker-red MODEL:["ok marker-green"]"#);
        gemini.agent.finish();
        gemini.session
    };
    assert!(age_gemini_sessions(&place.home).expect("sessions") > 0);
    let api = ModelApi::start().expect("a server");
    let program = gemini().unwrap_or_else(|missing| panic!("{missing}"));
    let env = gemini_env(&place.home, &api).expect("a home");
    let mut gemini = Acp::launch(&program, &["--acp"], env, &place).load(&place, &session);
    let said = gemini.said(r#"MODEL:[{"recall":"marker-"}]"#);
    assert!(said.ends_with("marker-red marker-green"), "{said}");
}

#[test]
fn a_prompt_on_the_command_line_runs_one_turn() {
    let (api, place) = (ModelApi::start().expect("a server"), Place::new());
    let program = gemini().unwrap_or_else(|missing| panic!("{missing}"));
    let script = r#"MODEL:[{"shell":"expr 40 + 2"},"done"]"#;
    let arguments = [
        "-p",
        script,
        "--output-format",
        "stream-json",
        "--approval-mode",
        "yolo",
    ];
    let env = gemini_env(&place.home, &api).expect("a home");
    let mut agent = Agent::start(&program, &arguments, env, &place.project);
    assert!(agent.finish().success());
    let of_type = |kind: &str| -> Vec<&Value> {
        agent
            .seen
            .iter()
            .filter(|line| line["type"] == kind)
            .collect()
    };
    assert!(
        of_type("tool_result")[0]["output"]
            .to_string()
            .contains("42")
    );
    let said = of_type("message");
    assert_eq!(said.last().expect("a message")["content"], json!("done"));
    assert_eq!(of_type("result")[0]["status"], "success");
}
