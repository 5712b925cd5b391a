//! The sessions of the story, and the loop that shows what happens to them.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use remuda::config::Mode;
use remuda::event::{EvictionReason, Failure, StopReason};
use remuda::{Body, Event, Pool, Session, Turn, TurnId, TurnResult};
use tokio::sync::mpsc;

use crate::demo::cast::Cast;
use crate::demo::screen::{Screen, Tone};
use crate::demo::tally::{Tally, brief};

/// Longer than every deadline of the library's own for a turn that works.
const PATIENCE: Duration = Duration::from_mins(4);

/// How a turn ended.
#[derive(Debug, PartialEq)]
pub(crate) enum End {
    /// With this text.
    Completed(String),
    /// With this failure.
    Failed(String),
    /// Because the host wanted it.
    Interrupted,
}

/// One of the sessions.
struct Player {
    name: &'static str,
    session: Session,
    /// The pid of its process.
    pid: Option<u32>,
    /// A process was started since its last turn ended.
    cold: bool,
    /// The turn that has shown output.
    speaking: Option<TurnId>,
}

/// Sessions, and the one place where their events arrive, in the order in which they are shown.
pub(crate) struct Stage<'a> {
    cast: &'a Cast,
    pool: &'a Pool,
    pub(crate) screen: Screen,
    pub(crate) tally: Tally,
    players: Vec<Player>,
    warned: HashSet<String>,
    sender: mpsc::Sender<(usize, Arc<Event>)>,
    events: mpsc::Receiver<(usize, Arc<Event>)>,
}

impl<'a> Stage<'a> {
    pub(crate) fn new(cast: &'a Cast, pool: &'a Pool, screen: Screen) -> Self {
        let (sender, events) = mpsc::channel(64);
        Self {
            cast,
            pool,
            screen,
            tally: Tally::default(),
            players: Vec::new(),
            warned: HashSet::new(),
            sender,
            events,
        }
    }

    /// Opens a session and gives its place.
    pub(crate) fn enter(&mut self, name: &'static str) -> Result<usize, String> {
        let session = self
            .pool
            .open(self.cast.options())
            .map_err(|error| error.to_string())?;
        let place = self.players.len();
        let (mut events, sender) = (session.events(1), self.sender.clone());
        tokio::spawn(async move {
            while let Some(event) = events.next().await {
                if sender.send((place, event)).await.is_err() {
                    return;
                }
            }
        });
        self.players.push(Player {
            name,
            session,
            pid: None,
            cold: false,
            speaking: None,
        });
        Ok(place)
    }

