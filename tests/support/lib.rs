//! What the cross-crate tests share: standing checks, places, the agents that tests use.

mod agents;
mod chance;
mod control;
mod generated;
mod isolated;
mod listed;
mod real;
mod scene;
mod stage;
mod tape;
mod told;
mod watch;

pub use agents::{Scripted, scripted_agent};
pub use chance::{Aim, Dice, bounded, can, rounds, those_that};
pub use control::{
    Asked, answered, calling, model, next_question, no, questions, rule, settled, yes,
};
pub use generated::{is_current, root};
pub use isolated::{isolated, isolated_async, isolated_with};
pub use listed::{Listed, listed_in, plain_in, runs_of, test_files};
pub use real::{
    Agent, Real, Started, answer, closed, first_pid, freeze, kill, look_for, pids_in, read_until,
    runs, started, started_by, stopped,
};
pub use scene::{PROTOCOLS, Scene, each_protocol, hanging, is_empty, stats_become, timeouts};
pub use stage::{Lane, Stage, each, script, soon};
pub use tape::{Tape, assert_lawful, count, story};
pub use told::{Told, check_log};
pub use watch::{descendants, wait_until};
