//! Agents that leave processes behind: fault modes 13 to 18. That nothing is left at the end is
//! what `each` checks after every test.

use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};

use remuda::event::WarningCode;
use remuda::{Body, ErrorKind};
use remuda_tests::{Lane, Stage, each};
use scripted_agent::{Action, Script, Trigger};

#[test]
fn mode_13_a_launcher_that_leaves_its_agent_behind_takes_it_along() {
    each(&Lane::ALL, async |lane| {
        left_behind(lane, Action::Wrapper).await
    });
}

#[test]
fn mode_14_a_daemonised_agent_does_not_escape() {
    each(&Lane::ALL, async |lane| {
        left_behind(lane, Action::Daemonise).await
    });
}

/// The agent's own process ends with 0 at once, and leaves a copy that never speaks. The end of
/// the agent's process is the end of its tree.
async fn left_behind(lane: Lane, action: Action) {
    // The copy is told the same, and does not leave a second time.
    let copy = Script::new().on(Trigger::Start, [action, Action::Freeze]);
    let mut stage = Stage::script(lane, &copy);
    for warm in [lane.is_warm(), false] {
        let told = stage.ask("hello").await;
        let failure = told.failed_with_downgrade(ErrorKind::ProcessExit, warm);
        assert_eq!(failure.exit.and_then(|exit| exit.code), Some(0));
    }
    stage.end().await;
}

const KINDS: [&str; 6] = [
    "plain",
    "pgrp",
    "setsid",
    "double-fork",
    "clean-env",
    "term-proof",
];

#[test]
fn mode_15_children_of_every_kind_end_with_the_session() {
    each(&Lane::ALL, async |lane| {
        for kind in KINDS {
            let mut stage = Stage::new(lane);
            let told = stage.ask(&format!("[[children {kind} 2]]")).await;
            told.completed();
            stage.recalls(kind).await;
            stage.session.close();
            stage
                .until(|body| matches!(body, Body::SessionClosed { .. }))
                .await;
            assert_eq!(stage.children_alive(), 0, "{kind}");
            stage.end().await;
        }
    });
}

#[test]
fn mode_15_children_outlive_a_turn_of_a_warm_process_and_no_other() {
    each(&Lane::ALL, async |lane| {
        let mut stage = Stage::new(lane);
        stage.ask("[[children setsid 1]]").await.completed();
        if lane.is_warm() {
            assert_eq!(stage.children_alive(), 1);
        } else {
            let stopped = |body: &Body| matches!(body, Body::ProcessStopped { .. });
            stage.until(stopped).await;
            assert_eq!(stage.children_alive(), 0);
        }
        stage.end().await;
    });
}

#[test]
fn mode_16_a_child_that_holds_a_stream_delays_no_end() {
    each(&Lane::ALL, async |lane| {
        for stream in ["stdin", "stdout", "stderr"] {
            let mut stage = Stage::new(lane);
            let told = stage
                .ask(&format!("first [[hold {stream}]] [[exit 3]]"))
                .await;
            let failure = told.failed_with_downgrade(ErrorKind::ProcessExit, lane.is_warm());
            assert_eq!(failure.exit.and_then(|exit| exit.code), Some(3));
            stage.recalls("first").await;
            stage.end().await;
        }
    });
}

#[test]
fn mode_16_a_child_that_holds_a_stream_delays_no_close() {
    each(&Lane::ALL, async |lane| {
        for stream in ["stdin", "stdout", "stderr"] {
            let mut stage = Stage::new(lane);
            stage.ask(&format!("[[hold {stream}]]")).await.completed();
            stage.end().await;
        }
    });
}

#[test]
fn mode_16_output_held_by_a_process_that_cannot_be_ended_is_let_go_and_named() {
    each(&Lane::WARM, async |lane| {
        let mut stage = Stage::new(lane);
        let told = stage.ask("[[env]]").await;
        let said: serde_json::Value = serde_json::from_str(&told.completed().text).expect("JSON");
        let pid = said["pid"].as_i64().and_then(|pid| i32::try_from(pid).ok());
        let pid = pid.and_then(Pid::from_raw).expect("the agent's id");
        // This test itself holds the agent's output, and is in no tree that ends.
        let agent = pidfd_open(pid, PidfdFlags::empty()).expect("the agent runs");
        let held = pidfd_getfd(&agent, 1, PidfdGetfdFlags::empty()).expect("its output");
        let told = stage.ask("[[say x]] [[exit 3]]").await;
        let failure = told.failed_with_downgrade(ErrorKind::ProcessExit, true);
        assert_eq!(failure.exit.and_then(|exit| exit.code), Some(3));
        assert_eq!(told.warnings(WarningCode::LeakedOutput), 1);
        drop(held);
        stage.end().await;
    });
}

#[test]
fn mode_17_a_process_that_hops_from_id_to_id_is_caught() {
    each(&Lane::ALL, async |lane| {
        let mut stage = Stage::new(lane);
        stage.ask("[[hopper 2000 60]]").await.completed();
        stage.end().await;
    });
}

#[test]
fn mode_17_a_hopper_is_caught_after_a_crash() {
    each(&Lane::ALL, async |lane| {
        let mut stage = Stage::new(lane);
        let told = stage.ask("[[hopper 2000 60]] [[kill-self]]").await;
        told.failed_with_downgrade(ErrorKind::ProcessExit, lane.is_warm());
        stage.end().await;
    });
}

#[test]
fn mode_18_a_bomb_is_cleared() {
    each(&Lane::ALL, async |lane| {
        let mut stage = Stage::new(lane);
        stage.ask("[[bomb 200]]").await.completed();
        stage.session.close();
        stage
            .until(|body| matches!(body, Body::SessionClosed { .. }))
            .await;
        assert_eq!(stage.children_alive(), 0);
        stage.end().await;
    });
}

#[test]
fn modes_15_to_18_together_end_when_the_pool_is_dropped() {
    each(&Lane::ALL, async |lane| {
        let everything = Script::new();
        let mut stage = Stage::script(lane, &everything);
        let kinds = KINDS.map(|kind| format!("[[children {kind} 2]]")).concat();
        let turn = format!("{kinds} [[hold stdout]] [[hopper 500 60]] [[bomb 20]] [[hang]]");
        let running = stage.session.send(turn).expect("the turn is accepted");
        stage
            .until(|body| matches!(body, Body::ProcessStarted { .. }))
            .await;
        // Without a close or a shutdown: the handles go, and so does everything.
        drop((running, stage));
    });
}
