//! Lines that are too long to be read.

use serde_json::json;

use super::opened::{FIRST, GREETING, answer, ends, note, opened, options, started};
use super::play::Player;
use crate::config::Mode;
use crate::error::ErrorKind;
use crate::event::Body;
use crate::provider::{Outcome, SignalBody, TurnRef};

fn lost() -> Outcome {
    Outcome::Failed {
        code: ErrorKind::ProtocolError,
        message: "the end of the turn is a line of 70000 bytes or more, longer than max_line"
            .to_owned(),
    }
}

/// Tools that are done, and whether they failed.
fn done(player: &Player) -> Vec<(&str, bool)> {
    let done = player.signals.iter().filter_map(|s| match &s.body {
        SignalBody::Show(Body::ToolResult { id, is_error, .. }) => Some((&**id, *is_error)),
        _ => None,
    });
    done.collect()
}

#[test]
fn an_end_of_a_turn_that_is_too_long_ends_it_and_the_next_turn_runs() {
    let mut player = opened();
    let turn = player.turn(FIRST, "go");
    player.line(&answer(3, "U"));
    player.line(&started("U"));
    player.skipped(
        r#"{"method":"turn/completed","params":{"threadId":"T","turn":{"id":"U","items":["#,
    );
    assert_eq!(ends(&player), [(TurnRef::Host(turn), lost())]);
    player.turn(FIRST, "again");
    assert_eq!(
        player.written.last().map(|w| &w["method"]),
        Some(&json!("turn/start"))
    );
}

#[test]
fn the_end_of_an_unknown_turn_or_thread_ends_nothing() {
    let mut player = opened();
    player.turn(FIRST, "go");
    player.line(&answer(3, "U"));
    for (thread, turn) in [("T", "other"), ("other", "U"), ("", "")] {
        player.skipped(&format!(
            r#"{{"method":"turn/completed","params":{{"threadId":"{thread}","turn":{{"id":"{turn}","#
        ));
    }
    assert_eq!(ends(&player), []);
}

#[test]
fn an_item_that_is_too_long_is_done_once() {
    let mut player = opened();
    player.turn(FIRST, "go");
    player.line(&answer(3, "U"));
    player.line(&started("U"));
    let item = json!({"type": "commandExecution", "id": "c", "command": "ls", "cwd": "/",
        "status": "inProgress", "commandActions": []});
    let params = json!({"threadId": "T", "turnId": "U", "item": item});
    player.line(&note("item/started", &params));
    let head = r#"{"method":"item/completed","params":{"item":{"type":"commandExecution","id":"c","aggregatedOutput":"x"#;
    player.skipped(head);
    player.skipped(head);
    assert_eq!(done(&player), [("c", false)]);
}

#[test]
fn a_question_that_is_too_long_is_refused() {
    let mut player = opened();
    player.skipped(r#"{"method":"item/fileChange/requestApproval","id":0,"params":{"reason":"x"#);
    let message = "the question is a line of 70000 bytes or more, longer than max_line";
    let refusal = json!({"id": 0, "error": {"code": -32603, "message": message}});
    assert_eq!(player.written, [refusal]);
}

#[test]
fn a_conversation_whose_answer_is_too_long_is_refused_at_once() {
    let mut player = Player::new(Mode::Warm);
    player.open(options(), Some("T"));
    player.line(GREETING);
    player.skipped(r#"{"id":2,"result":{"thread":{"id":"T","turns":["#);
    let refused = player.signals.iter().find_map(|s| match &s.body {
        SignalBody::Refused { code, message } => Some((*code, message.clone())),
        _ => None,
    });
    let message = "the answer is a line of 70000 bytes or more, longer than max_line".to_owned();
    assert_eq!(refused, Some((ErrorKind::AgentError, message)));
}

#[test]
fn an_end_of_a_one_shot_turn_that_is_too_long_ends_it() {
    let mut player = Player::new(Mode::OneShot);
    player.open(options(), None);
    let turn = player.turn(FIRST, "go");
    player.skipped(r#"{"type":"turn.completed","usage":{"x"#);
    assert_eq!(ends(&player), [(TurnRef::Host(turn), lost())]);
}
