//! Changes of settings, and operations.

use std::sync::Arc;

use serde_json::{Value, json};

use super::opened::{
    FIRST, bare_greeting, methods, note, offers, opened, opened_by, options, refuse, reply,
};
use super::play::Player;
use crate::config::{Mode, PermissionMode};
use crate::error::ErrorKind;
use crate::operation::Operation;
use crate::provider::acp;
use crate::provider::{ChangeOutcome, Request, SignalBody};
use crate::settings::Change;

fn change(player: &mut Player, change: Change) {
    let change = Arc::new(change);
    player.request(Request::Change {
        conversation: FIRST,
        change,
    });
}

/// What became of the last change. `None`: it is under way.
fn changed(player: &Player) -> Option<&ChangeOutcome> {
    match player.signals.last().map(|s| &s.body) {
        Some(SignalBody::Changed(outcome)) => Some(outcome),
        _ => None,
    }
}

fn operated(player: &Player) -> Result<Value, ErrorKind> {
    match &player.signals.last().expect("an outcome").body {
        SignalBody::Operated { outcome, .. } => match outcome {
            Ok(raw) => Ok(serde_json::from_str(raw.get()).expect("JSON")),
            Err((code, _)) => Err(*code),
        },
        other => panic!("{other:?}"),
    }
}

#[test]
fn model_effort_and_mode_change_one_after_the_other() {
    let mut player = opened();
    let wanted = Change {
        model: Some("large".into()),
        effort: Some("high".into()),
        permission_mode: Some(PermissionMode::Plan),
        ..Change::default()
    };
    change(&mut player, wanted.clone());
    for _ in 0..3 {
        assert_eq!(changed(&player), None);
        reply(&mut player, json!({}));
    }
    assert_eq!(changed(&player), Some(&ChangeOutcome::Live));
    let values: Vec<_> = player
        .written
        .iter()
        .map(|l| &l["params"]["value"])
        .collect();
    assert_eq!(values, ["large", "high", "plan"]);
    player.written.clear();
    change(&mut player, wanted);
    assert_eq!(methods(&player), [""; 0], "what is so already is not said");
    assert_eq!(changed(&player), Some(&ChangeOutcome::Live));
    let back = Change {
        permission_mode: Some(PermissionMode::Default),
        ..Change::default()
    };
    change(&mut player, back);
    assert_eq!(player.written[0]["params"]["value"], "default");
}

#[test]
fn a_change_that_is_refused_says_whether_a_part_of_it_was_made() {
    let refused = |halfway| ChangeOutcome::Refused {
        message: "no".to_owned(),
        halfway,
    };
    for made in [false, true] {
        let mut player = opened();
        let wanted = Change {
            model: Some("large".into()),
            effort: Some("high".into()),
            ..Change::default()
        };
        change(&mut player, wanted);
        if made {
            reply(&mut player, json!({}));
        }
        refuse(&mut player, -32602, "no", Value::Null);
        assert_eq!(changed(&player), Some(&refused(made)));
    }
}

#[test]
fn changes_are_made_and_answered_in_their_order() {
    let mut player = opened();
    for model in ["large", "unknown", "small"] {
        let model = Some(model.to_owned());
        change(
            &mut player,
            Change {
                model,
                ..Change::default()
            },
        );
    }
    assert_eq!(player.written.len(), 1);
    reply(&mut player, json!({}));
    refuse(&mut player, -32602, "no", Value::Null);
    reply(&mut player, json!({}));
    let set: Vec<_> = player
        .written
        .iter()
        .map(|l| &l["params"]["value"])
        .collect();
    assert_eq!(set, ["large", "unknown", "small"]);
    let outcomes = player.signals.iter().filter_map(|s| match &s.body {
        SignalBody::Changed(outcome) => Some(*outcome == ChangeOutcome::Live),
        _ => None,
    });
    assert_eq!(outcomes.collect::<Vec<_>>(), [true, false, true]);
}

