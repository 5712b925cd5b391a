//! The agent as the commands of ACP agents that print one turn.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use serde_json::{Value, json};
use support::{Setup, deltas, types};

const GEMINI: &[&str] = &["--output-format", "stream-json"];
const OPENCODE: &[&str] = &["run", "--format", "json"];

#[test]
fn gemini_prints_deltas_and_a_result() {
    let mut run = Setup::new().acp_print(GEMINI, "hi", "");
    let lines = run.rest();
    assert_eq!(
        types(&lines),
        ["init", "message", "message", "message", "message", "result"]
    );
    let said = lines.iter().filter(|line| line["delta"] == true);
    let said: String = said.map(|line| line["content"].as_str().unwrap()).collect();
    assert_eq!(said, "You said: hi");
    assert_eq!(lines.last().unwrap()["status"], "success");
    assert_eq!(run.code(), Some(0));
}

#[test]
fn opencode_prints_whole_parts() {
    let mut run = Setup::new().acp_print(OPENCODE, "[[tool Bash ls]] [[words 2]]", "");
    let lines = run.rest();
    assert_eq!(
        types(&lines),
        [
            "step_start",
            "tool_use",
            "step_finish",
            "step_start",
            "text",
            "step_finish"
        ]
    );
    assert_eq!(lines[1]["part"]["state"]["output"], "ran ls");
    assert_eq!(lines[4]["part"]["text"], "word1 word2 ");
    assert_eq!(lines[5]["part"]["reason"], "stop");
    assert_eq!(run.code(), Some(0));
}

#[test]
fn a_failure_has_the_exit_code_of_the_real_one() {
    let mut run = Setup::new().acp_print(GEMINI, "[[model-error 400]]", "");
    let lines = run.rest();
    assert_eq!(lines.last().unwrap()["status"], "error");
    assert_eq!(run.code(), Some(144));
    let mut run = Setup::new().acp_print(OPENCODE, "[[model-error 400]]", "");
    let lines = run.rest();
    assert_eq!(lines.last().unwrap()["error"]["data"]["statusCode"], 400);
    assert_eq!(run.code(), Some(1));
}

#[test]
fn nobody_is_asked() {
    let mut run =
        Setup::new().acp_print(OPENCODE, "[[ask Bash ls]] [[say x]]", r#"{"bash":"ask"}"#);
    let lines = run.rest();
    assert_eq!(types(&lines), ["step_start", "tool_use", "step_finish"]);
    assert_eq!(lines[1]["part"]["state"]["status"], "error");
    let status = |more: &[&str]| -> Value {
        let mut run = Setup::new().acp_print(&[GEMINI, more].concat(), "[[ask Bash ls]]", "");
        let lines = run.rest();
        let result = lines.iter().find(|line| line["type"] == "tool_result");
        result.unwrap()["status"].clone()
    };
    assert_eq!(status(&[]), "error");
    assert_eq!(status(&["--approval-mode", "yolo"]), "success");
}

#[test]
fn a_printed_turn_and_a_warm_one_share_the_conversation() {
    let setup = Setup::new();
    let (mut run, session) = setup.acp();
    run.acp_turn(3, &session, "first");
    assert_eq!(run.code(), Some(0));
    let resumed = [GEMINI, &["--resume", session.as_str()]].concat();
    let lines = setup.acp_print(&resumed, "second [[recall]]", "").rest();
    assert_eq!(lines[2]["content"], "first");
    let mut run = setup.acp_hello();
    let opening = json!({"sessionId": session, "cwd": "/project", "mcpServers": []});
    run.call(2, "session/resume", &opening);
    let recalled = deltas(&run.acp_turn(3, &session, "[[recall]]"));
    assert_eq!(recalled, "first\nsecond [[recall]]");
    let unknown = [OPENCODE, &["--session", "nobody"]].concat();
    assert_eq!(setup.acp_print(&unknown, "x", "").code(), Some(1));
}
