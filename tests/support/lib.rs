//! What the cross-crate tests share: standing checks, places, the agents that tests use.

mod agents;
mod chance;
pub mod client;
mod control;
mod ends;
mod generated;
mod isolated;
mod listed;
mod memory;
mod raw;
mod real;
mod scene;
mod stage;
mod subject;
mod tape;
mod told;
mod watch;

pub use agents::{Scripted, scripted_agent};
pub use chance::{Aim, Dice, bounded, can, each_that, rounds, those_that};
pub use control::{
    Asked, answered, calling, model, next_question, no, questions, rule, settled, yes,
};
pub use ends::{end_of, fails, finish, is_interrupted, on_busy, says};
pub use generated::{is_current, root};
pub use isolated::{isolated, isolated_async, isolated_with};
pub use listed::{Listed, StandIn, listed_in, plain_in, runs_of, stand_in, test_files};
pub use memory::{Memory, resident};
pub use raw::{Touch, fork, leave, touchy};
pub use real::{
    Agent, Installed, Real, Started, answer, closed, first_pid, freeze, kill, look_for, pids_in,
    read_until, runs, started, started_by, stopped,
};
pub use scene::{
    PROTOCOLS, Scene, each_agent, each_protocol, hanging, is_empty, stats_become, timeouts,
};
pub use stage::{Lane, Stage, each, script, soon};
pub use subject::{Played, Subject, is_ended};
pub use tape::{Tape, assert_lawful, count, story};
pub use told::{Told, check_log};
pub use watch::{descendants, wait_until};
