//! The main promise, with the real agents: more sessions than slots.

use std::time::Duration;

use remuda::event::{EvictionReason, StopReason};
use remuda::{Body, Pool};
use remuda_tests::{
    Real, answer, closed, isolated_async, look_for, started, stopped, with_real_agents,
};

const RECALL: &str = r#"MODEL:[{"recall":"marker-"}]"#;

with_real_agents! {
    an_evicted_session_keeps_its_conversation
    an_idle_process_ends_and_the_conversation_goes_on
}

async fn an_evicted_session_keeps_its_conversation(real: Real) {
    let pool = Pool::builder().max_warm(1usize).build().expect("a pool");
    let red = pool.open(real.options()).expect("a session");
    let blue = pool.open(real.options()).expect("a session");
    answer(&red, "keep marker-red").await;
    answer(&blue, "keep marker-blue").await;
    assert_eq!(answer(&red, RECALL).await, "marker-red");
    assert_eq!(answer(&blue, RECALL).await, "marker-blue");
    assert_eq!(pool.stats().evicted, 3);
    for session in [red, blue] {
        let events = closed(&session).await;
        let resumed: Vec<_> = started(&events).iter().map(|p| p.resumed).collect();
        assert_eq!(resumed, [false, true]);
        let reasons = stopped(&events);
        assert_eq!(reasons[0], StopReason::Evicted, "{reasons:?}");
        let reason = EvictionReason::LeastRecentlyUsed;
        let evicted = |body: &Body| *body == Body::Evicted { reason };
        assert!(events.iter().any(|event| evicted(&event.body)));
    }
}

async fn an_idle_process_ends_and_the_conversation_goes_on(real: Real) {
    let pool = Pool::builder().idle_timeout(Duration::from_millis(300));
    let pool = pool.build().expect("a pool");
    let session = pool.open(real.options()).expect("a session");
    answer(&session, "keep marker-red").await;
    look_for(&session, |body| matches!(body, Body::ProcessStopped { .. })).await;
    let stats = pool.stats();
    assert_eq!((stats.warm, stats.evicted), (0, 1));
    assert_eq!(answer(&session, RECALL).await, "marker-red");
    let events = closed(&session).await;
    let resumed: Vec<_> = started(&events).iter().map(|p| p.resumed).collect();
    assert_eq!(resumed, [false, true]);
    assert_eq!(stopped(&events)[0], StopReason::Evicted);
    let reason = EvictionReason::IdleTimeout;
    assert!(events.iter().any(|e| e.body == Body::Evicted { reason }));
}

#[test]
fn ten_sessions_of_both_agents_share_three_slots() {
    isolated_async(|| async {
        let (claude, codex) = (Real::claude(), Real::codex());
        let pool = Pool::builder().max_warm(3usize).build().expect("a pool");
        let sessions: Vec<_> = (0..10)
            .map(|n| [&claude, &codex][n % 2].options())
            .map(|options| pool.open(options).expect("a session"))
            .collect();
        for round in 1..=3 {
            // All at once: three in slots, the rest spills or waits for a process.
            let asked = sessions.iter().enumerate().map(|(n, session)| {
                let prompt = format!("keep marker-{n}-{round}");
                session.send(prompt).expect("a turn")
            });
            for turn in asked.collect::<Vec<_>>() {
                let result = turn.result().await.expect("a good end");
                assert_eq!(result.text, format!("turn {round}"));
            }
            let stats = pool.stats();
            assert!(stats.warm <= 3 && stats.processes <= 6, "{stats:?}");
        }
        for (n, session) in sessions.iter().enumerate() {
            let kept: Vec<_> = (1..=3).map(|round| format!("marker-{n}-{round}")).collect();
            assert_eq!(answer(session, RECALL).await, kept.join(" "));
            closed(session).await;
        }
        let stats = pool.stats();
        assert_eq!((stats.turns_completed, stats.downgraded), (40, 0));
    });
}
