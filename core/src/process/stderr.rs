//! The last of what an agent wrote to stderr.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use parking_lot::Mutex;
use rustix::net::RecvFlags;
use tokio::io::Interest;
use tokio::net::UnixStream;
use tokio::task::JoinHandle;

use crate::process::reader::with_scratch;

/// How much is kept.
const CAPACITY: usize = 64 << 10;

/// A ring of the last bytes. Written by one task, read by anybody.
#[derive(Debug, Default)]
pub(crate) struct StderrTail {
    ring: Mutex<VecDeque<u8>>,
}

impl StderrTail {
    /// Adds bytes; the oldest make room.
    pub(crate) fn push(&self, bytes: &[u8]) {
        let bytes = &bytes[bytes.len().saturating_sub(CAPACITY)..];
        let mut ring = self.ring.lock();
        let excess = (ring.len() + bytes.len()).saturating_sub(CAPACITY);
        ring.drain(..excess);
        ring.extend(bytes);
    }

    /// The last `limit` bytes as text, cut at a line start where there is one; what is not UTF-8
    /// is replaced.
    pub(crate) fn text(&self, limit: usize) -> String {
        let mut ring = self.ring.lock();
        let bytes = ring.make_contiguous();
        let cut = bytes.len().saturating_sub(limit);
        let mut tail = &bytes[cut..];
        if cut > 0
            && let Some(end) = memchr::memchr(b'\n', tail)
            && end + 1 < tail.len()
        {
            tail = &tail[end + 1..];
        }
        String::from_utf8_lossy(tail).trim_end().to_owned()
    }
}

/// Drains an agent's stderr into its tail, in a task of its own that ends with the stream or when
/// this is dropped.
#[derive(Debug)]
pub(super) struct Drain {
    source: Arc<Source>,
    task: JoinHandle<()>,
}

/// How much [`Drain::now`] takes: more than a socket holds, but an end even to a flood.
const AT_ONCE: usize = 4 << 20;

impl Drain {
    pub(super) fn start(stderr: UnixStream, tail: Arc<StderrTail>) -> Self {
        let source = Arc::new(Source {
            stderr,
            tail,
            taking: Mutex::new(()),
        });
        let task = tokio::spawn(drain(Arc::clone(&source)));
        Self { source, task }
    }

    /// Takes what has been written by now. An agent's last words are in the socket when its exit is
    /// seen, but perhaps not yet in the tail.
    pub(super) fn now(&self) {
        let mut taken = 0;
        while taken < AT_ONCE {
            match self.source.take() {
                Ok(0) => return,
                Ok(size) => taken += size,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return,
            }
        }
    }
}

impl Drop for Drain {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[derive(Debug)]
struct Source {
    stderr: UnixStream,
    tail: Arc<StderrTail>,
    /// Held from the read to the push, so that two readers keep the order. Never across an await.
    taking: Mutex<()>,
}

impl Source {
    /// Takes what one read gives, without waiting. 0 is the end.
    fn take(&self) -> io::Result<usize> {
        let _order = self.taking.lock();
        with_scratch(|scratch| {
            let (_, size) = rustix::net::recv(&self.stderr, &mut *scratch, RecvFlags::DONTWAIT)?;
            self.tail.push(&scratch[..size]);
            Ok(size)
        })
    }
}

async fn drain(source: Arc<Source>) {
    loop {
        if source.stderr.readable().await.is_err() {
            return;
        }
        match source.stderr.try_io(Interest::READABLE, || source.take()) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return,
        }
        // A flood has no right to the thread.
        tokio::task::yield_now().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn last_words_are_in_the_tail_before_the_task_has_run() {
        let (ours, theirs) = UnixStream::pair().expect("a pair of sockets");
        let tail = Arc::new(StderrTail::default());
        let drain = Drain::start(ours, Arc::clone(&tail));
        let words = vec![b'x'; 100_000];
        assert_eq!(theirs.try_write(&words).expect("it has room"), words.len());
        drain.now();
        assert_eq!(tail.text(usize::MAX).len(), CAPACITY);
    }

    #[test]
    fn the_oldest_bytes_make_room_and_the_last_stay() {
        let tail = StderrTail::default();
        tail.push(&vec![b'a'; CAPACITY]);
        tail.push(b"\nthe end\n");
        let text = tail.text(CAPACITY);
        assert!(text.ends_with("the end"));
        assert!(tail.ring.lock().len() <= CAPACITY);
        tail.push(&vec![b'b'; 3 * CAPACITY]);
        assert_eq!(tail.text(10), "b".repeat(10));
    }

    #[test]
    fn a_cut_tail_starts_at_a_line() {
        let tail = StderrTail::default();
        tail.push(b"first line\nsecond line\n");
        assert_eq!(tail.text(15), "second line");
        assert_eq!(tail.text(usize::MAX), "first line\nsecond line");
    }
}
