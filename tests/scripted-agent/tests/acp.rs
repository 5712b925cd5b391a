//! The agent as one that speaks the Agent Client Protocol.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use scripted_agent::{Action, InterruptMode, Script, Trigger};
use serde_json::{Value, json};
use support::{Run, Setup, deltas, types};

fn last(lines: &[Value]) -> &Value {
    lines.last().unwrap()
}

fn updates<'a>(lines: &'a [Value], kind: &str) -> Vec<&'a Value> {
    let all = lines.iter().map(|line| &line["params"]["update"]);
    all.filter(|update| update["sessionUpdate"] == kind)
        .collect()
}

fn code(reply: &Value) -> i64 {
    reply["error"]["code"]
        .as_i64()
        .unwrap_or_else(|| panic!("{reply}"))
}

/// Starts a turn that asks, and gives the question.
fn question(run: &mut Run, session: &str, tool: &str) -> Value {
    run.acp_prompt(9, session, &format!("[[ask {tool} a.txt]] [[say done]]"));
    let lines = run.until(|line| line["method"] == "session/request_permission");
    last(&lines).clone()
}

fn respond(run: &mut Run, question: &Value, outcome: &Value) {
    run.send(&json!({"jsonrpc": "2.0", "id": question["id"], "result": {"outcome": outcome}}));
}

fn choose(run: &mut Run, question: &Value, option: &str) {
    respond(
        run,
        question,
        &json!({"outcome": "selected", "optionId": option}),
    );
}

#[test]
fn a_plain_turn_is_chunks_and_a_response() {
    let (mut run, session) = Setup::new().acp();
    let lines = run.acp_turn(3, &session, "hi");
    assert_eq!(
        types(&lines),
        [
            "session/update/session_info_update",
            "session/update/agent_message_chunk",
            "session/update/agent_message_chunk",
            "session/update/agent_message_chunk",
            "session/update/usage_update",
            "reply",
        ]
    );
    assert_eq!(deltas(&lines), "You said: hi");
    assert_eq!(last(&lines)["result"]["stopReason"], "end_turn");
    assert_eq!(last(&lines)["result"]["usage"]["totalTokens"], 105);
    let lines = run.acp_turn(4, &session, "[[think hm]] [[plan 3]] [[say x]]");
    assert_eq!(
        updates(&lines, "agent_thought_chunk")[0]["content"]["text"],
        "hm"
    );
    let states = updates(&lines, "plan")[0]["entries"].as_array().unwrap();
    let states: Vec<&Value> = states.iter().map(|entry| &entry["status"]).collect();
    assert_eq!(states, ["completed", "in_progress", "pending"]);
    assert_eq!(run.code(), Some(0));
}

#[test]
fn several_sessions_run_at_once() {
    let (mut run, one) = Setup::new().acp();
    let two = run.acp_session(3);
    run.acp_prompt(4, &one, "[[say started]] [[hang]]");
    run.until(|line| line["params"]["update"]["content"]["text"] == "started");
    let lines = run.acp_turn(5, &two, "free");
    assert!(
        lines[..lines.len() - 1]
            .iter()
            .all(|line| line["params"]["sessionId"] == two.as_str())
    );
    run.acp_prompt(6, &one, "more");
    let busy = last(&run.acp_end(6)).clone();
    assert_eq!(busy["error"]["data"]["code"], "turn.agent_busy");
    run.send(&json!({"jsonrpc": "2.0", "method": "session/cancel", "params": {"sessionId": one}}));
    let lines = run.acp_end(4);
    assert_eq!(last(&lines)["result"]["stopReason"], "cancelled");
}

