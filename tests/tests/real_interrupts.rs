//! The main promise, with the real agents: a turn that is interrupted ends, and the session goes on
//! in the same process.

use std::time::Duration;

use remuda::config::{Mode, Timeouts};
use remuda::event::StopReason;
use remuda::{AskError, Body, InterruptOptions, OnBusy, Pool, Receipt, SendOptions, Sent};
use remuda::{Session, Turn};
use remuda_tests::{
    Agent, Real, answer, closed, first_pid, freeze, look_for, model, pids_in, read_until, runs,
    started, stopped, wait_until, with_real_agents,
};
use serde_json::json;

const RECALL: &str = r#"MODEL:[{"recall":"marker-"}]"#;

with_real_agents! {
    an_interrupt_in_the_text_ends_the_turn_alone
    an_interrupt_before_the_text_ends_the_turn_alone
    an_interrupt_in_a_tool_ends_the_turn_alone
    an_interrupt_can_let_commands_go_on
    an_interrupt_that_comes_too_late_changes_nothing
    an_interrupt_ends_what_its_turn_left_in_the_background
    an_interrupt_can_let_what_is_in_the_background_go_on
    an_interrupt_that_is_not_obeyed_costs_the_process
    an_interrupt_can_take_the_queue_with_it
    an_interrupt_leaves_the_queue;
    one_shot_claude:
    an_interrupt_in_the_text_ends_the_turn_alone
    an_interrupt_in_a_tool_ends_the_turn_alone;
    one_shot_codex:
    an_interrupt_before_the_text_ends_the_turn_alone
    an_interrupt_in_a_tool_ends_the_turn_alone
}

