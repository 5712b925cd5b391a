//! What can be polled from Python.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Waker;

use parking_lot::Mutex;

use crate::inbox::{Bell, Ready};

static NEXT: AtomicU64 = AtomicU64::new(1);

/// A source's number, and its way into the inbox of whoever polled it last.
pub(crate) struct Number {
    pub(crate) id: u64,
    bell: Mutex<Option<(Arc<Bell>, Waker)>>,
}

impl Number {
    pub(crate) fn new() -> Self {
        Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            bell: Mutex::new(None),
        }
    }

    /// The waker with which it is to be polled now. What comes from now on rings.
    pub(crate) fn waker(&self, inbox: &Arc<Ready>) -> Waker {
        let mut bell = self.bell.lock();
        if let Some((bell, waker)) = &*bell
            && Arc::ptr_eq(&bell.ready, inbox)
        {
            bell.still();
            return waker.clone();
        }
        let new = Bell::new(self.id, Arc::clone(inbox));
        let waker = Waker::from(Arc::clone(&new));
        *bell = Some((new, waker.clone()));
        waker
    }
}
