//! A pool with scripted agents: the first step of most tests.

use std::future::Future;
use std::time::Duration;

use remuda::config::Timeouts;
use remuda::{EventKind, Pool, PoolBuilder, PoolStats, Session, SessionOptions, Turn};
use scripted_agent::Script;

use crate::agents::Scripted;
use crate::isolated::isolated_async;

/// The protocols of single agents that the scripted agent speaks.
pub const PROTOCOLS: [&str; 2] = ["claude", "codex"];
/// All protocols that it speaks.
const ALL: [&str; 3] = ["claude", "codex", "acp"];

/// How long a number may take to be as it should be. One that never is fails the test.
const PATIENCE: Duration = Duration::from_mins(1);

/// A pool, and a place where its agents live.
#[derive(Debug)]
pub struct Scene {
    /// The pool.
    pub pool: Pool,
    agents: Scripted,
}

impl Scene {
    /// Makes a pool for agents of this protocol.
    ///
    /// # Panics
    ///
    /// If it cannot be made.
    #[must_use]
    pub fn new(protocol: &'static str, pool: PoolBuilder) -> Self {
        Self::of(Scripted::new(protocol), pool)
    }

    /// Makes a pool for agents that follow a script.
    ///
    /// # Panics
    ///
    /// If it cannot be made.
    #[must_use]
    pub fn scripted(protocol: &'static str, pool: PoolBuilder, script: &Script) -> Self {
        Self::of(Scripted::new(protocol).with_script(script), pool)
    }

    fn of(agents: Scripted, pool: PoolBuilder) -> Self {
        let pool = pool.build().expect("a pool");
        Self { pool, agents }
    }

    /// Options of a session here.
    #[must_use]
    pub fn options(&self) -> SessionOptions {
        self.agents.options()
    }

    /// Opens a session.
    ///
    /// # Panics
    ///
    /// If it is refused.
    #[must_use]
    pub fn open(&self) -> Session {
        self.open_with(|_| {})
    }

    /// Opens a session whose options are changed first.
    ///
    /// # Panics
    ///
    /// If it is refused.
    pub fn open_with(&self, change: impl FnOnce(&mut SessionOptions)) -> Session {
        let mut options = self.options();
        change(&mut options);
        self.pool.open(options).expect("a session")
    }

    /// Waits until the pool's numbers are as wanted, and gives them.
    ///
    /// # Panics
    ///
    /// If they never are.
    pub async fn stats_become(&self, what: &str, wanted: impl Fn(PoolStats) -> bool) -> PoolStats {
        stats_become(&self.pool, what, wanted).await
    }

    /// Shuts the pool down and sees that nothing is left in it.
    ///
    /// # Panics
    ///
    /// If anything is.
    pub async fn end(self) {
        let report = self.pool.shutdown(Duration::from_secs(30)).await;
        assert!(
            report.unfinished.is_empty() && report.left.is_empty(),
            "{report:?}"
        );
        self.stats_become("an empty pool", is_empty).await;
    }
}

/// Whether nothing is in use.
#[must_use]
pub fn is_empty(stats: PoolStats) -> bool {
    let PoolStats {
        sessions,
        warm,
        idle,
        processes,
        starting,
        waiting,
        ..
    } = stats;
    [sessions, warm, idle, processes, starting, waiting] == [0; 6]
}

/// Waits until a pool's numbers are as wanted. They follow what happens at once, but not in the
/// same instant.
///
/// # Panics
///
/// If they never are.
pub async fn stats_become(
    pool: &Pool,
    what: &str,
    wanted: impl Fn(PoolStats) -> bool,
) -> PoolStats {
    let look = async {
        loop {
            let stats = pool.stats();
            if wanted(stats) {
                return stats;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let found = tokio::time::timeout(PATIENCE, look).await;
    found.unwrap_or_else(|_| panic!("{what}: it never came: {:?}", pool.stats()))
}

/// Sends a turn that goes on until it is interrupted, and waits until its agent works on it.
///
/// # Panics
///
/// If it is not accepted, or the agent never begins. Not for agents that say nothing before the end.
pub async fn hanging(session: &Session) -> Turn {
    let mut turn = session.send("[[say here]] [[hang]]").expect("accepted");
    let begun = async {
        while let Some(event) = turn.next().await {
            if event.kind() == EventKind::TextDelta {
                return;
            }
            assert!(!event.is_turn_end(), "it ended: {event:?}");
        }
    };
    let begun = tokio::time::timeout(PATIENCE, begun).await;
    assert!(begun.is_ok(), "the agent never began");
    turn
}

/// Runs a scenario once for each protocol of a single agent, apart from all other tests.
///
/// # Panics
///
/// If it does, or leaves anything behind.
pub fn each_protocol<F: Future<Output = ()>>(scenario: impl Fn(&'static str) -> F) {
    each_of(&PROTOCOLS, scenario);
}

/// The same for every protocol: what holds for any agent whatever it can do.
///
/// # Panics
///
/// If it does, or leaves anything behind.
pub fn each_agent<F: Future<Output = ()>>(scenario: impl Fn(&'static str) -> F) {
    each_of(&ALL, scenario);
}

fn each_of<F: Future<Output = ()>>(
    protocols: &[&'static str],
    scenario: impl Fn(&'static str) -> F,
) {
    isolated_async(async || {
        for protocol in protocols {
            let _named = Named(protocol);
            scenario(protocol).await;
        }
    });
}

/// Says for which protocol a scenario failed.
struct Named(&'static str);

impl Drop for Named {
    fn drop(&mut self) {
        if std::thread::panicking() {
            use std::io::Write;
            let _ = writeln!(std::io::stderr(), "with the protocol of {}", self.0);
        }
    }
}

/// Deadlines short enough for a test in which something never answers, where `change` says which.
#[must_use]
pub fn timeouts(change: impl FnOnce(&mut Timeouts)) -> Timeouts {
    let mut timeouts = Timeouts::default();
    change(&mut timeouts);
    timeouts
}