    pub(crate) fn name(&self, place: usize) -> &'static str {
        self.players[place].name
    }

    /// The pid of the session's process, as long as it has one.
    pub(crate) fn pid(&self, place: usize) -> Option<u32> {
        self.players[place].pid
    }

    pub(crate) fn send(&self, place: usize, text: String) -> Result<Turn, String> {
        let player = &self.players[place];
        let turn = player.session.send(text);
        turn.map_err(|error| format!("{}: {error}", player.name))
    }

    /// A line of the story's own about a player.
    pub(crate) fn note(&self, place: usize, what: &str, detail: &str, tone: Tone) {
        self.screen
            .event(place, self.name(place), what, detail, tone);
    }

    /// Runs one turn and shows what happens.
    pub(crate) async fn turn(&mut self, place: usize, text: String) -> Result<End, String> {
        let turn = self.send(place, text)?;
        self.until_end(place, turn.id()).await
    }

    /// Shows what happens until this turn has ended.
    pub(crate) async fn until_end(&mut self, place: usize, turn: TurnId) -> Result<End, String> {
        loop {
            let event = self.next().await?;
            if event.turn != Some(turn) {
                continue;
            }
            if let Body::TurnCompleted { result } = &event.body {
                return Ok(End::Completed(result.text.clone()));
            } else if let Body::TurnFailed { failure, .. } = &event.body {
                let name = self.name(place);
                return Ok(End::Failed(format!("{name}: {}", reason(failure))));
            } else if let Body::TurnInterrupted { .. } = &event.body {
                return Ok(End::Interrupted);
            }
        }
    }

    /// Shows what happens until this turn has said something.
    pub(crate) async fn until_output(&mut self, place: usize, turn: TurnId) -> Result<(), String> {
        while self.players[place].speaking != Some(turn) {
            let event = self.next().await?;
            if event.turn == Some(turn) && event.is_turn_end() {
                let name = self.name(place);
                return Err(format!("{name}: the turn ended before it said anything"));
            }
        }
        Ok(())
    }

    /// Shows what happens until all sessions are closed.
    pub(crate) async fn until_closed(&mut self) -> Result<(), String> {
        let mut open = self.players.len();
        while open > 0 {
            if let Body::SessionClosed { .. } = self.next().await?.body {
                open -= 1;
            }
        }
        Ok(())
    }

    async fn next(&mut self) -> Result<Arc<Event>, String> {
        match tokio::time::timeout(PATIENCE, self.events.recv()).await {
            Ok(Some((place, event))) => {
                self.show(place, &event);
                Ok(event)
            }
            Ok(None) | Err(_) => Err("nothing happens any more".to_owned()),
        }
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "kinds that are not shown, also those to come"
    )]
    fn show(&mut self, place: usize, event: &Event) {
        let player = &mut self.players[place];
        let (what, detail, tone) = match &event.body {
            Body::ProcessStarted {
                pid,
                mode,
                resumed,
                start,
                ..
            } => {
                player.pid = Some(*pid);
                player.cold = true;
                let kind = match mode {
                    Mode::Warm => "stays warm",
                    Mode::OneShot => "for one turn",
                };
                let history = if *resumed {
                    ", with the conversation"
                } else {
                    ""
                };
                let start = brief(*start);
                let detail = format!("process {pid} in {start}, {kind}{history}");
                ("started", detail, Tone::Quiet)
            }
            Body::ProcessStopped { reason, left, .. } => {
                let pid = player.pid.take().unwrap_or_default();
                let why = why_stopped(*reason);
                let detail = match left.as_slice() {
                    [] => format!("process {pid} and its whole tree are gone ({why})"),
                    left => format!("process {pid} ({why}); left: {left:?}"),
                };
                ("stopped", detail, Tone::Quiet)
            }
            Body::Evicted { reason } => {
                let why = if *reason == EvictionReason::LeastRecentlyUsed {
                    "idle longest, and its slot is wanted"
                } else {
                    "idle for too long"
                };
                ("evicted", why.to_owned(), Tone::Strong)
            }
            Body::Downgraded { reason, .. } => {
                let detail = format!("{reason}: from now on one process per turn");
                ("downgraded", detail, Tone::Strong)
            }
            // Agents repeat theirs with every process.
            Body::Warning { message, .. } if self.warned.insert(message.clone()) => {
                ("warning", message.clone(), Tone::Quiet)
            }
            Body::TextDelta { .. } if player.speaking != event.turn => {
                player.speaking = event.turn;
                return;
            }
            Body::TurnCompleted { result } => {
                let said = told(&result.text);
                (
                    "answered",
                    format!("{} {said}", self.first(place, result)),
                    Tone::Plain,
                )
            }
            Body::TurnFailed { failure, result } => {
                self.first(place, result);
                ("failed", reason(failure), Tone::Bad)
            }
            Body::TurnInterrupted { result } => {
                let first = self.first(place, result);
                (
                    "interrupted",
                    format!("{first} the turn ended there"),
                    Tone::Strong,
                )
            }
            _ => return,
        };
        self.note(place, what, &detail, tone);
    }

    /// Counts a turn's first output and says it.
    fn first(&mut self, place: usize, result: &TurnResult) -> String {
        let cold = std::mem::take(&mut self.players[place].cold);
        let Some(time) = result.time_to_first_output else {
            return String::new();
        };
        self.tally.first_output(cold, time);
        let kind = if cold { "cold" } else { "warm" };
        format!("[{kind}, {:>6}]", brief(time))
    }
}

fn reason(failure: &Failure) -> String {
    format!("{}: {}", failure.code, failure.message)
}

fn why_stopped(reason: StopReason) -> &'static str {
    match reason {
        StopReason::Evicted => "evicted",
        StopReason::Closed => "closed",
        StopReason::Recycled => "recycled",
        StopReason::Failed => "failed",
        StopReason::Interrupted => "interrupted",
        StopReason::TurnDone => "its one turn is done",
        StopReason::Exited => "ended by itself",
        _ => "for another reason",
    }
}

/// Without the instructions that scripted agents and models follow.
fn told(text: &str) -> String {
    let mut rest = text;
    let mut told = String::new();
    while let Some((before, after)) = rest.split_once("[[") {
        told.push_str(before.trim_end());
        rest = after.split_once("]]").map_or("", |(_, behind)| behind);
    }
    told.push_str(rest);
    told.replace('\n', " | ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prompt_is_shown_without_its_instructions() {
        let text = "Remember oak. [[say I keep oak.]]\nWhich? [[recall]]";
        assert_eq!(told(text), "Remember oak. | Which?");
        assert_eq!(told("plain"), "plain");
    }
}
