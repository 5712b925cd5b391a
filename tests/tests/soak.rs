//! Many sessions on few slots, with everything going on at random for a while: the laws hold, and
//! in the end nothing is left, no memory either.
//!
//! `REMUDA_TEST_QUICK` makes it 10 s instead of 60, `REMUDA_TEST_SEED` repeats a run's choices.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use remuda::config::{Persistent, WhenFull};
use remuda::{Body, ErrorKind, Event, Pool, PoolStats, Session, SessionOptions};
use remuda_tests::{
    PROTOCOLS, Scene, assert_lawful, descendants, is_empty, isolated_with, stats_become,
};
use rustix::process::{Pid, Signal, kill_process};
use tokio::task::JoinHandle;

/// Sessions that are open at the same time, and slots for them.
const SESSIONS: usize = 200;
const SLOTS: usize = 10;
/// How often a pool is made and used up.
const ROUNDS: u32 = 4;
/// How much more memory the later rounds may leave than the earlier ones, in bytes. A leak of 1 KiB
/// per turn is above it.
const GROWTH: usize = 3 << 20;

#[derive(Debug, Default)]
struct Tally {
    accepted: AtomicU64,
    ended: AtomicU64,
    interrupts: AtomicU64,
    kills: AtomicU64,
    sessions: AtomicU64,
    events: AtomicU64,
}

/// Numbers that look random and are the same for the same seed.
struct Dice(u64);

impl Dice {
    /// A number below `sides`. Splitmix.
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (x ^ (x >> 31)) % sides
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        let place = self.roll(from.len() as u64);
        from[usize::try_from(place).expect("small")]
    }
}

const PROMPTS: [&str; 12] = [
    "hello",
    "[[words 30]]",
    "[[recall]]",
    "[[say a]] [[sleep-ms 30]] [[say b]]",
    "[[tool Bash ls 20]]",
    "[[ask Bash rm]]",
    "[[bytes 100000]]",
    "[[hang]]",
    "[[model-error 500]]",
    "[[follow-up and more]]",
    "[[exit 1]]",
    "[[children setsid]] [[children double-fork]]",
];

/// One place for a session: opens one, uses it, closes it, and again, until the time is over.
async fn user(
    pool: Pool,
    options: [SessionOptions; 2],
    mut dice: Dice,
    until: Instant,
    tally: Arc<Tally>,
) {
    while Instant::now() < until {
        let mut options = options[usize::from(dice.roll(2) == 0)].clone();
        if dice.roll(8) == 0 {
            options.persistent = Persistent::Never;
        }
        let session = pool.open(options).expect("a session");
        tally.sessions.fetch_add(1, Relaxed);
        let reader = read(&session);
        let turns = 1 + dice.roll(6);
        let mut accepted = 0;
        for _ in 0..turns {
            if Instant::now() >= until {
                break;
            }
            accepted += 1;
            use_once(&session, &mut dice, &tally).await;
            if session.snapshot().closed {
                break;
            }
        }
        match dice.roll(3) {
            0 => drop(session),
            1 => session.close(),
            _ => assert_eq!(session.closed().await, [0; 0]),
        }
        let events = reader.await.expect("no panic");
        tally.events.fetch_add(events.len() as u64, Relaxed);
        let hosts = |e: &&Arc<Event>| {
            let origin = remuda::event::TurnOrigin::Host;
            e.body == Body::TurnStarted { origin, tag: None }
        };
        assert_eq!(events.iter().filter(hosts).count(), accepted);
        assert_lawful(&events);
        assert_prompt(&events);
    }
}

/// These agents answer at once, or die, or are interrupted: a session that had to wait for one until
/// a deadline lost something on the way.
fn assert_prompt(events: &[Arc<Event>]) {
    let waited = |kind: ErrorKind| {
        [
            ErrorKind::StartTimeout,
            ErrorKind::FirstOutputTimeout,
            ErrorKind::SilenceTimeout,
        ]
        .contains(&kind)
    };
    let in_vain = events.iter().any(|event| {
        if let Body::TurnFailed { failure, .. } = &event.body {
            waited(failure.code)
        } else if let Body::Downgraded { reason, .. } = &event.body {
            waited(*reason)
        } else {
            false
        }
    });
    if in_vain {
        for event in events {
            say(&event.to_json().expect("JSON"));
        }
        panic!("a session waited in vain");
    }
}

/// Reads all of a session, as a host does.
fn read(session: &Session) -> JoinHandle<Vec<Arc<Event>>> {
    let mut events = session.events(1);
    tokio::spawn(async move {
        let mut all = Vec::new();
        while events.next_batch(&mut all).await {}
        all
    })
}

