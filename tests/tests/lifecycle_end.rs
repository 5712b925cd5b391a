//! How sessions and pools end: by close, by drop, by shutdown. Nothing is left, and all is told.

use std::time::Duration;

use remuda::event::{CloseReason, StopReason};
use remuda::{AskError, Body, ErrorKind, Event, EventKind, Pool, PoolStats, Session};
use remuda_tests::{
    Scene, Tape, assert_lawful, bounded, count, each_protocol, hanging, is_empty, isolated, story,
};

const LONG: Duration = Duration::from_secs(30);

fn closed_by(event: &Event) -> Option<CloseReason> {
    let Body::SessionClosed { reason, left } = &event.body else {
        return None;
    };
    left.is_empty().then_some(*reason)
}

#[test]
fn close_ends_an_idle_session_and_its_process() {
    each_protocol(async |protocol| {
        let scene = Scene::new(protocol, Pool::builder());
        let session = scene.open();
        let tape = Tape::of(&session);
        session.ask("hello").await.expect("an answer");
        session.close();
        session.close();
        assert!(session.snapshot().closed);
        assert_eq!(session.closed().await, [0; 0]);
        assert_eq!(session.closed().await, [0; 0], "also when it is over");
        let events = tape.whole().await;
        assert_eq!(
            story(&events)[3..],
            [EventKind::ProcessStopped, EventKind::SessionClosed]
        );
        scene.stats_become("nothing", is_empty).await;
        scene.end().await;
    });
}

#[test]
fn close_ends_a_session_that_never_had_a_process() {
    each_protocol(async |protocol| {
        let scene = Scene::new(protocol, Pool::builder());
        let session = scene.open();
        let tape = Tape::of(&session);
        assert_eq!(session.closed().await, [0; 0]);
        assert_eq!(tape.whole().await.len(), 2);
        scene.end().await;
    });
}

#[test]
fn close_ends_a_running_turn_as_failed_wherever_it_is() {
    each_protocol(async |protocol| {
        let scene = Scene::new(protocol, Pool::builder().max_warm(1).max_processes(1_usize));
        let [busy, queued, starting] = [scene.open(), scene.open(), scene.open()];
        let mut turns = vec![hanging(&busy).await];
        turns.push(queued.send("in the queue").expect("accepted"));
        scene.stats_become("it waits", |s| s.waiting == 1).await;
        let tapes = [&busy, &queued, &starting].map(Tape::of);
        queued.close();
        busy.close();
        turns.push(starting.send("hello").expect("accepted"));
        starting.close();
        for turn in turns {
            let end = turn.result().await.expect_err("it was closed");
            let AskError::Failed { failure, .. } = end else {
                panic!("{end:?}");
            };
            assert_eq!(failure.code, ErrorKind::Closed);
            assert_eq!(failure.message, "the session was closed");
        }
        for tape in tapes {
            let events = tape.whole().await;
            assert_eq!(count(&events, EventKind::TurnFailed), 1);
        }
        scene.end().await;
    });
}

#[test]
fn an_agent_that_does_not_go_is_killed_with_all_that_it_started() {
    each_protocol(async |protocol| {
        let scene = Scene::new(protocol, Pool::builder());
        let session = scene.open();
        let stubborn = "[[ignore-signals]] [[ignore-eof]] [[interrupts ignore]]
            [[children setsid 2]] [[children double-fork]] [[children term-proof]] [[hang]]";
        let mut turn = session.send(stubborn).expect("accepted");
        while let Some(event) = turn.next().await {
            if event.kind() == EventKind::TextDelta {
                break;
            }
        }
        // By itself it would never go.
        let shutdown = scene.pool.shutdown(Duration::from_secs(3));
        let report = bounded("the shutdown", shutdown).await;
        assert!(report.unfinished.is_empty() && report.left.is_empty());
        turn.result().await.expect_err("it was closed");
        drop(session);
        scene.end().await;
    });
}

