//! Messages for the running turn, and every way they can miss it.

use serde_json::{Value, json};

use super::harness::{
    ask, hear, init, interrupt, lines, result, running, said, sent, steer, success, turn,
};
use crate::provider::Codec;
use crate::provider::claude::codec::ClaudeCodec;

fn call_begins() -> Value {
    json!({"type": "stream_event", "event": {"type": "content_block_start",
        "content_block": {"type": "tool_use", "id": "t", "name": "Bash", "input": {}}}})
}

fn call_ends() -> Value {
    json!({"type": "user", "message": {"content":
        [{"type": "tool_result", "tool_use_id": "t", "content": "x"}]}})
}

fn model_begins() -> Value {
    json!({"type": "stream_event", "event": {"type": "message_start", "message": {}}})
}

fn echo(uuid: &str) -> Value {
    json!({"type": "user", "isReplay": true, "uuid": uuid, "message": {"content": "more"}})
}

fn message(uuid: &str) -> Value {
    json!({"type": "user", "message": {"role": "user", "content": "more"},
        "parent_tool_use_id": null, "uuid": uuid})
}

fn withdrawal(id: &str, uuid: &str) -> Value {
    json!({"type": "control_request", "request_id": id,
        "request": {"subtype": "cancel_async_message", "message_uuid": uuid}})
}

fn refused(why: &str) -> String {
    format!("- | Steered {{ steer: 7, refused: Some(\"{why}\") }}\n")
}

/// Turn 1 runs, and the message `s1` is in the agent's queue.
fn written() -> ClaudeCodec {
    let mut codec = running();
    codec.next_ids.push_back("s1".to_owned());
    assert_eq!(
        lines(&ask(&mut codec, steer(1, 7, "more"))),
        [] as [Value; 0]
    );
    assert_eq!(lines(&hear(&mut codec, &call_begins())), [message("s1")]);
    codec
}

/// The same, asked back by the request `c1`.
fn asked_back() -> ClaudeCodec {
    let mut codec = written();
    hear(&mut codec, &call_ends());
    codec.next_ids.push_back("c1".to_owned());
    let out = hear(&mut codec, &model_begins());
    assert_eq!(lines(&out), [withdrawal("c1", "s1")]);
    codec
}

#[test]
fn a_steer_is_written_while_a_call_runs_and_joins_the_turn_at_its_end() {
    let mut codec = written();
    hear(&mut codec, &call_ends());
    let joined = "host 1 | Steered { steer: 7, refused: None }\n";
    assert_eq!(said(&hear(&mut codec, &echo("s1"))), joined);
    let out = hear(&mut codec, &model_begins());
    assert_eq!(
        lines(&out),
        [] as [Value; 0],
        "there is nothing to ask back"
    );
    assert!(said(&hear(&mut codec, &result())).starts_with("host 1 | Ended"));
}

#[test]
fn a_steer_into_a_running_call_is_written_at_once() {
    let mut codec = running();
    hear(&mut codec, &call_begins());
    codec.next_ids.push_back("s1".to_owned());
    assert_eq!(
        lines(&ask(&mut codec, steer(1, 7, "more"))),
        [message("s1")]
    );
}

#[test]
fn a_steer_while_the_model_speaks_is_never_sent_if_the_turn_ends_first() {
    let mut codec = running();
    hear(&mut codec, &model_begins());
    assert_eq!(
        lines(&ask(&mut codec, steer(1, 7, "more"))),
        [] as [Value; 0]
    );
    let out = hear(&mut codec, &result());
    assert_eq!(lines(&out), [] as [Value; 0]);
    assert!(
        said(&out).starts_with(&refused("the turn ended first")),
        "{}",
        said(&out)
    );
}

#[test]
fn a_steer_that_missed_its_call_is_asked_back_and_tries_the_next_one_under_a_new_name() {
    let mut codec = asked_back();
    let out = hear(&mut codec, &success("c1", json!({"cancelled": true})));
    assert_eq!(said(&out), "", "it is held");
    codec.next_ids.push_back("s2".to_owned());
    assert_eq!(lines(&hear(&mut codec, &call_begins())), [message("s2")]);
    assert!(said(&hear(&mut codec, &echo("s2"))).contains("refused: None"));
}

