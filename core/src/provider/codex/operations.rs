//! What hosts ask of a conversation beside turns: settings and operations.

use std::sync::Arc;

use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};

use super::calls::{Call, Changing, Operating};
use super::failure::one_line;
use super::opening::Opened;
use super::options::{fork_params, probe_params};
use super::server::{AppServer, METHOD_NOT_FOUND};
use super::thread::Thread;
use super::usage::Meter;
use super::wire::{RpcError, read};
use crate::error::ErrorKind;
use crate::event::RawJson;
use crate::operation::Operation;
use crate::provider::{ChangeOutcome, Conversation, Output, SignalBody, TurnRef};
use crate::settings::Change;

/// So many entries of a list come at once.
const PAGE: u32 = 100;

/// What became of an operation.
type Outcome = Result<Value, (ErrorKind, String)>;

impl AppServer {
    /// Changes settings, for the turns that start from now on.
    pub(super) fn change(
        &mut self,
        conversation: Conversation,
        change: Arc<Change>,
        out: &mut Output,
    ) {
        let Some(thread) = self.threads.get_mut(&conversation) else {
            return changed(conversation, ChangeOutcome::NeedsProcess, out);
        };
        // There is no thinking budget, and MCP servers are started with the thread.
        if change.thinking_budget.is_some() || change.mcp_servers.is_some() {
            return changed(conversation, ChangeOutcome::NeedsProcess, out);
        }
        if thread.settings.must_ask(&change) {
            let params = probe_params(&thread.options);
            let call = Call::Configured(conversation, change);
            self.calls.write(call, "thread/start", &params, out);
            return;
        }
        let before = Box::new(thread.settings.clone());
        let mut params = thread.settings.change(&change);
        if params.is_empty() {
            return changed(conversation, ChangeOutcome::Live, out);
        }
        params.insert("threadId".into(), (&*thread.id).into());
        let call = Call::Change(conversation, Changing { before, change });
        self.calls
            .write(call, "thread/settings/update", &params, out);
    }

    /// The agent answered a change. One that it refused is undone, beneath those that came after it.
    pub(super) fn change_answered(
        &mut self,
        conversation: Conversation,
        changing: Changing,
        error: Option<&RpcError>,
        out: &mut Output,
    ) {
        let Some(error) = error else {
            return changed(conversation, ChangeOutcome::Live, out);
        };
        if let Some(thread) = self.threads.get_mut(&conversation) {
            thread.settings = *changing.before;
            for later in self.calls.changes_of(conversation) {
                *later.before = thread.settings.clone();
                // The agent has been told.
                let _ = thread.settings.change(&later.change);
            }
        }
        let outcome = if error.code == METHOD_NOT_FOUND {
            ChangeOutcome::NeedsProcess
        } else {
            let message = one_line(&error.message);
            let halfway = false;
            ChangeOutcome::Refused { message, halfway }
        };
        changed(conversation, outcome, out);
    }

    /// A thread shows what the agent is configured to. It was made for that, and is left.
    pub(super) fn configured(
        &mut self,
        conversation: Conversation,
        change: Arc<Change>,
        result: Option<&RawValue>,
        out: &mut Output,
    ) {
        let opened: Option<Opened<'_>> = read(result);
        if let Some(opened) = &opened {
            self.leave(&opened.thread.id, None, out);
        }
        let configured = opened.and_then(|opened| opened.configured());
        if let (Some(thread), Some(configured)) = (self.threads.get_mut(&conversation), configured)
        {
            thread.settings.learn(configured);
            self.change(conversation, change, out);
        } else {
            // A process that starts without any permissions has those that are configured.
            changed(conversation, ChangeOutcome::NeedsProcess, out);
        }
    }