#[test]
fn dropping_the_last_handle_closes_a_session() {
    each_protocol(async |protocol| {
        let scene = Scene::new(protocol, Pool::builder());
        let session = scene.open();
        let mut tape = Tape::of(&session);
        session.ask("hello").await.expect("an answer");
        let (clone, turn) = (session.clone(), session.send("again").expect("accepted"));
        drop((session, clone));
        turn.result().await.expect("a turn keeps its session open");
        let end = tape.until_kind(EventKind::SessionClosed).await;
        assert_eq!(closed_by(&end), Some(CloseReason::Host));
        tape.whole().await;
        scene.end().await;
    });
}

#[test]
fn a_hold_keeps_a_session_open_and_dropping_it_closes_it() {
    each_protocol(async |protocol| {
        let scene = Scene::new(protocol, Pool::builder());
        let session = scene.open();
        let tape = Tape::of(&session);
        session.ask("hello").await.expect("an answer");
        let hold = session.hold();
        drop(session);
        assert_eq!(scene.pool.stats().sessions, 1);
        drop(hold);
        tape.whole().await;
        scene.end().await;
    });
}

#[test]
fn dropping_everything_without_a_shutdown_leaves_nothing_and_readers_see_the_ends() {
    each_protocol(async |protocol| {
        for _ in 0..5 {
            let scene = Scene::new(protocol, Pool::builder());
            let [busy, idle, new] = [scene.open(), scene.open(), scene.open()];
            idle.ask("hello").await.expect("an answer");
            let running = hanging(&busy).await;
            let starting = new.send("hello").expect("accepted");
            let tapes = [&busy, &idle, &new].map(Tape::of);
            drop((running, starting));
            drop((busy, idle, new));
            drop(scene);
            for tape in tapes {
                tape.whole().await;
            }
        }
    });
}

#[test]
fn a_shutdown_closes_all_sessions_and_lists_them() {
    each_protocol(async |protocol| {
        let scene = Scene::new(protocol, Pool::builder());
        let [busy, idle, new, unused] = [(); 4].map(|()| scene.open());
        idle.ask("hello").await.expect("an answer");
        let running = hanging(&busy).await;
        let starting = new.send("hello").expect("accepted");
        let sessions = [busy, idle, new, unused];
        let tapes = sessions.each_ref().map(Tape::of);
        let mut ids: Vec<_> = sessions.iter().map(Session::id).collect();
        let mut report = scene.pool.shutdown(LONG).await;
        ids.sort_unstable();
        report.closed.sort_unstable();
        assert_eq!(report.closed, ids);
        assert!(report.unfinished.is_empty() && report.left.is_empty());
        for turn in [running, starting] {
            let end = turn.result().await.expect_err("it was closed");
            assert_eq!(end.kind(), Some(ErrorKind::Closed));
        }
        for tape in tapes {
            let events = tape.whole().await;
            let end = closed_by(events.last().expect("an end"));
            assert_eq!(end, Some(CloseReason::Shutdown));
        }
        let refused = scene.pool.open(scene.options()).expect_err("it is shut");
        assert_eq!(refused.kind(), ErrorKind::Closed);
        for session in &sessions {
            let refused = session.send("too late").expect_err("it is shut");
            assert_eq!(refused.kind(), ErrorKind::Closed);
        }
        let mut again = scene.pool.shutdown(LONG).await;
        again.closed.sort_unstable();
        assert_eq!(again, report, "a second one says the same");
    });
}

#[test]
fn a_shutdown_without_time_returns_and_a_second_one_waits_for_the_end() {
    each_protocol(async |protocol| {
        let scene = Scene::new(protocol, Pool::builder());
        let session = scene.open();
        let tape = Tape::of(&session);
        let running = hanging(&session).await;
        let first = scene.pool.shutdown(Duration::ZERO).await;
        assert_eq!(first.closed.len() + first.unfinished.len(), 1);
        let second = scene.pool.shutdown(LONG).await;
        assert_eq!((second.closed.len(), second.unfinished.len()), (1, 0));
        running.result().await.expect_err("it was closed");
        tape.whole().await;
        scene.stats_become("nothing", is_empty).await;
    });
}

