//! Requests of the host and questions of the agent.

use serde_json::json;

use super::harness::{
    ask, deny, hear, init, interrupt, interrupt_of, lines, one_shot, open, result, said, sent,
    success, turn,
};
use crate::config::Mode;
use crate::provider::claude::codec::ClaudeCodec;
use crate::provider::{AgentRequest, Codec, Output, TurnRef};

#[test]
fn a_warm_process_is_ready_once_it_is_open_and_answered_in_either_order() {
    let answer = json!({"type": "control_response", "response": {"subtype": "success",
        "request_id": "r", "response": {"claude_code_version": "2.1.327"}}});
    for open_first in [true, false] {
        let mut codec = super::harness::codec(Mode::Warm, None);
        codec.next_ids.push_back("r".to_owned());
        let mut out = Output::default();
        codec.start(&mut out);
        let initialize = json!({"type": "control_request", "request_id": "r",
            "request": {"subtype": "initialize"}});
        assert_eq!(lines(&out), [initialize]);
        let ready = "- | Ready { version: Some(\"2.1.327\") }\n";
        if open_first {
            assert_eq!(said(&ask(&mut codec, open(None))), "");
            assert_eq!(said(&hear(&mut codec, &answer)), ready);
        } else {
            assert_eq!(said(&hear(&mut codec, &answer)), "");
            assert_eq!(said(&ask(&mut codec, open(None))), ready);
        }
        assert_eq!(said(&hear(&mut codec, &answer)), "", "only once");
    }
}

#[test]
fn questions_before_the_handshake_are_answered() {
    let mut codec = super::harness::codec(Mode::Warm, None);
    codec.start(&mut Output::default());
    let out = hear(
        &mut codec,
        &json!({"type": "control_request", "request_id": "q",
            "request": {"subtype": "new_thing"}}),
    );
    assert_eq!(
        lines(&out),
        [
            json!({"type": "control_response", "response": {"subtype": "error", "request_id": "q",
            "error": "new_thing is not supported by this host"}})
        ]
    );
}

#[test]
fn hooks_are_answered_without_an_opinion() {
    let out = hear(
        &mut one_shot(),
        &json!({"type": "control_request", "request_id": "h",
            "request": {"subtype": "hook_callback", "callback_id": "a"}}),
    );
    let reply = json!({"type": "control_response", "response": {"subtype": "success",
        "request_id": "h", "response": {}}});
    assert_eq!(lines(&out), [reply]);
    assert_eq!(said(&out), "");
}

#[test]
fn a_denial_is_written_once_and_in_the_words_of_the_question() {
    let mut codec = sent();
    hear(&mut codec, &init("s"));
    let mut next = 0;
    for (request, reply) in [
        (
            json!({"subtype": "can_use_tool", "tool_name": "Bash", "input": {}, "tool_use_id": "t"}),
            json!({"behavior": "deny", "message": "no"}),
        ),
        (
            json!({"subtype": "elicitation", "mcp_server_name": "x", "message": "?"}),
            json!({"action": "decline"}),
        ),
    ] {
        next += 1;
        let question = json!({"type": "control_request", "request_id": "q", "request": request});
        assert!(said(&hear(&mut codec, &question)).starts_with("host 1 | Asked"));
        let out = ask(&mut codec, deny(AgentRequest(next), "no"));
        let written = json!({"type": "control_response", "response": {"subtype": "success",
            "request_id": "q", "response": reply}});
        assert_eq!(lines(&out), [written]);
        let again = ask(&mut codec, deny(AgentRequest(next), "no"));
        assert_eq!(again.bytes, b"", "settled");
    }
}

