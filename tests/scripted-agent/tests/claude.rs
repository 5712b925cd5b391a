//! The agent as Claude Code: turns, control requests, resuming.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use serde_json::json;
use support::{Setup, WARM, answer, deltas, is_result, types};

#[test]
fn a_plain_turn_has_the_order_of_the_real_one() {
    let setup = Setup::new();
    let mut run = setup.claude();
    run.send(&json!({"type": "user", "message": {"role": "user", "content": "hi"}, "uuid": "u1"}));
    let mut lines = run.until(is_result);
    lines.push(run.next());
    assert_eq!(
        types(&lines),
        [
            "command_lifecycle",
            "command_lifecycle",
            "system/init",
            "system/status",
            "user",
            "stream_event/message_start",
            "stream_event/content_block_start",
            "stream_event/content_block_delta",
            "stream_event/content_block_delta",
            "stream_event/content_block_delta",
            "assistant",
            "stream_event/content_block_stop",
            "stream_event/message_delta",
            "stream_event/message_stop",
            "result/success",
            "command_lifecycle",
        ]
    );
    assert_eq!(answer(&lines), "You said: hi");
    assert_eq!(deltas(&lines), "You said: hi");
    assert_eq!(run.code(), Some(0));
}

#[test]
fn without_partials_there_are_no_deltas() {
    let setup = Setup::new();
    let mut run = setup.start(&[
        "-p",
        "--input-format=stream-json",
        "--output-format=stream-json",
        "--verbose",
    ]);
    let lines = run.turn("[[words 2]]");
    assert_eq!(
        types(&lines),
        ["system/init", "assistant", "result/success"]
    );
    assert_eq!(answer(&lines), "word1 word2 ");
}

#[test]
fn one_shot_prints_in_the_wanted_format_and_exits() {
    let setup = Setup::new();
    let (output, _, status) = setup.start(&["-p", "say it", "--no-such-flag"]).finish();
    assert_eq!(output, b"You said: say it\n");
    assert_eq!(status.code(), Some(0));
    let (output, _, _) = setup
        .start(&["-p", "--output-format", "json", "x"])
        .finish();
    let result: serde_json::Value = serde_json::from_slice(&output).unwrap();
    assert_eq!(result["result"], "You said: x");
    let mut run = setup.start(&["-p", "--output-format", "stream-json", "--verbose", "x"]);
    assert_eq!(
        types(&run.until(is_result)),
        ["system/init", "assistant", "result/success"]
    );
    assert_eq!(run.code(), Some(0));
}

#[test]
fn one_shot_takes_its_prompt_from_stdin_when_no_argument_has_it() {
    use std::io::Write;
    let setup = Setup::new();
    let mut run = setup.start(&["-p"]);
    run.stdin.as_mut().unwrap().write_all(b"piped").unwrap();
    assert_eq!(run.finish().0, b"You said: piped\n");
}

#[test]
fn a_resumed_conversation_knows_the_earlier_prompts() {
    let setup = Setup::new();
    let mut run = setup.claude();
    let id = run.turn("first")[0]["session_id"]
        .as_str()
        .unwrap()
        .to_owned();
    run.turn("second");
    assert_eq!(run.code(), Some(0));
    let resume = format!("--resume={id}");
    let mut run = setup.start(&[WARM, &[&resume]].concat());
    let lines = run.turn("[[recall]]");
    assert_eq!(lines[0]["session_id"], id.as_str());
    assert_eq!(answer(&lines), "first\nsecond");
}

#[test]
fn a_fork_has_the_history_and_another_id() {
    let setup = Setup::new();
    let mut run = setup.claude();
    let id = run.turn("first")[0]["session_id"]
        .as_str()
        .unwrap()
        .to_owned();
    drop(run);
    let mut run = setup.start(&[WARM, &["--resume", &id, "--fork-session"]].concat());
    let lines = run.turn("[[recall]]");
    assert_ne!(lines[0]["session_id"], id.as_str());
    assert_eq!(answer(&lines), "first");
}

#[test]
fn an_unknown_id_fails_as_the_real_one_does() {
    let setup = Setup::new();
    let id = "00000000-0000-4000-8000-000000000000";
    let mut run = setup.start(&[WARM, &["--resume", id]].concat());
    let line = run.next();
    assert_eq!(
        (&line["subtype"], &line["num_turns"]),
        (&json!("error_during_execution"), &json!(0))
    );
    let (_, errors, status) = run.finish();
    assert_eq!(
        errors,
        format!("No conversation found with session ID: {id}\n")
    );
    assert_eq!(status.code(), Some(1));
}

