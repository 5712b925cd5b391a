//! A program that plays an agent, and the scripts that tell it what to play.
//!
//! The binary of this package speaks the protocols of real agent programs over
//! stdio and misbehaves on request. This library is for the tests that start
//! it: it writes scripts, finds the binary and reads back what it left in its
//! state directory. It never starts an agent itself.

pub mod action;
mod phrase;
pub mod script;
mod witness;

pub use action::{Action, ChildKind, InterruptMode, NoiseKind, Place, ReplyMode, Stream};
pub use phrase::{Prompt, parse_prompt};
pub use script::{Rule, Script, Shape, SignalName, Trigger};
pub use witness::{ChildRecord, RequestRecord, StartRecord, binary, children, requests, starts};

/// The examples of the README are tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
