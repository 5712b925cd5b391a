//! Calls of hosts that wait for what becomes of them.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::error::{Error, ErrorKind};
use crate::event::{Changed, RawJson};
use crate::host_code::fenced;
use crate::host_tools::ToolResult;
use crate::ids::TurnId;
use crate::session::Receipt;

/// So many calls of one session may wait for their answers.
const CALLS: usize = 1024;

/// The places of calls that are not answered. It bounds them also where hosts drop the futures, which
/// takes no call back.
#[derive(Debug)]
pub(crate) struct Places(Arc<Semaphore>);

impl Default for Places {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(CALLS)))
    }
}

impl Places {
    /// A way back for a call.
    pub(crate) fn reply<T>(&self) -> Result<(Reply<T>, oneshot::Receiver<T>), Error> {
        let place = Arc::clone(&self.0).try_acquire_owned().map_err(|_| {
            let message = format!("{CALLS} calls of the session wait for their answers");
            Error::new(ErrorKind::Backlog, message)
        })?;
        let (to, answer) = oneshot::channel();
        let reply = Reply {
            to: Some(to),
            _place: place,
        };
        Ok((reply, answer))
    }
}

/// Tells a host what became of its call. Dropped, it tells that nothing comes. Whoever waits may do
/// anything when it is woken.
#[derive(Debug)]
pub(crate) struct Reply<T> {
    to: Option<oneshot::Sender<T>>,
    _place: OwnedSemaphorePermit,
}

impl<T> Reply<T> {
    /// Who does not wait any more is not told.
    pub(crate) fn tell(mut self, answer: T) {
        if let Some(to) = self.to.take() {
            fenced(|| drop(to.send(answer)));
        }
    }
}

impl<T> Drop for Reply<T> {
    fn drop(&mut self) {
        let to = self.to.take();
        fenced(|| drop(to));
    }
}

/// Who waits. Dropping it tells everybody that the session is gone.
#[derive(Debug, Default)]
pub(super) struct Replies {
    last: u64,
    /// Answers that are told when what they say can be seen.
    due: Vec<Due>,
    /// Answered within the step that they cause.
    pub(super) receipt: Option<Reply<Receipt>>,
    pub(super) answered: Option<Reply<Result<(), Error>>>,
    /// Answered when the agent does.
    pub(super) steers: HashMap<u64, Steering>,
    pub(super) changes: HashMap<u64, Reply<Result<Changed, Error>>>,
    pub(super) operations: HashMap<u64, Reply<Result<RawJson, Error>>>,
    /// Answered when the host does.
    pub(super) tools: HashMap<u64, oneshot::Sender<ToolResult>>,
}

/// A message that is to join the running turn.
#[derive(Debug)]
pub(super) struct Steering {
    pub(super) text: String,
    pub(super) tag: Option<u64>,
    pub(super) reply: Reply<Result<TurnId, String>>,
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
    pub(super) fn not_changed(&mut self, reply: Reply<Result<Changed, Error>>, error: Error) {
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

    /// Whether an interrupt of this step has hit a turn.
    pub(super) fn has_hit(&self) -> bool {
        let hit = |due: &Due| matches!(due, Due::Receipt(_, hit) if *hit != Receipt::TooLate);
        self.due.iter().any(hit)
    }

    /// Tells all that is due, after the log.
    pub(super) fn tell(&mut self) {
        for due in self.due.drain(..) {
            match due {
                Due::Receipt(reply, receipt) => reply.tell(receipt),
                Due::Done(reply, outcome) => reply.tell(outcome),
                Due::Steered(reply, outcome) => reply.tell(outcome),
                Due::Changed(reply, outcome) => reply.tell(outcome),
                Due::Operated(reply, outcome) => reply.tell(outcome),
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
    Receipt(Reply<Receipt>, Receipt),
    Done(Reply<Result<(), Error>>, Result<(), Error>),
    Steered(Reply<Result<TurnId, String>>, Result<TurnId, String>),
    Changed(Reply<Result<Changed, Error>>, Result<Changed, Error>),
    Operated(Reply<Result<RawJson, Error>>, Result<RawJson, Error>),
    Called(oneshot::Sender<ToolResult>, ToolResult),
}
