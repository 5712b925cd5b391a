//! What the agent asks: its kind, what it is about, what it can be answered, and the answers.

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::form::Form;
use super::profile::Profile;
use super::tool::ToolCall;
use super::wire::read;
use crate::event::{RawJson, RequestKind, ToolKind};
use crate::provider::lines::one_line;
use crate::request::{Answer, Choice, Decision, Question, Scope, Subject};

/// What an answer needs to know of its question.
#[derive(Debug)]
pub(super) enum Reply {
    /// The agent's ids of its options.
    Permission {
        once: Option<String>,
        always: Option<String>,
        reject: Option<String>,
    },
    /// A question that looks like a permission: what is shown of each option, and its id.
    Choice {
        options: Vec<(String, String)>,
        reject: Option<String>,
    },
    Form(Form),
}

/// A question, read.
pub(super) struct Asks {
    pub reply: Reply,
    pub kind: RequestKind,
    pub title: String,
    pub subject: Subject,
    pub decisions: Vec<Decision>,
    pub questions: Vec<Question>,
    pub input: Option<RawJson>,
}

/// The params of `session/request_permission`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Permission<'a> {
    #[serde(borrow, default)]
    pub tool_call: Option<&'a RawValue>,
    #[serde(default)]
    options: Vec<PermissionOption>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PermissionOption {
    option_id: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    kind: String,
}

impl Permission<'_> {
    /// What is asked about a tool call.
    pub(super) fn read(&self, profile: &Profile, call: &ToolCall) -> Asks {
        let of = |kind: &'static str| self.options.iter().filter(move |o| o.kind == kind);
        let id = |option: Option<&PermissionOption>| option.map(|o| o.option_id.clone());
        let reject = id(of("reject_once").chain(of("reject_always")).next());
        // Kimi Code 2.1.0 asks the user so: whoever says yes would choose the first answer.
        if of("allow_once").count() > 1 {
            let options = of("allow_once").map(|o| (o.name.clone(), o.option_id.clone()));
            return choice(options.collect(), reject, call);
        }
        let once = id(of("allow_once").next());
        // Gemini 0.61.0 offers two for MCP tools, the narrower one last.
        let always = id(of("allow_always").next_back());
        let mut decisions = Vec::new();
        decisions.extend(once.is_some().then_some(Decision::AllowOnce));
        decisions.extend(always.is_some().then_some(profile.always));
        decisions.extend([Decision::Deny, Decision::DenyInterrupt]);
        let kind = match call.tool_kind() {
            ToolKind::Shell => RequestKind::CommandApproval,
            ToolKind::Edit => RequestKind::FileChangeApproval,
            ToolKind::Plan => RequestKind::PlanApproval,
            ToolKind::Read
            | ToolKind::Search
            | ToolKind::Fetch
            | ToolKind::Agent
            | ToolKind::Mcp
            | ToolKind::Host
            | ToolKind::Other => RequestKind::ToolApproval,
        };
        Asks {
            reply: Reply::Permission {
                once,
                always,
                reject,
            },
            kind,
            title: call.title(),
            subject: subject(profile, call),
            decisions,
            questions: Vec::new(),
            input: call.input().map(|raw| RawJson::from(raw.to_owned())),
        }
    }
}

fn choice(options: Vec<(String, String)>, reject: Option<String>, call: &ToolCall) -> Asks {
    let choices = options.iter().map(|(label, _)| Choice {
        label: label.clone(),
        description: String::new(),
    });
    let input: Value = read(call.input()).unwrap_or_default();
    let first = &input["questions"][0];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let asked = text(&first["question"]);
    let title = if asked.is_empty() {
        call.title()
    } else {
        one_line(&asked)
    };
    let question = Question {
        id: "choice".to_owned(),
        header: text(&first["header"]),
        text: title.clone(),
        choices: choices.collect(),
        ..Question::default()
    };
    Asks {
        reply: Reply::Choice { options, reject },
        kind: RequestKind::UserQuestion,
        title,
        subject: Subject {
            tool: call.name().to_owned(),
            ..Subject::default()
        },
        decisions: vec![Decision::Answers, Decision::Deny, Decision::DenyInterrupt],
        questions: vec![question],
        input: None,
    }
}

