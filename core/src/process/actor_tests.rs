//! The policy of the actor, without any process.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::*;
use crate::error::ErrorKind;
use crate::process::Stop;
use crate::process::rig::{Done, MAX_LINE, PATIENCE, Rig, exit, settle, words};
use crate::provider::{AgentSignal, Conversation, TurnRef};

const EXITED: &str = r#"exited Some(0) """#;
const GONE: &str = "gone, left []";

#[tokio::test(start_paused = true)]
async fn the_three_ends_are_joined_in_every_order() {
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    enum Fact {
        Exit,
        Output,
        Tree,
    }
    use Fact::{Exit, Output, Tree};
    let closed = ["the end", "output closed"];
    let orders = [
        ([Exit, Output, Tree], vec![EXITED, closed[0], closed[1]]),
        ([Exit, Tree, Output], vec![EXITED, closed[0], closed[1]]),
        ([Output, Exit, Tree], vec![closed[0], closed[1], EXITED]),
        // A tree that is gone before its exit was seen has an exit that nobody knows.
        ([Output, Tree, Exit], vec![closed[0], closed[1]]),
        ([Tree, Output, Exit], vec![closed[0], closed[1]]),
        ([Tree, Exit, Output], vec![closed[0], closed[1]]),
    ];
    for (order, mut expected) in orders {
        let mut rig = Rig::running(8).await;
        for end in order {
            match end {
                Exit => drop(rig.tree.send(TreeEvent::Exited(exit(0)))),
                Output => drop(rig.stdout.take()),
                Tree => drop(rig.tree.send(TreeEvent::Gone)),
            }
            settle().await;
        }
        expected.push(GONE);
        assert_eq!(rig.reports().await, expected, "{order:?}");
        assert_eq!(rig.start, Instant::now(), "{order:?} waits for nothing");
        assert!(rig.reports.try_recv().is_err(), "nothing comes after gone");
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_written_before_the_exit_comes_before_the_end_of_output() {
    let mut rig = Rig::running(8).await;
    let stdout = rig.stdout.take().expect("stdout");
    stdout.try_write(b"one\ntwo").expect("room");
    let stderr = rig.stderr.take().expect("stderr");
    stderr.try_write(b"last words\n").expect("room");
    rig.exit();
    rig.event(TreeEvent::Gone);
    drop(stdout);
    let exited = r#"exited Some(0) "last words""#;
    assert_eq!(
        rig.reports().await,
        [
            exited,
            "one",
            "the end, last words",
            "TruncatedLine",
            "output closed",
            GONE
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_last_line_without_an_end_counts_if_it_is_whole_json() {
    let mut rig = Rig::running(8).await;
    rig.say("a\r\n{\"b\":1}").await;
    drop(rig.stdout.take());
    let said = [rig.report().await, rig.report().await, rig.report().await];
    assert_eq!(said, ["a", "{\"b\":1}, the end", "output closed"]);
}

#[tokio::test(start_paused = true)]
async fn leaked_output_is_closed_after_250_ms_and_said() {
    let mut rig = Rig::running(8).await;
    rig.exit();
    rig.event(TreeEvent::Gone);
    assert_eq!(
        rig.reports().await,
        [EXITED, "the end", "LeakedOutput", "output closed", GONE]
    );
    assert_eq!(rig.start.elapsed(), Duration::from_millis(250));
}

#[tokio::test(start_paused = true)]
async fn a_process_that_lives_on_without_output_is_killed() {
    for (closes, seconds) in [("", 1000), ("close\n", 6000)] {
        let mut rig = Rig::running(8).await;
        rig.say(closes).await;
        drop(rig.stdout.take());
        assert_eq!(rig.report().await, "the end");
        assert_eq!(rig.report().await, "output closed");
        assert_eq!(rig.done().await, (seconds, Done::Kill));
    }
}

#[tokio::test(start_paused = true)]
async fn a_tree_that_survives_its_kill_is_named_and_keeps_its_lease() {
    let mut rig = Rig::running(8).await;
    rig.stop(Stop::Kill);
    rig.exit();
    rig.event(TreeEvent::Left(vec![41, 42]));
    let reports = rig.reports().await;
    assert_eq!(
        reports.last().map(String::as_str),
        Some("gone, left [41, 42]")
    );
    assert_eq!(rig.start.elapsed(), Duration::from_secs(2));
    assert!(rig.lease.upgrade().is_some(), "its tree still costs memory");
    rig.event(TreeEvent::Gone);
    settle().await;
    assert!(rig.lease.upgrade().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_tree_whose_owner_is_silent_is_killed_without_it() {
    let mut rig = Rig::running(8).await;
    rig.stop(Stop::Kill);
    assert_eq!(rig.done().await, (0, Done::Kill));
    assert_eq!(rig.done().await, (1500, Done::Force));
    rig.event(TreeEvent::Left(vec![43]));
    let reports = rig.reports().await;
    assert_eq!(reports.last().map(String::as_str), Some("gone, left [43]"));
    assert_eq!(rig.start.elapsed(), Duration::from_millis(3500));
    rig.event(TreeEvent::Gone);
    settle().await;
    assert!(rig.lease.upgrade().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_full_session_leaves_the_output_with_the_agent_and_loses_nothing() {
    let mut rig = Rig::running(1).await;
    let stdout = rig.stdout.take().expect("stdout");
    // Far more than the session, the actor and the socket hold.
    let agent = tokio::spawn(async move {
        let mut stdout = stdout;
        for number in 0..200_000 {
            let line = format!("{number:06}\n");
            stdout.write_all(line.as_bytes()).await.expect("a reader");
        }
    });
    for _ in 0..100 {
        settle().await;
    }
    assert!(!agent.is_finished(), "the agent is made to wait");
    let mut expected = 0;
    while expected < 200_000 {
        for number in rig.report().await.split(", ") {
            assert_eq!(number, format!("{expected:06}"));
            expected += 1;
        }
    }
    agent.await.expect("the agent ends");
}

#[tokio::test(start_paused = true)]
async fn a_full_session_delays_neither_commands_nor_the_stop() {
    let mut rig = Rig::running(1).await;
    for line in ["1\n", "2\n", "3\n"] {
        rig.say(line).await;
    }
    rig.command(Command::Request(Request::Interrupt {
        conversation: Conversation(0),
        turn: TurnRef::None,
        keep_commands: false,
    }));
    let mut request = [0; 8];
    let stdin = rig.stdin.as_mut().expect("stdin");
    stdin.read_exact(&mut request).await.expect("a request");
    assert_eq!(&request, b"request\n");
    rig.stop(Stop::Kill);
    assert_eq!(rig.done().await, (0, Done::Kill));
    rig.exit();
    rig.event(TreeEvent::Gone);
    drop(rig.stdout.take());
    settle().await;
    assert!(rig.lease.upgrade().is_none(), "the place is free at once");
    // What found no room before the stop came, what came after it may be lost; the ends never are.
    assert_eq!(
        rig.reports().await,
        ["1", "2", EXITED, "output closed", GONE]
    );
}

#[tokio::test(start_paused = true)]
async fn a_stop_goes_down_the_ladder() {
    let mut rig = Rig::running(8).await;
    rig.stop(Stop::Gently { by: None });
    settle().await;
    let stdin = rig.stdin.as_mut().expect("stdin");
    assert_eq!(stdin.read(&mut [0; 8]).await.expect("an end"), 0);
    assert_eq!(rig.start, Instant::now(), "stdin is closed at once");
    let signal = Done::Signal(AgentSignal::Interrupt);
    assert_eq!(rig.done().await, (6000, signal));
    assert_eq!(rig.done().await, (8000, Done::Kill));
}

#[tokio::test(start_paused = true)]
async fn a_stop_with_a_deadline_kills_by_then() {
    let mut rig = Rig::running(8).await;
    let by = rig.start + Duration::from_millis(800);
    let by = Some(by.into_std());
    rig.stop(Stop::Gently { by });
    let signal = Done::Signal(AgentSignal::Interrupt);
    assert_eq!(rig.done().await, (600, signal));
    assert_eq!(rig.done().await, (800, Done::Kill));
}

#[tokio::test(start_paused = true)]
async fn a_stop_ends_with_the_tree() {
    let mut rig = Rig::running(8).await;
    rig.stop(Stop::Gently { by: None });
    settle().await;
    drop(rig.stdout.take());
    rig.exit();
    rig.event(TreeEvent::Gone);
    rig.reports().await;
    assert_eq!(rig.start, Instant::now());
}

#[tokio::test(start_paused = true)]
async fn without_a_handle_a_process_is_killed() {
    let mut rig = Rig::running(8).await;
    drop(rig.handle.take());
    assert_eq!(rig.done().await, (0, Done::Kill));
    rig.exit();
    rig.event(TreeEvent::Gone);
    drop(rig.stdout.take());
    assert_eq!(rig.reports().await.last().expect("an end"), GONE);
}

#[tokio::test(start_paused = true)]
async fn a_panic_of_the_codec_costs_the_process_and_is_said_once() {
    let mut rig = Rig::running(8).await;
    rig.say("before\npanic\nafter\n").await;
    assert_eq!(rig.report().await, "before");
    assert_eq!(rig.report().await, "broken");
    assert_eq!(rig.done().await, (0, Done::Kill));
    rig.say("more\n").await;
    rig.exit();
    rig.event(TreeEvent::Gone);
    drop(rig.stdout.take());
    assert_eq!(rig.reports().await, [EXITED, "output closed", GONE]);
}

#[tokio::test(start_paused = true)]
async fn a_failed_start_gives_the_lease_back_and_is_gone() {
    let mut rig = Rig::spawning(8);
    let error = Error::new(ErrorKind::ProgramNotFound, "no agent");
    let spawn = rig.spawn.take().expect("spawned once");
    spawn.send(Err(error)).expect("the actor waits");
    let reports = rig.reports().await;
    assert_eq!(reports, ["spawn failed: program_not_found", GONE]);
    assert!(rig.lease.upgrade().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_stop_during_the_start_does_not_wait_for_it() {
    let mut rig = Rig::spawning(8);
    rig.stop(Stop::Kill);
    assert_eq!(rig.reports().await, [GONE]);
    assert_eq!(rig.start.elapsed(), Duration::from_secs(2));
    assert!(rig.lease.upgrade().is_some(), "a process may yet come");
    rig.spawned();
    assert_eq!(rig.done().await, (2000, Done::Kill));
    rig.event(TreeEvent::Gone);
    settle().await;
    assert!(rig.lease.upgrade().is_none());
}

#[tokio::test(start_paused = true)]
async fn writing_fails_without_progress_and_only_then() {
    let mut rig = Rig::running(8).await;
    rig.say("write 3000000\n").await;
    let stdin = rig.stdin.as_mut().expect("stdin");
    let mut piece = vec![0; 100 << 10];
    for _ in 0..10 {
        tokio::time::sleep(PATIENCE * 9 / 10).await;
        stdin.read_exact(&mut piece).await.expect("bytes");
        settle().await;
    }
    assert!(rig.reports.try_recv().is_err(), "a slow reader is no fault");
    let last = Instant::now();
    assert_eq!(rig.report().await, "write failed");
    assert!(last.elapsed() <= 2 * PATIENCE);
    rig.say("alive\n").await;
    assert_eq!(rig.report().await, "alive");
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_only_asks_and_never_reads_hits_the_bound() {
    let mut rig = Rig::running(8).await;
    for _ in 0..8 {
        rig.say("write 8000000\n").await;
        assert!(rig.reports.try_recv().is_err());
    }
    rig.say("write 8000000\n").await;
    assert_eq!(rig.report().await, "write failed");
    rig.say("write 8000000\nalive\n").await;
    assert_eq!(rig.report().await, "alive", "the failure is said once");
}

#[tokio::test(start_paused = true)]
async fn one_message_may_be_longer_than_the_bound() {
    let size = 70 << 20;
    let mut rig = Rig::running(8).await;
    rig.say(&format!("write {size}\nclose\n")).await;
    let mut all = Vec::new();
    let stdin = rig.stdin.as_mut().expect("stdin");
    stdin.read_to_end(&mut all).await.expect("all of it");
    assert_eq!(all.len(), size, "and the close comes after it");
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_closed_its_input_is_told_of_once() {
    let mut rig = Rig::running(8).await;
    drop(rig.stdin.take());
    rig.say("write 10\n").await;
    assert_eq!(rig.report().await, "write failed");
    rig.say("write 10\nalive\n").await;
    assert_eq!(rig.report().await, "alive");
}

#[tokio::test(start_paused = true)]
async fn an_exit_explains_a_closed_input() {
    let mut rig = Rig::running(8).await;
    drop(rig.stdin.take());
    rig.say("write 10\n").await;
    rig.exit();
    rig.event(TreeEvent::Gone);
    drop(rig.stdout.take());
    assert_eq!(
        rig.reports().await,
        [EXITED, "the end", "output closed", GONE]
    );
}

#[tokio::test(start_paused = true)]
async fn a_line_that_is_too_long_is_a_note_and_the_process_lives() {
    let mut rig = Rig::running(8).await;
    let long = "x".repeat(3 * MAX_LINE);
    rig.say(&long).await;
    rig.say("\nalive\n").await;
    assert_eq!(rig.report().await, "LineTooLong");
    assert_eq!(rig.report().await, "skipped xxx");
    assert_eq!(rig.report().await, "alive");
}

#[tokio::test(start_paused = true)]
async fn each_session_of_a_process_hears_its_own_conversation() {
    let mut rig = Rig::running(8).await;
    let (sender, mut other) = mpsc::channel(8);
    rig.attach(1, sender);
    rig.say("a\nother b\nc\nother d\n").await;
    assert_eq!(rig.report().await, "a, c");
    let mut heard = Vec::new();
    while let Ok((_, report)) = other.try_recv() {
        heard.push(words(&report));
    }
    assert_eq!(heard, ["spawned", "b, d"]);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_gone_holds_nobody_up() {
    let mut rig = Rig::running(8).await;
    let (sender, other) = mpsc::channel(1);
    rig.attach(1, sender);
    rig.say("other x\n").await;
    rig.say("mine\n").await;
    assert!(rig.reports.try_recv().is_err(), "the other one is full");
    drop(other);
    assert_eq!(rig.report().await, "mine");
}

#[tokio::test(start_paused = true)]
async fn a_session_that_comes_late_is_told_what_happened() {
    let mut rig = Rig::running(8).await;
    drop(rig.stdout.take());
    rig.exit();
    settle().await;
    let (sender, mut late) = mpsc::channel(8);
    rig.attach(1, sender);
    settle().await;
    rig.event(TreeEvent::Gone);
    let mut heard = Vec::new();
    while let Some((_, report)) = late.recv().await {
        heard.push(words(&report));
    }
    assert_eq!(heard, ["spawned", "output closed", EXITED, GONE]);
}

#[tokio::test(start_paused = true)]
async fn what_a_process_says_before_its_first_session_is_kept_for_it() {
    let mut rig = Rig::unattended(8);
    rig.spawned();
    rig.say("early\n").await;
    rig.attach(0, rig.sender.clone());
    rig.say("late\n").await;
    let heard = [rig.report().await, rig.report().await, rig.report().await];
    assert_eq!(heard, ["spawned", "early", "late"]);
}
