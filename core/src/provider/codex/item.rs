//! One item of a thread, as the agent describes it, in the words of events.
//!
//! Both transports come here: `codex exec` has the same items with `snake_case` names. Nothing here
//! knows of turns, or of what was said before.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

use super::failure::one_line;
use super::wire::Text;
use crate::event::{FileChange, FileChangeKind, PlanEntry, PlanStatus, RawJson, ToolKind};

/// What an item is.
pub(super) enum Item {
    /// Nothing that a host has to see.
    Silent,
    /// What the user said, with the client's own mark of it.
    User { mark: Option<String> },
    /// The agent speaks. Commentary is never the final text while there is other text.
    Message { text: String, commentary: bool },
    /// The model thinks.
    Reasoning { text: String },
    /// A tool runs, or ran.
    Tool(Box<Tool>),
    /// A plan in prose, or a list of steps.
    Plan {
        entries: Vec<PlanEntry>,
        explanation: Option<String>,
    },
    /// The thread is being compacted.
    Compaction,
    /// What the agent is busy with.
    Status {
        state: &'static str,
        message: String,
    },
    /// What the agent wants people to know.
    Warning(String),
    /// A sub-agent begins, goes on, or ends.
    SubAgent {
        activity: String,
        thread: String,
        tool: Box<Tool>,
    },
    /// A kind of item that this version does not know.
    Unknown,
}

/// A use of a tool, at whatever stage.
pub(super) struct Tool {
    pub name: String,
    pub kind: ToolKind,
    pub title: String,
    pub input: RawJson,
    pub progress: Progress,
    /// Whether a process runs that may outlive the turn.
    pub live: bool,
    pub text: String,
    pub output: Option<RawJson>,
    pub changes: Vec<FileChange>,
}

/// How far a tool is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    Running,
    Done,
    Failed,
}

/// Every member of every item that is looked at. What differs between items stays raw.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Fields<'a> {
    #[serde(borrow, rename = "type")]
    kind: Text<'a>,
    #[serde(borrow)]
    id: Text<'a>,
    #[serde(borrow, default)]
    client_id: Option<Text<'a>>,
    #[serde(borrow, default)]
    text: Option<Text<'a>>,
    #[serde(borrow, default)]
    phase: Option<Text<'a>>,
    #[serde(borrow, default)]
    message: Option<Text<'a>>,
    #[serde(borrow, default)]
    summary: Option<&'a RawValue>,
    #[serde(borrow, default)]
    content: Option<&'a RawValue>,
    #[serde(borrow, default)]
    items: Option<&'a RawValue>,
    #[serde(borrow, default)]
    status: Option<Text<'a>>,
    #[serde(borrow, default)]
    command: Option<Text<'a>>,
    #[serde(borrow, default)]
    cwd: Option<Text<'a>>,
    #[serde(borrow, default)]
    process_id: Option<Text<'a>>,
    #[serde(borrow, default, alias = "aggregated_output")]
    aggregated_output: Option<Text<'a>>,
    #[serde(default, alias = "exit_code")]
    exit_code: Option<i64>,
    #[serde(borrow, default)]
    changes: Option<&'a RawValue>,
    #[serde(borrow, default)]
    server: Option<Text<'a>>,
    #[serde(borrow, default)]
    namespace: Option<Text<'a>>,
    #[serde(borrow, default)]
    tool: Option<Text<'a>>,
    #[serde(borrow, default)]
    arguments: Option<&'a RawValue>,
    #[serde(borrow, default)]
    result: Option<&'a RawValue>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
    #[serde(borrow, default)]
    content_items: Option<&'a RawValue>,
    #[serde(borrow, default)]
    agents_states: Option<&'a RawValue>,
    #[serde(borrow, default)]
    query: Option<Text<'a>>,
    #[serde(borrow, default)]
    action: Option<&'a RawValue>,
    #[serde(borrow, default)]
    results: Option<&'a RawValue>,
    #[serde(borrow, default)]
    path: Option<Text<'a>>,
    #[serde(borrow, default)]
    review: Option<Text<'a>>,
    #[serde(borrow, default)]
    prompt: Option<Text<'a>>,
    /// What a sub-agent does.
    #[serde(borrow, default, rename = "kind")]
    activity: Option<Text<'a>>,
    #[serde(borrow, default)]
    agent_thread_id: Option<Text<'a>>,
    #[serde(borrow, default)]
    agent_path: Option<Text<'a>>,
}

