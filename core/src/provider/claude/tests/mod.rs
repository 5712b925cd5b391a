//! The codec against captures of both versions, and against nonsense.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a test looks at some kinds and passes over the others"
)]

mod captures;
mod changes;
mod events;
mod features;
mod fuzz;
mod harness;
mod host_tools;
mod launching;
mod lines;
mod messages;
mod operations;
mod page;
mod questions;
mod requests;
mod skipped;
mod speed;
mod steers;
mod stored;
