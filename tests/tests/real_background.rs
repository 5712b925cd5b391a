//! The main promise, with the real agents: work that outlives its turn, and turns that the agent
//! starts by itself.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a test looks at few of many events"
)]

use std::time::Duration;

use remuda::event::TurnOrigin;
use remuda::{Body, Operation, Pool};
use remuda_tests::{Agent, Real, answer, closed, look_for, model, started, with_real_agents};
use serde_json::json;

with_real_agents! {
    background_work_keeps_the_process_until_it_is_stopped;
    claude:
    background_work_keeps_the_process_and_ends_with_a_turn_of_the_agents_own
    a_sub_agent_speaks_within_its_call
}

const RECALL: &str = r#"MODEL:[{"recall":"marker-"}]"#;

async fn background_work_keeps_the_process_and_ends_with_a_turn_of_the_agents_own(real: Real) {
    let pool = Pool::builder().idle_timeout(Duration::from_millis(100));
    let pool = pool.build().expect("a pool");
    let session = pool.open(real.options()).expect("a session");
    let script = r#"MODEL:[{"shell":"until [ -e go ]; do sleep 0.05; done; echo marker-red",
        "with":{"run_in_background":true}},"it runs"]"#;
    assert_eq!(answer(&session, script).await, "it runs");
    // Another one that became idle later is evicted by now.
    let other = pool.open(real.options()).expect("a session");
    answer(&other, "hello").await;
    look_for(&other, |body| matches!(body, Body::Evicted { .. })).await;
    closed(&other).await;
    assert_eq!(answer(&session, "keep marker-blue").await, "turn 2");
    std::fs::write(real.project().join("go"), "").expect("a file");
    let own = look_for(&session, |body| {
        matches!(
            body,
            Body::TurnStarted {
                origin: TurnOrigin::Agent,
                ..
            }
        )
    });
    let turn = own.await.turn;
    let mut events = session.events(1);
    while let Some(event) = events.next().await {
        if event.turn == turn && event.is_turn_end() {
            break;
        }
    }
    drop(events);
    look_for(&session, |body| matches!(body, Body::Evicted { .. })).await;
    let said = answer(&session, RECALL).await;
    assert!(said.contains("marker-blue"), "{said}");
    let events = closed(&session).await;
    assert_eq!(started(&events).len(), 2);
}

async fn background_work_keeps_the_process_until_it_is_stopped(real: Real) {
    let pool = Pool::builder().idle_timeout(Duration::from_millis(100));
    let pool = pool.build().expect("a pool");
    let session = pool.open(real.options()).expect("a session");
    let with = match real.agent() {
        Agent::Claude => json!({"run_in_background": true}),
        Agent::Codex => json!({"yield_time_ms": 250}),
    };
    let command = json!({"shell": "sleep 1000", "with": with});
    let prompt = model(&json!([command, "it runs"]));
    assert_eq!(answer(&session, &prompt).await, "it runs");
    // Another one that became idle later is evicted by now.
    let other = pool.open(real.options()).expect("a session");
    answer(&other, "hello").await;
    look_for(&other, |body| matches!(body, Body::Evicted { .. })).await;
    closed(&other).await;
    let stop = Operation::StopTasks { task: None };
    session.operate(stop).await.expect("it is ended");
    look_for(&session, |body| matches!(body, Body::Evicted { .. })).await;
    let events = closed(&session).await;
    assert_eq!(started(&events).len(), 1, "it was the first process's");
}

async fn a_sub_agent_speaks_within_its_call(real: Real) {
    let pool = Pool::new().expect("a pool");
    let session = pool.open(real.options()).expect("a session");
    let inner = r#"MODEL:[{"shell":"echo inside"},"the sub-agent is done"]"#;
    let script = json!([
        {"tool": "Agent", "input": {"description": "look", "prompt": inner,
            "subagent_type": "general-purpose", "run_in_background": false}},
        "both are done",
    ]);
    assert_eq!(
        answer(&session, &format!("MODEL:{script}")).await,
        "both are done"
    );
    let events = closed(&session).await;
    let mut calls = Vec::new();
    let mut results = 0;
    for event in &events {
        match &event.body {
            Body::ToolUse {
                id, name, parent, ..
            } => {
                calls.push((name.clone(), id.clone(), parent.clone()));
            }
            Body::ToolResult { is_error, .. } => {
                assert!(!is_error);
                results += 1;
            }
            _ => {}
        }
    }
    assert_eq!((calls.len(), results), (2, 2), "{calls:?}");
    let (outer, inner) = (&calls[0], &calls[1]);
    assert_eq!((outer.0.as_str(), &outer.2), ("Agent", &None));
    assert_eq!(inner.2.as_deref(), Some(outer.1.as_str()));
    let ends = events.iter().filter(|event| event.is_turn_end()).count();
    assert_eq!(ends, 1);
}
