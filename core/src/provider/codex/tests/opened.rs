//! An app-server with one open conversation, and the lines it may say.

use serde_json::{Value, json};

use super::play::Player;
use crate::config::{Mode, SessionOptions};
use crate::event::{Body, WarningCode};
use crate::provider::{Conversation, Outcome, SignalBody, TurnRef};

pub(super) const GREETING: &str = r#"{"id":1,"result":{"userAgent":"remuda/0.169.0 (x)"}}"#;
pub(super) const FIRST: Conversation = Conversation(0);

pub(super) fn options() -> SessionOptions {
    SessionOptions::new("codex", "/project")
}

/// An app-server with one conversation, thread `T`; our next request has the id 3.
pub(super) fn opened() -> Player {
    let mut player = Player::new(Mode::Warm);
    player.open(options(), None);
    player.line(GREETING);
    player.line(r#"{"id":2,"result":{"thread":{"id":"T"},"model":"m"}}"#);
    player.signals.clear();
    player.written.clear();
    player
}

pub(super) fn started(turn: &str) -> String {
    note(
        "turn/started",
        &json!({"threadId": "T", "turn": {"id": turn, "status": "inProgress"}}),
    )
}

pub(super) fn completed(turn: &str, status: &str) -> String {
    note(
        "turn/completed",
        &json!({"threadId": "T", "turn": {"id": turn, "status": status}}),
    )
}

pub(super) fn note(method: &str, params: &Value) -> String {
    json!({"method": method, "params": params}).to_string()
}

pub(super) fn answer(id: u64, turn: &str) -> String {
    json!({"id": id, "result": {"turn": {"id": turn}}}).to_string()
}

pub(super) fn methods(player: &Player) -> Vec<&str> {
    player
        .written
        .iter()
        .filter_map(|v| v["method"].as_str())
        .collect()
}

/// The ends so far, and whose they are.
pub(super) fn ends(player: &Player) -> Vec<(TurnRef, Outcome)> {
    let ends = player.signals.iter().filter_map(|s| match &s.body {
        SignalBody::Ended(end) => Some((s.turn, end.outcome.clone())),
        _ => None,
    });
    ends.collect()
}

pub(super) fn warnings(player: &Player) -> Vec<(WarningCode, String)> {
    let warnings = player.signals.iter().filter_map(|s| match &s.body {
        SignalBody::Show(Body::Warning { code, message }) => Some((*code, message.clone())),
        _ => None,
    });
    warnings.collect()
}
