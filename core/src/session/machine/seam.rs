//! What goes into the machine, and what comes out of it.

use std::sync::Arc;
use std::time::Instant;

use crate::budget::Budget;
use crate::client::ClientCall;
use crate::config::Mode;
use crate::error::Error;
use crate::event::{Body, Changed, CloseReason, EvictionReason, RawJson};
use crate::host_tools::{ToolCall, ToolResult};
use crate::ids::{ProcessId, RequestId, TurnId};
use crate::message::Message;
use crate::operation::Operation;
use crate::pool::slots::{Given, Want};
use crate::process::{Report, Stop};
use crate::provider::{AgentRequest, Request, Signal};
use crate::request::Answer;
use crate::session::Receipt;
use crate::settings::Change;

/// What can happen to a session.
#[derive(Debug)]
pub(crate) enum Input {
    /// The host sent a turn; the last one is over.
    Send {
        turn: TurnId,
        tag: Option<u64>,
        message: Arc<Message>,
        budget: Budget,
    },
    /// The host wants the message in the running turn.
    Steer { steer: u64, message: Arc<Message> },
    /// The host answers a question.
    Answer { request: RequestId, answer: Answer },
    /// The agent calls a tool of the host over our own server.
    ToolCalled(ToolCall),
    /// It no longer waits for that call.
    ToolLeft(u64),
    /// The host changes settings, which the next process gets unless the agent refuses them. `live`:
    /// it may take all of them in the running one.
    Change {
        number: u64,
        change: Arc<Change>,
        live: bool,
    },
    /// The host wants something done with the conversation.
    Operate {
        number: u64,
        operation: Arc<Operation>,
    },
    /// The host wants the turn to end. Commands that it started may go on if they are kept.
    Interrupt { turn: TurnId, keep_commands: bool },
    /// The pool grants what was acquired.
    Granted(Given),
    /// The pool does not.
    Denied(Error),
    /// The pool wants the process back.
    Evict(EvictionReason),
    /// A process says something about itself. Its signals come as `Signal`.
    Report(ProcessId, Report),
    /// The agent says something.
    Signal(ProcessId, Signal),
    /// The host is behind, and the agent is not listened to; or that is over.
    Paused(bool),
    /// The host wants the session to keep its process, or no longer does. They are counted.
    Hold(bool),
    /// The host is done with the session. A process that still runs ends by `by`.
    Close {
        reason: CloseReason,
        by: Option<Instant>,
    },
    /// Time went by.
    Tick,
}

/// What the actor has to do next.
#[derive(Debug)]
pub(crate) enum Effect {
    /// Ask the pool.
    Acquire(Want),
    /// Take the question to the pool back, or the grant that came for it.
    Abandon,
    /// Start a process with what was granted, or take the seat in one.
    Start {
        process: ProcessId,
        mode: Mode,
        resume: Option<Resume>,
        cost_usd: f64,
    },
    /// The process is ready or given up: let others start.
    StartDone,
    /// Tell the process.
    Ask(ProcessId, Request),
    /// Do what the process's agent wants done by its client, and tell the process what became of it.
    Serve(ProcessId, AgentRequest, ClientCall),
    /// Nobody waits for that any more.
    Forgo(ProcessId, AgentRequest),
    /// End the process; leave it, if others may use it.
    Stop(ProcessId, Stop),
    /// Give the slot or the seat back.
    FreeSlot,
    /// Tell the pool that the session has nothing to do.
    Idle,
    /// Tell the pool that it has.
    Busy,
    /// Tell the pool that the session is not evicted.
    RefuseEviction,
    /// Answer the interrupt.
    Receipt(Receipt),
    /// Answer the answer.
    Answered(Result<(), Error>),
    /// Answer the change, which holds in the next process in any case.
    ChangeDone { number: u64, how: Changed },
    /// Answer the change, which holds nowhere.
    ChangeRefused { number: u64, error: Error },
    /// Answer the message that was to join: nobody knows whether it did.
    SteerLost { steer: u64 },
    /// Answer the message that was to join: the turn that it joined, or why it did not. `over`: that
    /// turn has its end already.
    SteerDone {
        steer: u64,
        outcome: Result<TurnId, String>,
        over: bool,
    },
    /// Answer the operation.
    Operated {
        number: u64,
        outcome: Result<RawJson, Error>,
    },
    /// Answer the agent's call of a tool over our own server.
    ToolDone { number: u64, result: ToolResult },
    /// Tell the host.
    Show(Option<TurnId>, Body),
    /// It is over. Comes after `SessionClosed` was shown.
    Closed,
}

/// What a process goes on with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Resume {
    pub conversation: String,
    /// Where in it; `None`: at its end.
    pub back_to: Option<String>,
}
