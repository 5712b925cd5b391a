//! Lines that are too long to be read.

use serde_json::json;

use super::opened::{FIRST, methods, note, opened, outcomes, shown};
use super::play::Player;
use crate::config::Mode;
use crate::error::ErrorKind;
use crate::event::Body;
use crate::operation::Operation;
use crate::provider::acp;
use crate::provider::{Outcome, SignalBody};

#[test]
fn an_end_of_a_turn_that_is_too_long_ends_it_and_the_next_turn_runs() {
    let mut player = opened();
    player.turn(FIRST, "go");
    player.skipped(r#"{"jsonrpc":"2.0","id":3,"result":{"stopReason":"end_turn","_meta":{"all":"#);
    let message = "the end of the turn is a line of 70000 bytes or more, longer than max_line";
    let lost = Outcome::Failed {
        code: ErrorKind::ProtocolError,
        message: message.to_owned(),
    };
    assert_eq!(outcomes(&player), [&lost]);
    player.turn(FIRST, "again");
    assert_eq!(methods(&player).last(), Some(&"session/prompt"));
    player.skipped(r#"{"id":3,"result":{"#);
    assert_eq!(
        outcomes(&player).len(),
        1,
        "an end that is known ends nothing"
    );
}

#[test]
fn an_answer_that_is_too_long_is_a_refusal() {
    let mut player = Player::new(&acp::ANY, Mode::Warm);
    player.open(super::opened::options(), None);
    player.skipped(r#"{"id":1,"result":{"protocolVersion":1,"#);
    assert!(matches!(
        player.signals.last().map(|s| &s.body),
        Some(SignalBody::Broken { message }) if message.contains("the answer is a line of")
    ));

    let mut player = opened();
    player.operate(FIRST, Operation::Fork {});
    player.skipped(r#"{"id":3,"error":{"message":""#);
    assert!(matches!(
        player.signals.last().map(|s| &s.body),
        Some(SignalBody::Operated {
            outcome: Err(_),
            ..
        })
    ));
}

#[test]
fn a_question_that_is_too_long_is_refused_wherever_its_method_stands() {
    let mut player = opened();
    player.turn(FIRST, "go");
    player.written.clear();
    player.skipped(r#"{"id":3,"method":"session/request_permission","params":{"sessionId":"S","#);
    player.skipped(r#"{"id":3,"jsonrpc":"2.0","params":{"sessionId":"S","content":""#);
    let refused: Vec<_> = player
        .written
        .iter()
        .map(|line| (&line["id"], &line["error"]["code"]))
        .collect();
    assert_eq!(refused, [(&json!(3), &json!(-32603)); 2]);
    assert!(
        outcomes(&player).is_empty(),
        "it is no end of the turn of that number"
    );
}

#[test]
fn a_tool_whose_result_is_too_long_has_ended() {
    let mut player = opened();
    player.turn(FIRST, "go");
    let call =
        json!({"toolCallId": "t", "kind": "read", "status": "pending", "rawInput": {"path": "/a"}});
    player.line(&note("tool_call", call));
    let update = |status: &str, id: &str| {
        format!(
            r#"{{"method":"session/update","params":{{"sessionId":"S","update":{{"sessionUpdate":"tool_call_update","toolCallId":"{id}","status":"{status}","content":["#
        )
    };
    player.skipped(&update("in_progress", "t"));
    assert!(shown(&player).is_empty(), "it goes on");
    player.skipped(&update("completed", "t"));
    player.skipped(&update("completed", "t"));
    let results: Vec<_> = shown(&player)
        .into_iter()
        .filter_map(|body| match body {
            Body::ToolResult {
                id, is_error, text, ..
            } => Some((id.as_str(), *is_error, text.as_str())),
            _ => None,
        })
        .collect();
    let why = "the result is a line of 70000 bytes or more, longer than max_line";
    assert_eq!(results, [("t", true, why)]);
}

#[test]
fn other_lines_and_what_is_no_json_change_nothing() {
    let mut player = opened();
    player.turn(FIRST, "go");
    let before = player.written.len();
    for head in [
        "",
        "[[[",
        "no json",
        r#"{"id":99,"result":{"#,
        r#"{"id":99"#,
        r#"{"method":"session/update","params":{"sessionId":"other","update":{"toolCallId":"t","status":"failed","#,
        r#"{"method":"session/update","params":{"sessionId":"S","update":{"sessionUpdate":"agent_message_chunk","#,
    ] {
        player.skipped(head);
    }
    assert!(player.signals.is_empty());
    let refused = player.written.len() - before;
    assert_eq!(refused, 1, "of a number alone nobody knows what it is");
}
