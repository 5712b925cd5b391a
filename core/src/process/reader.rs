//! Reading an agent's stdout: the hot path.
//!
//! Bytes go from the socket into a buffer that the thread's processes share, and from there as
//! lines to the codec. A process that says nothing costs no buffer.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::UnixStream;

use crate::process::fence::Fence;
use crate::process::framing::{Frame, Framer};

/// More than a socket holds by default, so that one read takes all there is.
const SCRATCH: usize = 256 << 10;

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; SCRATCH]);
}

/// Lends the thread's buffer. Not to be nested; its content is garbage before and after.
pub(super) fn with_scratch<R>(use_it: impl FnOnce(&mut [u8]) -> R) -> R {
    BUFFER.with_borrow_mut(|buffer| use_it(buffer))
}

/// Reads one agent's output.
#[derive(Debug)]
pub(super) struct Reader {
    stdout: UnixStream,
    framer: Framer,
}

/// What a read found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Read {
    /// That many bytes; their lines are with the codec.
    Bytes(usize),
    /// The end.
    End,
}

impl Reader {
    pub(super) fn new(stdout: UnixStream, max_line: usize) -> Self {
        Self {
            stdout,
            framer: Framer::new(max_line),
        }
    }

    /// Waits for output, reads once and gives the codec every line that is complete by then. An
    /// error is an end: there is nothing more to be had.
    ///
    /// Cancel safe because a poll either takes nothing or does all of that.
    pub(super) async fn read(&mut self, codec: &mut Fence) -> Read {
        std::future::poll_fn(|cx| self.poll_read(codec, cx)).await
    }

    fn poll_read(&mut self, codec: &mut Fence, cx: &mut Context<'_>) -> Poll<Read> {
        with_scratch(|scratch| {
            let mut buffer = ReadBuf::new(scratch);
            let result = match Pin::new(&mut self.stdout).poll_read(cx, &mut buffer) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(result) => result,
            };
            let bytes = buffer.filled();
            Poll::Ready(match result {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => Read::Bytes(0),
                Err(_) => Read::End,
                Ok(()) if bytes.is_empty() => Read::End,
                Ok(()) => {
                    self.feed(bytes, codec);
                    Read::Bytes(bytes.len())
                }
            })
        })
    }

    fn feed(&mut self, bytes: &[u8], codec: &mut Fence) {
        codec.call(|codec, said| {
            self.framer.feed(bytes, |frame| match frame {
                Frame::Line(line) => codec.line(line, &mut said.output),
                Frame::TooLong(head, size) => {
                    said.too_long.push(size);
                    codec.skipped(head, size, &mut said.output);
                }
            });
        });
    }

    /// How many bytes the agent has written that are not read yet.
    pub(super) fn unread(&self) -> u64 {
        rustix::io::ioctl_fionread(&self.stdout).unwrap_or(0)
    }

    /// Gives the codec what the output ends with, and tells it of the end. What is not a whole JSON
    /// value was cut off in the middle: its size is returned.
    pub(super) fn finish(mut self, codec: &mut Fence) -> Option<usize> {
        let rest = self.framer.finish().unwrap_or_default();
        let rest = rest.trim_ascii();
        let whole = serde_json::from_slice::<serde::de::IgnoredAny>(rest).is_ok();
        codec.call(|codec, said| {
            if whole {
                codec.line(rest, &mut said.output);
            }
            codec.end_of_output(&mut said.output);
        });
        (!whole && !rest.is_empty()).then_some(rest.len())
    }
}
