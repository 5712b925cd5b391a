//! The last of what an agent wrote to stderr.

use std::collections::VecDeque;

use parking_lot::Mutex;

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

#[cfg(test)]
mod tests {
    use super::*;

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
