//! What holds for the turns of a thread: mode, effort, and what the agent was told of them.

use serde_json::{Map, Value, json};

use crate::config::{PermissionMode, SessionOptions};
use crate::settings::Change;

/// Settings of one thread.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    mode: PermissionMode,
    read_only: bool,
    pub model: Option<String>,
    effort: Option<String>,
    /// Whether the agent was told to plan. That holds until it is told otherwise.
    planning: bool,
    /// What the agent is configured to, in its own words, once that is known.
    configured: Option<Configured>,
}

/// The permissions of a thread that was opened without any.
#[derive(Clone, Debug)]
pub(super) struct Configured {
    pub approval_policy: Value,
    pub sandbox_policy: Value,
}

impl Settings {
    pub(super) fn new(options: &SessionOptions, model: Option<String>) -> Self {
        Self {
            mode: options.permission_mode,
            read_only: options.read_only,
            model,
            effort: options.effort.clone(),
            planning: false,
            configured: None,
        }
    }

    /// The agent says that the thread was left planning, in an earlier process.
    pub(super) fn was_planning(&mut self) {
        self.planning = true;
    }

    /// What the agent is configured to has become known.
    pub(super) fn learn(&mut self, configured: Configured) {
        self.configured = Some(configured);
    }

    /// Whether the configured permissions are needed for a change, and not known.
    pub(super) fn must_ask(&self, change: &Change) -> bool {
        change.permission_mode == Some(PermissionMode::Default)
            && !self.read_only
            && self.mode != PermissionMode::Default
            && self.configured.is_none()
    }

    /// The members of `turn/start` that permit and forbid. They are said again every time, so that
    /// they hold also in a thread that was resumed.
    pub(super) fn turn_members(&mut self, params: &mut Map<String, Value>) {
        if let Some(effort) = &self.effort {
            params.insert("effort".into(), effort.as_str().into());
        }
        self.permissions(params);
        self.collaboration(params);
    }

    /// Makes a change. Gives back the members of `thread/settings/update` that tell the agent.
    pub(super) fn change(&mut self, change: &Change) -> Map<String, Value> {
        let mut params = Map::new();
        if let Some(model) = &change.model {
            self.model = Some(model.clone());
            params.insert("model".into(), model.as_str().into());
        }
        if let Some(effort) = &change.effort {
            self.effort = Some(effort.clone());
            params.insert("effort".into(), effort.as_str().into());
        }
        if let Some(mode) = change.permission_mode {
            self.mode = mode;
            self.permissions(&mut params);
            if let (PermissionMode::Default, false, Some(configured)) =
                (mode, self.read_only, &self.configured)
            {
                let policy = configured.approval_policy.clone();
                params.insert("approvalPolicy".into(), policy);
                let sandbox = configured.sandbox_policy.clone();
                params.insert("sandboxPolicy".into(), sandbox);
            }
        }
        self.collaboration(&mut params);
        params
    }

    fn permissions(&self, params: &mut Map<String, Value>) {
        if let Some(policy) = approval_policy(self.mode, self.read_only) {
            params.insert("approvalPolicy".into(), policy.into());
        }
        if let Some(sandbox) = sandbox_policy(self.mode, self.read_only) {
            params.insert("sandboxPolicy".into(), sandbox);
        }
    }

    /// Planning is said with model and effort, which it would otherwise reset.
    fn collaboration(&mut self, params: &mut Map<String, Value>) {
        let plan = self.mode == PermissionMode::Plan;
        let Some(model) = self.model.as_deref().filter(|_| plan || self.planning) else {
            return;
        };
        let settings = json!({
            "model": model,
            "reasoning_effort": self.effort,
            "developer_instructions": null,
        });
        let mode = if plan { "plan" } else { "default" };
        let collaboration = json!({"mode": mode, "settings": settings});
        params.insert("collaborationMode".into(), collaboration);
        self.planning = plan;
    }
}

/// Who may ask: nobody where the mode has only one answer. A session that only reads lets the agent
/// ask, so that what was denied shows.
pub(super) fn approval_policy(mode: PermissionMode, read_only: bool) -> Option<&'static str> {
    Some(match mode {
        PermissionMode::ReadOnly | PermissionMode::Plan => "never",
        PermissionMode::BypassPermissions if !read_only => "never",
        PermissionMode::Default if !read_only => return None,
        PermissionMode::Default
        | PermissionMode::AcceptEdits
        | PermissionMode::BypassPermissions => "on-request",
    })
}

/// A sandbox in the words of turns.
fn sandbox_policy(mode: PermissionMode, read_only: bool) -> Option<Value> {
    if read_only {
        return Some(json!({"type": "readOnly", "networkAccess": false}));
    }
    match mode {
        PermissionMode::Default => None,
        PermissionMode::ReadOnly | PermissionMode::Plan => {
            Some(json!({"type": "readOnly", "networkAccess": false}))
        }
        PermissionMode::AcceptEdits => Some(json!({
            "type": "workspaceWrite",
            "writableRoots": [],
            "networkAccess": false,
            "excludeTmpdirEnvVar": false,
            "excludeSlashTmp": false,
        })),
        PermissionMode::BypassPermissions => Some(json!({"type": "dangerFullAccess"})),
    }
}

/// A sandbox as the value of `-s`. `exec` never asks.
pub(super) fn sandbox_mode(mode: PermissionMode, read_only: bool) -> Option<&'static str> {
    if read_only {
        return Some("read-only");
    }
    match mode {
        PermissionMode::Default => None,
        PermissionMode::ReadOnly | PermissionMode::Plan => Some("read-only"),
        PermissionMode::AcceptEdits => Some("workspace-write"),
        PermissionMode::BypassPermissions => Some("danger-full-access"),
    }
}
