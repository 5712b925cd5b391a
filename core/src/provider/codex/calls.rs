//! Our requests to the app-server, until they are answered.

use std::collections::HashMap;

use serde::Serialize;

use super::wire::write_request;
use crate::ids::TurnId;
use crate::provider::{Conversation, Output};

/// What a request was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    Initialize,
    Open(Conversation),
    Turn(Conversation, TurnId),
    Interrupt(Conversation),
}

/// Gives out ids and remembers what they are for.
#[derive(Debug, Default)]
pub(super) struct Calls {
    last: u64,
    open: HashMap<u64, Call>,
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
}