#[test]
fn a_chosen_id_is_used_once() {
    let setup = Setup::new();
    let id = "d08a58bf-4b19-4b19-a4a9-6734bbd5dfb2";
    let mut run = setup.start(&[WARM, &["--session-id", id]].concat());
    assert_eq!(run.turn("x")[0]["session_id"], id);
    drop(run);
    let (_, errors, status) = setup
        .start(&[WARM, &["--session-id", id]].concat())
        .finish();
    assert_eq!(
        errors,
        format!("Error: Session ID {id} is already in use.\n")
    );
    assert_eq!(status.code(), Some(1));
}

#[test]
fn control_requests_are_answered_by_id() {
    let setup = Setup::new();
    let mut run = setup.claude();
    let hello = run.control(&json!({"subtype": "initialize"}));
    assert_eq!(hello["response"]["claude_code_version"], "2.1.327");
    assert_eq!(
        run.control(&json!({"subtype": "set_model", "model": "m"}))["response"],
        json!({"model": "m"})
    );
    assert_eq!(run.turn("x")[0]["model"], "m");
    let mode = run.control(&json!({"subtype": "set_permission_mode", "mode": "plan"}));
    assert_eq!(mode["response"], json!({"mode": "plan"}));
    let refused = run.control(&json!({"subtype": "set_permission_mode", "mode": "nonsense"}));
    assert_eq!(refused["error_code"], "invalid_mode");
    let unknown = run.control(&json!({"subtype": "totally_unknown"}));
    assert_eq!(
        unknown["error"],
        "Unsupported control request subtype: totally_unknown"
    );
    assert_eq!(
        run.control(&json!({"subtype": "end_session"})),
        json!({"subtype": "success", "request_id": "r1"})
    );
    assert_eq!(run.code(), Some(0));
}

#[test]
fn a_bad_line_is_fatal() {
    use std::io::Write;
    let setup = Setup::new();
    let mut run = setup.claude();
    run.stdin
        .as_mut()
        .unwrap()
        .write_all(b"this is not json\n")
        .unwrap();
    let (_, errors, status) = run.finish();
    assert_eq!(
        errors,
        "Error parsing streaming input line (type=unknown, 16 chars): SyntaxError\n"
    );
    assert_eq!(status.code(), Some(1));
}

#[test]
fn an_interrupt_ends_the_turn_and_the_next_one_works() {
    let setup = Setup::new();
    let mut run = setup.claude();
    run.prompt("[[words 2]] [[hang]]");
    run.until(|line| line["event"]["delta"]["text"] == "word2 ");
    let reply = run.control(&json!({"subtype": "interrupt"}));
    assert_eq!(reply["response"], json!({"still_queued": []}));
    let lines = run.until(is_result);
    let result = lines.last().unwrap();
    assert_eq!(lines[0]["aborted"], true);
    assert_eq!(
        (&result["subtype"], &result["terminal_reason"]),
        (
            &json!("error_during_execution"),
            &json!("aborted_streaming")
        )
    );
    assert_eq!(answer(&run.turn("again")), "You said: again");
}

