//! Interrupts: whenever one comes, its turn has one end, soon, and the session goes on.

use std::time::Duration;

use remuda::config::Persistent;
use remuda::event::StopReason;
use remuda::{AskError, Body, ErrorKind, EventKind, Pool, Receipt, Turn};
use remuda_tests::{Scene, Tape, count, each_protocol, hanging, timeouts};
use scripted_agent::{Action, Script, Trigger};

/// Interrupts a turn that the agent has, and that ends as interrupted.
async fn interrupt(turn: Turn) {
    assert_eq!(ends_by(turn).await, Receipt::Delivered);
}

/// Interrupts a turn, which ends as interrupted.
async fn ends_by(turn: Turn) -> Receipt {
    let receipt = turn.interrupt().await.expect("a receipt");
    let end = turn.result().await.expect_err("it was interrupted");
    assert!(matches!(end, AskError::Interrupted { .. }), "{end:?}");
    receipt
}

#[test]
fn in_the_middle_of_text_the_turn_ends_and_the_process_stays() {
    each_protocol(async |protocol| {
        let scene = Scene::new(protocol, Pool::builder());
        let session = scene.open();
        for _ in 0..5 {
            interrupt(hanging(&session).await).await;
        }
        session.ask("and on").await.expect("an answer");
        assert_eq!(scene.pool.stats().processes_started, 1);
        drop(session);
        scene.end().await;
    });
}

#[test]
fn in_the_middle_of_a_tool_the_turn_ends_and_the_process_stays() {
    each_protocol(async |protocol| {
        let scene = Scene::new(protocol, Pool::builder());
        let session = scene.open();
        let mut tape = Tape::of(&session);
        let turn = session.send("[[tool Bash make 60000]]").expect("accepted");
        tape.until_kind(EventKind::ToolUse).await;
        interrupt(turn).await;
        session.ask("and on").await.expect("an answer");
        assert_eq!(scene.pool.stats().processes_started, 1);
        drop(session);
        tape.whole().await;
        scene.end().await;
    });
}

#[test]
fn before_the_process_is_ready_the_turn_ends_at_once_and_is_never_sent() {
    each_protocol(async |protocol| {
        let slow = Script::new().on(Trigger::Start, [Action::SleepMs(200)]);
        let scene = Scene::scripted(protocol, Pool::builder(), &slow);
        let session = scene.open();
        let turn = session.send("never sent").expect("accepted");
        scene.stats_become("it starts", |s| s.starting == 1).await;
        assert_eq!(ends_by(turn).await, Receipt::Held);
        assert_eq!(
            scene.pool.stats().starting,
            1,
            "the process goes on starting"
        );
        let recalled = session.ask("[[recall]]").await.expect("an answer");
        assert_eq!(recalled.text, "");
        assert_eq!(scene.pool.stats().processes_started, 1);
        drop(session);
        scene.end().await;
    });
}

#[test]
fn in_the_queue_the_turn_ends_at_once_and_leaves_the_queue() {
    each_protocol(async |protocol| {
        let pool = Pool::builder().max_warm(1).max_processes(1_usize);
        let scene = Scene::new(protocol, pool);
        let [busy, other] = [scene.open(), scene.open()];
        let running = hanging(&busy).await;
        let waiting = other.send("never").expect("accepted");
        scene.stats_become("it waits", |s| s.waiting == 1).await;
        assert_eq!(ends_by(waiting).await, Receipt::Held);
        scene.stats_become("nobody waits", |s| s.waiting == 0).await;
        interrupt(running).await;
        scene
            .stats_become("the slot is idle", |s| s.idle == 1)
            .await;
        assert_eq!(scene.pool.stats().processes_started, 1);
        drop((busy, other));
        scene.end().await;
    });
}

