//! A session with a scripted agent, played turn by turn, on every protocol and shape.

use std::sync::Arc;
use std::time::Duration;

use remuda::config::{Persistent, Timeouts};
use remuda::{Body, Event, Events, Pool, PoolOptions, Session, SessionOptions, TurnId};
use rustix::process::Pid;
use scripted_agent::{Action, Script, Trigger};

use crate::agents::Scripted;
use crate::isolated::isolated_async;
use crate::told::{Told, check_log};
use crate::watch::descendants;

/// A protocol and a shape: how an agent is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// Claude Code, one process for all turns.
    ClaudeWarm,
    /// Claude Code, a process per turn.
    ClaudeOneShot,
    /// Codex's app-server.
    CodexWarm,
    /// `codex exec`.
    CodexOneShot,
}

impl Lane {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::ClaudeWarm,
        Self::ClaudeOneShot,
        Self::CodexWarm,
        Self::CodexOneShot,
    ];
    /// Those whose process stays for later turns.
    pub const WARM: [Self; 2] = [Self::ClaudeWarm, Self::CodexWarm];
    /// Those with a process per turn.
    pub const ONE_SHOT: [Self; 2] = [Self::ClaudeOneShot, Self::CodexOneShot];
    /// Those whose text comes in pieces.
    pub const PIECES: [Self; 3] = [Self::ClaudeWarm, Self::ClaudeOneShot, Self::CodexWarm];

    /// Whether the process stays for later turns.
    #[must_use]
    pub const fn is_warm(self) -> bool {
        matches!(self, Self::ClaudeWarm | Self::CodexWarm)
    }

    fn agents(self) -> Scripted {
        match self {
            Self::ClaudeWarm | Self::ClaudeOneShot => Scripted::claude(),
            Self::CodexWarm | Self::CodexOneShot => Scripted::codex(),
        }
    }

    fn persistent(self) -> Persistent {
        if self.is_warm() {
            Persistent::Auto
        } else {
            Persistent::Never
        }
    }
}

/// Runs the body for each lane, apart from all other tests and with the standing checks.
///
/// # Panics
///
/// If the body does, or leaves anything behind.
pub fn each(lanes: &[Lane], body: impl AsyncFn(Lane)) {
    isolated_async(|| async {
        for lane in lanes {
            // Shown only if the test fails, to say on which lane.
            println!("lane {lane:?}");
            body(*lane).await;
        }
    });
}

/// A script of one rule, which holds only for the first process.
#[must_use]
pub fn script(trigger: Trigger, actions: impl IntoIterator<Item = Action>) -> Script {
    Script::new().on(trigger, actions).in_process(1)
}

/// Deadlines as a test wants them: those that are not to fire are long, those that are get one
/// second, which a turn that goes well never needs.
#[must_use]
pub fn soon(set: impl FnOnce(&mut Timeouts, Duration)) -> Timeouts {
    let mut timeouts = Timeouts {
        first_sign: Duration::from_mins(1),
        ..Timeouts::default()
    };
    set(&mut timeouts, Duration::from_secs(1));
    timeouts
}

/// A pool, one session in it, and everything that the session said.
#[derive(Debug)]
pub struct Stage {
    /// Where the agents live.
    pub agents: Scripted,
    /// The pool.
    pub pool: Pool,
    /// The session.
    pub session: Session,
    events: Events,
    log: Vec<Arc<Event>>,
}

impl Stage {
    /// Agents without a script, patient deadlines.
    #[must_use]
    pub fn new(lane: Lane) -> Self {
        Self::with(lane, &Script::new(), soon(|_, _| ()))
    }

    /// Agents that follow a script.
    #[must_use]
    pub fn script(lane: Lane, script: &Script) -> Self {
        Self::with(lane, script, soon(|_, _| ()))
    }

    /// Agents that follow a script, with these deadlines.
    #[must_use]
    pub fn with(lane: Lane, script: &Script, timeouts: Timeouts) -> Self {
        Self::open(lane, script, PoolOptions::default(), |options| {
            options.timeouts = Some(timeouts);
        })
    }