#[test]
fn every_turn_that_a_shutdown_races_with_is_refused_or_has_its_end() {
    isolated(|| {
        for round in 0..30 {
            let protocol = remuda_tests::PROTOCOLS[round % 2];
            let scene = Scene::new(protocol, Pool::builder().max_warm(2));
            let sessions: Vec<_> = (0..8).map(|_| scene.open()).collect();
            let tapes: Vec<_> = sessions.iter().map(Tape::of).collect();
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(async {
                let senders: Vec<_> = sessions
                    .into_iter()
                    .map(|session| {
                        tokio::spawn(async move {
                            let mut accepted = 0;
                            loop {
                                match session.send("hello") {
                                    Ok(turn) => {
                                        accepted += 1;
                                        // Whatever the end is, it comes.
                                        let _ = turn.result().await;
                                    }
                                    Err(refused) => {
                                        assert_eq!(refused.kind(), ErrorKind::Closed);
                                        return accepted;
                                    }
                                }
                            }
                        })
                    })
                    .collect();
                // Later and later in the work.
                let begun = |stats: PoolStats| stats.turns_started >= 2 * round as u64;
                scene.stats_become("so much is done", begun).await;
                scene.pool.shutdown(LONG).await;
                for (sender, tape) in senders.into_iter().zip(tapes) {
                    let accepted = sender.await.expect("no panic");
                    let events = tape.whole().await;
                    assert_eq!(count(&events, EventKind::TurnStarted), accepted);
                }
            });
        }
    });
}

#[test]
fn every_session_that_was_opened_before_a_shutdown_is_in_its_report() {
    isolated(|| {
        for _ in 0..100 {
            let scene = Scene::new(remuda_tests::PROTOCOLS[0], Pool::builder());
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(async {
                let (pool, options) = (scene.pool.clone(), scene.options());
                let opening = tokio::task::spawn_blocking(move || {
                    let mut opened = Vec::new();
                    loop {
                        match pool.open(options.clone()) {
                            Ok(session) => opened.push(session),
                            Err(refused) => {
                                assert_eq!(refused.kind(), ErrorKind::Closed);
                                return opened;
                            }
                        }
                    }
                });
                let some = |stats: PoolStats| stats.sessions > 0;
                scene.stats_become("some are open", some).await;
                let report = scene.pool.shutdown(LONG).await;
                let sessions = opening.await.expect("no panic");
                let mut opened: Vec<_> = sessions.iter().map(Session::id).collect();
                let mut closed = report.closed;
                opened.sort_unstable();
                closed.sort_unstable();
                assert_eq!(opened, closed);
            });
        }
    });
}

#[test]
fn a_session_that_is_closed_while_it_is_evicted_ends_once() {
    each_protocol(async |protocol| {
        for _ in 0..10 {
            let scene = Scene::new(protocol, Pool::builder().max_warm(1));
            let [first, second] = [scene.open(), scene.open()];
            let tape = Tape::of(&first);
            first.ask("hello").await.expect("an answer");
            let turn = second.send("make way").expect("accepted");
            first.close();
            turn.result().await.expect("an answer");
            let events = tape.whole().await;
            assert_lawful(&events);
            assert!(events.iter().any(|e| matches!(
                e.body,
                Body::ProcessStopped {
                    reason: StopReason::Closed | StopReason::Evicted,
                    ..
                }
            )));
            drop((first, second));
            scene.end().await;
        }
    });
}

#[test]
fn a_session_is_closed_in_the_middle_of_more_questions_than_any_queue_holds() {
    each_protocol(async |protocol| {
        let scene = Scene::new(protocol, Pool::builder().threads(1_usize));
        for _ in 0..10 {
            let session = scene.open();
            let mut tape = Tape::of(&session);
            let flood = session.send("[[ask-flood 3000]]").expect("accepted");
            tape.until_kind(EventKind::RequestOpened).await;
            session.close();
            let _ = flood.result().await;
            let events = tape.whole().await;
            let opened = count(&events, EventKind::RequestOpened);
            assert_eq!(count(&events, EventKind::RequestResolved), opened);
            drop(session);
        }
        scene.end().await;
    });
}
