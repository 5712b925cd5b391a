//! The thread that calls the host, in push mode.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::event::{Item, Texts};
use crate::herd::Herd;
use crate::host::Host;
use crate::ready::Next;
use crate::seat::{Look, Seat};

/// So many items of a session come before another session has its turn.
const PORTION: usize = 256;

thread_local! {
    /// The pool that this thread serves. Not `thread::current()`: on a thread of the host that would leave something behind.
    static OF: Cell<*const Herd> = const { Cell::new(std::ptr::null()) };
    /// Whether this thread calls the host of some pool, its `destroy` included.
    static CALLS: Cell<bool> = const { Cell::new(false) };
}

/// Whether the caller is the thread that calls the host of any pool.
pub(crate) fn is_inside_any() -> bool {
    CALLS.get()
}

/// Whether the caller is the thread that calls the host of this pool.
pub(crate) fn is_of(herd: &Herd) -> bool {
    std::ptr::eq(OF.get(), herd)
}

/// Reads every session of the pool and calls the host, until the pool is freed. Then `destroy` runs, as the last thing.
pub(crate) fn run(herd: Arc<Herd>, host: Host) {
    OF.set(Arc::as_ptr(&herd));
    CALLS.set(true);
    let reading = catch_unwind(AssertUnwindSafe(|| read(&herd, &host)));
    if reading.is_err() {
        herd.poison();
        while herd.ready.wait(None) != Next::Stopped {}
    }
    // Another pool may come to lie where this one was, and be asked in `destroy` whether this is its thread.
    OF.set(std::ptr::null());
    drop(herd);
    drop(host);
}

fn read(herd: &Herd, host: &Host) {
    let mut items = Vec::new();
    let mut texts = Texts::default();
    loop {
        let session = match herd.ready.wait(None) {
            Next::Session(session) => session,
            Next::Nothing => continue,
            Next::Stopped => return,
        };
        let Some(seat) = herd.find(session) else {
            continue;
        };
        let look = seat.look(&mut items, PORTION);
        match look {
            Look::More => seat.ring(),
            Look::Nothing | Look::Over => {}
        }
        if !show(herd, host, &seat, &mut items, &mut texts) {
            return;
        }
        if look == Look::Over {
            herd.forget(session);
        }
    }
}

/// Shows the items to the host. No lock is held. `false`: the host freed the pool meanwhile.
fn show(
    herd: &Herd,
    host: &Host,
    seat: &Arc<Seat>,
    items: &mut Vec<Item>,
    texts: &mut Texts,
) -> bool {
    for item in items.drain(..) {
        if herd.ready.is_stopped() {
            return false;
        }
        let event = texts.fill(seat.id(), seat.data.0, &item);
        host.show(&event);
    }
    texts.shrink();
    true
}
