//! The host's tools, as an MCP server within this process. The agent is its client; each message is
//! a question on the control channel.

use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::event::{RawJson, RequestKind};
use crate::host_tools::SERVER;
use crate::provider::claude::answer::denial;
use crate::provider::claude::ask::Updates;
use crate::provider::claude::codec::{ClaudeCodec, one_line};
use crate::provider::claude::control::{Form, Question, reply};
use crate::provider::claude::tool;
use crate::provider::claude::wire::{McpAsk, Rpc, parse, text};
use crate::provider::{Asked, Output};
use crate::request::{Answer, Decision, Subject};

/// The version of MCP that is answered to a client that names none.
const PROTOCOL: &str = "2025-06-18";

/// JSON-RPC: no such method.
const NO_METHOD: i32 = -32601;

/// JSON-RPC: no such tool.
const NO_TOOL: i32 = -32602;

const TITLE_LENGTH: usize = 200;

#[derive(Serialize)]
struct Wrapped<T> {
    mcp_response: Response<T>,
}

#[derive(Serialize)]
struct Response<T> {
    jsonrpc: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<Box<RawValue>>,
    #[serde(flatten)]
    outcome: Outcome<T>,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Outcome<T> {
    Result(T),
    Error { code: i32, message: String },
}

#[derive(Serialize)]
struct Empty {}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Hello<'a> {
    protocol_version: &'a str,
    capabilities: Abilities,
    server_info: Info,
}

#[derive(Serialize)]
struct Abilities {
    tools: Empty,
}

#[derive(Serialize)]
struct Info {
    name: &'static str,
    version: &'static str,
}

#[derive(Serialize)]
struct Tools<'a> {
    tools: Vec<Tool<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Tool<'a> {
    name: &'a str,
    description: &'a str,
    input_schema: Map<String, Value>,
    #[serde(rename = "_meta")]
    meta: Meta,
}

/// The agent hides tools of MCP servers behind a search. Those of the host are few and meant.
#[derive(Serialize)]
struct Meta {
    #[serde(rename = "anthropic/alwaysLoad")]
    always_load: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CallResult<'a> {
    content: [Content<'a>; 1],
    is_error: bool,
}

#[derive(Serialize)]
struct Content<'a> {
    r#type: &'static str,
    text: &'a str,
}

impl ClaudeCodec {
    /// Whether the model's name of a tool means one of the host.
    pub(super) fn is_host_tool(&self, name: &str) -> bool {
        tool::mcp(name).is_some_and(|(server, tool)| {
            server == SERVER && self.tools.iter().any(|known| known.name == tool)
        })
    }

    /// A message for the host's server. Any order is fine, and so is a second handshake: older
    /// versions make two.
    pub(super) fn mcp_message(&mut self, id: &str, raw: &RawValue, out: &mut Output) {
        let ask = parse::<McpAsk<'_>>(raw.get()).unwrap_or_default();
        let rpc = ask.message.unwrap_or_default();
        let number = rpc.id.map(ToOwned::to_owned);
        let method = text(rpc.method.as_ref());
        if text(ask.server_name.as_ref()) != SERVER || self.tools.is_empty() {
            let message = "there is no such server".to_owned();
            return refuse(id, number, NO_METHOD, message, out);
        }
        match method {
            "initialize" => {
                let params = rpc.params.unwrap_or_default();
                let hello = Hello {
                    protocol_version: params.protocol_version.as_deref().unwrap_or(PROTOCOL),
                    capabilities: Abilities { tools: Empty {} },
                    server_info: Info {
                        name: SERVER,
                        version: env!("CARGO_PKG_VERSION"),
                    },
                };
                give(id, number, hello, out);
            }
            "tools/list" => give(id, number, self.tool_list(), out),
            "tools/call" => self.call_host_tool(id, &rpc, raw, out),
            "notifications/cancelled" => {
                let call = rpc.params.and_then(|params| params.request_id);
                self.cancel_host_tool(call, out);
                give(id, number, Empty {}, out);
            }
            _ if method == "ping" || number.is_none() => give(id, number, Empty {}, out),
            _ => refuse(
                id,
                number,
                NO_METHOD,
                format!("there is no method {method}"),
                out,
            ),
        }
    }