#[test]
fn a_withdrawn_question_is_no_longer_answered() {
    let mut codec = sent();
    hear(&mut codec, &init("s"));
    let request = json!({"subtype": "can_use_tool", "tool_name": "Write", "input": {}});
    hear(
        &mut codec,
        &json!({"type": "control_request", "request_id": "q", "request": request}),
    );
    let cancel = json!({"type": "control_cancel_request", "request_id": "q"});
    let withdrawn = "host 1 | Withdrawn { request: AgentRequest(1) }\n";
    assert_eq!(said(&hear(&mut codec, &cancel)), withdrawn);
    assert_eq!(said(&hear(&mut codec, &cancel)), "");
    assert_eq!(ask(&mut codec, deny(AgentRequest(1), "no")).bytes, b"");
}

#[test]
fn an_interrupt_waits_for_the_turn_and_is_written_once() {
    let mut codec = sent();
    assert_eq!(
        ask(&mut codec, interrupt(false)).bytes,
        b"",
        "the agent does not work yet"
    );
    codec.next_ids.push_back("i".to_owned());
    let out = hear(&mut codec, &init("s"));
    let request = json!({"type": "control_request", "request_id": "i",
        "request": {"subtype": "interrupt"}});
    assert_eq!(lines(&out), [request]);
    assert_eq!(
        ask(&mut codec, interrupt(false)).bytes,
        b"",
        "once for one turn"
    );
    let end = json!({"type": "result", "subtype": "error_during_execution", "is_error": true,
        "terminal_reason": "aborted_streaming", "errors": ["[ede_diagnostic] x"]});
    assert!(said(&hear(&mut codec, &end)).contains("outcome: Interrupted"));
    assert_eq!(ask(&mut codec, interrupt(false)).bytes, b"", "nothing runs");
}

/// The agent's own first turn runs, and the host's first waits behind it.
fn behind() -> ClaudeCodec {
    let mut codec = one_shot();
    hear(&mut codec, &init("s"));
    codec.next_ids.push_back("u1".to_owned());
    ask(&mut codec, turn(1, "hi"));
    codec.next_ids.push_back("i1".to_owned());
    codec
}

#[test]
fn an_interrupt_of_the_agents_own_turn_leaves_the_hosts_that_waits_behind_it() {
    let mut codec = behind();
    let out = lines(&ask(&mut codec, interrupt_of(TurnRef::Agent(1), false)));
    let request = json!({"type": "control_request", "request_id": "i1",
        "request": {"subtype": "interrupt"}});
    assert_eq!(out, [request]);
    hear(&mut codec, &result());
    assert_eq!(lines(&hear(&mut codec, &init("s"))), [json!(null); 0]);
    let end = said(&hear(&mut codec, &result()));
    assert!(
        end.contains("host 1 |") && end.contains("Completed"),
        "{end}"
    );
}

#[test]
fn an_interrupt_of_a_waiting_turn_takes_its_message_back_and_leaves_the_agents_own() {
    let mut codec = behind();
    let request = json!({"type": "control_request", "request_id": "i1",
        "request": {"subtype": "cancel_async_message", "message_uuid": "u1"}});
    assert_eq!(lines(&ask(&mut codec, interrupt(false))), [request]);
    let end = said(&hear(
        &mut codec,
        &success("i1", json!({"cancelled": true})),
    ));
    assert!(
        end.contains("host 1 |") && end.contains("Interrupted"),
        "{end}"
    );
    let end = said(&hear(&mut codec, &result()));
    assert!(
        end.contains("agent 1 |") && end.contains("Completed"),
        "{end}"
    );
}

#[test]
fn a_waiting_turn_that_the_agent_does_not_give_back_is_interrupted_when_it_begins() {
    let mut codec = behind();
    ask(&mut codec, interrupt(false));
    assert_eq!(
        said(&hear(
            &mut codec,
            &success("i1", json!({"cancelled": false}))
        )),
        ""
    );
    hear(&mut codec, &result());
    let out = lines(&hear(&mut codec, &init("s")));
    assert_eq!(out[0]["request"], json!({"subtype": "interrupt"}));
    assert_eq!(out.len(), 1);
}

