//! The control channel: questions of the agent to the host, and of this codec to the agent.

use std::collections::HashMap;

use serde::Serialize;
use serde_json::value::RawValue;

use crate::error::ErrorKind;
use crate::event::{RequestKind, ToolKind, WarningCode};
use crate::provider::claude::codec::{ClaudeCodec, Handshake, one_line, write_line};
use crate::provider::claude::tool;
use crate::provider::claude::wire::{
    Ask, ControlCancel, ControlRequest, ControlResponse, parse, text,
};
use crate::provider::{AgentRequest, Asked, Output, SignalBody, TurnRef};
use crate::request::{Answer, Decision, Subject};

/// How long a question's title may be, in characters.
const TITLE_LENGTH: usize = 200;

/// Questions that wait for the host.
#[derive(Debug, Default)]
pub(super) struct Questions {
    open: HashMap<AgentRequest, Question>,
    asked: u64,
    /// The last interrupt, until the agent has answered it.
    interrupt: Option<String>,
}

#[derive(Debug)]
struct Question {
    /// The agent's id.
    id: String,
    elicitation: bool,
}

#[derive(Serialize)]
struct OutRequest<'a> {
    r#type: &'static str,
    request_id: &'a str,
    request: Subtype,
}

#[derive(Serialize)]
struct Subtype {
    subtype: &'static str,
}

#[derive(Serialize)]
struct OutResponse<'a, T> {
    r#type: &'static str,
    response: Reply<'a, T>,
}

#[derive(Serialize)]
#[serde(tag = "subtype", rename_all = "snake_case")]
enum Reply<'a, T> {
    Success { request_id: &'a str, response: T },
    Error { request_id: &'a str, error: &'a str },
}

#[derive(Serialize)]
struct Empty {}

#[derive(Serialize)]
struct ToolDenied<'a> {
    behavior: &'static str,
    message: &'a str,
}

#[derive(Serialize)]
struct Declined {
    action: &'static str,
}

impl ClaudeCodec {
    /// Writes the interrupt that the running turn waits for, if the agent can take it.
    pub(super) fn write_interrupt(&mut self, out: &mut Output) {
        if self.handshake == Handshake::Done && self.turns.take_interrupt() {
            let id = self.fresh_id();
            write_request(&id, "interrupt", out);
            self.questions.interrupt = Some(id);
        }
    }

