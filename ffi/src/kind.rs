//! The numbers of events in the header. Those of core have core's numbers; a test compares them.

use std::ffi::c_char;

use runtime::EventKind;

/// What kind of event it is. Ignore kinds that you do not know: new ones may come with any release. Numbers are never
/// changed.
pub type remuda_event_kind = u32;

/// The session exists. Its first event.
pub const REMUDA_EVENT_SESSION_OPENED: u32 = 1;
/// The session has, or changed, its conversation at the agent.
pub const REMUDA_EVENT_SESSION_BOUND: u32 = 2;
/// The session is over. Its last event, once.
pub const REMUDA_EVENT_SESSION_CLOSED: u32 = 3;
/// A process became ready for the session.
pub const REMUDA_EVENT_PROCESS_STARTED: u32 = 10;
/// A process of the session, and its whole tree, ended.
pub const REMUDA_EVENT_PROCESS_STOPPED: u32 = 11;
/// The idle session gave its process back to the pool.
pub const REMUDA_EVENT_EVICTED: u32 = 12;
/// The process is replaced at a turn boundary.
pub const REMUDA_EVENT_RECYCLED: u32 = 13;
/// From now on one process per turn.
pub const REMUDA_EVENT_DOWNGRADED: u32 = 14;
/// All slots are busy: this turn runs in a process of its own.
pub const REMUDA_EVENT_SPILLED: u32 = 15;
/// After probation the session uses a warm process again.
pub const REMUDA_EVENT_RESTORED: u32 = 16;
/// Settings were changed while the session is open.
pub const REMUDA_EVENT_SETTINGS_CHANGED: u32 = 17;
/// A turn was accepted, or a queued one begins.
pub const REMUDA_EVENT_TURN_STARTED: u32 = 20;
/// The turn ended well. One of the three ends.
pub const REMUDA_EVENT_TURN_COMPLETED: u32 = 21;
/// The turn ended with a failure. One of the three ends.
pub const REMUDA_EVENT_TURN_FAILED: u32 = 22;
/// The turn was interrupted. One of the three ends.
pub const REMUDA_EVENT_TURN_INTERRUPTED: u32 = 23;
/// A message waits for the running turn to end.
pub const REMUDA_EVENT_TURN_QUEUED: u32 = 24;
/// A message joined the running turn.
pub const REMUDA_EVENT_STEERED: u32 = 25;
/// A piece of the answer.
pub const REMUDA_EVENT_TEXT_DELTA: u32 = 30;
/// A piece of the model's reasoning.
pub const REMUDA_EVENT_REASONING_DELTA: u32 = 31;
/// A whole message of the agent; replaces its deltas.
pub const REMUDA_EVENT_MESSAGE: u32 = 32;
/// The agent calls a tool.
pub const REMUDA_EVENT_TOOL_USE: u32 = 33;
/// A piece of a running tool's output.
pub const REMUDA_EVENT_TOOL_OUTPUT_DELTA: u32 = 34;
/// A tool ended.
pub const REMUDA_EVENT_TOOL_RESULT: u32 = 35;
/// The agent's plan, whole.
pub const REMUDA_EVENT_PLAN: u32 = 36;
/// Files changed by a tool.
pub const REMUDA_EVENT_FILE_CHANGE: u32 = 37;
/// Tokens used so far.
pub const REMUDA_EVENT_USAGE: u32 = 50;
/// A rate limit's state.
pub const REMUDA_EVENT_RATE_LIMIT: u32 = 51;
/// How full the model's context is.
pub const REMUDA_EVENT_CONTEXT_USAGE: u32 = 52;
/// The conversation is, or was, compacted.
pub const REMUDA_EVENT_COMPACTION: u32 = 53;
/// What the agent is busy with, for people.
pub const REMUDA_EVENT_STATUS: u32 = 54;
/// Something the host may want to know; nothing was lost.
pub const REMUDA_EVENT_WARNING: u32 = 55;
/// The agent asks something.
pub const REMUDA_EVENT_REQUEST_OPENED: u32 = 60;
/// The question is answered, or gone.
pub const REMUDA_EVENT_REQUEST_RESOLVED: u32 = 61;
/// Events that are no longer in the log; only in a reader's stream.
pub const REMUDA_EVENT_GAP: u32 = 90;
/// Something the agent said that this version does not know, raw.
pub const REMUDA_EVENT_UNKNOWN: u32 = 99;
/// An asynchronous call has its answer: `tag` is the call's, `status` says how it went, `text` why it failed, `json` what
/// it gave, if anything. Only in C: it has no `seq`, and comes after every event that caused it.
pub const REMUDA_EVENT_CALL_DONE: u32 = 1000;

/// The name of a kind, as it stands in JSON: `"text_delta"`. `"unknown"` for a number that is none. It lives as long as
/// the program.
#[unsafe(no_mangle)]
pub extern "C" fn remuda_event_kind_name(kind: u32) -> *const c_char {
    if kind == REMUDA_EVENT_CALL_DONE {
        return c"call_done".as_ptr();
    }
    let known = EventKind::ALL
        .iter()
        .find(|known| u32::from(known.number()) == kind);
    crate::text::lasting(known.map(|known| known.name()))
}
