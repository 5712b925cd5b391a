//! What hosts ask of a conversation beside turns: settings and operations.

use std::sync::Arc;

use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};

use super::calls::Call;
use super::codec::Acp;
use super::failure::text;
use super::session::{Changing, Session};
use super::wire::{METHOD_NOT_FOUND, RpcError, read};
use crate::error::ErrorKind;
use crate::event::RawJson;
use crate::operation::Operation;
use crate::provider::{ChangeOutcome, Conversation, Output, SignalBody, TurnRef};
use crate::settings::Change;

/// What became of an operation.
type Outcome = Result<Value, (ErrorKind, String)>;

impl Acp {
    /// Changes settings. One change is made after the other, for that is how they are answered.
    pub(super) fn change(
        &mut self,
        conversation: Conversation,
        change: Arc<Change>,
        out: &mut Output,
    ) {
        let session = self.sessions.get_mut(&conversation);
        let Some(session) = session.filter(|s| s.is_ready()) else {
            return changed(conversation, ChangeOutcome::NeedsProcess, out);
        };
        session.changes.push_back(change);
        if session.changing.is_none() {
            self.next_change(conversation, out);
        }
    }

    /// Begins the next change that waits. What the agent does not offer only a new process could
    /// have, or refuse.
    fn next_change(&mut self, conversation: Conversation, out: &mut Output) {
        let Some(session) = self.sessions.get_mut(&conversation) else {
            return;
        };
        while let Some(change) = session.changes.pop_front() {
            let read_only = session.options.read_only;
            match session.offers.steps_of(self.profile, &change, read_only) {
                Ok(steps) if steps.is_empty() => {
                    changed(conversation, ChangeOutcome::Live, out);
                }
                Ok(steps) => {
                    session.changing = Some(Changing {
                        left: steps.into(),
                        begun: false,
                    });
                    return self.change_on(conversation, out);
                }
                Err(_) => changed(conversation, ChangeOutcome::NeedsProcess, out),
            }
        }
    }

    /// The next step of a change.
    fn change_on(&mut self, conversation: Conversation, out: &mut Output) {
        let Some(session) = self.sessions.get_mut(&conversation) else {
            return;
        };
        let Some(changing) = &mut session.changing else {
            return;
        };
        if let Some(step) = changing.left.pop_front() {
            let params = step.params(&session.id);
            let method = step.method();
            let call = Call::Set(conversation, step);
            self.calls.write(call, method, &params, out);
        } else {
            session.changing = None;
            changed(conversation, ChangeOutcome::Live, out);
            self.next_change(conversation, out);
        }
    }

    /// A step of a change was made.
    pub(super) fn step_made(&mut self, conversation: Conversation, out: &mut Output) {
        let session = self.sessions.get_mut(&conversation);
        if let Some(changing) = session.and_then(|s| s.changing.as_mut()) {
            changing.begun = true;
            self.change_on(conversation, out);
        }
    }

    /// A step of a change was refused, and with it the rest.
    pub(super) fn step_refused(
        &mut self,
        conversation: Conversation,
        error: &RpcError,
        out: &mut Output,
    ) {
        let session = self.sessions.get_mut(&conversation);
        let Some(changing) = session.and_then(|s| s.changing.take()) else {
            return;
        };
        let outcome = if error.code == METHOD_NOT_FOUND && !changing.begun {
            ChangeOutcome::NeedsProcess
        } else {
            ChangeOutcome::Refused {
                message: text(error),
                halfway: changing.begun,
            }
        };
        changed(conversation, outcome, out);
        self.next_change(conversation, out);
    }

    /// Nothing will be answered any more: nor will the changes that wait.
    pub(super) fn abandon_changes(&mut self, out: &mut Output) {
        for (conversation, session) in &mut self.sessions {
            let waiting = usize::from(session.changing.take().is_some()) + session.changes.len();
            session.changes.clear();
            for _ in 0..waiting {
                changed(*conversation, ChangeOutcome::NeedsProcess, out);
            }
        }
    }

    /// Starts an operation.
    pub(super) fn operate(
        &mut self,
        conversation: Conversation,
        number: u64,
        operation: &Operation,
        out: &mut Output,
    ) {
        let session = self.sessions.get(&conversation);
        let Some(session) = session.filter(|s| s.is_ready()) else {
            let message = "the conversation is not open".to_owned();
            let outcome = Err((ErrorKind::Internal, message));
            return operated(conversation, number, outcome, out);
        };
        let outcome = match operation {
            Operation::ListModels {} => session.offers.list_models().ok_or_else(|| {
                let why = "this agent lists no models".to_owned();
                (ErrorKind::Unsupported, why)
            }),
            Operation::ListCommands {} => session
                .commands
                .clone()
                .map(|commands| json!({"commands": commands}))
                .ok_or_else(|| not_told("its commands")),
            Operation::ContextUsage {} => context(session),
            Operation::Fork {} if self.can.fork => return self.fork(conversation, number, out),
            Operation::Fork {}
            | Operation::Compact {}
            | Operation::McpStatus {}
            | Operation::Rewind { .. }
            | Operation::ListTasks {}
            | Operation::StopTasks { .. } => {
                let why = "this agent cannot do it".to_owned();
                Err((ErrorKind::Unsupported, why))
            }
        };
        operated(conversation, number, outcome, out);
    }

    fn fork(&mut self, conversation: Conversation, number: u64, out: &mut Output) {
        let (Some(options), Some(session)) =
            (self.options(conversation), self.sessions.get(&conversation))
        else {
            return;
        };
        let params = json!({
            "sessionId": &*session.id,
            "cwd": options.cwd.to_string_lossy(),
            "mcpServers": [],
        });
        let call = Call::Fork(conversation, number);
        self.calls.write(call, "session/fork", &params, out);
    }

    /// The agent made a second conversation. It is opened elsewhere, and so left here.
    pub(super) fn forked(
        &mut self,
        conversation: Conversation,
        number: u64,
        result: Option<&RawValue>,
        error: Option<&RpcError>,
        out: &mut Output,
    ) {
        let answer: Value = read(result).unwrap_or_default();
        let outcome = match (error, answer["sessionId"].as_str()) {
            (Some(error), _) => Err((ErrorKind::AgentError, text(error))),
            (None, Some(id)) => {
                self.leave(id, None, out);
                Ok(json!({"provider_session_id": id}))
            }
            (None, None) => {
                let message = "the answer names no session".to_owned();
                Err((ErrorKind::ProtocolError, message))
            }
        };
        operated(conversation, number, outcome, out);
    }
}

fn context(session: &Session) -> Outcome {
    let (used, window) = session
        .context
        .ok_or_else(|| not_told("how full its context is"))?;
    Ok(json!({"used_tokens": used, "window_tokens": window}))
}

fn not_told(what: &str) -> (ErrorKind, String) {
    let message = format!("the agent has not told {what} yet");
    (ErrorKind::AgentError, message)
}

fn changed(conversation: Conversation, outcome: ChangeOutcome, out: &mut Output) {
    out.signal(conversation, TurnRef::None, SignalBody::Changed(outcome));
}

fn operated(conversation: Conversation, number: u64, outcome: Outcome, out: &mut Output) {
    let outcome = outcome.and_then(|value| {
        to_raw_value(&value)
            .map(RawJson::from)
            .map_err(|e| (ErrorKind::Internal, e.to_string()))
    });
    let operated = SignalBody::Operated { number, outcome };
    out.signal(conversation, TurnRef::None, operated);
}
