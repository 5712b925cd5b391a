//! A pool behind its handle.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Instant;

use parking_lot::{Condvar, Mutex};
use runtime::{PoolOptions, SessionOptions};

use crate::error::Failure;
use crate::host::Host;
use crate::push;
use crate::ready::Ready;
use crate::seat::Seat;
use crate::signals;
use crate::status::REMUDA_STATUS_SHORTAGE;

/// The sessions whose last event was not delivered.
#[derive(Debug, Default)]
struct Seats {
    open: HashMap<u64, Arc<Seat>>,
    /// Sessions whose last event is in the host's callback, or about to be.
    leaving: usize,
}

/// A pool, its sessions, and who reads their events.
pub(crate) struct Herd {
    pub(crate) pool: runtime::Pool,
    pub(crate) ready: Arc<Ready>,
    seats: Mutex<Seats>,
    /// A session is gone, and its last event was delivered.
    fewer: Condvar,
    /// Whether events are pushed.
    pub(crate) pushes: bool,
    thread: Mutex<Option<JoinHandle<()>>>,
    /// Who runs `destroy` in pull mode.
    host: Mutex<Option<Host>>,
    poisoned: AtomicBool,
    /// `shutdown` was called: nothing is opened any more.
    pub(crate) shut: AtomicBool,
    /// Events that pull gave out and that were not released.
    pub(crate) out: Arc<AtomicUsize>,
}

impl Herd {
    /// Makes a pool and, if the host wants to be called, the thread that calls it. The host's `destroy` runs in any
    /// case.
    pub(crate) fn new(options: PoolOptions, host: Host) -> Result<Arc<Self>, Failure> {
        signals::blocked(|| {
            let pushes = host.on_event.is_some();
            let herd = Arc::new(Self {
                pool: runtime::Pool::with_options(options)?,
                ready: Arc::default(),
                seats: Mutex::default(),
                fewer: Condvar::new(),
                pushes,
                thread: Mutex::default(),
                host: Mutex::default(),
                poisoned: AtomicBool::new(false),
                shut: AtomicBool::new(false),
                out: Arc::default(),
            });
            if pushes {
                let reader = Arc::clone(&herd);
                let thread = std::thread::Builder::new()
                    .name("remuda-events".to_owned())
                    .spawn(move || push::run(reader, host));
                let thread = thread.map_err(|why| {
                    Failure::new(REMUDA_STATUS_SHORTAGE, format!("no thread: {why}"))
                })?;
                *herd.thread.lock() = Some(thread);
            } else {
                *herd.host.lock() = Some(host);
            }
            Ok(herd)
        })
    }

    /// Refuses once the library has panicked in a call of this pool.
    pub(crate) fn sound(&self) -> Result<(), Failure> {
        if self.poisoned.load(Ordering::Relaxed) {
            return Err(Failure::panicked());
        }
        Ok(())
    }

    pub(crate) fn poison(&self) {
        self.poisoned.store(true, Ordering::Relaxed);
        self.ready.nudge();
        self.fewer.notify_all();
    }

    /// Whether the caller is the thread that pushes this pool's events.
    pub(crate) fn is_inside(&self) -> bool {
        push::is_of(self)
    }

    pub(crate) fn open(
        &self,
        options: SessionOptions,
        data: *mut std::ffi::c_void,
    ) -> Result<u64, Failure> {
        let session = self.pool.open(options)?;
        let seat = Seat::new(session, data, Arc::clone(&self.ready));
        let id = seat.id();
        self.seats.lock().open.insert(id, Arc::clone(&seat));
        seat.ring();
        Ok(id)
    }

    pub(crate) fn seat(&self, session: u64) -> Result<Arc<Seat>, Failure> {
        self.find(session).ok_or_else(|| Failure::closed("session"))
    }

    pub(crate) fn find(&self, session: u64) -> Option<Arc<Seat>> {
        self.seats.lock().open.get(&session).cloned()
    }

    /// The session's last event is about to be delivered: its id is stale from now on. Push mode says when it was.
    pub(crate) fn forget(&self, session: u64) {
        let mut seats = self.seats.lock();
        let seat = seats.open.remove(&session);
        seats.leaving += usize::from(self.pushes);
        drop(seats);
        drop(seat);
        if !self.pushes && self.is_finished() {
            self.ready.nudge();
        }
    }

    /// A last event was delivered.
    pub(crate) fn left(&self) {
        let mut seats = self.seats.lock();
        seats.leaving = seats.leaving.saturating_sub(1);
        drop(seats);
        self.fewer.notify_all();
    }

    /// Whether nothing can come any more.
    pub(crate) fn is_finished(&self) -> bool {
        self.shut.load(Ordering::SeqCst) && self.seats.lock().open.is_empty()
    }

    /// Waits until every session's last event was delivered, not longer than until then; in pull mode it only looks.
    /// Gives the ids of those whose was not.
    pub(crate) fn drained(&self, until: Instant) -> Vec<u64> {
        let mut seats = self.seats.lock();
        while self.pushes && !(seats.open.is_empty() && seats.leaving == 0) {
            let given_up = self.sound().is_err() || self.ready.is_stopped();
            if given_up || self.fewer.wait_until(&mut seats, until).timed_out() {
                break;
            }
        }
        let mut left: Vec<u64> = seats.open.keys().copied().collect();
        left.sort_unstable();
        left
    }

    /// Ends everything. In a callback of this pool it does not wait: `destroy` is then the last thing that its thread
    /// does. Elsewhere callback and `destroy` are over when this returns.
    pub(crate) fn free(&self) {
        let inside = self.is_inside();
        self.ready.stop();
        // The sessions are closed when their last handle goes, here or with the callback that runs.
        let seats = std::mem::take(&mut self.seats.lock().open);
        drop(seats);
        self.fewer.notify_all();
        if inside {
            return;
        }
        let thread = self.thread.lock().take();
        if let Some(thread) = thread {
            // A panic of that thread was caught in it.
            let _ = thread.join();
        }
        drop(self.host.lock().take());
    }
}

impl fmt::Debug for Herd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Herd")
            .field("pool", &self.pool)
            .finish_non_exhaustive()
    }
}
