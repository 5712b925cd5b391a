//! The real ACP adapters of Claude and Codex, driven through the server by raw lines.

use model_api::ModelApi;
use model_api::real_agents::{claude_acp, claude_acp_env, codex_acp, codex_acp_env};
use serde_json::Value;

mod acp;
mod drive;
use acp::Acp;
use drive::{LIMIT, Place};

fn claude(api: &ModelApi, place: &Place) -> Acp {
    let program = claude_acp().unwrap_or_else(|missing| panic!("{missing}"));
    Acp::launch(&program, &[], claude_acp_env(&place.home, api), place)
}

fn codex(api: &ModelApi, place: &Place) -> Acp {
    let program = codex_acp().unwrap_or_else(|missing| panic!("{missing}"));
    let env = codex_acp_env(&place.home, api).expect("a home");
    Acp::launch(&program, &[], env, place)
}

/// Each adapter, and a command that it asks about.
type Adapter = fn(&ModelApi, &Place) -> Acp;
const ADAPTERS: [(Adapter, &str); 2] = [
    (claude, r#"{"shell":"echo made > made.txt"}"#),
    (
        codex,
        r#"{"shell":"echo made > made.txt","with":{"sandbox_permissions":"require_escalated","justification":"May I?"}}"#,
    ),
];

#[test]
fn one_process_runs_many_turns() {
    for (launch, _) in ADAPTERS {
        let (api, place) = (ModelApi::start().expect("a server"), Place::new());
        let mut acp = launch(&api, &place).open(&place);
        let script = r#"MODEL:[[{"thinking":"let me see"},"hello there"]]"#;
        assert_eq!(acp.said(script), "hello there");
        // With empty lines in front, or without.
        assert_eq!(acp.thought().trim(), "let me see");
        assert_eq!(acp.said("and now?"), "turn 2");
        acp.agent.finish();
        let all_model = api.requests().iter().all(|one| one.call.is_some());
        assert!(all_model, "{:?}", api.requests());
    }
}

#[test]
fn a_shell_step_asks_and_runs_a_command() {
    for (launch, shell) in ADAPTERS {
        let (api, place) = (ModelApi::start().expect("a server"), Place::new());
        let mut acp = launch(&api, &place).open(&place);
        acp.said(&format!(r#"MODEL:[{shell},"done"]"#));
        assert_eq!(acp.questions(), 1);
        assert!(place.project.join("made.txt").exists());
    }
}

#[test]
fn a_cancel_ends_the_turn_and_the_stream() {
    for (launch, _) in ADAPTERS {
        let (api, place) = (ModelApi::start().expect("a server"), Place::new());
        let mut acp = launch(&api, &place).open(&place);
        let prompt = acp.prompt(r#"MODEL:[{"stall_after":3}]"#);
        acp.until_said("word2");
        assert_eq!(acp.cancel(prompt), "cancelled");
        assert!(
            api.wait_until(LIMIT, |_, open| open == 0),
            "the agent hangs up"
        );
        assert_eq!(acp.said(r#"MODEL:["on we go"]"#), "on we go");
    }
}

#[test]
fn a_fresh_process_loads_the_old_conversation() {
    for (launch, _) in ADAPTERS {
        let place = Place::new();
        let session = {
            let api = ModelApi::start().expect("a server");
            let mut acp = launch(&api, &place).open(&place);
            acp.said(r#"keep marker-red MODEL:["ok marker-green"]"#);
            acp.agent.finish();
            acp.session
        };
        let api = ModelApi::start().expect("a server");
        let mut acp = launch(&api, &place).load(&place, &session);
        assert_eq!(acp.capabilities["loadSession"], Value::Bool(true));
        let said = acp.said(r#"MODEL:[{"recall":"marker-"}]"#);
        assert_eq!(said, "marker-red marker-green");
    }
}
