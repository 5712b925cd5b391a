//! What an agent can do, as a table that hosts can read before they open a session.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::Mode;
use crate::error::Error;
use crate::operation::OperationKind;
use crate::provider;
use crate::settings::Setting;

macro_rules! features {
    ($($(#[$doc:meta])* $variant:ident,)*) => {
        /// Something that an agent can do or not.
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
            JsonSchema,
        )]
        #[serde(rename_all = "snake_case")]
        #[non_exhaustive]
        pub enum Feature { $($(#[$doc])* $variant,)* }

        impl Feature {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];
        }
    };
}

features! {
    /// Goes on with a conversation in a new process.
    Resume,
    /// Ends a running turn and takes the next one.
    Interrupt,
    /// Takes a message into the running turn.
    Steer,
    /// Works on by itself after a turn: background tasks, goals.
    AgentTurns,
    /// Takes images.
    Images,
    /// Takes PDF documents.
    Documents,
    /// Takes text files.
    TextFiles,
    /// Answers with JSON that fits a schema.
    OutputSchema,
    /// Tells what a turn costs, so that a budget can say how much it may.
    Cost,
    /// Calls tools of the host.
    HostTools,
    /// Has text files read or written by its client.
    ClientFiles,
    /// Has commands run by its client.
    ClientTerminals,
    /// Asks before it runs a command.
    CommandApproval,
    /// Asks before it changes files.
    FileChangeApproval,
    /// Asks for more than its mode allows.
    PermissionEscalation,
    /// Asks whether its plan is good.
    PlanApproval,
    /// Asks the user.
    UserQuestion,
    /// Passes on what an MCP server asks the user.
    Elicitation,
    /// A yes can hold for the session.
    AllowSession,
    /// A yes can hold for ever.
    AllowRemember,
    /// A yes can change the input.
    AllowChanged,
    /// A no can end the turn.
    DenyInterrupt,
    /// The model can be changed without a new process.
    ChangeModel,
    /// The effort can.
    ChangeEffort,
    /// The thinking budget can.
    ChangeThinkingBudget,
    /// The permission mode can.
    ChangePermissionMode,
    /// The MCP servers can.
    ChangeMcpServers,
    /// Compacts the conversation when told to.
    Compact,
    /// Lists models.
    ListModels,
    /// Lists commands and skills.
    ListCommands,
    /// Tells the state of MCP servers.
    McpStatus,
    /// Tells how full its context is.
    ContextUsage,
    /// Takes the conversation back.
    Rewind,
    /// Makes a second conversation of one.
    Fork,
    /// Lists its background tasks.
    ListTasks,
    /// Ends background tasks.
    StopTasks,
}

impl From<OperationKind> for Feature {
    fn from(kind: OperationKind) -> Self {
        match kind {
            OperationKind::Compact => Self::Compact,
            OperationKind::ListModels => Self::ListModels,
            OperationKind::ListCommands => Self::ListCommands,
            OperationKind::McpStatus => Self::McpStatus,
            OperationKind::ContextUsage => Self::ContextUsage,
            OperationKind::Rewind => Self::Rewind,
            OperationKind::Fork => Self::Fork,
            OperationKind::ListTasks => Self::ListTasks,
            OperationKind::StopTasks => Self::StopTasks,
        }
    }
}

impl From<Setting> for Feature {
    fn from(setting: Setting) -> Self {
        match setting {
            Setting::Model => Self::ChangeModel,
            Setting::Effort => Self::ChangeEffort,
            Setting::ThinkingBudget => Self::ChangeThinkingBudget,
            Setting::PermissionMode => Self::ChangePermissionMode,
            Setting::McpServers => Self::ChangeMcpServers,
        }
    }
}

/// In which kind of process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Support {
    /// In a warm one.
    pub warm: bool,
    /// In one that serves a single turn.
    pub one_shot: bool,
}

impl Support {
    /// In both.
    pub(crate) const BOTH: Self = Self {
        warm: true,
        one_shot: true,
    };
    /// Only in a warm one.
    pub(crate) const WARM: Self = Self {
        warm: true,
        one_shot: false,
    };

    /// Only in one that serves a single turn.
    pub(crate) const ONE_SHOT: Self = Self {
        warm: false,
        one_shot: true,
    };

    /// Whether in this kind.
    #[must_use]
    pub const fn in_mode(self, mode: Mode) -> bool {
        match mode {
            Mode::Warm => self.warm,
            Mode::OneShot => self.one_shot,
        }
    }
}

/// What each provider can do, by name. A provider without warm processes has `false` in every
/// `warm`.
#[must_use]
pub fn capabilities() -> BTreeMap<&'static str, BTreeMap<Feature, Support>> {
    let tables = provider::all().iter().map(|p| {
        let table: BTreeMap<_, _> = p.capabilities().features.iter().copied().collect();
        let whole = Feature::ALL
            .iter()
            .map(|f| (*f, table.get(f).copied().unwrap_or_default()));
        (p.name(), whole.collect())
    });
    tables.collect()
}

/// What one provider can do.
///
/// # Errors
///
/// [`crate::ErrorKind::InvalidArgument`] for a provider that there is not.
pub fn capabilities_of(provider: &str) -> Result<BTreeMap<Feature, Support>, Error> {
    let name = provider::find(provider)?.name();
    Ok(capabilities().remove(name).unwrap_or_default())
}
