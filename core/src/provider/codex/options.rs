//! A session's options in the app-server's params and in the command line's words.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use crate::config::{McpServer, PermissionMode, SessionOptions};
use crate::error::{Error, ErrorKind};

/// Checks what the agent could not take.
pub(super) fn check(options: &SessionOptions) -> Result<(), Error> {
    for name in options.mcp_servers.keys() {
        let fits = |c: char| c.is_ascii_alphanumeric() || "_:@/.-".contains(c);
        if name.is_empty() || !name.chars().all(fits) {
            let why = format!("{name:?}: a name has only letters, digits and _ : @ / . -");
            return Err(Error::invalid("mcp_servers", why));
        }
    }
    if options.cwd.to_str().is_none() {
        let why = "cwd: the agent takes only UTF-8 paths";
        return Err(Error::new(ErrorKind::Unsupported, why));
    }
    Ok(())
}

/// The params of `thread/start`, or of `thread/resume`.
///
/// A sandbox that allows writing is not named here but in every turn: here, the agent would enter
/// the project as trusted into the user's own configuration, for ever.
pub(super) fn open_params(options: &SessionOptions, resume: Option<&str>) -> Value {
    let mut params = Map::new();
    if let Some(thread) = resume {
        params.insert("threadId".into(), thread.into());
        params.insert("excludeTurns".into(), true.into());
    }
    params.insert("cwd".into(), options.cwd.to_string_lossy().into());
    if let Some(model) = &options.model {
        params.insert("model".into(), model.as_str().into());
    }
    if let Some(text) = &options.append_system_prompt {
        params.insert("developerInstructions".into(), text.as_str().into());
    }
    if let Some(policy) = approval_policy(options.permission_mode) {
        params.insert("approvalPolicy".into(), policy.into());
    }
    match options.permission_mode {
        PermissionMode::ReadOnly | PermissionMode::Plan => {
            params.insert("sandbox".into(), "read-only".into());
        }
        PermissionMode::Default
        | PermissionMode::AcceptEdits
        | PermissionMode::BypassPermissions => {}
    }
    if !options.mcp_servers.is_empty() {
        let servers: Map<String, Value> = options
            .mcp_servers
            .iter()
            .map(|(name, server)| (name.clone(), mcp_server(server)))
            .collect();
        params.insert("config".into(), json!({ "mcp_servers": servers }));
    }
    Value::Object(params)
}

/// The params of `turn/start`. The permissions are said again every time, so that they hold also in
/// a thread that was resumed.
pub(super) fn turn_params(
    thread: &str,
    text: &str,
    mode: PermissionMode,
    model: Option<&str>,
) -> Value {
    let mut params = Map::new();
    params.insert("threadId".into(), thread.into());
    params.insert("input".into(), json!([{"type": "text", "text": text}]));
    if let Some(policy) = approval_policy(mode) {
        params.insert("approvalPolicy".into(), policy.into());
    }
    let sandbox = match mode {
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
    };
    if let Some(sandbox) = sandbox {
        params.insert("sandboxPolicy".into(), sandbox);
    }
    if let (PermissionMode::Plan, Some(model)) = (mode, model) {
        let settings = json!({
            "model": model,
            "reasoning_effort": null,
            "developer_instructions": null,
        });
        let collaboration = json!({"mode": "plan", "settings": settings});
        params.insert("collaborationMode".into(), collaboration);
    }
    Value::Object(params)
}

/// Who may ask: nobody where the mode has only one answer.
fn approval_policy(mode: PermissionMode) -> Option<&'static str> {
    match mode {
        PermissionMode::Default => None,
        PermissionMode::AcceptEdits => Some("on-request"),
        PermissionMode::ReadOnly | PermissionMode::Plan | PermissionMode::BypassPermissions => {
            Some("never")
        }
    }
}

/// A mode as the value of `-s`. `exec` never asks.
pub(super) fn sandbox_mode(mode: PermissionMode) -> Option<&'static str> {
    match mode {
        PermissionMode::Default => None,
        PermissionMode::ReadOnly | PermissionMode::Plan => Some("read-only"),
        PermissionMode::AcceptEdits => Some("workspace-write"),
        PermissionMode::BypassPermissions => Some("danger-full-access"),
    }
}

fn mcp_server(server: &McpServer) -> Value {
    match server {
        McpServer::Stdio { command, args, env } => {
            json!({"command": command, "args": args, "env": env})
        }
        McpServer::Http { url, headers } => json!({"url": url, "http_headers": headers}),
    }
}

/// The MCP servers as one value of `-c`, which the agent merges with those it is configured with.
/// One table, because a dotted path would cut names that have a dot.
pub(super) fn mcp_servers_override(options: &SessionOptions) -> String {
    let servers = options
        .mcp_servers
        .iter()
        .map(|(name, server)| (name.clone(), mcp_server(server)));
    let table = Value::Object(servers.collect());
    format!("mcp_servers={}", toml(&table))
}

/// A value as TOML on one line.
pub(super) fn toml(value: &Value) -> String {
    match value {
        Value::Null => "\"\"".to_owned(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        // JSON's escapes are TOML's, but TOML wants DEL escaped too.
        Value::String(_) => value.to_string().replace('\u{7f}', "\\u007F"),
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(toml).collect();
            format!("[{}]", items.join(","))
        }
        Value::Object(members) => {
            let mut table = String::from("{");
            for (index, (name, member)) in members.iter().enumerate() {
                let comma = if index == 0 { "" } else { "," };
                let name = toml(&Value::String(name.clone()));
                let _ = write!(table, "{comma}{name}={}", toml(member));
            }
            table.push('}');
            table
        }
    }
}