#[test]
fn a_steer_that_came_back_before_the_end_is_refused_at_the_end() {
    let mut codec = asked_back();
    hear(&mut codec, &success("c1", json!({"cancelled": true})));
    let out = hear(&mut codec, &result());
    assert!(
        said(&out).starts_with(&refused("the turn ended first")),
        "{}",
        said(&out)
    );
}

#[test]
fn a_steer_that_comes_back_after_the_end_is_refused() {
    let mut codec = asked_back();
    let ended = said(&hear(&mut codec, &result()));
    assert!(
        ended.starts_with("- | Background { tasks: 1 }\nhost 1 | Ended"),
        "{ended}"
    );
    let out = hear(&mut codec, &success("c1", json!({"cancelled": true})));
    let expected = refused("the turn ended first") + "- | Background { tasks: 0 }\n";
    assert_eq!(said(&out), expected);
}

#[test]
fn a_steer_that_cannot_be_taken_back_is_answered_in_a_turn_of_the_agents_own() {
    for names in [true, false] {
        let mut codec = asked_back();
        hear(&mut codec, &result());
        let out = hear(&mut codec, &success("c1", json!({"cancelled": false})));
        assert_eq!(said(&out), "- | Steered { steer: 7, refused: None }\n");
        // The next turn of the host is not taken for it.
        codec.next_ids.push_back("u2".to_owned());
        ask(&mut codec, turn(2, "next"));
        let mut line = init("s");
        if names {
            line["user_message_uuids"] = json!(["s1"]);
        }
        let begun = said(&hear(&mut codec, &line));
        assert!(begun.contains("agent 1 | AgentTurn\n"), "{begun}");
        assert!(begun.ends_with("- | Background { tasks: 0 }\n"), "{begun}");
        assert!(said(&hear(&mut codec, &result())).starts_with("agent 1 | Ended"));
        assert!(said(&hear(&mut codec, &init("s"))).contains("host 2 | Taken"));
    }
}

#[test]
fn a_steer_that_begins_its_own_turn_before_the_withdrawal_is_answered_was_taken() {
    let mut codec = written();
    codec.next_ids.push_back("c1".to_owned());
    let out = hear(&mut codec, &result());
    assert_eq!(lines(&out), [withdrawal("c1", "s1")]);
    let life = json!({"type": "command_lifecycle", "command_uuid": "s1", "state": "started"});
    assert!(said(&hear(&mut codec, &life)).starts_with("- | Steered { steer: 7, refused: None }"));
    let late = hear(&mut codec, &success("c1", json!({"cancelled": false})));
    assert_eq!(said(&late), "", "it is told once");
}

#[test]
fn an_interrupt_asks_steers_back_first() {
    let mut codec = written();
    codec.next_ids.extend(["c1".to_owned(), "i1".to_owned()]);
    let out = lines(&ask(&mut codec, interrupt(false)));
    let interrupt = json!({"type": "control_request", "request_id": "i1",
        "request": {"subtype": "interrupt"}});
    assert_eq!(out, [withdrawal("c1", "s1"), interrupt]);
    hear(&mut codec, &success("c1", json!({"cancelled": true})));
    let out = hear(&mut codec, &call_begins());
    assert_eq!(
        lines(&out),
        [] as [Value; 0],
        "an interrupted turn takes nothing more"
    );
    assert!(said(&hear(&mut codec, &result())).starts_with(&refused("the turn ended first")));
}

#[test]
fn a_steer_waits_for_its_turn_to_begin_and_is_refused_for_one_that_is_over() {
    let mut codec = sent();
    assert_eq!(said(&ask(&mut codec, steer(1, 7, "more"))), "");
    hear(&mut codec, &init("s"));
    codec.next_ids.push_back("s1".to_owned());
    assert_eq!(lines(&hear(&mut codec, &call_begins())), [message("s1")]);
    let late = ask(&mut codec, steer(0, 8, "more"));
    assert!(
        said(&late).contains("refused: Some(\"the turn is over\")"),
        "{}",
        said(&late)
    );
}

#[test]
fn the_end_of_the_output_refuses_what_was_never_written_and_nothing_else() {
    let mut codec = running();
    ask(&mut codec, steer(1, 7, "more"));
    let mut out = crate::provider::Output::default();
    codec.end_of_output(&mut out);
    assert_eq!(
        said(&out),
        "host 1 | Steered { steer: 7, refused: Some(\"the agent ended first\") }\n"
    );

    let mut out = crate::provider::Output::default();
    written().end_of_output(&mut out);
    assert_eq!(said(&out), "", "the agent may have read it");
}