    fn tool_list(&self) -> Tools<'_> {
        let tools = self.tools.iter().map(|tool| Tool {
            name: &tool.name,
            description: &tool.description,
            input_schema: tool.schema().unwrap_or_default(),
            meta: Meta { always_load: true },
        });
        let tools = tools.collect();
        Tools { tools }
    }

    fn call_host_tool(&mut self, id: &str, rpc: &Rpc<'_>, raw: &RawValue, out: &mut Output) {
        let number = rpc.id.map(ToOwned::to_owned);
        let params = rpc.params.as_ref();
        let name = params.map_or("", |params| text(params.name.as_ref()));
        if self.conversation.is_none() || !self.tools.iter().any(|known| known.name == name) {
            return refuse(id, number, NO_TOOL, format!("there is no tool {name}"), out);
        }
        let input = params.and_then(|p| p.arguments).map_or("{}", RawValue::get);
        let meta = params.and_then(|params| params.meta.as_ref());
        let call = meta.and_then(|meta| meta.tool_use_id.as_ref());
        let request = self.questions.open(Question {
            id: id.to_owned(),
            form: Form::Host,
            // The number of the call, to answer and to cancel it by.
            input: number.map_or_else(|| RawJson::from_text("null"), Into::into),
            call: call.map(|call| call.to_string()),
            updates: Updates::default(),
        });
        let asked = Asked {
            request,
            kind: RequestKind::HostTool,
            tool: call.map(|call| call.to_string()),
            title: one_line(&tool::title(name, input), TITLE_LENGTH),
            subject: Subject {
                tool: name.to_owned(),
                ..Subject::default()
            },
            decisions: vec![Decision::Result, Decision::Deny],
            questions: Vec::new(),
            input: Some(RawJson::from_text(input)),
            raw: raw.to_owned().into(),
        };
        self.asked(asked, out);
    }

    /// The agent no longer wants the result. Its question is still answered, so that nothing waits.
    fn cancel_host_tool(&mut self, call: Option<&RawValue>, out: &mut Output) {
        let Some(call) = call else {
            return;
        };
        let found = self
            .questions
            .find(|question| question.form == Form::Host && question.input.get() == call.get());
        let Some((request, question)) = found.and_then(|request| {
            let question = self.questions.take(request)?;
            Some((request, question))
        }) else {
            return;
        };
        self.withdrawn(request, out);
        let number = Some(call.to_owned());
        let result = result("cancelled", true);
        give(&question.id, number, result, out);
    }
}

/// What the host's tool gave, or why it did not run.
pub(super) fn tool_answered(question: &Question, answer: &Answer, out: &mut Output) {
    let (said, is_error) = match answer {
        Answer::Result { text, is_error } => (text.as_str(), *is_error),
        Answer::Deny { .. }
        | Answer::Allow { .. }
        | Answer::Answers { .. }
        | Answer::Content { .. } => (denial(answer).0, true),
    };
    let number = parse::<Box<RawValue>>(question.input.get());
    give(&question.id, number, result(said, is_error), out);
}

fn result(text: &str, is_error: bool) -> CallResult<'_> {
    let r#type = "text";
    CallResult {
        content: [Content { r#type, text }],
        is_error,
    }
}

fn give<T: Serialize>(id: &str, number: Option<Box<RawValue>>, result: T, out: &mut Output) {
    respond(id, number, Outcome::Result(result), out);
}

fn refuse(id: &str, number: Option<Box<RawValue>>, code: i32, message: String, out: &mut Output) {
    let error: Outcome<Empty> = Outcome::Error { code, message };
    respond(id, number, error, out);
}

fn respond<T: Serialize>(
    id: &str,
    number: Option<Box<RawValue>>,
    outcome: Outcome<T>,
    out: &mut Output,
) {
    let jsonrpc = "2.0";
    let mcp_response = Response {
        jsonrpc,
        id: number,
        outcome,
    };
    reply(id, Wrapped { mcp_response }, out);
}
