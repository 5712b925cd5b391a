//! Agents whose output ends, floods or comes in odd pieces: fault modes 24 to 31.

use remuda::event::WarningCode;
use remuda::{Body, ErrorKind, PoolOptions};
use remuda_tests::{Lane, Stage, each, script, soon};
use scripted_agent::{Action, Script, Trigger};

#[test]
fn mode_24_stdout_closed_while_the_agent_lives() {
    each(&Lane::ALL, async |lane| {
        let mut stage = Stage::new(lane);
        let told = stage.ask("first [[say x]] [[close-stdout]] [[hang]]").await;
        let failure = told.failed_with_downgrade(ErrorKind::ProcessExit, lane.is_warm());
        assert_eq!(
            failure.exit.and_then(|exit| exit.signal),
            Some(9),
            "by the pool"
        );
        stage.recalls("first").await;
        stage.end().await;
    });
}

#[test]
fn mode_24_stdout_closed_before_the_turn_is_retried() {
    each(&Lane::WARM, async |lane| {
        let mut stage = Stage::script(lane, &script(Trigger::Handshake, [Action::CloseStdout]));
        let told = stage.ask("hello").await;
        told.was_retried(ErrorKind::ProcessExit);
        stage.end().await;
    });
}

#[test]
fn mode_25_a_flood_on_stderr_hinders_no_turn() {
    each(&Lane::ALL, async |lane| {
        let mut stage = Stage::new(lane);
        let told = stage.ask("[[stderr 8]] [[say x]]").await;
        assert_eq!(told.completed().text, "x");
        let told = stage.ask("[[stderr 2]] [[exit 3]]").await;
        let failure = told.failed_with_downgrade(ErrorKind::ProcessExit, lane.is_warm());
        let stderr = failure.stderr.as_deref().expect("the last words");
        assert!(stderr.contains("scripted-agent writes to stderr"));
        assert!(stderr.len() <= 8 << 10, "{} bytes", stderr.len());
        stage.end().await;
    });
}

#[test]
fn mode_26_a_flood_on_stdout_loses_nothing() {
    each(&Lane::PIECES, async |lane| {
        let mut stage = Stage::new(lane);
        let told = stage.ask("[[flood 100000]]").await;
        let expected = "flood ".repeat(100_000);
        assert!(told.completed().text == expected, "the text is whole");
        assert!(told.pieces() == expected, "the pieces are whole");
        stage.end().await;
    });
}

#[test]
fn mode_26_a_flood_of_lines_that_say_nothing_loses_nothing() {
    each(&Lane::ALL, async |lane| {
        let mut stage = Stage::new(lane);
        let flood = "[[tool Bash ls 0]]".repeat(2000);
        let told = stage.ask(&format!("{flood} [[bytes 600000]]")).await;
        assert_eq!(told.completed().text.len(), 600_000);
        let bodies = || told.events.iter().map(|event| &event.body);
        let uses = bodies().filter(|body| matches!(body, Body::ToolUse { .. }));
        let results = bodies().filter(|body| matches!(body, Body::ToolResult { .. }));
        assert_eq!((uses.count(), results.count()), (2000, 2000));
        stage.end().await;
    });
}

const UNUSUAL: &str = "é漢🎉 \"quoted\" \\ \u{2028} e\u{301}";

async fn says_it_whole(lane: Lane, script: &Script) {
    let mut stage = Stage::script(lane, script);
    for _ in 0..2 {
        let told = stage.ask(UNUSUAL).await;
        let expected = format!("You said: {UNUSUAL}");
        assert_eq!(told.completed().text, expected);
        if lane != Lane::CodexOneShot {
            assert_eq!(told.pieces(), expected);
        }
        assert_eq!(told.downgrade(), None);
    }
    stage.end().await;
}

#[test]
fn mode_27_bytes_written_one_by_one_are_the_same_lines() {
    let single = Script::new().on(Trigger::Start, [Action::OneByteWrites]);
    each(&Lane::ALL, async |lane| says_it_whole(lane, &single).await);
}

