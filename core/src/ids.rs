//! The numbers that name things. Never reused within a host process, never 0.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident, $counter:ident;)*) => {$(
        $(#[$doc])*
        #[derive(
            Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
        )]
        #[serde(transparent)]
        pub struct $name(u64);

        static $counter: AtomicU64 = AtomicU64::new(1);

        impl $name {
            /// Takes the next unused number.
            pub(crate) fn next() -> Self {
                Self($counter.fetch_add(1, Ordering::Relaxed))
            }

            /// The number itself, for surfaces that carry plain integers.
            #[must_use]
            pub const fn get(self) -> u64 {
                self.0
            }

            /// Names what `get` gave. A number that was never given out names nothing, and
            /// every call that takes it says so.
            #[must_use]
            pub const fn from_raw(number: u64) -> Self {
                Self(number)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}

ids! {
    /// Names a session.
    SessionId, NEXT_SESSION;
    /// Names a turn. Higher means accepted later.
    TurnId, NEXT_TURN;
    /// Names a process that this library started: its generation. The operating system's pid is
    /// another number, and may come back.
    ProcessId, NEXT_PROCESS;
    /// Names a question of an agent that needs an answer.
    RequestId, NEXT_REQUEST;
}
