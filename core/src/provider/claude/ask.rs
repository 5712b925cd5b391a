//! Questions of the agent, in the words of every agent: what it is about and what may be answered.

use std::path::Path;

use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::event::{RawJson, RequestKind, ToolKind};
use crate::provider::claude::codec::{ClaudeCodec, one_line};
use crate::provider::claude::control::{Form, Question};
use crate::provider::claude::tool;
use crate::provider::claude::wire::{Ask, ToolInput, parse, text};
use crate::provider::{Asked, Output};
use crate::request::{self, Choice, Decision, Subject};

/// How long a question's title may be, in characters.
const TITLE_LENGTH: usize = 200;

impl ClaudeCodec {
    /// The agent wants to call a tool.
    pub(super) fn ask_tool(&mut self, id: &str, ask: &Ask<'_>, raw: &RawValue, out: &mut Output) {
        let name = text(ask.tool_name.as_ref());
        let input = ask.input.map_or("{}", RawValue::get);
        let call = ask.tool_use_id.as_ref().map(|id| id.to_string());
        let kind = question_kind(name);
        let form = if kind == RequestKind::UserQuestion {
            Form::Questions
        } else {
            Form::Tool
        };
        let updates = Updates::of(ask);
        let decisions = decisions(kind, &updates);
        let request = self.questions.open(Question {
            id: id.to_owned(),
            form,
            input: RawJson::from_text(input),
            call: call.clone(),
            updates,
        });
        let asked = Asked {
            request,
            kind,
            tool: call,
            title: one_line(&tool::title(name, input), TITLE_LENGTH),
            subject: subject(name, input, ask),
            decisions,
            questions: match form {
                Form::Questions => questions(input),
                Form::Tool | Form::Content | Form::Url | Form::Host => Vec::new(),
            },
            input: Some(RawJson::from_text(input)),
            raw: raw.to_owned().into(),
        };
        self.asked(asked, out);
    }

