//! Agents as processes: starting, speaking, stopping, and the proof that nothing is left.
//!
//! What sessions see:
//!
//! - `message`: what is said between a session and a process.
//! - `start`: from a plan to a running actor.
//!
//! The actor:
//!
//! - `actor`: one task that owns one process and its codec.
//! - `burial`: what becomes of a tree that was given up.
//! - `life`, `stop`: what follows from what, and when. Values only.
//! - `departure`, `leaving`: how sessions get out of one.
//! - `audience`, `facts`: who is told, and what those are told who come late.
//! - `reader`, `framing`, `fence`: from the agent's output to its codec.
//! - `writer`, `stderr`: its input, and the last of its complaints.
//! - `seam`: what all this needs of the operating system. The tests' `rig` stands behind it.
//!
//! The operating system:
//!
//! - [`tree`]: one agent with all that it starts: what is asked, what is given back, what goes wrong.
//! - `control`: how a running tree is signalled, killed and watched.
//! - `guarded`, `group`: the two ways to start one, by containment.
//! - `guard_image`: where the guard's program is executed from.
//! - `linux`, `macos`, `windows`: what only that system has.
//! - `arguments`: how much can be given to a program.
//! - `environment`: what an agent knows of the host's environment.
//! - `program`, [`resolve`]: from a program's name to its file.

mod actor;
pub(crate) mod arguments;
mod audience;
mod burial;
mod containment;
#[cfg(unix)]
mod control;
pub(crate) mod environment;
mod facts;
mod fence;
mod framing;
#[cfg(unix)]
mod group;
#[cfg(unix)]
mod guard_image;
#[cfg(all(test, target_os = "linux"))]
mod guard_tests;
#[cfg(unix)]
mod guarded;
mod leaving;
mod life;
mod message;
#[cfg(any(target_os = "linux", target_os = "android"))]
#[path = "linux.rs"]
mod os;
#[cfg(all(unix, not(any(target_os = "linux", target_os = "android"))))]
#[path = "macos.rs"]
mod os;
#[cfg(windows)]
#[path = "windows.rs"]
mod os;
mod program;
mod reader;
pub(crate) mod resolve;
#[cfg(test)]
mod rig;
mod seam;
mod start;
mod stderr;
mod stop;
#[cfg(all(test, target_os = "linux"))]
pub(crate) mod test_host;
pub(crate) mod tree;
#[cfg(all(test, target_os = "linux"))]
mod tree_start_tests;
#[cfg(all(test, target_os = "linux"))]
mod tree_tests;
mod writer;

pub use containment::Containment;
pub(crate) use fence::survive;
pub(crate) use life::{STUCK, UNHEARD};
pub(crate) use message::{Command, Limits, ProcessHandle, Report, Stop};
#[cfg(windows)]
pub(crate) use os::{Control, Stdio};
pub(crate) use program::Program;
pub(crate) use start::{Plan, ProcessSpec, start};
#[cfg(unix)]
pub(crate) use {control::Control, tokio::net::UnixStream as Stdio};
