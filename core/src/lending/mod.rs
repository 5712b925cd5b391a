//! Processes that a host borrows and speaks to itself, line by line.
//!
//! For hosts that have a protocol of their own with the agent, as the agents' SDKs do. The pool starts such a process,
//! counts it among its slots, guards it and ends it; it does not read what is said. A process that the host does
//! not need for now is [kept](Lent::keep) under a name, idle like any other, and [taken](crate::Pool::take) again.
//!
//! - `handle`: what hosts hold.
//! - `actor`: one task per process; receives and carries out.
//! - `shelf`: which processes are kept, under which names.
//! - `plain`: the codec that passes lines on as they are.

mod actor;
mod handle;
mod plain;
mod shelf;

pub(crate) use actor::{Parts, run};
pub(crate) use handle::Inside;
pub use handle::{LendOptions, Lent, LentEnd, LentInput};
pub(crate) use shelf::Shelf;
