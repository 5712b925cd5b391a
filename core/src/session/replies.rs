//! Calls of hosts that wait for what becomes of them.

use std::collections::HashMap;

use tokio::sync::oneshot;

use crate::error::Error;
use crate::event::{Changed, RawJson};
use crate::session::Receipt;

/// Who waits. Dropping it tells everybody that the session is gone.
#[derive(Debug, Default)]
pub(super) struct Replies {
    last: u64,
    /// Answered within the step that they cause.
    pub(super) receipt: Option<oneshot::Sender<Receipt>>,
    pub(super) answered: Option<oneshot::Sender<Result<(), Error>>>,
    /// Answered when the agent does.
    pub(super) steers: HashMap<u64, Steering>,
    pub(super) changes: HashMap<u64, oneshot::Sender<Result<Changed, Error>>>,
    pub(super) operations: HashMap<u64, oneshot::Sender<Result<RawJson, Error>>>,
}

/// A message that is to join the running turn.
#[derive(Debug)]
pub(super) struct Steering {
    pub(super) text: String,
    pub(super) tag: Option<u64>,
    pub(super) reply: oneshot::Sender<Option<String>>,
}

impl Replies {
    /// A number for a call that is answered later.
    pub(super) fn number(&mut self) -> u64 {
        self.last += 1;
        self.last
    }
}

/// Tells whoever asked, if it still waits.
pub(super) fn tell<T>(reply: Option<oneshot::Sender<T>>, outcome: T) {
    if let Some(reply) = reply {
        let _ = reply.send(outcome);
    }
}