fn ask(run: &mut support::Run) -> String {
    run.prompt("[[ask Bash \"touch x\"]] [[say done]]");
    let lines = run.until(|line| line["type"] == "control_request");
    lines.last().unwrap()["request_id"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[test]
fn permission_is_asked_and_the_answer_decides() {
    let setup = Setup::new();
    for (answer, refused) in [
        (json!({"behavior": "allow", "updatedInput": {}}), false),
        (json!({"behavior": "deny", "message": "no"}), true),
    ] {
        let mut run = setup.claude();
        let id = ask(&mut run);
        run.send(&json!({"type": "control_response", "response": {"subtype": "success", "request_id": id, "response": answer}}));
        let lines = run.until(is_result);
        let tool = lines
            .iter()
            .find(|line| line.get("tool_use_result").is_some())
            .unwrap();
        assert_eq!(tool["message"]["content"][0]["is_error"], refused);
        let denials = lines.last().unwrap()["permission_denials"]
            .as_array()
            .unwrap()
            .len();
        assert_eq!(denials, usize::from(refused));
    }
}

#[test]
fn an_interrupt_withdraws_the_question() {
    let setup = Setup::new();
    let mut run = setup.claude();
    let id = ask(&mut run);
    run.send(
        &json!({"type": "control_request", "request_id": "i", "request": {"subtype": "interrupt"}}),
    );
    assert_eq!(
        run.next(),
        json!({"type": "control_cancel_request", "request_id": id})
    );
    let lines = run.until(is_result);
    assert_eq!(lines.last().unwrap()["terminal_reason"], "aborted_tools");
}

#[test]
fn input_during_a_tool_is_folded_into_the_turn() {
    let setup = Setup::new();
    let mut run = setup.claude();
    let id = ask(&mut run);
    run.send(
        &json!({"type": "user", "message": {"role": "user", "content": "steer"}, "uuid": "s"}),
    );
    run.until(|line| line["state"] == "queued");
    run.send(&json!({"type": "control_response", "response": {"subtype": "success", "request_id": id, "response": {"behavior": "allow"}}}));
    let lines = run.until(is_result);
    assert!(deltas(&lines).starts_with("You said: steer"), "{lines:?}");
    assert_eq!(lines.last().unwrap()["user_message_uuids"], json!(["s"]));
}

#[test]
fn input_during_text_waits_and_is_merged() {
    let setup = Setup::new();
    let mut run = setup.claude();
    run.prompt("[[say x]] [[hang]]");
    run.until(|line| line["event"]["delta"]["text"] == "x");
    run.prompt("one");
    run.prompt("two");
    run.control(&json!({"subtype": "interrupt"}));
    run.until(is_result);
    assert_eq!(answer(&run.until(is_result)), "You said: one\ntwo");
}

#[test]
fn a_repeated_uuid_starts_nothing() {
    let setup = Setup::new();
    let mut run = setup.claude();
    let line = json!({"type": "user", "message": {"role": "user", "content": "x"}, "uuid": "u"});
    run.send(&line);
    run.until(|line| line["state"] == "completed");
    run.send(&line);
    run.close();
    let (rest, _, _) = run.finish();
    assert_eq!(
        String::from_utf8(rest).unwrap().lines().count(),
        1,
        "only an echo"
    );
}

#[test]
fn end_of_input_finishes_the_queue_first() {
    let setup = Setup::new();
    let mut run = setup.claude();
    run.prompt("[[sleep-ms 5]] [[say first]]");
    run.prompt("second");
    run.close();
    assert_eq!(answer(&run.until(is_result)), "first");
    assert_eq!(answer(&run.until(is_result)), "You said: second");
    assert_eq!(run.code(), Some(0));
}

#[test]
fn a_failure_of_the_model_is_a_success_with_an_error_and_sets_the_exit_code() {
    let setup = Setup::new();
    let mut run = setup.claude();
    let lines = run.turn("[[model-error 529]]");
    let result = lines.last().unwrap();
    assert_eq!(
        (
            &result["subtype"],
            &result["is_error"],
            &result["api_error_status"]
        ),
        (&json!("success"), &json!(true), &json!(529))
    );
    assert_eq!(run.code(), Some(1));
}

#[test]
fn a_follow_up_is_a_turn_that_nobody_asked_for() {
    let setup = Setup::new();
    let mut run = setup.claude();
    run.turn("[[say now]] [[follow-up later]]");
    assert_eq!(answer(&run.until(is_result)), "You said: later");
}

#[test]
fn the_version_is_printed() {
    let setup = Setup::new();
    assert_eq!(
        setup.start(&["--version"]).finish().0,
        b"2.1.327 (Claude Code)\n"
    );
}

#[test]
fn the_library_finds_the_binary() {
    let output = std::process::Command::new(scripted_agent::binary().unwrap())
        .arg("--version")
        .output()
        .unwrap();
    assert_eq!(output.stdout, b"2.1.327 (Claude Code)\n");
}

#[test]
fn reasoning_is_a_block_of_its_own() {
    let setup = Setup::new();
    let lines = setup.claude().turn("[[think hm]] [[say ok]]");
    let thinking = lines
        .iter()
        .find(|line| line["message"]["content"][0]["type"] == "thinking");
    assert_eq!(thinking.unwrap()["message"]["content"][0]["thinking"], "hm");
}

#[test]
fn a_plan_is_a_list_of_things_to_do() {
    let mut run = Setup::new().claude();
    let lines = run.turn("[[plan 2]]");
    let blocks = lines.iter().map(|line| &line["message"]["content"][0]);
    let mut calls = blocks.filter(|block| block["name"] == "TodoWrite");
    let todos = calls.next().unwrap()["input"]["todos"].clone();
    assert_eq!(todos[1]["status"], "in_progress");
    assert_eq!(todos.as_array().unwrap().len(), 2);
}
