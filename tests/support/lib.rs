//! What the cross-crate tests share: standing checks, places, the agents that tests use.

mod agents;
mod generated;
mod isolated;
mod real;
mod watch;

pub use agents::{Scripted, scripted_agent};
pub use generated::{is_current, root};
pub use isolated::{isolated, isolated_async};
pub use real::{
    Agent, Real, Started, answer, closed, first_pid, freeze, kill, look_for, pids_in, read_until,
    runs, started, started_by, stopped,
};
pub use watch::{descendants, wait_until};
