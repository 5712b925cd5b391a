//! What can go wrong, as a code to act on and a line to read.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident = $code:literal, $name:literal;)*) => {
        /// Why a call was refused or a turn failed.
        ///
        /// The hundreds say who must act: 1xx the caller, 2xx the host or its system, 3xx the agent
        /// or the service behind it, 9xx this library. Numbers and names are appended, never
        /// changed.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "snake_case")]
        #[non_exhaustive]
        pub enum ErrorKind {
            $($(#[$doc])* $variant = $code,)*
        }

        impl ErrorKind {
            /// Every kind, in the order of the codes.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The stable number.
            #[must_use]
            pub const fn code(self) -> u16 {
                self as u16
            }

            /// The stable name, as it stands in JSON.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

kinds! {
    /// An argument or option has a wrong value, type or name; the message names it.
    InvalidArgument = 100, "invalid_argument";
    /// The session already runs a turn.
    TurnInProgress = 101, "turn_in_progress";
    /// The session, turn or pool is closed.
    Closed = 102, "closed";
    /// The agent cannot do what was asked.
    Unsupported = 103, "unsupported";
    /// The message is longer than the agent or `max_message` allows.
    TooLarge = 104, "too_large";
    /// The question was settled before; the message says by whom.
    AlreadyAnswered = 105, "already_answered";
    /// The question is not open in this session, or no more.
    Stale = 106, "stale";
    /// So many events wait for a reader that does not read them, or so many calls for their answers,
    /// that no more may be caused.
    Backlog = 107, "backlog";
    /// The agent's program was not found; the message says where it was looked for.
    ProgramNotFound = 200, "program_not_found";
    /// The working directory does not exist or cannot be entered.
    CwdUnusable = 201, "cwd_unusable";
    /// The process could not be started.
    SpawnFailed = 202, "spawn_failed";
    /// No slot or process became free in time, or `when_full` is `fail`.
    PoolFull = 203, "pool_full";
    /// The demanded level of containment is not available on this machine.
    ContainmentUnavailable = 204, "containment_unavailable";
    /// The system has no descriptors, processes or memory left for another process.
    Shortage = 205, "shortage";
    /// The process did not become ready in time; the message names the phase.
    StartTimeout = 300, "start_timeout";
    /// The agent showed no output for the turn in time.
    FirstOutputTimeout = 301, "first_output_timeout";
    /// The agent fell silent in the middle of the turn.
    SilenceTimeout = 302, "silence_timeout";
    /// The process ended, or closed its output, before the turn did.
    ProcessExit = 303, "process_exit";
    /// The agent does not read its input.
    WriteFailed = 304, "write_failed";
    /// The agent broke its own protocol.
    ProtocolError = 305, "protocol_error";
    /// The agent does not know the conversation that was to be resumed.
    ResumeFailed = 306, "resume_failed";
    /// The model or its service refused or failed.
    ModelError = 310, "model_error";
    /// The agent is not logged in, or the account may not do this.
    AccountError = 311, "account_error";
    /// A rate or usage limit was reached.
    RateLimited = 312, "rate_limited";
    /// The conversation no longer fits the model.
    ContextFull = 313, "context_full";
    /// A limit on turns, cost or time that the host set was reached.
    BudgetExceeded = 314, "budget_exceeded";
    /// The agent refused the turn for another reason that its message gives.
    AgentError = 319, "agent_error";
    /// A fault of this library.
    Internal = 900, "internal";
}

impl ErrorKind {
    /// Whether the process, not the model or the account, is at fault. Only these downgrade a
    /// session.
    #[must_use]
    pub const fn is_runtime(self) -> bool {
        matches!(
            self,
            Self::SpawnFailed
                | Self::StartTimeout
                | Self::FirstOutputTimeout
                | Self::SilenceTimeout
                | Self::ProcessExit
                | Self::WriteFailed
                | Self::ProtocolError
        )
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A refused call: a kind to act on, one line to read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind}: {message}")]
pub struct Error {
    kind: ErrorKind,
    message: Box<str>,
}

impl Error {
    /// Makes an error. The message is a lowercase fragment of one line that names the thing.
    #[must_use]
    pub fn new(kind: ErrorKind, message: impl Into<Box<str>>) -> Self {
        Self {
            kind,
            message: message.into(),
        }
    }

    pub(crate) fn invalid(name: &str, why: impl fmt::Display) -> Self {
        Self::new(ErrorKind::InvalidArgument, format!("{name}: {why}"))
    }

    pub(crate) fn closed(what: &str) -> Self {
        Self::new(ErrorKind::Closed, format!("the {what} is closed"))
    }

    /// What to act on.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// What to read.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_ascending_and_named_as_in_json() {
        for pair in ErrorKind::ALL.windows(2) {
            assert!(pair[0].code() < pair[1].code(), "{pair:?}");
        }
        for kind in ErrorKind::ALL {
            let json = serde_json::to_value(kind).expect("a kind serializes");
            assert_eq!(json, kind.name());
        }
    }

    #[test]
    fn only_faults_of_the_process_count_as_runtime_faults() {
        let runtime = ErrorKind::ALL.iter().filter(|k| k.is_runtime()).count();
        assert_eq!(runtime, 7, "architecture: exactly these seven downgrade");
        assert!(!ErrorKind::ModelError.is_runtime());
        assert!(!ErrorKind::ResumeFailed.is_runtime());
    }
}
