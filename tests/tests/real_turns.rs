//! The main promise, with the real agents: turns on warm and on one-shot processes.

use remuda::config::{Mode, Persistent};
use remuda::event::WarningCode;
use remuda::{Body, Containment, Pool, SessionOptions};
use remuda_tests::{Real, answer, closed, look_for, started, with_real_agents};

const RECALL: &str = r#"MODEL:[{"recall":"marker-"}]"#;

with_real_agents! {
    twenty_turns_use_one_process
    a_process_is_guarded_and_tells_its_version
    a_conversation_goes_on_in_another_pool;
    one_shot_claude:
    one_shot_turns_are_one_conversation;
    one_shot_codex:
    one_shot_turns_are_one_conversation
}

async fn twenty_turns_use_one_process(real: Real) {
    let pool = Pool::new().expect("a pool");
    let session = pool.open(real.options()).expect("a session");
    for turn in 1..=19 {
        let said = answer(&session, &format!("keep marker-{turn}")).await;
        assert_eq!(said, format!("turn {turn}"));
    }
    let markers: Vec<_> = (1..=19).map(|turn| format!("marker-{turn}")).collect();
    assert_eq!(answer(&session, RECALL).await, markers.join(" "));
    let stats = pool.stats();
    assert_eq!((stats.processes_started, stats.turns_completed), (1, 20));
    assert_eq!(real.api().calls().len(), 20, "each turn is sent once");
    let events = closed(&session).await;
    assert_eq!(started(&events).len(), 1);
    let ends = events.iter().filter(|event| event.is_turn_end());
    assert_eq!(ends.count(), 20);
    let odd: Vec<_> = events.iter().filter(|event| odd(&event.body)).collect();
    assert!(odd.is_empty(), "{odd:?}");
}

/// What an agent of the tested version never makes us say. It may warn on its own behalf.
fn odd(body: &Body) -> bool {
    if let Body::Warning { code, .. } = body {
        return *code != WarningCode::Agent;
    }
    matches!(body, Body::Unknown { .. } | Body::Gap { .. })
}

async fn a_process_is_guarded_and_tells_its_version(real: Real) {
    let pool = Pool::new().expect("a pool");
    let session = pool.open(real.options()).expect("a session");
    answer(&session, "hello").await;
    let event = look_for(&session, |body| matches!(body, Body::ProcessStarted { .. })).await;
    let Body::ProcessStarted {
        version,
        containment,
        ..
    } = &event.body
    else {
        unreachable!("it was looked for");
    };
    assert_eq!(*containment, Containment::Guard);
    let tells = version.as_deref();
    assert!(
        tells.is_some_and(|version| version.contains(real.version())),
        "{tells:?}"
    );
    closed(&session).await;
}

async fn one_shot_turns_are_one_conversation(real: Real) {
    let pool = Pool::new().expect("a pool");
    let session = pool.open(real.options()).expect("a session");
    assert_eq!(answer(&session, "keep marker-red").await, "turn 1");
    assert_eq!(answer(&session, "keep marker-blue").await, "turn 2");
    assert_eq!(answer(&session, RECALL).await, "marker-red marker-blue");
    let events = closed(&session).await;
    let processes = started(&events);
    let modes: Vec<_> = processes.iter().map(|p| (p.mode, p.resumed)).collect();
    let one_shot = Mode::OneShot;
    assert_eq!(
        modes,
        [(one_shot, false), (one_shot, true), (one_shot, true)]
    );
}

async fn a_conversation_goes_on_in_another_pool(real: Real) {
    let conversation = {
        let pool = Pool::new().expect("a pool");
        let session = pool.open(real.options()).expect("a session");
        answer(&session, "keep marker-red").await;
        let conversation = session.snapshot().provider_session_id;
        closed(&session).await;
        conversation
    };
    for persistent in [Persistent::Auto, Persistent::Never] {
        let pool = Pool::new().expect("a pool");
        let options = SessionOptions {
            resume: conversation.clone(),
            persistent,
            ..real.options()
        };
        let session = pool.open(options).expect("a session");
        assert_eq!(answer(&session, RECALL).await, "marker-red");
        assert_eq!(session.snapshot().provider_session_id, conversation);
        let events = closed(&session).await;
        let resumed: Vec<_> = started(&events).iter().map(|p| p.resumed).collect();
        assert_eq!(resumed, [true]);
    }
}
