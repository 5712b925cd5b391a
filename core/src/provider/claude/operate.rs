//! What can be done with the conversation beside talking.

use std::collections::HashMap;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::error::ErrorKind;
use crate::event::RawJson;
use crate::operation::Operation;
use crate::provider::claude::codec::{ClaudeCodec, write_line};
use crate::provider::claude::content::UserLine;
use crate::provider::claude::control::{Empty, Purpose};
use crate::provider::claude::wire::{ControlAnswer, parse};
use crate::provider::{Output, SignalBody, TurnRef};

/// Operations that the agent has not answered.
#[derive(Debug, Default)]
pub(super) struct Operations {
    asked: HashMap<u64, Shape>,
    /// How many tasks are still to be stopped.
    stops: HashMap<u64, usize>,
    /// The operation and the message that compacts.
    compact: Option<(u64, String)>,
}

/// How the agent's answer becomes the host's.
#[derive(Clone, Copy, Debug)]
enum Shape {
    McpStatus,
    ContextUsage,
}

type Outcome = Result<RawJson, (ErrorKind, String)>;

#[derive(Serialize)]
struct StopTask<'a> {
    task_id: &'a str,
}

impl Operations {
    /// Whether the agent will begin a turn of its own to compact.
    pub(super) fn is_due(&self) -> bool {
        self.compact.is_some()
    }
}

impl ClaudeCodec {
    pub(super) fn operate(&mut self, number: u64, operation: &Operation, out: &mut Output) {
        match operation {
            Operation::Compact {} => self.compact(number, out),
            Operation::ListModels {} => {
                let listed = list("models", self.models.as_ref(), "value", "displayName");
                self.operated(number, listed, out);
            }
            Operation::ListCommands {} => {
                let listed = list("commands", self.commands.as_ref(), "name", "name");
                self.operated(number, listed, out);
            }
            Operation::McpStatus {} => self.ask_for(number, "mcp_status", Shape::McpStatus, out),
            Operation::ContextUsage {} => {
                self.ask_for(number, "get_context_usage", Shape::ContextUsage, out);
            }
            Operation::ListTasks {} => {
                let tasks = self.background.tasks().map(|(id, task)| {
                    let title = Value::from(task.title.as_str());
                    object([("id", id.into()), ("title", title)])
                });
                let tasks = object([("tasks", tasks.collect())]);
                self.operated(number, Ok(raw(&tasks)), out);
            }
            Operation::StopTasks { task } => self.stop_tasks(number, task.as_deref(), out),
            // Core rewinds with a new process.
            Operation::Rewind { .. } | Operation::Fork {} => {
                let why = "the agent does this only when it starts".to_owned();
                self.operated(number, Err((ErrorKind::Unsupported, why)), out);
            }
        }
    }

    fn ask_for(&mut self, number: u64, subtype: &'static str, shape: Shape, out: &mut Output) {
        self.operations.asked.insert(number, shape);
        self.ask_agent(subtype, Empty {}, Purpose::Operation(number), out);
    }

    pub(super) fn operation_answered(
        &mut self,
        number: u64,
        answer: &ControlAnswer<'_>,
        refusal: Option<String>,
        out: &mut Output,
    ) {
        let Some(shape) = self.operations.asked.remove(&number) else {
            return;
        };
        let told = answer.response.and_then(|raw| parse(raw.get()));
        let outcome = match refusal {
            Some(why) => Err((ErrorKind::AgentError, why)),
            None => Ok(shape.of(told.unwrap_or_default())),
        };
        self.operated(number, outcome, out);
    }

    /// The agent compacts on a command in a message, in a turn of its own.
    fn compact(&mut self, number: u64, out: &mut Output) {
        if self.operations.compact.is_some() {
            let why = "the conversation is about to be compacted".to_owned();
            self.operated(number, Err((ErrorKind::TurnInProgress, why)), out);
            return;
        }
        let uuid = self.fresh_id();
        write_line(&UserLine::text(&uuid, "/compact"), out);
        self.operations.compact = Some((number, uuid));
        self.report_background(out);
    }

    /// The agent reads a message; `None`: the turn that begins is nobody else's.
    pub(super) fn compact_started(&mut self, uuid: Option<&str>, out: &mut Output) {
        let is = |(_, own): &mut (u64, String)| uuid.is_none_or(|uuid| uuid == own);
        if let Some((number, _)) = self.operations.compact.take_if(|compact| is(compact)) {
            self.turns.begin_own(out);
            self.operated(number, Ok(raw(&object([]))), out);
            self.report_background(out);
        }
    }