#[test]
fn a_one_shot_process_gets_the_end_of_input_with_the_end_of_its_turn() {
    let mut codec = sent();
    assert!(!hear(&mut codec, &init("s")).close_stdin);
    let out = hear(&mut codec, &result());
    assert!(out.close_stdin);
}

#[test]
fn the_message_is_written_as_it_is() {
    let mut codec = one_shot();
    codec.next_ids.push_back("u1".to_owned());
    let text = "/x \"quoted\"\n\u{2028}\u{0}ä";
    let out = ask(&mut codec, turn(1, text));
    assert_eq!(
        lines(&out),
        [
            json!({"type": "user", "message": {"role": "user", "content": text},
            "parent_tool_use_id": null, "uuid": "u1"})
        ]
    );
}

#[test]
fn a_turn_that_nobody_asked_for_is_the_agents_own() {
    let mut codec = one_shot();
    let out = hear(&mut codec, &init("s"));
    assert!(
        said(&out).contains("agent 1 | AgentTurn\n"),
        "{}",
        said(&out)
    );
    let out = hear(&mut codec, &result());
    assert!(said(&out).starts_with("agent 1 | Ended"), "{}", said(&out));
    assert!(!out.close_stdin);
}

#[test]
fn a_message_that_the_agents_own_turn_takes_in_makes_it_the_hosts() {
    for take in [
        json!({"type": "user", "isReplay": true, "uuid": "u1", "message": {"content": "hi"}}),
        json!({"type": "command_lifecycle", "command_uuid": "u1", "state": "started"}),
    ] {
        let mut codec = one_shot();
        hear(&mut codec, &init("s"));
        codec.next_ids.push_back("u1".to_owned());
        ask(&mut codec, turn(1, "hi"));
        let text = said(&hear(&mut codec, &take));
        let (first, second) = text.split_once('\n').expect("two signals");
        assert!(first.starts_with("agent 1 | Ended"), "{text}");
        assert_eq!(second, "host 1 | Taken\n");
        assert!(said(&hear(&mut codec, &result())).contains("host 1 | Ended"));
    }
}

#[test]
fn a_follow_up_that_begins_just_before_the_hosts_turn_is_not_taken_for_it() {
    let mut codec = one_shot();
    let started = json!({"type": "system", "subtype": "task_started", "task_id": "t"});
    hear(&mut codec, &started);
    let done = json!({"type": "system", "subtype": "task_notification", "task_id": "t",
        "status": "completed"});
    hear(&mut codec, &done);
    codec.next_ids.push_back("u1".to_owned());
    ask(&mut codec, turn(1, "hi"));
    assert!(said(&hear(&mut codec, &init("s"))).contains("agent 1 | AgentTurn"));
    let end = json!({"type": "result", "subtype": "success", "is_error": false,
        "origin": {"kind": "task-notification"}});
    assert!(said(&hear(&mut codec, &end)).starts_with("agent 1 | Ended"));
    assert!(said(&hear(&mut codec, &init("s"))).contains("host 1 | Taken"));
    assert!(said(&hear(&mut codec, &result())).starts_with("host 1 | Ended"));
}

#[test]
fn a_message_that_is_queued_behind_a_turn_shows_that_the_turn_was_another() {
    let mut codec = sent();
    assert!(said(&hear(&mut codec, &init("s"))).contains("host 1 | Taken"));
    let life = |state| json!({"type": "command_lifecycle", "command_uuid": "u1", "state": state});
    assert_eq!(
        said(&hear(&mut codec, &life("queued"))),
        "agent 1 | AgentTurn\n"
    );
    assert!(said(&hear(&mut codec, &result())).starts_with("agent 1 | Ended"));
    hear(&mut codec, &life("started"));
    assert!(said(&hear(&mut codec, &result())).starts_with("host 1 | Ended"));
}

