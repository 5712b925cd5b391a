//! Remuda for Node: the native half of the package. Its other half, in `lib/`, is what hosts see.
//!
//! Nothing here calls JavaScript but one wake-up per pool, which says nothing. JavaScript then takes what there is, in
//! portions, so that nothing piles up on either side. No promise is made or settled here.
#![expect(
    clippy::needless_pass_by_value,
    reason = "what comes from JavaScript is copied, and is ours"
)]

mod batch;
mod bell;
mod calls;
mod failure;
mod joined;
mod lent;
mod pool;
// Functions are registered by the linker alone, and not in tests.
#[cfg(not(test))]
mod queries;
mod reader;
mod session;
mod worker;
