//! What the codecs promise.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a test looks at few of many signals"
)]

mod captures;
mod contract;
mod documents;
mod features;
mod fuzz;
mod golden;
mod launching;
mod opened;
mod operations;
mod play;
mod questions;
mod turns;