#[test]
fn a_whole_turn_before_the_agent_has_read_the_message_is_not_the_hosts() {
    let mut codec = sent();
    let life =
        |uuid, state| json!({"type": "command_lifecycle", "command_uuid": uuid, "state": state});
    // From here on it is known that this agent announces what it begins with.
    for line in [
        life("u1", "queued"),
        life("u1", "started"),
        init("s"),
        result(),
    ] {
        hear(&mut codec, &line);
    }
    codec.next_ids.push_back("u2".to_owned());
    ask(&mut codec, turn(2, "more"));
    assert!(said(&hear(&mut codec, &init("s"))).contains("agent 1 | AgentTurn"));
    assert!(said(&hear(&mut codec, &result())).starts_with("agent 1 | Ended"));
    assert!(said(&hear(&mut codec, &life("u2", "queued"))).contains("host 2 | Taken"));
    hear(&mut codec, &life("u2", "started"));
    hear(&mut codec, &init("s"));
    assert!(said(&hear(&mut codec, &result())).starts_with("host 2 | Ended"));
}

#[test]
fn a_cleared_conversation_is_bound_anew() {
    let mut codec = sent();
    assert!(said(&hear(&mut codec, &init("old"))).contains("provider_session_id: \"old\""));
    assert_eq!(said(&hear(&mut codec, &init("old"))), "");
    assert!(said(&hear(&mut codec, &init("new"))).contains("provider_session_id: \"new\""));
}

#[test]
fn a_turn_for_a_conversation_that_cannot_be_resumed_fails_with_that_reason() {
    let failure = json!({"type": "result", "subtype": "error_during_execution", "is_error": true,
        "num_turns": 0, "errors": ["No conversation found with session ID: x"]});
    let expected = "Failed { code: ResumeFailed, message: \"No conversation found";
    for turn_first in [true, false] {
        let mut codec = super::harness::codec(Mode::OneShot, Some("x"));
        ask(&mut codec, open(Some("x")));
        let text = if turn_first {
            ask(&mut codec, turn(1, "hi"));
            said(&hear(&mut codec, &failure))
        } else {
            let refused = said(&hear(&mut codec, &failure));
            assert!(
                refused.starts_with("- | Refused { code: ResumeFailed"),
                "{refused}"
            );
            said(&ask(&mut codec, turn(1, "hi")))
        };
        assert!(
            text.starts_with("host 1 | Ended") && text.contains(expected),
            "{text}"
        );
    }
}

#[test]
fn background_work_counts_until_its_follow_up_turn_begins() {
    let mut codec = sent();
    hear(&mut codec, &init("s"));
    let started = json!({"type": "system", "subtype": "task_started", "task_id": "t"});
    assert_eq!(
        said(&hear(&mut codec, &started)),
        "- | Background { tasks: 1 }\n"
    );
    hear(&mut codec, &result());
    let done = json!({"type": "system", "subtype": "task_notification", "task_id": "t",
        "status": "completed"});
    assert_eq!(said(&hear(&mut codec, &done)), "", "a turn is owed");
    let text = said(&hear(&mut codec, &init("s")));
    assert_eq!(text, "agent 1 | AgentTurn\n- | Background { tasks: 0 }\n");
}

#[test]
fn an_idle_agent_owes_no_follow_up_turn() {
    let mut codec = one_shot();
    let started = json!({"type": "system", "subtype": "task_started", "task_id": "t"});
    assert_eq!(
        said(&hear(&mut codec, &started)),
        "- | Background { tasks: 1 }\n"
    );
    let done = json!({"type": "system", "subtype": "task_notification", "task_id": "t",
        "status": "failed"});
    assert_eq!(said(&hear(&mut codec, &done)), "", "a turn is owed");
    let idle = json!({"type": "system", "subtype": "session_state_changed", "state": "idle"});
    assert_eq!(
        said(&hear(&mut codec, &idle)),
        "- | Background { tasks: 0 }\n"
    );
}
