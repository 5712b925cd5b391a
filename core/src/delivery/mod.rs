//! From session actors to hosts: ordered, bounded, merging, with replay.

mod events;
mod log;
mod mark;
mod reader;
mod weight;

pub use events::Events;
pub(crate) use log::Log;
pub(crate) use mark::Mark;
