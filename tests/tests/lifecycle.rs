//! The life of a session whose agent behaves, or fails.

use std::time::Duration;

use remuda::config::{Downgrade, Mode, Persistent};
use remuda::event::TurnOrigin;
use remuda::{Body, Error, ErrorKind, EventKind, Feature, Pool, Session, TurnResult};
use remuda_tests::{Scene, Tape, count, each_agent, each_protocol, each_that, hanging, story};
use scripted_agent::{Action, Script, Trigger};

fn refusal<T: std::fmt::Debug>(answer: Result<T, Error>) -> ErrorKind {
    answer.expect_err("it is refused").kind()
}

async fn recalled(session: &Session) -> String {
    let result: TurnResult = session.ask("[[recall]]").await.expect("an answer");
    result.text
}

/// A prompt after which the agent starts a turn by itself. Instructions within an instruction are
/// written with escapes, because the first `]]` ends it.
fn follow_up(prompt: &str) -> String {
    let escaped = prompt.replace('[', "\\u005b").replace(']', "\\u005d");
    format!("[[follow-up \"{escaped}\"]]")
}

/// In the second turn of the first process the agent says something and dies.
fn dies_in_second_turn() -> Script {
    let dies = [Action::Words(2, "word".to_owned()), Action::KillSelf];
    Script::new().on(Trigger::Turn(2), dies).in_process(1)
}

#[test]
fn a_second_turn_is_refused_while_one_runs_and_leaves_no_trace() {
    each_agent(async |protocol| {
        let scene = Scene::new(protocol, Pool::builder());
        let session = scene.open();
        let tape = Tape::of(&session);
        let turn = hanging(&session).await;
        assert_eq!(
            refusal(session.send("too early")),
            ErrorKind::TurnInProgress
        );
        assert_eq!(refusal(session.send(" ")), ErrorKind::InvalidArgument);
        assert_eq!(session.snapshot().running, Some(turn.id()));
        turn.interrupt().await.expect("a receipt");
        turn.result().await.expect_err("it was interrupted");
        session.ask("now").await.expect("an answer");
        session.close();
        assert_eq!(refusal(session.send("too late")), ErrorKind::Closed);
        let events = tape.whole().await;
        assert_eq!(count(&events, EventKind::TurnStarted), 2);
        scene.end().await;
    });
}

#[test]
fn an_agent_that_dies_costs_one_turn_and_the_warm_process_but_not_the_conversation() {
    use EventKind::{
        Downgraded, ProcessStarted, ProcessStopped, SessionClosed, TurnCompleted, TurnFailed,
        TurnStarted,
    };
    each_agent(async |protocol| {
        let scene = Scene::scripted(protocol, Pool::builder(), &dies_in_second_turn());
        let session = scene.open();
        let tape = Tape::of(&session);
        session.ask("one").await.expect("an answer");
        let failed = session.ask("two").await.expect_err("it dies");
        assert_eq!(failed.kind(), Some(ErrorKind::ProcessExit));
        assert_eq!(session.snapshot().mode, Mode::OneShot);
        assert!(recalled(&session).await.starts_with("one\ntwo"));
        assert!(recalled(&session).await.starts_with("one\ntwo"));
        session.close();
        let events = tape.whole().await;
        let told: Vec<_> = story(&events)
            .into_iter()
            // The end of a process comes when its tree is gone, whatever happens meanwhile.
            .filter(|kind| *kind != ProcessStopped)
            .collect();
        assert_eq!(
            told,
            [
                TurnStarted,
                ProcessStarted,
                TurnCompleted, //
                TurnStarted,
                Downgraded,
                TurnFailed, //
                TurnStarted,
                ProcessStarted,
                TurnCompleted, //
                TurnStarted,
                ProcessStarted,
                TurnCompleted, //
                SessionClosed,
            ]
        );
        assert_eq!(count(&events, ProcessStopped), 3);
        scene.end().await;
    });
}

#[test]
fn an_agent_that_dies_before_any_sign_of_the_turn_is_not_noticed_but_for_the_downgrade() {
    each_agent(async |protocol| {
        let dies = Script::new()
            .on(Trigger::Start, [Action::Exit(3)])
            .in_process(1);
        let scene = Scene::scripted(protocol, Pool::builder(), &dies);
        let session = scene.open();
        let tape = Tape::of(&session);
        let result = session.ask("hello").await.expect("an answer");
        assert_eq!(result.text, "You said: hello");
        session.close();
        let events = tape.whole().await;
        assert_eq!(count(&events, EventKind::TurnStarted), 1);
        assert_eq!(count(&events, EventKind::Downgraded), 1);
        assert_eq!(scene.pool.stats().processes_started, 2);
        scene.end().await;
    });
}

