//! What the codecs promise.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a test looks at few of many signals"
)]

mod captures;
mod contract;
mod control;
mod documents;
mod features;
mod fuzz;
mod golden;
mod leaving;
mod messages;
mod opened;
mod operations;
mod play;
mod questions;
mod skipped;
mod start;
mod steering;
mod stored;
mod turns;
