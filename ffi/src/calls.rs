//! Sessions: what waits for the agent, or for the session's own thread of work.
//!
//! Each of these is begun when it returns `OK`, and answered by exactly one `CALL_DONE` with its tag, which comes after every
//! event that belongs to it and before `SESSION_CLOSED`. Only what the arguments alone tell is refused at once, and then no
//! event comes.

use std::ffi::c_char;

use runtime::config::read_json;
use runtime::request::Answer;
use runtime::{Change, InterruptOptions, Operation, RequestId, TurnId};
use serde::Serialize;

use crate::boundary::{in_session, string};
use crate::error::{Failure, remuda_error};
use crate::in_flight::{About, Given};
use crate::pool::remuda_pool;
use crate::session::{named, remuda_request, remuda_session, remuda_turn};
use crate::status::remuda_status;

/// Commands that the agent leaves running go on, where it leaves any. Default: they are ended.
pub const REMUDA_INTERRUPT_KEEP_COMMANDS: u32 = 1;
/// What waits in the queue is cancelled. Default: it stays, and the next of it begins.
pub const REMUDA_INTERRUPT_DROP_QUEUE: u32 = 2;

fn json(value: &impl Serialize) -> Result<Given, Failure> {
    let text = serde_json::to_string(value).map_err(|why| Failure::internal(&why))?;
    Ok(given(text))
}

fn given(json: String) -> Given {
    Given {
        json: Some(json),
        begins: None,
    }
}

/// What an interrupt gave, as JSON.
#[derive(Serialize)]
struct Received {
    receipt: runtime::Receipt,
}

/// What a change gave, as JSON.
#[derive(Serialize)]
struct How {
    how: runtime::event::Changed,
}

/// Ends the turn that runs, the host's or the agent's own, or that waits. It ends as interrupted, at the latest after the
/// grace time, unless it ended by itself before. `flags` are `REMUDA_INTERRUPT_…`, or 0.
///
/// Answered by a `CALL_DONE` with `tag`: `{"receipt": "delivered"}`, or `"too_late"` when the turn was over.
///
/// # Safety
///
/// `err` is NULL or valid for one pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn remuda_session_interrupt(
    pool: *mut remuda_pool,
    session: remuda_session,
    turn: remuda_turn,
    flags: u32,
    tag: u64,
    err: *mut *mut remuda_error,
) -> remuda_status {
    in_session(pool, session, err, |_, seat| {
        let turn = named(turn, "turn")?;
        if flags & !(REMUDA_INTERRUPT_KEEP_COMMANDS | REMUDA_INTERRUPT_DROP_QUEUE) != 0 {
            return Err(Failure::invalid("flags", format!("{flags:#x} has others")));
        }
        let options = InterruptOptions {
            keep_commands: flags & REMUDA_INTERRUPT_KEEP_COMMANDS != 0,
            drop_queue: flags & REMUDA_INTERRUPT_DROP_QUEUE != 0,
        };
        let about = About {
            tag,
            turn,
            ..About::default()
        };
        let own = seat.session.clone();
        seat.call(about, async move {
            let receipt = own.interrupt_with(TurnId::from_raw(turn), options).await?;
            json(&Received { receipt })
        })
    })
}

/// Answers a question of the agent, once. `answer_json` is `Answer` in `remuda-options.schema.json`: `{"answer": "allow"}`,
/// `{"answer": "deny", "message": "…"}`, `{"answer": "answers", "answers": {…}}`, `{"answer": "content", "content": {…}}`,
/// and of a host tool `{"answer": "result", "text": "…"}`.
///
/// Answered by a `CALL_DONE` with `tag`; `ALREADY_ANSWERED` says by whom, `STALE` that the question is not open,
/// `INVALID_ARGUMENT` that it does not take this answer: it stays open then.
///
/// # Safety
///
/// `answer_json` is NUL-terminated; `err` is NULL or valid for one pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn remuda_session_answer(
    pool: *mut remuda_pool,
    session: remuda_session,
    request: remuda_request,
    answer_json: *const c_char,
    tag: u64,
    err: *mut *mut remuda_error,
) -> remuda_status {
    in_session(pool, session, err, |_, seat| {
        let request = named(request, "request")?;
        // SAFETY: the contract of this function.
        let answer = unsafe { string(answer_json, "answer_json") }?;
        let answer: Answer = read_json("answer_json", &answer)?;
        let about = About {
            tag,
            request,
            ..About::default()
        };
        let own = seat.session.clone();
        seat.call(about, async move {
            own.answer(RequestId::from_raw(request), answer).await?;
            Ok(Given::default())
        })
    })
}

/// Changes settings: in the running process where the agent can, else by replacing it between two turns. `change_json` is
/// `Change` in `remuda-options.schema.json`: `{"model": "…"}`.
///
/// Answered by a `CALL_DONE` with `tag`: `{"how": "live"}`, `"recycled"`, `"after_turn"`, `"next_process"`.
///
/// # Safety
///
/// `change_json` is NUL-terminated; `err` is NULL or valid for one pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn remuda_session_change(
    pool: *mut remuda_pool,
    session: remuda_session,
    change_json: *const c_char,
    tag: u64,
    err: *mut *mut remuda_error,
) -> remuda_status {
    in_session(pool, session, err, |_, seat| {
        // SAFETY: the contract of this function.
        let change = unsafe { string(change_json, "change_json") }?;
        let change: Change = read_json("change_json", &change)?;
        let about = About {
            tag,
            ..About::default()
        };
        let own = seat.session.clone();
        seat.call(about, async move {
            let how = own.change(change).await?;
            json(&How { how })
        })
    })
}

/// Does something with the conversation beside talking. Starts a process if none runs. `operation_json` is `Operation` in
/// `remuda-options.schema.json`: `{"operation": "compact"}`, `{"operation": "list_models"}`, `{"operation": "fork"}`, …
///
/// Answered by a `CALL_DONE` with `tag` and what the operation gives.
///
/// # Safety
///
/// `operation_json` is NUL-terminated; `err` is NULL or valid for one pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn remuda_session_operate(
    pool: *mut remuda_pool,
    session: remuda_session,
    operation_json: *const c_char,
    tag: u64,
    err: *mut *mut remuda_error,
) -> remuda_status {
    in_session(pool, session, err, |_, seat| {
        // SAFETY: the contract of this function.
        let operation = unsafe { string(operation_json, "operation_json") }?;
        let operation: Operation = read_json("operation_json", &operation)?;
        let about = About {
            tag,
            ..About::default()
        };
        let own = seat.session.clone();
        seat.call(about, async move {
            let json = own.operate(operation).await?;
            Ok(given(json.get().to_owned()))
        })
    })
}
