//! Floods, long lines and readers that do not keep up.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a test looks for some kinds of events"
)]

use std::fs;

use remuda::event::WarningCode;
use remuda::{Body, Events, PoolOptions};
use remuda_tests::{Lane, Stage, each, soon};
use scripted_agent::Script;

/// The memory of this process that is its own, in MiB.
fn memory() -> usize {
    let status = fs::read_to_string("/proc/self/status").expect("/proc is there");
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    number
        .and_then(|kib| kib.parse::<usize>().ok())
        .expect("a number")
        >> 10
}

#[test]
fn a_flood_of_200_megabytes_on_stderr_costs_neither_the_turn_nor_memory() {
    each(&Lane::ALL, async |lane| {
        let mut stage = Stage::new(lane);
        let before = memory();
        let told = stage.ask("[[stderr 50]] [[say x]]").await;
        assert_eq!(told.completed().text, "x");
        stage.recalls("[[say x]]").await;
        let after = memory();
        assert!(after < before + 32, "from {before} to {after} MiB");
        stage.end().await;
    });
}

#[test]
fn a_line_of_65_megabytes_is_skipped_and_costs_no_memory() {
    each(&Lane::ALL, async |lane| {
        let pool = PoolOptions {
            max_line: 1 << 20,
            ..PoolOptions::default()
        };
        let mut stage = Stage::open(lane, &Script::new(), pool, |_| ());
        let before = memory();
        let told = stage
            .ask("[[endless-line 65]] [[noise banner]] [[say x]]")
            .await;
        assert_eq!(told.completed().text, "x");
        assert_eq!(told.warnings(WarningCode::LineTooLong), 1);
        let after = memory();
        assert!(after < before + 32, "from {before} to {after} MiB");
        stage.recalls("[[say x]]").await;
        stage.end().await;
    });
}

fn small_log() -> PoolOptions {
    PoolOptions {
        log_bytes: 64 << 10,
        ..PoolOptions::default()
    }
}

/// Reads to the end: all text, and whether anything was missing.
async fn read(mut events: Events) -> (String, bool) {
    let (mut text, mut gap, mut last) = (String::new(), false, None);
    while let Some(event) = events.next().await {
        match &event.body {
            Body::Gap { .. } => gap = true,
            Body::TextDelta { text: piece, .. } => text.push_str(piece),
            _ => {}
        }
        if event.seq > 0 {
            assert!(last.is_none_or(|last| event.seq == last + 1), "{event:?}");
            last = Some(event.seq);
        }
    }
    (text, gap)
}

/// Listens until the log can hold hardly more, because another reader holds all of it. An event
/// counts with its envelope.
async fn fill(stage: &mut Stage) {
    let mut bytes = 0;
    while bytes <= 60 << 10 {
        let event = stage.next().await;
        if let Body::TextDelta { text, .. } = &event.body {
            bytes += text.len() + size_of::<remuda::Event>() + 16;
        }
    }
}

const FLOOD: usize = 100_000;

#[test]
fn a_reader_that_does_not_read_loses_nothing_and_costs_no_memory() {
    each(&Lane::PIECES, async |lane| {
        let stage = Stage::open(lane, &Script::new(), small_log(), |_| ());
        let session = stage.session.clone();
        let (first, second) = (session.events(1), session.events(1));
        let before = memory();
        let turn = session
            .send(format!("[[flood {FLOOD}]]"))
            .expect("it is open");
        // One reads, the other does not, and so in the end the agent waits.
        let mut stage = stage;
        fill(&mut stage).await;
        let after = memory();
        assert!(after < before + 32, "from {before} to {after} MiB");
        let wait = turn.result();
        let (both, result, all) = tokio::join!(
            async { tokio::join!(read(first), read(second)) },
            async {
                let result = wait.await.expect("it is answered");
                session.close();
                result
            },
            stage.ended(),
        );
        let expected = "flood ".repeat(FLOOD);
        for (text, gap) in [both.0, both.1] {
            assert!(text == expected && !gap, "{} bytes, {gap}", text.len());
        }
        assert!(result.text == expected);
        assert!(!all.is_empty());
    });
}

#[test]
fn a_reader_that_does_not_read_holds_up_neither_interrupt_nor_close() {
    each(&Lane::PIECES, async |lane| {
        let timeouts = soon(|t, second| t.interrupt_grace = second);
        let mut stage = Stage::open(lane, &Script::new(), small_log(), |options| {
            options.timeouts = Some(timeouts);
        });
        let session = stage.session.clone();
        let mut stuck = session.events(1);
        let turn = session.send("[[flood 100000000]]").expect("it is open");
        fill(&mut stage).await;
        // The grace time ends the turn if the agent, which nobody listens to, cannot.
        turn.interrupt().await.expect("the session is there");
        assert!(turn.result().await.is_err());
        assert!(session.closed().await.is_empty());
        let first = stuck.next().await.expect("it can still read");
        assert_eq!(first.seq, 1);
        drop(stuck);
        stage.ended().await;
    });
}

#[test]
fn a_late_reader_is_told_what_it_missed() {
    each(&Lane::PIECES, async |lane| {
        let mut stage = Stage::open(lane, &Script::new(), small_log(), |_| ());
        stage.ask("[[flood 100000]]").await.completed();
        // The end of that turn holds its text, and is alone more than the log holds.
        stage.ask("[[say x]]").await.completed();
        let session = stage.session.clone();
        let next = session.snapshot().next_seq;
        let mut late = session.events(1);
        let first = late.next().await.expect("something is there");
        let Body::Gap { first, last } = first.body else {
            panic!("expected a gap, got {first:?}");
        };
        assert_eq!(first, 1);
        assert!(last + 1 < next, "{last} of {next}");
        let second = late.next().await.expect("the log goes on");
        assert_eq!(second.seq, last + 1, "and then without another gap");
        drop(late);
        stage.end().await;
    });
}
