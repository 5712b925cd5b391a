//! A host that does not read what it asked for: it is told, its memory is bounded, and it can still
//! interrupt; a turn that it forgot stops nobody.

use remuda::{
    Body, Change, ErrorKind, EventKind, Feature, InterruptOptions, OnBusy, Pool, Receipt,
    SendOptions, Sent, Session, Turn,
};
use remuda_tests::{Scene, bounded, each_protocol, hanging, those_that};

/// More than any of the logs holds, and so long that no agent says it in one go.
const FLOOD: &str = "[[flood 100000]]";

/// The least that a log may hold.
fn small() -> remuda::PoolBuilder {
    Pool::builder().log_bytes(64 << 10)
}

/// Waits until a reader has held the session back.
async fn full(session: &Session) {
    while !session.snapshot().held_back {
        tokio::task::yield_now().await;
    }
}

/// Waits until no turn runs.
async fn over(session: &Session) {
    while session.snapshot().running.is_some() {
        tokio::task::yield_now().await;
    }
}

async fn queue(session: &Session) -> Result<Turn, ErrorKind> {
    let options = SendOptions {
        on_busy: OnBusy::Queue,
        ..SendOptions::default()
    };
    match session.send_with("queued", options).await {
        Ok(Sent::Queued { turn, .. }) => Ok(turn),
        Ok(other) => panic!("a turn runs: {other:?}"),
        Err(refused) => Err(refused.kind()),
    }
}

#[test]
fn a_turn_whose_end_is_no_longer_in_the_log_ends_after_the_gap() {
    each_protocol(async |protocol| {
        let scene = Scene::new(protocol, small());
        let session = scene.open();
        let mut early = session.send("early").expect("accepted");
        over(&session).await;
        session.ask(FLOOD).await.expect("an answer");
        let mut flood = session.send(FLOOD).expect("accepted");
        over(&session).await;
        for turn in [&mut early, &mut flood] {
            let event = turn.next().await.expect("an event");
            assert_eq!(event.kind(), EventKind::Gap);
            while turn.next().await.is_some() {}
        }
        drop((session, early, flood));
        scene.end().await;
    });
}

#[test]
fn a_turn_that_is_kept_half_read_stops_no_later_one_and_still_has_all_its_events() {
    each_protocol(async |protocol| {
        let scene = Scene::new(protocol, small());
        let session = scene.open();
        let mut kept = session.send("[[words 3]]").expect("accepted");
        kept.next().await.expect("its start");
        over(&session).await;
        for _ in 0..3 {
            session.ask(FLOOD).await.expect("an answer");
        }
        assert!(!session.snapshot().held_back);
        let mut rest = Vec::new();
        while let Some(event) = kept.next().await {
            rest.push(event);
        }
        assert!(rest.iter().all(|e| e.kind() != EventKind::Gap), "{rest:#?}");
        assert!(rest.last().is_some_and(|e| e.is_turn_end()), "{rest:#?}");
        drop((session, kept));
        scene.end().await;
    });
}

#[test]
fn a_session_that_is_held_back_is_named_as_such_until_the_reader_goes() {
    each_protocol(async |protocol| {
        let scene = Scene::new(protocol, small());
        let session = scene.open();
        let reader = session.events(1);
        assert!(!session.snapshot().held_back);
        let turn = session.send(FLOOD).expect("accepted");
        full(&session).await;
        scene
            .stats_become("one is held", |s| s.held_back == 1)
            .await;
        drop(reader);
        turn.result().await.expect("an answer");
        assert!(!session.snapshot().held_back);
        scene.stats_become("none is", |s| s.held_back == 0).await;
        drop(session);
        scene.end().await;
    });
}

