//! Faults of the protocol: modes 35 to 45.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use scripted_agent::{Action, InterruptMode, ReplyMode, Script, Trigger};
use serde_json::{Value, json};
use support::{Run, Setup, answer, types};

fn settled(action: Action) -> Setup {
    Setup::script(&Script::new().on(Trigger::Start, [action]))
}

/// All lines of an agent that gets these prompts and then the end of stdin.
fn all(prompt: &str) -> Vec<Value> {
    let mut run = Setup::new().claude();
    run.prompt(prompt);
    rest(run)
}

fn rest(run: Run) -> Vec<Value> {
    let text = String::from_utf8(run.finish().0).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// What follows the first line of a kind, that line included.
fn from(lines: &[Value], kind: &str) -> Vec<String> {
    types(lines)
        .into_iter()
        .skip_while(|found| found != kind)
        .collect()
}

#[test]
fn mode_35_uses_unknown_types() {
    let lines = all("[[unknown-types]]");
    assert!(types(&lines).contains(&"from_the_future".to_owned()));
    assert_eq!(answer(&lines), "You said: [[unknown-types]]");
    let (mut run, thread) = Setup::new().codex();
    let lines = run.codex_turn(3, &thread, "[[unknown-types]]");
    assert!(types(&lines).contains(&"from/theFuture".to_owned()));
}

#[test]
fn mode_36_uses_wrong_types() {
    let lines = all("[[wrong-types]]");
    assert!(lines.iter().any(|line| line["type"] == 5));
    assert!(lines.iter().any(|line| line["message"].is_string()));
    assert_eq!(answer(&lines), "You said: [[wrong-types]]");
}

#[test]
fn mode_37_gives_no_terminal() {
    let lines = all("[[no-terminal]] [[say x]]");
    assert_eq!(
        from(&lines, "assistant").last().unwrap(),
        "stream_event/message_stop"
    );
    assert!(!types(&lines).iter().any(|kind| kind.starts_with("result")));
    let (mut run, thread) = Setup::new().codex();
    let turn = run.codex_start(3, &thread, "[[no-terminal]] [[say x]]");
    run.until(|line| line["method"] == "account/rateLimits/updated");
    // Until it is over what is sent comes into it, and nothing says when that is.
    let input = json!([{"type": "text", "text": "more"}]);
    let more = json!({"threadId": thread, "expectedTurnId": turn, "input": input});
    while run.call(4, "turn/steer", &more)["error"].is_null() {}
    let lines = run.codex_turn(5, &thread, "next");
    assert_eq!(
        types(&lines)
            .iter()
            .filter(|kind| *kind == "turn/completed")
            .count(),
        1
    );
}

#[test]
fn mode_38_gives_two_terminals() {
    assert_eq!(
        from(&all("[[double-terminal]]"), "result/success"),
        ["result/success"; 2]
    );
}

#[test]
fn mode_39_contradicts_itself() {
    let lines = all("[[contradictory-terminals]]");
    assert_eq!(
        from(&lines, "result/error_during_execution"),
        ["result/error_during_execution", "result/success"]
    );
}

#[test]
fn mode_40_ends_before_the_deltas() {
    let after = from(&all("[[terminal-first]] [[say x]]"), "result/success");
    assert!(
        after.contains(&"stream_event/content_block_delta".to_owned()),
        "{after:?}"
    );
    assert_eq!(
        after
            .iter()
            .filter(|kind| *kind == "result/success")
            .count(),
        1
    );
}

#[test]
fn mode_41_goes_on_after_the_end() {
    let after = from(&all("[[after-terminal]] [[say x]]"), "result/success");
    assert_eq!(after.last().unwrap(), "stream_event/content_block_delta");
}

#[test]
fn mode_42_uses_ids_of_nobody() {
    let mut run = Setup::new().claude();
    let right = run.turn("x")[0]["session_id"].clone();
    let lines = run.turn("[[wrong-id]]");
    assert!(lines.iter().all(|line| line["session_id"] != right));
    assert_eq!(run.turn("x")[0]["session_id"], right, "only in that turn");
    let (mut run, thread) = Setup::new().codex();
    let turn = run.codex_start(3, &thread, "[[wrong-id]]");
    let lines = run.until(|line| line["method"] == "turn/completed");
    let params = &lines.last().unwrap()["params"];
    assert_ne!(
        (&params["threadId"], &params["turn"]["id"]),
        (&json!(thread), &json!(turn))
    );
}

/// Sends three requests and gives the ids of the replies.
fn reply_ids(mode: ReplyMode) -> Vec<String> {
    let mut run = settled(Action::Replies(mode)).claude();
    for id in ["a", "b", "c"] {
        run.send(&json!({"type": "control_request", "request_id": id, "request": {"subtype": "mcp_status"}}));
    }
    let ids = rest(run)
        .into_iter()
        .map(|line| line["response"]["request_id"].as_str().unwrap().to_owned());
    ids.collect()
}

#[test]
fn mode_43_duplicates_reorders_drops_and_invents_replies() {
    assert_eq!(reply_ids(ReplyMode::Normal), ["a", "b", "c"]);
    assert_eq!(
        reply_ids(ReplyMode::Duplicate),
        ["a", "a", "b", "b", "c", "c"]
    );
    assert_eq!(reply_ids(ReplyMode::Reorder), ["b", "a"]);
    assert!(reply_ids(ReplyMode::Drop).is_empty());
    let stray = "nobody-asked";
    assert_eq!(
        reply_ids(ReplyMode::Unknown),
        [stray, "a", stray, "b", stray, "c"]
    );
    let setup = settled(Action::Replies(ReplyMode::Unknown));
    let mut run = setup.start(&["app-server"]);
    run.send(&json!({"id": 1, "method": "thread/list", "params": {}}));
    assert_eq!(
        [run.next()["id"].clone(), run.next()["id"].clone()],
        [987_654_321, 1]
    );
}

fn interrupted(mode: InterruptMode, ms: u64) -> Vec<Value> {
    let script = Script::new()
        .on(Trigger::Start, [Action::Interrupts(mode, ms)])
        .on(Trigger::AfterMs(1000), [Action::Exit(7)])
        .in_process(if mode == InterruptMode::Ignore { 1 } else { 9 });
    let mut run = Setup::script(&script).claude();
    run.prompt("[[say x]] [[hang]]");
    run.until(|line| line["event"]["delta"]["text"] == "x");
    run.send(
        &json!({"type": "control_request", "request_id": "i", "request": {"subtype": "interrupt"}}),
    );
    rest(run)
}

#[test]
fn mode_44_ignores_interrupts_or_acknowledges_them_late_or_twice() {
    assert!(interrupted(InterruptMode::Ignore, 0).is_empty());
    for (mode, expected) in [
        (InterruptMode::Normal, 1),
        (InterruptMode::Late, 1),
        (InterruptMode::Twice, 2),
    ] {
        let found = types(&interrupted(mode, 5));
        assert_eq!(
            found
                .iter()
                .filter(|kind| *kind == "control_response")
                .count(),
            expected,
            "{mode:?}"
        );
        assert_eq!(found.last().unwrap(), "result/error_during_execution");
    }
}

fn requests(lines: &[Value]) -> Vec<&Value> {
    lines
        .iter()
        .filter(|line| line["type"] == "control_request")
        .collect()
}

#[test]
fn mode_45_floods_with_questions() {
    let lines = all("[[ask-flood 100]] [[say x]]");
    assert_eq!(requests(&lines).len(), 100);
    assert_eq!(answer(&lines), "x", "it does not wait for answers");
}

#[test]
fn mode_45_withdraws_a_question_at_once() {
    let lines = all("[[ask-stale]] [[say x]]");
    let id = &requests(&lines)[0]["request_id"];
    let withdrawn = lines
        .iter()
        .find(|line| line["type"] == "control_cancel_request")
        .unwrap();
    assert_eq!(&withdrawn["request_id"], id);
    let (mut run, thread) = Setup::new().codex();
    let lines = run.codex_turn(3, &thread, "[[ask-stale]]");
    assert!(types(&lines).contains(&"serverRequest/resolved".to_owned()));
}

#[test]
fn mode_45_asks_the_same_twice() {
    let mut run = Setup::new().claude();
    run.prompt("[[ask-twice]]");
    let first = run
        .until(|line| line["type"] == "control_request")
        .pop()
        .unwrap();
    assert_eq!(run.next(), first);
    run.send(&json!({"type": "control_response", "response": {
        "subtype": "success", "request_id": first["request_id"], "response": {"behavior": "allow"},
    }}));
    assert_eq!(answer(&rest(run)), "You said: [[ask-twice]]");
}

#[test]
fn an_instruction_that_is_not_understood_fails_the_turn_and_names_it() {
    let lines = all("[[explode]]");
    assert!(
        answer(&lines).starts_with("instruction not understood: `explode`"),
        "{}",
        answer(&lines)
    );
}
