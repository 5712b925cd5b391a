//! An event as C sees it: flat, so that a piece of text costs no JSON.

use std::ffi::{c_char, c_void};
use std::ptr::null;
use std::sync::Arc;

use runtime::Event;

use crate::in_flight::Outcome;
use crate::kind::{REMUDA_EVENT_CALL_DONE, remuda_event_kind};
use crate::provoke;
use crate::session::{remuda_request, remuda_session, remuda_turn};
use crate::status::{self, REMUDA_STATUS_OK, remuda_status};
use crate::text::Terminated;

/// One thing that happened in a session. Made by the library and read by you; borrowed in a callback until it returns,
/// in pull mode until it is released. Fields are only appended: `struct_size` says how many there are.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct remuda_event {
    /// The size of this struct in the library.
    pub struct_size: usize,
    /// What kind it is: `REMUDA_EVENT_…`. Ignore those that you do not know.
    pub kind: remuda_event_kind,
    /// Why, of `TURN_FAILED`, `DOWNGRADED` and a `CALL_DONE` that failed; else 0.
    pub status: remuda_status,
    /// The session.
    pub session: remuda_session,
    /// Yours, from `remuda_session_open`. Free it at `SESSION_CLOSED`.
    pub session_data: *mut c_void,
    /// 1, 2, 3 … within the session, without a gap. 0 of `CALL_DONE` and `GAP`.
    pub seq: u64,
    /// The turn, or 0 outside of a turn.
    pub turn: remuda_turn,
    /// Yours, from the send of this turn or, of `CALL_DONE` and `STEERED`, from that call; or 0.
    pub tag: u64,
    /// The question of the agent that it is about, or 0.
    pub request: remuda_request,
    /// When it was recorded: nanoseconds since the Unix epoch. 0 of `CALL_DONE`.
    pub time_unix_ns: i64,
    /// UTF-8, never NULL, a NUL behind it: the piece, the message, the title, the reason.
    pub text: *const c_char,
    /// Its length in bytes, without the NUL. Text of an agent may hold NULs itself.
    pub text_len: usize,
    /// The whole event as JSON, a NUL behind it; of `CALL_DONE`, what the call gave. NULL where kind and text say
    /// everything: pieces and messages of the agent itself, above all.
    pub json: *const c_char,
    /// Its length in bytes, without the NUL.
    pub json_len: usize,
}

/// What a seat gives to its reader.
#[derive(Debug)]
pub(crate) enum Item {
    /// An event, and the tag of its turn or 0.
    Event(Arc<Event>, u64),
    /// A call was answered.
    Done(Outcome),
}

/// The text and the JSON of one event.
#[derive(Debug, Default)]
pub(crate) struct Texts {
    text: Terminated,
    json: Terminated,
}

impl Texts {
    /// Fills the struct. It points into these texts: it is good until they change.
    pub(crate) fn fill(&mut self, session: u64, data: *mut c_void, item: &Item) -> remuda_event {
        match item {
            Item::Event(event, tag) => self.fill_event(data, event, *tag),
            Item::Done(outcome) => self.fill_outcome(session, data, outcome),
        }
    }

    fn fill_event(&mut self, data: *mut c_void, event: &Event, tag: u64) -> remuda_event {
        let body = &event.body;
        provoke::at(body.text());
        self.text.set(body.text());
        let json = !body.is_plain();
        if json {
            self.json.set_json(event);
        }
        remuda_event {
            struct_size: size_of::<remuda_event>(),
            kind: u32::from(event.kind().number()),
            status: body.error_kind().map_or(REMUDA_STATUS_OK, status::of),
            session: event.session.get(),
            session_data: data,
            seq: event.seq,
            turn: event.turn.map_or(0, runtime::TurnId::get),
            tag,
            request: body.request().map_or(0, runtime::RequestId::get),
            time_unix_ns: event.time_unix_ns,
            text: self.text.pointer(),
            text_len: self.text.len(),
            json: if json { self.json.pointer() } else { null() },
            json_len: if json { self.json.len() } else { 0 },
        }
    }

    fn fill_outcome(&mut self, session: u64, data: *mut c_void, outcome: &Outcome) -> remuda_event {
        let mut event = remuda_event {
            struct_size: size_of::<remuda_event>(),
            kind: REMUDA_EVENT_CALL_DONE,
            status: REMUDA_STATUS_OK,
            session,
            session_data: data,
            seq: 0,
            turn: outcome.about.turn,
            tag: outcome.about.tag,
            request: outcome.about.request,
            time_unix_ns: 0,
            text: c"".as_ptr(),
            text_len: 0,
            json: null(),
            json_len: 0,
        };
        match &outcome.answer {
            Ok(None) => {}
            Ok(Some(given)) => {
                self.json.set(given);
                (event.json, event.json_len) = (self.json.pointer(), self.json.len());
            }
            Err(failure) => {
                event.status = failure.status;
                self.text.set(&failure.message);
                (event.text, event.text_len) = (self.text.pointer(), self.text.len());
            }
        }
        event
    }

    /// Large texts are not kept for ever.
    pub(crate) fn shrink(&mut self) {
        self.text.shrink();
        self.json.shrink();
    }
}
