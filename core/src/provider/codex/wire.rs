//! The app-server's lines: JSON-RPC without the `jsonrpc` member.
//!
//! Reading borrows from the line wherever it can; writing appends whole lines.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::provider::rpc::write_line;
pub(super) use crate::provider::rpc::{Message, RpcError, Text, read};

/// Where a notification belongs.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Place<'a> {
    #[serde(borrow)]
    pub thread_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub turn_id: Option<Text<'a>>,
}

/// A piece of an item's text.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Delta<'a> {
    #[serde(borrow)]
    pub thread_id: Text<'a>,
    #[serde(borrow)]
    pub turn_id: Text<'a>,
    #[serde(borrow)]
    pub item_id: Text<'a>,
    #[serde(borrow, rename = "delta")]
    pub text: Text<'a>,
}

/// Which kind of text a delta is a piece of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DeltaKind {
    Message,
    Reasoning,
    ToolOutput,
}

impl DeltaKind {
    /// Finds the kind by the method's name; `None` for everything that is not such a delta.
    pub(super) fn of(method: &str) -> Option<Self> {
        match method {
            "item/agentMessage/delta" => Some(Self::Message),
            "item/reasoning/summaryTextDelta" | "item/reasoning/textDelta" => Some(Self::Reasoning),
            "item/commandExecution/outputDelta" => Some(Self::ToolOutput),
            _ => None,
        }
    }
}

/// Reads a line that begins as the agent writes deltas, in one pass. `None` says only that the line
/// has to go the general way.
pub(super) fn read_delta(line: &str) -> Option<(DeltaKind, Delta<'_>)> {
    #[derive(Deserialize)]
    struct Line<'a> {
        #[serde(borrow)]
        params: Delta<'a>,
    }
    let rest = line.strip_prefix("{\"method\":\"")?;
    let kind = DeltaKind::of(rest.get(..memchr::memchr(b'"', rest.as_bytes())?)?)?;
    let line: Line<'_> = serde_json::from_str(line).ok()?;
    Some((kind, line.params))
}

/// Appends a request.
pub(super) fn write_request(out: &mut Vec<u8>, id: u64, method: &str, params: &impl Serialize) {
    #[derive(Serialize)]
    struct Line<'a, P> {
        id: u64,
        method: &'a str,
        params: &'a P,
    }
    write_line(out, &Line { id, method, params });
}

/// Appends a notification without params.
pub(super) fn write_notification(out: &mut Vec<u8>, method: &str) {
    #[derive(Serialize)]
    struct Line<'a> {
        method: &'a str,
    }
    write_line(out, &Line { method });
}

/// Appends the answer to a request of the server. `id` is JSON, as the server wrote it.
pub(super) fn write_result(out: &mut Vec<u8>, id: &RawValue, result: &impl Serialize) {
    #[derive(Serialize)]
    struct Line<'a, R> {
        id: &'a RawValue,
        result: &'a R,
    }
    write_line(out, &Line { id, result });
}

/// Appends the refusal of a request of the server.
pub(super) fn write_error(out: &mut Vec<u8>, id: &RawValue, code: i64, message: &str) {
    #[derive(Serialize)]
    struct Error<'a> {
        code: i64,
        message: &'a str,
    }
    #[derive(Serialize)]
    struct Line<'a> {
        id: &'a RawValue,
        error: Error<'a>,
    }
    let error = Error { code, message };
    write_line(out, &Line { id, error });
}
