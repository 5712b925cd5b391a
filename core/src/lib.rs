//! Remuda keeps coding-agent processes warm for a host application and gives back one ordered
//! stream of events, the same for every agent.

mod budget;
mod capabilities;
mod client;
pub mod config;
mod delivery;
mod doctor;
mod error;
pub mod event;
mod host_code;
mod host_tools;
mod ids;
mod lending;
mod media;
mod message;
mod metrics;
mod operation;
mod pool;
mod process;
mod provider;
pub mod request;
mod schema;
mod session;
mod settings;

pub use budget::Budget;
pub use capabilities::{Feature, Support, capabilities, capabilities_of};
pub use config::{PoolOptions, SessionOptions};
pub use delivery::Events;
pub use doctor::{AgentReport, Doctor, Login, doctor};
pub use error::{Error, ErrorKind};
pub use event::{Body, Event, EventKind, TurnResult};
pub use ids::{ProcessId, RequestId, SessionId, TurnId};
pub use lending::{LendOptions, Lent, LentEnd, LentInput};
pub use message::{Attachment, Message, Source};
pub use metrics::PoolStats;
pub use operation::{Operation, OperationKind};
pub use pool::{Pool, PoolBuilder, Shutdown};
pub use process::Containment;
pub use session::{
    AskError, CurrentProcess, CurrentSettings, Hold, InterruptOptions, OnBusy, OpenRequest,
    QueuedTurn, Receipt, SendOptions, Sent, Session, SessionSnapshot, Turn,
};
pub use settings::{Change, Setting};
