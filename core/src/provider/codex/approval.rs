//! Questions of the app-server: reading, answering, taking back.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::failure::one_line;
use super::wire::{Text, write_result};
use crate::event::{RawJson, RequestKind};
use crate::provider::{AgentRequest, Conversation, Output, SignalBody, TurnRef};
use crate::request::{Answer, Decision, Subject};

/// What kind of answer a question takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// `decision`: commands and file changes.
    Decision,
    Permissions,
    UserInput,
    Elicitation,
    HostTool,
}

/// A question as the server put it.
pub(super) struct Asked<'a> {
    pub method: &'a str,
    /// The server's id, as it wrote it.
    pub id: &'a RawValue,
    pub asking: Asking<'a>,
    pub raw: &'a RawValue,
}

/// The members of a question that are looked at.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Asking<'a> {
    #[serde(borrow, default)]
    pub thread_id: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub turn_id: Option<Text<'a>>,
    #[serde(borrow, default)]
    item_id: Option<Text<'a>>,
    #[serde(borrow, default)]
    call_id: Option<Text<'a>>,
    #[serde(borrow, default)]
    command: Option<Text<'a>>,
    #[serde(borrow, default)]
    reason: Option<Text<'a>>,
    #[serde(borrow, default)]
    message: Option<Text<'a>>,
    #[serde(borrow, default)]
    tool: Option<Text<'a>>,
    #[serde(borrow, default)]
    questions: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "_meta")]
    meta: Option<&'a RawValue>,
}

impl Asking<'_> {
    /// Decides what is asked; `None` for methods that this version does not know.
    fn kind(&self, method: &str) -> Option<(Form, RequestKind)> {
        Some(match method {
            "item/commandExecution/requestApproval" => {
                (Form::Decision, RequestKind::CommandApproval)
            }
            "item/fileChange/requestApproval" => (Form::Decision, RequestKind::FileChangeApproval),
            "item/permissions/requestApproval" => {
                (Form::Permissions, RequestKind::PermissionEscalation)
            }
            "item/tool/requestUserInput" => (Form::UserInput, RequestKind::UserQuestion),
            "mcpServer/elicitation/request" if self.is_tool_approval() => {
                (Form::Elicitation, RequestKind::ToolApproval)
            }
            "mcpServer/elicitation/request" => (Form::Elicitation, RequestKind::Elicitation),
            "item/tool/call" => (Form::HostTool, RequestKind::HostTool),
            _ => return None,
        })
    }

    /// Approvals of MCP tools come as elicitations with a mark.
    fn is_tool_approval(&self) -> bool {
        let meta = self
            .meta
            .and_then(|raw| serde_json::from_str::<Value>(raw.get()).ok());
        meta.is_some_and(|meta| meta["codex_approval_kind"] == "mcp_tool_call")
    }

    fn title(&self) -> String {
        let text = self.command.as_deref().or(self.message.as_deref());
        let text = text.or(self.tool.as_deref()).or(self.reason.as_deref());
        match text {
            Some(text) => one_line(text),
            None => one_line(&self.first_question().unwrap_or_default()),
        }
    }

    fn first_question(&self) -> Option<String> {
        let questions: Value = serde_json::from_str(self.questions?.get()).ok()?;
        Some(questions[0]["question"].as_str()?.to_owned())
    }
}

/// A question that waits for its answer.
#[derive(Debug)]
struct Question {
    /// The server's id, as it wrote it.
    id: Box<RawValue>,
    conversation: Conversation,
    turn: TurnRef,
    form: Form,
}

/// The open questions of one process.
#[derive(Debug, Default)]
pub(super) struct Questions {
    last: u64,
    open: BTreeMap<AgentRequest, Question>,
}

impl Questions {
    /// Passes a question on. `false`: it is of a kind that is not known, and needs a refusal.
    pub(super) fn ask(
        &mut self,
        conversation: Conversation,
        turn: TurnRef,
        asked: &Asked<'_>,
        out: &mut Output,
    ) -> bool {
        let Asked {
            method,
            id,
            asking,
            raw,
        } = asked;
        let Some((form, kind)) = asking.kind(method) else {
            return false;
        };
        if self.find(id).is_some() {
            return true; // Asked again, as after a second resume.
        }
        self.last += 1;
        let request = AgentRequest(self.last);
        let id = (*id).to_owned();
        let question = Question {
            id,
            conversation,
            turn,
            form,
        };
        self.open.insert(request, question);
        let tool = asking.item_id.as_deref().or(asking.call_id.as_deref());
        let asked = SignalBody::Asked(Box::new(crate::provider::Asked {
            request,
            kind,
            tool: tool.map(str::to_owned),
            title: asking.title(),
            subject: Subject::default(),
            decisions: vec![Decision::Deny],
            questions: Vec::new(),
            input: None,
            raw: RawJson::from((*raw).to_owned()),
        }));
        out.signal(conversation, turn, asked);
        true
    }

    /// Writes an answer. Questions that are settled, or of another conversation, are left alone.
    pub(super) fn answer(
        &mut self,
        conversation: Conversation,
        request: AgentRequest,
        answer: &Answer,
        out: &mut Output,
    ) {
        if self
            .open
            .get(&request)
            .is_none_or(|q| q.conversation != conversation)
        {
            return;
        }
        if let Some(question) = self.open.remove(&request) {
            let message = match answer {
                Answer::Deny { message, .. } => message.as_str(),
                _ => "",
            };
            write_result(
                &mut out.bytes,
                &question.id,
                &denial(question.form, message),
            );
        }
    }

    /// The server says that a question is settled. If it was not answered, it is taken back.
    pub(super) fn resolved(&mut self, id: &RawValue, out: &mut Output) {
        if let Some(request) = self.find(id) {
            self.withdraw(request, out);
        }
    }

    /// A turn is over, and with it its questions.
    pub(super) fn turn_over(
        &mut self,
        conversation: Conversation,
        turn: TurnRef,
        out: &mut Output,
    ) {
        let of_turn = |q: &Question| q.conversation == conversation && q.turn == turn;
        let gone: Vec<_> = self
            .open
            .iter()
            .filter(|(_, q)| of_turn(q))
            .map(|(r, _)| *r)
            .collect();
        for request in gone {
            self.withdraw(request, out);
        }
    }

    fn withdraw(&mut self, request: AgentRequest, out: &mut Output) {
        if let Some(q) = self.open.remove(&request) {
            out.signal(q.conversation, q.turn, SignalBody::Withdrawn { request });
        }
    }

    fn find(&self, id: &RawValue) -> Option<AgentRequest> {
        let found = self.open.iter().find(|(_, q)| q.id.get() == id.get());
        found.map(|(request, _)| *request)
    }
}

/// "No", in the shape that the question takes.
fn denial(form: Form, message: &str) -> Value {
    match form {
        // `cancel` would also end the turn.
        Form::Decision => json!({"decision": "decline"}),
        Form::Permissions => json!({"permissions": {}}),
        Form::UserInput => json!({"answers": {}}),
        Form::Elicitation => json!({"action": "decline", "content": null, "_meta": null}),
        Form::HostTool => json!({
            "contentItems": [{"type": "inputText", "text": message}],
            "success": false,
        }),
    }
}