/// Reads an item and its id. `None`: a known member has another type than it should have.
pub(super) fn read_item(raw: &RawValue) -> Option<(String, Item)> {
    let fields: Fields<'_> = serde_json::from_str(raw.get()).ok()?;
    let item = match &*fields.kind {
        "userMessage" => Item::User {
            mark: fields.client_id.as_deref().map(str::to_owned),
        },
        "user_message" | "hookPrompt" | "functionCallOutput" => Item::Silent,
        "agentMessage" | "agent_message" => Item::Message {
            text: own(fields.text.as_ref()),
            commentary: fields.phase.as_deref() == Some("commentary"),
        },
        "reasoning" => Item::Reasoning {
            text: fields.reasoning(),
        },
        "plan" => Item::Plan {
            entries: Vec::new(),
            explanation: Some(own(fields.text.as_ref())),
        },
        "todo_list" => Item::Plan {
            entries: todo_entries(fields.items)?,
            explanation: None,
        },
        "contextCompaction" | "context_compaction" => Item::Compaction,
        "enteredReviewMode" => Item::Status {
            state: "reviewing",
            message: one_line(fields.review.as_deref().unwrap_or_default()),
        },
        "exitedReviewMode" => Item::Status {
            state: "review_done",
            message: one_line(fields.review.as_deref().unwrap_or_default()),
        },
        "error" => Item::Warning(own(fields.message.as_ref())),
        "subAgentActivity" => Item::SubAgent {
            activity: own(fields.activity.as_ref()),
            thread: own(fields.agent_thread_id.as_ref()),
            tool: Box::new(fields.sub_agent(raw)),
        },
        _ => fields.any_tool(raw)?,
    };
    Some((fields.id.0.into_owned(), item))
}

impl Fields<'_> {
    /// The items that are tools; `Unknown` for the rest.
    fn any_tool(&self, raw: &RawValue) -> Option<Item> {
        let tool = match &*self.kind {
            "commandExecution" | "command_execution" => self.command(),
            "fileChange" | "file_change" => self.file_change()?,
            "mcpToolCall" | "mcp_tool_call" => self.mcp(),
            "dynamicToolCall" => self.dynamic(),
            "webSearch" | "web_search" => self.web_search(),
            "imageView" => self.simple("imageView", ToolKind::Read, self.path.as_ref(), raw),
            "imageGeneration" | "sleep" => {
                self.simple(&self.kind, ToolKind::Other, self.prompt.as_ref(), raw)
            }
            "collabAgentToolCall" | "collab_tool_call" => Tool {
                output: self.agents_states.and_then(keep),
                ..self.simple(
                    &own(self.tool.as_ref()),
                    ToolKind::Agent,
                    self.prompt.as_ref(),
                    raw,
                )
            },
            _ => return Some(Item::Unknown),
        };
        Some(Item::Tool(Box::new(tool)))
    }

    /// Items without a status are done as soon as they are completed.
    fn progress(&self) -> Progress {
        match self.status.as_deref() {
            Some("inProgress" | "in_progress") => Progress::Running,
            Some("failed" | "declined") => Progress::Failed,
            Some(_) | None => Progress::Done,
        }
    }

    fn tool(&self, name: &str, kind: ToolKind, title: &str, input: RawJson) -> Tool {
        Tool {
            name: name.to_owned(),
            kind,
            title: one_line(title),
            input,
            progress: self.progress(),
            live: false,
            text: String::new(),
            output: None,
            changes: Vec::new(),
        }
    }

    /// A tool whose input is the item itself.
    fn simple(&self, name: &str, kind: ToolKind, title: Option<&Text<'_>>, raw: &RawValue) -> Tool {
        let title = title.map_or(name, |t| t);
        self.tool(name, kind, title, RawJson::from(raw.to_owned()))
    }

    fn command(&self) -> Tool {
        let command = self.command.as_deref().unwrap_or_default();
        let mut input = serde_json::Map::new();
        input.insert("command".into(), command.into());
        if let Some(cwd) = self.cwd.as_deref() {
            input.insert("cwd".into(), cwd.into());
        }
        let mut output = serde_json::Map::new();
        if let Some(code) = self.exit_code {
            output.insert("exit_code".into(), code.into());
        }
        if let Some(status) = self.status.as_deref() {
            output.insert("status".into(), status.into());
        }
        Tool {
            live: self.process_id.is_some(),
            text: own(self.aggregated_output.as_ref()),
            output: to_json(&Value::Object(output)),
            ..self.tool(
                "commandExecution",
                ToolKind::Shell,
                command,
                to_json(&Value::Object(input)).unwrap_or_else(|| RawJson::from_text("")),
            )
        }
    }

    fn file_change(&self) -> Option<Tool> {
        let changes = read_changes(self.changes)?;
        let paths: Vec<&str> = changes.iter().map(|c| c.path.as_str()).collect();
        let title = paths.join(", ");
        let input = keep_or_null(self.changes);
        let text = match self.progress() {
            Progress::Failed => own(self.status.as_ref()),
            Progress::Running | Progress::Done => String::new(),
        };
        Some(Tool {
            text,
            changes,
            ..self.tool("fileChange", ToolKind::Edit, &title, input)
        })
    }

    fn mcp(&self) -> Tool {
        let server = self.server.as_deref().unwrap_or_default();
        let tool = self.tool.as_deref().unwrap_or_default();
        let name = format!("{server}.{tool}");
        let error = self.error.and_then(message_of);
        let content = self
            .result
            .and_then(|raw| member(raw, "content"))
            .unwrap_or_default();
        Tool {
            text: error.unwrap_or_else(|| texts(&content)),
            output: self.result.and_then(keep),
            ..self.tool(&name, ToolKind::Mcp, &name, keep_or_null(self.arguments))
        }
    }

    fn dynamic(&self) -> Tool {
        let tool = self.tool.as_deref().unwrap_or_default();
        let name = match self.namespace.as_deref() {
            Some(namespace) => format!("{namespace}.{tool}"),
            None => tool.to_owned(),
        };
        let content = self.content_items.and_then(value).unwrap_or_default();
        Tool {
            text: texts(&content),
            output: self.content_items.and_then(keep),
            ..self.tool(&name, ToolKind::Host, &name, keep_or_null(self.arguments))
        }
    }

    fn web_search(&self) -> Tool {
        let query = self.query.as_deref().unwrap_or_default();
        Tool {
            output: self.results.and_then(keep),
            ..self.tool(
                "webSearch",
                ToolKind::Fetch,
                query,
                keep_or_null(self.action),
            )
        }
    }

    fn sub_agent(&self, raw: &RawValue) -> Tool {
        self.simple("subAgent", ToolKind::Agent, self.agent_path.as_ref(), raw)
    }

    fn reasoning(&self) -> String {
        if let Some(text) = &self.text {
            return own(Some(text));
        }
        let strings = |raw: Option<&RawValue>| -> Vec<String> {
            raw.and_then(|raw| serde_json::from_str(raw.get()).ok())
                .unwrap_or_default()
        };
        let summary = strings(self.summary);
        let parts = if summary.is_empty() {
            strings(self.content)
        } else {
            summary
        };
        parts.join("\n\n")
    }
}