#[test]
fn a_tool_without_a_question_runs_to_its_end() {
    let (mut run, session) = Setup::new().acp();
    let lines = run.acp_turn(
        3,
        &session,
        "[[tool Bash ls]] [[tool Write a.txt]] [[say x]]",
    );
    let begun = updates(&lines, "tool_call");
    assert_eq!(begun[0]["kind"], "execute");
    assert_eq!(begun[1]["content"][0]["path"], "/project/a.txt");
    let ends = updates(&lines, "tool_call_update");
    let ends: Vec<_> = ends
        .iter()
        .filter(|end| end["status"] == "completed")
        .collect();
    assert_eq!(ends[0]["rawOutput"]["metadata"]["exit"], 0);
    assert_eq!(ends[0]["content"][0]["content"]["text"], "ran ls");
    assert_eq!(ends[1]["content"][0]["type"], "diff");
}

#[test]
fn the_answer_to_a_question_decides() {
    for (option, status) in [("allow-once", "completed"), ("reject-once", "failed")] {
        let (mut run, session) = Setup::new().acp();
        let asked = question(&mut run, &session, "Bash");
        assert_eq!(asked["id"], 0, "the agent counts its own requests");
        choose(&mut run, &asked, option);
        let lines = run.acp_end(9);
        let ends = updates(&lines, "tool_call_update");
        assert_eq!(ends[0]["status"], status);
        assert_eq!(last(&lines)["result"]["stopReason"], "end_turn");
        assert_eq!(deltas(&lines), "done");
    }
}

#[test]
fn always_is_not_asked_again_and_a_cancelled_question_ends_the_turn() {
    let (mut run, session) = Setup::new().acp();
    let asked = question(&mut run, &session, "Bash");
    choose(&mut run, &asked, "allow-always");
    run.acp_end(9);
    let lines = run.acp_turn(10, &session, "[[ask Bash b.txt]]");
    assert!(!types(&lines).contains(&"session/request_permission".to_owned()));
    let asked = question(&mut run, &session, "Write");
    respond(&mut run, &asked, &json!({"outcome": "cancelled"}));
    assert_eq!(last(&run.acp_end(9))["result"]["stopReason"], "cancelled");
}

#[test]
fn modes_decide_without_a_question() {
    let (mut run, session) = Setup::new().acp();
    let change = |run: &mut Run, mode: &str| {
        run.send(
            &json!({"jsonrpc": "2.0", "id": 5, "method": "session/set_mode",
            "params": {"sessionId": session, "modeId": mode}}),
        );
        run.acp_end(5)
    };
    let told = change(&mut run, "yolo");
    assert_eq!(
        updates(&told, "current_mode_update")[0]["currentModeId"],
        "yolo"
    );
    assert!(
        updates(
            &run.acp_turn(6, &session, "[[ask Bash x]]"),
            "tool_call_update"
        )
        .iter()
        .any(|update| update["status"] == "completed")
    );
    change(&mut run, "plan");
    assert!(
        updates(
            &run.acp_turn(7, &session, "[[ask Bash x]]"),
            "tool_call_update"
        )
        .iter()
        .any(|update| update["status"] == "failed")
    );
    assert_eq!(code(last(&change(&mut run, "bogus"))), -32602);
}

#[test]
fn a_cancel_ends_the_turn_and_its_tool() {
    let (mut run, session) = Setup::new().acp();
    run.acp_prompt(3, &session, "[[tool Bash sleep 60000]]");
    run.until(|line| line["params"]["update"]["status"] == "in_progress");
    run.send(&json!({"jsonrpc": "2.0", "method": "$/cancel_request", "params": {"requestId": 3}}));
    let lines = run.acp_end(3);
    assert_eq!(updates(&lines, "tool_call_update")[0]["status"], "failed");
    assert_eq!(last(&lines)["result"]["stopReason"], "cancelled");
    assert_eq!(deltas(&run.acp_turn(4, &session, "on")), "You said: on");
}

#[test]
fn a_cancel_may_wait_for_the_answers() {
    let (mut run, session) = Setup::new().with_features("cancel-waits").acp();
    let asked = question(&mut run, &session, "Bash");
    run.send(
        &json!({"jsonrpc": "2.0", "method": "session/cancel", "params": {"sessionId": session}}),
    );
    run.call(5, "session/list", &json!({}));
    respond(&mut run, &asked, &json!({"outcome": "cancelled"}));
    assert_eq!(last(&run.acp_end(9))["result"]["stopReason"], "cancelled");
}

