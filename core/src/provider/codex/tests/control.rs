//! Interrupts with their commands, and changes of settings.

use std::sync::Arc;

use serde_json::{Value, json};

use super::opened::{FIRST, GREETING, answer, completed, methods, note, opened, options, started};
use super::play::Player;
use crate::config::{Mode, PermissionMode, SessionOptions};
use crate::provider::{ChangeOutcome, Request, SignalBody};
use crate::settings::Change;

pub(super) const CLEAN: &str = "thread/backgroundTerminals/clean";
const LIST: &str = "thread/backgroundTerminals/list";

fn interrupt(player: &mut Player, keep_commands: bool) {
    player.request(Request::Interrupt {
        conversation: FIRST,
        turn: player.runs(FIRST),
        keep_commands,
    });
}

pub(super) fn command(stage: &str, status: &str) -> String {
    let item = json!({"type": "commandExecution", "id": "c", "command": "sleep 9", "processId": "7", "status": status});
    let params = json!({"threadId": "T", "turnId": "U", "item": item});
    note(&format!("item/{stage}"), &params)
}

fn tasks(player: &Player) -> Vec<u32> {
    let tasks = player.signals.iter().filter_map(|s| match s.body {
        SignalBody::Background { tasks } => Some(tasks),
        _ => None,
    });
    tasks.collect()
}

