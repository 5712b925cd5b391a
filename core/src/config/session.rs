//! A session's options.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::config::{Client, bounded, millis};
use crate::error::Error;
use crate::event::RawJson;
use crate::host_tools;
use crate::request::Rule;
use crate::schema;

/// What a session is: which agent, where, and how.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SessionOptions {
    /// The provider's name: `claude`, `codex`, `gemini`, `opencode`, `kimi`, `claude-acp`, `codex-acp`,
    /// `paseo`; or `acp`, for any other program that speaks the Agent Client Protocol.
    pub provider: String,
    /// The directory the agent works in. Must exist. Relative paths are taken from the host's
    /// directory at the time of `open`.
    pub cwd: PathBuf,
    /// The agent's program, by path or by name. A relative path is taken from `cwd`, a name is
    /// looked for in `PATH`. Default: the provider's name for it; `acp` has none.
    pub program: Option<PathBuf>,
    /// The model, in the agent's word. Default: the agent's.
    pub model: Option<String>,
    /// How hard the model thinks, in the agent's word: `low`, `medium`, `high`, … Default: the
    /// agent's.
    pub effort: Option<String>,
    /// Tokens the model may think with, for agents that can limit that.
    pub thinking_budget: Option<u32>,
    /// Appended to the agent's system prompt.
    pub append_system_prompt: Option<String>,
    /// What the agent may do without asking. Default: the agent's own default.
    pub permission_mode: PermissionMode,
    /// Who answers the agent's questions. Default: nobody, and that means no, at once.
    pub requests: Requests,
    /// Rules that answer approvals; the first that matches decides. What none matches is asked.
    pub rules: Vec<Rule>,
    /// Denies everything that could change anything, before any rule and whatever the agent's own
    /// mode.
    pub read_only: bool,
    /// Tools of the host that the agent may call. Each call is a request of kind `host_tool`.
    pub tools: Vec<HostTool>,
    /// What the agent may have done by this library instead of doing it itself. Default: nothing.
    pub client: Client,
    /// How many messages may wait while a turn runs. Default 16.
    pub queue_limit: usize,
    /// The agent's environment.
    pub environment: Environment,
    /// MCP servers that the agent starts or calls, by name, beside those it is configured with. Some
    /// agents get them on their command line: see [`McpServer`].
    pub mcp_servers: BTreeMap<String, McpServer>,
    /// Further arguments for the agent's program, as they are. They may break the session.
    pub extra_args: Vec<String>,
    /// The provider's id of an earlier conversation to go on with. Refused while an open session of the
    /// pool has it.
    pub resume: Option<String>,
    /// The host's own words about the session; carried, never looked at.
    pub labels: BTreeMap<String, String>,
    /// Whether a warm process is used. Default: auto.
    pub persistent: Persistent,
    /// Whether it shares its warm process with other sessions. Default: the pool's. Sessions share
    /// one only if they would start the same: provider, program, environment and `extra_args` are the
    /// same, and so is `cwd`, if any of these means another thing in another directory.
    pub sharing: Option<Sharing>,
    /// Deadlines. Default: the pool's.
    pub timeouts: Option<Timeouts>,
}

impl Default for SessionOptions {
    fn default() -> Self {
        Self {
            provider: String::new(),
            cwd: PathBuf::new(),
            program: None,
            model: None,
            effort: None,
            thinking_budget: None,
            append_system_prompt: None,
            permission_mode: PermissionMode::default(),
            requests: Requests::default(),
            rules: Vec::new(),
            read_only: false,
            tools: Vec::new(),
            client: Client::default(),
            queue_limit: 16,
            environment: Environment::default(),
            mcp_servers: BTreeMap::new(),
            extra_args: Vec::new(),
            resume: None,
            labels: BTreeMap::new(),
            persistent: Persistent::default(),
            sharing: None,
            timeouts: None,
        }
    }
}

impl SessionOptions {
    /// Options for a provider in a directory; everything else is default.
    pub fn new(provider: impl Into<String>, cwd: impl Into<PathBuf>) -> Self {
        Self {
            provider: provider.into(),
            cwd: cwd.into(),
            ..Self::default()
        }
    }

