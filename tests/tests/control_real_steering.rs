//! Turn control, with the real agents: messages that come while a turn runs.

use remuda::event::TurnOrigin;
use remuda::{
    AskError, Body, ErrorKind, Event, OnBusy, Pool, SendOptions, Sent, Session, Turn, TurnId,
};
use remuda_tests::{
    Real, answer, closed, first_pid, kill, model, pids_in, read_until, started, wait_until,
    with_real_agents,
};
use serde_json::json;
use std::sync::Arc;

with_real_agents! {
    a_message_joins_a_turn_in_its_tool
    a_message_joins_a_turn_in_its_text
    a_message_that_cannot_join_any_more_waits
    without_a_turn_a_message_begins_one
    three_that_wait_run_in_their_order
    what_waits_can_be_taken_back_and_changed
    what_waits_outlives_the_death_of_the_process
    what_is_to_wait_for_nothing_is_refused;
    claude:
    a_message_in_the_last_text_waits;
    one_shot_claude:
    a_message_joins_a_turn_in_its_tool
    three_that_wait_run_in_their_order;
    one_shot_codex:
    three_that_wait_run_in_their_order
}

const fn busy(on_busy: OnBusy) -> SendOptions {
    SendOptions {
        tag: None,
        on_busy,
        budget: remuda::Budget {
            max_agent_turns: None,
            max_tokens: None,
            max_cost_usd: None,
            max_duration: None,
        },
    }
}

/// A turn whose command waits for the file `go`.
async fn waiting_turn(real: &Real, session: &Session) -> Turn {
    let command = "echo $$ >> pids; until [ -e go ]; do sleep 0.05; done";
    let prompt = model(&json!([
        {"shell": command},
        // Time for what is on its way.
        {"words": 200, "delay_ms": 20},
        "not steered",
    ]));
    let mut turn = session.send(prompt).expect("a turn");
    read_until(&mut turn, |body| matches!(body, Body::ToolUse { .. })).await;
    let pids = real.project().join("pids");
    wait_until("the tool runs", || pids_in(&pids).len() == 1);
    turn
}

fn go(real: &Real) {
    std::fs::write(real.project().join("go"), "").expect("a file");
}

/// The turns that the host started, in order.
fn begun(events: &[Arc<Event>]) -> Vec<Option<TurnId>> {
    let host = |event: &&Arc<Event>| {
        let origin = TurnOrigin::Host;
        matches!(event.body, Body::TurnStarted { origin: o, .. } if o == origin)
    };
    events.iter().filter(host).map(|event| event.turn).collect()
}

