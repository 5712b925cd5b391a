//! Many sessions in one real Codex process: all work at the same time, in a fraction of the memory,
//! and the death of the process costs each its running turn and nothing else.

use std::time::Duration;

use remuda::config::{Downgrade, Sharing, Timeouts};
use remuda::event::StopReason;
use remuda::{Body, ErrorKind, Pool, Session, Turn};
use remuda_tests::{
    Real, answer, closed, descendants, first_pid, isolated_async, kill, read_until, started,
    stopped,
};

const SESSIONS: usize = 20;
const RECALL: &str = r#"MODEL:[{"recall":"marker-"}]"#;
const STALL: &str = r#"MODEL:[{"stall_after":3}]"#;
const LONG: Duration = Duration::from_mins(2);

/// Memory of everything that this test has started, in KiB. What several have in common counts once,
/// but in `resident`.
#[derive(Debug)]
struct Memory {
    /// What the processes made: it is theirs until they end.
    own: u64,
    /// And what of files, of the program first of all, is mapped: the system may drop that, and has it
    /// once for twenty processes as for one.
    all: u64,
    /// What people see in a list of processes: what several have in common counts in each.
    resident: u64,
}

impl Memory {
    fn now() -> Self {
        let family = descendants(std::process::id());
        let rollups = family.iter().map(|(pid, _, _)| {
            let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup"));
            rollup.unwrap_or_default()
        });
        let (mut own, mut all, mut resident) = (0, 0, 0);
        for rollup in rollups {
            own += size(&rollup, "Pss_Dirty:");
            all += size(&rollup, "Pss:");
            resident += size(&rollup, "Rss:");
        }
        Self { own, all, resident }
    }
}

fn size(rollup: &str, name: &str) -> u64 {
    let line = rollup.lines().find_map(|line| line.strip_prefix(name));
    let size = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok());
    size.unwrap_or(0)
}

/// Sessions that each keep a word, and then work all at the same time.
async fn busy(pool: &Pool, real: &Real) -> (Vec<Session>, Vec<Turn>) {
    let sessions: Vec<_> = (0..SESSIONS)
        .map(|_| pool.open(real.options()).expect("a session"))
        .collect();
    let asked = sessions.iter().enumerate().map(|(n, session)| {
        let prompt = format!("keep marker-{n}");
        session.send(prompt).expect("a turn")
    });
    for turn in asked.collect::<Vec<_>>() {
        turn.result().await.expect("a good end");
    }
    let running = sessions.iter().map(|s| s.send(STALL).expect("a turn"));
    let mut running: Vec<_> = running.collect();
    for turn in &mut running {
        read_until(turn, |body| matches!(body, Body::TextDelta { .. })).await;
    }
    let all = real.api().wait_until(LONG, |_, open| open == SESSIONS);
    assert!(all, "all turns run at the same time");
    (sessions, running)
}

#[test]
fn twenty_sessions_work_at_once_in_a_fifth_of_the_memory_and_a_kill_loses_no_conversation() {
    isolated_async(async || {
        let real = Real::codex();
        let pool = Pool::builder().max_warm(SESSIONS);
        let pool = pool.sharing(Sharing::PerSession).build().expect("a pool");
        let (sessions, running) = busy(&pool, &real).await;
        assert_eq!(pool.stats().processes, SESSIONS);
        let apart = Memory::now();
        for turn in running {
            turn.interrupt().await.expect("a receipt");
            turn.result().await.expect_err("it was interrupted");
        }
        for session in &sessions {
            closed(session).await;
        }
        drop(sessions);
        pool.shutdown(LONG).await;

        let pool = Pool::builder().max_warm(1usize).sharing(Sharing::Shared);
        let pool = pool.downgrade(Downgrade::Never).build().expect("a pool");
        let (sessions, running) = busy(&pool, &real).await;
        assert_eq!(pool.stats().processes, 1);
        let together = Memory::now();
        report(&apart, &together);
        assert!(together.own * 5 <= apart.own, "{together:?}, {apart:?}");
        assert!(
            together.resident * 5 <= apart.resident,
            "{together:?}, {apart:?}"
        );
        assert!(together.all * 2 <= apart.all, "{together:?}, {apart:?}");

        kill(first_pid(&sessions[0]).await);
        for turn in running {
            let failure = turn.result().await.expect_err("its process is gone");
            assert_eq!(failure.kind(), Some(ErrorKind::ProcessExit));
        }
        let asked = sessions.iter().map(|s| s.send(RECALL).expect("a turn"));
        for (n, turn) in asked.collect::<Vec<_>>().into_iter().enumerate() {
            let result = turn.result().await.expect("a good end");
            assert_eq!(result.text, format!("marker-{n}"));
        }
        assert_eq!(pool.stats().processes_started, 2);
        for session in &sessions {
            let events = closed(session).await;
            let resumed: Vec<_> = started(&events).iter().map(|p| p.resumed).collect();
            assert_eq!(resumed, [false, true]);
            assert_eq!(stopped(&events), [StopReason::Failed, StopReason::Closed]);
            let failed = |body: &Body| matches!(body, Body::TurnFailed { .. });
            let ends = events.iter().filter(|event| failed(&event.body));
            assert_eq!(ends.count(), 1);
        }
        drop(sessions);
        let left = pool.shutdown(LONG).await;
        assert!(left.unfinished.is_empty() && left.left.is_empty());
    });
}

