//! Who gets a process: slots, eviction, spilling, waiting, and the bounds.

use std::time::Duration;

use remuda::config::{Persistent, WhenFull};
use remuda::event::{EvictionReason, StopReason};
use remuda::{Body, ErrorKind, EventKind, Pool, Receipt};
use remuda_tests::{Scene, Tape, count, each_protocol, hanging, is_empty, story};

const LONG: Duration = Duration::from_mins(1);

#[test]
fn many_turns_use_one_process() {
    each_protocol(async |protocol| {
        let scene = Scene::new(protocol, Pool::builder());
        let session = scene.open();
        let tape = Tape::of(&session);
        for n in 0..10 {
            let result = session.ask(format!("turn {n}")).await.expect("an answer");
            assert_eq!(result.text, format!("You said: turn {n}"));
        }
        assert_eq!(session.closed().await, [0; 0]);
        let events = tape.whole().await;
        assert_eq!(count(&events, EventKind::ProcessStarted), 1);
        assert_eq!(count(&events, EventKind::TurnCompleted), 10);
        assert_eq!(scene.pool.stats().processes_started, 1);
        scene.end().await;
    });
}

#[test]
fn the_session_that_is_idle_longest_is_evicted_and_goes_on_in_a_new_process() {
    each_protocol(async |protocol| {
        let scene = Scene::new(protocol, Pool::builder().max_warm(2));
        let [old, used, new] = [scene.open(), scene.open(), scene.open()];
        old.ask("the word is heron").await.expect("an answer");
        used.ask("first").await.expect("an answer");
        scene.stats_become("two idle", |s| s.idle == 2).await;
        // Touching the first makes the second the longest idle one, and back again.
        used.ask("second").await.expect("an answer");
        scene.stats_become("two idle", |s| s.idle == 2).await;
        let mut tape = Tape::of(&old);
        new.ask("third").await.expect("an answer");

        let evicted = tape.until_kind(EventKind::Evicted).await;
        let reason = EvictionReason::LeastRecentlyUsed;
        assert_eq!(evicted.body, Body::Evicted { reason });
        assert_eq!(scene.pool.stats().evicted, 1, "only that one");
        let recalled = old.ask("[[recall]]").await.expect("an answer");
        assert_eq!(recalled.text, "the word is heron");
        let started = tape
            .until("a resumed process", |e| {
                matches!(e.body, Body::ProcessStarted { resumed: true, .. })
            })
            .await;
        assert!(started.seq > evicted.seq);
        scene
            .stats_become("another made way", |s| s.evicted == 2)
            .await;
        drop((old, used, new));
        tape.whole().await;
        scene.end().await;
    });
}

#[test]
fn a_process_that_is_idle_for_too_long_is_stopped_and_the_session_stays() {
    each_protocol(async |protocol| {
        let idle = Duration::from_millis(150);
        let scene = Scene::new(protocol, Pool::builder().idle_timeout(idle));
        let session = scene.open();
        let mut tape = Tape::of(&session);
        session.ask("remember me").await.expect("an answer");
        let evicted = tape.until_kind(EventKind::Evicted).await;
        let reason = EvictionReason::IdleTimeout;
        assert_eq!(evicted.body, Body::Evicted { reason });
        let stopped = tape.until_kind(EventKind::ProcessStopped).await;
        assert!(matches!(
            &stopped.body,
            Body::ProcessStopped { reason: StopReason::Evicted, left, .. } if left.is_empty()
        ));
        scene
            .stats_become("no process", |s| s.processes == 0 && s.warm == 0)
            .await;
        let recalled = session.ask("[[recall]]").await.expect("an answer");
        assert_eq!(recalled.text, "remember me");
        session.close();
        tape.whole().await;
        scene.end().await;
    });
}

