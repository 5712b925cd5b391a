//! Operations: what is asked, what is given, and that each is answered once.

use serde_json::{Value, json};

use super::opened::{FIRST, completed, methods, note, opened, started};
use super::play::{Player, play};
use crate::error::ErrorKind;
use crate::operation::Operation;
use crate::provider::{Conversation, SignalBody};

type Outcome = Result<Value, (ErrorKind, String)>;

fn operated(player: &Player) -> Vec<Outcome> {
    let outcomes = player.signals.iter().filter_map(|s| match &s.body {
        SignalBody::Operated { outcome, .. } => Some(match outcome {
            Ok(raw) => Ok(serde_json::from_str(raw.get()).expect("JSON")),
            Err(error) => Err(error.clone()),
        }),
        _ => None,
    });
    outcomes.collect()
}

/// Does an operation: what is asked of the agent, and what it gives when the agent answers so.
fn does(operation: Operation, result: &Value) -> (String, Value, Vec<Outcome>) {
    let mut player = opened();
    player.operate(FIRST, operation);
    let asked = player.written[0].clone();
    player.line(&json!({"id": 3, "result": result}).to_string());
    let method = asked["method"].as_str().expect("a method").to_owned();
    (method, asked["params"].clone(), operated(&player))
}

#[test]
fn each_operation_asks_by_its_method_and_gives_what_it_promises() {
    let thread = json!({"threadId": "T"});
    let stopped = |task: Option<&str>| Operation::StopTasks {
        task: task.map(str::to_owned),
    };
    let before = || "U".to_owned();
    let cases = [
        (
            Operation::Compact {},
            "thread/compact/start",
            thread.clone(),
            json!({}),
            json!({}),
        ),
        (
            Operation::ListModels {},
            "model/list",
            json!({"limit": 100}),
            json!({"data": [{"id": "i", "model": "m", "displayName": "M", "description": "d"}], "nextCursor": null}),
            json!({"models": [{"id": "m", "name": "M", "model": "m", "displayName": "M", "description": "d"}]}),
        ),
        (
            Operation::ListCommands {},
            "skills/list",
            json!({"cwds": ["/project"]}),
            json!({"data": [{"cwd": "/project", "skills": [{"name": "s", "description": "d"}]}]}),
            json!({"commands": [{"name": "s", "description": "d"}]}),
        ),
        (
            Operation::McpStatus {},
            "mcpServerStatus/list",
            json!({"threadId": "T", "limit": 100}),
            json!({"data": [{"name": "n", "runtimeStatus": "connected"}]}),
            json!({"servers": [{"name": "n", "status": "connected", "runtimeStatus": "connected"}]}),
        ),
        (
            Operation::Rewind { before: before() },
            "thread/revert",
            json!({"threadId": "T", "beforeTurnId": "U"}),
            json!({"thread": {"id": "T"}}),
            json!({}),
        ),
        (
            Operation::Fork {},
            "thread/fork",
            json!({"threadId": "T", "model": "m", "excludeTurns": true, "config": {"thread_unload_delay_secs": 0}}),
            json!({"thread": {"id": "F"}}),
            json!({"provider_session_id": "F"}),
        ),
        (
            Operation::ListTasks {},
            "thread/backgroundTerminals/list",
            thread.clone(),
            json!({"data": [{"itemId": "i", "processId": "7", "command": "sleep", "cwd": "/project"}]}),
            json!({"tasks": [{"id": "7", "title": "sleep", "cwd": "/project", "tool": "i"}]}),
        ),
        (
            stopped(None),
            "thread/backgroundTerminals/clean",
            thread,
            json!({}),
            json!({}),
        ),
        (
            stopped(Some("7")),
            "thread/backgroundTerminals/terminate",
            json!({"threadId": "T", "processId": "7"}),
            json!({"terminated": true}),
            json!({}),
        ),
    ];
    for (operation, method, params, result, given) in cases {
        let what = format!("{operation:?}");
        let done = does(operation, &result);
        assert_eq!(done, (method.to_owned(), params, vec![Ok(given)]), "{what}");
    }
}

