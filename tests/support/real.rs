//! The real agent programs as providers' programs, offline: their model is a loopback server that
//! says what the prompt tells it to.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use model_api::ModelApi;
use model_api::real_agents::{claude, claude_env, codex, codex_env};
use remuda::config::{Environment, Mode, PermissionMode, Persistent};
use remuda::event::StopReason;
use remuda::{Body, Event, Feature, Session, SessionOptions, Turn, capabilities_of};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// Tests of what the real agents do, each apart from all others: those of the first list run with both,
/// those that follow with one, in warm processes or each turn in a process of its own.
///
/// ```text
/// with_real_agents! {
///     this_both_can
///     that_too;
///     claude: only_claude_can;
///     codex: only_codex_can;
///     one_shot_claude: this_both_can only_claude_can;
///     one_shot_codex: this_both_can
/// }
/// ```
#[macro_export]
macro_rules! with_real_agents {
    (
        $($both:ident)*
        $(; claude: $($claude:ident)*)?
        $(; codex: $($codex:ident)*)?
        $(; one_shot_claude: $($one_shot_claude:ident)*)?
        $(; one_shot_codex: $($one_shot_codex:ident)*)?
    ) => {
        $crate::tests_with! { claude, $crate::Real::claude(), $($both)* $($($claude)*)? }
        $crate::tests_with! { codex, $crate::Real::codex(), $($both)* $($($codex)*)? }
        $($crate::tests_with! {
            one_shot_claude, $crate::Real::claude().one_shot(), $($one_shot_claude)*
        })?
        $($crate::tests_with! {
            one_shot_codex, $crate::Real::codex().one_shot(), $($one_shot_codex)*
        })?
    };
}

/// A module with a test for each body.
#[doc(hidden)]
#[macro_export]
macro_rules! tests_with {
    ($agent:ident, $real:expr, $($body:ident)*) => {
        mod $agent {
            $(#[test]
            fn $body() {
                $crate::isolated_async(|| super::$body($real));
            })*
        }
    };
}

/// Which of the real agents it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Agent {
    /// Claude Code.
    Claude,
    /// Codex.
    Codex,
}

/// A real agent, its model, its home and the project it works in. Gone with the value.
#[derive(Debug)]
pub struct Real {
    agent: Agent,
    persistent: Persistent,
    api: ModelApi,
    folder: TempDir,
    program: PathBuf,
    variables: BTreeMap<String, String>,
}

impl Real {
    /// The real Claude Code.
    ///
    /// # Panics
    ///
    /// If it is not installed; the message says what installs it.
    #[must_use]
    pub fn claude() -> Self {
        Self::new(Agent::Claude)
    }

    /// The real Codex.
    ///
    /// # Panics
    ///
    /// If it is not installed; the message says what installs it.
    #[must_use]
    pub fn codex() -> Self {
        Self::new(Agent::Codex)
    }

    fn new(agent: Agent) -> Self {
        let api = ModelApi::start().expect("a model");
        let folder = TempDir::new().expect("a temporary folder");
        let home = folder.path().join("home");
        for place in [&home, &folder.path().join("project")] {
            std::fs::create_dir(place).expect("a folder");
        }
        let (program, variables) = match agent {
            Agent::Claude => (claude(), claude_env(&home, &api)),
            Agent::Codex => (codex(), codex_env(&home, &api).expect("a home")),
        };
        Self {
            agent,
            persistent: Persistent::Auto,
            api,
            folder,
            program: program.unwrap_or_else(|missing| panic!("{missing}")),
            variables: variables.into_iter().collect(),
        }
    }

    /// The same, each turn in a process of its own.
    #[must_use]
    pub const fn one_shot(mut self) -> Self {
        self.persistent = Persistent::Never;
        self
    }

    /// How its processes serve a session.
    #[must_use]
    pub const fn mode(&self) -> Mode {
        match self.persistent {
            Persistent::Auto => Mode::Warm,
            Persistent::Never => Mode::OneShot,
        }
    }

    /// How many processes a session has had after so many turns.
    #[must_use]
    pub const fn processes(&self, turns: usize) -> usize {
        match self.persistent {
            Persistent::Auto => 1,
            Persistent::Never => turns,
        }
    }

    /// The provider's name.
    #[must_use]
    pub const fn provider(&self) -> &'static str {
        match self.agent {
            Agent::Claude => "claude",
            Agent::Codex => "codex",
        }
    }

    /// Whether it can do this.
    ///
    /// # Panics
    ///
    /// If there is no such provider.
    #[must_use]
    pub fn can(&self, feature: Feature) -> bool {
        let table = capabilities_of(self.provider()).expect("a provider");
        table[&feature].in_mode(self.mode())
    }

    /// Which one it is.
    #[must_use]
    pub const fn agent(&self) -> Agent {
        self.agent
    }

    /// The model.
    #[must_use]
    pub const fn api(&self) -> &ModelApi {
        &self.api
    }

    /// Where the agent works.
    #[must_use]
    pub fn project(&self) -> PathBuf {
        self.folder.path().join("project")
    }

    /// Adds lines to the agent's own configuration: `config.toml` of Codex.
    ///
    /// # Panics
    ///
    /// If it has none.
    pub fn configure(&self, lines: &str) {
        let file = self.folder.path().join("home/.codex/config.toml");
        let config = std::fs::read_to_string(&file).expect("a configuration");
        std::fs::write(&file, config + lines).expect("a configuration");
    }

    /// Options of a session in which tools run unasked.
    #[must_use]
    pub fn options(&self) -> SessionOptions {
        SessionOptions {
            permission_mode: PermissionMode::BypassPermissions,
            ..self.asking()
        }
    }

    /// Options of a session with the agent's own permissions.
    #[must_use]
    pub fn asking(&self) -> SessionOptions {
        SessionOptions {
            persistent: self.persistent,
            program: Some(self.program.clone()),
            environment: Environment {
                set: self.variables.clone(),
                clear: true,
                ..Environment::default()
            },
            ..SessionOptions::new(self.provider(), self.project())
        }
    }

    /// The version that the tests are written for.
    #[must_use]
    pub const fn version(&self) -> &'static str {
        match self.agent {
            Agent::Claude => "2.1.327",
            Agent::Codex => "0.169.0",
        }
    }
}

