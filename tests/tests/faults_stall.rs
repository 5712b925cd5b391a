//! Agents that stop working but do not end, or end slowly: fault modes 4 to 12.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use remuda::event::StopReason;
use remuda::{Body, ErrorKind, Event, PoolOptions};
use remuda_tests::{Lane, Stage, each, script, scripted_agent, soon};
use scripted_agent::{Action, Script, Trigger};

/// How the processes of a whole log ended: why, by which code, by which signal.
fn stops(log: &[std::sync::Arc<Event>]) -> Vec<(StopReason, Option<i32>, Option<i32>)> {
    let stops = log.iter().filter_map(|event| match &event.body {
        Body::ProcessStopped { reason, exit, .. } => {
            let exit = exit.expect("the end was seen");
            Some((*reason, exit.code, exit.signal))
        }
        _ => None,
    });
    stops.collect()
}

#[test]
fn mode_4_stopped_in_a_turn_is_silence() {
    each(&Lane::ALL, async |lane| {
        let timeouts = soon(|t, second| (t.silence, t.tool_silence) = (second, second));
        let mut stage = Stage::with(lane, &Script::new(), timeouts);
        let told = stage.ask("first [[say x]] [[stop-self]]").await;
        told.failed_with_downgrade(ErrorKind::SilenceTimeout, lane.is_warm());
        stage.recalls("first").await;
        stage.end().await;
    });
}

#[test]
fn mode_4_stopped_while_idle_is_found_by_the_next_turn() {
    each(&Lane::WARM, async |lane| {
        let timeouts = soon(|t, second| t.first_sign = second);
        let mut stage = Stage::with(lane, &Script::new(), timeouts);
        stage.ask("first").await.completed();
        let pid = stage.agent_pid();
        rustix::process::kill_process(pid, rustix::process::Signal::STOP).expect("it is ours");
        let told = stage.recalls("first").await;
        told.was_retried(ErrorKind::FirstOutputTimeout);
        stage.end().await;
    });
}

#[test]
fn mode_5_silent_from_the_start_is_told_by_the_phase() {
    each(&Lane::ALL, async |lane| {
        let timeouts = soon(|t, second| {
            (t.start, t.first_output, t.tool_silence) = (second, second, second);
        });
        let mut stage = Stage::with(lane, &script(Trigger::Start, [Action::Freeze]), timeouts);
        let told = stage.ask("hello").await;
        match lane {
            Lane::ClaudeWarm | Lane::CodexWarm => {
                told.was_retried(ErrorKind::StartTimeout);
                let names_phase = told.events.iter().any(|event| {
                    matches!(&event.body, Body::Downgraded { message, .. }
                        if message.contains("phase: handshake"))
                });
                assert!(names_phase, "{told:?}");
            }
            // There is no handshake: it is ready as soon as it runs.
            Lane::ClaudeOneShot => {
                told.failed_with_downgrade(ErrorKind::FirstOutputTimeout, false);
            }
            // It may be silent to the end of its turn.
            Lane::CodexOneShot => {
                told.failed_with_downgrade(ErrorKind::SilenceTimeout, false);
            }
        }
        assert_eq!(stage.ask("again").await.completed().text, "You said: again");
        stage.end().await;
    });
}

#[test]
fn mode_5_silent_in_a_turn_fails_it() {
    each(&Lane::ALL, async |lane| {
        let timeouts = soon(|t, second| (t.silence, t.tool_silence) = (second, second));
        let mut stage = Stage::with(lane, &Script::new(), timeouts);
        let told = stage.ask("first [[say x]] [[freeze]]").await;
        told.failed_with_downgrade(ErrorKind::SilenceTimeout, lane.is_warm());
        stage.recalls("first").await;
        stage.end().await;
    });
}

#[test]
fn mode_5_silent_in_a_tool_has_the_patience_of_tools() {
    each(&Lane::PIECES, async |lane| {
        // Silence is short, but the tool takes longer and is waited for.
        let timeouts = soon(|t, second| t.silence = second);
        let mut stage = Stage::with(lane, &Script::new(), timeouts);
        let told = stage.ask("[[tool Bash make 2000]] [[say built]]").await;
        assert_eq!(told.completed().text, "built");
        stage.end().await;
    });
}

#[test]
fn mode_6_silent_after_the_handshake_is_retried_where_no_sign_came() {
    each(&Lane::ALL, async |lane| {
        let timeouts = soon(|t, second| {
            (t.start, t.first_sign, t.first_output) = (second, second, second);
            t.tool_silence = second;
        });
        let freeze = script(Trigger::Handshake, [Action::Freeze]);
        let mut stage = Stage::with(lane, &freeze, timeouts);
        let told = stage.ask("hello").await;
        match lane {
            Lane::ClaudeWarm => told.was_retried(ErrorKind::FirstOutputTimeout),
            // The conversation is opened after the handshake, and belongs to the start.
            Lane::CodexWarm => told.was_retried(ErrorKind::StartTimeout),
            Lane::ClaudeOneShot => {
                told.failed_with_downgrade(ErrorKind::FirstOutputTimeout, false);
            }
            Lane::CodexOneShot => {
                told.failed_with_downgrade(ErrorKind::SilenceTimeout, false);
            }
        }
        assert_eq!(stage.ask("again").await.completed().text, "You said: again");
        stage.end().await;
    });
}