#[test]
fn a_turn_spills_when_all_slots_are_busy_and_its_process_ends_with_it() {
    each_protocol(async |protocol| {
        let scene = Scene::new(protocol, Pool::builder().max_warm(1));
        let [busy, other] = [scene.open(), scene.open()];
        let running = hanging(&busy).await;
        let mut tape = Tape::of(&other);
        let result = other.ask("what now").await.expect("an answer");
        assert_eq!(result.text, "You said: what now");
        let stopped = tape.until_kind(EventKind::ProcessStopped).await;
        assert!(matches!(
            stopped.body,
            Body::ProcessStopped {
                reason: StopReason::TurnDone,
                ..
            }
        ));
        assert_eq!(
            story(tape.seen()),
            [
                EventKind::TurnStarted,
                EventKind::Spilled,
                EventKind::ProcessStarted,
                EventKind::TurnCompleted,
                EventKind::ProcessStopped,
            ]
        );
        let stats = scene.stats_become("one left", |s| s.processes == 1).await;
        assert_eq!((stats.spilled, stats.warm, stats.evicted), (1, 1, 0));

        running.interrupt().await.expect("a receipt");
        running.result().await.expect_err("it was interrupted");
        let recalled = other.ask("[[recall]]").await.expect("an answer");
        assert_eq!(recalled.text, "what now", "now it has the slot");
        assert_eq!(scene.pool.stats().spilled, 1);
        drop((busy, other));
        tape.whole().await;
        scene.end().await;
    });
}

#[test]
fn with_wait_a_turn_gets_the_slot_when_it_is_free() {
    each_protocol(async |protocol| {
        let wait = WhenFull::Wait { timeout: LONG };
        let scene = Scene::new(protocol, Pool::builder().max_warm(1).when_full(wait));
        let [busy, other] = [scene.open(), scene.open()];
        let running = hanging(&busy).await;
        let waiting = other.send("me too").expect("accepted");
        scene.stats_become("one waits", |s| s.waiting == 1).await;
        running.interrupt().await.expect("a receipt");
        let result = waiting.result().await.expect("an answer");
        assert_eq!(result.text, "You said: me too");
        let stats = scene.pool.stats();
        assert_eq!((stats.spilled, stats.evicted), (0, 1));
        drop((busy, other, running));
        scene.end().await;
    });
}

#[test]
fn with_wait_a_turn_fails_as_pool_full_when_no_slot_comes_in_time() {
    each_protocol(async |protocol| {
        let wait = WhenFull::Wait {
            timeout: Duration::from_millis(100),
        };
        let scene = Scene::new(protocol, Pool::builder().max_warm(1).when_full(wait));
        let [busy, other] = [scene.open(), scene.open()];
        let running = hanging(&busy).await;
        let refused = other.ask("me too").await.expect_err("no slot");
        assert_eq!(refused.kind(), Some(ErrorKind::PoolFull));
        running.interrupt().await.expect("a receipt");
        running.result().await.expect_err("it was interrupted");
        other.ask("again").await.expect("the slot is idle now");
        drop((busy, other));
        scene.end().await;
    });
}

#[test]
fn with_fail_a_turn_fails_at_once_and_the_session_stays() {
    each_protocol(async |protocol| {
        let scene = Scene::new(
            protocol,
            Pool::builder().max_warm(1).when_full(WhenFull::Fail),
        );
        let [busy, other] = [scene.open(), scene.open()];
        let tape = Tape::of(&other);
        let running = hanging(&busy).await;
        for _ in 0..3 {
            let refused = other.ask("me too").await.expect_err("no slot");
            assert_eq!(refused.kind(), Some(ErrorKind::PoolFull));
        }
        running.interrupt().await.expect("a receipt");
        running.result().await.expect_err("it was interrupted");
        other.ask("again").await.expect("an answer");
        drop((busy, other));
        let events = tape.whole().await;
        assert_eq!(count(&events, EventKind::TurnFailed), 3);
        scene.end().await;
    });
}

