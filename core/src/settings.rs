//! What can be changed while a session is open.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::capabilities::Feature;
use crate::config::{McpServer, PermissionMode, SessionOptions};
use crate::error::{Error, ErrorKind};
use crate::provider::Capabilities;

/// A change of settings. What is `None` stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Change {
    /// The model.
    pub model: Option<String>,
    /// How hard the model thinks, in the agent's word.
    pub effort: Option<String>,
    /// Tokens the model may think with. Refused as unsupported by agents that have no such limit.
    pub thinking_budget: Option<u32>,
    /// What the agent may do without asking.
    pub permission_mode: Option<PermissionMode>,
    /// The MCP servers, instead of all that were given before.
    pub mcp_servers: Option<BTreeMap<String, McpServer>>,
}

/// One setting.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Setting {
    /// [`Change::model`].
    Model,
    /// [`Change::effort`].
    Effort,
    /// [`Change::thinking_budget`].
    ThinkingBudget,
    /// [`Change::permission_mode`].
    PermissionMode,
    /// [`Change::mcp_servers`].
    McpServers,
}

impl Change {
    /// The settings that it names.
    #[must_use]
    pub fn settings(&self) -> Vec<Setting> {
        let named = [
            (Setting::Model, self.model.is_some()),
            (Setting::Effort, self.effort.is_some()),
            (Setting::ThinkingBudget, self.thinking_budget.is_some()),
            (Setting::PermissionMode, self.permission_mode.is_some()),
            (Setting::McpServers, self.mcp_servers.is_some()),
        ];
        named
            .into_iter()
            .filter(|(_, is)| *is)
            .map(|(s, _)| s)
            .collect()
    }

    /// Whether the agent has what is to be changed. What it can be told only when it starts it has too.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unsupported`], naming the setting.
    pub(crate) fn check(&self, capabilities: &Capabilities) -> Result<(), Error> {
        let support = capabilities.support(Feature::ChangeThinkingBudget);
        if self.thinking_budget.is_some() && !support.warm && !support.one_shot {
            let message = "thinking_budget: the agent has none";
            return Err(Error::new(ErrorKind::Unsupported, message));
        }
        Ok(())
    }

    /// Makes the change in options, for the next process.
    pub(crate) fn apply(&self, options: &mut SessionOptions) {
        if self.model.is_some() {
            options.model.clone_from(&self.model);
        }
        if self.effort.is_some() {
            options.effort.clone_from(&self.effort);
        }
        if self.thinking_budget.is_some() {
            options.thinking_budget = self.thinking_budget;
        }
        if let Some(mode) = self.permission_mode {
            options.permission_mode = mode;
        }
        if let Some(servers) = &self.mcp_servers {
            options.mcp_servers.clone_from(servers);
        }
    }
}
