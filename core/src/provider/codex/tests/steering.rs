//! Messages into a running turn: each joins or is refused, once.

use serde_json::{Value, json};

use super::opened::{FIRST, answer, completed, methods, note, opened, started};
use super::play::{Player, play};
use crate::provider::{Conversation, SignalBody};

/// What became of each message, in order.
fn steered(player: &Player) -> Vec<(u64, Option<&str>)> {
    let steered = player.signals.iter().filter_map(|s| match &s.body {
        SignalBody::Steered { steer, refused } => Some((*steer, refused.as_deref())),
        _ => None,
    });
    steered.collect()
}

const TOO_LATE: Option<&str> = Some("the turn ended before the agent took the message");

/// A running host turn `U`; our next request has the id 4.
fn running() -> Player {
    let mut player = opened();
    player.turn(FIRST, "go");
    player.line(&answer(3, "U"));
    player.line(&started("U"));
    player
}

/// The agent shows a message as part of the turn.
fn joins(mark: &str) -> String {
    let item = json!({"type": "userMessage", "id": mark, "clientId": mark, "content": []});
    note(
        "item/started",
        &json!({"threadId": "T", "turnId": "U", "item": item}),
    )
}

#[test]
fn a_message_has_joined_when_the_agent_shows_it_and_not_when_it_accepts_it() {
    let mut player = running();
    player.steer(FIRST, "more");
    assert_eq!(
        player.written[1]["params"],
        json!({
            "threadId": "T",
            "expectedTurnId": "U",
            "input": [{"type": "text", "text": "more"}],
            "clientUserMessageId": "remuda-steer-1",
        })
    );
    player.line(r#"{"id":4,"result":{"turnId":"U"}}"#);
    assert_eq!(steered(&player), []);
    player.line(&joins("remuda-steer-1"));
    player.line(&joins("remuda-steer-1"));
    player.line(&completed("U", "completed"));
    assert_eq!(steered(&player), [(1, None)]);
}

#[test]
fn a_message_that_was_accepted_and_dropped_is_refused_before_the_turns_end() {
    let mut player = running();
    player.steer(FIRST, "more");
    player.line(r#"{"id":4,"result":{"turnId":"U"}}"#);
    player.line(&completed("U", "interrupted"));
    assert_eq!(steered(&player), [(1, TOO_LATE)]);
    assert!(matches!(
        player.signals.last().map(|s| &s.body),
        Some(SignalBody::Ended(_))
    ));
}

#[test]
fn a_refusal_that_comes_after_the_turns_end_adds_nothing() {
    let mut player = running();
    player.steer(FIRST, "more");
    player.line(&completed("U", "completed"));
    player.line(r#"{"id":4,"error":{"code":-32600,"message":"no active turn to steer"}}"#);
    assert_eq!(steered(&player), [(1, TOO_LATE)]);
}

#[test]
fn a_refused_message_is_said_with_the_servers_words() {
    let mut player = running();
    player.steer(FIRST, "more");
    player.line(r#"{"id":4,"error":{"code":-32600,"message":"cannot steer a review turn"}}"#);
    player.line(&completed("U", "completed"));
    assert_eq!(steered(&player), [(1, Some("cannot steer a review turn"))]);
}

#[test]
fn a_message_for_a_turn_without_an_id_waits_for_it() {
    let mut player = opened();
    player.turn(FIRST, "go");
    player.steer(FIRST, "more");
    assert_eq!(methods(&player), ["turn/start"]);
    player.line(&answer(3, "U"));
    assert_eq!(methods(&player), ["turn/start", "turn/steer"]);
    assert_eq!(player.written[1]["params"]["expectedTurnId"], "U");
}

#[test]
fn a_message_for_no_turn_or_no_conversation_is_refused_at_once() {
    let mut player = running();
    player.line(&completed("U", "completed"));
    player.steer(FIRST, "late");
    player.steer(Conversation(7), "nobody");
    assert_eq!(
        steered(&player),
        [
            (1, Some("the turn is over")),
            (2, Some("the conversation is not open"))
        ]
    );
    assert_eq!(methods(&player), ["turn/start"]);
}

#[test]
fn the_end_of_the_process_refuses_what_was_never_sent_and_nothing_else() {
    let mut player = opened();
    player.turn(FIRST, "go");
    player.steer(FIRST, "more");
    player.end_of_output();
    assert_eq!(steered(&player), [(1, Some("the process ended first"))]);

    let mut player = running();
    player.steer(FIRST, "more");
    player.end_of_output();
    assert_eq!(steered(&player), [], "the agent may have read it");
}

#[test]
fn the_captures_messages_join_or_not_as_they_did() {
    for (name, outcome) in [
        ("11-steer-during-command", vec![(1, None)]),
        ("11-steer-instant-interrupt-off", vec![(1, None)]),
        (
            "11-steer",
            vec![
                (1, Some("expected active turn id")),
                (2, None),
                (3, Some("the turn is over")),
            ],
        ),
    ] {
        let player = play(name);
        let shown = steered(&player);
        assert_eq!(shown.len(), outcome.len(), "{name}: {shown:?}");
        for (shown, wanted) in shown.iter().zip(outcome) {
            let why = shown.1.unwrap_or_default();
            assert!(
                why.starts_with(wanted.1.unwrap_or_default()),
                "{name}: {why}"
            );
            assert_eq!(
                (shown.0, shown.1.is_some()),
                (wanted.0, wanted.1.is_some()),
                "{name}"
            );
        }
        let first: Vec<&Value> = player
            .written
            .iter()
            .filter(|w| w["method"] == "turn/steer")
            .collect();
        assert!(!first.is_empty(), "{name}");
    }
}