    /// Checks what the types cannot say.
    ///
    /// # Errors
    ///
    /// [`crate::ErrorKind::InvalidArgument`], naming the option.
    pub fn check(&self) -> Result<(), Error> {
        if self.provider.is_empty() {
            return Err(Error::invalid("provider", "it is missing"));
        }
        if self.cwd.as_os_str().is_empty() {
            return Err(Error::invalid("cwd", "it is missing"));
        }
        if let Some(program) = &self.program {
            check_text("program", &program.to_string_lossy())?;
        }
        let texts = [
            ("model", self.model.as_deref()),
            ("effort", self.effort.as_deref()),
            ("resume", self.resume.as_deref()),
            ("append_system_prompt", self.append_system_prompt.as_deref()),
        ];
        for (name, text) in texts {
            check_text(name, text.unwrap_or("x"))?;
        }
        for argument in &self.extra_args {
            check_no_nul("extra_args", argument)?;
        }
        for (name, value) in &self.labels {
            check_text("labels", name)?;
            check_no_nul("labels", value)?;
        }
        for (name, server) in &self.mcp_servers {
            check_text("mcp_servers", name)?;
            server.check(name)?;
        }
        if !self.tools.is_empty() && self.mcp_servers.contains_key(host_tools::SERVER) {
            let why = format!(
                "{:?} is the name of the host's own tools",
                host_tools::SERVER
            );
            return Err(Error::invalid("mcp_servers", why));
        }
        for rule in &self.rules {
            rule.check()?;
        }
        let mut names = std::collections::BTreeSet::new();
        for tool in &self.tools {
            tool.check()?;
            if !names.insert(&tool.name) {
                return Err(Error::invalid(
                    "tools",
                    format!("{:?} stands there twice", tool.name),
                ));
            }
        }
        self.environment.check()
    }
}

/// A tool of the host, which judges each call itself. Of the session's rules, only those that deny
/// concern it, and [`SessionOptions::read_only`] does not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HostTool {
    /// Its name: letters, digits, `_` and `-`, at most 64.
    pub name: String,
    /// What it does, for the model.
    #[serde(default)]
    pub description: String,
    /// The JSON Schema of its input: an object's. Its `type` is `object`, or is left out and means that.
    /// Input that does not fit it never reaches the host.
    pub input_schema: RawJson,
}

impl HostTool {
    fn check(&self) -> Result<(), Error> {
        let good = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if self.name.is_empty() || self.name.len() > 64 || !self.name.chars().all(good) {
            return Err(Error::invalid(
                "tools",
                format!("{:?} cannot be a tool's name", self.name),
            ));
        }
        match self.schema() {
            Ok(_) => Ok(()),
            Err(why) => {
                let name = &self.name;
                Err(Error::invalid("tools", format!("{name}: its schema {why}")))
            }
        }
    }

    /// The schema in the form that the protocol of MCP wants. An agent that finds one that is not may
    /// leave out all tools of the server, and says so nowhere.
    ///
    /// # Errors
    ///
    /// What is wrong with it, as the rest of a sentence.
    pub(crate) fn schema(&self) -> Result<Map<String, Value>, String> {
        let mut schema = schema::of_object(&self.input_schema)?;
        schema.entry("type").or_insert_with(|| "object".into());
        if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
            for property in properties.values_mut() {
                // The two schemas that are no objects, as objects.
                match property.as_bool() {
                    Some(true) => *property = json!({}),
                    Some(false) => *property = json!({"not": {}}),
                    None => {}
                }
            }
        }
        Ok(schema)
    }
}

/// Who answers the agent's questions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Requests {
    /// Nobody: what no rule allows is denied at once.
    #[default]
    Deny,
    /// The host, by `answer`.
    Host,
}

pub(crate) fn check_text(name: &str, text: &str) -> Result<(), Error> {
    if text.is_empty() {
        return Err(Error::invalid(name, "it is empty"));
    }
    check_no_nul(name, text)
}

pub(crate) fn check_no_nul(name: &str, text: &str) -> Result<(), Error> {
    if text.contains('\0') {
        return Err(Error::invalid(name, "it has a NUL character"));
    }
    Ok(())
}

/// An agent's environment: an allowlist from the host's, plus what the session adds.
///
/// Values are never logged and never stand in an error.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Environment {
    /// Variables taken from the host, beside the built-in list and the provider's; `*` at the end
    /// of a name stands for any rest.
    pub inherit: Vec<String>,
    /// Variables set for the agent. They win over inherited ones.
    pub set: BTreeMap<String, String>,
    /// Takes nothing from the host but what `inherit` names.
    pub clear: bool,
}

impl Environment {
    pub(crate) fn check(&self) -> Result<(), Error> {
        for (name, value) in &self.set {
            if name.is_empty() || name.contains(['=', '\0']) || value.contains('\0') {
                return Err(Error::invalid(
                    "environment",
                    format!("{name:?} cannot be a variable"),
                ));
            }
        }
        Ok(())
    }
}

impl std::fmt::Debug for Environment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Environment")
            .field("inherit", &self.inherit)
            .field("set", &self.set.keys())
            .field("clear", &self.clear)
            .finish()
    }
}

/// An MCP server for the agent.
///
/// Claude Code gets servers on its command line, and so does Codex in a process that serves one turn:
/// every user of the machine can read the values there (of Codex, those of `env` only, not those of
/// `headers`). A secret belongs into a variable of the agent's
/// [`environment`](SessionOptions::environment), and its name here: Claude Code puts a variable in the place
/// of `${NAME}`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum McpServer {
    /// A program that the agent starts and speaks to over stdio.
    Stdio {
        /// The program.
        command: String,
        /// Its arguments.
        #[serde(default)]
        args: Vec<String>,
        /// Its environment, beside what the agent gives it.
        #[serde(default)]
        env: BTreeMap<String, String>,
    },
    /// A server that the agent speaks to over streamable HTTP.
    Http {
        /// Its address.
        url: String,
        /// Headers of every request.
        #[serde(default)]
        headers: BTreeMap<String, String>,
    },
}

