//! What happens, in which order, and what must come of it.

use std::time::Duration;

use remuda::{Pool, PoolStats, Shutdown};
use remuda_tests::descendants;
use rustix::process::{Pid, Signal, kill_process};

use crate::demo::cast::Cast;
use crate::demo::screen::{Screen, Tone};
use crate::demo::stage::{End, Stage};
use crate::demo::tally::Tally;

const SLOTS: usize = 2;
const DEADLINE: Duration = Duration::from_secs(20);

/// Plays it. An error is the first thing that did not come out as it must.
pub(crate) async fn play(cast: &Cast, screen: Screen) -> Result<(), String> {
    let pool = Pool::builder()
        .max_warm(SLOTS)
        .build()
        .map_err(|error| error.to_string())?;
    let mut stage = Stage::new(cast, &pool, screen);
    let title = format!("Four agents share two slots. {}", cast.describe());
    stage.screen.say(&title, Tone::Quiet);

    let [oak, elm] = cold(&mut stage, cast).await?;
    warm(&mut stage, cast, [oak, elm]).await?;
    eviction(&mut stage, cast).await?;
    resume(&mut stage, cast, [oak, elm]).await?;
    crash(&mut stage, cast, oak).await?;
    interrupt(&mut stage, cast, elm).await?;

    let stats = pool.stats();
    stage.screen.scene("The pool is shut down").await;
    let report = pool.shutdown(DEADLINE).await;
    let alive = descendants(std::process::id());
    stage.until_closed().await?;
    table(&stage.screen, &stage.tally, stats, &report, alive.len());
    if !alive.is_empty() || !report.left.is_empty() || !report.unfinished.is_empty() {
        return Err(format!("something is left: {alive:?}, {report:?}"));
    }
    Ok(())
}

async fn cold(stage: &mut Stage<'_>, cast: &Cast) -> Result<[usize; 2], String> {
    stage
        .screen
        .scene("Two sessions: each starts a process")
        .await;
    let oak = greet(stage, cast, "oak").await?;
    let elm = greet(stage, cast, "elm").await?;
    Ok([oak, elm])
}

async fn warm(stage: &mut Stage<'_>, cast: &Cast, both: [usize; 2]) -> Result<(), String> {
    stage.screen.scene("Their next turns find it warm").await;
    for place in both {
        let before = stage.pid(place);
        expect_text(stage.turn(place, cast.chat()).await?)?;
        same_process(stage, place, before)?;
    }
    Ok(())
}

async fn eviction(stage: &mut Stage<'_>, cast: &Cast) -> Result<(), String> {
    stage
        .screen
        .scene("Two more sessions take the slots of those that were idle longest")
        .await;
    greet(stage, cast, "fir").await?;
    greet(stage, cast, "ash").await?;
    Ok(())
}

async fn resume(stage: &mut Stage<'_>, cast: &Cast, both: [usize; 2]) -> Result<(), String> {
    stage
        .screen
        .scene("The evicted sessions go on in a new process: nothing is forgotten")
        .await;
    for place in both {
        recall(stage, cast, place).await?;
    }
    Ok(())
}

async fn crash(stage: &mut Stage<'_>, cast: &Cast, place: usize) -> Result<(), String> {
    stage
        .screen
        .scene("An agent is killed in the middle of an answer")
        .await;
    let turn = stage.send(place, cast.count())?;
    stage.until_output(place, turn.id()).await?;
    let pid = stage.pid(place).unwrap_or_default();
    let target = i32::try_from(pid).ok().and_then(Pid::from_raw);
    let target = target.ok_or_else(|| format!("{pid} is no process"))?;
    stage.note(place, "kill -9", &format!("process {pid}"), Tone::Bad);
    kill_process(target, Signal::KILL).map_err(|error| format!("kill {pid}: {error}"))?;
    match stage.until_end(place, turn.id()).await? {
        End::Failed(_) => {}
        other @ (End::Completed(_) | End::Interrupted) => {
            return Err(format!("the killed agent's turn ended as {other:?}"));
        }
    }
    recall(stage, cast, place).await
}

async fn interrupt(stage: &mut Stage<'_>, cast: &Cast, place: usize) -> Result<(), String> {
    stage
        .screen
        .scene("A turn is interrupted; its process stays")
        .await;
    let before = stage.pid(place);
    let turn = stage.send(place, cast.count())?;
    stage.until_output(place, turn.id()).await?;
    let receipt = turn.interrupt().await.map_err(|error| error.to_string())?;
    stage.note(
        place,
        "interrupt",
        &format!("{receipt:?}").to_lowercase(),
        Tone::Plain,
    );
    match stage.until_end(place, turn.id()).await? {
        End::Interrupted => {}
        other @ (End::Completed(_) | End::Failed(_)) => {
            return Err(format!("the interrupted turn ended as {other:?}"));
        }
    }
    recall(stage, cast, place).await?;
    same_process(stage, place, before)
}

/// A new session's first turn: it learns a word.
async fn greet(stage: &mut Stage<'_>, cast: &Cast, name: &'static str) -> Result<usize, String> {
    let place = stage.enter(name)?;
    let end = stage.turn(place, cast.remember(&word(name))).await?;
    expect_text(end)?;
    Ok(place)
}

/// The session still knows its word.
async fn recall(stage: &mut Stage<'_>, cast: &Cast, place: usize) -> Result<(), String> {
    let text = expect_text(stage.turn(place, cast.recall()).await?)?;
    let word = word(stage.name(place));
    if text.contains(&word) {
        Ok(())
    } else {
        Err(format!("{word} is forgotten: the answer is {text:?}"))
    }
}

fn word(name: &str) -> String {
    format!("word-{name}")
}

fn expect_text(end: End) -> Result<String, String> {
    match end {
        End::Completed(text) => Ok(text),
        End::Failed(why) => Err(why),
        End::Interrupted => Err("a turn was interrupted that nobody interrupted".to_owned()),
    }
}

fn same_process(stage: &Stage<'_>, place: usize, before: Option<u32>) -> Result<(), String> {
    let (name, now) = (stage.name(place), stage.pid(place));
    if before.is_some() && now == before {
        return Ok(());
    }
    Err(format!(
        "{name}: process {before:?} did not stay; now it is {now:?}"
    ))
}

fn table(screen: &Screen, tally: &Tally, stats: PoolStats, report: &Shutdown, alive: usize) {
    screen.say("", Tone::Plain);
    screen.row("first output, cold", &tally.cold());
    screen.row("first output, warm", &tally.warm());
    let turns = format!(
        "{}: {} completed, {} failed, {} interrupted",
        stats.turns_started, stats.turns_completed, stats.turns_failed, stats.turns_interrupted
    );
    screen.row("turns", &turns);
    screen.row("processes started", &stats.processes_started.to_string());
    screen.row("evictions", &stats.evicted.to_string());
    screen.row("downgrades", &stats.downgraded.to_string());
    let closed = format!(
        "{} of 4, unfinished: {}",
        report.closed.len(),
        report.unfinished.len()
    );
    screen.row("sessions closed", &closed);
    screen.row("left running", &format!("{alive} processes, by /proc"));
}
