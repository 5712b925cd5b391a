//! How turns and processes ended.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::millis;
use crate::error::ErrorKind;
use crate::event::raw::RawJson;

/// What a turn gave, as far as it came. Part of each of the three ends.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct TurnResult {
    /// The final text of the answer: the last whole message of the agent itself, not of its
    /// sub-agents. Of a turn that failed or was interrupted in the middle of a message: what was there
    /// of that, about a MiB at most. Empty if there was neither.
    pub text: String,
    /// Why the agent stopped, in the agent's own word.
    pub stop_reason: Option<String>,
    /// Tokens of this turn, where the agent counts them.
    pub usage: Option<Usage>,
    /// The structured answer, where one was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub structured: Option<RawJson>,
    /// Money, where the agent counts it.
    pub cost: Option<Cost>,
    /// The model that answered.
    pub model: Option<String>,
    /// How often the agent went to the model and back.
    pub agent_turns: Option<u32>,
    /// From acceptance to the end, by the host's monotonic clock.
    #[serde(rename = "duration_ms", with = "millis")]
    #[schemars(with = "u64")]
    pub duration: Duration,
    /// From acceptance to the first output of the agent.
    #[serde(rename = "time_to_first_output_ms", with = "millis::option")]
    #[schemars(with = "Option<u64>")]
    pub time_to_first_output: Option<Duration>,
    /// How long the agent says it worked.
    #[serde(rename = "agent_duration_ms", with = "millis::option")]
    #[schemars(with = "Option<u64>")]
    pub agent_duration: Option<Duration>,
}

/// Tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Usage {
    /// Tokens that went in, without those read from or written to a cache.
    pub input_tokens: u64,
    /// Tokens that came out, reasoning included.
    pub output_tokens: u64,
    /// Tokens that were read from a cache.
    pub cache_read_tokens: u64,
    /// Tokens that were written to a cache.
    pub cache_write_tokens: u64,
    /// The part of the output that was reasoning, where the agent tells.
    pub reasoning_tokens: Option<u64>,
}

/// Money, in US dollars, as the agent estimates it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Cost {
    /// What this turn added.
    pub delta_usd: f64,
    /// What the session has cost since it was opened.
    pub total_usd: f64,
}

/// Why a turn failed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Failure {
    /// What to act on.
    pub code: ErrorKind,
    /// What to read: one line.
    pub message: String,
    /// How the process ended, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<Exit>,
    /// The last of what the process wrote to stderr, if the process is at fault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stderr: Option<String>,
}

impl Failure {
    pub(crate) fn new(code: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            exit: None,
            stderr: None,
        }
    }
}

/// How a process ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Exit {
    /// The exit code, if it exited by itself.
    pub code: Option<i32>,
    /// The signal, if one ended it.
    pub signal: Option<i32>,
    /// Whether the kernel ended it because memory ran out, where that can be known.
    pub out_of_memory: bool,
}
