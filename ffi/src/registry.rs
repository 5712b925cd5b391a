//! From a pool's handle to the pool.
//!
//! A `remuda_pool *` points to nothing: it is a number that was given out once. So a handle that was freed, by
//! whomever and in the middle of whatever, is answered and not followed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use parking_lot::RwLock;

use crate::error::Failure;
use crate::herd::Herd;
use crate::pool::remuda_pool;
use crate::status::REMUDA_STATUS_FORKED;

static POOLS: RwLock<BTreeMap<usize, Arc<Herd>>> = RwLock::new(BTreeMap::new());
static NEXT: AtomicUsize = AtomicUsize::new(16);
/// The process that made the first pool. 0: none did.
static MAKER: AtomicU32 = AtomicU32::new(0);

/// Refuses in a forked copy: threads are missing there, and their locks may be held for ever. Comes before any lock.
pub(crate) fn not_forked() -> Result<(), Failure> {
    match MAKER.load(Ordering::Relaxed) {
        0 => Ok(()),
        maker if maker == std::process::id() => Ok(()),
        _ => Err(Failure::new(
            REMUDA_STATUS_FORKED,
            "this process was forked from one that has a pool; it may only exec",
        )),
    }
}

/// A pool is about to be made in this process.
pub(crate) fn claim() {
    let own = std::process::id();
    // Whoever was first is the same process: a forked copy was refused before.
    let _ = MAKER.compare_exchange(0, own, Ordering::Relaxed, Ordering::Relaxed);
}

/// Gives a pool its handle.
pub(crate) fn add(pool: Arc<Herd>) -> *mut remuda_pool {
    // It is never followed; aligned as a pointer of its type would be.
    let number = NEXT.fetch_add(16, Ordering::Relaxed);
    POOLS.write().insert(number, pool);
    std::ptr::without_provenance_mut(number)
}

/// The pool of a handle.
pub(crate) fn find(pool: *const remuda_pool) -> Result<Arc<Herd>, Failure> {
    if pool.is_null() {
        return Err(Failure::null("pool"));
    }
    not_forked()?;
    let found = POOLS.read().get(&pool.addr()).cloned();
    found.ok_or_else(|| Failure::closed("pool"))
}

/// Takes a pool's handle back. `None`: it was freed, or this is a forked copy.
pub(crate) fn remove(pool: *const remuda_pool) -> Option<Arc<Herd>> {
    not_forked().ok()?;
    POOLS.write().remove(&pool.addr())
}