/// What rules look at.
fn subject(profile: &Profile, call: &ToolCall) -> Subject {
    let input: Value = read(call.input()).unwrap_or_default();
    let is_command = call.tool_kind() == ToolKind::Shell;
    let command = input["command"].as_str().map(str::to_owned);
    let title = profile.quirks.title_is_command.then(|| call.title());
    let mut paths = call.locations.clone();
    let named = ["path", "file_path", "filePath", "filepath"];
    let named = named.iter().filter_map(|name| input[*name].as_str());
    let changed = call.diffs.iter().map(|diff| diff.path.as_str());
    for path in named.chain(changed) {
        if !paths.iter().any(|known| known == path) {
            paths.push(path.to_owned());
        }
    }
    Subject {
        tool: call.name().to_owned(),
        command: command.or(title).filter(|_| is_command),
        // The places of a command are no more than a guess of the agent.
        paths: if is_command { Vec::new() } else { paths },
        mcp_server: call.mcp_server().map(str::to_owned),
        writes: !matches!(call.tool_kind(), ToolKind::Read | ToolKind::Search),
    }
}

/// The params of `elicitation/create`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Elicitation<'a> {
    #[serde(default)]
    pub tool_call_id: Option<String>,
    #[serde(default)]
    mode: Option<String>,
    #[serde(default)]
    message: String,
    #[serde(borrow, default)]
    requested_schema: Option<&'a RawValue>,
}

impl Elicitation<'_> {
    /// What the user is asked. `None`: it is not a form, and others were not offered.
    pub(super) fn read(&self) -> Option<Asks> {
        if self.mode.as_deref().is_some_and(|mode| mode != "form") {
            return None;
        }
        let title = one_line(&self.message);
        let schema: Value = read(self.requested_schema)?;
        let (form, questions) = Form::read(&schema, &title);
        let decisions = vec![
            Decision::Answers,
            Decision::Content,
            Decision::Deny,
            Decision::DenyInterrupt,
        ];
        Some(Asks {
            reply: Reply::Form(form),
            // The agent's own question belongs to a tool call of its own.
            kind: if self.tool_call_id.is_some() {
                RequestKind::UserQuestion
            } else {
                RequestKind::Elicitation
            },
            title,
            subject: Subject::default(),
            decisions,
            questions,
            input: self
                .requested_schema
                .map(|raw| RawJson::from(raw.to_owned())),
        })
    }
}

impl Reply {
    /// The answer's result. What does not fit the question is a no.
    pub(super) fn result(&self, answer: &Answer) -> Value {
        match self {
            Self::Permission {
                once,
                always,
                reject,
            } => {
                let chosen = match answer {
                    Answer::Allow { scope, .. } => match scope {
                        // Never more than was offered.
                        Scope::Once => once.as_ref(),
                        Scope::Session | Scope::Remember => always.as_ref(),
                    },
                    Answer::Deny {
                        interrupt: true, ..
                    } => None,
                    Answer::Deny { .. }
                    | Answer::Answers { .. }
                    | Answer::Content { .. }
                    | Answer::Result { .. } => reject.as_ref(),
                };
                selected(chosen)
            }
            Self::Choice { options, reject } => {
                let chosen = match answer {
                    Answer::Answers { answers } => {
                        let mut said = answers.values().flatten();
                        let said = said.next();
                        let found = options.iter().find(|(label, _)| Some(label) == said);
                        found.map(|(_, id)| id).or(reject.as_ref())
                    }
                    Answer::Deny {
                        interrupt: true, ..
                    } => None,
                    Answer::Allow { .. }
                    | Answer::Deny { .. }
                    | Answer::Content { .. }
                    | Answer::Result { .. } => reject.as_ref(),
                };
                selected(chosen)
            }
            Self::Form(form) => match answer {
                Answer::Answers { answers } => {
                    json!({"action": "accept", "content": form.content(answers)})
                }
                Answer::Content { content } => {
                    let content: Value = serde_json::from_str(content.get()).unwrap_or_default();
                    json!({"action": "accept", "content": content})
                }
                Answer::Deny {
                    interrupt: true, ..
                } => json!({"action": "cancel"}),
                Answer::Allow { .. } | Answer::Deny { .. } | Answer::Result { .. } => {
                    json!({"action": "decline"})
                }
            },
        }
    }

    /// The answer when the turn is interrupted.
    pub(super) fn cancelled(&self) -> Value {
        match self {
            Self::Permission { .. } | Self::Choice { .. } => selected(None),
            Self::Form(_) => json!({"action": "cancel"}),
        }
    }
}

/// An option by its id, or none of them.
fn selected(id: Option<&String>) -> Value {
    match id {
        Some(id) => json!({"outcome": {"outcome": "selected", "optionId": id}}),
        None => json!({"outcome": {"outcome": "cancelled"}}),
    }
}
