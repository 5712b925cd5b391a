//! A conversation that is open, and lines of an agent to say in it.

use serde_json::{Value, json};

use super::play::Player;
use crate::config::{Mode, SessionOptions};
use crate::event::{Body, WarningCode};
use crate::provider::acp::{self, AcpAgent};
use crate::provider::{Conversation, Outcome, SignalBody, TurnEnd};

pub(super) const FIRST: Conversation = Conversation(0);

pub(super) fn options() -> SessionOptions {
    SessionOptions::new("acp", "/project")
}

/// The answer to `initialize` of an agent that can do everything.
pub(super) fn greeting() -> Value {
    json!({"id": 1, "result": {
        "protocolVersion": 1,
        "agentInfo": {"name": "a", "version": "7.1"},
        "agentCapabilities": {
            "loadSession": true,
            "promptCapabilities": {"image": true, "embeddedContext": true},
            "mcpCapabilities": {"http": true},
            "sessionCapabilities": {"resume": {}, "close": {}, "fork": {}, "list": {}},
        },
        "_meta": {"steering": {"supported": true}},
    }})
}

/// The answer of an agent that can do nothing beside talking.
pub(super) fn bare_greeting() -> Value {
    json!({"id": 1, "result": {"protocolVersion": 1}})
}

/// What a conversation offers, in the newest words.
pub(super) fn offers(session: &str) -> Value {
    let choices = |values: [&str; 2]| values.map(|v| json!({"value": v, "name": v}));
    json!({"sessionId": session, "configOptions": [
        {"id": "m", "category": "model", "type": "select", "currentValue": "small",
         "options": [{"group": "all", "options": choices(["small", "large"])}]},
        {"id": "t", "category": "thought_level", "type": "select", "currentValue": "low",
         "options": choices(["low", "high"])},
        {"id": "p", "category": "mode", "type": "select", "currentValue": "default",
         "options": choices(["default", "plan"])},
    ]})
}

/// One that offers the same in the oldest words.
pub(super) fn old_offers(session: &str) -> Value {
    json!({"sessionId": session,
        "modes": {"currentModeId": "default",
                  "availableModes": [{"id": "default"}, {"id": "plan"}, {"id": "yolo"}]},
        "models": {"currentModelId": "small",
                   "availableModels": [{"modelId": "small", "name": "Small"}]}})
}

/// An agent after its handshake.
pub(super) fn greeted(agent: &AcpAgent) -> Player {
    let mut player = Player::new(agent, Mode::Warm);
    player.line(&greeting().to_string());
    player
}

/// A conversation `S` that takes turns, with what came before it cleared away.
pub(super) fn opened_by(agent: &AcpAgent) -> Player {
    let mut player = greeted(agent);
    player.open(options(), None);
    player.line(&json!({"id": 2, "result": offers("S")}).to_string());
    assert!(matches!(
        player.signals.last().map(|s| &s.body),
        Some(SignalBody::Ready { .. })
    ));
    player.signals.clear();
    player.written.clear();
    player
}

pub(super) fn opened() -> Player {
    opened_by(&acp::ANY)
}

/// An update of conversation `S`.
pub(super) fn note(kind: &str, mut members: Value) -> String {
    members["sessionUpdate"] = kind.into();
    let params = json!({"sessionId": "S", "update": members});
    json!({"jsonrpc": "2.0", "method": "session/update", "params": params}).to_string()
}

pub(super) fn said(text: &str) -> String {
    note(
        "agent_message_chunk",
        json!({"content": {"type": "text", "text": text}}),
    )
}

/// The answer to the request that was written last.
pub(super) fn reply(player: &mut Player, result: Value) {
    let id = last_id(player);
    player.line(&json!({"id": id, "result": result}).to_string());
}

/// The refusal of the request that was written last.
pub(super) fn refuse(player: &mut Player, code: i64, message: &str, data: Value) {
    let error = json!({"code": code, "message": message, "data": data});
    let id = last_id(player);
    player.line(&json!({"id": id, "error": error}).to_string());
}

fn last_id(player: &Player) -> u64 {
    let asked = player.written.iter().rev();
    let mut asked = asked.filter(|line| line.get("method").is_some());
    let ids = asked.find_map(|line| line["id"].as_u64());
    ids.expect("a request was written")
}

pub(super) fn methods(player: &Player) -> Vec<&str> {
    let written = player.written.iter();
    written.filter_map(|line| line["method"].as_str()).collect()
}

/// What was shown, without signs of life.
pub(super) fn shown(player: &Player) -> Vec<&Body> {
    let signals = player.signals.iter();
    let bodies = signals.filter_map(|s| match &s.body {
        SignalBody::Show(body) => Some(body),
        _ => None,
    });
    bodies.collect()
}

pub(super) fn ends(player: &Player) -> Vec<&TurnEnd> {
    let signals = player.signals.iter();
    let ends = signals.filter_map(|s| match &s.body {
        SignalBody::Ended(end) => Some(&**end),
        _ => None,
    });
    ends.collect()
}

pub(super) fn outcomes(player: &Player) -> Vec<&Outcome> {
    ends(player).iter().map(|end| &end.outcome).collect()
}

pub(super) fn warnings(player: &Player) -> Vec<(WarningCode, &str)> {
    let bodies = shown(player).into_iter();
    let warnings = bodies.filter_map(|body| match body {
        Body::Warning { code, message } => Some((*code, message.as_str())),
        _ => None,
    });
    warnings.collect()
}

/// Why the last conversation was refused.
pub(super) fn refusal(player: &Player) -> (crate::error::ErrorKind, &str) {
    match player.signals.last().map(|s| &s.body) {
        Some(SignalBody::Refused { code, message }) => (*code, message),
        other => panic!("{other:?}"),
    }
}