/// The text of the answer to a prompt.
///
/// # Panics
///
/// If the turn does not end well.
pub async fn answer(session: &Session, prompt: &str) -> String {
    match session.ask(prompt).await {
        Ok(result) => result.text,
        Err(error) => panic!("{prompt:.200}: {error:?}"),
    }
}

/// Reads a turn up to the first event that is meant, and returns that one.
///
/// # Panics
///
/// If the turn ends without it.
pub async fn read_until(turn: &mut Turn, meant: impl Fn(&Body) -> bool) -> Arc<Event> {
    let mut last = None;
    while let Some(event) = turn.next().await {
        if meant(&event.body) {
            return event;
        }
        last = Some(event);
    }
    panic!("the turn is over: {last:?}");
}

/// Reads a session from its beginning up to the first event that is meant.
///
/// # Panics
///
/// If the session is closed without it.
pub async fn look_for(session: &Session, meant: impl Fn(&Body) -> bool) -> Arc<Event> {
    let mut events = session.events(1);
    while let Some(event) = events.next().await {
        if meant(&event.body) {
            return event;
        }
    }
    panic!("the session is closed");
}

/// Closes the session and returns all its events, after the checks that hold for every session:
/// the log has no gap, each turn has one end, nothing of the trees is left.
///
/// # Panics
///
/// If one of them does not hold.
pub async fn closed(session: &Session) -> Vec<Arc<Event>> {
    let mut reader = session.events(1);
    assert_eq!(session.closed().await, [] as [u32; 0], "processes are left");
    let mut events = Vec::new();
    while let Some(event) = reader.next().await {
        events.push(event);
    }
    for (seq, event) in (1..).zip(&events) {
        assert_eq!(event.seq, seq, "{event:?}");
    }
    for event in &events {
        if let Body::TurnStarted { .. } = event.body {
            let mine = events.iter().filter(|other| other.turn == event.turn);
            let ends: Vec<_> = mine.filter(|other| other.is_turn_end()).collect();
            assert_eq!(ends.len(), 1, "{ends:?}");
        }
        if let Body::ProcessStopped { left, .. } = &event.body {
            assert!(left.is_empty(), "{event:?}");
        }
    }
    let last = events.last().map(|event| &event.body);
    assert!(matches!(last, Some(Body::SessionClosed { .. })), "{last:?}");
    events
}

/// A process that was started, as its session tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Started {
    /// The operating system's number.
    pub pid: u32,
    /// Whether it stays.
    pub mode: Mode,
    /// Whether it goes on with an earlier conversation.
    pub resumed: bool,
}

/// The processes that were started.
#[must_use]
pub fn started(events: &[Arc<Event>]) -> Vec<Started> {
    let started = events.iter().filter_map(|event| started_by(&event.body));
    started.collect()
}

/// The process that this event tells of.
#[must_use]
pub fn started_by(body: &Body) -> Option<Started> {
    let Body::ProcessStarted {
        pid, mode, resumed, ..
    } = body
    else {
        return None;
    };
    Some(Started {
        pid: *pid,
        mode: *mode,
        resumed: *resumed,
    })
}

/// Why processes ended.
#[must_use]
pub fn stopped(events: &[Arc<Event>]) -> Vec<StopReason> {
    let reasons = events.iter().filter_map(|event| {
        if let Body::ProcessStopped { reason, .. } = event.body {
            Some(reason)
        } else {
            None
        }
    });
    reasons.collect()
}

/// The pid of the process that the session uses first.
///
/// # Panics
///
/// If the session is closed without one.
pub async fn first_pid(session: &Session) -> u32 {
    let event = look_for(session, |body| started_by(body).is_some()).await;
    started_by(&event.body).map_or(0, |process| process.pid)
}

/// Kills a process, as the kernel does when memory runs out.
///
/// # Panics
///
/// If there is no such process.
pub fn kill(pid: u32) {
    signal(pid, Signal::KILL);
}

/// Stops a process without ending it.
///
/// # Panics
///
/// If there is no such process.
pub fn freeze(pid: u32) {
    signal(pid, Signal::STOP);
}

fn signal(pid: u32, signal: Signal) {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    kill_process(pid.expect("a pid"), signal).expect("a process");
}

/// Whether a process runs. A zombie does not.
#[must_use]
pub fn runs(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat
        .rsplit(") ")
        .next()
        .and_then(|rest| rest.chars().next());
    !matches!(state, None | Some('Z' | 'X'))
}

/// The pids that commands wrote into a file, one a line.
#[must_use]
pub fn pids_in(file: &Path) -> Vec<u32> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    // A line that is not whole is not there yet.
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole.lines().filter_map(|line| line.parse().ok()).collect()
}