#[test]
fn the_commands_of_an_interrupted_turn_end_with_it() {
    let mut player = opened();
    player.line(&started("U"));
    player.line(&command("started", "inProgress"));
    interrupt(&mut player, false);
    player.line(&completed("U", "interrupted"));
    assert_eq!(methods(&player), ["turn/interrupt", CLEAN]);
    assert_eq!(player.written[1]["params"], json!({"threadId": "T"}));
    player.line(r#"{"id":4,"result":{}}"#);
    player.line(&command("completed", "failed"));
    assert_eq!(tasks(&player), [1, 0]);
}

#[test]
fn a_command_whose_end_is_never_said_does_not_count_for_ever() {
    let mut player = opened();
    player.line(&started("U"));
    player.line(&command("started", "inProgress"));
    interrupt(&mut player, false);
    player.line(&completed("U", "interrupted"));
    player.line(r#"{"id":4,"result":{}}"#);
    assert_eq!(methods(&player)[2..], [LIST]);
    player.line(r#"{"id":5,"result":{"data":[{"itemId":"c"}]}}"#);
    assert_eq!(tasks(&player), [1], "it still runs");
    player.operate(FIRST, crate::operation::Operation::StopTasks { task: None });
    interrupt(&mut player, false);
    player.line(&started("V"));
    interrupt(&mut player, false);
    player.line(&completed("V", "interrupted"));
    player.line(r#"{"id":8,"result":{}}"#);
    player.line(r#"{"id":9,"result":{"data":[]}}"#);
    assert_eq!(tasks(&player), [1, 0]);
}

#[test]
fn commands_are_kept_if_the_host_says_so_and_stay_background() {
    let mut player = opened();
    player.line(&started("U"));
    player.line(&command("started", "inProgress"));
    interrupt(&mut player, true);
    player.line(&completed("U", "interrupted"));
    assert_eq!(methods(&player), ["turn/interrupt"]);
    assert_eq!(tasks(&player), [1]);
}

#[test]
fn a_turn_that_ended_by_itself_keeps_its_commands() {
    let mut player = opened();
    player.line(&started("U"));
    player.line(&command("started", "inProgress"));
    player.line(&completed("U", "completed"));
    assert_eq!(methods(&player), [""; 0]);
    assert_eq!(tasks(&player), [1]);
}

#[test]
fn sub_agents_at_work_end_with_an_interrupted_turn() {
    let mut player = opened();
    player.line(&started("U"));
    let turn = json!({"id": "V", "rootTurnId": "U"});
    player.line(&note(
        "turn/started",
        &json!({"threadId": "C", "turn": turn}),
    ));
    player.line(&note(
        "turn/started",
        &json!({"threadId": "C", "turn": turn}),
    ));
    interrupt(&mut player, false);
    player.line(&completed("U", "interrupted"));
    assert_eq!(
        methods(&player),
        ["turn/interrupt", "turn/interrupt", CLEAN, CLEAN]
    );
    assert_eq!(
        player.written[1]["params"],
        json!({"threadId": "C", "turnId": "V"})
    );
}

/// What became of each change.
fn changed(player: &Player) -> Vec<ChangeOutcome> {
    let changed = player.signals.iter().filter_map(|s| match &s.body {
        SignalBody::Changed(outcome) => Some(outcome.clone()),
        _ => None,
    });
    changed.collect()
}

fn change(player: &mut Player, change: Change) {
    player.request(Request::Change {
        conversation: FIRST,
        change: Arc::new(change),
    });
}

fn mode(mode: PermissionMode) -> Change {
    Change {
        permission_mode: Some(mode),
        ..Change::default()
    }
}

#[test]
fn model_and_effort_change_at_once_and_hold_in_later_turns() {
    let mut player = opened();
    change(
        &mut player,
        Change {
            model: Some("n".into()),
            effort: Some("low".into()),
            ..Change::default()
        },
    );
    assert_eq!(methods(&player), ["thread/settings/update"]);
    let params = json!({"threadId": "T", "model": "n", "effort": "low"});
    assert_eq!(player.written[0]["params"], params);
    assert_eq!(changed(&player), []);
    player.line(r#"{"id":3,"result":{}}"#);
    assert_eq!(changed(&player), [ChangeOutcome::Live]);
    player.turn(FIRST, "go");
    assert_eq!(player.written[1]["params"]["effort"], "low");
    player.line(&answer(4, "U"));
    player.line(&started("U"));
    player.line(&completed("U", "completed"));
    let models = player.signals.iter().filter_map(|s| match &s.body {
        SignalBody::Ended(end) => end.model.as_deref(),
        _ => None,
    });
    assert_eq!(models.collect::<Vec<_>>(), ["n"]);
}

#[test]
fn a_mode_changes_with_its_sandbox_and_a_refused_one_leaves_the_old() {
    let mut player = opened();
    change(&mut player, mode(PermissionMode::BypassPermissions));
    assert_eq!(
        player.written[0]["params"],
        json!({
            "threadId": "T",
            "approvalPolicy": "never",
            "sandboxPolicy": {"type": "dangerFullAccess"},
        })
    );
    player.line(r#"{"id":3,"error":{"code":-32600,"message":"no"}}"#);
    assert_eq!(changed(&player), [refused("no")]);
    player.turn(FIRST, "go");
    assert_eq!(player.written[1]["params"].get("sandboxPolicy"), None);
}

fn refused(message: &str) -> ChangeOutcome {
    let message = message.to_owned();
    let halfway = false;
    ChangeOutcome::Refused { message, halfway }
}

#[test]
fn a_refused_change_does_not_undo_one_that_came_after_it() {
    let mut player = opened();
    change(&mut player, mode(PermissionMode::BypassPermissions));
    let effort = |word: &str| Change {
        effort: Some(word.into()),
        ..Change::default()
    };
    change(&mut player, effort("low"));
    change(&mut player, effort("odd"));
    player.line(r#"{"id":3,"error":{"code":-32600,"message":"no"}}"#);
    player.line(r#"{"id":4,"result":{}}"#);
    player.line(r#"{"id":5,"error":{"code":-32600,"message":"odd"}}"#);
    assert_eq!(
        changed(&player),
        [refused("no"), ChangeOutcome::Live, refused("odd")]
    );
    player.turn(FIRST, "go");
    let params = &player.written[3]["params"];
    assert_eq!(params["effort"], "low");
    assert_eq!(params.get("sandboxPolicy"), None);
}

#[test]
fn an_agent_without_the_request_needs_a_new_process_for_a_change() {
    let mut player = opened();
    change(&mut player, mode(PermissionMode::Plan));
    player.line(r#"{"id":3,"error":{"code":-32601,"message":"unknown method"}}"#);
    assert_eq!(changed(&player), [ChangeOutcome::NeedsProcess]);
}

#[test]
fn planning_ends_when_the_mode_does() {
    let mut player = opened();
    change(&mut player, mode(PermissionMode::Plan));
    let told =
        |player: &Player, at: usize| player.written[at]["params"]["collaborationMode"].clone();
    assert_eq!(told(&player, 0)["mode"], "plan");
    player.line(r#"{"id":3,"result":{}}"#);
    change(&mut player, mode(PermissionMode::AcceptEdits));
    assert_eq!(told(&player, 1)["mode"], "default");
    player.line(r#"{"id":4,"result":{}}"#);
    player.turn(FIRST, "go");
    assert_eq!(told(&player, 2), Value::Null);
}

#[test]
fn the_default_mode_is_what_a_thread_without_any_shows() {
    let mut player = Player::new(Mode::Warm);
    let permission_mode = PermissionMode::BypassPermissions;
    let opening = SessionOptions {
        permission_mode,
        ..options()
    };
    player.open(opening, None);
    player.line(GREETING);
    player.line(r#"{"id":2,"result":{"thread":{"id":"T"},"model":"m","approvalPolicy":"never","sandbox":{"type":"readOnly"}}}"#);
    player.written.clear();
    change(&mut player, mode(PermissionMode::Default));
    assert_eq!(player.written[0]["params"]["ephemeral"], true);
    player.line(r#"{"id":3,"result":{"thread":{"id":"P"},"approvalPolicy":"on-request","sandbox":{"type":"workspaceWrite"}}}"#);
    player.line(&note(
        "thread/status/changed",
        &json!({"threadId": "P", "status": {"type": "idle"}}),
    ));
    assert_eq!(
        methods(&player),
        [
            "thread/start",
            "thread/unsubscribe",
            "thread/settings/update"
        ]
    );
    assert_eq!(
        player.written[2]["params"],
        json!({
            "threadId": "T",
            "approvalPolicy": "on-request",
            "sandboxPolicy": {"type": "workspaceWrite"},
        })
    );
    player.line(r#"{"id":5,"result":{}}"#);
    assert_eq!(changed(&player), [ChangeOutcome::Live]);
}

#[test]
fn what_only_a_new_process_can_take_is_not_asked() {
    let mut player = opened();
    let thinking_budget = Some(5);
    change(
        &mut player,
        Change {
            thinking_budget,
            ..Change::default()
        },
    );
    let mcp_servers = Some([].into());
    change(
        &mut player,
        Change {
            mcp_servers,
            ..Change::default()
        },
    );
    let both = [ChangeOutcome::NeedsProcess, ChangeOutcome::NeedsProcess];
    assert_eq!(changed(&player), both);
    assert_eq!(methods(&player), [""; 0]);
}
