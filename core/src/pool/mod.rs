//! The pool: who may run a process, and when.
//!
//! - `handle`: what hosts hold.
//! - `actor`: receives, steps, carries out; `founding`: the processes that it owns.
//! - [`slots`] (with `admission` and `queue`), `herd`: what follows from what. Values only.
//! - `key`: which sessions may share a process.
//! - `conversations`: which session has which conversation.
//! - [`lease`]: what is given, and comes back by `Drop`.

mod actor;
mod conversations;
mod founding;
mod handle;
mod herd;
mod key;
pub(crate) mod lease;
mod members;
pub(crate) mod slots;

#[cfg(test)]
pub(crate) use actor::PoolMessage;
pub use actor::Shutdown;
pub(crate) use conversations::Claim;
pub(crate) use founding::Recipe;
pub(crate) use handle::PoolInner;
#[cfg(test)]
pub(crate) use handle::policy;
pub use handle::{Pool, PoolBuilder};
#[cfg(test)]
pub(crate) use herd::Seat;
pub(crate) use key::{Facts, ShareKey, means_place};
pub(crate) use members::lost;
