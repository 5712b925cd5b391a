//! A session: the machine that decides, the actor that drives it, the handles that hosts hold.

mod actor;
mod gate;
mod handle;
mod launch;
mod machine;
mod shared;
mod turn;

pub(crate) use actor::{Message, Parts, run};
pub use handle::{Hold, Session, SessionSnapshot};
pub(crate) use handle::{MessageLimits, SessionInner};
pub(crate) use launch::program;
pub(crate) use machine::{Machine, Policy};
pub(crate) use shared::Shared;
pub use turn::{AskError, Turn};

use serde::{Deserialize, Serialize};

/// What became of an interrupt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Receipt {
    /// The turn ends soon as interrupted, or, if it was faster, by itself.
    Delivered,
    /// The turn was over.
    TooLate,
}
