//! The stable numbers and names of events.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident = $number:literal, $name:literal;)*) => {
        /// What kind of event it is. Hosts ignore kinds they do not know: new ones may come with
        /// any release. Numbers and names are never changed.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        #[repr(u16)]
        #[non_exhaustive]
        pub enum EventKind {
            $($(#[$doc])* $variant = $number,)*
        }

        impl EventKind {
            /// Every kind, in the order of the numbers.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The stable number.
            #[must_use]
            pub const fn number(self) -> u16 {
                self as u16
            }

            /// The stable name: `type` in JSON.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

kinds! {
    /// The session exists. Its first event.
    SessionOpened = 1, "session_opened";
    /// The session has, or changed, its conversation at the agent.
    SessionBound = 2, "session_bound";
    /// The session is over. Its last event, once.
    SessionClosed = 3, "session_closed";
    /// A process became ready for the session.
    ProcessStarted = 10, "process_started";
    /// A process of the session, and its whole tree, ended.
    ProcessStopped = 11, "process_stopped";
    /// The idle session gave its process back to the pool.
    Evicted = 12, "evicted";
    /// The process is replaced at a turn boundary.
    Recycled = 13, "recycled";
    /// From now on one process per turn.
    Downgraded = 14, "downgraded";
    /// All slots are busy: this turn runs in a process of its own.
    Spilled = 15, "spilled";
    /// After probation the session uses a warm process again.
    Restored = 16, "restored";
    /// Settings were changed while the session is open.
    SettingsChanged = 17, "settings_changed";
    /// A turn was accepted, or a queued one begins.
    TurnStarted = 20, "turn_started";
    /// The turn ended well. One of the three ends.
    TurnCompleted = 21, "turn_completed";
    /// The turn ended with a failure. One of the three ends.
    TurnFailed = 22, "turn_failed";
    /// The turn was interrupted. One of the three ends.
    TurnInterrupted = 23, "turn_interrupted";
    /// A message waits for the running turn to end.
    TurnQueued = 24, "turn_queued";
    /// A message joined the running turn.
    Steered = 25, "steered";
    /// A piece of the answer.
    TextDelta = 30, "text_delta";
    /// A piece of the model's reasoning.
    ReasoningDelta = 31, "reasoning_delta";
    /// A whole message of the agent; replaces its deltas.
    Message = 32, "message";
    /// The agent calls a tool.
    ToolUse = 33, "tool_use";
    /// A piece of a running tool's output.
    ToolOutputDelta = 34, "tool_output_delta";
    /// A tool ended.
    ToolResult = 35, "tool_result";
    /// The agent's plan, whole.
    Plan = 36, "plan";
    /// Files changed by a tool.
    FileChange = 37, "file_change";
    /// Tokens used so far.
    Usage = 50, "usage";
    /// A rate limit's state.
    RateLimit = 51, "rate_limit";
    /// How full the model's context is.
    ContextUsage = 52, "context_usage";
    /// The conversation is, or was, compacted.
    Compaction = 53, "compaction";
    /// What the agent is busy with, for people.
    Status = 54, "status";
    /// Something the host may want to know; nothing was lost.
    Warning = 55, "warning";
    /// The agent asks something.
    RequestOpened = 60, "request_opened";
    /// The question is answered, or gone.
    RequestResolved = 61, "request_resolved";
    /// Events that are no longer in the log; only in a reader's stream.
    Gap = 90, "gap";
    /// Something the agent said that this version does not know, raw.
    Unknown = 99, "unknown";
}

impl EventKind {
    /// Whether a turn ends with this kind.
    #[must_use]
    pub const fn is_turn_end(self) -> bool {
        matches!(
            self,
            Self::TurnCompleted | Self::TurnFailed | Self::TurnInterrupted
        )
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_unique_and_ascending_and_names_are_those_of_json() {
        for pair in EventKind::ALL.windows(2) {
            assert!(pair[0].number() < pair[1].number(), "{pair:?}");
        }
        for kind in EventKind::ALL {
            let json = serde_json::to_value(kind).expect("a kind serializes");
            assert_eq!(json, kind.name());
        }
    }
}
