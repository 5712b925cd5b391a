//! A host in Rust. What every host takes and prints: `src/host.rs`.
#![expect(clippy::print_stdout, reason = "the driver reads it")]
#![expect(clippy::cast_precision_loss, reason = "no measure has so many digits")]

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use remuda::config::{Environment, Persistent};
use remuda::{Body, Event, Events, Pool, Session, SessionOptions};
use serde_json::json;
use tokio::task::JoinSet;

type Fault = Box<dyn Error + Send + Sync>;
type Outcome<T> = Result<T, Fault>;

struct Plan {
    warm: bool,
    provider: String,
    agent: PathBuf,
    folder: PathBuf,
    sessions: usize,
    turns: usize,
    prompt: String,
}

/// What one session saw.
#[derive(Default)]
struct Tally {
    events: u64,
    bytes: usize,
    /// From the sending of each turn, in microseconds.
    first: Vec<f64>,
    end: Vec<f64>,
    /// From the clock in the agent's text to here, in microseconds.
    latency: Vec<f64>,
}

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [how, provider, agent, folder, sessions, turns, prompt] = arguments.as_slice() else {
        return Err("warm|each PROVIDER AGENT FOLDER SESSIONS TURNS PROMPT".into());
    };
    let plan = Plan {
        warm: how == "warm",
        provider: provider.clone(),
        agent: agent.into(),
        folder: folder.into(),
        sessions: sessions.parse()?,
        turns: turns.parse()?,
        prompt: prompt.clone(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    runtime.block_on(run(&Arc::new(plan)))
}

async fn run(plan: &Arc<Plan>) -> Outcome<()> {
    let pool = Pool::builder()
        .max_warm(plan.sessions)
        .max_processes(plan.sessions.max(2) * 2)
        .max_starting(4_usize)
        .build()?;
    let before_kb = memory("VmRSS:");
    let mut open = Vec::new();
    for _ in 0..plan.sessions {
        open.push(begin(&pool, plan).await?);
    }
    let idle_kb = (memory("VmRSS:") - before_kb) / plan.sessions as f64;
    let (cpu, wall) = (cpu_us(), Instant::now());
    let tallies = play(open, plan).await?;
    let (cpu, wall) = (cpu_us() - cpu, micros(wall.elapsed()));
    let mut all = Tally::default();
    for tally in tallies {
        all.events += tally.events;
        all.bytes += tally.bytes;
        all.first.extend(tally.first);
        all.end.extend(tally.end);
        all.latency.extend(tally.latency);
    }
    let told = json!({
        "cpu_us": cpu,
        "wall_us": wall,
        "events": all.events,
        "bytes": all.bytes,
        "peak_kb": memory("VmHWM:"),
        "idle_kb": idle_kb,
        "first_us": at(&mut all.first, 50),
        "end_us": at(&mut all.end, 50),
        "p50_us": at(&mut all.latency, 50),
        "p99_us": at(&mut all.latency, 99),
        "max_us": at(&mut all.latency, 100),
    });
    println!("{told}");
    pool.shutdown(Duration::from_secs(10)).await;
    Ok(())
}

/// A session, warm if it is to be, and its events from there on.
async fn begin(pool: &Pool, plan: &Plan) -> Outcome<(Session, Events)> {
    let options = SessionOptions {
        program: Some(plan.agent.clone()),
        persistent: if plan.warm {
            Persistent::Auto
        } else {
            Persistent::Never
        },
        environment: Environment {
            // As the agents of other libraries do.
            inherit: vec!["*".to_owned()],
            ..Environment::default()
        },
        ..SessionOptions::new(&plan.provider, &plan.folder)
    };
    let session = pool.open(options)?;
    let mut events = session.events(1);
    if plan.warm {
        turn(&session, &mut events, "hello", false, &mut Tally::default()).await?;
    }
    Ok((session, events))
}

async fn play(open: Vec<(Session, Events)>, plan: &Arc<Plan>) -> Outcome<Vec<Tally>> {
    let stamped = plan.prompt.contains("stamped");
    let mut players = JoinSet::new();
    for (session, mut events) in open {
        let plan = Arc::clone(plan);
        players.spawn(async move {
            let mut tally = Tally::default();
            for _ in 0..plan.turns {
                turn(&session, &mut events, &plan.prompt, stamped, &mut tally).await?;
            }
            // Handed back, so that the session is closed after the measurement.
            Ok::<_, Fault>((tally, session, events))
        });
    }
    let mut tallies = Vec::new();
    let mut played = Vec::new();
    while let Some(player) = players.join_next().await {
        let (tally, session, events) = player??;
        tallies.push(tally);
        played.push((session, events));
    }
    Ok(tallies)
}

async fn turn(
    session: &Session,
    events: &mut Events,
    prompt: &str,
    stamped: bool,
    tally: &mut Tally,
) -> Outcome<()> {
    let start = Instant::now();
    let sent = session.send(prompt)?.id();
    let (mut batch, mut first) = (Vec::new(), None);
    while events.next_batch(&mut batch).await {
        for event in batch.drain(..) {
            if let Body::TextDelta { text, .. } = &event.body {
                first.get_or_insert_with(|| micros(start.elapsed()));
                tally.events += 1;
                tally.bytes += text.len();
                if stamped {
                    note(text, &mut tally.latency);
                }
            } else if matches!(event.body, Body::Message { .. }) {
                // Of an agent that tells no pieces it is the first that is to be read.
                first.get_or_insert_with(|| micros(start.elapsed()));
            } else if over(&event, sent)? {
                tally.first.push(first.unwrap_or_default());
                tally.end.push(micros(start.elapsed()));
                return Ok(());
            }
        }
    }
    Err("the session is closed".into())
}

#[expect(clippy::wildcard_enum_match_arm, reason = "three kinds are ends")]
fn over(event: &Event, sent: remuda::TurnId) -> Outcome<bool> {
    match &event.body {
        Body::TurnCompleted { .. } => Ok(event.turn == Some(sent)),
        Body::TurnFailed { failure, .. } => Err(format!("{failure:?}").into()),
        Body::TurnInterrupted { .. } => Err("interrupted".into()),
        _ => Ok(false),
    }
}

/// Pieces may have merged: each has its own time.
fn note(text: &str, latency: &mut Vec<f64>) {
    let now = clock_ns(libc::CLOCK_MONOTONIC);
    let stamps = text.split_whitespace().flat_map(str::parse::<i64>);
    latency.extend(stamps.map(|at| (now - at) as f64 / 1e3));
}

fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

/// The time that this process has had of all processors.
fn cpu_us() -> f64 {
    clock_ns(libc::CLOCK_PROCESS_CPUTIME_ID) as f64 / 1e3
}

fn clock_ns(which: libc::clockid_t) -> i64 {
    let mut now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: it writes one struct there.
    unsafe { libc::clock_gettime(which, &raw mut now) };
    now.tv_sec * 1_000_000_000 + now.tv_nsec
}

/// A line of `/proc/self/status`, in KiB.
fn memory(name: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    number.unwrap_or_default()
}

fn at(values: &mut [f64], percent: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    let last = values.len().saturating_sub(1);
    values
        .get(last * percent / 100)
        .copied()
        .unwrap_or_default()
}
