//! The codec against captures of both versions, and against nonsense.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a test looks at some kinds and passes over the others"
)]

mod captures;
mod events;
mod fuzz;
mod harness;
mod launching;
mod lines;
mod page;
mod requests;
mod speed;
