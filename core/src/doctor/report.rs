//! What the doctor found.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::Mode;
use crate::process::Containment;

/// What [`doctor`](crate::doctor) found on this machine. Names and values of its JSON are stable; members are added.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Doctor {
    /// The version of this library.
    pub version: String,
    /// The strongest containment that works here; what agents get unless the pool demands less.
    pub containment: Containment,
    /// Why there is no stronger one. A line for people.
    pub containment_problem: Option<String>,
    /// One entry for each provider whose program has a name of its own, in the library's order. The provider `acp` is not
    /// among them: its sessions name the program.
    pub agents: Vec<AgentReport>,
}

/// What was found of one agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct AgentReport {
    /// The name that options use.
    pub provider: String,
    /// The file that a session without `program` would start, as it was found in `PATH`. `None`: it is not installed.
    /// Bytes that are not UTF-8 are replaced.
    pub program: Option<String>,
    /// The version that it printed, only the number: `2.1.327`.
    pub version: Option<String>,
    /// The best that a session with it can have: a warm process, or one per turn.
    pub mode: Mode,
    /// Whether somebody is logged in.
    pub login: Login,
    /// Where `login` was read from: the name of a variable or the path of a file, never what is in it.
    pub login_source: Option<String>,
    /// What is wrong: it was not found, it cannot be executed, it did not give its version. A line for people.
    pub problem: Option<String>,
}

/// Whether an agent has a login, as far as files and variables tell. Nobody is asked, so `logged_in` does not say that the
/// service still takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Login {
    /// There is a key, a token or a file of one.
    LoggedIn,
    /// There is nothing of what the agent takes a login from.
    LoggedOut,
    /// It cannot be known without a request: the agent may keep its login elsewhere, use another service or need none.
    Unknown,
}