#[test]
fn in_a_process_of_its_own_the_turn_ends_and_so_does_the_process() {
    each_protocol(async |protocol| {
        let scene = Scene::new(protocol, Pool::builder());
        let session = scene.open_with(|o| o.persistent = Persistent::Never);
        let mut tape = Tape::of(&session);
        let turn = session.send("[[tool Bash make 60000]]").expect("accepted");
        tape.until_kind(EventKind::ToolUse).await;
        interrupt(turn).await;
        session.ask("and on").await.expect("an answer");
        drop(session);
        let events = tape.whole().await;
        assert_eq!(count(&events, EventKind::ProcessStopped), 2);
        scene.end().await;
    });
}

#[test]
fn after_the_end_it_is_too_late_and_touches_nothing() {
    each_protocol(async |protocol| {
        let scene = Scene::new(protocol, Pool::builder());
        let session = scene.open();
        let mut first = session.send("first").expect("accepted");
        while first.next().await.is_some() {}
        let late = first.interrupt().await.expect("a receipt");
        assert_eq!(late, Receipt::TooLate);
        let second = hanging(&session).await;
        let late = first.interrupt().await.expect("a receipt");
        assert_eq!(late, Receipt::TooLate, "also while another turn runs");
        assert_eq!(session.snapshot().running, Some(second.id()));
        interrupt(second).await;
        assert_eq!(session.closed().await, [0; 0]);
        let gone = first.interrupt().await.expect_err("the session is gone");
        assert_eq!(gone.kind(), ErrorKind::Closed);
        drop((session, first));
        scene.end().await;
    });
}

#[test]
fn an_agent_that_ignores_it_is_replaced_after_the_grace_and_the_turn_ends_as_interrupted() {
    each_protocol(async |protocol| {
        let limits = timeouts(|t| t.interrupt_grace = Duration::from_millis(200));
        let scene = Scene::new(protocol, Pool::builder().timeouts(limits));
        let session = scene.open();
        let mut tape = Tape::of(&session);
        session.ask("before").await.expect("an answer");
        let deaf = "[[interrupts ignore]] [[say here]] [[hang]]";
        let turn = session.send(deaf).expect("accepted");
        tape.until_text("here").await;
        interrupt(turn).await;
        let recalled = session.ask("[[recall]]").await.expect("an answer");
        assert_eq!(recalled.text, format!("before\n{deaf}"));
        drop(session);
        let events = tape.whole().await;
        assert!(events.iter().any(|e| matches!(
            e.body,
            Body::ProcessStopped {
                reason: StopReason::Interrupted,
                ..
            }
        )));
        assert_eq!(count(&events, EventKind::Downgraded), 0);
        assert_eq!(count(&events, EventKind::ProcessStarted), 2);
        scene.end().await;
    });
}

#[test]
fn interrupted_again_and_again_a_turn_ends_once() {
    each_protocol(async |protocol| {
        let scene = Scene::new(protocol, Pool::builder());
        let session = scene.open();
        let tape = Tape::of(&session);
        let turn = hanging(&session).await;
        for _ in 0..500 {
            turn.interrupt().await.expect("a receipt");
        }
        turn.result().await.expect_err("it was interrupted");
        session.ask("and on").await.expect("an answer");
        drop(session);
        let events = tape.whole().await;
        assert_eq!(count(&events, EventKind::TurnInterrupted), 1);
        scene.end().await;
    });
}

#[test]
fn answered_late_or_twice_it_does_not_touch_the_next_turn() {
    each_protocol(async |protocol| {
        let scene = Scene::new(protocol, Pool::builder());
        for mode in ["late 50", "twice"] {
            let session = scene.open();
            let tape = Tape::of(&session);
            let prompt = format!("[[interrupts {mode}]] [[say here]] [[hang]]");
            let mut turn = session.send(prompt).expect("accepted");
            while let Some(event) = turn.next().await {
                if event.kind() == EventKind::TextDelta {
                    break;
                }
            }
            interrupt(turn).await;
            let result = session.ask("clean").await.expect("an answer");
            assert_eq!(result.text, "You said: clean");
            drop(session);
            tape.whole().await;
        }
        scene.end().await;
    });
}
