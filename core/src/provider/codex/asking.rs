//! What a question of the app-server asks: its kind, what it is about, and what it can be answered.

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::answer::Form;
use super::failure::one_line;
use super::shell::inner_command;
use super::wire::Text;
use crate::event::{RawJson, RequestKind};
use crate::request::{Choice, Decision, Question, Subject};

/// The members of a question that are looked at.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Asking<'a> {
    #[serde(borrow, default)]
    pub thread_id: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub turn_id: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub item_id: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub call_id: Option<Text<'a>>,
    #[serde(borrow, default)]
    command: Option<Text<'a>>,
    #[serde(default)]
    proposed_execpolicy_amendment: Option<Value>,
    #[serde(borrow, default)]
    grant_root: Option<Text<'a>>,
    #[serde(borrow, default)]
    permissions: Option<&'a RawValue>,
    #[serde(borrow, default)]
    reason: Option<Text<'a>>,
    #[serde(borrow, default)]
    message: Option<Text<'a>>,
    #[serde(borrow, default)]
    server_name: Option<Text<'a>>,
    #[serde(borrow, default)]
    mode: Option<Text<'a>>,
    #[serde(borrow, default)]
    requested_schema: Option<&'a RawValue>,
    #[serde(borrow, default)]
    url: Option<Text<'a>>,
    #[serde(borrow, default)]
    namespace: Option<Text<'a>>,
    #[serde(borrow, default)]
    tool: Option<Text<'a>>,
    #[serde(borrow, default)]
    arguments: Option<&'a RawValue>,
    #[serde(borrow, default)]
    questions: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "_meta")]
    meta: Option<&'a RawValue>,
}

/// Approvals of MCP tools come as elicitations with this.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Meta {
    codex_approval_kind: Value,
    persist: Value,
    tool_name: Option<String>,
    tool_annotations: Value,
    tool_params: Option<Box<RawValue>>,
}

/// What is known of a question from elsewhere.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// The files of the tool call that it is about.
    pub paths: Vec<String>,
    /// Whether the MCP server is the session's own, which the agent's settings do not hold.
    pub own_server: bool,
}

/// A question, read.
pub(super) struct Asks {
    pub form: Form,
    pub kind: RequestKind,
    pub title: String,
    pub subject: Subject,
    pub decisions: Vec<Decision>,
    pub questions: Vec<Question>,
    pub input: Option<RawJson>,
}

