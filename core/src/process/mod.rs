//! Agents as processes: starting, speaking, stopping, and the proof that nothing is left.

mod actor;
mod audience;
mod containment;
mod facts;
mod fence;
mod framing;
mod life;
mod message;
mod reader;
#[cfg(test)]
mod rig;
mod seam;
mod stderr;
mod stop;
mod writer;

pub use containment::Containment;
pub(crate) use message::{Command, Limits, ProcessHandle, Report, Stop};