#[test]
fn mode_28_lines_cut_at_every_offset_are_the_same_lines() {
    let cut = Script::new().on(Trigger::Start, [Action::SplitLines]);
    each(&Lane::ALL, async |lane| says_it_whole(lane, &cut).await);
    each(&Lane::PIECES, async |lane| {
        let mut stage = Stage::script(lane, &cut);
        let told = stage.ask("[[words 500 é漢🎉]]").await;
        let words: Vec<_> = (1..=500).map(|n| format!("é漢🎉{n} ")).collect();
        assert_eq!(told.pieces(), words.concat());
        stage.end().await;
    });
}

#[test]
fn mode_29_a_line_of_many_megabytes_is_taken_whole() {
    each(&Lane::ALL, async |lane| {
        let mut stage = Stage::new(lane);
        let told = stage.ask("[[line 6]]").await;
        assert_eq!(told.completed().text.len(), 6 << 20);
        stage.recalls("[[line 6]]").await;
        stage.end().await;
    });
}

fn small_lines() -> PoolOptions {
    PoolOptions {
        max_line: 64 << 10,
        ..PoolOptions::default()
    }
}

#[test]
fn mode_30_a_line_that_does_not_end_is_skipped_and_the_turn_goes_on() {
    each(&Lane::ALL, async |lane| {
        let mut stage = Stage::open(lane, &Script::new(), small_lines(), |_| ());
        // The line after it is a part of it.
        let told = stage
            .ask("[[endless-line 3]] [[noise banner]] [[say x]]")
            .await;
        assert_eq!(told.completed().text, "x");
        assert_eq!(told.warnings(WarningCode::LineTooLong), 1);
        assert_eq!(told.downgrade(), None);
        stage.recalls("[[say x]]").await;
        stage.end().await;
    });
}

#[test]
fn mode_30_an_end_of_a_turn_that_is_too_long_to_be_read_ends_it_and_its_process_stays() {
    each(&[Lane::ClaudeWarm, Lane::CodexWarm], async |lane| {
        let mut stage = Stage::open(lane, &Script::new(), small_lines(), |_| ());
        let told = stage.ask("[[bytes 300000]]").await;
        told.failed(ErrorKind::ProtocolError);
        assert_eq!(told.downgrade(), None);
        stage.recalls("[[bytes 300000]]").await;
        stage.end().await;
    });
}

#[test]
fn mode_30_a_line_that_never_ends_is_silence() {
    each(&Lane::ALL, async |lane| {
        let timeouts = soon(|t, second| (t.silence, t.tool_silence) = (second, second));
        let mut stage = Stage::open(lane, &Script::new(), small_lines(), |options| {
            options.timeouts = Some(timeouts);
        });
        let told = stage
            .ask("first [[tool Bash ls 0]] [[endless-line 3]] [[freeze]]")
            .await;
        told.failed_with_downgrade(ErrorKind::SilenceTimeout, lane.is_warm());
        stage.recalls("first").await;
        stage.end().await;
    });
}

#[test]
fn mode_31_a_last_line_without_a_newline_counts_if_it_is_whole() {
    each(&Lane::ALL, async |lane| {
        let bare = script(Trigger::Turn(1), [Action::NoFinalNewline]);
        let mut stage = Stage::script(lane, &bare);
        let told = stage.ask("first").await;
        assert_eq!(told.completed().text, "You said: first");
        assert_eq!(told.warnings(WarningCode::TruncatedLine), 0);
        let stopped = |body: &Body| matches!(body, Body::ProcessStopped { .. });
        stage.until(stopped).await;
        let told = stage.recalls("first").await;
        assert_eq!(
            told.downgrade(),
            None,
            "an exit between turns is no failure"
        );
        stage.end().await;
    });
}

#[test]
fn mode_31_a_last_line_that_is_cut_off_is_named_and_not_shown() {
    each(&Lane::PIECES, async |lane| {
        let mut stage = Stage::new(lane);
        let told = stage
            .ask("[[say whole]] [[endless-line 1]] [[exit 0]]")
            .await;
        let failure = told.failed_with_downgrade(ErrorKind::ProcessExit, lane.is_warm());
        assert_eq!(failure.exit.and_then(|exit| exit.code), Some(0));
        assert_eq!(told.pieces(), "whole");
        assert_eq!(told.warnings(WarningCode::TruncatedLine), 1);
        let unknown =
            |event: &std::sync::Arc<remuda::Event>| matches!(event.body, Body::Unknown { .. });
        assert!(!told.events.iter().any(unknown));
        stage.end().await;
    });
}
