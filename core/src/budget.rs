//! What a turn may use up.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::{bounded, millis};

/// Limits of one turn. When one is reached the agent is interrupted, and the turn ends as failed
/// with `budget_exceeded`; its process stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Budget {
    /// How often the agent itself may go to the model; its sub-agents go on their own. Once more is
    /// seen only when the model speaks.
    pub max_agent_turns: Option<u32>,
    /// Tokens in and out together, as far as the agent tells while it works. What it read from a
    /// cache does not count.
    pub max_tokens: Option<u64>,
    /// US dollars. Agents tell what a turn cost only at its end, so this fails a turn that cost too
    /// much, but cannot stop it before. Refused as unsupported where the agent never tells
    /// ([`crate::Feature::Cost`]).
    pub max_cost_usd: Option<f64>,
    /// Wall time, from acceptance.
    #[serde(rename = "max_duration_ms", with = "millis::option")]
    #[schemars(with = "Option<u64>")]
    pub max_duration: Option<Duration>,
}

impl Budget {
    /// The same, with a time that can be added to any instant.
    pub(crate) fn bounded(mut self) -> Self {
        self.max_duration = self.max_duration.map(bounded);
        self
    }
}