#[test]
fn a_list_is_given_whole() {
    let mut player = opened();
    player.operate(FIRST, Operation::ListModels {});
    let page = |model: &str, next: Value| json!({"data": [{"model": model}], "nextCursor": next});
    player.line(&json!({"id": 3, "result": page("a", json!("c"))}).to_string());
    assert_eq!(
        player.written[1]["params"],
        json!({"limit": 100, "cursor": "c"})
    );
    player.line(&json!({"id": 4, "result": page("b", Value::Null)}).to_string());
    let [Ok(given)] = &operated(&player)[..] else {
        panic!("one list");
    };
    let models = given["models"].as_array().expect("a list").iter();
    assert_eq!(
        models.map(|m| m["id"].clone()).collect::<Vec<_>>(),
        ["a", "b"]
    );
}

#[test]
fn the_context_is_told_from_the_last_count_without_asking() {
    let mut player = opened();
    player.operate(FIRST, Operation::ContextUsage {});
    let usage = json!({"total": {}, "last": {"totalTokens": 1050}, "modelContextWindow": 258_400});
    let params = json!({"threadId": "T", "turnId": "U", "tokenUsage": usage});
    player.line(&note("thread/tokenUsage/updated", &params));
    player.operate(FIRST, Operation::ContextUsage {});
    assert_eq!(
        operated(&player),
        [
            Ok(json!({"used_tokens": 0, "window_tokens": null})),
            Ok(json!({"used_tokens": 1050, "window_tokens": 258_400}))
        ]
    );
    assert_eq!(methods(&player), [""; 0]);
}

#[test]
fn what_would_interrupt_a_turn_is_refused_while_one_runs() {
    let mut player = opened();
    player.line(&started("U"));
    player.operate(FIRST, Operation::Compact {});
    player.operate(FIRST, Operation::Rewind { before: "U".into() });
    let busy = |what: &str| Err((ErrorKind::TurnInProgress, format!("{what}: a turn runs")));
    assert_eq!(operated(&player), [busy("compact"), busy("rewind")]);
    assert_eq!(methods(&player), [""; 0]);
}

#[test]
fn a_turn_sent_into_a_compaction_waits_for_its_end() {
    let mut player = opened();
    player.operate(FIRST, Operation::Compact {});
    player.turn(FIRST, "go");
    let text = "failed to submit turn input: ActiveTurnNotSteerable { turn_kind: Compact }";
    player.line(&json!({"id": 4, "error": {"code": -32603, "message": text}}).to_string());
    player.line(&started("C"));
    player.line(&completed("C", "completed"));
    assert_eq!(
        methods(&player),
        ["thread/compact/start", "turn/start", "turn/start"]
    );
}

#[test]
fn every_operation_is_answered_also_by_an_error_or_the_end_of_the_process() {
    let mut player = opened();
    player.operate(FIRST, Operation::Rewind { before: "x".into() });
    player.line(r#"{"id":3,"error":{"code":-32600,"message":"turn not found: x"}}"#);
    player.operate(
        FIRST,
        Operation::StopTasks {
            task: Some("9".into()),
        },
    );
    player.line(r#"{"id":4,"result":{"terminated":false}}"#);
    player.operate(FIRST, Operation::Fork {});
    player.line(r#"{"id":5,"error":{"code":-32600,"message":"no rollout found for thread id T"}}"#);
    player.operate(Conversation(7), Operation::Compact {});
    player.operate(FIRST, Operation::ListModels {});
    player.end_of_output();
    let failed = |kind, message: &str| Err((kind, message.to_owned()));
    assert_eq!(
        operated(&player),
        [
            failed(ErrorKind::InvalidArgument, "turn not found: x"),
            failed(ErrorKind::InvalidArgument, "there is no such task"),
            failed(ErrorKind::AgentError, "no rollout found for thread id T"),
            failed(ErrorKind::Internal, "the conversation is not open"),
            failed(ErrorKind::ProcessExit, "the process ended first"),
        ]
    );
}

#[test]
fn the_captures_operations_are_answered_as_they_were() {
    let player = play("12-background-terminal");
    let outcomes = operated(&player);
    let listed = outcomes[0].as_ref().expect("a list");
    assert_eq!(listed["tasks"][0]["id"], "38462");
    assert_eq!(outcomes[1], Ok(json!({})));
    let player = play("19-compact-manual");
    assert_eq!(operated(&player), [Ok(json!({}))]);
    let player = play("18-thread-management");
    let [Ok(fork), ..] = &operated(&player)[..] else {
        panic!("a fork");
    };
    assert!(fork["provider_session_id"].is_string());
}
