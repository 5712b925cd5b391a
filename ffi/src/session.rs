//! Sessions: what is answered at once.

use std::ffi::c_char;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use runtime::{Message, OnBusy, SendOptions, TurnId};

use crate::boundary::{bulk, in_pool, in_session};
use crate::config::remuda_session_config;
use crate::error::{Failure, remuda_error};
use crate::in_flight::{About, Given};
use crate::message::{
    REMUDA_SENT_STEERED, REMUDA_SENT_UNDER_WAY, remuda_message, remuda_sent, tagged, told,
};
use crate::pool::remuda_pool;
use crate::provoke;
use crate::seat::Seat;
use crate::sized::{check_size, give_sized, sized};
use crate::status::remuda_status;
use crate::text::give_json;

/// Names a session. Never reused, 0 = none. After its last event it is answered with `CLOSED`.
pub type remuda_session = u64;
/// Names a turn: an accepted message and everything until its one end. Never reused, 0 = none.
pub type remuda_turn = u64;
/// Names a question of an agent. Never reused, 0 = none.
pub type remuda_request = u64;

/// Opens a session. Starts no process: the first turn does. `session` may be NULL: `session_data` comes back in every event.
/// Events of the session may be delivered before this returns.
///
/// # Safety
///
/// `config` is valid, as its `struct_size` says, with strings that are NULL or NUL-terminated; `session` is NULL or valid
/// for one number; `err` is NULL or valid for one pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn remuda_session_open(
    pool: *mut remuda_pool,
    config: *const remuda_session_config,
    session: *mut remuda_session,
    err: *mut *mut remuda_error,
) -> remuda_status {
    in_pool(pool, err, |herd| {
        // SAFETY: the contract of this function.
        let (config, options) = unsafe {
            let config = sized(config, "config")?;
            (config, config.options()?)
        };
        provoke::at(&options.provider);
        let id = herd.open(options, config.session_data)?;
        // SAFETY: the contract of this function.
        if let Some(session) = unsafe { session.as_mut() } {
            *session = id;
        }
        Ok(())
    })
}

/// Sends text. Accepted or refused at once: an accepted turn gets exactly one end. `tag` is yours and comes back in every
/// event of the turn; 0 is none. `turn` may be NULL.
///
/// `TURN_IN_PROGRESS` while a turn runs: see `remuda_session_send_message` for more.
///
/// # Safety
///
/// `text` is valid for reading `text_len` bytes; `turn` is NULL or valid for one number; `err` is NULL or valid for one
/// pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn remuda_session_send(
    pool: *mut remuda_pool,
    session: remuda_session,
    text: *const c_char,
    text_len: usize,
    tag: u64,
    turn: *mut remuda_turn,
    err: *mut *mut remuda_error,
) -> remuda_status {
    in_session(pool, session, err, |_, seat| {
        // SAFETY: the contract of this function.
        let text = unsafe { bulk(text, text_len, "text") }?;
        let sent = seat.session.send_tagged(text, tagged(tag))?;
        // SAFETY: the contract of this function.
        if let Some(turn) = unsafe { turn.as_mut() } {
            *turn = sent.id().get();
        }
        Ok(())
    })
}

/// Sends a message: text with attachments, with a budget, into the queue, into the running turn.
///
/// With `REMUDA_ON_BUSY_REJECT` and `REMUDA_ON_BUSY_QUEUE` it is accepted or refused at once, and `sent` (may be NULL) says
/// what became of it. With `REMUDA_ON_BUSY_STEER` the agent decides: `sent` says `REMUDA_SENT_UNDER_WAY`, and one `CALL_DONE` with
/// the message's tag tells: `{"sent": "steered", "into": turn}`, `{"sent": "queued", "turn": …, "position": …, "why": …}`,
/// `{"sent": "started", "turn": …}`, or the status of a refusal; of a turn of its own after that turn's first event. What can be
/// told at once, as of an empty message or a file that cannot be read, is refused at once, and no event comes. Files that are
/// attached are read within the call.
///
/// # Safety
///
/// `message` is valid, as its `struct_size` says; `sent` is NULL or valid for writing as many bytes as its `struct_size`
/// says; `err` is NULL or valid for one pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn remuda_session_send_message(
    pool: *mut remuda_pool,
    session: remuda_session,
    message: *const remuda_message,
    sent: *mut remuda_sent,
    err: *mut *mut remuda_error,
) -> remuda_status {
    in_session(pool, session, err, |_, seat| {
        // SAFETY: the contract of this function.
        let (message, options) = unsafe { crate::message::read(message) }?;
        if !sent.is_null() {
            // SAFETY: the contract of this function. A bad size is found before anything is sent.
            unsafe { check_size(sent, "sent") }?;
        }
        let became = match options.on_busy {
            OnBusy::Reject | OnBusy::Queue => at_once(seat, message, options)?,
            OnBusy::Steer => steer(seat, message, options)?,
        };
        if sent.is_null() {
            return Ok(());
        }
        // SAFETY: the contract of this function.
        unsafe { give_sized(sent, &became, "sent") }
    })
}

