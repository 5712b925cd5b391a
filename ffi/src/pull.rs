//! Pull mode: the host reads on a thread of its own.

use std::time::{Duration, Instant};

use crate::boundary::{in_pool, in_session, output};
use crate::error::{Failure, remuda_error};
use crate::event::{Item, remuda_event};
use crate::held::{MAX_OUT, give_out};
use crate::herd::Herd;
use crate::pool::remuda_pool;
use crate::ready::Next;
use crate::seat::{Look, Seat};
use crate::session::remuda_session;
use crate::status::{REMUDA_STATUS_TOO_MANY, REMUDA_STATUS_WRONG_MODE, remuda_status};

/// As a timeout: without end.
pub const REMUDA_FOREVER: u32 = 0xffff_ffff;

/// The host's array of events, as far as it is filled.
struct Batch {
    events: *mut *const remuda_event,
    room: usize,
    count: usize,
}

impl Batch {
    /// # Safety
    ///
    /// A non-NULL `events` must be valid for writing `capacity` pointers for as long as the batch lives.
    unsafe fn new(
        events: *mut *const remuda_event,
        capacity: usize,
        herd: &Herd,
    ) -> Result<Self, Failure> {
        if events.is_null() {
            return Err(Failure::null("events"));
        }
        if capacity == 0 {
            return Err(Failure::invalid("capacity", "it is 0"));
        }
        let out = herd.out.count();
        let room = capacity.min(MAX_OUT.saturating_sub(out));
        if room == 0 {
            // A host that polls the descriptor is not to be woken for what it cannot take.
            herd.out.darken();
            let message = format!("{out} events were not released");
            return Err(Failure::new(REMUDA_STATUS_TOO_MANY, message));
        }
        Ok(Self {
            events,
            room,
            count: 0,
        })
    }

    fn is_full(&self) -> bool {
        self.count >= self.room
    }

    /// Adds an event, if there is room: nobody adds more than that, and memory of the host is not to depend on it.
    fn add(&mut self, seat: &Seat, item: &Item, herd: &Herd) {
        debug_assert!(!self.is_full(), "more than the host has room for");
        if self.is_full() {
            return;
        }
        let event = give_out(seat.id(), seat.data.0, item, &herd.out);
        // SAFETY: by the contract of `new` there are `room` places, and `count` is less.
        unsafe { self.events.add(self.count).write(event) };
        self.count += 1;
    }
}

impl Herd {
    fn pulls(&self) -> Result<(), Failure> {
        if self.pushes {
            let message = "the pool has an on_event: it is called for its events";
            return Err(Failure::new(REMUDA_STATUS_WRONG_MODE, message));
        }
        Ok(())
    }

    /// Fills the batch with what waits, or waits for something.
    fn pull(&self, batch: &mut Batch, until: Option<Instant>) -> Result<(), Failure> {
        let mut items = Vec::new();
        while !batch.is_full() {
            self.sound()?;
            let mut next = self.ready.pop();
            if next == Next::Nothing && batch.count == 0 {
                if self.is_finished() {
                    // Whoever else waits learns it too, and so does the host's loop.
                    self.ready.nudge();
                    return Err(Failure::closed("pool"));
                }
                next = self.ready.wait(until);
            }
            match next {
                Next::Session(session) => self.take(session, batch, &mut items),
                Next::Nothing | Next::Stopped if batch.count > 0 => break,
                Next::Stopped => return Err(Failure::closed("pool")),
                Next::Nothing => {
                    if !self.is_finished() && until.is_some_and(|until| until <= Instant::now()) {
                        break;
                    }
                }
            }
        }
        Ok(())
    }

    fn take(&self, session: u64, batch: &mut Batch, items: &mut Vec<Item>) {
        let Some(seat) = self.find(session) else {
            return;
        };
        let look = seat.look(items, batch.room - batch.count);
        match look {
            Look::More => seat.ring(),
            Look::Nothing | Look::Over => {}
        }
        for item in items.drain(..) {
            batch.add(&seat, &item, self);
        }
        if look == Look::Over {
            self.forget(session);
        }
    }
}

