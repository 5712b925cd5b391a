//! The codes of the header. Those of core have core's numbers; a test compares them.

use std::ffi::c_char;

use runtime::ErrorKind;

/// What a call answers: 0 is success. The hundreds say who must act: 1xx the caller, 2xx the host or its system, 3xx the
/// agent or the service behind it, 9xx this library. Codes are appended, never renumbered: treat one that you do not know
/// by its hundred.
pub type remuda_status = u32;

/// It went well.
pub const REMUDA_STATUS_OK: u32 = 0;
/// An argument or option has a wrong value, type or name; the message names it.
pub const REMUDA_STATUS_INVALID_ARGUMENT: u32 = 100;
/// The session already runs a turn, or its queue is full.
pub const REMUDA_STATUS_TURN_IN_PROGRESS: u32 = 101;
/// The session, turn or pool is closed, or never was.
pub const REMUDA_STATUS_CLOSED: u32 = 102;
/// The agent, or this system, cannot do what was asked.
pub const REMUDA_STATUS_UNSUPPORTED: u32 = 103;
/// The message is longer than the agent or `max_message` allows.
pub const REMUDA_STATUS_TOO_LARGE: u32 = 104;
/// The question was settled before; the message says by whom.
pub const REMUDA_STATUS_ALREADY_ANSWERED: u32 = 105;
/// The question is not open in this session, or the turn does not wait, or no more.
pub const REMUDA_STATUS_STALE: u32 = 106;
/// So many events wait for a reader that does not read them, or so many calls for their answers, that no more may be
/// caused.
pub const REMUDA_STATUS_BACKLOG: u32 = 107;
/// The call would wait for the callback that it is made in.
pub const REMUDA_STATUS_WOULD_DEADLOCK: u32 = 150;
/// The pool pushes its events, and this call pulls them.
pub const REMUDA_STATUS_WRONG_MODE: u32 = 151;
/// Too many calls of the session wait for an answer, or too many events were not released.
pub const REMUDA_STATUS_TOO_MANY: u32 = 152;
/// The agent's program was not found; the message says where it was looked for.
pub const REMUDA_STATUS_PROGRAM_NOT_FOUND: u32 = 200;
/// The working directory does not exist or cannot be entered.
pub const REMUDA_STATUS_CWD_UNUSABLE: u32 = 201;
/// The process could not be started.
pub const REMUDA_STATUS_SPAWN_FAILED: u32 = 202;
/// No slot or process became free in time, or `when_full` is `fail`.
pub const REMUDA_STATUS_POOL_FULL: u32 = 203;
/// The demanded level of containment is not available on this machine.
pub const REMUDA_STATUS_CONTAINMENT_UNAVAILABLE: u32 = 204;
/// The system has no descriptors, processes, threads or memory left.
pub const REMUDA_STATUS_SHORTAGE: u32 = 205;
/// This process is a forked copy of the one that made a pool. It may only exec.
pub const REMUDA_STATUS_FORKED: u32 = 250;
/// The process did not become ready in time; the message names the phase.
pub const REMUDA_STATUS_START_TIMEOUT: u32 = 300;
/// The agent showed no output for the turn, or no answer, in time.
pub const REMUDA_STATUS_FIRST_OUTPUT_TIMEOUT: u32 = 301;
/// The agent fell silent in the middle of the turn.
pub const REMUDA_STATUS_SILENCE_TIMEOUT: u32 = 302;
/// The process ended, or closed its output, before the turn did.
pub const REMUDA_STATUS_PROCESS_EXIT: u32 = 303;
/// The agent does not read its input.
pub const REMUDA_STATUS_WRITE_FAILED: u32 = 304;
/// The agent broke its own protocol.
pub const REMUDA_STATUS_PROTOCOL_ERROR: u32 = 305;
/// The agent does not know the conversation that was to be resumed.
pub const REMUDA_STATUS_RESUME_FAILED: u32 = 306;
/// The model or its service refused or failed.
pub const REMUDA_STATUS_MODEL_ERROR: u32 = 310;
/// The agent is not logged in, or the account may not do this.
pub const REMUDA_STATUS_ACCOUNT_ERROR: u32 = 311;
/// A rate or usage limit was reached.
pub const REMUDA_STATUS_RATE_LIMITED: u32 = 312;
/// The conversation no longer fits the model.
pub const REMUDA_STATUS_CONTEXT_FULL: u32 = 313;
/// A limit on turns, cost or time that the host set was reached.
pub const REMUDA_STATUS_BUDGET_EXCEEDED: u32 = 314;
/// The agent refused the turn for another reason that its message gives.
pub const REMUDA_STATUS_AGENT_ERROR: u32 = 319;
/// A fault of this library.
pub const REMUDA_STATUS_INTERNAL: u32 = 900;
/// A fault of this library: it panicked. The pool answers nothing but this from now on; free it.
pub const REMUDA_STATUS_PANIC: u32 = 950;

/// What core does not know: codes of the boundary itself, by name.
const OWN: [(u32, &std::ffi::CStr); 6] = [
    (REMUDA_STATUS_OK, c"ok"),
    (REMUDA_STATUS_WOULD_DEADLOCK, c"would_deadlock"),
    (REMUDA_STATUS_WRONG_MODE, c"wrong_mode"),
    (REMUDA_STATUS_TOO_MANY, c"too_many"),
    (REMUDA_STATUS_FORKED, c"forked"),
    (REMUDA_STATUS_PANIC, c"panic"),
];

pub(crate) fn of(kind: ErrorKind) -> remuda_status {
    u32::from(kind.code())
}

/// The name of a code, as it stands in JSON: `"closed"`. `"unknown"` for a number that is none. It lives as long as
/// the program.
#[unsafe(no_mangle)]
pub extern "C" fn remuda_status_name(status: u32) -> *const c_char {
    if let Some((_, name)) = OWN.iter().find(|(code, _)| *code == status) {
        return name.as_ptr();
    }
    let kind = ErrorKind::ALL.iter().find(|kind| of(**kind) == status);
    crate::text::lasting(kind.map(|kind| kind.name()))
}