#[test]
fn what_cannot_be_changed_is_refused_without_a_word_to_the_agent() {
    let cases = [
        Change {
            thinking_budget: Some(1),
            ..Change::default()
        },
        Change {
            mcp_servers: Some([].into()),
            ..Change::default()
        },
        Change {
            permission_mode: Some(PermissionMode::AcceptEdits),
            ..Change::default()
        },
    ];
    for wanted in cases {
        let mut player = opened();
        change(&mut player, wanted);
        assert_eq!(changed(&player), Some(&ChangeOutcome::NeedsProcess));
        assert!(player.written.is_empty());
    }
}

#[test]
fn models_commands_and_the_context_are_told_from_what_the_agent_said() {
    let mut player = opened();
    player.operate(FIRST, Operation::ListCommands {});
    assert_eq!(
        operated(&player),
        Err(ErrorKind::AgentError),
        "not told yet"
    );
    player.operate(FIRST, Operation::ContextUsage {});
    assert_eq!(
        operated(&player),
        Err(ErrorKind::AgentError),
        "not told yet"
    );
    let commands = json!({"availableCommands": [{"name": "compact", "description": "d"}]});
    player.line(&note("available_commands_update", commands));
    player.line(&note("usage_update", json!({"used": 5, "size": 9})));
    player.operate(FIRST, Operation::ListCommands {});
    assert_eq!(
        operated(&player),
        Ok(json!({"commands": [{"name": "compact", "description": "d"}]}))
    );
    player.operate(FIRST, Operation::ContextUsage {});
    assert_eq!(
        operated(&player),
        Ok(json!({"used_tokens": 5, "window_tokens": 9}))
    );
    player.operate(FIRST, Operation::ListModels {});
    let models = operated(&player).expect("models");
    assert_eq!(models["models"][1]["id"], "large", "groups are looked into");
    assert!(player.written.is_empty());
}

#[test]
fn a_fork_is_made_and_left_for_another_process() {
    let mut player = opened_by(&acp::OPENCODE);
    player.operate(FIRST, Operation::Fork {});
    let history = note(
        "agent_message_chunk",
        json!({"content": {"type": "text", "text": "old"}}),
    );
    player.line(&history.replace("\"S\"", "\"F\""));
    reply(&mut player, json!({"sessionId": "F"}));
    assert_eq!(operated(&player), Ok(json!({"provider_session_id": "F"})));
    assert_eq!(
        player.signals.len(),
        1,
        "its history is nobody's: {:?}",
        player.signals
    );
    assert_eq!(methods(&player), ["session/fork", "session/close"]);
    player.operate(FIRST, Operation::Fork {});
    refuse(&mut player, -32603, "no", Value::Null);
    assert_eq!(operated(&player), Err(ErrorKind::AgentError));
}

#[test]
fn what_an_agent_does_not_announce_is_unsupported() {
    let mut player = Player::new(&acp::ANY, Mode::Warm);
    player.line(&bare_greeting().to_string());
    player.open(options(), None);
    let mut plain = offers("S");
    plain["configOptions"] = Value::Null;
    reply(&mut player, plain);
    let operations = [
        Operation::Fork {},
        Operation::ListModels {},
        Operation::Compact {},
        Operation::StopTasks { task: None },
    ];
    for operation in operations {
        player.operate(FIRST, operation);
        assert_eq!(operated(&player), Err(ErrorKind::Unsupported));
    }
}

#[test]
fn nothing_waits_for_an_answer_when_the_output_ends() {
    let mut player = opened();
    player.turn(FIRST, "go");
    player.steer(FIRST, "more");
    player.operate(FIRST, Operation::Fork {});
    change(
        &mut player,
        Change {
            model: Some("large".into()),
            ..Change::default()
        },
    );
    player.end_of_output();
    let answered = player.signals.iter().filter(|s| {
        matches!(
            s.body,
            SignalBody::Steered {
                refused: Some(_),
                ..
            } | SignalBody::Operated {
                outcome: Err(_),
                ..
            } | SignalBody::Changed(ChangeOutcome::NeedsProcess)
        )
    });
    assert_eq!(answered.count(), 3);
}
