//! Agents that answer or ask badly: fault modes 43 to 45.

use std::time::Duration;

use remuda::event::{Resolution, StopReason};
use remuda::{Body, ErrorKind, Receipt};
use remuda_tests::{Lane, Stage, Told, each, script, soon};
use scripted_agent::{Action, InterruptMode, ReplyMode, Script, Trigger};

#[test]
fn mode_43_replies_that_are_missing_or_out_of_order_are_a_start_that_hangs() {
    each(&Lane::WARM, async |lane| {
        for mode in [ReplyMode::Drop, ReplyMode::Reorder] {
            let timeouts = soon(|t, second| t.start = second);
            let bad = script(Trigger::Start, [Action::Replies(mode)]);
            let mut stage = Stage::with(lane, &bad, timeouts);
            let told = stage.ask("hello").await;
            told.was_retried(ErrorKind::StartTimeout);
            stage.recalls("hello").await;
            stage.end().await;
        }
    });
}

#[test]
fn mode_43_replies_twice_or_to_nobody_change_nothing() {
    each(&Lane::ALL, async |lane| {
        for mode in [ReplyMode::Duplicate, ReplyMode::Unknown] {
            let odd = Script::new().on(Trigger::Start, [Action::Replies(mode)]);
            let mut stage = Stage::script(lane, &odd);
            let told = stage.ask("hello").await;
            assert_eq!(told.completed().text, "You said: hello");
            let next = stage.recalls("hello").await;
            assert_eq!((told.downgrade(), next.downgrade()), (None, None));
            stage.end().await;
        }
    });
}

/// Interrupts a turn that has begun and would never end, twice, and gives its end.
async fn interrupted(stage: &mut Stage) -> Told {
    let from = stage.log().len();
    let turn = stage
        .session
        .send("first [[tool Bash ls 0]] [[hang]]")
        .expect("it is accepted");
    stage
        .until(|body| matches!(body, Body::ToolResult { .. }))
        .await;
    for _ in 0..2 {
        let receipt = turn.interrupt().await.expect("the session is there");
        assert!(matches!(receipt, Receipt::Delivered | Receipt::TooLate));
    }
    stage.told(turn.id(), from).await
}

/// Why processes were stopped until now.
fn stops(stage: &Stage) -> Vec<StopReason> {
    let stops = stage.log().iter().filter_map(|event| match &event.body {
        Body::ProcessStopped { reason, .. } => Some(*reason),
        _ => None,
    });
    stops.collect()
}

#[test]
fn mode_44_an_ignored_interrupt_costs_the_process_and_not_the_session() {
    each(&Lane::ALL, async |lane| {
        let timeouts = soon(|t, second| t.interrupt_grace = second);
        let deaf = Script::new().on(
            Trigger::Start,
            [
                Action::Interrupts(InterruptMode::Ignore, 0),
                Action::IgnoreSignals,
            ],
        );
        let mut stage = Stage::with(lane, &deaf, timeouts);
        let told = interrupted(&mut stage).await;
        assert!(told.is_interrupted(), "{told:?}");
        assert_eq!(told.downgrade(), None, "the host wanted it");
        let next = stage.recalls("first").await;
        assert_eq!(next.downgrade(), None);
        assert_eq!(stops(&stage)[0], StopReason::Interrupted);
        stage.end().await;
    });
}

#[test]
fn mode_44_a_late_or_double_answer_to_an_interrupt_is_one_end() {
    each(&Lane::PIECES, async |lane| {
        for mode in [InterruptMode::Late, InterruptMode::Twice] {
            let timeouts = soon(|t, _| t.interrupt_grace = Duration::from_mins(1));
            let odd = Script::new().on(Trigger::Start, [Action::Interrupts(mode, 200)]);
            let mut stage = Stage::with(lane, &odd, timeouts);
            let told = interrupted(&mut stage).await;
            assert!(told.is_interrupted(), "{told:?}");
            let next = stage.recalls("first").await;
            assert_eq!((told.downgrade(), next.downgrade()), (None, None));
            if lane.is_warm() {
                assert_eq!(stops(&stage), [], "the process stays");
            }
            stage.end().await;
        }
    });
}

#[test]
fn mode_44_an_agent_that_dies_of_an_interrupt_was_interrupted() {
    each(&Lane::PIECES, async |lane| {
        let dies = Script::new().on(Trigger::Interrupt, [Action::Exit(1)]);
        let mut stage = Stage::script(lane, &dies);
        let told = interrupted(&mut stage).await;
        assert!(told.is_interrupted(), "{told:?}");
        assert_eq!(told.downgrade(), None, "it did what was asked");
        stage.recalls("first").await;
        stage.end().await;
    });
}

/// The questions of a turn, and how many of them were answered with no.
fn questions(told: &Told) -> (usize, usize) {
    let count = |wanted: &dyn Fn(&Body) -> bool| {
        let bodies = told.events.iter().map(|event| &event.body);
        bodies.filter(|body| wanted(body)).count()
    };
    let opened = count(&|body| matches!(body, Body::RequestOpened { .. }));
    let denied = count(
        &|body| matches!(body, Body::RequestResolved { resolution, .. } if *resolution == Resolution::Denied),
    );
    (opened, denied)
}

#[test]
fn mode_45_a_flood_of_questions_is_answered_one_by_one() {
    each(&Lane::PIECES, async |lane| {
        let mut stage = Stage::new(lane);
        let told = stage.ask("[[ask-flood 200]] [[say x]]").await;
        assert_eq!(told.completed().text, "x");
        assert_eq!(questions(&told), (200, 200));
        stage.recalls("[[say x]]").await;
        stage.end().await;
    });
}

#[test]
fn mode_45_a_question_that_is_taken_back_is_answered_once() {
    each(&Lane::PIECES, async |lane| {
        let mut stage = Stage::new(lane);
        let told = stage.ask("[[ask-stale]] [[say x]]").await;
        assert_eq!(told.completed().text, "x");
        assert_eq!(questions(&told), (1, 1));
        stage.recalls("[[say x]]").await;
        stage.end().await;
    });
}

#[test]
fn mode_45_a_question_that_is_asked_twice_ends_the_turn_all_the_same() {
    each(&Lane::PIECES, async |lane| {
        let mut stage = Stage::new(lane);
        let told = stage.ask("[[ask-twice]] [[say x]]").await;
        assert_eq!(told.completed().text, "x");
        let (opened, denied) = questions(&told);
        assert_eq!(opened, denied);
        assert!((1..=2).contains(&opened), "{opened}");
        stage.recalls("[[say x]]").await;
        stage.end().await;
    });
}

#[test]
fn mode_45_an_agent_that_may_not_ask_goes_on() {
    each(&[Lane::CodexOneShot], async |lane| {
        let mut stage = Stage::new(lane);
        let told = stage
            .ask("[[ask-flood 50]] [[ask-stale]] [[ask-twice]] [[say x]]")
            .await;
        assert_eq!(told.completed().text, "x");
        assert_eq!(questions(&told), (0, 0));
        stage.end().await;
    });
}