    /// The agent dropped a message.
    pub(super) fn compact_cancelled(&mut self, uuid: &str, out: &mut Output) {
        let is = |(_, own): &mut (u64, String)| own == uuid;
        if let Some((number, _)) = self.operations.compact.take_if(is) {
            let why = "the agent dropped it".to_owned();
            self.operated(number, Err((ErrorKind::AgentError, why)), out);
            self.report_background(out);
        }
    }

    fn stop_tasks(&mut self, number: u64, task: Option<&str>, out: &mut Output) {
        let known = self.background.tasks().map(|(id, _)| id.to_owned());
        let ids: Vec<_> = known
            .filter(|id| task.is_none_or(|task| task == id))
            .collect();
        if ids.is_empty() {
            let outcome = match task {
                Some(task) => {
                    let why = format!("task: there is no task {task:?}");
                    Err((ErrorKind::InvalidArgument, why))
                }
                None => Ok(raw(&object([]))),
            };
            self.operated(number, outcome, out);
            return;
        }
        self.operations.stops.insert(number, ids.len());
        for id in ids {
            self.stop_task(&id, Purpose::StopTask(number), out);
        }
    }

    pub(super) fn stop_task(&mut self, task_id: &str, purpose: Purpose, out: &mut Output) {
        self.ask_agent("stop_task", StopTask { task_id }, purpose, out);
    }

    pub(super) fn task_stopped(&mut self, number: u64, refusal: Option<String>, out: &mut Output) {
        let Some(left) = self.operations.stops.get_mut(&number) else {
            return;
        };
        *left -= 1;
        if *left > 0 && refusal.is_none() {
            return;
        }
        self.operations.stops.remove(&number);
        let outcome = match refusal {
            Some(why) => Err((ErrorKind::AgentError, why)),
            None => Ok(raw(&object([]))),
        };
        self.operated(number, outcome, out);
    }

    /// Nothing is heard any more.
    pub(super) fn drop_operations(&mut self, out: &mut Output) {
        let operations = std::mem::take(&mut self.operations);
        let compact = operations.compact.map(|(number, _)| number);
        let asked = operations.asked.into_keys();
        let mut all: Vec<_> = asked
            .chain(operations.stops.into_keys())
            .chain(compact)
            .collect();
        all.sort_unstable();
        for number in all {
            let why = "the agent ended first".to_owned();
            self.operated(number, Err((ErrorKind::ProcessExit, why)), out);
        }
    }

    fn operated(&self, number: u64, outcome: Outcome, out: &mut Output) {
        self.say(TurnRef::None, SignalBody::Operated { number, outcome }, out);
    }
}

impl Shape {
    fn of(self, mut told: Map<String, Value>) -> RawJson {
        match self {
            Self::McpStatus => {
                let mut servers = told
                    .remove("mcpServers")
                    .unwrap_or_else(|| Value::Array(vec![]));
                for server in servers.as_array_mut().into_iter().flatten() {
                    // It may hold secrets.
                    server
                        .as_object_mut()
                        .and_then(|server| server.remove("config"));
                }
                raw(&object([("servers", servers)]))
            }
            Self::ContextUsage => {
                // A picture for terminals, most of the answer.
                told.remove("gridRows");
                rename(&mut told, "totalTokens", "used_tokens");
                rename(&mut told, "maxTokens", "window_tokens");
                raw(&Value::Object(told))
            }
        }
    }
}

/// A list that the agent gave at the start, in the words of every agent.
fn list(name: &str, told: Option<&RawJson>, id: &str, title: &str) -> Outcome {
    let Some(told) = told else {
        let why = "the agent tells this only in a warm process".to_owned();
        return Err((ErrorKind::Unsupported, why));
    };
    let mut entries: Vec<Map<String, Value>> = parse(told.get()).unwrap_or_default();
    for entry in &mut entries {
        rename(entry, title, "name");
        if id != title {
            rename(entry, id, "id");
        }
    }
    Ok(raw(&object([(name, entries.into())])))
}

fn rename(object: &mut Map<String, Value>, from: &str, to: &str) {
    if let Some(value) = object.remove(from) {
        object.insert(to.to_owned(), value);
    }
}

fn object<const N: usize>(members: [(&str, Value); N]) -> Value {
    let members = members.map(|(name, value)| (name.to_owned(), value));
    Value::Object(members.into_iter().collect())
}

fn raw(value: &Value) -> RawJson {
    RawJson::from_text(&value.to_string())
}