async fn an_interrupt_in_the_text_ends_the_turn_alone(real: Real) {
    let pool = Pool::new().expect("a pool");
    let session = pool.open(real.options()).expect("a session");
    answer(&session, "keep marker-red").await;
    let mut turn = session
        .send(r#"MODEL:[{"stall_after":3}]"#)
        .expect("a turn");
    read_until(&mut turn, |body| matches!(body, Body::TextDelta { .. })).await;
    turn.interrupt().await.expect("a receipt");
    assert!(matches!(
        turn.result().await,
        Err(AskError::Interrupted { .. })
    ));
    wait_until("the agent hangs up", || real.api().open_streams() == 0);
    assert_eq!(answer(&session, RECALL).await, "marker-red");
    let events = closed(&session).await;
    assert_eq!(started(&events).len(), real.processes(3), "it stays");
}

async fn an_interrupt_before_the_text_ends_the_turn_alone(real: Real) {
    let pool = Pool::new().expect("a pool");
    let session = pool.open(real.options()).expect("a session");
    answer(&session, "keep marker-red").await;
    // At once: perhaps before the agent took the turn.
    let turn = session.send(r#"MODEL:[{"hang":true}]"#).expect("a turn");
    turn.interrupt().await.expect("a receipt");
    assert!(matches!(
        turn.result().await,
        Err(AskError::Interrupted { .. })
    ));
    assert_eq!(answer(&session, RECALL).await, "marker-red");
    let events = closed(&session).await;
    // The interrupted turn may never have got one of its own.
    assert!(started(&events).len() <= real.processes(3), "it stays");
}

/// A turn whose command runs until it is ended, and the command's pid.
async fn with_command(real: &Real, session: &Session) -> (Turn, u32) {
    let prompt = r#"MODEL:[{"shell":"echo $$ >> pids; sleep 1000; echo late"},"done"]"#;
    let mut turn = session.send(prompt).expect("a turn");
    read_until(&mut turn, |body| matches!(body, Body::ToolUse { .. })).await;
    let pids = real.project().join("pids");
    wait_until("the tool runs", || pids_in(&pids).len() == 1);
    (turn, pids_in(&pids)[0])
}

async fn an_interrupt_in_a_tool_ends_the_turn_alone(real: Real) {
    let pool = Pool::new().expect("a pool");
    let session = pool.open(real.options()).expect("a session");
    answer(&session, "keep marker-red").await;
    let (turn, tool) = with_command(&real, &session).await;
    let receipt = turn.interrupt().await.expect("a receipt");
    assert_eq!(receipt, Receipt::Delivered);
    assert!(matches!(
        turn.result().await,
        Err(AskError::Interrupted { .. })
    ));
    wait_until("the tool is ended", || !runs(tool));
    assert_eq!(answer(&session, RECALL).await, "marker-red");
    let events = closed(&session).await;
    assert_eq!(started(&events).len(), real.processes(3), "it stays");
    if real.mode() == Mode::Warm {
        assert_eq!(stopped(&events), [StopReason::Closed]);
    }
    look_for(&session, |body| {
        matches!(body, Body::TurnInterrupted { .. })
    })
    .await;
}

/// Codex leaves commands running; Claude Code never does.
async fn an_interrupt_can_let_commands_go_on(real: Real) {
    let pool = Pool::new().expect("a pool");
    let session = pool.open(real.options()).expect("a session");
    let (turn, tool) = with_command(&real, &session).await;
    let options = InterruptOptions {
        keep_commands: true,
        ..InterruptOptions::default()
    };
    let receipt = session.interrupt_with(turn.id(), options).await;
    assert_eq!(receipt.expect("a receipt"), Receipt::Delivered);
    assert!(matches!(
        turn.result().await,
        Err(AskError::Interrupted { .. })
    ));
    assert_eq!(answer(&session, "hello").await, "turn 2");
    match real.agent() {
        Agent::Claude => wait_until("the tool is ended", || !runs(tool)),
        Agent::Codex => assert!(runs(tool), "it goes on"),
    }
    let events = closed(&session).await;
    assert!(!runs(tool), "nothing outlives the session");
    assert_eq!(started(&events).len(), real.processes(2), "it stays");
}

async fn an_interrupt_that_comes_too_late_changes_nothing(real: Real) {
    let pool = Pool::new().expect("a pool");
    let session = pool.open(real.options()).expect("a session");
    let turn = session.send("hello").expect("a turn");
    let id = turn.id();
    turn.result().await.expect("a good end");
    let receipt = session.interrupt(id).await.expect("a receipt");
    assert_eq!(receipt, Receipt::TooLate);
    assert_eq!(answer(&session, "hello").await, "turn 2");
    closed(&session).await;
}

/// Interrupts a turn while the model speaks, and a command that it started before goes on beside it.
/// Returns the command's pid.
async fn interrupt_beside_background(
    real: &Real,
    session: &Session,
    options: InterruptOptions,
) -> u32 {
    let with = match real.agent() {
        Agent::Claude => json!({"run_in_background": true}),
        Agent::Codex => json!({"yield_time_ms": 250}),
    };
    let command = json!({"shell": "echo $$ >> pids; sleep 1000", "with": with});
    let prompt = model(&json!([command, {"stall_after": 3}]));
    let mut turn = session.send(prompt).expect("a turn");
    read_until(&mut turn, |body| matches!(body, Body::TextDelta { .. })).await;
    let pids = real.project().join("pids");
    wait_until("the command runs", || pids_in(&pids).len() == 1);
    let receipt = session.interrupt_with(turn.id(), options).await;
    assert_eq!(receipt.expect("a receipt"), Receipt::Delivered);
    let end = turn.result().await;
    assert!(matches!(end, Err(AskError::Interrupted { .. })), "{end:?}");
    pids_in(&pids)[0]
}

async fn an_interrupt_ends_what_its_turn_left_in_the_background(real: Real) {
    let pool = Pool::new().expect("a pool");
    let session = pool.open(real.options()).expect("a session");
    let options = InterruptOptions::default();
    let command = interrupt_beside_background(&real, &session, options).await;
    wait_until("the command is ended", || !runs(command));
    assert_eq!(answer(&session, r#"MODEL:["on we go"]"#).await, "on we go");
    let events = closed(&session).await;
    assert_eq!(started(&events).len(), 1, "it stays");
}

async fn an_interrupt_can_let_what_is_in_the_background_go_on(real: Real) {
    let pool = Pool::new().expect("a pool");
    let session = pool.open(real.options()).expect("a session");
    let options = InterruptOptions {
        keep_commands: true,
        ..InterruptOptions::default()
    };
    let command = interrupt_beside_background(&real, &session, options).await;
    assert_eq!(answer(&session, r#"MODEL:["on we go"]"#).await, "on we go");
    assert!(runs(command), "it goes on");
    let events = closed(&session).await;
    assert!(!runs(command), "nothing outlives the session");
    assert_eq!(started(&events).len(), 1, "it stays");
}

/// A process that is frozen does not obey.
async fn an_interrupt_that_is_not_obeyed_costs_the_process(real: Real) {
    let timeouts = Timeouts {
        interrupt_grace: Duration::from_millis(100),
        ..Timeouts::default()
    };
    let pool = Pool::builder().timeouts(timeouts).build().expect("a pool");
    let session = pool.open(real.options()).expect("a session");
    answer(&session, "keep marker-red").await;
    let mut turn = session
        .send(r#"MODEL:[{"stall_after":3}]"#)
        .expect("a turn");
    read_until(&mut turn, |body| matches!(body, Body::TextDelta { .. })).await;
    freeze(first_pid(&session).await);
    turn.interrupt().await.expect("a receipt");
    let end = turn.result().await;
    assert!(matches!(end, Err(AskError::Interrupted { .. })), "{end:?}");
    assert_eq!(answer(&session, RECALL).await, "marker-red");
    let events = closed(&session).await;
    assert_eq!(started(&events).len(), 2, "it is replaced");
}

/// Lets a message wait for the running turn.
async fn queue(session: &Session, prompt: &str) -> Turn {
    let waits = SendOptions {
        on_busy: OnBusy::Queue,
        ..SendOptions::default()
    };
    let sent = session.send_with(prompt, waits).await;
    let Ok(Sent::Queued { turn, .. }) = sent else {
        panic!("{sent:?}");
    };
    turn
}

async fn an_interrupt_leaves_the_queue(real: Real) {
    let pool = Pool::new().expect("a pool");
    let session = pool.open(real.options()).expect("a session");
    let (turn, _) = with_command(&real, &session).await;
    let waiting = queue(&session, "keep marker-red").await;
    turn.interrupt().await.expect("a receipt");
    let end = turn.result().await;
    assert!(matches!(end, Err(AskError::Interrupted { .. })), "{end:?}");
    waiting.result().await.expect("a good end");
    assert_eq!(answer(&session, RECALL).await, "marker-red");
    let events = closed(&session).await;
    assert_eq!(started(&events).len(), 1, "it stays");
}

async fn an_interrupt_can_take_the_queue_with_it(real: Real) {
    let pool = Pool::new().expect("a pool");
    let session = pool.open(real.options()).expect("a session");
    let (turn, _) = with_command(&real, &session).await;
    let waiting = queue(&session, "keep marker-red").await;
    let options = InterruptOptions {
        drop_queue: true,
        ..InterruptOptions::default()
    };
    let receipt = session.interrupt_with(turn.id(), options).await;
    assert_eq!(receipt.expect("a receipt"), Receipt::Delivered);
    for turn in [turn, waiting] {
        let end = turn.result().await;
        assert!(matches!(end, Err(AskError::Interrupted { .. })), "{end:?}");
    }
    assert_eq!(answer(&session, RECALL).await, "nothing");
    closed(&session).await;
}
