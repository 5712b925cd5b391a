//! Agents that take their time: fault modes 53 and 54.

use remuda::ErrorKind;
use remuda_tests::{Lane, Stage, each, script, soon};
use scripted_agent::{Action, Script, Trigger};

#[test]
fn mode_53_slow_writes_are_no_fault() {
    each(&Lane::ALL, async |lane| {
        let slow = Script::new().on(Trigger::Start, [Action::DelayWrites(30)]);
        let mut stage = Stage::script(lane, &slow);
        let told = stage.ask("hello").await;
        assert_eq!(told.completed().text, "You said: hello");
        let next = stage.recalls("hello").await;
        assert_eq!((told.downgrade(), next.downgrade()), (None, None));
        stage.end().await;
    });
}

#[test]
fn mode_53_writes_slower_than_the_deadlines_are_told_by_the_phase() {
    each(&Lane::ALL, async |lane| {
        let timeouts = soon(|t, second| {
            (t.start, t.first_output, t.tool_silence) = (second, second, second);
        });
        let slow = script(Trigger::Start, [Action::DelayWrites(100_000)]);
        let mut stage = Stage::with(lane, &slow, timeouts);
        let told = stage.ask("hello").await;
        match lane {
            Lane::ClaudeWarm | Lane::CodexWarm => told.was_retried(ErrorKind::StartTimeout),
            Lane::ClaudeOneShot => {
                told.failed_with_downgrade(ErrorKind::FirstOutputTimeout, false);
            }
            Lane::CodexOneShot => {
                told.failed_with_downgrade(ErrorKind::SilenceTimeout, false);
            }
        }
        stage.ask("again").await.completed();
        stage.end().await;
    });
}

#[test]
fn mode_54_a_burst_and_then_silence_keeps_the_burst() {
    each(&Lane::ALL, async |lane| {
        let timeouts = soon(|t, second| (t.silence, t.tool_silence) = (second, second));
        let mut stage = Stage::with(lane, &Script::new(), timeouts);
        let told = stage.ask("first [[burst 500]]").await;
        told.failed_with_downgrade(ErrorKind::SilenceTimeout, lane.is_warm());
        if lane != Lane::CodexOneShot {
            assert_eq!(told.pieces(), "burst ".repeat(500));
        }
        stage.recalls("first").await;
        stage.end().await;
    });
}
