//! Our requests to the app-server, until they are answered.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use super::settings::Settings;
use super::wire::write_request;
use crate::ids::TurnId;
use crate::operation::Operation;
use crate::provider::{Conversation, Output};
use crate::settings::Change;

/// What a request was for.
#[derive(Debug)]
pub(super) enum Call {
    Initialize,
    Open(Conversation),
    Turn(Conversation, TurnId),
    Interrupt(Conversation),
    Steer(Conversation, u64),
    Change(Conversation, Changing),
    /// What the agent is configured to, for a change that needs it.
    Configured(Conversation, Arc<Change>),
    Operate(Conversation, Operating),
    /// A thread's commands are to end, after an interrupt.
    Clean(Conversation, Box<str>),
    /// Which of a thread's commands still run.
    Running(Conversation, Box<str>),
    /// A thread is left.
    Leave(Box<str>),
    /// Whatever is answered changes nothing.
    Aside,
}

/// A change of a thread's settings.
#[derive(Debug)]
pub(super) struct Changing {
    /// What holds again if it is refused.
    pub before: Box<Settings>,
    pub change: Arc<Change>,
}

/// An operation that the agent works on.
#[derive(Debug)]
pub(super) struct Operating {
    pub number: u64,
    pub operation: Arc<Operation>,
    /// What earlier pages of a list gave.
    pub gathered: Vec<Value>,
}

/// Gives out ids and remembers what they are for.
#[derive(Debug, Default)]
pub(super) struct Calls {
    last: u64,
    open: BTreeMap<u64, Call>,
}

impl Calls {
    /// Writes a request.
    pub(super) fn write(
        &mut self,
        call: Call,
        method: &str,
        params: &impl Serialize,
        out: &mut Output,
    ) {
        self.last += 1;
        self.open.insert(self.last, call);
        write_request(&mut out.bytes, self.last, method, params);
    }

    /// What this answers; `None` if we did not ask, or were answered before.
    pub(super) fn answered(&mut self, id: &str) -> Option<Call> {
        self.open.remove(&id.parse().ok()?)
    }

    /// What waits for this answer.
    pub(super) fn of(&self, id: &str) -> Option<&Call> {
        self.open.get(&id.parse().ok()?)
    }

    /// The changes of a conversation that are not answered, oldest first.
    pub(super) fn changes_of(
        &mut self,
        conversation: Conversation,
    ) -> impl Iterator<Item = &mut Changing> {
        let open = self.open.values_mut();
        open.filter_map(move |call| {
            if let Call::Change(of, changing) = call {
                (*of == conversation).then_some(changing)
            } else {
                None
            }
        })
    }

    /// Nothing will be answered any more: takes out what waits, oldest first.
    pub(super) fn abandon(&mut self) -> Vec<Call> {
        std::mem::take(&mut self.open).into_values().collect()
    }
}