    pub(super) fn control_request(&mut self, line: &str, out: &mut Output) {
        let parsed = parse::<ControlRequest<'_>>(line).unwrap_or_default();
        let (Some(id), Some(raw)) = (parsed.request_id, parsed.request) else {
            self.unknown(self.turns.running(), line, out);
            return;
        };
        let ask = parse::<Ask<'_>>(raw.get()).unwrap_or_default();
        match text(ask.subtype.as_ref()) {
            "can_use_tool" | "elicitation" if self.conversation.is_some() => {
                self.ask(&id, &ask, raw, out);
            }
            "hook_callback" => reply(&id, Empty {}, out),
            // To be answered only for kinds that were asked for, and none is.
            "request_user_dialog" => self.unknown(self.turns.running(), line, out),
            subtype => {
                let error = format!("{subtype} is not supported by this host");
                let response: Reply<'_, Empty> = Reply::Error {
                    request_id: &id,
                    error: &error,
                };
                write_response(response, out);
            }
        }
    }

    fn ask(&mut self, id: &str, ask: &Ask<'_>, raw: &RawValue, out: &mut Output) {
        let elicitation = text(ask.subtype.as_ref()) == "elicitation";
        let name = text(ask.tool_name.as_ref());
        let title = if elicitation {
            let server = text(ask.mcp_server_name.as_ref());
            format!("{server}: {}", text(ask.message.as_ref()))
        } else {
            tool::title(name, ask.input.map_or("{}", RawValue::get))
        };
        self.questions.asked += 1;
        let request = AgentRequest(self.questions.asked);
        let id = id.to_owned();
        self.questions
            .open
            .insert(request, Question { id, elicitation });
        let body = SignalBody::Asked(Box::new(Asked {
            request,
            kind: if elicitation {
                RequestKind::Elicitation
            } else {
                question_kind(name)
            },
            tool: ask.tool_use_id.as_ref().map(|id| id.to_string()),
            title: one_line(&title, TITLE_LENGTH),
            subject: Subject::default(),
            decisions: vec![Decision::Deny],
            questions: Vec::new(),
            input: None,
            raw: raw.to_owned().into(),
        }));
        self.say(self.turns.running(), body, out);
    }

    pub(super) fn answer(&mut self, request: AgentRequest, answer: Answer, out: &mut Output) {
        let Some(question) = self.questions.open.remove(&request) else {
            return;
        };
        match answer {
            _ if question.elicitation => {
                reply(&question.id, Declined { action: "decline" }, out);
            }
            Answer::Deny { message, .. } => {
                let denied = ToolDenied {
                    behavior: "deny",
                    message: &message,
                };
                reply(&question.id, denied, out);
            }
            _ => {}
        }
    }

    pub(super) fn control_cancel(&mut self, line: &str, out: &mut Output) {
        let parsed = parse::<ControlCancel<'_>>(line).unwrap_or_default();
        let id = text(parsed.request_id.as_ref());
        let mut open = self.questions.open.iter();
        let Some(request) = open.find(|(_, q)| q.id == id).map(|(request, _)| *request) else {
            return;
        };
        self.questions.open.remove(&request);
        let body = SignalBody::Withdrawn { request };
        self.say(self.turns.running(), body, out);
    }

    pub(super) fn control_response(&mut self, line: &str, out: &mut Output) {
        let parsed = parse::<ControlResponse<'_>>(line).unwrap_or_default();
        let answer = parsed.response.unwrap_or_default();
        let id = text(answer.request_id.as_ref());
        let refused = text(answer.subtype.as_ref()) == "error";
        let error = text(answer.error.as_ref());
        if matches!(&self.handshake, Handshake::Pending(own) if own == id) {
            if refused {
                let message = format!("initialize was refused: {}", one_line(error, TITLE_LENGTH));
                self.refuse(ErrorKind::ProtocolError, message, out);
                return;
            }
            self.handshake = Handshake::Done;
            let hello = answer.response.unwrap_or_default();
            self.set_version(text(hello.claude_code_version.as_ref()));
            self.ready(out);
        } else if self.questions.interrupt.as_deref() == Some(id) {
            self.questions.interrupt = None;
            if refused {
                let message = format!("interrupt was refused: {}", one_line(error, TITLE_LENGTH));
                self.warn(self.turns.running(), WarningCode::Agent, &message, out);
            }
        }
        // The agent also repeats what the host answered.
    }

    /// The process cannot work for its conversation.
    pub(super) fn refuse(&mut self, code: ErrorKind, message: String, out: &mut Output) {
        self.failure = Some((code, message.clone()));
        if self.conversation.is_some() {
            self.say(TurnRef::None, SignalBody::Refused { code, message }, out);
        }
    }
}

fn question_kind(tool: &str) -> RequestKind {
    match tool {
        "AskUserQuestion" => return RequestKind::UserQuestion,
        "ExitPlanMode" => return RequestKind::PlanApproval,
        _ => {}
    }
    match tool::kind(tool) {
        ToolKind::Shell => RequestKind::CommandApproval,
        ToolKind::Edit => RequestKind::FileChangeApproval,
        ToolKind::Read
        | ToolKind::Search
        | ToolKind::Fetch
        | ToolKind::Agent
        | ToolKind::Plan
        | ToolKind::Mcp
        | ToolKind::Host
        | ToolKind::Other => RequestKind::ToolApproval,
    }
}

pub(super) fn write_request(id: &str, subtype: &'static str, out: &mut Output) {
    let line = OutRequest {
        r#type: "control_request",
        request_id: id,
        request: Subtype { subtype },
    };
    write_line(&line, out);
}

fn reply<T: Serialize>(request_id: &str, response: T, out: &mut Output) {
    write_response(
        Reply::Success {
            request_id,
            response,
        },
        out,
    );
}

fn write_response<T: Serialize>(response: Reply<'_, T>, out: &mut Output) {
    let line = OutResponse {
        r#type: "control_response",
        response,
    };
    write_line(&line, out);
}