#[test]
fn mode_7_a_busy_core_hinders_no_turn() {
    each(&Lane::ALL, async |lane| {
        let mut stage = Stage::new(lane);
        assert_eq!(stage.ask("[[spin]] [[say x]]").await.completed().text, "x");
        let told = stage.recalls("[[spin]]").await;
        assert_eq!(told.downgrade(), None);
        stage.end().await;
    });
}

#[test]
fn mode_8_memory_is_given_back_with_the_process() {
    each(&Lane::ALL, async |lane| {
        let mut stage = Stage::new(lane);
        let told = stage.ask("[[allocate 128]] [[say x]]").await;
        assert_eq!(told.completed().text, "x");
        stage.end().await;
    });
}

#[test]
fn mode_8_killed_for_memory_is_a_process_exit() {
    each(&Lane::ALL, async |lane| {
        // What the kernel does when memory runs out, without letting it run out.
        let mut stage = Stage::new(lane);
        let told = stage.ask("[[allocate 64]] [[say x]] [[kill-self]]").await;
        let failure = told.failed_with_downgrade(ErrorKind::ProcessExit, lane.is_warm());
        assert_eq!(failure.exit.and_then(|exit| exit.signal), Some(9));
        stage.end().await;
    });
}

#[test]
fn mode_9_an_agent_without_descriptors_ends_its_turn() {
    each(&Lane::ALL, async |lane| {
        let folder = tempfile::tempdir().expect("a folder");
        let launcher = folder.path().join("agent");
        let agent = scripted_agent();
        let text = format!("#!/bin/sh\nulimit -n 64\nexec {} \"$@\"\n", agent.display());
        std::fs::write(&launcher, text).expect("it is written");
        let executable = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(&launcher, executable).expect("it is ours");
        let mut stage = Stage::open(lane, &Script::new(), PoolOptions::default(), |options| {
            options.program = Some(launcher.clone());
        });
        let told = stage.ask("[[open-fds]] [[say x]]").await;
        assert_eq!(told.completed().text, "x");
        assert_eq!(stage.ask("[[say y]]").await.completed().text, "y");
        stage.end().await;
    });
}

#[test]
fn modes_10_and_11_deaf_to_signals_and_to_the_end_of_input_is_killed() {
    each(&Lane::ALL, async |lane| {
        let deaf = Script::new().on(Trigger::Start, [Action::IgnoreSignals, Action::IgnoreEof]);
        let mut stage = Stage::script(lane, &deaf);
        stage.ask("hello").await.completed();
        // A deadline shortens the ladder of the stop, and the kill always comes.
        let report = stage.pool.shutdown(Duration::from_secs(1)).await;
        assert!(report.left.is_empty(), "{report:?}");
        let log = stage.ended().await;
        match lane {
            Lane::CodexOneShot => assert_eq!(stops(&log)[0].1, Some(0), "it reads no input"),
            _ => assert_eq!(stops(&log)[0].2, Some(9)),
        }
    });
}

#[test]
fn mode_10_deaf_to_signals_ends_with_its_input() {
    each(&Lane::ALL, async |lane| {
        let deaf = Script::new().on(Trigger::Start, [Action::IgnoreSignals]);
        let mut stage = Stage::script(lane, &deaf);
        stage.ask("hello").await.completed();
        let log = stage.end().await;
        assert_eq!((stops(&log)[0].1, stops(&log)[0].2), (Some(0), None));
    });
}

#[test]
fn mode_11_deaf_to_the_end_of_input_is_told_by_a_signal() {
    each(&[Lane::ClaudeWarm, Lane::ClaudeOneShot], async |lane| {
        let deaf = Script::new().on(Trigger::Start, [Action::IgnoreEof]);
        let mut stage = Stage::script(lane, &deaf);
        stage.ask("hello").await.completed();
        let log = stage.end().await;
        assert_eq!(stops(&log)[0].1, Some(143), "what SIGTERM makes of it");
    });
}

#[test]
fn mode_12_slow_after_the_end_of_input_is_waited_for() {
    each(&Lane::ALL, async |lane| {
        let slow = Script::new().on(Trigger::Start, [Action::SlowEof(300)]);
        let mut stage = Stage::script(lane, &slow);
        stage.ask("hello").await.completed();
        let log = stage.end().await;
        assert_eq!((stops(&log)[0].1, stops(&log)[0].2), (Some(0), None));
    });
}
