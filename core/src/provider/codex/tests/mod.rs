//! What the codecs promise.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a test looks at few of many signals"
)]

mod captures;
mod contract;
mod documents;
mod fuzz;
mod golden;
mod opened;
mod play;
mod start;
mod turns;
