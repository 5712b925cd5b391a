//! What hosts and the pool tell a session's actor.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::oneshot;

use crate::client::Outcome;
use crate::error::Error;
use crate::event::{Changed, CloseReason, EvictionReason, RawJson};
use crate::host_tools::{ToolCall, ToolResult};
use crate::ids::{ProcessId, RequestId, TurnId};
use crate::message::Message;
use crate::operation::Operation;
use crate::pool::lease::Grant;
use crate::provider::AgentRequest;
use crate::request::Answer;
use crate::session::Receipt;
use crate::session::gate::Entry;
use crate::session::replies::Reply;
use crate::settings::Change;

/// A call of a host, or news from the pool.
///
/// The channel that carries them is not bounded by itself. It is bounded by those who send: one turn
/// at a time and a queue in which also a cancelled message has its place until it was told of (the
/// gate), so many calls that are not answered (`Places`), one word about holds, one about the close
/// and one for each shutdown that a host waits for, one answer of the pool per question, one eviction
/// at a time, so many calls of tools, and so many of the agents' client.
#[derive(Debug)]
pub(crate) enum Call {
    /// A turn was let in.
    Send {
        turn: TurnId,
        entry: Entry,
    },
    /// A message waits in the queue.
    Queued(TurnId),
    /// A message was taken out of the queue.
    Cancelled(TurnId),
    Steer {
        message: Arc<Message>,
        tag: Option<u64>,
        /// The turn that it joined, or why it did not.
        reply: Reply<Result<TurnId, String>>,
    },
    Interrupt {
        turn: TurnId,
        keep_commands: bool,
        /// What waits goes with it, if it hits.
        drop_queue: bool,
        reply: Reply<Receipt>,
    },
    Answer {
        request: RequestId,
        answer: Answer,
        reply: Reply<Result<(), Error>>,
    },
    Change {
        change: Change,
        reply: Reply<Result<Changed, Error>>,
    },
    Operate {
        operation: Operation,
        reply: Reply<Result<RawJson, Error>>,
    },
    /// The agent calls a tool of the host over our own server.
    Tool {
        call: ToolCall,
        reply: oneshot::Sender<ToolResult>,
    },
    /// Nobody waits for the result of that call any more.
    ToolLeft(u64),
    /// What the agent of a process had done by its client.
    Served {
        process: ProcessId,
        request: AgentRequest,
        outcome: Outcome,
    },
    /// The host holds the session, or does not any more: see `Holds`.
    Held,
    Close {
        reason: CloseReason,
        by: Option<Instant>,
    },
    Granted {
        ticket: u64,
        grant: Grant,
    },
    Denied {
        ticket: u64,
        error: Error,
    },
    Evict(EvictionReason),
    #[cfg(test)]
    Panic,
}