#[test]
fn after_probation_a_session_goes_back_to_a_warm_process_once() {
    each_agent(async |protocol| {
        let pool = Pool::builder().downgrade(Downgrade::Probation { turns: 2 });
        let scene = Scene::scripted(protocol, pool, &dies_in_second_turn());
        let session = scene.open();
        let tape = Tape::of(&session);
        session.ask("one").await.expect("an answer");
        session.ask("two").await.expect_err("it dies");
        session.ask("three").await.expect("an answer");
        assert_eq!(session.snapshot().mode, Mode::OneShot);
        session.ask("four").await.expect("an answer");
        assert_eq!(session.snapshot().mode, Mode::Warm);
        session.ask("five").await.expect("an answer");
        assert!(recalled(&session).await.ends_with("three\nfour\nfive"));
        session.close();
        let events = tape.whole().await;
        assert_eq!(count(&events, EventKind::Restored), 1);
        assert_eq!(
            count(&events, EventKind::ProcessStarted),
            4,
            "warm, two alone, warm"
        );
        scene.end().await;
    });
}

#[test]
fn without_downgrade_the_next_turn_gets_a_warm_process_again() {
    each_agent(async |protocol| {
        let pool = Pool::builder().downgrade(Downgrade::Never);
        let scene = Scene::scripted(protocol, pool, &dies_in_second_turn());
        let session = scene.open();
        let tape = Tape::of(&session);
        session.ask("one").await.expect("an answer");
        session.ask("two").await.expect_err("it dies");
        session.ask("three").await.expect("an answer");
        assert!(recalled(&session).await.starts_with("one\ntwo\nthree"));
        session.close();
        let events = tape.whole().await;
        assert_eq!(count(&events, EventKind::Downgraded), 0);
        assert_eq!(count(&events, EventKind::ProcessStarted), 2);
        scene.end().await;
    });
}

#[test]
fn an_idle_agent_that_dies_hurts_nobody() {
    each_agent(async |protocol| {
        let dies = Script::new()
            .on(Trigger::AfterMs(100), [Action::KillSelf])
            .in_process(1);
        let scene = Scene::scripted(protocol, Pool::builder(), &dies);
        let session = scene.open();
        let mut tape = Tape::of(&session);
        session.ask("one").await.expect("an answer");
        tape.until_kind(EventKind::ProcessStopped).await;
        assert_eq!(session.snapshot().mode, Mode::Warm);
        assert_eq!(recalled(&session).await, "one");
        session.close();
        tape.whole().await;
        scene.end().await;
    });
}

#[test]
fn a_failure_of_the_model_costs_only_the_turn() {
    each_agent(async |protocol| {
        let scene = Scene::new(protocol, Pool::builder());
        let session = scene.open();
        for _ in 0..3 {
            let failed = session
                .ask("[[model-error 500]]")
                .await
                .expect_err("it fails");
            assert!(failed.kind().is_some_and(|kind| !kind.is_runtime()));
        }
        session.ask("good").await.expect("an answer");
        assert_eq!(session.snapshot().mode, Mode::Warm);
        assert_eq!(scene.pool.stats().processes_started, 1);
        drop(session);
        scene.end().await;
    });
}

#[test]
fn a_turn_that_the_agent_starts_is_its_own_and_keeps_the_session_busy() {
    each_that(Feature::AgentTurns, async |protocol| {
        let scene = Scene::new(protocol, Pool::builder().max_warm(1));
        let [session, other] = [scene.open(), scene.open()];
        let mut tape = Tape::of(&session);
        let prompt = follow_up("[[say mine]] [[hang]]");
        session.ask(prompt).await.expect("an answer");
        let begun = tape
            .until("a turn of the agent", |e| {
                let origin = TurnOrigin::Agent;
                e.body == Body::TurnStarted { origin, tag: None }
            })
            .await;
        let turn = begun.turn.expect("it has a number");
        tape.until("its output", |e| {
            e.turn == Some(turn) && e.kind() == EventKind::TextDelta
        })
        .await;
        assert_eq!(session.snapshot().running, None, "the host may send");
        other.ask("elsewhere").await.expect("an answer");
        let stats = scene.pool.stats();
        assert_eq!((stats.spilled, stats.evicted), (1, 0), "it is busy");

        session.interrupt(turn).await.expect("a receipt");
        tape.until("its end", |e| e.turn == Some(turn) && e.is_turn_end())
            .await;
        scene.stats_become("it is idle", |s| s.idle == 1).await;
        drop((session, other));
        tape.whole().await;
        scene.end().await;
    });
}

