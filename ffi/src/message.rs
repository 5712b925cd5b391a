//! What a host says: text, what is attached, and how it is sent.

use std::ffi::c_char;

use runtime::{Message, OnBusy, SendOptions, Sent};
use serde::Serialize;

use crate::boundary::bulk;
use crate::config::parsed;
use crate::error::Failure;
use crate::message_options::MessageOptions;
use crate::session::remuda_turn;
use crate::sized::{Layout, init, sized};

/// What becomes of a message while a turn runs: `REMUDA_ON_BUSY_…`.
pub type remuda_on_busy = u32;
/// It is refused with `TURN_IN_PROGRESS`.
pub const REMUDA_ON_BUSY_REJECT: u32 = 0;
/// It waits, and runs as a turn of its own.
pub const REMUDA_ON_BUSY_QUEUE: u32 = 1;
/// It joins the running turn; where the agent cannot do that, or the turn is too far, it waits.
pub const REMUDA_ON_BUSY_STEER: u32 = 2;

/// What became of a message: `REMUDA_SENT_…`.
pub type remuda_sent_state = u32;
/// It runs.
pub const REMUDA_SENT_STARTED: u32 = 1;
/// It waits in the queue.
pub const REMUDA_SENT_QUEUED: u32 = 2;
/// It joined the running turn, and has no end of its own.
pub const REMUDA_SENT_STEERED: u32 = 3;
/// It is to join the running turn, and the agent has not shown yet whether it does: a `CALL_DONE` with its tag tells.
pub const REMUDA_SENT_UNDER_WAY: u32 = 4;

/// A message. Fill it with `remuda_message_init`, then set what you need.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct remuda_message {
    /// The size of this struct as you know it.
    pub struct_size: usize,
    /// The text: UTF-8.
    pub text: *const c_char,
    /// Its length in bytes.
    pub text_len: usize,
    /// Yours, in the events of its turn. 0: none.
    pub tag: u64,
    /// What becomes of it while a turn runs. Default: it is refused.
    pub on_busy: remuda_on_busy,
    /// Must be 0.
    pub reserved: u32,
    /// Attachments, an output schema, a budget, as a JSON object: `MessageOptions` in `remuda-options.schema.json`. May be NULL.
    pub options_json: *const c_char,
}

/// What became of a message. Set `struct_size` with `remuda_sent_init` before the call.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct remuda_sent {
    /// The size of this struct as you know it.
    pub struct_size: usize,
    /// Its turn; of `STEERED` the turn that it joined; of `UNDER_WAY` 0.
    pub turn: remuda_turn,
    /// Of `QUEUED`: how many wait before it.
    pub position: u64,
    /// What became of it.
    pub state: remuda_sent_state,
    /// 0.
    pub reserved: u32,
}

// SAFETY: it is `repr(C)`, begins with its size, and holds numbers and pointers alone.
unsafe impl Layout for remuda_message {}

// SAFETY: it is `repr(C)`, begins with its size, and holds numbers and pointers alone.
unsafe impl Layout for remuda_sent {}

/// Fills a message with defaults.
///
/// # Safety
///
/// `message` is NULL or valid for writing `struct_size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn remuda_message_init(message: *mut remuda_message, struct_size: usize) {
    // SAFETY: the contract of this function.
    unsafe { init(message, struct_size) };
}

/// Prepares the output of `remuda_session_send_message`.
///
/// # Safety
///
/// `sent` is NULL or valid for writing `struct_size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn remuda_sent_init(sent: *mut remuda_sent, struct_size: usize) {
    // SAFETY: the contract of this function.
    unsafe { init(sent, struct_size) };
}

/// Copies a message of the host.
///
/// # Safety
///
/// A non-NULL `message` must be valid for reading as many bytes as its `struct_size` says; what it points to must be as
/// the struct says.
pub(crate) unsafe fn read(
    message: *const remuda_message,
) -> Result<(Message, SendOptions), Failure> {
    // SAFETY: passed on to the caller.
    let (message, text, options) = unsafe {
        let message = sized(message, "message")?;
        let text = bulk(message.text, message.text_len, "text")?;
        let options: MessageOptions = parsed(message.options_json, "options_json")?;
        (message, text, options)
    };
    if message.reserved != 0 {
        let why = format!("{} is not 0", message.reserved);
        return Err(Failure::invalid("reserved", why));
    }
    let on_busy = match message.on_busy {
        REMUDA_ON_BUSY_REJECT => OnBusy::Reject,
        REMUDA_ON_BUSY_QUEUE => OnBusy::Queue,
        REMUDA_ON_BUSY_STEER => OnBusy::Steer,
        other => return Err(Failure::invalid("on_busy", format!("{other} is none"))),
    };
    let send = SendOptions {
        tag: tagged(message.tag),
        on_busy,
        budget: options.budget,
    };
    let message = Message {
        text,
        attachments: options.attachments,
        output_schema: options.output_schema,
    };
    Ok((message, send))
}

/// 0 is none.
pub(crate) fn tagged(tag: u64) -> Option<u64> {
    (tag != 0).then_some(tag)
}

/// What became of a message, as JSON in a `CALL_DONE`.
#[derive(Debug, Serialize)]
#[serde(tag = "sent", rename_all = "snake_case")]
enum SentJson {
    Started {
        turn: u64,
    },
    Queued {
        turn: u64,
        position: usize,
        why: Option<String>,
    },
    Steered {
        into: u64,
    },
}

/// Core's answer in the shapes of C: the struct, and the JSON.
pub(crate) fn told(sent: Sent) -> (remuda_sent, String) {
    let (state, turn, position, json) = match sent {
        Sent::Started(turn) => {
            let turn = turn.id().get();
            (REMUDA_SENT_STARTED, turn, 0, SentJson::Started { turn })
        }
        Sent::Queued {
            turn,
            position,
            why,
        } => {
            let turn = turn.id().get();
            let json = SentJson::Queued {
                turn,
                position,
                why,
            };
            (REMUDA_SENT_QUEUED, turn, position, json)
        }
        Sent::Steered { into } => {
            let into = into.get();
            (REMUDA_SENT_STEERED, into, 0, SentJson::Steered { into })
        }
    };
    let told = remuda_sent {
        state,
        turn,
        position: position as u64,
        ..remuda_sent::default()
    };
    (told, serde_json::to_string(&json).unwrap_or_default())
}
