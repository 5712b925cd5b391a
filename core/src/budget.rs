//! What a turn may use up.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::{bounded, millis};
use crate::error::Error;

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
    /// Checks what the types cannot say.
    ///
    /// # Errors
    ///
    /// [`crate::ErrorKind::InvalidArgument`], naming the limit.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let sum = |cost: f64| cost.is_finite() && cost >= 0.0;
        if !self.max_cost_usd.is_none_or(sum) {
            return Err(Error::invalid("max_cost_usd", "it is no sum of money"));
        }
        Ok(())
    }

    /// The same, with a time that can be added to any instant.
    pub(crate) fn bounded(mut self) -> Self {
        self.max_duration = self.max_duration.map(bounded);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cost_that_is_no_sum_of_money_is_refused() {
        let budget = |cost| Budget {
            max_cost_usd: Some(cost),
            ..Budget::default()
        };
        for bad in [f64::NAN, f64::INFINITY, -0.01] {
            assert!(budget(bad).check().is_err(), "{bad}");
        }
        for good in [0.0, 0.5] {
            assert!(budget(good).check().is_ok(), "{good}");
        }
    }
}
