//! A session's options in the app-server's params and in the command line's words.

use std::ffi::OsString;
use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::settings::{approval_policy, sandbox_mode};
use crate::config::{McpServer, SessionOptions};
use crate::error::{Error, ErrorKind};
use crate::host_tools;

/// Begins the names of variables that carry headers.
const HEADER_VARIABLE: &str = "REMUDA_MCP_TOKEN_";

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
    let (mode, read_only) = (options.permission_mode, options.read_only);
    if let Some(policy) = approval_policy(mode, read_only) {
        params.insert("approvalPolicy".into(), policy.into());
    }
    if sandbox_mode(mode, read_only) == Some("read-only") {
        params.insert("sandbox".into(), "read-only".into());
    }
    if resume.is_none() && !options.tools.is_empty() {
        params.insert("dynamicTools".into(), dynamic_tools(options));
    }
    params.insert("config".into(), config(options));
    Value::Object(params)
}

/// The tools of the host. They are kept with the thread: one that is resumed has those that it was
/// started with.
fn dynamic_tools(options: &SessionOptions) -> Value {
    let tools = options.tools.iter().map(|tool| {
        json!({
            "type": "function",
            "name": tool.name,
            "description": tool.description,
            "inputSchema": tool.schema().unwrap_or_default(),
        })
    });
    tools.collect()
}

/// What is set for a thread beside its params.
fn config(options: &SessionOptions) -> Value {
    let mut config = Map::new();
    // A thread that is left is free for another process at once, and not after half an hour.
    config.insert("thread_unload_delay_secs".into(), 0.into());
    if !options.mcp_servers.is_empty() {
        let servers: Map<String, Value> = options
            .mcp_servers
            .iter()
            .map(|(name, server)| (name.clone(), mcp_server(server)))
            .collect();
        config.insert("mcp_servers".into(), servers.into());
    }
    config.into()
}

/// The params of `thread/fork`. The model has to be said: a fork does not inherit it.
pub(super) fn fork_params(options: &SessionOptions, thread: &str, model: Option<&str>) -> Value {
    json!({
        "threadId": thread,
        "model": model,
        "excludeTurns": true,
        "config": config(options),
    })
}

/// The params of `thread/start` for a thread that only shows what the agent is configured to.
pub(super) fn probe_params(options: &SessionOptions) -> Value {
    json!({
        "cwd": options.cwd.to_string_lossy(),
        "ephemeral": true,
        "config": {"thread_unload_delay_secs": 0},
    })
}

fn mcp_server(server: &McpServer) -> Value {
    match server {
        McpServer::Stdio { command, args, env } => {
            json!({"command": command, "args": args, "env": env})
        }
        McpServer::Http { url, headers } => json!({"url": url, "http_headers": headers}),
    }
}

/// The MCP servers as one value of `-c`, which the agent merges with those it is configured with, and
/// the environment that it needs. One table, because a dotted path would cut names that have a dot.
///
/// Headers go by way of the environment: everybody on the machine can read a command line.
pub(super) fn mcp_servers_override(
    options: &SessionOptions,
) -> (String, Vec<(OsString, OsString)>) {
    let mut env = Vec::new();
    let servers = options.mcp_servers.iter().map(|(name, server)| {
        let mut table = match server {
            McpServer::Stdio { .. } => mcp_server(server),
            McpServer::Http { url, headers } => {
                let headers: Map<_, _> = headers
                    .iter()
                    .map(|(header, value)| {
                        let variable = format!("{HEADER_VARIABLE}{}", env.len());
                        env.push((variable.clone().into(), value.into()));
                        (header.clone(), variable.into())
                    })
                    .collect();
                json!({"url": url, "env_http_headers": headers})
            }
        };
        // What the host's own tools do is the host's to judge, and nobody else could be asked here.
        if name == host_tools::SERVER && !options.tools.is_empty() {
            table["default_tools_approval_mode"] = "approve".into();
            table["required"] = true.into();
        }
        (name.clone(), table)
    });
    let table = Value::Object(servers.collect());
    (format!("mcp_servers={}", toml(&table)), env)
}

/// The settings that keep variables from the commands that the agent runs. It keeps none from them by itself,
/// whatever their names.
///
/// A list of names to leave out would replace the user's own. Single values are set beside the user's, and an
/// empty one is what such a command then sees.
pub(super) fn hidden(env: &[(OsString, OsString)]) -> impl Iterator<Item = String> {
    let names = env.iter().map(|(name, _)| name.to_string_lossy());
    names.map(|name| format!("shell_environment_policy.set.{name}=\"\""))
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
