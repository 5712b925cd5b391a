//! Our requests to the agent, until they are answered.

use std::collections::BTreeMap;

use serde::Serialize;

use super::settings::Step;
use super::wire::write_request;
use crate::ids::TurnId;
use crate::provider::{Conversation, Output};

/// What a request was for.
#[derive(Debug)]
pub(super) enum Call {
    Initialize,
    /// A login, so that this conversation can be opened.
    Login(Conversation),
    Open(Conversation),
    /// A setting, before a conversation is ready or after.
    Set(Conversation, Step),
    Prompt(Conversation, TurnId),
    Steer(Conversation, TurnId, u64),
    Fork(Conversation, u64),
    /// The agent is to let go of a conversation, for which that one waits.
    Close(Option<Conversation>),
}

/// Gives out ids and remembers what they are for. The agent numbers its own requests by itself;
/// these are never looked for here.
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

    /// What an answer with this id would be for.
    pub(super) fn of(&self, id: &str) -> Option<&Call> {
        self.open.get(&id.parse().ok()?)
    }

    /// Whether a fork is under way, whose history the agent may show.
    pub(super) fn forks(&self) -> bool {
        self.open
            .values()
            .any(|call| matches!(call, Call::Fork(..)))
    }

    /// Nothing will be answered any more: takes out what waits, oldest first.
    pub(super) fn abandon(&mut self) -> Vec<Call> {
        std::mem::take(&mut self.open).into_values().collect()
    }
}