#[test]
fn processes_are_bounded_and_turns_wait_in_the_order_in_which_they_came() {
    each_protocol(async |protocol| {
        let pool = Pool::builder().max_warm(1).max_processes(2_usize);
        let scene = Scene::new(protocol, pool);
        let busy: Vec<_> = (0..2).map(|_| scene.open()).collect();
        let mut running = Vec::new();
        for session in &busy {
            running.push(session.send("[[hang]]").expect("accepted"));
        }
        scene
            .stats_become("two run", |s| s.processes == 2 && s.starting == 0)
            .await;
        let mut queue = Vec::new();
        for n in 0..5 {
            let session = scene.open();
            let turn = session.send(format!("place {n}")).expect("accepted");
            scene
                .stats_become("in the queue", |s| s.waiting == n + 1)
                .await;
            queue.push((session, turn));
        }
        assert_eq!(scene.pool.stats().processes, 2);
        // One process comes free, so they are served one after another.
        running[1].interrupt().await.expect("a receipt");
        let mut ends = Vec::new();
        let mut sessions = Vec::new();
        for (session, turn) in queue {
            turn.result().await.expect("an answer");
            let tape = Tape::of(&session);
            sessions.push(session);
            ends.push(tape);
        }
        let mut started = Vec::new();
        for tape in &mut ends {
            let event = tape.until_kind(EventKind::ProcessStarted).await;
            let Body::ProcessStarted { process, .. } = &event.body else {
                panic!("{event:?}");
            };
            // Given out when it is granted; an event's time may be late on a busy machine.
            started.push(*process);
        }
        assert!(started.is_sorted(), "{started:?}");
        assert!(scene.pool.stats().processes <= 2);
        drop((busy, running, sessions));
        for tape in ends {
            tape.whole().await;
        }
        scene.end().await;
    });
}

#[test]
fn no_more_processes_start_at_the_same_time_than_allowed() {
    each_protocol(async |protocol| {
        use scripted_agent::{Action, Script, Trigger};
        let slow = Script::new().on(Trigger::Start, [Action::SleepMs(100)]);
        let pool = Pool::builder().max_warm(6).max_starting(2);
        let scene = Scene::scripted(protocol, pool, &slow);
        let sessions: Vec<_> = (0..6).map(|_| scene.open()).collect();
        let turns: Vec<_> = sessions
            .iter()
            .map(|s| s.send("hello").expect("accepted"))
            .collect();
        let most = std::cell::Cell::new(0);
        scene
            .stats_become("all idle", |s| {
                most.set(most.get().max(s.starting));
                s.idle == 6
            })
            .await;
        assert_eq!(most.get(), 2);
        for turn in turns {
            turn.result().await.expect("an answer");
        }
        drop(sessions);
        scene.end().await;
    });
}

#[test]
fn a_held_session_is_not_evicted_until_it_is_let_go() {
    each_protocol(async |protocol| {
        let idle = Duration::from_millis(50);
        let pool = Pool::builder().max_warm(1).idle_timeout(idle);
        let scene = Scene::new(protocol, pool);
        let [kept, other] = [scene.open(), scene.open()];
        let mut tape = Tape::of(&kept);
        let hold = kept.hold();
        let again = kept.hold();
        kept.ask("mine").await.expect("an answer");
        other.ask("elsewhere").await.expect("an answer");
        drop(again);
        other.ask("elsewhere again").await.expect("an answer");
        let stats = scene.pool.stats();
        assert_eq!((stats.spilled, stats.evicted, stats.idle), (2, 0, 0));
        drop(hold);
        tape.until_kind(EventKind::Evicted).await;
        drop((kept, other));
        tape.whole().await;
        scene.end().await;
    });
}

