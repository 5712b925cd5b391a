//! The pool: who may run a process, and when.

mod actor;
mod handle;
pub(crate) mod lease;
mod members;
pub(crate) mod slots;

#[cfg(test)]
pub(crate) use actor::PoolMessage;
pub use actor::Shutdown;
pub(crate) use handle::PoolInner;
pub use handle::{Pool, PoolBuilder};
pub(crate) use members::lost;
