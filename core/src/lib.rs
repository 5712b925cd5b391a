//! Remuda keeps coding-agent processes warm for a host application and gives back one ordered
//! stream of events, the same for every agent.

pub mod config;
mod delivery;
mod error;
pub mod event;
mod ids;
mod metrics;
mod pool;
mod process;
mod provider;
mod session;

pub use config::{PoolOptions, SessionOptions};
pub use delivery::Events;
pub use error::{Error, ErrorKind};
pub use event::{Body, Event, EventKind, TurnResult};
pub use ids::{ProcessId, RequestId, SessionId, TurnId};
pub use metrics::PoolStats;
pub use pool::{Pool, PoolBuilder, Shutdown};
pub use process::Containment;
pub use session::{AskError, Hold, Receipt, Session, SessionSnapshot, Turn};
