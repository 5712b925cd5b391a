//! The protocol's messages, version 1, as far as they are looked at.
//!
//! Nothing is required that an agent might leave out, and whatever else it says is passed over. The
//! members of all updates stand in one flat structure: a tagged one would copy every line.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::provider::rpc::write_line;
pub(super) use crate::provider::rpc::{Message, RpcError, Text, read};

/// The version of the protocol that is spoken.
pub(super) const VERSION: u64 = 1;

/// JSON-RPC: the method does not exist.
pub(super) const METHOD_NOT_FOUND: i64 = -32601;
/// JSON-RPC: the parameters are not what is taken.
pub(super) const INVALID: i64 = -32602;
/// JSON-RPC: a fault of whoever answers.
pub(super) const INTERNAL: i64 = -32603;
/// There is no such file, or terminal.
pub(super) const MISSING: i64 = -32002;
/// The request was cancelled.
pub(super) const CANCELLED: i64 = -32800;
/// The agent is not logged in.
pub(super) const LOGIN_REQUIRED: i64 = -32000;

/// The params of `session/update`, and of most that the agent asks.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Place<'a> {
    #[serde(borrow)]
    pub session_id: Text<'a>,
    #[serde(borrow, default)]
    pub update: Option<&'a RawValue>,
}

/// An update, and the tool call of a permission request, which has the same members.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Update<'a> {
    /// Which kind of update it is.
    #[serde(borrow, default, rename = "sessionUpdate")]
    pub tag: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub content: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub message_id: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub tool_call_id: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub title: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub name: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub kind: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub status: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub locations: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub raw_input: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub raw_output: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub entries: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub available_commands: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub current_mode_id: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub config_options: Option<&'a RawValue>,
    #[serde(default)]
    pub used: Option<f64>,
    #[serde(default)]
    pub size: Option<f64>,
    #[serde(borrow, default)]
    pub cost: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub description: Option<Text<'a>>,
    #[serde(borrow, default, rename = "_meta")]
    pub meta: Option<&'a RawValue>,
}

/// A block of content.
#[derive(Debug, Deserialize)]
pub(super) struct Block<'a> {
    #[serde(borrow, default)]
    pub text: Option<Text<'a>>,
}

/// What the agent adds to tool calls in members of its own.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ToolMeta {
    /// claude-acp.
    #[serde(rename = "claudeCode")]
    pub claude: Option<ClaudeMeta>,
    /// codex-acp: the output of a command, which stands nowhere else.
    pub terminal_output_delta: Option<TerminalOutput>,
    /// codex-acp.
    pub terminal_exit: Option<TerminalExit>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct ClaudeMeta {
    pub tool_name: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct TerminalOutput {
    pub data: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct TerminalExit {
    pub exit_code: Option<i64>,
}

/// What the agent can do, from the answer to `initialize`.
#[derive(Clone, Debug, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one yes or no about an agent"
)]
pub(super) struct Abilities {
    pub load: bool,
    pub resume: bool,
    pub close: bool,
    pub fork: bool,
    pub image: bool,
    pub embedded: bool,
    pub mcp_http: bool,
    pub steering: bool,
    pub version: Option<String>,
}

impl Abilities {
    /// Reads the answer, or says why the agent cannot be spoken to.
    pub(super) fn read(result: Option<&RawValue>) -> Result<Self, String> {
        let answer: serde_json::Value = read(result).unwrap_or_default();
        let spoken = &answer["protocolVersion"];
        if spoken.as_u64() != Some(VERSION) {
            return Err(format!(
                "the agent speaks version {spoken} of the protocol, not {VERSION}"
            ));
        }
        let can = &answer["agentCapabilities"];
        // Both `true` and an object mean yes.
        let yes = |value: &serde_json::Value| value == true || value.is_object();
        let session = &can["sessionCapabilities"];
        Ok(Self {
            load: yes(&can["loadSession"]),
            resume: yes(&session["resume"]),
            close: yes(&session["close"]),
            fork: yes(&session["fork"]),
            image: yes(&can["promptCapabilities"]["image"]),
            embedded: yes(&can["promptCapabilities"]["embeddedContext"]),
            mcp_http: yes(&can["mcpCapabilities"]["http"]),
            steering: yes(&answer["_meta"]["steering"]["supported"]),
            version: answer["agentInfo"]["version"].as_str().map(str::to_owned),
        })
    }
}

/// Appends a request.
pub(super) fn write_request(out: &mut Vec<u8>, id: u64, method: &str, params: &impl Serialize) {
    #[derive(Serialize)]
    struct Line<'a, P> {
        jsonrpc: &'a str,
        id: u64,
        method: &'a str,
        params: &'a P,
    }
    let jsonrpc = "2.0";
    write_line(
        out,
        &Line {
            jsonrpc,
            id,
            method,
            params,
        },
    );
}

/// Appends a notification.
pub(super) fn write_notification(out: &mut Vec<u8>, method: &str, params: &impl Serialize) {
    #[derive(Serialize)]
    struct Line<'a, P> {
        jsonrpc: &'a str,
        method: &'a str,
        params: &'a P,
    }
    let jsonrpc = "2.0";
    write_line(
        out,
        &Line {
            jsonrpc,
            method,
            params,
        },
    );
}

/// Appends the answer to a request of the agent. `id` is JSON, as the agent wrote it.
pub(super) fn write_result(out: &mut Vec<u8>, id: &RawValue, result: &impl Serialize) {
    #[derive(Serialize)]
    struct Line<'a, R> {
        jsonrpc: &'a str,
        id: &'a RawValue,
        result: &'a R,
    }
    let jsonrpc = "2.0";
    write_line(
        out,
        &Line {
            jsonrpc,
            id,
            result,
        },
    );
}

/// Appends the refusal of a request of the agent.
pub(super) fn write_error(out: &mut Vec<u8>, id: &RawValue, code: i64, message: &str) {
    write_failure(out, id, code, message, None);
}

/// The same, with more for programs to read.
pub(super) fn write_failure(
    out: &mut Vec<u8>,
    id: &RawValue,
    code: i64,
    message: &str,
    data: Option<Value>,
) {
    #[derive(Serialize)]
    struct Error<'a> {
        code: i64,
        message: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        data: Option<Value>,
    }
    #[derive(Serialize)]
    struct Line<'a> {
        jsonrpc: &'a str,
        id: &'a RawValue,
        error: Error<'a>,
    }
    let jsonrpc = "2.0";
    let error = Error {
        code,
        message,
        data,
    };
    write_line(out, &Line { jsonrpc, id, error });
}
