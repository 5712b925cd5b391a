//! Calls of hosts that wait for what becomes of them.

use std::collections::HashMap;

use tokio::sync::oneshot;

use crate::error::Error;
use crate::event::{Changed, RawJson};
use crate::host_tools::ToolResult;
use crate::ids::TurnId;
use crate::session::Receipt;

/// Who waits. Dropping it tells everybody that the session is gone.
#[derive(Debug, Default)]
pub(super) struct Replies {
    last: u64,
    /// Answers that are told when what they say can be seen.
    due: Vec<Due>,
    /// Answered within the step that they cause.
    pub(super) receipt: Option<oneshot::Sender<Receipt>>,
    pub(super) answered: Option<oneshot::Sender<Result<(), Error>>>,
    /// Answered when the agent does.
    pub(super) steers: HashMap<u64, Steering>,
    pub(super) changes: HashMap<u64, oneshot::Sender<Result<Changed, Error>>>,
    pub(super) operations: HashMap<u64, oneshot::Sender<Result<RawJson, Error>>>,
    /// Answered when the host does.
    pub(super) tools: HashMap<u64, oneshot::Sender<ToolResult>>,
}

/// A message that is to join the running turn.
#[derive(Debug)]
pub(super) struct Steering {
    pub(super) text: String,
    pub(super) tag: Option<u64>,
    pub(super) reply: oneshot::Sender<Result<TurnId, String>>,
}

impl Replies {
    /// Answers an interrupt.
    pub(super) fn receipt(&mut self, receipt: Receipt) {
        let reply = self.receipt.take();
        self.due.extend(reply.map(|r| Due::Receipt(r, receipt)));
    }

    /// Answers an answer.
    pub(super) fn answered(&mut self, outcome: Result<(), Error>) {
        let reply = self.answered.take();
        self.due.extend(reply.map(|r| Due::Done(r, outcome)));
    }

    /// Answers a message that was to join.
    pub(super) fn steered(&mut self, steering: Steering, outcome: Result<TurnId, String>) {
        self.due.push(Due::Steered(steering.reply, outcome));
    }

    /// Answers a change.
    pub(super) fn changed(&mut self, number: u64, outcome: Result<Changed, Error>) {
        let reply = self.changes.remove(&number);
        self.due.extend(reply.map(|r| Due::Changed(r, outcome)));
    }

    /// Refuses a change before it is made.
    pub(super) fn not_changed(
        &mut self,
        reply: oneshot::Sender<Result<Changed, Error>>,
        error: Error,
    ) {
        self.due.push(Due::Changed(reply, Err(error)));
    }

    /// Answers an operation.
    pub(super) fn operated(&mut self, number: u64, outcome: Result<RawJson, Error>) {
        let reply = self.operations.remove(&number);
        self.due.extend(reply.map(|r| Due::Operated(r, outcome)));
    }

    /// Answers a call of a tool.
    pub(super) fn called(&mut self, number: u64, result: ToolResult) {
        let reply = self.tools.remove(&number);
        self.due.extend(reply.map(|r| Due::Called(r, result)));
    }

    /// Tells all that is due, after the log. Who does not wait any more is not told.
    pub(super) fn tell(&mut self) {
        for due in self.due.drain(..) {
            match due {
                Due::Receipt(reply, receipt) => drop(reply.send(receipt)),
                Due::Done(reply, outcome) => drop(reply.send(outcome)),
                Due::Steered(reply, outcome) => drop(reply.send(outcome)),
                Due::Changed(reply, outcome) => drop(reply.send(outcome)),
                Due::Operated(reply, outcome) => drop(reply.send(outcome)),
                Due::Called(reply, result) => drop(reply.send(result)),
            }
        }
    }

    /// A number for a call that is answered later.
    pub(super) fn number(&mut self) -> u64 {
        self.last += 1;
        self.last
    }
}

/// An answer and who is told it.
#[derive(Debug)]
enum Due {
    Receipt(oneshot::Sender<Receipt>, Receipt),
    Done(oneshot::Sender<Result<(), Error>>, Result<(), Error>),
    Steered(
        oneshot::Sender<Result<TurnId, String>>,
        Result<TurnId, String>,
    ),
    Changed(
        oneshot::Sender<Result<Changed, Error>>,
        Result<Changed, Error>,
    ),
    Operated(
        oneshot::Sender<Result<RawJson, Error>>,
        Result<RawJson, Error>,
    ),
    Called(oneshot::Sender<ToolResult>, ToolResult),
}
