//! The agent as Codex: app-server threads, approvals, steering, and `exec`.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use serde_json::{Value, json};
use support::{Setup, answer, deltas, types};

#[test]
fn a_plain_turn_has_the_order_of_the_real_one() {
    let setup = Setup::new();
    let (mut run, thread) = setup.codex();
    run.until(|line| line["method"] == "thread/started");
    let lines = run.codex_turn(3, &thread, "hi");
    assert_eq!(
        types(&lines),
        [
            "thread/status/changed",
            "turn/started",
            "item/started",
            "item/completed",
            "item/started",
            "item/agentMessage/delta",
            "item/agentMessage/delta",
            "item/agentMessage/delta",
            "item/completed",
            "thread/tokenUsage/updated",
            "account/rateLimits/updated",
            "thread/status/changed",
            "turn/completed",
        ]
    );
    assert_eq!(answer(&lines), "You said: hi");
    assert_eq!(deltas(&lines), "You said: hi");
    assert_eq!(
        lines.last().unwrap()["params"]["turn"]["status"],
        "completed"
    );
    assert_eq!(run.code(), Some(0));
}

#[test]
fn several_threads_run_at_once() {
    let setup = Setup::new();
    let (mut run, one) = setup.codex();
    let two = run.codex_thread(&json!({}));
    let turn = run.codex_start(10, &one, "[[say started]] [[hang]]");
    // Only a turn that has begun can be interrupted.
    run.until(|line| line["method"] == "turn/started");
    let lines = run.codex_turn(11, &two, "free");
    assert_eq!(lines.last().unwrap()["params"]["threadId"], two.as_str());
    let reply = run.call(
        12,
        "turn/interrupt",
        &json!({"threadId": one, "turnId": turn}),
    );
    assert_eq!(reply["result"], json!({}));
    let lines = run.until(|line| line["method"] == "turn/completed");
    assert_eq!(lines.last().unwrap()["params"]["threadId"], one.as_str());
    assert_eq!(
        lines.last().unwrap()["params"]["turn"]["status"],
        "interrupted"
    );
}

#[test]
fn errors_are_those_of_the_real_one() {
    let setup = Setup::new();
    let mut run = setup.start(&["app-server"]);
    let error = |reply: Value| reply["error"]["message"].as_str().unwrap().to_owned();
    assert_eq!(
        error(run.call(1, "thread/list", &json!({}))),
        "Not initialized"
    );
    run.codex_hello();
    let unknown = error(run.call(5, "no/such/method", &json!({})));
    assert!(unknown.starts_with(
        "Invalid request: unknown variant `no/such/method`, expected one of `initialize`"
    ));
    let missing = "01a1f799-efd1-7e52-b4e1-000000000000";
    let params = json!({"threadId": missing, "input": []});
    assert_eq!(
        error(run.call(6, "turn/start", &params)),
        format!("thread not found: {missing}")
    );
    assert_eq!(
        error(run.call(7, "thread/resume", &params)),
        format!("no rollout found for thread id {missing}")
    );
    let bad = error(run.call(8, "thread/start", &json!({"approvalPolicy": "on-failure"})));
    assert!(
        bad.starts_with("Invalid request: unknown variant `on-failure`"),
        "{bad}"
    );
    run.send(&json!({"id": 9, "method": "thread/start"}));
    assert_eq!(error(run.next()), "Invalid request: missing field `params`");
    assert_eq!(
        error(run.call(10, "initialize", &json!({}))),
        "Already initialized"
    );
}

#[test]
fn a_bad_line_gets_no_reply_and_invalid_utf8_ends_the_server() {
    use std::io::Write;
    let setup = Setup::new();
    let mut run = setup.start(&["app-server"]);
    run.stdin
        .as_mut()
        .unwrap()
        .write_all(b"not json\n{}\n")
        .unwrap();
    run.codex_hello();
    run.stdin.as_mut().unwrap().write_all(b"\xff\n").unwrap();
    let (_, errors, status) = run.finish();
    assert_eq!(status.code(), Some(0));
    assert_eq!(
        errors
            .matches("Failed to deserialize JSONRPCMessage")
            .count(),
        2
    );
    assert!(errors.contains("did not contain valid UTF-8"));
}

