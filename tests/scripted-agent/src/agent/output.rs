//! The way to stdout: counts lines and bytes, and cuts the writes as told.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::stdio::stdout;

use crate::lock;

/// How lines are written.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Shaping {
    pub(crate) one_byte: bool,
    pub(crate) split: bool,
    pub(crate) crlf: bool,
    pub(crate) delay: Duration,
}

#[derive(Default)]
struct Written {
    lines: u64,
    bytes: u64,
    /// Where the next split line is cut.
    cut: usize,
}

#[derive(Default)]
pub(crate) struct Out {
    written: Mutex<Written>,
    shaping: Mutex<Shaping>,
    /// The reader is gone. Like Codex, the agent lives on without it.
    gone: AtomicBool,
    frozen: AtomicBool,
    /// The next end of a turn is written without a newline and is the last line.
    bare_end: AtomicBool,
}

/// The pause between the two parts of a split line, so that a reader sees both.
const BETWEEN_PARTS: Duration = Duration::from_micros(200);

impl Out {
    pub(crate) fn shape(&self, change: impl FnOnce(&mut Shaping)) {
        change(&mut lock(&self.shaping));
    }

    pub(crate) fn leave_end_bare(&self) {
        self.bare_end.store(true, Ordering::Relaxed);
    }

    pub(crate) fn end_is_bare(&self) -> bool {
        self.bare_end.load(Ordering::Relaxed)
    }

    pub(crate) fn end_line(&self, line: &mut Vec<u8>) {
        if lock(&self.shaping).crlf {
            line.push(b'\r');
        }
        line.push(b'\n');
    }

    /// Nothing is written any more, and whoever tries waits for ever.
    pub(crate) fn freeze(&self) {
        self.frozen.store(true, Ordering::Relaxed);
    }

    fn wait_if_frozen(&self) {
        while self.frozen.load(Ordering::Relaxed) {
            std::thread::park();
        }
    }

    /// Stops all later output without a word; stdout itself is closed by the caller.
    pub(crate) fn give_up(&self) {
        self.gone.store(true, Ordering::Relaxed);
    }

    /// Writes lines as the shaping says. `due` names the next byte in a range at which
    /// `reach` is to be called, with the way out held. Gives the line counts before and after.
    pub(crate) fn write(
        &self,
        block: &[u8],
        lines: u64,
        due: &dyn Fn(u64, u64) -> Option<u64>,
        reach: &dyn Fn(u64),
    ) -> Option<(u64, u64)> {
        let mut written = lock(&self.written);
        let mut rest = block;
        while !rest.is_empty() {
            let from = written.bytes;
            let end = from + rest.len() as u64;
            let stop = due(from, end).unwrap_or(end);
            let length = usize::try_from(stop - from).unwrap_or(rest.len());
            let (now, later) = rest.split_at(length);
            self.send_shaped(now, &mut written);
            written.bytes = stop;
            reach(stop);
            rest = later;
        }
        let before = written.lines;
        written.lines += lines;
        (lines > 0).then_some((before, before + lines))
    }

    fn send_shaped(&self, bytes: &[u8], written: &mut Written) {
        let shaping = *lock(&self.shaping);
        if !shaping.delay.is_zero() {
            std::thread::sleep(shaping.delay);
        }
        if shaping.one_byte {
            for byte in bytes.chunks(1) {
                self.send(byte);
            }
        } else if shaping.split {
            for line in bytes.split_inclusive(|byte| *byte == b'\n') {
                written.cut += 1;
                let (first, second) = line.split_at(written.cut % line.len());
                self.send(first);
                std::thread::sleep(BETWEEN_PARTS);
                self.send(second);
            }
        } else {
            self.send(bytes);
        }
    }

    fn send(&self, mut bytes: &[u8]) {
        while !bytes.is_empty() && !self.gone.load(Ordering::Relaxed) {
            self.wait_if_frozen();
            match rustix::io::write(stdout(), bytes) {
                Ok(count) => bytes = &bytes[count..],
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => {
                    let stdout = stdout();
                    let room = &mut [PollFd::new(&stdout, PollFlags::OUT)];
                    // A failed poll only means that the write is tried sooner.
                    let _ = poll(room, None);
                }
                Err(why) => {
                    crate::complain(&format!("stdout: {why}"));
                    self.give_up();
                }
            }
        }
    }
}