/// Sends a message of which core knows at once what becomes of it.
fn at_once(seat: &Seat, message: Message, options: SendOptions) -> Result<remuda_sent, Failure> {
    let mut entering = pin!(seat.session.send_with(message, options));
    let mut context = Context::from_waker(Waker::noop());
    match entering.as_mut().poll(&mut context) {
        Poll::Ready(became) => Ok(told(became?).0),
        Poll::Pending => Err(Failure::internal(&"a message waits that need not")),
    }
}

/// Sends a message that is to join the running turn.
fn steer(seat: &Seat, message: Message, options: SendOptions) -> Result<remuda_sent, Failure> {
    let about = About {
        tag: options.tag.unwrap_or(0),
        ..About::default()
    };
    let own = seat.session.clone();
    seat.call_or_refuse(about, async move {
        let (became, json) = told(own.send_with(message, options).await?);
        Ok(Given {
            json: Some(json),
            begins: (became.state != REMUDA_SENT_STEERED).then_some(became.turn),
        })
    })?;
    Ok(remuda_sent {
        state: REMUDA_SENT_UNDER_WAY,
        ..remuda_sent::default()
    })
}

/// Puts another message in the place of a waiting one. Its tag and `on_busy` are not looked at.
///
/// `STALE` when it began, or never waited.
///
/// # Safety
///
/// `message` is valid, as its `struct_size` says; `err` is NULL or valid for one pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn remuda_session_edit(
    pool: *mut remuda_pool,
    session: remuda_session,
    turn: remuda_turn,
    message: *const remuda_message,
    err: *mut *mut remuda_error,
) -> remuda_status {
    in_session(pool, session, err, |_, seat| {
        let turn = named(turn, "turn")?;
        // SAFETY: the contract of this function.
        let (message, _) = unsafe { crate::message::read(message) }?;
        Ok(seat.session.edit(TurnId::from_raw(turn), message)?)
    })
}

/// Takes a waiting message out of the queue. Its turn ends as interrupted.
///
/// `STALE` when it began, or never waited.
///
/// # Safety
///
/// `err` is NULL or valid for one pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn remuda_session_cancel(
    pool: *mut remuda_pool,
    session: remuda_session,
    turn: remuda_turn,
    err: *mut *mut remuda_error,
) -> remuda_status {
    in_session(pool, session, err, |_, seat| {
        let turn = named(turn, "turn")?;
        Ok(seat.session.cancel(TurnId::from_raw(turn))?)
    })
}

/// Keeps the session's process from eviction. Holds are counted: as many `remuda_session_unhold` let it go.
///
/// # Safety
///
/// `err` is NULL or valid for one pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn remuda_session_hold(
    pool: *mut remuda_pool,
    session: remuda_session,
    err: *mut *mut remuda_error,
) -> remuda_status {
    in_session(pool, session, err, |_, seat| seat.hold())
}

/// Takes one hold back. `INVALID_ARGUMENT` when there is none.
///
/// # Safety
///
/// `err` is NULL or valid for one pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn remuda_session_unhold(
    pool: *mut remuda_pool,
    session: remuda_session,
    err: *mut *mut remuda_error,
) -> remuda_status {
    in_session(pool, session, err, |_, seat| seat.unhold())
}

/// Gives what the session is at this moment, as JSON of yours, to be freed with `remuda_string_free`: provider, conversation,
/// running turn, queue, open questions, the next `seq`.
///
/// # Safety
///
/// `json` is valid for one pointer; `len` is NULL or valid for one number; `err` is NULL or valid for one pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn remuda_session_snapshot(
    pool: *mut remuda_pool,
    session: remuda_session,
    json: *mut *mut c_char,
    len: *mut usize,
    err: *mut *mut remuda_error,
) -> remuda_status {
    in_session(pool, session, err, |_, seat| {
        // SAFETY: the contract of this function.
        unsafe { give_json(&seat.session.snapshot(), json, len) }
    })
}

/// Gives the options that the session was opened with, as JSON of yours, to be freed with `remuda_string_free`.
///
/// # Safety
///
/// `json` is valid for one pointer; `len` is NULL or valid for one number; `err` is NULL or valid for one pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn remuda_session_options(
    pool: *mut remuda_pool,
    session: remuda_session,
    json: *mut *mut c_char,
    len: *mut usize,
    err: *mut *mut remuda_error,
) -> remuda_status {
    in_session(pool, session, err, |_, seat| {
        // SAFETY: the contract of this function.
        unsafe { give_json(seat.session.options(), json, len) }
    })
}

/// Closes the session: a running turn ends as failed with `CLOSED`, the process is stopped, and when its whole tree is gone
/// comes the last event, `SESSION_CLOSED`, which names what could not be ended. Returns at once; a second call does nothing, and is answered with
/// `CLOSED` once the last event was delivered.
///
/// # Safety
///
/// `err` is NULL or valid for one pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn remuda_session_close(
    pool: *mut remuda_pool,
    session: remuda_session,
    err: *mut *mut remuda_error,
) -> remuda_status {
    in_session(pool, session, err, |_, seat| {
        seat.session.close();
        Ok(())
    })
}

/// Reports a turn or a question that is none.
pub(crate) fn named(number: u64, name: &str) -> Result<u64, Failure> {
    if number == 0 {
        return Err(Failure::invalid(name, "it is 0"));
    }
    Ok(number)
}
