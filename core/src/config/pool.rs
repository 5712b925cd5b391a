//! The pool's options.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::{Sharing, Timeouts, millis};
use crate::error::Error;
use crate::process::Containment;

/// More threads than this serve nobody.
const MAX_THREADS: usize = 256;

/// What a pool may use and how it behaves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PoolOptions {
    /// Slots: warm processes, each of one session or shared by several. At least 1. Default 5.
    pub max_warm: usize,
    /// All agent processes together, one-shot ones included; above it turns wait in a fair queue.
    /// At least `max_warm`. Default: twice `max_warm`.
    pub max_processes: Option<usize>,
    /// Processes starting at the same time. At least 1. Default 2.
    pub max_starting: usize,
    /// What a turn does when all slots are busy. Default: spill.
    pub when_full: WhenFull,
    /// After this long without work a warm process is stopped. Default 300 s.
    #[serde(rename = "idle_timeout_ms", with = "millis")]
    #[schemars(with = "u64")]
    pub idle_timeout: Duration,
    /// Whether sessions share warm processes, of those that do not say it themselves. Default: as the
    /// provider has it. `shared` holds for agents that can.
    pub sharing: Option<Sharing>,
    /// The most sessions in one shared process. At least 1. Default 20.
    pub max_sessions_per_process: usize,
    /// What follows when a warm process misbehaves. Default: sticky.
    pub downgrade: Downgrade,
    /// Deadlines of every session that does not set its own.
    pub timeouts: Timeouts,
    /// The longest line taken from an agent, in bytes; a longer one is reported and skipped.
    /// At least 64 KiB. Default 64 MiB.
    pub max_line: usize,
    /// The longest message a host may send, in bytes. Default 32 MiB.
    pub max_message: usize,
    /// How much of each session's events is kept for replay and for slow readers, in bytes. At
    /// least 64 KiB. Default 4 MiB. As much again may be kept for [turns](crate::Turn) that are over and
    /// were not read to the end, and as much, but at least 1 MiB, may come while the log is full.
    pub log_bytes: usize,
    /// The lowest level of containment that is acceptable. Default: a process group, which is used
    /// only where no guard can run, and then reported.
    pub require_containment: Containment,
    /// Threads of the library's own runtime. 1 to 256. Default 2.
    pub threads: usize,
}

impl Default for PoolOptions {
    fn default() -> Self {
        Self {
            max_warm: 5,
            max_processes: None,
            max_starting: 2,
            when_full: WhenFull::Spill,
            idle_timeout: Duration::from_mins(5),
            sharing: None,
            max_sessions_per_process: 20,
            downgrade: Downgrade::Sticky,
            timeouts: Timeouts::default(),
            max_line: 64 << 20,
            max_message: 32 << 20,
            log_bytes: 4 << 20,
            require_containment: Containment::ProcessGroup,
            threads: 2,
        }
    }
}

impl PoolOptions {
    /// The number of processes that is in force.
    #[must_use]
    pub fn process_limit(&self) -> usize {
        self.max_processes
            .unwrap_or(self.max_warm.saturating_mul(2))
    }

    /// Checks what the types cannot say.
    ///
    /// # Errors
    ///
    /// [`crate::ErrorKind::InvalidArgument`], naming the option.
    pub fn check(&self) -> Result<(), Error> {
        let least = |name: &str, value: usize, least: usize| {
            if value < least {
                return Err(Error::invalid(name, format!("{value} is below {least}")));
            }
            Ok(())
        };
        least("max_warm", self.max_warm, 1)?;
        least("max_processes", self.process_limit(), self.max_warm)?;
        least("max_starting", self.max_starting, 1)?;
        let most = self.max_sessions_per_process;
        least("max_sessions_per_process", most, 1)?;
        least("max_line", self.max_line, 64 << 10)?;
        least("max_message", self.max_message, 1)?;
        least("log_bytes", self.log_bytes, 64 << 10)?;
        least("threads", self.threads, 1)?;
        if self.threads > MAX_THREADS {
            let is = self.threads;
            return Err(Error::invalid(
                "threads",
                format!("{is} is above {MAX_THREADS}"),
            ));
        }
        if let Downgrade::Probation { turns: 0 } = self.downgrade {
            return Err(Error::invalid("downgrade", "probation of 0 turns"));
        }
        Ok(())
    }
}

/// What a turn does when all slots are busy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum WhenFull {
    /// It runs in a process of its own, which ends with the turn. What the agent can do only in a warm
    /// process waits for a slot: operations, what a message has attached, questions that the host or
    /// its rules answer.
    Spill,
    /// It waits for a slot, and fails with `pool_full` if none comes in time.
    Wait {
        /// How long.
        #[serde(rename = "timeout_ms", with = "millis")]
        #[schemars(with = "u64")]
        timeout: Duration,
    },
    /// It fails with `pool_full`.
    Fail,
}

/// What follows when a warm process fails its session at the runtime level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Downgrade {
    /// One process per turn for the rest of the session.
    Sticky,
    /// One process per turn for some turns, then one try to go back to a warm one.
    Probation {
        /// How many turns that went well come before the try.
        turns: u32,
    },
    /// The session goes on with warm processes.
    Never,
}
