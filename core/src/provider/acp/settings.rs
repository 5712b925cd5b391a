//! Mode, model and effort: what the agent offers, and the requests by which they are set.
//!
//! There are three generations of this in the protocol: `modes`, `models`, and configuration options
//! that are known by their category. An agent may offer the same in two of them; options win.

use serde_json::{Value, json};

use super::profile::{Permission, Profile};
use crate::config::{PermissionMode, SessionOptions};
use crate::error::ErrorKind;
use crate::settings::Change;

/// What the agent offers in one conversation, as last told.
#[derive(Clone, Debug, Default)]
pub(super) struct Offers {
    options: Vec<Value>,
    modes: Value,
    models: Value,
}

/// One request that sets something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A configuration option, by its id.
    Option {
        id: String,
        value: String,
    },
    Mode(String),
    Model(String),
}

impl Step {
    pub(super) fn method(&self) -> &'static str {
        match self {
            Self::Option { .. } => "session/set_config_option",
            Self::Mode(_) => "session/set_mode",
            Self::Model(_) => "session/set_model",
        }
    }

    pub(super) fn params(&self, session: &str) -> Value {
        match self {
            Self::Option { id, value } => {
                json!({"sessionId": session, "configId": id, "value": value})
            }
            Self::Mode(id) => json!({"sessionId": session, "modeId": id}),
            Self::Model(id) => json!({"sessionId": session, "modelId": id}),
        }
    }
}

/// Why a setting cannot be had.
pub(super) type Refusal = (ErrorKind, String);

impl Offers {
    /// Reads the answer that opened a conversation.
    pub(super) fn read(answer: &mut Value) -> Self {
        let mut offers = Self {
            modes: answer["modes"].take(),
            models: answer["models"].take(),
            ..Self::default()
        };
        offers.set_options(answer["configOptions"].take());
        offers
    }

    /// The agent told all its options anew.
    pub(super) fn set_options(&mut self, options: Value) {
        if let Value::Array(options) = options {
            self.options = options;
        }
    }

    /// The agent is in another mode.
    pub(super) fn set_mode(&mut self, id: &str) {
        if self.modes.is_object() {
            self.modes["currentModeId"] = id.into();
        }
    }

    /// A step was answered with yes.
    pub(super) fn done(&mut self, step: &Step) {
        match step {
            Step::Option { id, value } => {
                let options = self.options.iter_mut();
                for option in options.filter(|option| option["id"] == **id) {
                    option["currentValue"] = value.as_str().into();
                }
            }
            Step::Mode(id) => self.set_mode(id),
            Step::Model(id) => {
                if self.models.is_object() {
                    self.models["currentModelId"] = id.as_str().into();
                }
            }
        }
    }

    fn option(&self, category: &str) -> Option<&Value> {
        let mut options = self.options.iter();
        options.find(|option| option["category"] == category && option["id"].is_string())
    }

    /// The model in force, where the agent tells.
    pub(super) fn model(&self) -> Option<&str> {
        let option = self.option("model").map(|o| &o["currentValue"]);
        option
            .and_then(Value::as_str)
            .or_else(|| self.models["currentModelId"].as_str())
    }

    /// The models that can be chosen, as operations give them.
    pub(super) fn list_models(&self) -> Option<Value> {
        let entry = |id: &Value, from: &Value| json!({"id": id, "name": from["name"], "description": from["description"]});
        let models: Vec<_> = if let Some(option) = self.option("model") {
            choices(option).map(|c| entry(&c["value"], c)).collect()
        } else {
            let models = self.models["availableModels"].as_array()?.iter();
            let named = models.filter(|m| m["modelId"].is_string());
            named.map(|m| entry(&m["modelId"], m)).collect()
        };
        Some(json!({"models": models}))
    }

    /// The step that makes a model the one in force, unless it is already.
    fn use_model(&self, model: &str) -> Result<Vec<Step>, Refusal> {
        if let Some(steps) = self.use_option("model", model) {
            return Ok(steps);
        }
        if self.models.is_object() {
            let is = self.models["currentModelId"] == model;
            return Ok(unless(is, Step::Model(model.to_owned())));
        }
        Err(unsupported("model: the agent lets no model be chosen"))
    }

    fn use_effort(&self, effort: &str) -> Result<Vec<Step>, Refusal> {
        self.use_option("thought_level", effort)
            .ok_or_else(|| unsupported("effort: the agent offers none with this model"))
    }

