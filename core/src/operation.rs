//! What can be done with a conversation beside talking.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Something to do with the conversation. Which ones an agent can do stands in its capabilities.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "operation", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Operation {
    /// Compact the conversation now. Gives `{}` when it is under way; events tell the rest.
    Compact {},
    /// The models that can be chosen. Gives `{"models": [{"id", "name", "description"}]}` and what else the
    /// agent says of each.
    ListModels {},
    /// Commands and skills. Gives `{"commands": [{"name", "description"}]}`.
    ListCommands {},
    /// MCP servers and their state. Gives `{"servers": [{"name", "status"}]}`.
    McpStatus {},
    /// How full the context is. Gives `{"used_tokens", "window_tokens"}` and what else the agent says.
    ContextUsage {},
    /// Take the conversation back to before the message of a turn, by the agent's id of that turn or
    /// message. Gives `{}`.
    Rewind {
        /// The agent's id: the message of the `status` event `turn_id` in that turn.
        before: String,
    },
    /// A new conversation with the same history. Gives `{"provider_session_id"}`, to be opened with
    /// `resume`.
    Fork {},
    /// The agent's background tasks. Gives `{"tasks": [{"id", "title"}]}`.
    ListTasks {},
    /// End one background task, or all. Gives `{}`.
    StopTasks {
        /// The agent's id of the task; `None`: all.
        #[serde(default)]
        task: Option<String>,
    },
}

/// The kinds of operations, for capabilities.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum OperationKind {
    /// [`Operation::Compact`].
    Compact,
    /// [`Operation::ListModels`].
    ListModels,
    /// [`Operation::ListCommands`].
    ListCommands,
    /// [`Operation::McpStatus`].
    McpStatus,
    /// [`Operation::ContextUsage`].
    ContextUsage,
    /// [`Operation::Rewind`].
    Rewind,
    /// [`Operation::Fork`].
    Fork,
    /// [`Operation::ListTasks`].
    ListTasks,
    /// [`Operation::StopTasks`].
    StopTasks,
}

impl Operation {
    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> OperationKind {
        match self {
            Self::Compact {} => OperationKind::Compact,
            Self::ListModels {} => OperationKind::ListModels,
            Self::ListCommands {} => OperationKind::ListCommands,
            Self::McpStatus {} => OperationKind::McpStatus,
            Self::ContextUsage {} => OperationKind::ContextUsage,
            Self::Rewind { .. } => OperationKind::Rewind,
            Self::Fork {} => OperationKind::Fork,
            Self::ListTasks {} => OperationKind::ListTasks,
            Self::StopTasks { .. } => OperationKind::StopTasks,
        }
    }
}
