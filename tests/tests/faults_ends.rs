//! Agents that end their turns badly, or speak of others: fault modes 37 to 42.

use remuda::event::WarningCode;
use remuda::{Body, ErrorKind};
use remuda_tests::{Lane, Stage, each, script, soon};
use scripted_agent::{Action, Script, Trigger};

#[test]
fn mode_37_a_turn_without_an_end_ends_by_silence() {
    each(&Lane::ALL, async |lane| {
        let timeouts = soon(|t, second| (t.silence, t.tool_silence) = (second, second));
        let mut stage = Stage::with(lane, &Script::new(), timeouts);
        let told = stage.ask("first [[no-terminal]] [[say x]]").await;
        if lane == Lane::CodexOneShot {
            let failure = told.failed_with_downgrade(ErrorKind::ProcessExit, false);
            assert_eq!(failure.exit.and_then(|exit| exit.code), Some(0));
        } else {
            told.failed_with_downgrade(ErrorKind::SilenceTimeout, lane.is_warm());
            assert_eq!(told.pieces(), "x", "what was said stays");
        }
        stage.recalls("first").await;
        stage.end().await;
    });
}

#[test]
fn mode_38_a_second_end_changes_nothing() {
    each(&Lane::ALL, async |lane| {
        let mut stage = Stage::new(lane);
        for text in ["one", "two"] {
            let told = stage
                .ask(&format!("[[double-terminal]] [[say {text}]]"))
                .await;
            assert_eq!(told.completed().text, text);
            assert_eq!(told.downgrade(), None);
        }
        stage.recalls("two").await;
        stage.end().await;
    });
}

#[test]
fn mode_39_of_two_ends_that_contradict_each_other_the_first_counts() {
    each(&Lane::ALL, async |lane| {
        let mut stage = Stage::new(lane);
        let told = stage
            .ask("first [[contradictory-terminals]] [[say x]]")
            .await;
        assert!(!told.is_completed(), "{told:?}");
        assert_eq!(told.downgrade(), None, "the process works");
        let told = stage.recalls("first").await;
        assert_eq!(told.downgrade(), None);
        stage.end().await;
    });
}

#[test]
fn mode_40_output_after_the_end_of_its_turn_is_named_and_never_another_turns() {
    each(&Lane::ALL, async |lane| {
        let mut stage = Stage::new(lane);
        let told = stage.ask("first [[terminal-first]] [[say late]]").await;
        told.completed();
        let next = stage.ask("[[say next]]").await;
        assert_eq!(next.completed().text, "next");
        assert!(!next.pieces().contains("late"), "{:?}", next.pieces());
        if lane.is_warm() {
            let late = told.warnings(WarningCode::LateOutput);
            assert_eq!(late + next.warnings(WarningCode::LateOutput), 1);
        }
        stage.recalls("first").await;
        stage.end().await;
    });
}

#[test]
fn mode_41_events_after_the_end_are_named_and_never_another_turns() {
    each(&Lane::ALL, async |lane| {
        let mut stage = Stage::new(lane);
        let told = stage.ask("first [[after-terminal]] [[say x]]").await;
        assert_eq!(told.completed().text, "x");
        let next = stage.ask("[[say next]]").await;
        assert_eq!(next.completed().text, "next");
        if lane != Lane::CodexOneShot {
            assert_eq!(next.pieces(), "next");
        }
        if lane.is_warm() {
            let late = told.warnings(WarningCode::LateOutput);
            assert_eq!(late + next.warnings(WarningCode::LateOutput), 1);
        }
        stage.recalls("first").await;
        stage.end().await;
    });
}

/// Plays a turn whose end names another one, so that it has none.
async fn misnamed(stage: &mut Stage, lane: Lane, text: &str) {
    let told = stage.ask(text).await;
    // Codex names the turn in each line. Claude Code names it only at the ends, and what it says
    // between is the turn's.
    let (code, pieces) = match lane {
        Lane::CodexWarm | Lane::CodexOneShot => (ErrorKind::FirstOutputTimeout, ""),
        Lane::ClaudeWarm | Lane::ClaudeOneShot => (ErrorKind::SilenceTimeout, "x"),
    };
    told.failed_with_downgrade(code, lane.is_warm());
    assert_eq!(told.pieces(), pieces);
}

#[test]
fn mode_42_what_names_others_is_not_the_turns_and_the_conversation_stays() {
    each(&Lane::PIECES, async |lane| {
        let timeouts = soon(|t, second| (t.first_output, t.silence) = (second, second));
        let mut stage = Stage::with(lane, &Script::new(), timeouts);
        stage.ask("first").await.completed();
        let right = stage.session.snapshot().provider_session_id;
        misnamed(&mut stage, lane, "[[wrong-id]] [[say x]]").await;
        assert_eq!(stage.session.snapshot().provider_session_id, right);
        stage.recalls("first").await;
        stage.end().await;
    });
}

#[test]
fn mode_42_wrong_ids_in_the_first_turn_do_not_lose_the_session() {
    each(&Lane::PIECES, async |lane| {
        let timeouts = soon(|t, second| (t.first_output, t.silence) = (second, second));
        let wrong = script(Trigger::Turn(1), [Action::WrongId]);
        let mut stage = Stage::with(lane, &wrong, timeouts);
        misnamed(&mut stage, lane, "first [[say x]]").await;
        stage.ask("second").await.completed();
        stage.recalls("second").await;
        stage.end().await;
    });
}

#[test]
fn mode_42_an_agent_that_resumes_another_conversation_is_named() {
    each(&[Lane::CodexOneShot], async |lane| {
        let mut stage = Stage::new(lane);
        stage.ask("first").await.completed();
        let right = stage.session.snapshot().provider_session_id;
        let told = stage.ask("[[wrong-id]] [[say x]]").await;
        assert_eq!(told.completed().text, "x");
        assert_eq!(told.warnings(WarningCode::NotResumed), 1);
        assert_ne!(stage.session.snapshot().provider_session_id, right);
        let bound = told
            .events
            .iter()
            .any(|event| matches!(&event.body, Body::SessionBound { resumed: false, .. }));
        assert!(bound, "{told:?}");
        // It lied: there is no such conversation. The session stays usable.
        for _ in 0..2 {
            let next = stage.ask("[[recall]]").await;
            next.failed(ErrorKind::ResumeFailed);
            assert_eq!(next.downgrade(), None);
        }
        stage.end().await;
    });
}