impl McpServer {
    fn check(&self, name: &str) -> Result<(), Error> {
        let option = |part: &str| format!("mcp_servers.{name}.{part}");
        match self {
            Self::Stdio { command, args, env } => {
                check_text(&option("command"), command)?;
                let words = args.iter().map(|arg| ("args", arg));
                let variables = env.iter().flat_map(|(name, value)| [name, value]);
                for (part, text) in words.chain(variables.map(|text| ("env", text))) {
                    check_no_nul(&option(part), text)?;
                }
            }
            Self::Http { url, headers } => {
                check_text(&option("url"), url)?;
                for text in headers.iter().flat_map(|(name, value)| [name, value]) {
                    check_no_nul(&option("headers"), text)?;
                }
            }
        }
        Ok(())
    }
}

impl std::fmt::Debug for McpServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Stdio { command, args, env } => f
                .debug_struct("Stdio")
                .field("command", command)
                .field("args", &args.len())
                .field("env", &env.keys())
                .finish(),
            Self::Http { url, headers } => f
                .debug_struct("Http")
                .field("url", url)
                .field("headers", &headers.keys())
                .finish(),
        }
    }
}

/// What the agent may do without asking, the same words for every agent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PermissionMode {
    /// What the agent is configured to.
    #[default]
    Default,
    /// Only read.
    ReadOnly,
    /// Make a plan, change nothing.
    Plan,
    /// Change files in `cwd`; ask for the rest.
    AcceptEdits,
    /// Everything. The agent's sandbox, if it has one, is off.
    BypassPermissions,
}

/// Whether a session uses a warm process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Persistent {
    /// Where the agent can, until it misbehaves.
    #[default]
    Auto,
    /// One process per turn.
    Never,
}

/// Whether sessions share warm processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Sharing {
    /// Several sessions use one process, at the same time. It takes less memory, and what befalls the
    /// process befalls them all: its death ends all their turns, and a host that does not take the
    /// events of one session holds up the others.
    Shared,
    /// One session per process.
    PerSession,
}

/// How a process serves a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// It stays for later turns.
    Warm,
    /// It serves one turn.
    OneShot,
}

/// Deadlines of a session. All of them are monotonic: a clock that jumps changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Timeouts {
    /// From the start of a process until it is ready. Default 30 s.
    #[serde(rename = "start_ms", with = "millis")]
    #[schemars(with = "u64")]
    pub start: Duration,
    /// From the sending of a turn until the agent shows any sign of it, where it does so at once; and
    /// from a change of settings until the agent has answered it. Default 10 s.
    #[serde(rename = "first_sign_ms", with = "millis")]
    #[schemars(with = "u64")]
    pub first_sign: Duration,
    /// From the sending of a turn until its first output, and of an operation until its answer; of one
    /// that waits for the running turn, from the end of that. Default 90 s.
    #[serde(rename = "first_output_ms", with = "millis")]
    #[schemars(with = "u64")]
    pub first_output: Duration,
    /// Silence in a turn while no tool runs. Default 180 s.
    #[serde(rename = "silence_ms", with = "millis")]
    #[schemars(with = "u64")]
    pub silence: Duration,
    /// Silence in a turn while a tool runs. Default 30 min.
    #[serde(rename = "tool_silence_ms", with = "millis")]
    #[schemars(with = "u64")]
    pub tool_silence: Duration,
    /// Writing to the agent without any progress. Default 30 s.
    #[serde(rename = "write_ms", with = "millis")]
    #[schemars(with = "u64")]
    pub write: Duration,
    /// From an interrupt until the agent must have ended the turn; then the process is replaced.
    /// Default 5 s.
    #[serde(rename = "interrupt_grace_ms", with = "millis")]
    #[schemars(with = "u64")]
    pub interrupt_grace: Duration,
    /// How long a question of the agent waits for the host. Then it is denied. Default 5 min.
    #[serde(rename = "request_ms", with = "millis")]
    #[schemars(with = "u64")]
    pub request: Duration,
}

impl Timeouts {
    /// The same, each such that it can be added to any instant.
    pub(crate) fn bounded(self) -> Self {
        Self {
            start: bounded(self.start),
            first_sign: bounded(self.first_sign),
            first_output: bounded(self.first_output),
            silence: bounded(self.silence),
            tool_silence: bounded(self.tool_silence),
            write: bounded(self.write),
            interrupt_grace: bounded(self.interrupt_grace),
            request: bounded(self.request),
        }
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            start: Duration::from_secs(30),
            first_sign: Duration::from_secs(10),
            first_output: Duration::from_secs(90),
            silence: Duration::from_mins(3),
            tool_silence: Duration::from_mins(30),
            write: Duration::from_secs(30),
            interrupt_grace: Duration::from_secs(5),
            request: Duration::from_mins(5),
        }
    }
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
