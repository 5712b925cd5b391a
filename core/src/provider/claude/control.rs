//! The control channel: questions of the agent to the host, and of this codec to the agent.

use std::collections::HashMap;

use serde::Serialize;
use serde_json::value::RawValue;

use crate::error::ErrorKind;
use crate::event::{RawJson, WarningCode};
use crate::provider::claude::ask::Updates;
use crate::provider::claude::codec::{ClaudeCodec, Handshake, one_line, write_line};
use crate::provider::claude::steer::Cancel;
use crate::provider::claude::tool;
use crate::provider::claude::wire::{
    Ask, ControlAnswer, ControlCancel, ControlRequest, ControlResponse, Hello, HookInput,
    Withdrawal, parse, text,
};
use crate::provider::cut::{Cut, unread};
use crate::provider::{AgentRequest, Asked, Output, SignalBody, TurnRef};
use crate::request::{Answer, Scope};

/// How much of a refusal is told, in characters.
const REFUSAL_LENGTH: usize = 200;

/// The name of the hook that makes the agent ask before everything that could change something.
pub(super) const READ_ONLY_HOOK: &str = "read_only";

/// Questions that wait for the host.
#[derive(Debug, Default)]
pub(super) struct Questions {
    open: HashMap<AgentRequest, Question>,
    asked: u64,
}

/// What is needed to answer one.
#[derive(Debug)]
pub(super) struct Question {
    /// The agent's id.
    pub id: String,
    pub form: Form,
    /// The tool's input; of a host tool's call its number.
    pub input: RawJson,
    /// The tool call it is about.
    pub call: Option<String>,
    pub updates: Updates,
}

/// How an answer looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Whether a tool may be called.
    Tool,
    /// What the user says.
    Questions,
    /// What a form of an MCP server holds.
    Content,
    /// Whether the user visits a page.
    Url,
    /// What a tool of the host gives.
    Host,
}

impl Questions {
    pub(super) fn open(&mut self, question: Question) -> AgentRequest {
        self.asked += 1;
        let request = AgentRequest(self.asked);
        self.open.insert(request, question);
        request
    }

    pub(super) fn take(&mut self, request: AgentRequest) -> Option<Question> {
        self.open.remove(&request)
    }

    pub(super) fn find(&self, is: impl Fn(&Question) -> bool) -> Option<AgentRequest> {
        let mut open = self.open.iter();
        open.find(|(_, question)| is(question))
            .map(|(request, _)| *request)
    }
}

/// What an own request was for.
#[derive(Clone, Debug)]
pub(super) enum Purpose {
    /// `initialize` of a process that nothing waits for.
    Hello,
    Interrupt,
    /// The steer of this number is taken back.
    Withdraw(u64),
    /// The host's message of that name is taken back.
    WithdrawTurn(String),
    /// The step of a change.
    Change,
    /// The operation of this number.
    Operation(u64),
    /// A part of it.
    StopTask(u64),
    /// A task that nobody asks about any more.
    StopQuietly,
}

#[derive(Serialize)]
struct OutRequest<'a, T> {
    r#type: &'static str,
    request_id: &'a str,
    request: Subtyped<T>,
}

#[derive(Serialize)]
struct Subtyped<T> {
    subtype: &'static str,
    #[serde(flatten)]
    fields: T,
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
pub(super) struct Empty {}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct HookAnswer {
    hook_specific_output: HookDecision,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct HookDecision {
    hook_event_name: &'static str,
    permission_decision: &'static str,
    permission_decision_reason: &'static str,
}

impl ClaudeCodec {
    /// Asks the agent something.
    pub(super) fn ask_agent<T: Serialize>(
        &mut self,
        subtype: &'static str,
        fields: T,
        purpose: Purpose,
        out: &mut Output,
    ) {
        let id = self.fresh_id();
        write_request(&id, subtype, fields, out);
        self.pending.insert(id, purpose);
    }