/// Sends a turn, does something to it, and sees that it has its end.
async fn use_once(session: &Session, dice: &mut Dice, tally: &Tally) {
    let prompt = dice.pick(&PROMPTS);
    let mut turn = session.send(prompt).expect("no turn runs");
    tally.accepted.fetch_add(1, Relaxed);
    let hangs = prompt.contains("hang");
    // Some events first. A turn that hangs has one for sure.
    let looks = dice.roll(if hangs { 2 } else { 4 });
    for _ in 0..looks {
        if turn.next().await.is_none_or(|e| e.is_turn_end()) {
            break;
        }
    }
    match dice.roll(8) {
        0..=2 => {
            tally.interrupts.fetch_add(1, Relaxed);
            turn.interrupt().await.expect("a receipt");
        }
        3 => kill_agent(session, tally),
        4 => drop(session.hold()),
        _ => {}
    }
    if hangs {
        // Only this ends it, unless it is over already.
        turn.interrupt().await.expect("a receipt");
    }
    if dice.roll(16) == 0 {
        session.close();
    }
    let _ = turn.result().await;
    tally.ended.fetch_add(1, Relaxed);
}

/// Kills the agent of a session, if it runs, as far as its events say. By then its number may be
/// another's, which is fair too, as long as it is one of this test's processes.
fn kill_agent(session: &Session, tally: &Tally) {
    let mut events = session.events(1);
    let mut running = None;
    while let Some(event) = events.try_next() {
        if let Body::ProcessStarted { process, pid, .. } = &event.body {
            running = Some((*process, *pid));
        } else if let Body::ProcessStopped { process, .. } = &event.body {
            running = running.filter(|(id, _)| id != process);
        }
    }
    let Some((_, pid)) = running else { return };
    if !descendants(std::process::id())
        .iter()
        .any(|(id, _, _)| *id == pid)
    {
        return;
    }
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    if pid.is_some_and(|pid| kill_process(pid, Signal::KILL).is_ok()) {
        tally.kills.fetch_add(1, Relaxed);
    }
}

/// One pool from its first session to its last. Gives the pool's last numbers.
fn round(seed: u64, time: Duration, tally: &Arc<Tally>) -> PoolStats {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let pool = Pool::builder()
            .max_warm(SLOTS)
            .max_processes(2 * SLOTS)
            .max_starting(4)
            .when_full(WhenFull::Spill)
            .idle_timeout(Duration::from_millis(500));
        let places = PROTOCOLS.map(|protocol| Scene::new(protocol, Pool::builder()));
        let options = places.each_ref().map(Scene::options);
        let pool = pool.build().expect("a pool");
        let until = Instant::now() + time;
        let users: Vec<_> = (0..SESSIONS as u64)
            .map(|n| {
                let dice = Dice(seed.wrapping_add(n << 32));
                tokio::spawn(user(
                    pool.clone(),
                    options.clone(),
                    dice,
                    until,
                    Arc::clone(tally),
                ))
            })
            .collect();
        stats_become(&pool, "all sessions are open", |s| {
            s.sessions >= SESSIONS / 2
        })
        .await;
        for user in users {
            user.await.expect("no panic");
        }
        let stats = stats_become(&pool, "nothing is in use", is_empty).await;
        let report = pool.shutdown(Duration::from_secs(30)).await;
        assert!(
            report.unfinished.is_empty() && report.left.is_empty(),
            "{report:?}"
        );
        stats
    })
}

/// The memory in use, in bytes.
fn memory() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").expect("/proc is there");
    let resident = pages.split_ascii_whitespace().nth(1).expect("a number");
    resident.parse::<usize>().expect("a number") * rustix::param::page_size()
}

fn say(line: &str) {
    writeln!(std::io::stdout(), "{line}").expect("somebody reads");
}

fn seed() -> u64 {
    let given = std::env::var("REMUDA_TEST_SEED").ok();
    given.and_then(|seed| seed.parse().ok()).unwrap_or_else(|| {
        let since = std::time::SystemTime::UNIX_EPOCH.elapsed();
        since.expect("a clock").subsec_nanos().into()
    })
}

#[test]
fn after_a_long_time_of_everything_at_once_nothing_is_left() {
    // The allocator gives back what is free, so that memory in use is what is not given back.
    let frugal = [
        ("MALLOC_ARENA_MAX", "1"),
        ("MALLOC_TRIM_THRESHOLD_", "65536"),
    ];
    isolated_with(&frugal, || {
        let quick = std::env::var_os("REMUDA_TEST_QUICK").is_some();
        let time = Duration::from_secs(if quick { 10 } else { 60 });
        let seed = seed();
        say(&format!("REMUDA_TEST_SEED={seed}"));
        let tally = Arc::new(Tally::default());
        let mut resident = Vec::new();
        for part in 0..ROUNDS {
            let stats = round(seed + u64::from(part), time / ROUNDS, &tally);
            let ends = stats.turns_completed + stats.turns_failed + stats.turns_interrupted;
            assert_eq!(stats.turns_started, ends, "{stats:?}");
            say(&format!("{stats:?}"));
            resident.push(memory());
        }
        let kib: Vec<_> = resident.iter().map(|bytes| bytes >> 10).collect();
        say(&format!("{tally:?}, memory after each round: {kib:?} KiB"));
        assert_eq!(tally.accepted.load(Relaxed), tally.ended.load(Relaxed));
        // How full the heap was at its fullest differs from round to round; a leak only grows.
        let (early, late) = resident.split_at(resident.len() / 2);
        let (early, late) = (early.iter().max(), late.iter().min());
        let least = early.map(|bytes| bytes + GROWTH);
        assert!(late < least.as_ref(), "memory grows: {kib:?} KiB");
    });
}
