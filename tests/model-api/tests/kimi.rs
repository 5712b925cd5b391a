//! The real Kimi Code, driven through the server by raw lines.

use model_api::ModelApi;
use model_api::real_agents::{kimi, kimi_env};
use serde_json::Value;

mod acp;
mod drive;
use acp::Acp;
use drive::{Agent, LIMIT, Place};

fn launch(api: &ModelApi, place: &Place) -> Acp {
    let program = kimi().unwrap_or_else(|missing| panic!("{missing}"));
    Acp::launch(&program, &["acp"], kimi_env(&place.home, api), place)
}

#[test]
fn one_process_runs_many_turns() {
    let (api, place) = (ModelApi::start().expect("a server"), Place::new());
    let mut kimi = launch(&api, &place).open(&place);
    let said = kimi.said(r#"MODEL:[[{"thinking":"let me see"},"hello there"]]"#);
    assert_eq!(
        (said.as_str(), kimi.thought().as_str()),
        ("hello there", "let me see")
    );
    assert_eq!(kimi.said("and now?"), "turn 2");
    assert!(kimi.agent.finish().success());
    assert_eq!(api.calls().len(), 2, "no other model calls");
    let all_model = api.requests().iter().all(|one| one.call.is_some());
    assert!(all_model, "{:?}", api.requests());
}

#[test]
fn a_shell_step_asks_and_runs_a_command_or_not() {
    for (answer, runs) in [("allow_once", true), ("reject_once", false)] {
        let (api, place) = (ModelApi::start().expect("a server"), Place::new());
        let mut kimi = launch(&api, &place).open(&place);
        kimi.answer = answer;
        let script = r#"MODEL:[{"shell":"echo made-$((40+2)) > made.txt"},"done"]"#;
        assert_eq!(kimi.said(script), "done");
        assert_eq!(kimi.questions(), 1);
        assert_eq!(place.project.join("made.txt").exists(), runs);
    }
}

#[test]
fn a_cancel_ends_the_turn_and_the_stream() {
    let (api, place) = (ModelApi::start().expect("a server"), Place::new());
    let mut kimi = launch(&api, &place).open(&place);
    let prompt = kimi.prompt(r#"MODEL:[{"stall_after":3}]"#);
    kimi.until_said("word2");
    assert_eq!(kimi.cancel(prompt), "cancelled");
    assert!(
        api.wait_until(LIMIT, |_, open| open == 0),
        "the agent hangs up"
    );
    assert_eq!(kimi.said(r#"MODEL:["on we go"]"#), "on we go");
}

/// The turn ends as if all were well: that is how this agent does it.
#[test]
fn a_bad_request_gives_an_empty_turn() {
    let (api, place) = (ModelApi::start().expect("a server"), Place::new());
    let mut kimi = launch(&api, &place).open(&place);
    assert_eq!(kimi.said(r#"MODEL:[{"error":400}]"#), "");
    assert_eq!(kimi.said(r#"MODEL:["fine"]"#), "fine");
}

#[test]
fn a_fresh_process_loads_the_old_conversation() {
    let place = Place::new();
    let session = {
        let api = ModelApi::start().expect("a server");
        let mut kimi = launch(&api, &place).open(&place);
        kimi.said(r#"keep marker-red MODEL:["ok marker-green"]"#);
        kimi.agent.finish();
        kimi.session
    };
    let api = ModelApi::start().expect("a server");
    let mut kimi = launch(&api, &place).load(&place, &session);
    let said = kimi.said(r#"MODEL:[{"recall":"marker-"}]"#);
    assert_eq!(said, "marker-red marker-green");
}

#[test]
fn a_prompt_on_the_command_line_runs_one_turn() {
    let (api, place) = (ModelApi::start().expect("a server"), Place::new());
    let program = kimi().unwrap_or_else(|missing| panic!("{missing}"));
    let script = r#"MODEL:[{"shell":"echo made-$((40+2))"},"done"]"#;
    let arguments = ["-p", script, "--output-format", "stream-json"];
    let env = kimi_env(&place.home, &api);
    let mut agent = Agent::start(&program, &arguments, env, &place.project);
    assert!(agent.finish().success());
    let contents = |role: &str| -> Vec<&Value> {
        let lines = agent.seen.iter().filter(|line| line["role"] == role);
        lines.map(|line| &line["content"]).collect()
    };
    assert_eq!(contents("tool"), ["made-42\n"]);
    assert_eq!(*contents("assistant").last().expect("a message"), "done");
}
