//! Agents as processes: starting, speaking, stopping, and the proof that nothing is left.

mod containment;
mod message;
mod stderr;

pub use containment::Containment;
pub(crate) use message::{Command, Limits, ProcessHandle, Report, Stop};
