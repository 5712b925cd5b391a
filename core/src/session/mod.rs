//! A session: the machine that decides, the actor that drives it, the handles that hosts hold.

mod machine;

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
