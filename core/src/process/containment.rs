//! How surely a process tree ends.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What ends an agent's process tree, and in which cases. Ordered from weak to strong.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Containment {
    /// The agent leads a process group that is killed as a whole.
    ///
    /// While the host lives, processes that left the group are found by a mark in their
    /// environment; those that also cleared their environment are missed. When the host is killed,
    /// nothing ends the tree.
    ProcessGroup,
    /// The agent is the child of a guard that adopts all its descendants and kills them when the
    /// agent ends, when it is told to, or when the host is gone, however that died.
    ///
    /// Catches processes with a session or group of their own, daemons, and those that ignore
    /// signals or cleared their environment. Misses work that other daemons do on the agent's
    /// behalf. If the guard itself is killed, the agent dies with it and the host finds the rest as
    /// in [`ProcessGroup`](Self::ProcessGroup).
    Guard,
}