    /// Starts an operation.
    pub(super) fn operate(
        &mut self,
        conversation: Conversation,
        number: u64,
        operation: Arc<Operation>,
        out: &mut Output,
    ) {
        let Some(thread) = self.threads.get(&conversation) else {
            let message = "the conversation is not open".to_owned();
            let outcome = Err((ErrorKind::Internal, message));
            return operated(conversation, number, outcome, out);
        };
        match request_of(thread, &operation) {
            Ok(Ask::Agent(method, params)) => {
                if matches!(*operation, Operation::StopTasks { task: None }) {
                    thread.stop_sub_agents(&mut self.calls, out);
                }
                let gathered = Vec::new();
                let operating = Operating {
                    number,
                    operation,
                    gathered,
                };
                let call = Call::Operate(conversation, operating);
                self.calls.write(call, method, &params, out);
            }
            Ok(Ask::Nobody(known)) => operated(conversation, number, Ok(known), out),
            Err(error) => operated(conversation, number, Err(error), out),
        }
    }

    /// The agent answered an operation.
    pub(super) fn operation_answered(
        &mut self,
        conversation: Conversation,
        mut operating: Operating,
        result: Option<&RawValue>,
        error: Option<RpcError>,
        out: &mut Output,
    ) {
        let number = operating.number;
        if let Some(error) = error {
            let kind = match error.message.as_str() {
                m if m.contains("not found") => ErrorKind::InvalidArgument,
                _ => ErrorKind::AgentError,
            };
            let outcome = Err((kind, one_line(&error.message)));
            return operated(conversation, number, outcome, out);
        }
        let mut value: Value = read(result).unwrap_or_default();
        if let Value::Array(page) = value["data"].take() {
            operating.gathered.extend(page);
        }
        let cursor = value["nextCursor"].as_str();
        if let (Some(cursor), Some(thread)) = (cursor, self.threads.get(&conversation))
            && let Ok(Ask::Agent(method, mut params)) = request_of(thread, &operating.operation)
        {
            params["cursor"] = cursor.into();
            let call = Call::Operate(conversation, operating);
            self.calls.write(call, method, &params, out);
            return;
        }
        let outcome = self.outcome(conversation, operating, &value, out);
        operated(conversation, number, outcome, out);
    }

    /// What an operation gave, in the words of [`Operation`].
    fn outcome(
        &mut self,
        conversation: Conversation,
        operating: Operating,
        value: &Value,
        out: &mut Output,
    ) -> Outcome {
        let list = operating.gathered;
        Ok(match &*operating.operation {
            Operation::Compact {} | Operation::ContextUsage {} => json!({}),
            Operation::ListModels {} => json!({"models": each(list, model)}),
            Operation::ListCommands {} => {
                let skills = list.into_iter().flat_map(|mut folder| {
                    let skills = folder["skills"].take();
                    skills.as_array().cloned().unwrap_or_default()
                });
                json!({"commands": skills.collect::<Vec<_>>()})
            }
            Operation::McpStatus {} => json!({"servers": each(list, mcp_server)}),
            Operation::Rewind { .. } => {
                // The totals begin anew.
                if let Some(thread) = self.threads.get_mut(&conversation) {
                    thread.meter = Meter::default();
                }
                json!({})
            }
            Operation::Fork {} => {
                let Some(fork) = value["thread"]["id"].as_str() else {
                    let message = "the answer names no thread".to_owned();
                    return Err((ErrorKind::ProtocolError, message));
                };
                self.leave(fork, None, out);
                json!({"provider_session_id": fork})
            }
            Operation::ListTasks {} => json!({"tasks": each(list, task)}),
            Operation::StopTasks { task } => {
                if task.is_some() && value["terminated"] == false {
                    let message = "there is no such task".to_owned();
                    return Err((ErrorKind::InvalidArgument, message));
                }
                json!({})
            }
        })
    }

