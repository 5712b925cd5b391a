//! How Claude Code is started: its arguments and its environment.

use std::collections::BTreeMap;
use std::ffi::OsString;

use serde::Serialize;

use crate::config::{McpServer, Mode, PermissionMode, SessionOptions};
use crate::error::Error;
use crate::host_tools::SERVER;
use crate::provider::{Launch, LaunchPlan};

/// The longest single argument that Linux takes, with its NUL.
const MAX_ARGUMENT: usize = 128 * 1024;

/// Tools that change something. Without them, what is left reads, searches and asks.
const CHANGING_TOOLS: &str = "Bash,PowerShell,Monitor,Write,Edit,MultiEdit,NotebookEdit,\
EnterWorktree,CronCreate,Workflow";

/// Where login and settings come from. Not `CLAUDE_*` as a whole: an agent that runs this host
/// would hand its own session (`CLAUDE_CODE_SSE_PORT`, …) to the agents below it. `CLAUDECODE` must
/// not be taken at all.
pub(super) const ENVIRONMENT: &[&str] = &[
    "ANTHROPIC_*",
    "CLAUDE_CONFIG_DIR",
    "CLAUDE_AUTOCOMPACT_*",
    "CLAUDE_BASH_*",
    "CLAUDE_CODE_API_*",
    "CLAUDE_CODE_ATTRIBUTION_HEADER",
    "CLAUDE_CODE_AUTO_COMPACT_WINDOW",
    "CLAUDE_CODE_CERT_STORE",
    "CLAUDE_CODE_CLIENT_*",
    "CLAUDE_CODE_DISABLE_*",
    "CLAUDE_CODE_EFFORT_LEVEL",
    "CLAUDE_CODE_ENABLE_*",
    "CLAUDE_CODE_EXTRA_BODY",
    "CLAUDE_CODE_GIT_BASH_PATH",
    "CLAUDE_CODE_MAX_*",
    "CLAUDE_CODE_OAUTH_*",
    "CLAUDE_CODE_SHELL*",
    "CLAUDE_CODE_SKIP_*",
    "CLAUDE_CODE_SUBAGENT_MODEL",
    "CLAUDE_CODE_TMPDIR",
    "CLAUDE_CODE_USE_*",
    "CLAUDE_ENV_FILE",
    "API_TIMEOUT_MS",
    "BASH_DEFAULT_TIMEOUT_MS",
    "BASH_MAX_OUTPUT_LENGTH",
    "BASH_MAX_TIMEOUT_MS",
    "DISABLE_PROMPT_CACHING*",
    "ENABLE_TOOL_SEARCH",
    "IS_SANDBOX",
    "MAX_MCP_OUTPUT_TOKENS",
    "MAX_THINKING_TOKENS",
    "MCP_TIMEOUT",
    "MCP_TOOL_TIMEOUT",
    "NODE_EXTRA_CA_CERTS",
    "USE_BUILTIN_RIPGREP",
    // Amazon Bedrock.
    "AWS_*",
    // Google Vertex AI.
    "CLOUD_ML_*",
    "CLOUDSDK_*",
    "GCLOUD_PROJECT",
    "GOOGLE_*",
    "VERTEX_*",
    // Microsoft Foundry.
    "AZURE_*",
];

/// Both modes speak the same protocol: only so can a one-shot turn be interrupted and asked about.
const PROTOCOL: &[&str] = &[
    "-p",
    "--input-format=stream-json",
    "--output-format=stream-json",
    "--verbose",
    "--include-partial-messages",
    "--replay-user-messages",
    "--permission-prompt-tool=stdio",
];