/// The Agent Client Protocol does not say which turn a piece belongs to: one that comes when the next
/// has begun cannot be told from the next one's own.
#[test]
fn output_after_the_end_of_a_turn_never_touches_the_next() {
    each_protocol(async |protocol| {
        let scene = Scene::new(protocol, Pool::builder());
        let session = scene.open();
        let tape = Tape::of(&session);
        session.ask("[[after-terminal]]").await.expect("an answer");
        let result = session.ask("clean").await.expect("an answer");
        assert_eq!(result.text, "You said: clean");
        session.close();
        let events = tape.whole().await;
        let late = "said too late";
        let told = |e: &remuda::Event| e.to_json().expect("JSON").contains(late);
        let told: Vec<_> = events.iter().filter(|e| told(e)).collect();
        assert!(!told.is_empty(), "it is not lost");
        let hosts: Vec<_> = events
            .iter()
            .filter(|e| {
                matches!(
                    e.body,
                    Body::TurnStarted {
                        origin: TurnOrigin::Host,
                        ..
                    }
                )
            })
            .map(|e| e.turn)
            .collect();
        for event in told {
            assert!(!hosts.contains(&event.turn), "{event:?}");
        }
        scene.end().await;
    });
}

#[test]
fn a_turn_that_ends_twice_ends_once() {
    each_agent(async |protocol| {
        let scene = Scene::new(protocol, Pool::builder());
        let session = scene.open();
        let tape = Tape::of(&session);
        for prompt in [
            "[[double-terminal]]",
            "[[contradictory-terminals]]",
            "plain",
        ] {
            let _ = session.ask(prompt).await;
        }
        session.close();
        let events = tape.whole().await;
        assert_eq!(count(&events, EventKind::TurnStarted), 3);
        scene.end().await;
    });
}

#[test]
fn questions_are_denied_at_once_however_many_come() {
    each_agent(async |protocol| {
        let scene = Scene::new(protocol, Pool::builder());
        let session = scene.open();
        let tape = Tape::of(&session);
        session.ask("[[ask-flood 500]]").await.expect("an answer");
        session.ask("[[ask Bash rm]]").await.ok();
        session.ask("and on").await.expect("an answer");
        session.close();
        let events = tape.whole().await;
        let opened = count(&events, EventKind::RequestOpened);
        assert!(opened >= 500, "{opened}");
        assert_eq!(count(&events, EventKind::RequestResolved), opened);
        scene.end().await;
    });
}

#[test]
fn a_warm_and_a_one_shot_session_tell_the_same_of_a_turn() {
    each_agent(async |protocol| {
        let scene = Scene::new(protocol, Pool::builder());
        let warm = scene.open();
        let alone = scene.open_with(|o| o.persistent = Persistent::Never);
        let prompt = "[[say looking]] [[tool Bash ls]] [[say done]]";
        let one = warm.ask(prompt).await.expect("an answer");
        let other = alone.ask(prompt).await.expect("an answer");
        assert_eq!(one.text, other.text);
        let told = |session: &Session| {
            let mut events = session.events(1);
            let mut seen = Vec::new();
            while let Some(event) = events.try_next() {
                seen.push(event);
            }
            let shown = [
                EventKind::ToolUse,
                EventKind::ToolResult,
                EventKind::TurnStarted,
            ];
            shown.map(|kind| count(&seen, kind))
        };
        assert_eq!(told(&warm), [1, 1, 1]);
        assert_eq!(told(&alone), [1, 1, 1]);
        drop((warm, alone));
        scene.end().await;
    });
}

#[test]
fn a_process_that_never_becomes_ready_is_given_up_and_the_turn_runs_alone() {
    each_agent(async |protocol| {
        let frozen = Script::new()
            .on(Trigger::Start, [Action::Freeze])
            .in_process(1);
        let limits = remuda_tests::timeouts(|t| t.start = Duration::from_millis(300));
        let scene = Scene::scripted(protocol, Pool::builder().timeouts(limits), &frozen);
        let session = scene.open();
        let mut tape = Tape::of(&session);
        let result = session.ask("hello").await.expect("an answer");
        assert_eq!(result.text, "You said: hello");
        let downgraded = tape.until_kind(EventKind::Downgraded).await;
        assert!(matches!(
            downgraded.body,
            Body::Downgraded {
                reason: ErrorKind::StartTimeout,
                ..
            }
        ));
        session.close();
        tape.whole().await;
        scene.end().await;
    });
}