impl Asking<'_> {
    /// The name of the MCP server that asks.
    pub(super) fn server(&self) -> Option<&str> {
        self.server_name.as_deref()
    }

    /// Reads the question; `None` for methods that this version does not know.
    pub(super) fn read(&self, method: &str, known: Known) -> Option<Asks> {
        Some(match method {
            "item/commandExecution/requestApproval" => self.command(),
            "item/fileChange/requestApproval" => self.file_change(known),
            "item/permissions/requestApproval" => self.escalation(),
            "item/tool/requestUserInput" => self.user_question(),
            "mcpServer/elicitation/request" => match self.tool_mark() {
                Some(mark) => self.tool_approval(&mark, known.own_server),
                None => self.elicitation(),
            },
            "item/tool/call" => self.host_tool(),
            _ => return None,
        })
    }

    fn tool_mark(&self) -> Option<Meta> {
        let meta: Meta = serde_json::from_str(self.meta?.get()).ok()?;
        (meta.codex_approval_kind == "mcp_tool_call").then_some(meta)
    }

    fn asks(&self, kind: RequestKind, form: Form, decisions: &[Decision]) -> Asks {
        let texts = [&self.command, &self.message, &self.tool, &self.reason];
        let title = texts.into_iter().flatten().next();
        Asks {
            form,
            kind,
            title: title.map(|t| one_line(t)).unwrap_or_default(),
            subject: Subject::default(),
            decisions: decisions.to_vec(),
            questions: Vec::new(),
            input: None,
        }
    }

    fn command(&self) -> Asks {
        let amendment = self.proposed_execpolicy_amendment.clone();
        let amendment = amendment.filter(Value::is_array);
        let mut decisions = vec![Decision::AllowOnce, Decision::AllowSession];
        decisions.extend(amendment.is_some().then_some(Decision::AllowRemember));
        decisions.extend([Decision::Deny, Decision::DenyInterrupt]);
        let form = Form::Decision { amendment };
        Asks {
            subject: Subject {
                tool: "commandExecution".to_owned(),
                command: self.command.as_deref().map(inner_command),
                writes: true,
                ..Subject::default()
            },
            ..self.asks(RequestKind::CommandApproval, form, &decisions)
        }
    }

    fn file_change(&self, known: Known) -> Asks {
        let decisions = [
            Decision::AllowOnce,
            Decision::AllowSession,
            Decision::Deny,
            Decision::DenyInterrupt,
        ];
        let mut paths = known.paths;
        let form = Form::Decision { amendment: None };
        let mut asks = self.asks(RequestKind::FileChangeApproval, form, &decisions);
        if asks.title.is_empty() {
            asks.title = one_line(&paths.join(", "));
        }
        paths.extend(self.grant_root.as_deref().map(str::to_owned));
        asks.subject = Subject {
            tool: "fileChange".to_owned(),
            paths,
            writes: true,
            ..Subject::default()
        };
        asks
    }

    fn escalation(&self) -> Asks {
        let decisions = [Decision::AllowOnce, Decision::AllowSession, Decision::Deny];
        let wanted = self.permissions.unwrap_or(RawValue::NULL).to_owned();
        let profile: Value = serde_json::from_str(wanted.get()).unwrap_or_default();
        let input = Some(RawJson::from(wanted.clone()));
        Asks {
            subject: Subject {
                tool: "requestPermissions".to_owned(),
                paths: wanted_paths(&profile),
                writes: true,
                ..Subject::default()
            },
            input,
            ..self.asks(
                RequestKind::PermissionEscalation,
                Form::Permissions { wanted },
                &decisions,
            )
        }
    }

    fn user_question(&self) -> Asks {
        let decisions = [Decision::Answers, Decision::Deny];
        let questions = self.questions.map(read_questions).unwrap_or_default();
        let mut asks = self.asks(RequestKind::UserQuestion, Form::UserInput, &decisions);
        if let Some(first) = questions.first() {
            asks.title = one_line(&first.text);
        }
        "requestUserInput".clone_into(&mut asks.subject.tool);
        asks.questions = questions;
        asks
    }

    fn tool_approval(&self, meta: &Meta, own_server: bool) -> Asks {
        let persists = |word: &str| {
            let offered = meta.persist.as_array().into_iter().flatten();
            offered.into_iter().any(|p| p == word) || meta.persist == word
        };
        let mut decisions = vec![Decision::AllowOnce];
        decisions.extend(persists("session").then_some(Decision::AllowSession));
        // The agent cannot write this for a server that does not stand in its settings.
        let remembers = persists("always") && !own_server;
        decisions.extend(remembers.then_some(Decision::AllowRemember));
        decisions.push(Decision::Deny);
        let server = self.server_name.as_deref().unwrap_or_default();
        let tool = meta.tool_name.as_deref().unwrap_or_default();
        Asks {
            subject: Subject {
                tool: format!("{server}.{tool}"),
                mcp_server: Some(server.to_owned()),
                writes: meta.tool_annotations["readOnlyHint"] != true,
                ..Subject::default()
            },
            input: meta.tool_params.clone().map(RawJson::from),
            ..self.asks(RequestKind::ToolApproval, Form::Elicitation, &decisions)
        }
    }

    /// A form wants content; what is to be visited in a browser, only a yes.
    fn elicitation(&self) -> Asks {
        let yes = match (self.mode.as_deref(), self.requested_schema) {
            (Some("form") | None, _) | (Some(_), Some(_)) => Decision::Content,
            (Some(_), None) => Decision::AllowOnce,
        };
        let decisions = [yes, Decision::Deny];
        let schema = self.requested_schema.map(|raw| raw.to_owned().into());
        let page = self
            .url
            .as_deref()
            .map(|url| json!({"url": url}).to_string());
        let page = page.map(|page| RawJson::from_text(&page));
        Asks {
            subject: Subject {
                mcp_server: self.server_name.as_deref().map(str::to_owned),
                ..Subject::default()
            },
            input: schema.or(page),
            ..self.asks(RequestKind::Elicitation, Form::Elicitation, &decisions)
        }
    }

    /// What the host's own tools do is the host's to judge.
    fn host_tool(&self) -> Asks {
        let decisions = [Decision::Result, Decision::Deny];
        let tool = self.tool.as_deref().unwrap_or_default();
        let tool = match self.namespace.as_deref() {
            Some(namespace) => format!("{namespace}.{tool}"),
            None => tool.to_owned(),
        };
        Asks {
            subject: Subject {
                tool,
                ..Subject::default()
            },
            input: self.arguments.map(|raw| RawJson::from(raw.to_owned())),
            ..self.asks(RequestKind::HostTool, Form::HostTool, &decisions)
        }
    }
}

/// The paths in a wish for more permissions. None where it wishes for anything else beside them: a yes
/// grants the whole wish, so a rule about paths must not decide it.
fn wanted_paths(profile: &Value) -> Vec<String> {
    let files = &profile["fileSystem"];
    let other = |(name, wish): (&String, &Value)| name != "fileSystem" && !wish.is_null();
    let entries = || files["entries"].as_array().into_iter().flatten();
    let unnamed = |entry: &Value| !entry["path"]["path"].is_string();
    if profile.as_object().is_some_and(|p| p.iter().any(other)) || entries().any(unnamed) {
        return Vec::new();
    }
    let named = ["read", "write"]
        .into_iter()
        .flat_map(|list| files[list].as_array().into_iter().flatten());
    let entries = entries().map(|entry| &entry["path"]["path"]);
    let mut paths: Vec<String> = Vec::new();
    for path in named.chain(entries).filter_map(Value::as_str) {
        if !paths.iter().any(|known| known == path) {
            paths.push(path.to_owned());
        }
    }
    paths
}

fn read_questions(raw: &RawValue) -> Vec<Question> {
    #[derive(Deserialize)]
    struct Wire {
        id: String,
        #[serde(default)]
        header: String,
        #[serde(default)]
        question: String,
        #[serde(default, rename = "isOther")]
        is_other: bool,
        #[serde(default, rename = "isSecret")]
        is_secret: bool,
        #[serde(default)]
        options: Option<Vec<Choosable>>,
    }
    #[derive(Deserialize)]
    struct Choosable {
        label: String,
        #[serde(default)]
        description: String,
    }
    let wire: Vec<Wire> = serde_json::from_str(raw.get()).unwrap_or_default();
    let read = wire.into_iter().map(|question| {
        let options = question.options.unwrap_or_default().into_iter();
        let choices: Vec<_> = options
            .map(|option| Choice {
                label: option.label,
                description: option.description,
            })
            .collect();
        Question {
            id: question.id,
            header: question.header,
            text: question.question,
            free_text: question.is_other || choices.is_empty(),
            choices,
            several: false,
            secret: question.is_secret,
        }
    });
    read.collect()
}