pub(super) fn launch(plan: &LaunchPlan<'_>) -> Result<Launch, Error> {
    let options = plan.options;
    let mut args: Vec<OsString> = PROTOCOL.iter().map(OsString::from).collect();
    // The equals form: a value that begins with a dash is no flag.
    let mut flag = |name: &str, value: &str| {
        if value.len() + name.len() + 2 > MAX_ARGUMENT {
            return Err(Error::invalid(
                option_name(name),
                "it is too long for a command line",
            ));
        }
        args.push(format!("{name}={value}").into());
        Ok(())
    };
    if let Some(id) = plan.resume {
        flag("--resume", id)?;
    }
    if let Some(point) = plan.back_to {
        flag("--resume-session-at", point)?;
    }
    if let Some(model) = &options.model {
        flag("--model", model)?;
    }
    if let Some(effort) = &options.effort {
        flag("--effort", effort)?;
    }
    if let Some(budget) = options.thinking_budget {
        flag("--max-thinking-tokens", &budget.to_string())?;
    }
    if let Some(text) = &options.append_system_prompt {
        flag("--append-system-prompt", text)?;
    }
    let restricted = restricted(options);
    let mode = match options.permission_mode {
        PermissionMode::Plan => Some("plan"),
        // A mode from the user's settings could allow more than asking.
        PermissionMode::ReadOnly => Some("default"),
        PermissionMode::Default => restricted.then_some("default"),
        PermissionMode::AcceptEdits | PermissionMode::BypassPermissions if restricted => {
            Some("default")
        }
        PermissionMode::AcceptEdits => Some("acceptEdits"),
        PermissionMode::BypassPermissions => Some("bypassPermissions"),
    };
    if let Some(mode) = mode {
        flag("--permission-mode", mode)?;
    }
    if restricted {
        flag("--disallowedTools", CHANGING_TOOLS)?;
    }
    if let Some(config) = mcp_config(plan)? {
        flag("--mcp-config", &config)?;
    }
    args.extend(options.extra_args.iter().map(OsString::from));
    Ok(Launch {
        secrets: Vec::new(),
        args,
        env: environment(options),
    })
}

/// Whether the session may only read.
pub(super) fn restricted(options: &SessionOptions) -> bool {
    options.read_only || options.permission_mode == PermissionMode::ReadOnly
}

/// Whether the agent is started so that it can be told later to permit everything.
pub(super) fn may_bypass(options: &SessionOptions) -> bool {
    let of_host = |arg: &String| {
        arg == "--dangerously-skip-permissions" || arg == "--allow-dangerously-skip-permissions"
    };
    let mode = options.permission_mode == PermissionMode::BypassPermissions;
    mode && !restricted(options) || options.extra_args.iter().any(of_host)
}

fn option_name(flag: &str) -> &str {
    match flag {
        "--append-system-prompt" => "append_system_prompt",
        "--mcp-config" => "mcp_servers",
        "--resume" => "resume",
        "--resume-session-at" => "before",
        "--effort" => "effort",
        _ => "model",
    }
}

fn environment(options: &SessionOptions) -> Vec<(OsString, OsString)> {
    let mut env: Vec<(OsString, OsString)> = [
        ("CLAUDE_CODE_ENTRYPOINT", "remuda"),
        // The word `idle` says that no follow-up turn is owed.
        ("CLAUDE_CODE_EMIT_SESSION_STATE_EVENTS", "1"),
        ("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1"),
        ("DISABLE_AUTOUPDATER", "1"),
        ("DISABLE_TELEMETRY", "1"),
    ]
    .into_iter()
    .map(|(name, value)| (name.into(), value.into()))
    .collect();
    if options.cwd.is_absolute() {
        env.push(("PWD".into(), options.cwd.clone().into_os_string()));
    }
    env
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct McpConfig<'a> {
    mcp_servers: BTreeMap<&'a str, Server<'a>>,
}

/// A server, in the agent's words.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Server<'a> {
    Stdio {
        command: &'a str,
        args: &'a [String],
        env: &'a BTreeMap<String, String>,
    },
    Http {
        url: &'a str,
        headers: &'a BTreeMap<String, String>,
    },
    /// On the control channel.
    Sdk { name: &'a str },
}

impl<'a> From<&'a McpServer> for Server<'a> {
    fn from(server: &'a McpServer) -> Self {
        match server {
            McpServer::Stdio { command, args, env } => Server::Stdio { command, args, env },
            McpServer::Http { url, headers } => Server::Http { url, headers },
        }
    }
}

fn mcp_config(plan: &LaunchPlan<'_>) -> Result<Option<String>, Error> {
    let options = plan.options;
    let own = !options.tools.is_empty();
    let named = options.mcp_servers.iter();
    let mut mcp_servers: BTreeMap<&str, Server<'_>> = named
        .map(|(name, server)| (name.as_str(), server.into()))
        .collect();
    // A warm process is told by `initialize`.
    if own && plan.mode == Mode::OneShot {
        let name = SERVER;
        mcp_servers.insert(name, Server::Sdk { name });
    }
    if mcp_servers.is_empty() {
        return Ok(None);
    }
    serde_json::to_string(&McpConfig { mcp_servers })
        .map(Some)
        .map_err(|error| Error::invalid("mcp_servers", error))
}
