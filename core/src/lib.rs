//! Remuda keeps coding-agent processes warm for a host application and gives back one ordered
//! stream of events, the same for every agent.

pub mod config;
mod delivery;
mod error;
pub mod event;
mod ids;
mod pool;
mod process;
mod provider;
mod session;

pub use delivery::Events;
pub use error::{Error, ErrorKind};
pub use event::{Body, Event, EventKind};
pub use ids::{ProcessId, RequestId, SessionId, TurnId};
pub use process::Containment;
pub use session::Receipt;
