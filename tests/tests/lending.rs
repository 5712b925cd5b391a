//! Processes that a host borrows and speaks to itself.

use std::time::Duration;

use remuda::config::{Environment, WhenFull};
use remuda::{ErrorKind, LendOptions, Lent, Pool};
use remuda_tests::{Scripted, isolated_async, scripted_agent};

const LONG: Duration = Duration::from_mins(1);

/// The scripted agent, spoken to as the SDK of Claude Code speaks to that.
fn claude(agents: &Scripted) -> LendOptions {
    let stream = [
        "--output-format",
        "stream-json",
        "--input-format",
        "stream-json",
    ];
    let state = (
        "SCRIPTED_AGENT_STATE".to_owned(),
        agents.folder().display().to_string(),
    );
    LendOptions {
        program: scripted_agent(),
        args: ["-p", "--verbose"]
            .iter()
            .chain(&stream)
            .map(ToString::to_string)
            .collect(),
        cwd: agents.folder().to_owned(),
        environment: Environment {
            set: [state].into(),
            ..Environment::default()
        },
    }
}

fn say(lent: &Lent, text: &str) {
    let line = format!(
        r#"{{"type":"user","message":{{"role":"user","content":"{text}"}},"parent_tool_use_id":null}}"#
    );
    let input = lent.input().expect("an input");
    input.write(line + "\n").expect("it is taken");
}

/// What the agent answered, by its line of the result.
async fn answer(lent: &mut Lent) -> String {
    loop {
        let line = lent.next().await.expect("it goes on");
        let line: serde_json::Value = serde_json::from_str(&line).expect("JSON");
        if line["type"] == "result" {
            return line["result"].as_str().expect("a text").to_owned();
        }
    }
}

/// Shuts the pool down, and nothing is left.
async fn ends(pool: &Pool) {
    let report = pool.shutdown(LONG).await;
    assert!(
        report.unfinished.is_empty() && report.left.is_empty(),
        "{report:?}"
    );
    assert_eq!(pool.stats().processes, 0);
}

#[test]
fn lines_go_both_ways_and_the_end_of_the_input_ends_it() {
    isolated_async(|| async {
        let agents = Scripted::claude();
        let pool = Pool::new().expect("a pool");
        let mut lent = pool.lend(claude(&agents)).expect("a process");
        // Before it runs.
        say(&lent, "one");
        assert_eq!(answer(&mut lent).await, "You said: one");
        say(&lent, "two");
        assert_eq!(answer(&mut lent).await, "You said: two");
        assert!(lent.pid().is_some());
        lent.input().expect("an input").end().expect("it ends");
        while lent.next().await.is_some() {}
        let end = lent.end().expect("it is over");
        assert_eq!(end.exit.and_then(|exit| exit.code), Some(0));
        assert_eq!((end.error, end.left), (None, Vec::new()));
        let input = lent.input().expect("an input");
        let late = input.write("late\n").expect_err("it is over");
        assert_eq!(late.kind(), ErrorKind::Closed);
        ends(&pool).await;
    });
}

#[test]
fn a_kept_process_is_taken_again_under_its_name_and_under_no_other() {
    isolated_async(|| async {
        let agents = Scripted::claude();
        let pool = Pool::new().expect("a pool");
        let mut lent = pool.lend(claude(&agents)).expect("a process");
        say(&lent, "the word is heron");
        answer(&mut lent).await;
        let pid = lent.pid();
        lent.keep("mine").expect("it is kept");
        assert_eq!((pool.kept("mine"), pool.kept("yours")), (1, 0));
        assert!(pool.take("yours").is_none());
        let mut again = pool.take("mine").expect("it is there");
        assert!(pool.take("mine").is_none(), "nobody gets it twice");
        assert_eq!(again.pid(), pid);
        say(&again, "[[recall]]");
        assert_eq!(answer(&mut again).await, "the word is heron");
        assert_eq!(pool.stats().processes_started, 1);
        again.keep("mine").expect("it is kept");
        ends(&pool).await;
        assert!(pool.take("mine").is_none(), "a shutdown ends what is kept");
    });
}