#[test]
fn an_interrupt_while_the_log_is_full_costs_no_process() {
    each_protocol(async |protocol| {
        let scene = Scene::new(protocol, small());
        let session = scene.open();
        session.ask("before").await.expect("an answer");
        let reader = session.events(1);
        let turn = session.send(format!("{FLOOD} [[hang]]")).expect("accepted");
        full(&session).await;
        let receipt = bounded("the receipt", turn.interrupt()).await;
        assert_eq!(receipt, Ok(Receipt::Delivered));
        let end = bounded("the end", turn.result()).await;
        end.expect_err("it was interrupted");
        drop(reader);
        session.ask("and on").await.expect("an answer");
        assert_eq!(scene.pool.stats().processes_started, 1);
        drop(session);
        scene.end().await;
    });
}

#[test]
fn a_host_that_queues_and_cancels_but_does_not_read_is_refused_in_the_end() {
    each_protocol(async |protocol| {
        let scene = Scene::new(protocol, small());
        let session = scene.open();
        let turn = hanging(&session).await;
        let mut reader = session.events(1);
        let mut queued = 0_u32;
        loop {
            match queue(&session).await {
                Ok(turn) => session.cancel(turn.id()).expect("it waits"),
                Err(ErrorKind::TurnInProgress) => tokio::task::yield_now().await,
                Err(refused) => {
                    assert_eq!(refused, ErrorKind::Backlog);
                    break;
                }
            }
            queued += 1;
            assert!(queued < 1_000_000, "nothing bounds it");
        }
        let refused = session.send("x").expect_err("also this");
        assert_eq!(refused.kind(), ErrorKind::Backlog);
        let receipt = bounded("the receipt", turn.interrupt()).await;
        receipt.expect("an interrupt is never refused for that");
        while reader.try_next().is_some() {}
        bounded("the end", turn.result())
            .await
            .expect_err("it was interrupted");
        while reader.try_next().is_some() {}
        drop(reader);
        session.ask("and on").await.expect("an answer");
        drop(session);
        scene.end().await;
    });
}

#[test]
fn a_host_that_changes_settings_but_does_not_read_is_refused_in_the_end() {
    each_protocol(async |protocol| {
        if !those_that(Feature::ChangeModel).any(|p| p == protocol) {
            return;
        }
        let scene = Scene::new(protocol, small());
        let session = scene.open();
        let reader = session.events(1);
        let change = || Change {
            model: Some("m".to_owned()),
            ..Change::default()
        };
        let mut changes = 0_u32;
        let refused = loop {
            if let Err(refused) = session.change(change()).await {
                break refused;
            }
            changes += 1;
            assert!(changes < 1_000_000, "nothing bounds it");
        };
        assert_eq!(refused.kind(), ErrorKind::Backlog);
        drop(reader);
        session.change(change()).await.expect("there is room");
        drop(session);
        scene.end().await;
    });
}

#[test]
fn an_interrupt_that_is_too_late_leaves_the_queue_as_it_is_and_one_that_hits_empties_it() {
    each_protocol(async |protocol| {
        let scene = Scene::new(protocol, Pool::builder());
        let session = scene.open();
        let over = session.send("over").expect("accepted");
        let old = over.id();
        over.result().await.expect("an answer");
        let running = hanging(&session).await;
        let [first, second] = [queue(&session).await, queue(&session).await];
        let drops = InterruptOptions {
            drop_queue: true,
            ..InterruptOptions::default()
        };
        let late = session.interrupt_with(old, drops).await;
        assert_eq!(late, Ok(Receipt::TooLate));
        assert_eq!(session.snapshot().queued.len(), 2);
        let hit = session.interrupt_with(running.id(), drops).await;
        assert_eq!(hit, Ok(Receipt::Delivered));
        for turn in [Ok(running), first, second] {
            let end = turn.expect("it waited").result().await;
            end.expect_err("it went with the turn");
        }
        let mut events = session.events(1);
        let seen = std::iter::from_fn(|| events.try_next());
        let begun = seen.filter(|e| matches!(e.body, Body::TurnStarted { .. }));
        assert_eq!(begun.count(), 2);
        drop((session, events));
        scene.end().await;
    });
}
