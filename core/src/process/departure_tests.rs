//! Sessions that leave a process which others use.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::*;
use crate::ids::ProcessId;
use crate::process::rig::{Done, Rig, settle, words};
use crate::process::{Report, Stop};
use crate::provider::Conversation;

const GENTLY: Stop = Stop::Gently { by: None };

fn leave(rig: &Rig, conversation: u32, stop: Stop) {
    let conversation = Conversation(conversation);
    rig.command(Command::Leave { conversation, stop });
}

fn heard(reports: &mut mpsc::Receiver<(ProcessId, Report)>) -> Vec<String> {
    let heard = std::iter::from_fn(|| reports.try_recv().ok());
    heard.map(|(_, report)| words(&report)).collect()
}

#[tokio::test(start_paused = true)]
async fn a_session_that_left_hears_so_when_the_agent_has_let_go_and_no_more() {
    let mut rig = Rig::shared(8).await;
    let (sender, mut other) = mpsc::channel(8);
    rig.attach(1, sender);
    leave(&rig, 1, GENTLY);
    rig.say("other still\n").await;
    assert_eq!(heard(&mut other), ["spawned", "still"], "not yet");
    rig.say("left 1\nother late\nmine\n").await;
    assert_eq!(heard(&mut other), ["late", "left"], "of one read");
    rig.say("other later\nmine too\n").await;
    assert_eq!(heard(&mut other), [""; 0]);
    assert_eq!(heard(&mut rig.reports), ["mine", "mine too"]);
    tokio::time::sleep(Duration::from_mins(1)).await;
    assert!(rig.done.try_recv().is_err(), "the process goes on");
    rig.exit();
    rig.event(TreeEvent::Gone);
    settle().await;
    assert_eq!(heard(&mut other), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_does_not_let_go_within_five_seconds_is_killed() {
    let mut rig = Rig::shared(8).await;
    leave(&rig, 0, GENTLY);
    leave(&rig, 0, GENTLY);
    let (at, done) = rig.done.recv().await.expect("something is done");
    assert_eq!(done, Done::Kill);
    assert_eq!(at - rig.start, Duration::from_secs(5));
}

#[tokio::test(start_paused = true)]
async fn whoever_leaves_before_the_process_runs_is_out_at_once() {
    let mut rig = Rig::spawning(8);
    leave(&rig, 0, GENTLY);
    assert_eq!(rig.report().await, "left");
    rig.spawned();
    settle().await;
    assert_eq!(heard(&mut rig.reports), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn whoever_leaves_a_process_that_is_being_stopped_only_makes_it_faster() {
    let mut rig = Rig::shared(8).await;
    rig.stop(GENTLY);
    settle().await;
    let by = Instant::now() + Duration::from_secs(1);
    let by = Some(by.into_std());
    leave(&rig, 0, Stop::Gently { by });
    let mut last = None;
    while last.is_none_or(|(_, done)| done != Done::Kill) {
        last = rig.done.recv().await;
    }
    let (at, _) = last.expect("it was killed");
    assert_eq!(at - rig.start, Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_far_behind_holds_up_the_others_and_they_are_told() {
    let mut rig = Rig::shared(1).await;
    let (sender, mut other) = mpsc::channel(100);
    rig.attach(1, sender);
    for n in 0..40 {
        rig.say(&format!("{n}\nother {n}\n")).await;
    }
    let all = heard(&mut other);
    assert_eq!(all.last().map(String::as_str), Some("held true"));
    let seen = all.len() - 2;
    assert!((32..40).contains(&seen), "some reports behind: {seen}");
    let mut mine = Vec::new();
    while !mine
        .last()
        .is_some_and(|last: &String| last.ends_with("39"))
    {
        mine.push(rig.report().await);
    }
    let whole: Vec<_> = (0..40).map(|n| n.to_string()).collect();
    assert_eq!(mine.join(", "), whole.join(", "), "nothing is lost");
    settle().await;
    let rest = heard(&mut other);
    assert!(rest.iter().any(|said| said.ends_with("39")), "{rest:?}");
    let mut told = rest.iter().rev().filter(|said| said.starts_with("held"));
    assert_eq!(told.next().map(String::as_str), Some("held false"));
}