#[test]
fn a_load_replays_and_a_resume_does_not() {
    let setup = Setup::new();
    let (mut run, session) = setup.acp();
    run.acp_turn(
        3,
        &session,
        "first [[think hm]] [[tool Bash ls]] [[say answer]]",
    );
    run.acp_prompt(4, &session, "cut [[say partial]] [[kill-self]]");
    run.until(|line| line["params"]["update"]["content"]["text"] == "partial");
    drop(run);
    let opening = json!({"sessionId": session, "cwd": "/project", "mcpServers": []});
    let mut run = setup.acp_hello();
    run.send(&json!({"jsonrpc": "2.0", "id": 2, "method": "session/load", "params": opening}));
    let replayed = run.acp_end(2);
    assert_eq!(
        types(&replayed),
        [
            "session/update/user_message_chunk",
            "session/update/agent_thought_chunk",
            "session/update/tool_call",
            "session/update/tool_call_update",
            "session/update/agent_message_chunk",
            "session/update/user_message_chunk",
            "reply",
        ]
    );
    assert_eq!(deltas(&replayed), "answer");
    let recalled = deltas(&run.acp_turn(3, &session, "[[recall]]"));
    assert!(
        recalled.starts_with("first") && recalled.contains("cut"),
        "{recalled}"
    );
    let mut run = setup.acp_hello();
    run.send(&json!({"jsonrpc": "2.0", "id": 2, "method": "session/resume", "params": opening}));
    assert_eq!(types(&run.acp_end(2)), ["reply"]);
    assert!(deltas(&run.acp_turn(3, &session, "[[recall]]")).starts_with("first"));
    let listed = run.call(4, "session/list", &json!({"cwd": "/project"}));
    assert_eq!(
        listed["result"]["sessions"][0]["sessionId"],
        session.as_str()
    );
    let elsewhere = run.call(5, "session/list", &json!({"cwd": "/elsewhere"}));
    assert_eq!(elsewhere["result"]["sessions"], json!([]));
}

#[test]
fn a_fork_has_the_past_and_its_own_future() {
    let (mut run, session) = Setup::new().acp();
    run.acp_turn(3, &session, "first");
    let forked = run.call(
        4,
        "session/fork",
        &json!({"sessionId": session, "cwd": "/project"}),
    );
    let fork = forked["result"]["sessionId"].as_str().unwrap().to_owned();
    run.acp_turn(5, &session, "only here");
    assert_eq!(deltas(&run.acp_turn(6, &fork, "[[recall]]")), "first");
}

#[test]
fn what_is_left_out_is_neither_offered_nor_there() {
    let words = "no-load no-resume no-list no-close no-fork no-http no-modes no-config no-images";
    let setup = Setup::new().with_features(words);
    let mut run = setup.start(&["acp"]);
    let offered = run.call(1, "initialize", &json!({"protocolVersion": 1}));
    let offered = &offered["result"]["agentCapabilities"];
    assert_eq!(offered["loadSession"], false);
    assert_eq!(offered["sessionCapabilities"], json!({}));
    assert_eq!(
        offered["mcpCapabilities"],
        json!({"http": false, "sse": true})
    );
    let session = run.acp_session(2);
    for method in [
        "session/load",
        "session/resume",
        "session/list",
        "session/close",
        "session/fork",
        "session/set_mode",
        "session/set_config_option",
        "session/set_model",
    ] {
        let params = json!({"sessionId": session, "cwd": "/project", "mcpServers": []});
        assert_eq!(code(&run.call(3, method, &params)), -32601, "{method}");
    }
    let http =
        json!([{"type": "http", "name": "host", "url": "http://127.0.0.1:1/", "headers": []}]);
    let refused = run.call(
        4,
        "session/new",
        &json!({"cwd": "/project", "mcpServers": http}),
    );
    assert_eq!(code(&refused), -32602);
}