/// The changes of a file change item, or of an update to it.
fn read_changes(raw: Option<&RawValue>) -> Option<Vec<FileChange>> {
    #[derive(Deserialize)]
    struct Change {
        path: String,
        kind: Value,
        #[serde(default)]
        diff: Option<String>,
    }
    let Some(raw) = raw else {
        return Some(Vec::new());
    };
    let changes: Vec<Change> = serde_json::from_str(raw.get()).ok()?;
    let read = changes.into_iter().map(|change| {
        let word = change
            .kind
            .as_str()
            .or_else(|| change.kind["type"].as_str());
        let moved_to = change.kind["move_path"].as_str().map(str::to_owned);
        let mut diff = change.diff.unwrap_or_default();
        if let Some(to) = &moved_to {
            // The agent repeats the new path after the hunks, where it is no part of the patch.
            let tail = format!("\n\nMoved to: {to}");
            diff.truncate(diff.strip_suffix(&tail).map_or(diff.len(), str::len));
        }
        let kind = match word {
            Some("add") => FileChangeKind::Add,
            Some("delete") => FileChangeKind::Delete,
            Some(_) | None if moved_to.is_some() => FileChangeKind::Move,
            Some(_) | None => FileChangeKind::Update,
        };
        FileChange {
            path: change.path,
            kind,
            diff,
            moved_to,
        }
    });
    Some(read.collect())
}

/// Steps as `codex exec` lists them: done or not.
fn todo_entries(raw: Option<&RawValue>) -> Option<Vec<PlanEntry>> {
    #[derive(Deserialize)]
    struct Todo {
        text: String,
        #[serde(default)]
        completed: bool,
    }
    let todos: Vec<Todo> = serde_json::from_str(raw?.get()).ok()?;
    let entries = todos.into_iter().map(|todo| PlanEntry {
        text: todo.text,
        status: if todo.completed {
            PlanStatus::Completed
        } else {
            PlanStatus::Pending
        },
    });
    Some(entries.collect())
}

/// The texts of a list of content parts, each on its own line.
fn texts(content: &Value) -> String {
    let parts = content.as_array().into_iter().flatten();
    let texts: Vec<&str> = parts.filter_map(|part| part["text"].as_str()).collect();
    texts.join("\n")
}

fn value(raw: &RawValue) -> Option<Value> {
    serde_json::from_str(raw.get()).ok()
}

fn member(raw: &RawValue, name: &str) -> Option<Value> {
    value(raw)?.get_mut(name).map(Value::take)
}

fn message_of(error: &RawValue) -> Option<String> {
    Some(member(error, "message")?.as_str()?.to_owned())
}

fn own(text: Option<&Text<'_>>) -> String {
    text.map(|t| t.to_string()).unwrap_or_default()
}

fn keep(raw: &RawValue) -> Option<RawJson> {
    (raw.get() != "null").then(|| RawJson::from(raw.to_owned()))
}

fn keep_or_null(raw: Option<&RawValue>) -> RawJson {
    RawJson::from(raw.unwrap_or(RawValue::NULL).to_owned())
}

fn to_json(value: &Value) -> Option<RawJson> {
    to_raw_value(value).ok().map(RawJson::from)
}
