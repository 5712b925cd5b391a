//! Remuda.

#[cfg_attr(
    not(test),
    expect(dead_code, reason = "the process actor is built on this")
)]
mod process;

pub use process::tree::Containment;