#[test]
fn a_resumed_thread_knows_the_earlier_prompts() {
    let setup = Setup::new();
    let (mut run, thread) = setup.codex();
    run.codex_turn(3, &thread, "first");
    assert_eq!(run.code(), Some(0));
    let mut run = setup.start(&["app-server"]);
    run.codex_hello();
    let resumed = run.call(2, "thread/resume", &json!({"threadId": thread}));
    assert_eq!(resumed["result"]["thread"]["preview"], "first");
    assert_eq!(
        resumed["result"]["thread"]["turns"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert_eq!(answer(&run.codex_turn(3, &thread, "[[recall]]")), "first");
}

#[test]
fn a_thread_has_one_writer() {
    let setup = Setup::new();
    let (mut first, thread) = setup.codex();
    first.codex_turn(3, &thread, "x");
    first.call(4, "thread/resume", &json!({"threadId": thread}));
    let mut second = setup.start(&["app-server"]);
    second.codex_hello();
    let wait =
        |run: &mut support::Run, id| run.call(id, "thread/resume", &json!({"threadId": thread}));
    assert_eq!(
        wait(&mut second, 2)["error"]["message"],
        format!("thread {thread} already has an active writer")
    );
    assert_eq!(first.code(), Some(0));
    assert_eq!(
        wait(&mut second, 3)["result"]["thread"]["id"],
        thread.as_str()
    );
}

fn ask(run: &mut support::Run, thread: &str, tool: &str) -> Value {
    run.codex_start(3, thread, &format!("[[ask {tool} x]] [[say done]]"));
    let lines = run.until(|line| {
        line["method"]
            .as_str()
            .is_some_and(|method| method.ends_with("requestApproval"))
    });
    lines.last().unwrap().clone()
}

#[test]
fn the_answer_to_an_approval_decides() {
    for (decision, item, turn) in [
        ("accept", "completed", "completed"),
        ("decline", "declined", "completed"),
        ("cancel", "declined", "interrupted"),
    ] {
        let setup = Setup::new();
        let (mut run, thread) = setup.codex();
        let request = ask(&mut run, &thread, "Bash");
        assert_eq!(request["id"], 0);
        run.send(&json!({"id": "0", "result": {"decision": "accept"}}));
        run.send(&json!({"id": 0, "result": {"decision": decision}}));
        let lines = run.until(|line| line["method"] == "turn/completed");
        assert_eq!(lines[0]["method"], "serverRequest/resolved");
        let done = lines
            .iter()
            .find(|line| line["params"]["item"]["type"] == "commandExecution")
            .unwrap();
        assert_eq!(done["params"]["item"]["status"], item);
        assert_eq!(lines.last().unwrap()["params"]["turn"]["status"], turn);
    }
}

#[test]
fn an_interrupt_drops_the_approval_after_the_end() {
    let setup = Setup::new();
    let (mut run, thread) = setup.codex();
    let request = ask(&mut run, &thread, "Write");
    assert_eq!(request["method"], "item/fileChange/requestApproval");
    run.call(
        4,
        "turn/interrupt",
        &json!({"threadId": thread, "turnId": request["params"]["turnId"]}),
    );
    run.until(|line| line["method"] == "turn/completed");
    assert_eq!(run.next()["method"], "serverRequest/resolved");
}

#[test]
fn steering_cuts_the_text_and_is_answered_in_the_same_turn() {
    let setup = Setup::new();
    let (mut run, thread) = setup.codex();
    let turn = run.codex_start(3, &thread, "[[say first]] [[hang]]");
    run.until(|line| line["params"]["delta"] == "first");
    let input = json!([{"type": "text", "text": "second"}]);
    let wrong = json!({"threadId": thread, "expectedTurnId": thread, "input": input});
    assert_eq!(
        run.call(4, "turn/steer", &wrong)["error"]["message"],
        format!("expected active turn id `{thread}` but found `{turn}`")
    );
    let right = json!({"threadId": thread, "expectedTurnId": turn, "input": input, "clientUserMessageId": "c"});
    let is_end = |line: &Value| line["method"] == "turn/completed";
    let (reply, lines) = run.call_until((5, "turn/steer"), &right, is_end);
    assert_eq!(reply["result"]["turnId"], turn.as_str());
    assert_eq!(lines[0]["params"]["item"]["clientId"], "c");
    assert_eq!(answer(&lines), "You said: second");
    assert_eq!(
        run.call(6, "turn/steer", &right)["error"]["message"],
        "no active turn to steer"
    );
}

#[test]
fn a_second_start_is_a_steer() {
    let setup = Setup::new();
    let (mut run, thread) = setup.codex();
    let turn = run.codex_start(3, &thread, "[[say first]] [[hang]]");
    run.until(|line| line["params"]["delta"] == "first");
    let input = json!([{"type": "text", "text": "more"}]);
    let more = json!({"threadId": thread, "input": input});
    let is_end = |line: &Value| line["method"] == "turn/completed";
    let (reply, lines) = run.call_until((4, "turn/start"), &more, is_end);
    assert_eq!(reply["result"]["turn"]["id"], turn.as_str());
    assert_eq!(answer(&lines), "You said: more");
}

#[test]
fn unwanted_and_unsubscribed_events_are_not_sent() {
    let setup = Setup::new();
    let mut run = setup.start(&["app-server"]);
    let muted = json!({"clientInfo": {"name": "t", "version": "1"},
        "capabilities": {"optOutNotificationMethods": ["item/agentMessage/delta"]}});
    run.call(1, "initialize", &muted);
    let thread = run.codex_thread(&json!({}));
    let lines = run.codex_turn(3, &thread, "x");
    assert!(!types(&lines).contains(&"item/agentMessage/delta".to_owned()));
    let reply = run.call(4, "thread/unsubscribe", &json!({"threadId": thread}));
    assert_eq!(reply["result"], json!({"status": "unsubscribed"}));
    run.codex_start(5, &thread, "unseen");
    let (rest, _, _) = run.finish();
    assert!(!String::from_utf8(rest).unwrap().contains("turn/started"));
}

#[test]
fn a_failure_of_the_model_fails_the_turn() {
    let setup = Setup::new();
    let (mut run, thread) = setup.codex();
    let lines = run.codex_turn(3, &thread, "[[model-error 400]]");
    assert!(types(&lines).contains(&"error".to_owned()));
    let turn = &lines.last().unwrap()["params"]["turn"];
    assert_eq!(
        (&turn["status"], &turn["error"]["codexErrorInfo"]),
        (&json!("failed"), &json!("other"))
    );
}

#[test]
fn exec_plays_one_turn_and_can_resume() {
    let setup = Setup::new();
    let mut run = setup.start(&["exec", "--json", "-s", "read-only", "first"]);
    run.close();
    let lines = run.until(|line| line["type"] == "turn.completed");
    assert_eq!(
        types(&lines),
        [
            "thread.started",
            "turn.started",
            "item.completed",
            "turn.completed"
        ]
    );
    assert_eq!(
        lines[2]["item"],
        json!({"id": "item_0", "type": "agent_message", "text": "You said: first"})
    );
    let thread = lines[0]["thread_id"].as_str().unwrap().to_owned();
    assert_eq!(run.code(), Some(0));
    let (output, _, _) = setup
        .start(&["exec", "resume", &thread, "[[recall]]"])
        .finish();
    assert_eq!(output, b"first\n");
}

#[test]
fn exec_of_an_unknown_thread_speaks_on_stderr_only() {
    let setup = Setup::new();
    let id = "01a1f799-efd1-7e52-b4e1-000000000000";
    let (output, errors, status) = setup.start(&["exec", "--json", "resume", id, "x"]).finish();
    assert_eq!((output.as_slice(), status.code()), (&b""[..], Some(1)));
    assert_eq!(
        errors,
        format!(
            "Error: thread/resume: thread/resume failed: no rollout found for thread id {id} (code -32600)\n"
        )
    );
}

#[test]
fn the_version_is_printed() {
    let setup = Setup::new();
    let mut command = setup.command(&["--version"]);
    let output = command
        .env("SCRIPTED_AGENT_PROTOCOL", "codex")
        .output()
        .unwrap();
    assert_eq!(output.stdout, b"codex-cli 0.169.0\n");
}

#[test]
fn input_that_comes_while_a_turn_begins_becomes_part_of_it_and_no_second_one() {
    let setup = Setup::new();
    let (mut run, thread) = setup.codex();
    let mut started = Vec::new();
    for round in 0..100 {
        for id in [10 + 2 * round, 11 + 2 * round] {
            let params = json!({"threadId": thread, "input": [{"type": "text", "text": "hi"}]});
            run.send(&json!({"id": id, "method": "turn/start", "params": params}));
        }
        let (mut taken, mut over) = (Vec::new(), 0);
        // The second is in the turn of the first, or the first was faster and it has its own.
        while taken.len() < 2 || over < usize::from(taken[0] != taken[1]) + 1 {
            let line = run.next();
            match line["method"].as_str() {
                None => taken.push(line["result"]["turn"]["id"].clone()),
                Some("turn/started") => {
                    let turn = &line["params"]["turn"]["id"];
                    assert!(!started.contains(turn), "{turn} begins once");
                    started.push(turn.clone());
                }
                Some("turn/completed") => over += 1,
                Some(_) => {}
            }
        }
    }
    assert_eq!(run.code(), Some(0));
}

#[test]
fn a_plan_is_told_and_a_request_of_another_protocol_is_not_made() {
    let (mut run, thread) = Setup::new().codex();
    let lines = run.codex_turn(3, &thread, "[[plan 2]] [[request fs/read_text_file]]");
    let told = lines
        .iter()
        .find(|line| line["method"] == "turn/plan/updated");
    let plan = told.unwrap()["params"]["plan"].clone();
    assert_eq!(
        plan,
        json!([
            {"step": "step 1", "status": "completed"},
            {"step": "step 2", "status": "inProgress"},
        ])
    );
    assert_eq!(answer(&lines), "null");
}