    /// All of it as the test wants it.
    ///
    /// # Panics
    ///
    /// If the session is refused.
    #[must_use]
    pub fn open(
        lane: Lane,
        script: &Script,
        pool: PoolOptions,
        set: impl FnOnce(&mut SessionOptions),
    ) -> Self {
        let agents = lane.agents().with_script(script);
        let pool = Pool::with_options(pool).expect("a pool");
        let mut options = agents.options();
        options.persistent = lane.persistent();
        set(&mut options);
        let session = pool.open(options).expect("a session");
        let events = session.events(1);
        Self {
            agents,
            pool,
            session,
            events,
            log: Vec::new(),
        }
    }

    /// Sends a message and listens until its turn has ended.
    ///
    /// # Panics
    ///
    /// If it is refused, or the session ends before the turn.
    pub async fn ask(&mut self, text: &str) -> Told {
        let from = self.log.len();
        let turn = self.session.send(text).expect("the turn is accepted");
        self.told(turn.id(), from).await
    }

    /// Listens until a turn has ended, and gives the events from one on.
    ///
    /// # Panics
    ///
    /// If the session ends before the turn.
    pub async fn told(&mut self, turn: TurnId, from: usize) -> Told {
        loop {
            let event = self.next().await;
            if event.turn == Some(turn) && event.is_turn_end() {
                return Told::new(turn, self.log[from..].to_vec());
            }
        }
    }

    /// The next event, whatever it is.
    ///
    /// # Panics
    ///
    /// If the session is over.
    pub async fn next(&mut self) -> Arc<Event> {
        let event = self.events.next().await.expect("the session goes on");
        self.log.push(Arc::clone(&event));
        event
    }

    /// Listens until there is an event like that.
    ///
    /// # Panics
    ///
    /// If the session ends before.
    pub async fn until(&mut self, wanted: impl Fn(&Body) -> bool) -> Arc<Event> {
        loop {
            let event = self.next().await;
            if wanted(&event.body) {
                return event;
            }
        }
    }

    /// Asks for what was said before, which shows that the conversation goes on.
    ///
    /// # Panics
    ///
    /// If the agent does not know it, or does not answer.
    pub async fn recalls(&mut self, text: &str) -> Told {
        let told = self.ask("[[recall]]").await;
        let answer = &told.completed().text;
        assert!(
            answer.contains(text),
            "the conversation goes on: {answer:?}"
        );
        told
    }

    /// The agent's process that became ready last.
    ///
    /// # Panics
    ///
    /// If there was none.
    #[must_use]
    pub fn agent_pid(&self) -> Pid {
        let started = self.log.iter().rev().find_map(|event| match &event.body {
            Body::ProcessStarted { pid, .. } => i32::try_from(*pid).ok(),
            _ => None,
        });
        started.and_then(Pid::from_raw).expect("a process started")
    }

    /// How many of the children that agents started on request are there.
    ///
    /// # Panics
    ///
    /// If their list cannot be read.
    #[must_use]
    pub fn children_alive(&self) -> usize {
        let children = scripted_agent::children(self.agents.folder()).expect("the list");
        assert!(!children.is_empty(), "there were some");
        let family = descendants(std::process::id());
        let alive = |pid: u32| family.iter().any(|(other, _, _)| *other == pid);
        children.iter().filter(|child| alive(child.pid)).count()
    }

    /// Everything that was said until now.
    #[must_use]
    pub fn log(&self) -> &[Arc<Event>] {
        &self.log
    }

    /// Closes the session and gives all its events, which must keep the laws of every log.
    ///
    /// # Panics
    ///
    /// If they do not, or a process is left.
    pub async fn end(self) -> Vec<Arc<Event>> {
        self.session.close();
        self.ended().await
    }

    /// Listens to the end of a session that somebody closed.
    ///
    /// # Panics
    ///
    /// Like [`end`](Self::end).
    pub async fn ended(mut self) -> Vec<Arc<Event>> {
        while let Some(event) = self.events.next().await {
            self.log.push(event);
        }
        check_log(&self.log);
        self.log
    }
}