#[expect(clippy::print_stdout, reason = "numbers to read")]
fn report(apart: &Memory, together: &Memory) {
    println!("{SESSIONS} sessions, KiB: apart {apart:?}, together {together:?}");
}

#[test]
fn a_session_that_leaves_goes_on_elsewhere_while_the_turn_of_another_runs() {
    isolated_async(async || {
        let real = Real::codex();
        let pool = Pool::builder().sharing(Sharing::Shared);
        let pool = pool.build().expect("a pool");
        let other = pool.open(real.options()).expect("a session");
        answer(&other, "keep marker-other").await;
        let mut running = other.send(STALL).expect("a turn");
        read_until(&mut running, |body| matches!(body, Body::TextDelta { .. })).await;

        let mut options = real.options();
        options.timeouts = Some(Timeouts {
            silence: Duration::from_secs(1),
            ..Timeouts::default()
        });
        let silent = pool.open(options).expect("a session");
        answer(&silent, "keep marker-silent").await;
        let turn = silent.send(STALL).expect("a turn");
        let failure = turn.result().await.expect_err("it is silent");
        assert_eq!(failure.kind(), Some(ErrorKind::SilenceTimeout));
        assert_eq!(answer(&silent, RECALL).await, "marker-silent");
        let events = closed(&silent).await;
        let pids = started(&events);
        assert_eq!(pids[0].pid, first_pid(&other).await, "they shared it");
        let out = |body: &Body| matches!(body, Body::ProcessStopped { runs_on: true, .. });
        assert!(events.iter().any(|event| out(&event.body)));

        assert_eq!(other.snapshot().running, Some(running.id()));
        running.interrupt().await.expect("a receipt");
        running.result().await.expect_err("it was interrupted");
        assert_eq!(answer(&other, RECALL).await, "marker-other");
        assert_eq!(pool.stats().downgraded, 1);
        closed(&other).await;
        pool.shutdown(LONG).await;
    });
}

#[test]
fn sessions_of_several_directories_share_a_process_and_each_works_in_its_own() {
    isolated_async(async || {
        let real = Real::codex();
        let pool = Pool::builder().max_warm(1usize).sharing(Sharing::Shared);
        let pool = pool.build().expect("a pool");
        let folders = ["one", "two", "three"].map(|name| real.project().join(name));
        let sessions = folders.clone().map(|folder| {
            std::fs::create_dir(&folder).expect("a folder");
            let mut options = real.options();
            options.cwd = folder;
            pool.open(options).expect("a session")
        });
        for (session, folder) in sessions.iter().zip(&folders) {
            let said = answer(session, r#"MODEL:[{"shell":"pwd"},{"echo":"result"}]"#).await;
            let folder = folder.display().to_string();
            assert!(said.contains(&folder), "{said:?} in {folder}");
        }
        assert_eq!(pool.stats().processes_started, 1);
        for session in &sessions {
            closed(session).await;
        }
        pool.shutdown(LONG).await;
    });
}
