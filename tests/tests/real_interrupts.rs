//! The main promise, with the real agents: a turn that is interrupted ends, and the session goes on
//! in the same process.

use remuda::event::StopReason;
use remuda::{AskError, Body, Pool};
use remuda_tests::{
    Agent, Real, answer, closed, look_for, pids_in, read_until, runs, started, stopped, wait_until,
    with_real_agents,
};

const RECALL: &str = r#"MODEL:[{"recall":"marker-"}]"#;

with_real_agents! {
    an_interrupt_in_the_text_ends_the_turn_alone
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
    assert_eq!(started(&events).len(), 1, "the process is the same");
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
    assert_eq!(started(&events).len(), 1, "the process is the same");
}

async fn an_interrupt_in_a_tool_ends_the_turn_alone(real: Real) {
    let pool = Pool::new().expect("a pool");
    let session = pool.open(real.options()).expect("a session");
    answer(&session, "keep marker-red").await;
    let prompt = r#"MODEL:[{"shell":"echo $$ >> pids; sleep 1000; echo late"},"done"]"#;
    let mut turn = session.send(prompt).expect("a turn");
    read_until(&mut turn, |body| matches!(body, Body::ToolUse { .. })).await;
    let pids = real.project().join("pids");
    wait_until("the tool runs", || pids_in(&pids).len() == 1);
    let tool = pids_in(&pids)[0];
    turn.interrupt().await.expect("a receipt");
    assert!(matches!(
        turn.result().await,
        Err(AskError::Interrupted { .. })
    ));
    match real.agent() {
        Agent::Claude => wait_until("the tool is ended", || !runs(tool)),
        // Its way: the command goes on in the background, until it ends or the process does.
        Agent::Codex => assert!(runs(tool), "the page says that it goes on"),
    }
    assert_eq!(answer(&session, RECALL).await, "marker-red");
    let events = closed(&session).await;
    assert!(!runs(tool), "nothing outlives the session");
    assert_eq!(started(&events).len(), 1, "the process is the same");
    assert_eq!(stopped(&events), [StopReason::Closed]);
    look_for(&session, |body| {
        matches!(body, Body::TurnInterrupted { .. })
    })
    .await;
}