#[test]
fn a_session_may_need_a_login() {
    let opening = json!({"cwd": "/project", "mcpServers": []});
    let mut run = Setup::new().with_features("needs-auth").acp_hello();
    let refused = run.call(2, "session/new", &opening);
    assert_eq!(code(&refused), -32000);
    let method = refused["error"]["data"]["authMethods"][0]["id"].clone();
    run.call(3, "authenticate", &json!({"methodId": method}));
    assert!(run.call(4, "session/new", &opening)["result"]["sessionId"].is_string());
    let mut run = Setup::new().with_features("needs-login").acp_hello();
    assert_eq!(
        code(&run.call(2, "authenticate", &json!({"methodId": "login"}))),
        -32000
    );
    assert_eq!(code(&run.call(3, "session/new", &opening)), -32000);
}

#[test]
fn options_models_and_booleans_can_be_set() {
    let setup = Setup::new().with_features("models");
    let mut run = setup.start(&["acp"]);
    let capabilities = json!({"session": {"configOptions": {"boolean": {}}}});
    run.call(
        1,
        "initialize",
        &json!({"protocolVersion": 1, "clientCapabilities": capabilities}),
    );
    let session = run.acp_session(2);
    let mut set = |id: u64, option: &str, value: Value| {
        let params =
            json!({"sessionId": session, "configId": option, "value": value, "type": "boolean"});
        run.call(id, "session/set_config_option", &params)
    };
    let options = set(3, "model", json!("small"))["result"]["configOptions"].clone();
    assert_eq!(
        (&options[0]["id"], &options[0]["currentValue"]),
        (&json!("model"), &json!("small"))
    );
    assert_eq!(
        set(4, "fast", json!(true))["result"]["configOptions"][3]["currentValue"],
        true
    );
    assert_eq!(code(&set(5, "thinking", json!("wild"))), -32602);
    let set = run.call(
        6,
        "session/set_model",
        &json!({"sessionId": session, "modelId": "large"}),
    );
    assert_eq!(set["result"], json!({}));
}

#[test]
fn the_agent_can_ask_the_host_for_other_things() {
    let (mut run, session) = Setup::new().acp();
    let prompt =
        r#"[[request terminal/create "{\"command\":\"ls\"}"]] [[request terminal/output]]"#;
    run.acp_prompt(3, &session, prompt);
    let asked = run
        .until(|line| line["method"] == "terminal/create")
        .pop()
        .unwrap();
    assert_eq!(
        asked["params"],
        json!({"command": "ls", "sessionId": session})
    );
    run.send(&json!({"jsonrpc": "2.0", "id": asked["id"], "result": {"terminalId": "t1"}}));
    let asked = run
        .until(|line| line["method"] == "terminal/output")
        .pop()
        .unwrap();
    assert_eq!(asked["params"]["terminalId"], "t1");
    run.send(
        &json!({"jsonrpc": "2.0", "id": asked["id"], "error": {"code": -32601, "message": "no"}}),
    );
    assert!(deltas(&run.acp_end(3)).contains("-32601"));
}

#[test]
fn steering_goes_into_the_running_turn() {
    let (mut run, session) = Setup::new().with_features("steering").acp();
    let prompt = json!([{"type": "text", "text": "second"}]);
    let steer = json!({"sessionId": session, "prompt": prompt});
    let early = run.call(3, "_session/steering", &steer);
    assert_eq!(early["result"]["outcome"], "promptRequired");
    run.acp_prompt(4, &session, "[[say first]] [[hang]]");
    run.until(|line| line["params"]["update"]["content"]["text"] == "first");
    let is_end = |line: &Value| line["id"] == 4 && line.get("method").is_none();
    let (reply, lines) = run.call_until((5, "_session/steering"), &steer, is_end);
    assert_eq!(reply["result"]["outcome"], "injected");
    assert_eq!(deltas(&lines), "You said: second");
}

#[test]
fn a_failure_of_the_model_is_told_as_the_real_ones_tell_it() {
    let failed = |words: &str| {
        let (mut run, session) = Setup::new().with_features(words).acp();
        last(&run.acp_turn(3, &session, "[[model-error 429]]")).clone()
    };
    assert_eq!(code(&failed("")), -32603);
    assert_eq!(code(&failed("http-codes")), 429);
    assert_eq!(failed("silent-errors")["result"]["stopReason"], "end_turn");
}

