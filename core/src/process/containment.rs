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
    /// The agent's process group is killed. Tools that started a session of their own, and
    /// everything at all if the host is killed, may live on.
    ProcessGroup,
    /// A guard is the parent of the agent, adopts every descendant and ends them all when the agent
    /// ends, when it is told to, or when the host is gone, however that died.
    Guard,
}