/// Pull mode: takes the events that wait, or waits for some. At most `capacity` pointers are written to `events`, and
/// their number to `count`; give them back with `remuda_events_release`. The answer is `OK` with a count of 0 when none
/// came within `timeout_ms` (0 does not wait, `REMUDA_FOREVER` does so without end), and `CLOSED` when none can come any
/// more: the pool was freed, or was shut down and every session's last event was given out.
///
/// Call it from one thread at a time to see events in their order; several threads share the events among them.
/// `WRONG_MODE` in a pool with `on_event`. `TOO_MANY` while 16384 events are out; the descriptor of `remuda_pool_wake_fd` is
/// not readable then until you release some.
///
/// # Safety
///
/// `events` is valid for writing `capacity` pointers, `count` for one number; `err` is NULL or valid for one pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn remuda_pool_next_events(
    pool: *mut remuda_pool,
    events: *mut *const remuda_event,
    capacity: usize,
    timeout_ms: u32,
    count: *mut usize,
    err: *mut *mut remuda_error,
) -> remuda_status {
    in_pool(pool, err, |herd| {
        herd.pulls()?;
        // SAFETY: the contract of this function.
        let count = unsafe { output(count, "count") }?;
        // SAFETY: the contract of this function.
        let mut batch = unsafe { Batch::new(events, capacity, herd) }?;
        let timeout = Duration::from_millis(timeout_ms.into());
        let until = (timeout_ms != REMUDA_FOREVER).then(|| Instant::now() + timeout);
        herd.pull(&mut batch, until)?;
        herd.ready.settle();
        if herd.is_finished() {
            // The host's loop looks once more, and learns that nothing comes.
            herd.ready.nudge();
        }
        *count = batch.count;
        Ok(())
    })
}

/// Pull mode: gives a file descriptor that is readable while events wait, for your own loop (`poll`, `epoll`, `libuv`, `GLib`).
/// It belongs to the library and lives as long as the pool: only poll it, never read or close it. When it is
/// readable, call `remuda_pool_next_events` with a timeout of 0 until it gives none. `UNSUPPORTED` on Windows.
///
/// # Safety
///
/// `fd` is valid for one number; `err` is NULL or valid for one pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn remuda_pool_wake_fd(
    pool: *mut remuda_pool,
    fd: *mut i32,
    err: *mut *mut remuda_error,
) -> remuda_status {
    in_pool(pool, err, |herd| {
        herd.pulls()?;
        // SAFETY: the contract of this function.
        let fd = unsafe { output(fd, "fd") }?;
        *fd = herd.ready.fd()?;
        Ok(())
    })
}

/// Gives events of a session again, from `from_seq` on (1 is the first; 0 means the same), as far as its log still has them: a
/// `GAP` event says which are gone. Does not wait, and holds nothing back. At most `capacity` pointers are written to `events`, and
/// their number to `count`; give them back with `remuda_events_release`. The tag stands only in the first event of a turn.
/// In both modes; beside the events that come anyway.
///
/// # Safety
///
/// `events` is valid for writing `capacity` pointers, `count` for one number; `err` is NULL or valid for one pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn remuda_session_replay(
    pool: *mut remuda_pool,
    session: remuda_session,
    from_seq: u64,
    events: *mut *const remuda_event,
    capacity: usize,
    count: *mut usize,
    err: *mut *mut remuda_error,
) -> remuda_status {
    in_session(pool, session, err, |herd, seat| {
        // SAFETY: the contract of this function.
        let count = unsafe { output(count, "count") }?;
        // SAFETY: the contract of this function.
        let mut batch = unsafe { Batch::new(events, capacity, herd) }?;
        let mut reader = seat.session.events(from_seq);
        while !batch.is_full()
            && let Some(event) = reader.try_next()
        {
            let tag = event.body.tag().unwrap_or(0);
            batch.add(seat, &Item::Event(event, tag), herd);
        }
        *count = batch.count;
        Ok(())
    })
}
