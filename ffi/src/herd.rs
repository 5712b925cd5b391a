//! A pool behind its handle.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Instant;

use parking_lot::{Condvar, Mutex};
use runtime::{PoolOptions, SessionOptions};

use crate::error::Failure;
use crate::held::Out;
use crate::host::Host;
use crate::push;
use crate::ready::Ready;
use crate::registry;
use crate::seat::Seat;
use crate::signals;
use crate::status::REMUDA_STATUS_SHORTAGE;

/// The sessions whose last event was not delivered.
#[derive(Debug, Default)]
struct Seats {
    open: HashMap<u64, Arc<Seat>>,
    /// Calls that are opening a session now.
    opening: usize,
    /// `shutdown` was called: nothing is opened any more.
    shut: bool,
}

/// A pool, its sessions, and who reads their events.
pub(crate) struct Herd {
    pub(crate) pool: runtime::Pool,
    pub(crate) ready: Arc<Ready>,
    seats: Mutex<Seats>,
    /// A session is gone, and its last event was delivered; or no session is being opened any more.
    fewer: Condvar,
    /// Whether events are pushed.
    pub(crate) pushes: bool,
    thread: Mutex<Option<JoinHandle<()>>>,
    /// Who runs `destroy` in pull mode.
    host: Mutex<Option<Host>>,
    poisoned: AtomicBool,
    /// Events that pull gave out and that were not released.
    pub(crate) out: Arc<Out>,
}

impl Herd {
    /// Makes a pool and, if the host wants to be called, the thread that calls it. The host's `destroy` runs in any
    /// case.
    pub(crate) fn new(options: PoolOptions, host: Host) -> Result<Arc<Self>, Failure> {
        signals::blocked(|| {
            let pushes = host.on_event.is_some();
            let pool = runtime::Pool::with_options(options)?;
            // It has threads: from now on a forked copy of this process is refused.
            registry::claim();
            let ready = Arc::<Ready>::default();
            let herd = Arc::new(Self {
                pool,
                out: Out::new(Arc::clone(&ready)),
                ready,
                seats: Mutex::default(),
                fewer: Condvar::new(),
                pushes,
                thread: Mutex::default(),
                host: Mutex::default(),
                poisoned: AtomicBool::new(false),
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
        let place = self.reserve()?;
        let session = self.pool.open(options)?;
        let seat = Seat::new(session, data, Arc::clone(&self.ready));
        let id = seat.id();
        let mut seats = self.seats.lock();
        if self.ready.is_stopped() {
            drop(seats);
            return Err(Failure::closed("pool"));
        }
        seats.open.insert(id, Arc::clone(&seat));
        drop(seats);
        drop(place);
        seat.ring();
        Ok(id)
    }

    /// Keeps a place for a session: a shutdown waits until it is taken or given back.
    fn reserve(&self) -> Result<Opening<'_>, Failure> {
        let mut seats = self.seats.lock();
        if seats.shut {
            return Err(Failure::closed("pool"));
        }
        seats.opening += 1;
        Ok(Opening(self))
    }

    /// From now on nothing is opened any more. Waits for the calls that do so now, not longer than until then.
    pub(crate) fn shut(&self, until: Instant) {
        let mut seats = self.seats.lock();
        seats.shut = true;
        while seats.opening > 0 && !self.fewer.wait_until(&mut seats, until).timed_out() {}
    }

    pub(crate) fn seat(&self, session: u64) -> Result<Arc<Seat>, Failure> {
        self.find(session).ok_or_else(|| Failure::closed("session"))
    }

    pub(crate) fn find(&self, session: u64) -> Option<Arc<Seat>> {
        self.seats.lock().open.get(&session).cloned()
    }

    /// The session's last event was delivered: its id is stale from now on.
    pub(crate) fn forget(&self, session: u64) {
        let seat = self.seats.lock().open.remove(&session);
        drop(seat);
        self.told_fewer();
    }

    /// There is less to wait for.
    fn told_fewer(&self) {
        self.fewer.notify_all();
        if !self.pushes && self.is_finished() {
            self.ready.nudge();
        }
    }

    /// Whether nothing can come any more.
    pub(crate) fn is_finished(&self) -> bool {
        let seats = self.seats.lock();
        seats.shut && seats.is_empty()
    }

    /// Waits until every session's last event was delivered, not longer than until then; in pull mode it only looks.
    /// Gives the ids of those whose was not.
    pub(crate) fn drained(&self, until: Instant) -> Vec<u64> {
        let mut seats = self.seats.lock();
        while self.pushes && !seats.is_empty() {
            let given_up = self.sound().is_err() || self.ready.is_stopped();
            if given_up || self.fewer.wait_until(&mut seats, until).timed_out() {
                break;
            }
        }
        let mut left: Vec<u64> = seats.open.keys().copied().collect();
        left.sort_unstable();
        left
    }

    /// Ends everything. In a callback, of whatever pool, it does not wait for the thread: `destroy` is then the last thing
    /// that the thread of this pool does. Two pools that are freed in each other's callbacks would wait for ever. Elsewhere
    /// callback and `destroy` are over when this returns.
    pub(crate) fn free(&self) {
        self.ready.stop();
        // The sessions are closed when their last handle goes, here or with the callback that runs.
        let seats = std::mem::take(&mut self.seats.lock().open);
        drop(seats);
        self.fewer.notify_all();
        let thread = self.thread.lock().take();
        if let Some(thread) = thread
            && !push::is_inside_any()
        {
            // A panic of that thread was caught in it.
            let _ = thread.join();
        }
        // Its `destroy` may call this library: no lock is held then.
        let host = self.host.lock().take();
        drop(host);
    }
}

impl Seats {
    /// Whether no session is open, or about to be.
    fn is_empty(&self) -> bool {
        self.open.is_empty() && self.opening == 0
    }
}

/// A place that is kept for a session until it is open, or until it is not.
struct Opening<'a>(&'a Herd);

impl Drop for Opening<'_> {
    fn drop(&mut self) {
        self.0.seats.lock().opening -= 1;
        self.0.told_fewer();
    }
}

impl fmt::Debug for Herd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Herd")
            .field("pool", &self.pool)
            .finish_non_exhaustive()
    }
}
