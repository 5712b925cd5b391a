//! What the codecs promise.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a test looks at few of many signals"
)]
#![expect(
    clippy::needless_pass_by_value,
    reason = "JSON that a test makes for a call reads best in it"
)]

mod answers;
mod captures;
mod client;
mod contract;
mod documents;
mod features;
mod fuzz;
mod golden;
mod launching;
mod leaving;
mod opened;
mod operations;
mod play;
mod questions;
mod skipped;
mod tools;
mod turns;