#[test]
fn a_one_shot_session_uses_one_process_per_turn_and_no_slot() {
    each_protocol(async |protocol| {
        let scene = Scene::new(protocol, Pool::builder());
        let session = scene.open_with(|o| o.persistent = Persistent::Never);
        let tape = Tape::of(&session);
        session.ask("one").await.expect("an answer");
        let recalled = session.ask("[[recall]]").await.expect("an answer");
        assert_eq!(recalled.text, "one");
        let recalled = session.ask("[[recall]] again").await.expect("an answer");
        assert_eq!(recalled.text, "one\n[[recall]]");
        assert_eq!(scene.pool.stats().warm, 0);
        session.close();
        let events = tape.whole().await;
        assert_eq!(count(&events, EventKind::ProcessStarted), 3);
        assert_eq!(count(&events, EventKind::ProcessStopped), 3);
        scene.end().await;
    });
}

#[test]
fn a_conversation_goes_on_in_another_pool() {
    each_protocol(async |protocol| {
        let scene = Scene::new(protocol, Pool::builder());
        let session = scene.open();
        session.ask("the word is crane").await.expect("an answer");
        let id = session.snapshot().provider_session_id.expect("an id");
        assert_eq!(session.closed().await, [0; 0]);
        let other = Pool::new().expect("a pool");
        let mut options = scene.options();
        options.resume = Some(id.clone());
        let again = other.open(options).expect("a session");
        let recalled = again.ask("[[recall]]").await.expect("an answer");
        assert_eq!(recalled.text, "the word is crane");
        assert_eq!(again.snapshot().provider_session_id, Some(id));
        other.shutdown(LONG).await;
        scene.end().await;
    });
}

#[test]
fn two_open_sessions_of_a_pool_never_have_the_same_conversation() {
    each_protocol(async |protocol| {
        let scene = Scene::new(protocol, Pool::builder());
        let first = scene.open();
        first.ask("the word is crane").await.expect("an answer");
        let mut options = scene.options();
        options.resume = first.snapshot().provider_session_id;
        let error = scene.pool.open(options.clone()).expect_err("it is taken");
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        assert!(error.message().contains(&first.id().to_string()), "{error}");
        first.close();
        let again = scene.pool.open(options.clone()).expect("it is free");
        assert!(scene.pool.open(options).is_err(), "and taken again");
        assert_eq!(first.closed().await, [0; 0]);
        let recalled = again.ask("[[recall]]").await.expect("an answer");
        assert_eq!(recalled.text, "the word is crane");
        assert_eq!(again.closed().await, [0; 0]);
        scene.end().await;
    });
}

#[test]
fn the_numbers_are_right_at_each_step() {
    each_protocol(async |protocol| {
        let scene = Scene::new(protocol, Pool::builder().max_warm(2).max_processes(3_usize));
        let stats = scene.pool.stats();
        assert!(is_empty(stats));
        assert_eq!((stats.max_warm, stats.max_processes), (2, 3));
        let session = scene.open();
        scene
            .stats_become("one session", |s| s.sessions == 1 && s.warm == 0)
            .await;
        let turn = session.send("[[hang]]").expect("accepted");
        let busy = |s: remuda::PoolStats| {
            [
                s.sessions,
                s.warm,
                s.idle,
                s.processes,
                s.starting,
                s.waiting,
            ] == [1, 1, 0, 1, 0, 0]
        };
        scene.stats_become("it is busy", busy).await;
        assert_eq!(scene.pool.stats().turns_started, 1);
        assert_eq!(
            turn.interrupt().await.expect("a receipt"),
            Receipt::Delivered
        );
        turn.result().await.expect_err("it was interrupted");
        scene
            .stats_become("it is idle", |s| s.idle == 1 && s.warm == 1)
            .await;
        session.ask("good").await.expect("an answer");
        session
            .ask("[[model-error 400]]")
            .await
            .expect_err("it failed");
        let stats = scene.pool.stats();
        assert_eq!(
            [
                stats.turns_started,
                stats.turns_completed,
                stats.turns_failed,
                stats.turns_interrupted,
                stats.processes_started,
            ],
            [3, 1, 1, 1, 1]
        );
        assert_eq!(session.closed().await, [0; 0]);
        scene.stats_become("empty again", is_empty).await;
        scene.end().await;
    });
}
