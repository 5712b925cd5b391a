//! What hosts and the pool tell a session's actor.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::oneshot;

use crate::error::Error;
use crate::event::{Changed, CloseReason, EvictionReason, RawJson};
use crate::host_tools::{ToolCall, ToolResult};
use crate::ids::{RequestId, TurnId};
use crate::message::Message;
use crate::operation::Operation;
use crate::pool::lease::Grant;
use crate::request::Answer;
use crate::session::Receipt;
use crate::session::gate::{Entry, Waiting};
use crate::settings::Change;

/// A call of a host, or news from the pool.
///
/// The channel that carries them is not bounded by itself. It is bounded by those who send: one turn
/// at a time and a bounded queue (the gate), one answer of the pool per question, one eviction at a
/// time, and so many calls of tools; everything else is a call of the host, most of which it waits for.
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
    Cancelled(Waiting),
    Steer {
        message: Arc<Message>,
        tag: Option<u64>,
        /// The turn that it joined, or why it did not.
        reply: oneshot::Sender<Result<TurnId, String>>,
    },
    Interrupt {
        turn: TurnId,
        keep_commands: bool,
        reply: oneshot::Sender<Receipt>,
    },
    Answer {
        request: RequestId,
        answer: Answer,
        reply: oneshot::Sender<Result<(), Error>>,
    },
    Change {
        change: Change,
        reply: oneshot::Sender<Result<Changed, Error>>,
    },
    Operate {
        operation: Operation,
        reply: oneshot::Sender<Result<RawJson, Error>>,
    },
    /// The agent calls a tool of the host over our own server.
    Tool {
        call: ToolCall,
        reply: oneshot::Sender<ToolResult>,
    },
    /// Nobody waits for the result of that call any more.
    ToolLeft(u64),
    Hold(bool),
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
}