    /// The host wants that turn to end.
    pub(super) fn interrupt(&mut self, turn: TurnRef, keep_commands: bool, out: &mut Output) {
        if let Some(uuid) = self.turns.want_interrupt(turn, keep_commands) {
            let purpose = Purpose::WithdrawTurn(uuid.clone());
            let cancel = Cancel {
                message_uuid: &uuid,
            };
            self.ask_agent("cancel_async_message", cancel, purpose, out);
        }
        self.write_interrupt(out);
    }

    /// The agent was asked for the host's message that waits behind its own turn. One that it does
    /// not give back it has begun, or will.
    fn turn_withdrawn(&mut self, uuid: &str, answer: &ControlAnswer<'_>, out: &mut Output) {
        let told = answer
            .response
            .and_then(|raw| parse::<Withdrawal<'_>>(raw.get()));
        if told.unwrap_or_default().cancelled == Some(true) {
            self.turns.cancelled(uuid, out);
        }
    }

    /// Writes the interrupt that the running turn waits for, if the agent can take it.
    pub(super) fn write_interrupt(&mut self, out: &mut Output) {
        if self.handshake != Handshake::Done || !self.turns.take_interrupt() {
            return;
        }
        // What still lies in the agent's queue would begin as a turn as soon as this one is cut.
        self.withdraw_steers(out);
        self.ask_agent("interrupt", Empty {}, Purpose::Interrupt, out);
        if !self.turns.keep_commands {
            for task_id in self.background.commands_of(self.turns.running()) {
                self.stop_task(&task_id, Purpose::StopQuietly, out);
            }
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
            // The host registered the tool, and decides in its handler whether it runs.
            "can_use_tool" if self.is_host_tool(text(ask.tool_name.as_ref())) => {
                self.ask_tool_quietly(&id, &ask, out);
            }
            "can_use_tool" if self.conversation.is_some() => self.ask_tool(&id, &ask, raw, out),
            "elicitation" if self.conversation.is_some() => self.ask_content(&id, &ask, raw, out),
            "mcp_message" => self.mcp_message(&id, raw, out),
            "hook_callback" => self.hook(&id, &ask, out),
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

    fn ask_tool_quietly(&mut self, id: &str, ask: &Ask<'_>, out: &mut Output) {
        let request = self.questions.open(Question {
            id: id.to_owned(),
            form: Form::Tool,
            input: RawJson::from_text(ask.input.map_or("{}", RawValue::get)),
            call: ask.tool_use_id.as_ref().map(|id| id.to_string()),
            updates: Updates::default(),
        });
        let allow = Answer::Allow {
            scope: Scope::Once,
            input: None,
        };
        self.answer(request, &allow, out);
    }

    /// The agent's own settings may allow what a read-only session must not do: with this it asks,
    /// whatever its mode and its rules are.
    fn hook(&self, id: &str, ask: &Ask<'_>, out: &mut Output) {
        let input = ask.input.and_then(|raw| parse::<HookInput<'_>>(raw.get()));
        let input = input.unwrap_or_default();
        let name = text(input.tool_name.as_ref());
        let ours = text(ask.callback_id.as_ref()) == READ_ONLY_HOOK;
        if ours && tool::writes(name) && !self.is_host_tool(name) {
            let decision = HookDecision {
                hook_event_name: "PreToolUse",
                permission_decision: "ask",
                permission_decision_reason: "the session is read-only",
            };
            let answer = HookAnswer {
                hook_specific_output: decision,
            };
            reply(id, answer, out);
        } else {
            reply(id, Empty {}, out);
        }
    }

    pub(super) fn asked(&self, asked: Asked, out: &mut Output) {
        self.say(
            self.turns.running(),
            SignalBody::Asked(Box::new(asked)),
            out,
        );
    }

    pub(super) fn withdrawn(&self, request: AgentRequest, out: &mut Output) {
        self.say(self.turns.running(), SignalBody::Withdrawn { request }, out);
    }

    pub(super) fn control_cancel(&mut self, line: &str, out: &mut Output) {
        let parsed = parse::<ControlCancel<'_>>(line).unwrap_or_default();
        let id = text(parsed.request_id.as_ref());
        let Some(request) = self.questions.find(|question| question.id == id) else {
            return;
        };
        self.questions.take(request);
        self.withdrawn(request, out);
    }

    pub(super) fn control_response(&mut self, line: &str, out: &mut Output) {
        let parsed = parse::<ControlResponse<'_>>(line).unwrap_or_default();
        let answer = parsed.response.unwrap_or_default();
        let id = text(answer.request_id.as_ref());
        let refusal = (text(answer.subtype.as_ref()) == "error")
            .then(|| one_line(text(answer.error.as_ref()), REFUSAL_LENGTH));
        if matches!(&self.handshake, Handshake::Pending(own) if own == id) {
            if let Some(why) = refusal {
                let message = format!("initialize was refused: {why}");
                self.refuse(ErrorKind::ProtocolError, message, out);
            } else {
                self.handshake = Handshake::Done;
                self.hello(&answer);
                self.ready(out);
            }
        } else if let Some(purpose) = self.pending.remove(id) {
            self.answered(purpose, &answer, refusal, out);
        }
        // The agent also repeats what the host answered.
    }

    fn hello(&mut self, answer: &ControlAnswer<'_>) {
        let hello = answer
            .response
            .and_then(|raw| parse::<Hello<'_>>(raw.get()));
        let hello = hello.unwrap_or_default();
        self.set_version(text(hello.claude_code_version.as_ref()));
        let keep = |raw: Option<&RawValue>| raw.map(|raw| raw.to_owned().into());
        self.models = keep(hello.models);
        self.commands = keep(hello.commands);
    }

    fn answered(
        &mut self,
        purpose: Purpose,
        answer: &ControlAnswer<'_>,
        refusal: Option<String>,
        out: &mut Output,
    ) {
        match purpose {
            Purpose::Hello => {
                if let Some(why) = refusal {
                    let message = format!("initialize was refused: {why}");
                    self.warn(self.turns.running(), WarningCode::Agent, &message, out);
                }
            }
            Purpose::Interrupt => {
                if let Some(why) = refusal {
                    let message = format!("interrupt was refused: {why}");
                    self.warn(self.turns.running(), WarningCode::Agent, &message, out);
                }
            }
            Purpose::WithdrawTurn(uuid) => self.turn_withdrawn(&uuid, answer, out),
            Purpose::Withdraw(steer) => self.withdrawal_answered(steer, answer, out),
            Purpose::Change => self.step_answered(answer, refusal, out),
            Purpose::Operation(number) => self.operation_answered(number, answer, refusal, out),
            Purpose::StopTask(number) => self.task_stopped(number, refusal, out),
            Purpose::StopQuietly => {}
        }
    }

    /// The process cannot work for its conversation.
    pub(super) fn refuse(&mut self, code: ErrorKind, message: String, out: &mut Output) {
        self.failure = Some((code, message.clone()));
        if self.conversation.is_some() {
            self.say(TurnRef::None, SignalBody::Refused { code, message }, out);
        }
    }
}

pub(super) fn write_request<T: Serialize>(
    id: &str,
    subtype: &'static str,
    fields: T,
    out: &mut Output,
) {
    let line = OutRequest {
        r#type: "control_request",
        request_id: id,
        request: Subtyped { subtype, fields },
    };
    write_line(&line, out);
}

pub(super) fn reply<T: Serialize>(request_id: &str, response: T, out: &mut Output) {
    write_response(
        Reply::Success {
            request_id,
            response,
        },
        out,
    );
}

/// A question that cannot be read is refused, or the agent waits for ever.
pub(super) fn refuse_skipped(head: &Cut, size: usize, out: &mut Output) {
    let request_id = head.text("request_id");
    if !request_id.is_empty() {
        let response: Reply<'_, Empty> = Reply::Error {
            request_id,
            error: &unread("the question", size),
        };
        write_response(response, out);
    }
}

fn write_response<T: Serialize>(response: Reply<'_, T>, out: &mut Output) {
    let line = OutResponse {
        r#type: "control_response",
        response,
    };
    write_line(&line, out);
}