    /// An MCP server wants something of the user.
    pub(super) fn ask_content(
        &mut self,
        id: &str,
        ask: &Ask<'_>,
        raw: &RawValue,
        out: &mut Output,
    ) {
        let server = text(ask.mcp_server_name.as_ref());
        let title = format!("{server}: {}", text(ask.message.as_ref()));
        // The user is sent to a page, and nothing comes back this way.
        let url = text(ask.mode.as_ref()) == "url";
        let (form, yes) = if url {
            (Form::Url, Decision::AllowOnce)
        } else {
            (Form::Content, Decision::Content)
        };
        let input = if url {
            let page = json!({"url": text(ask.url.as_ref())});
            Some(RawJson::from_text(&page.to_string()))
        } else {
            ask.requested_schema.map(|schema| schema.to_owned().into())
        };
        let request = self.questions.open(Question {
            id: id.to_owned(),
            form,
            input: RawJson::from_text("{}"),
            call: None,
            updates: Updates::default(),
        });
        let asked = Asked {
            request,
            kind: RequestKind::Elicitation,
            tool: ask.tool_use_id.as_ref().map(|id| id.to_string()),
            title: one_line(&title, TITLE_LENGTH),
            subject: Subject {
                mcp_server: Some(server.to_owned()),
                ..Subject::default()
            },
            decisions: vec![yes, Decision::Deny],
            questions: Vec::new(),
            input,
            raw: raw.to_owned().into(),
        };
        self.asked(asked, out);
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

fn decisions(kind: RequestKind, updates: &Updates) -> Vec<Decision> {
    let mut all = Vec::new();
    if kind == RequestKind::UserQuestion {
        all.push(Decision::Answers);
    } else {
        all.push(Decision::AllowOnce);
        if !updates.session.is_empty() {
            all.push(Decision::AllowSession);
        }
        if !updates.remember.is_empty() {
            all.push(Decision::AllowRemember);
        }
        all.push(Decision::AllowChanged);
    }
    all.extend([Decision::Deny, Decision::DenyInterrupt]);
    all
}

/// What rules look at.
fn subject(name: &str, input: &str, ask: &Ask<'_>) -> Subject {
    let parsed = parse::<ToolInput<'_>>(input).unwrap_or_default();
    let kind = tool::kind(name);
    let command = parsed.command.as_ref().filter(|_| kind == ToolKind::Shell);
    let told = ask.mcp_server.as_ref().and_then(|s| s.name.as_ref());
    let named = tool::mcp(name).map(|(server, _)| server);
    Subject {
        tool: name.to_owned(),
        command: command.map(|command| command.to_string()),
        paths: paths(kind, &parsed),
        mcp_server: told.map(|name| &**name).or(named).map(str::to_owned),
        writes: tool::writes(name),
    }
}

/// The files a call is about. Those of a command are not known: the agent names one of them at the
/// most, and a rule that allows must see all.
fn paths(kind: ToolKind, input: &ToolInput<'_>) -> Vec<String> {
    match kind {
        ToolKind::Read | ToolKind::Edit => {
            let path = input.file_path.as_ref().or(input.notebook_path.as_ref());
            path.map(|path| path.to_string()).into_iter().collect()
        }
        ToolKind::Search => {
            let folder = input.path.as_ref().map_or(".", |path| path);
            let mut paths = vec![folder.to_owned()];
            // A pattern for file names can lead out of the folder.
            if let Some(pattern) = &input.pattern
                && (pattern.starts_with('/') || pattern.contains(".."))
            {
                let joined = Path::new(folder).join(&**pattern);
                paths.push(joined.to_string_lossy().into_owned());
            }
            paths
        }
        ToolKind::Shell
        | ToolKind::Fetch
        | ToolKind::Agent
        | ToolKind::Plan
        | ToolKind::Mcp
        | ToolKind::Host
        | ToolKind::Other => Vec::new(),
    }
}

fn questions(input: &str) -> Vec<request::Question> {
    let parsed = parse::<ToolInput<'_>>(input).unwrap_or_default();
    let all = parsed.questions.unwrap_or_default();
    let question = |question: &crate::provider::claude::wire::Question<'_>| {
        let choices = question.options.iter().flatten();
        let said = text(question.said.as_ref());
        request::Question {
            // The agent knows them by their text.
            id: said.to_owned(),
            header: text(question.header.as_ref()).to_owned(),
            text: said.to_owned(),
            choices: choices
                .map(|choice| Choice {
                    label: text(choice.label.as_ref()).to_owned(),
                    description: text(choice.description.as_ref()).to_owned(),
                })
                .collect(),
            several: question.several == Some(true),
            free_text: true,
            secret: false,
        }
    };
    all.iter().map(question).collect()
}

/// The changes of permissions that the agent proposes, by how long they would hold.
#[derive(Debug, Default)]
pub(super) struct Updates {
    pub session: Vec<Value>,
    pub remember: Vec<Value>,
}

impl Updates {
    fn of(ask: &Ask<'_>) -> Self {
        if ask.suppress_always_allow_rule == Some(true) {
            return Self::default();
        }
        let all: Vec<Map<String, Value>> = ask
            .permission_suggestions
            .iter()
            .flatten()
            .filter_map(|raw| parse(raw.get()))
            .collect();
        let of_kind = |kinds: &'static [&str]| {
            let is = move |update: &&Map<String, Value>| {
                kinds
                    .iter()
                    .any(|kind| update.get("type") == Some(&Value::from(*kind)))
            };
            all.iter().filter(is)
        };
        // A mode allows far more than was asked: it is taken only where nothing narrower is offered.
        let mut session: Vec<Value> = of_kind(&["addRules", "addDirectories"])
            .map(for_session)
            .collect();
        if session.is_empty() {
            session.extend(of_kind(&["setMode"]).map(for_session));
        }
        let lasting = |update: &&Map<String, Value>| {
            update.get("destination") != Some(&Value::from("session"))
        };
        let remember = if of_kind(&["addRules"]).any(|update| lasting(&update)) {
            let narrow = of_kind(&["addRules", "addDirectories"]);
            narrow.map(|update| Value::Object(update.clone())).collect()
        } else {
            Vec::new()
        };
        Self { session, remember }
    }
}

fn for_session(update: &Map<String, Value>) -> Value {
    let mut update = update.clone();
    update.insert("destination".to_owned(), Value::from("session"));
    Value::Object(update)
}