#[test]
fn bad_lines_get_no_answer_and_unknown_methods_an_error() {
    use std::io::Write;
    let mut run = Setup::new().acp_hello();
    let stdin = run.stdin.as_mut().unwrap();
    stdin.write_all(b"not json\n42\n[]\n\xff\n").unwrap();
    assert_eq!(code(&run.call(2, "no/such", &json!({}))), -32601);
    assert_eq!(
        code(&run.call(3, "session/new", &json!({"cwd": "/project"}))),
        -32602
    );
    assert_eq!(
        code(&run.call(4, "session/new", &json!({"cwd": "here", "mcpServers": []}))),
        -32602
    );
    let (_, errors, status) = run.finish();
    assert_eq!((errors.lines().count(), status.code()), (4, Some(0)));
}

#[test]
fn the_state_remembers_what_the_host_asked_for() {
    let setup = Setup::new();
    let (run, _) = setup.acp();
    run.code();
    let asked = scripted_agent::requests(setup.state.path()).unwrap();
    let methods: Vec<&str> = asked.iter().map(|record| record.method.as_str()).collect();
    assert_eq!(methods, ["initialize", "session/new"]);
    assert_eq!(asked[1].params["cwd"], "/project");
}

#[test]
fn the_faults_of_the_end_are_played() {
    let (mut run, session) = Setup::new().acp();
    run.acp_prompt(4, &session, "[[double-terminal]]");
    run.acp_end(4);
    run.acp_end(4);
    run.acp_prompt(5, &session, "[[contradictory-terminals]]");
    let reasons =
        [run.acp_end(5), run.acp_end(5)].map(|lines| last(&lines)["result"]["stopReason"].clone());
    assert_eq!(reasons, ["cancelled", "end_turn"]);
    run.acp_prompt(6, &session, "[[terminal-first]] [[say late]]");
    assert_eq!(deltas(&run.acp_end(6)), "");
    run.until(|line| line["params"]["update"]["content"]["text"] == "late");
}

#[test]
fn garbage_is_about_the_known_session_and_a_stale_question_is_withdrawn() {
    let (mut run, session) = Setup::new().acp();
    let lines = run.acp_turn(
        3,
        &session,
        "[[unknown-types]] [[wrong-types]] [[ask-stale]]",
    );
    let strange = lines
        .iter()
        .find(|line| line["params"]["update"]["sessionUpdate"] == "from_the_future");
    assert_eq!(strange.unwrap()["params"]["sessionId"], session.as_str());
    let asked = lines
        .iter()
        .find(|line| line["method"] == "session/request_permission");
    let withdrawn = lines
        .iter()
        .find(|line| line["method"] == "$/cancel_request");
    assert_eq!(
        withdrawn.unwrap()["params"]["requestId"],
        asked.unwrap()["id"]
    );
}

#[test]
fn a_cancel_can_be_late_or_answered_twice() {
    for (mode, ends) in [(InterruptMode::Late, 1), (InterruptMode::Twice, 2)] {
        let script = Script::new().on(Trigger::Start, [Action::Interrupts(mode, 5)]);
        let (mut run, session) = Setup::script(&script).acp();
        run.acp_prompt(3, &session, "[[hang]]");
        run.send(&json!({"jsonrpc": "2.0", "method": "session/cancel", "params": {"sessionId": session}}));
        for _ in 0..ends {
            assert_eq!(last(&run.acp_end(3))["result"]["stopReason"], "cancelled");
        }
        assert_eq!(deltas(&run.acp_turn(4, &session, "[[say on]]")), "on");
    }
}

#[test]
fn a_slip_in_the_features_is_named() {
    let (_, errors, status) = Setup::new()
        .with_features("no-laod")
        .start(&["acp"])
        .finish();
    assert_eq!(status.code(), Some(64));
    assert!(errors.contains("no-laod"), "{errors}");
}
