//! Agents that end when they should not: fault modes 1 to 3.

use remuda::event::WarningCode;
use remuda::{Body, ErrorKind};
use remuda_tests::{Lane, Stage, Told, each, script};
use scripted_agent::{Action, Trigger};

/// The turn failed because the process ended so; a warm session is downgraded for it.
fn exited(told: &Told, lane: Lane, code: Option<i32>, signal: Option<i32>) {
    let failure = told.failed_with_downgrade(ErrorKind::ProcessExit, lane.is_warm());
    let exit = failure.exit.expect("the exit is known");
    assert_eq!((exit.code, exit.signal), (code, signal));
    assert!(!exit.out_of_memory);
}

#[test]
fn mode_1_exit_at_start_is_retried_where_the_process_was_to_be_warm() {
    each(&Lane::ALL, async |lane| {
        let exit = script(Trigger::Start, [Action::Stderr(1), Action::Exit(3)]);
        let mut stage = Stage::script(lane, &exit);
        let told = stage.ask("hello").await;
        if lane.is_warm() {
            told.was_retried(ErrorKind::ProcessExit);
        } else {
            exited(&told, lane, Some(3), None);
            let failure = told.failed(ErrorKind::ProcessExit);
            let stderr = failure.stderr.as_deref().expect("the last words");
            assert!(stderr.contains("writes to stderr"), "{stderr}");
            assert!(stderr.len() <= 8 << 10);
            assert!(failure.message.contains("exit code 3"), "{failure:?}");
        }
        assert_eq!(stage.ask("again").await.completed().text, "You said: again");
        stage.end().await;
    });
}

#[test]
fn mode_1_exit_after_the_handshake_is_retried() {
    each(&Lane::WARM, async |lane| {
        let mut stage = Stage::script(lane, &script(Trigger::Handshake, [Action::Exit(8)]));
        let told = stage.ask("hello").await;
        told.was_retried(ErrorKind::ProcessExit);
        assert_eq!(told.completed().text, "You said: hello");
        stage.recalls("hello").await;
        stage.end().await;
    });
}

#[test]
fn mode_1_exit_in_a_turn_fails_it_and_the_conversation_goes_on() {
    each(&Lane::ALL, async |lane| {
        let mut stage = Stage::new(lane);
        let told = stage.ask("first [[words 2]] [[exit 10]]").await;
        exited(&told, lane, Some(10), None);
        if lane != Lane::CodexOneShot {
            assert_eq!(told.pieces(), "word1 word2 ");
        }
        let told = stage.recalls("first").await;
        assert_eq!(told.downgrade(), None);
        stage.end().await;
    });
}

#[test]
fn mode_1_exit_in_a_tool_is_never_retried() {
    each(&Lane::ALL, async |lane| {
        let mut stage = Stage::new(lane);
        let told = stage.ask("[[tool Bash ls 0]] [[exit 1]]").await;
        exited(&told, lane, Some(1), None);
        stage.end().await;
    });
}

/// Ends the first process at each of many points of its output. Whatever was cut off: the turn has
/// one end, and the next one is answered.
async fn cut(lane: Lane, points: impl Iterator<Item = Trigger>, bytes: bool) {
    let (mut failed, mut answered, mut truncated) = (0, 0, 0);
    for point in points {
        println!("exit at {point:?}");
        let mut stage = Stage::script(lane, &script(point, [Action::Exit(3)]));
        let told = stage.ask("hello").await;
        if told.is_completed() {
            assert_eq!(told.completed().text, "You said: hello");
            answered += 1;
        } else {
            exited(&told, lane, Some(3), None);
            failed += 1;
        }
        truncated += told.warnings(WarningCode::TruncatedLine);
        assert_eq!(stage.ask("again").await.completed().text, "You said: again");
        stage.end().await;
    }
    assert!(failed > 0, "some points are in the turn");
    // Those before it were tried again.
    assert!(answered > 0 || !lane.is_warm(), "none was tried again");
    assert!(truncated > 0 || !bytes, "none was cut in a line");
}

#[test]
fn mode_1_exit_after_any_line_leaves_one_end_and_a_session_that_works() {
    each(&Lane::ALL, async |lane| {
        cut(lane, (1..=4).map(Trigger::Event), false).await;
    });
}

#[test]
fn mode_1_exit_after_any_byte_leaves_one_end_and_a_session_that_works() {
    each(&Lane::ALL, async |lane| {
        // The prompt's first lines are short in some protocols and kilobytes long in others.
        let last = if lane == Lane::CodexOneShot {
            200
        } else {
            6000
        };
        let points = (1..=last).step_by(last as usize / 7);
        cut(lane, points.map(Trigger::Byte), true).await;
    });
}

#[test]
fn mode_1_exit_between_turns_costs_nothing() {
    each(&Lane::WARM, async |lane| {
        // The agent ends after its answer; the process is known to be gone before the next turn.
        let mut stage = Stage::script(lane, &script(Trigger::Turn(1), [Action::NoFinalNewline]));
        let told = stage.ask("first").await;
        assert_eq!(told.completed().text, "You said: first");
        stage
            .until(|body| matches!(body, Body::ProcessStopped { .. }))
            .await;
        let told = stage.recalls("first").await;
        assert_eq!(told.downgrade(), None, "no turn was hurt");
        stage.end().await;
    });
}

#[test]
fn mode_1_exit_while_idle_and_a_turn_at_the_same_time_cost_nothing() {
    each(&Lane::WARM, async |lane| {
        let mut stage = Stage::script(lane, &script(Trigger::Turn(1), [Action::NoFinalNewline]));
        stage.ask("first").await.completed();
        stage.recalls("first").await;
        stage.end().await;
    });
}

#[test]
fn mode_2_abort_and_segv_are_told_by_their_signal() {
    each(&Lane::ALL, async |lane| {
        for (instruction, signal) in [("abort", 6), ("segv", 11)] {
            let mut stage = Stage::new(lane);
            let told = stage
                .ask(&format!("first [[say x]] [[{instruction}]]"))
                .await;
            exited(&told, lane, None, Some(signal));
            stage.recalls("first").await;
            stage.end().await;
        }
    });
}

#[test]
fn mode_2_abort_before_the_turn_is_retried() {
    each(&Lane::WARM, async |lane| {
        let mut stage = Stage::script(lane, &script(Trigger::Start, [Action::Abort]));
        stage.ask("x").await.was_retried(ErrorKind::ProcessExit);
        stage.end().await;
    });
}

#[test]
fn mode_3_kill_in_a_turn_is_told_by_its_signal() {
    each(&Lane::ALL, async |lane| {
        let mut stage = Stage::new(lane);
        let told = stage.ask("first [[say x]] [[kill-self]]").await;
        exited(&told, lane, None, Some(9));
        let message = &told.failed(ErrorKind::ProcessExit).message;
        assert!(message.contains("signal 9"), "{message}");
        stage.recalls("first").await;
        stage.end().await;
    });
}

#[test]
fn mode_3_kill_of_a_process_with_children_takes_them_along() {
    each(&Lane::ALL, async |lane| {
        let mut stage = Stage::new(lane);
        let told = stage
            .ask("[[children setsid 2]] [[children term-proof 2]] [[kill-self]]")
            .await;
        exited(&told, lane, None, Some(9));
        stage
            .until(|body| matches!(body, Body::ProcessStopped { .. }))
            .await;
        assert_eq!(stage.children_alive(), 0);
        stage.end().await;
    });
}
