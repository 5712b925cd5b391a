//! What can be polled from Python.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Waker;

use crate::inbox::{Bells, Ready};

static NEXT: AtomicU64 = AtomicU64::new(1);

/// A source's number, and its ways into the inboxes of those who polled it.
pub(crate) struct Number {
    pub(crate) id: u64,
    bells: Arc<Bells>,
}

impl Number {
    pub(crate) fn new() -> Self {
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        Self {
            id,
            bells: Bells::new(id),
        }
    }

    /// The waker with which it is to be polled now. What comes from now on rings in this inbox. It still rings in the
    /// others too: several tasks and threads may wait for one source, and core keeps one waker.
    pub(crate) fn waker(&self, inbox: &Arc<Ready>) -> Waker {
        self.bells.still(inbox);
        Waker::from(Arc::clone(&self.bells))
    }
}
