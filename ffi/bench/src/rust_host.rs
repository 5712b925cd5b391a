//! The host in Rust. It prints what `host.c` prints.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use runtime::{Body, Pool, SessionOptions};

/// Wakes the thread that waits.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.unpark();
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(value) => return value,
            Poll::Pending => thread::park(),
        }
    }
}

/// The time that this process has had of all processors, in microseconds.
fn cpu_us() -> i64 {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: it writes one struct there; all zeros are one as well.
    let usage = unsafe {
        libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr());
        usage.assume_init()
    };
    let (user, system) = (usage.ru_utime, usage.ru_stime);
    (user.tv_sec + system.tv_sec) * 1_000_000 + user.tv_usec + system.tv_usec
}

#[expect(clippy::print_stdout, reason = "the driver reads it")]
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "it looks at few of many events"
)]
pub(crate) fn run(agent: &str, folder: &str, prompt: &str) {
    let pool = Pool::new().expect("a pool");
    let options = SessionOptions {
        program: Some(agent.into()),
        ..SessionOptions::new("claude", folder)
    };
    let session = pool.open(options).expect("a session");
    let mut events = session.events(1);
    let (mut batch, mut pieces, mut bytes) = (Vec::new(), 0_u64, 0);
    let before = cpu_us();
    session.send(prompt).expect("a turn");
    let after = 'turn: loop {
        assert!(block_on(events.next_batch(&mut batch)), "it is closed");
        for event in batch.drain(..) {
            match &event.body {
                Body::TextDelta { text, .. } => {
                    pieces += 1;
                    bytes += text.len();
                }
                Body::TurnCompleted { .. } => break 'turn cpu_us(),
                Body::TurnFailed { failure, .. } => panic!("{failure:?}"),
                _ => {}
            }
        }
    };
    println!("{} {pieces} {bytes}", after - before);
    drop(events);
    block_on(pool.shutdown(std::time::Duration::from_secs(10)));
}
