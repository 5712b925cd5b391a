//! Which sessions of a pool have something to read.
//!
//! Not a queue of events: events stay in the sessions' logs, which are bounded. A session stands in here at most once,
//! however much it has, so this is bounded by the number of sessions; and while it stands here nobody is woken for it
//! again. So a burst of text costs one wake-up, not one per piece.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Wake;
use std::time::Instant;

use parking_lot::{Condvar, Mutex};
use remuda_wake::WakeFd;

use crate::error::Failure;
use crate::status::{REMUDA_STATUS_SHORTAGE, REMUDA_STATUS_UNSUPPORTED};

/// The sessions that wait for the pool's reader.
#[derive(Debug, Default)]
pub(crate) struct Ready {
    state: Mutex<State>,
    changed: Condvar,
    stopped: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<u64>,
    /// As outside of the lock.
    stopped: bool,
    /// Something beside the sessions changed, and no reader has looked since.
    nudged: bool,
    fd: Option<WakeFd>,
    lamp: Lamp,
}

/// How the descriptor is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Lamp {
    /// Nothing waits.
    #[default]
    Off,
    /// Something waits.
    On,
    /// It is not lit, whatever comes: the host could not take it.
    Covered,
}

/// What a reader finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// This session has something.
    Session(u64),
    /// Nothing until now.
    Nothing,
    /// The pool was freed.
    Stopped,
}

impl Ready {
    fn push(&self, session: u64) {
        let mut state = self.state.lock();
        if state.stopped {
            return;
        }
        state.queue.push_back(session);
        state.light();
        drop(state);
        self.changed.notify_one();
    }

    /// Takes a session out, if one is there.
    pub(crate) fn pop(&self) -> Next {
        self.state.lock().pop()
    }

    /// Takes a session out, or waits for one, not longer than until then. May find nothing sooner.
    pub(crate) fn wait(&self, until: Option<Instant>) -> Next {
        let mut state = self.state.lock();
        let next = state.pop();
        if next != Next::Nothing || std::mem::take(&mut state.nudged) {
            return next;
        }
        match until {
            Some(until) => {
                self.changed.wait_until(&mut state, until);
            }
            None => self.changed.wait(&mut state),
        }
        state.pop()
    }

    /// Makes the descriptor dark if nothing waits.
    pub(crate) fn settle(&self) {
        let mut state = self.state.lock();
        if state.queue.is_empty() && !state.stopped && state.lamp == Lamp::On {
            state.put_out(Lamp::Off);
        }
    }

    /// Lets every waiting reader look again, or else the next one that would wait; lights the descriptor until one did.
    pub(crate) fn nudge(&self) {
        let mut state = self.state.lock();
        state.nudged = true;
        state.light();
        drop(state);
        self.changed.notify_all();
    }

    /// Makes the descriptor dark until [`relight`](Self::relight), whatever waits.
    pub(crate) fn darken(&self) {
        let mut state = self.state.lock();
        if state.stopped {
            return;
        }
        state.put_out(Lamp::Covered);
    }

    /// Lets the descriptor be lit again, and lights it: something may have come meanwhile.
    pub(crate) fn relight(&self) {
        let mut state = self.state.lock();
        state.uncover();
        state.light();
    }

    /// Nobody reads any more.
    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
        let mut state = self.state.lock();
        state.stopped = true;
        state.uncover();
        state.queue.clear();
        state.light();
        drop(state);
        self.changed.notify_all();
    }

    /// Whether nobody reads any more.
    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    /// The descriptor that is readable while a session waits. Made when it is first asked for.
    pub(crate) fn fd(&self) -> Result<i32, Failure> {
        let mut state = self.state.lock();
        let number = match &state.fd {
            Some(fd) => fd.number(),
            None => state
                .fd
                .insert(WakeFd::new().map_err(|why| no_descriptor(&why))?)
                .number(),
        };
        if !state.queue.is_empty() {
            state.light();
        }
        Ok(number)
    }
}

