//! A session: the machine that decides, the actor that drives it, the handles that hosts hold.

mod actor;
mod alarm;
mod call;
mod gate;
mod handle;
#[cfg(test)]
mod hot_path_tests;
mod launch;
mod machine;
mod replies;
mod send;
mod shared;
mod turn;
mod unfinished;

pub(crate) use actor::{LiveOptions, Parts, run};
pub(crate) use call::Call;
pub use gate::QueuedTurn;
pub(crate) use handle::SessionInner;
pub use handle::{Hold, InterruptOptions, Session, SessionSnapshot};
pub(crate) use launch::find;
pub(crate) use machine::{Approvals, Machine, Policy};
pub(crate) use replies::Places;
pub(crate) use send::{MessageLimits, asks_only_warm};
pub use send::{OnBusy, SendOptions, Sent};
pub use shared::{CurrentProcess, CurrentSettings, OpenRequest};
pub(crate) use shared::{Opening, Shared};
pub use turn::{AskError, Turn};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What became of an interrupt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Receipt {
    /// The agent is told. The turn ends soon as interrupted, or, if it was faster, by itself.
    Delivered,
    /// The turn waited: in the queue, for the pool, or for a process to become ready. It was held
    /// back, and has ended as interrupted. No agent has shown a sign of it, and none gets it any
    /// more.
    Held,
    /// The turn was over.
    TooLate,
    /// The agent cannot be interrupted here. Its process was stopped instead, and the turn has ended
    /// as interrupted; the next turn starts another process.
    Unsupported,
}
