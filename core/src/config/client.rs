//! What an agent may have done by its client, which this library is.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What an agent may have done by this library instead of doing it itself, where its protocol has words
/// for that. All of it is confined to the session's directory. That is no sandbox: what the agent, or a
/// command, does by itself is not seen here.
///
/// What is refused stays refused: [`read_only`](crate::SessionOptions::read_only) refuses writing and
/// commands, and the session's [`rules`](crate::SessionOptions::rules) judge both like any other change
/// and command, as calls of the tools `fs/write_text_file` and `terminal/create`. What no rule matches is
/// done: the agent asked, or its mode let it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Client {
    /// Whether it gets text files. Default: none.
    pub files: ClientFiles,
    /// Whether it has commands run. They start in the session's directory or beneath it, with the
    /// session's [`environment`](crate::SessionOptions::environment) and without the agent's login, and
    /// end at the latest with the agent's process. Default: no.
    pub terminals: bool,
}

/// What an agent may do with text files of the session's directory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClientFiles {
    /// Nothing.
    #[default]
    None,
    /// Read them.
    Read,
    /// Read and write them.
    ReadWrite,
}

impl Client {
    /// Whether there is anything.
    #[must_use]
    pub fn is_any(self) -> bool {
        self != Self::default()
    }
}