#[test]
fn a_kept_process_makes_way_and_a_borrowed_one_does_not() {
    isolated_async(|| async {
        let agents = Scripted::claude();
        let pool = Pool::builder()
            .max_warm(1)
            .when_full(WhenFull::Wait { timeout: LONG });
        let pool = pool.build().expect("a pool");
        let mut first = pool.lend(claude(&agents)).expect("a process");
        say(&first, "one");
        answer(&mut first).await;
        let mut second = pool.lend(claude(&agents)).expect("a process");
        say(&second, "two");
        assert_eq!(second.pid(), None, "it waits for the slot");
        // The first is not evicted: it goes on.
        say(&first, "three");
        assert_eq!(answer(&mut first).await, "You said: three");
        first.keep("first").expect("it is kept");
        assert_eq!(answer(&mut second).await, "You said: two");
        assert!(pool.take("first").is_none(), "it made way");
        drop(second);
        ends(&pool).await;
    });
}

#[test]
fn a_kept_process_ends_after_the_idle_time() {
    isolated_async(|| async {
        let agents = Scripted::claude();
        let pool = Pool::builder().idle_timeout(Duration::from_millis(1));
        let pool = pool.build().expect("a pool");
        let mut lent = pool.lend(claude(&agents)).expect("a process");
        say(&lent, "one");
        answer(&mut lent).await;
        lent.keep("idle").expect("it is kept");
        while pool.stats().processes > 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(pool.kept("idle"), 0);
        ends(&pool).await;
    });
}

#[test]
fn closing_and_dropping_end_it_and_a_shutdown_ends_one_that_nobody_reads() {
    isolated_async(|| async {
        let agents = Scripted::claude();
        let pool = Pool::new().expect("a pool");
        let mut lent = pool.lend(claude(&agents)).expect("a process");
        say(&lent, "one");
        answer(&mut lent).await;
        let end = lent.close().await;
        assert_eq!((end.error, end.left), (None, Vec::new()));
        let mut dropped = pool.lend(claude(&agents)).expect("a process");
        say(&dropped, "one");
        answer(&mut dropped).await;
        drop(dropped);
        let mut unread = pool.lend(claude(&agents)).expect("a process");
        say(&unread, "[[bytes 5000000]] [[hang]]");
        unread.next().await.expect("it begins");
        ends(&pool).await;
        assert_eq!(pool.stats().processes, 0);
        let refused = pool.lend(claude(&agents)).expect_err("it is shut down");
        assert_eq!(refused.kind(), ErrorKind::Closed);
    });
}

#[test]
fn what_cannot_run_is_refused_with_the_options_name() {
    isolated_async(|| async {
        let agents = Scripted::claude();
        let pool = Pool::new().expect("a pool");
        let refused = |change: &dyn Fn(&mut LendOptions)| {
            let mut options = claude(&agents);
            change(&mut options);
            pool.lend(options).expect_err("it is refused").kind()
        };
        assert_eq!(
            refused(&|o| o.program = "no-such-program".into()),
            ErrorKind::ProgramNotFound
        );
        assert_eq!(
            refused(&|o| o.cwd = "/no/such".into()),
            ErrorKind::CwdUnusable
        );
        assert_eq!(
            refused(&|o| o.args.push("a\0b".to_owned())),
            ErrorKind::InvalidArgument
        );
        ends(&pool).await;
    });
}

/// A program of the system that says how many bytes it was told.
fn counts(agents: &Scripted) -> LendOptions {
    LendOptions {
        program: "wc".into(),
        args: vec!["-c".to_owned()],
        cwd: agents.folder().to_owned(),
        ..LendOptions::default()
    }
}

#[test]
fn a_text_may_be_as_long_as_all_that_may_wait_and_no_longer() {
    const MOST: usize = 64 << 20;
    isolated_async(|| async {
        let agents = Scripted::claude();
        let pool = Pool::new().expect("a pool");
        let mut lent = pool.lend(counts(&agents)).expect("a process");
        let input = lent.input().expect("an input");
        let too_long = input.write("x".repeat(MOST + 1)).expect_err("too long");
        assert_eq!(too_long.kind(), ErrorKind::TooLarge);
        while lent.pid().is_none() {
            tokio::task::yield_now().await;
        }
        // It runs: what was written before no longer counts.
        input.write("x".repeat(MOST)).expect("it is taken");
        input.end().expect("it goes on");
        assert_eq!(lent.next().await.as_deref(), Some("67108864"));
        assert_eq!(lent.next().await, None);
        drop(lent);
        ends(&pool).await;
    });
}
