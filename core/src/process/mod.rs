//! Agent processes.
//!
//! - [`tree`]: one agent with all that it starts: what is asked, what is given back, what goes wrong.
//! - `control`: how a running tree is signalled, killed and watched.
//! - `guarded`, `group`: the two ways to start one, by containment.
//! - `guard_image`: where the guard's program is executed from.
//! - `linux`, `macos`, `windows`: what only that system has.
//! - [`resolve`]: from a program's name to its file.

#[cfg(unix)]
mod control;
#[cfg(unix)]
mod group;
#[cfg(unix)]
mod guard_image;
#[cfg(all(test, target_os = "linux"))]
mod guard_tests;
#[cfg(unix)]
mod guarded;
#[cfg(any(target_os = "linux", target_os = "android"))]
#[path = "linux.rs"]
mod os;
#[cfg(all(unix, not(any(target_os = "linux", target_os = "android"))))]
#[path = "macos.rs"]
mod os;
#[cfg(windows)]
#[path = "windows.rs"]
mod os;
pub(crate) mod resolve;
#[cfg(all(test, target_os = "linux"))]
mod start_tests;
#[cfg(all(test, target_os = "linux"))]
mod test_host;
pub(crate) mod tree;
#[cfg(all(test, target_os = "linux"))]
mod tree_tests;

#[cfg(windows)]
pub(crate) use os::{Control, Stdio};
#[cfg(unix)]
pub(crate) use {control::Control, tokio::net::UnixStream as Stdio};
