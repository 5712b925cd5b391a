//! The guard: the parent of one agent, which ends the agent's whole tree when the host is gone.
//!
//! A host cannot promise that nothing outlives it, because it may be killed at any moment. The guard is a separate,
//! tiny process that can. It is compiled without the standard library and without an allocator, from the sources in
//! [`SOURCES`], by the build script of the `remuda` crate, and travels inside that library. As a library this crate
//! holds what both sides need: the sources for the build script and the [`protocol`] for the host.

#![cfg_attr(not(test), no_std)]

pub mod protocol;

#[cfg(all(
    any(target_os = "linux", target_os = "macos"),
    target_pointer_width = "64",
    target_endian = "little"
))]
#[doc(hidden)]
pub mod guard;

/// The source files of the guard, as pairs of path and text. `main.rs` is the root.
pub const SOURCES: &[(&str, &str)] = &[
    ("main.rs", include_str!("main.rs")),
    ("protocol.rs", include_str!("protocol.rs")),
    ("guard/mod.rs", include_str!("guard/mod.rs")),
    ("guard/sys.rs", include_str!("guard/sys.rs")),
    ("guard/start.rs", include_str!("guard/start.rs")),
    ("guard/agent.rs", include_str!("guard/agent.rs")),
    ("guard/outbox.rs", include_str!("guard/outbox.rs")),
    ("guard/linux.rs", include_str!("guard/linux.rs")),
    ("guard/macos.rs", include_str!("guard/macos.rs")),
];