fn no_descriptor(why: &io::Error) -> Failure {
    if why.kind() == io::ErrorKind::Unsupported {
        Failure::new(REMUDA_STATUS_UNSUPPORTED, why.to_string())
    } else {
        Failure::new(REMUDA_STATUS_SHORTAGE, format!("no descriptor: {why}"))
    }
}

impl State {
    fn pop(&mut self) -> Next {
        if self.stopped {
            return Next::Stopped;
        }
        self.queue.pop_front().map_or(Next::Nothing, Next::Session)
    }

    fn light(&mut self) {
        if let Some(fd) = &self.fd
            && self.lamp == Lamp::Off
        {
            self.lamp = Lamp::On;
            fd.light();
        }
    }

    fn put_out(&mut self, lamp: Lamp) {
        if std::mem::replace(&mut self.lamp, lamp) == Lamp::On {
            self.fd.iter().for_each(WakeFd::clear);
        }
    }

    fn uncover(&mut self) {
        if self.lamp == Lamp::Covered {
            self.lamp = Lamp::Off;
        }
    }
}

/// Wakes the pool's reader for one session.
#[derive(Debug)]
pub(crate) struct Bell {
    session: u64,
    /// It stands among the ready ones, and nobody has looked yet.
    rung: AtomicBool,
    ready: Arc<Ready>,
}

impl Bell {
    pub(crate) fn new(session: u64, ready: Arc<Ready>) -> Arc<Self> {
        let rung = AtomicBool::new(false);
        Arc::new(Self {
            session,
            rung,
            ready,
        })
    }

    /// The session has something.
    pub(crate) fn ring(&self) {
        if !self.rung.swap(true, Ordering::AcqRel) {
            self.ready.push(self.session);
        }
    }

    /// Somebody is about to look: what comes from now on rings again.
    pub(crate) fn still(&self) {
        self.rung.store(false, Ordering::Release);
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.ring();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.ring();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_stands_among_the_ready_ones_at_most_once() {
        let ready = Arc::<Ready>::default();
        let (one, two) = (
            Bell::new(1, Arc::clone(&ready)),
            Bell::new(2, Arc::clone(&ready)),
        );
        for bell in [&one, &two, &one, &one] {
            bell.ring();
        }
        assert_eq!(ready.pop(), Next::Session(1));
        one.ring();
        assert_eq!(ready.pop(), Next::Session(2));
        assert_eq!(ready.pop(), Next::Nothing, "nobody looked at 1 yet");
        one.still();
        one.ring();
        assert_eq!(ready.pop(), Next::Session(1));
    }

    #[test]
    fn a_stopped_one_takes_nothing_and_says_so() {
        let ready = Arc::<Ready>::default();
        let bell = Bell::new(1, Arc::clone(&ready));
        bell.ring();
        ready.stop();
        bell.still();
        bell.ring();
        assert_eq!(ready.pop(), Next::Stopped);
        assert_eq!(ready.wait(None), Next::Stopped);
    }

    #[cfg(unix)]
    #[test]
    fn the_descriptor_is_readable_exactly_while_a_session_waits() {
        use std::os::fd::BorrowedFd;

        use rustix::event::{PollFd, PollFlags, Timespec, poll};

        let ready = Arc::<Ready>::default();
        let bell = Bell::new(1, Arc::clone(&ready));
        bell.ring();
        let number = ready.fd().expect("a descriptor");
        let readable = || {
            // SAFETY: `ready` keeps it open.
            let fd = unsafe { BorrowedFd::borrow_raw(number) };
            let mut fds = [PollFd::new(&fd, PollFlags::IN)];
            poll(&mut fds, Some(&Timespec::default())).expect("it can be polled") == 1
        };
        assert!(readable(), "it was asked for after the bell");
        ready.settle();
        assert!(readable(), "the session still waits");
        assert_eq!(ready.pop(), Next::Session(1));
        ready.settle();
        assert!(!readable());
        bell.still();
        bell.ring();
        assert!(readable());
        assert_eq!(ready.fd().expect("a descriptor"), number);
    }
}