async fn a_message_joins_a_turn_in_its_tool(real: Real) {
    let pool = Pool::new().expect("a pool");
    let session = pool.open(real.options()).expect("a session");
    let turn = waiting_turn(&real, &session).await;
    let steer = session.send_with(r#"MODEL:["steered"]"#, busy(OnBusy::Steer));
    let (sent, ()) = tokio::join!(steer, async { go(&real) });
    let id = turn.id();
    assert!(
        matches!(sent, Ok(Sent::Steered { into }) if into == id),
        "{sent:?}"
    );
    assert_eq!(turn.result().await.expect("a good end").text, "steered");
    let events = closed(&session).await;
    assert_eq!(begun(&events), [Some(id)], "it is no turn of its own");
    let told = |body: &Body| matches!(body, Body::Steered { text, .. } if text.contains("steered"));
    assert!(events.iter().any(|event| told(&event.body)));
}

async fn a_message_joins_a_turn_in_its_text(real: Real) {
    let pool = Pool::new().expect("a pool");
    let session = pool.open(real.options()).expect("a session");
    let prompt = model(&json!([
        [{"words": 100, "delay_ms": 20}, {"shell": "true"}],
        "not steered",
    ]));
    let mut turn = session.send(prompt).expect("a turn");
    read_until(&mut turn, |body| matches!(body, Body::TextDelta { .. })).await;
    let steer = session.send_with(r#"MODEL:["steered"]"#, busy(OnBusy::Steer));
    let sent = steer.await;
    let id = turn.id();
    assert!(
        matches!(sent, Ok(Sent::Steered { into }) if into == id),
        "{sent:?}"
    );
    assert_eq!(turn.result().await.expect("a good end").text, "steered");
    let events = closed(&session).await;
    assert_eq!(begun(&events), [Some(id)], "it is no turn of its own");
}

/// Codex goes on for a message that comes in its last text; Claude Code ends the turn.
async fn a_message_in_the_last_text_waits(real: Real) {
    let pool = Pool::new().expect("a pool");
    let session = pool.open(real.options()).expect("a session");
    let prompt = model(&json!([{"words": 100, "delay_ms": 20}]));
    let mut turn = session.send(prompt).expect("a turn");
    read_until(&mut turn, |body| matches!(body, Body::TextDelta { .. })).await;
    let sent = session
        .send_with(r#"MODEL:["on its own"]"#, busy(OnBusy::Steer))
        .await;
    assert!(
        turn.result()
            .await
            .expect("a good end")
            .text
            .ends_with("word99")
    );
    let own = match sent.expect("it is accepted") {
        Sent::Queued { turn, why, .. } => {
            assert!(why.is_some(), "it says why");
            turn
        }
        // The turn was over by then.
        Sent::Started(turn) => turn,
        Sent::Steered { .. } => panic!("there was nothing to join"),
    };
    assert_eq!(own.result().await.expect("a good end").text, "on its own");
    let events = closed(&session).await;
    assert_eq!(begun(&events).len(), 2);
    assert_eq!(real.api().calls().len(), 2, "the model heard it once");
}

async fn a_message_that_cannot_join_any_more_waits(real: Real) {
    let pool = Pool::new().expect("a pool");
    let session = pool.open(real.options()).expect("a session");
    let turn = waiting_turn(&real, &session).await;
    let steer = session.send_with(r#"MODEL:["on its own"]"#, busy(OnBusy::Steer));
    // Whichever is faster: a turn that is being ended takes no message.
    let (sent, receipt) = tokio::join!(steer, turn.interrupt());
    receipt.expect("a receipt");
    let end = turn.result().await;
    assert!(matches!(end, Err(AskError::Interrupted { .. })), "{end:?}");
    let own = match sent.expect("it is accepted") {
        Sent::Queued { turn, why, .. } => {
            assert!(why.is_some(), "it says why");
            turn
        }
        // The interrupted turn was over by then.
        Sent::Started(turn) => turn,
        Sent::Steered { .. } => panic!("the turn is interrupted"),
    };
    assert_eq!(own.result().await.expect("a good end").text, "on its own");
    let events = closed(&session).await;
    assert_eq!(begun(&events).len(), 2);
    assert_eq!(started(&events).len(), real.processes(2), "it stays");
}

async fn without_a_turn_a_message_begins_one(real: Real) {
    let pool = Pool::new().expect("a pool");
    let session = pool.open(real.options()).expect("a session");
    let sent = session.send_with("hello", busy(OnBusy::Steer)).await;
    let Ok(Sent::Started(turn)) = sent else {
        panic!("{sent:?}");
    };
    assert_eq!(turn.result().await.expect("a good end").text, "turn 1");
    closed(&session).await;
}

/// Lets a message wait.
async fn queue(session: &Session, prompt: &str) -> Turn {
    match session.send_with(prompt, busy(OnBusy::Queue)).await {
        Ok(Sent::Queued {
            turn, why: None, ..
        }) => turn,
        other => panic!("{other:?}"),
    }
}

async fn three_that_wait_run_in_their_order(real: Real) {
    let pool = Pool::new().expect("a pool");
    let session = pool.open(real.options()).expect("a session");
    let mut turns = vec![waiting_turn(&real, &session).await];
    for name in ["red", "green", "blue"] {
        turns.push(queue(&session, &format!("keep marker-{name}")).await);
    }
    let waiting: Vec<_> = session.snapshot().queued.iter().map(|q| q.turn).collect();
    let ids: Vec<_> = turns.iter().map(Turn::id).collect();
    assert_eq!(waiting, ids[1..]);
    go(&real);
    for turn in turns {
        turn.result().await.expect("a good end");
    }
    let recalled = answer(&session, r#"MODEL:[{"recall":"marker-"}]"#).await;
    assert_eq!(recalled, "marker-red marker-green marker-blue");
    let events = closed(&session).await;
    let ids: Vec<_> = ids.into_iter().map(Some).collect();
    assert_eq!(begun(&events)[..4], ids);
    assert_eq!(started(&events).len(), real.processes(5), "it stays");
}

async fn what_waits_can_be_taken_back_and_changed(real: Real) {
    let pool = Pool::new().expect("a pool");
    let session = pool.open(real.options()).expect("a session");
    let running = waiting_turn(&real, &session).await;
    let back = queue(&session, "keep marker-red").await;
    let changed = queue(&session, "keep marker-green").await;
    session.cancel(back.id()).expect("it waits");
    session
        .edit(changed.id(), "keep marker-blue")
        .expect("it waits");
    let end = back.result().await;
    assert!(matches!(end, Err(AskError::Interrupted { .. })), "{end:?}");
    go(&real);
    running.result().await.expect("a good end");
    changed.result().await.expect("a good end");
    let recalled = answer(&session, r#"MODEL:[{"recall":"marker-"}]"#).await;
    assert_eq!(recalled, "marker-blue");
    closed(&session).await;
}

async fn what_waits_outlives_the_death_of_the_process(real: Real) {
    let pool = Pool::new().expect("a pool");
    let session = pool.open(real.options()).expect("a session");
    answer(&session, "keep marker-red").await;
    let running = waiting_turn(&real, &session).await;
    let mut waiting = Vec::new();
    for name in ["green", "blue"] {
        waiting.push(queue(&session, &format!("keep marker-{name}")).await);
    }
    kill(first_pid(&session).await);
    let failed = running.result().await.expect_err("its process is gone");
    assert_eq!(failed.kind(), Some(ErrorKind::ProcessExit), "{failed:?}");
    for turn in waiting {
        turn.result().await.expect("a good end");
    }
    let recalled = answer(&session, r#"MODEL:[{"recall":"marker-"}]"#).await;
    assert_eq!(recalled, "marker-red marker-green marker-blue");
    closed(&session).await;
}

async fn what_is_to_wait_for_nothing_is_refused(real: Real) {
    let pool = Pool::new().expect("a pool");
    let session = pool.open(real.options()).expect("a session");
    let running = waiting_turn(&real, &session).await;
    let calls = real.api().calls().len();
    let sent = session.send_with("hello", busy(OnBusy::Reject)).await;
    let refused = sent.expect_err("a turn runs");
    assert_eq!(refused.kind(), ErrorKind::TurnInProgress, "{refused}");
    assert_eq!(real.api().calls().len(), calls, "the model never hears it");
    go(&real);
    let said = running.result().await.expect("a good end").text;
    assert!(said.ends_with("word199"), "{said}");
    closed(&session).await;
}