    /// Nothing more comes: what waits for an answer has none.
    pub(super) fn abandon(&mut self, out: &mut Output) {
        let why = "the process ended first";
        for call in self.calls.abandon() {
            match call {
                Call::Operate(conversation, operating) => {
                    let outcome = Err((ErrorKind::ProcessExit, why.to_owned()));
                    operated(conversation, operating.number, outcome, out);
                }
                Call::Change(conversation, _) | Call::Configured(conversation, _) => {
                    changed(conversation, ChangeOutcome::NeedsProcess, out);
                }
                // Turns and their messages are core's to end, and nobody waits for the rest.
                Call::Initialize
                | Call::Open(_)
                | Call::Turn(..)
                | Call::Interrupt(_)
                | Call::Steer(..)
                | Call::Clean(..)
                | Call::Running(..)
                | Call::Leave(_)
                | Call::Aside => {}
            }
        }
        for thread in self.threads.values_mut() {
            thread.abandon_steers(why, out);
        }
    }
}

/// Who can answer an operation.
enum Ask {
    /// The agent, by a method.
    Agent(&'static str, Value),
    /// It is known.
    Nobody(Value),
}

/// What to ask for an operation. An error: it cannot be done now.
fn request_of(thread: &Thread, operation: &Operation) -> Result<Ask, (ErrorKind, String)> {
    let id = &*thread.id;
    let idle = |what: &str| {
        if thread.is_busy() {
            // The agent would interrupt the turn.
            return Err((ErrorKind::TurnInProgress, format!("{what}: a turn runs")));
        }
        Ok(())
    };
    let of_thread = json!({"threadId": id});
    let (method, params) = match operation {
        Operation::Compact {} => {
            idle("compact")?;
            ("thread/compact/start", of_thread)
        }
        Operation::ListModels {} => ("model/list", json!({"limit": PAGE})),
        Operation::ListCommands {} => {
            let cwd = thread.options.cwd.to_string_lossy();
            ("skills/list", json!({"cwds": [cwd]}))
        }
        Operation::McpStatus {} => (
            "mcpServerStatus/list",
            json!({"threadId": id, "limit": PAGE}),
        ),
        Operation::ContextUsage {} => {
            let (used, window) = thread.context;
            let known = json!({"used_tokens": used, "window_tokens": window});
            return Ok(Ask::Nobody(known));
        }
        Operation::Rewind { before } => {
            idle("rewind")?;
            let params = json!({"threadId": id, "beforeTurnId": before});
            ("thread/revert", params)
        }
        Operation::Fork {} => {
            let model = thread.settings.model.as_deref();
            ("thread/fork", fork_params(&thread.options, id, model))
        }
        Operation::ListTasks {} => ("thread/backgroundTerminals/list", of_thread),
        Operation::StopTasks { task: None } => ("thread/backgroundTerminals/clean", of_thread),
        Operation::StopTasks { task: Some(task) } => (
            "thread/backgroundTerminals/terminate",
            json!({"threadId": id, "processId": task}),
        ),
    };
    Ok(Ask::Agent(method, params))
}

fn each(list: Vec<Value>, read: impl Fn(&mut Value)) -> Vec<Value> {
    let mut list = list;
    list.iter_mut().for_each(read);
    list
}

/// The words of [`Operation::ListModels`], beside the agent's own.
fn model(model: &mut Value) {
    model["id"] = model["model"].clone();
    model["name"] = model["displayName"].clone();
}

/// The words of [`Operation::McpStatus`].
fn mcp_server(server: &mut Value) {
    server["status"] = server["runtimeStatus"].clone();
}

/// The words of [`Operation::ListTasks`]. `tool` is the tool call that started it.
fn task(task: &mut Value) {
    *task = json!({
        "id": task["processId"],
        "title": task["command"],
        "cwd": task["cwd"],
        "tool": task["itemId"],
    });
}

fn changed(conversation: Conversation, outcome: ChangeOutcome, out: &mut Output) {
    out.signal(conversation, TurnRef::None, SignalBody::Changed(outcome));
}

fn operated(conversation: Conversation, number: u64, outcome: Outcome, out: &mut Output) {
    let outcome = outcome.map(|value| {
        let raw = to_raw_value(&value).unwrap_or_else(|_| RawValue::NULL.to_owned());
        RawJson::from(raw)
    });
    let operated = SignalBody::Operated { number, outcome };
    out.signal(conversation, TurnRef::None, operated);
}