    /// The step to the first of these words that the agent offers as a mode. `None`: it offers none.
    fn use_mode(&self, words: &[&str]) -> Option<Vec<Step>> {
        let option = self.option("mode");
        for word in words {
            if option.is_some_and(|o| choices(o).any(|c| c["value"] == **word)) {
                return self.use_option("mode", word);
            }
            let mut modes = self.modes["availableModes"].as_array()?.iter();
            if modes.any(|mode| mode["id"] == **word) {
                let is = self.modes["currentModeId"] == **word;
                return Some(unless(is, Step::Mode((*word).to_owned())));
            }
        }
        None
    }

    /// The step that sets the option of a category. `None`: there is none.
    fn use_option(&self, category: &str, value: &str) -> Option<Vec<Step>> {
        let option = self.option(category)?;
        let id = option["id"].as_str()?.to_owned();
        let value = value.to_owned();
        let is = option["currentValue"] == *value;
        Some(unless(is, Step::Option { id, value }))
    }

    /// What has to be set in a conversation that was just opened. The model comes first: options
    /// change with it.
    pub(super) fn first_steps(
        &self,
        profile: &Profile,
        options: &SessionOptions,
    ) -> Result<Vec<Step>, Refusal> {
        let mut steps = Vec::new();
        if let Some(model) = &options.model {
            steps.extend(self.use_model(model)?);
        }
        if let Some(effort) = &options.effort {
            steps.extend(self.use_effort(effort)?);
        }
        let mode = effective(options);
        if mode != PermissionMode::Default {
            let variables = carries(profile, options);
            match self.use_mode(profile.words(mode)) {
                Some(found) => steps.extend(found),
                None if variables => {}
                None => return Err(unsupported("permission_mode: the agent has no such mode")),
            }
        }
        Ok(steps)
    }

    /// What has to be set for a change.
    pub(super) fn steps_of(
        &self,
        profile: &Profile,
        change: &Change,
        read_only: bool,
    ) -> Result<Vec<Step>, Refusal> {
        if change.thinking_budget.is_some() {
            return Err(unsupported("the agent has no thinking budget"));
        }
        if change.mcp_servers.is_some() {
            return Err(unsupported("MCP servers are started with the conversation"));
        }
        let mut steps = Vec::new();
        if let Some(model) = &change.model {
            steps.extend(self.use_model(model)?);
        }
        if let Some(effort) = &change.effort {
            steps.extend(self.use_effort(effort)?);
        }
        if let Some(mode) = change.permission_mode {
            let words = match effective_mode(mode, read_only) {
                PermissionMode::Default => &["default", "build", "workspace-write"],
                mode @ (PermissionMode::ReadOnly
                | PermissionMode::Plan
                | PermissionMode::AcceptEdits
                | PermissionMode::BypassPermissions) => profile.words(mode),
            };
            let step = self.use_mode(words);
            steps.extend(step.ok_or_else(|| unsupported("the agent has no such mode"))?);
        }
        Ok(steps)
    }
}

/// Whether what the session may do is told to the agent by variables.
fn carries(profile: &Profile, options: &SessionOptions) -> bool {
    permissions(options).any(|p| profile.variables(p).next().is_some())
}

/// What the session may do, the weightier first.
pub(super) fn permissions(options: &SessionOptions) -> impl Iterator<Item = Permission> {
    let read_only = options.read_only.then_some(Permission::ReadOnly);
    let mode = Permission::Mode(options.permission_mode);
    read_only.into_iter().chain(Some(mode))
}

/// The mode that a session is to be in. One that only reads is never in a mode that would let the
/// agent write without asking.
pub(super) fn effective(options: &SessionOptions) -> PermissionMode {
    effective_mode(options.permission_mode, options.read_only)
}

fn effective_mode(mode: PermissionMode, read_only: bool) -> PermissionMode {
    match mode {
        PermissionMode::Plan | PermissionMode::ReadOnly => mode,
        PermissionMode::Default
        | PermissionMode::AcceptEdits
        | PermissionMode::BypassPermissions => {
            if read_only {
                PermissionMode::ReadOnly
            } else {
                mode
            }
        }
    }
}

/// What an option can be set to; they may stand in groups.
fn choices(option: &Value) -> impl Iterator<Item = &Value> {
    let listed = option["options"].as_array().into_iter().flatten();
    listed.flat_map(|choice| match choice["options"].as_array() {
        Some(group) => group.iter().collect::<Vec<_>>(),
        None => vec![choice],
    })
}

/// A step that is only needed where it is not so already.
fn unless(is: bool, step: Step) -> Vec<Step> {
    if is { Vec::new() } else { vec![step] }
}

fn unsupported(why: &str) -> Refusal {
    (ErrorKind::Unsupported, why.to_owned())
}
