//! Writing an agent's stdin.
//!
//! A task of its own, so that reading never waits for writing. Its queue is bounded by bytes, and
//! its patience by progress: an agent that reads slowly is waited for, one that stopped is not.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rustix::net::SendFlags;
use tokio::io::{AsyncWriteExt, Interest};
use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

/// What may wait to be written, in bytes. A single message may be longer.
const QUEUE: usize = 64 << 20;

/// A host that does not ignore SIGPIPE must not die of an agent that did. Elsewhere the socket
/// itself is set so.
#[cfg(any(target_os = "linux", target_os = "android"))]
const FLAGS: SendFlags = SendFlags::NOSIGNAL;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const FLAGS: SendFlags = SendFlags::empty();

/// Why nothing is written any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The agent closed its input, most likely because it has ended.
    Closed(String),
    /// The agent does not read, or a fault of this library.
    Stuck(String),
}

/// The way to one agent's stdin. Dropping it ends the task, with or without what is queued.
#[derive(Debug)]
pub(super) struct Writer {
    /// Unbounded, because `queued` bounds it. `None` once stdin is, or will be, closed.
    queue: Option<mpsc::UnboundedSender<Vec<u8>>>,
    /// Bytes accepted but not written.
    queued: Arc<AtomicUsize>,
    task: JoinHandle<Result<UnixStream, Failure>>,
    state: State,
}

#[derive(Debug)]
enum State {
    Writing,
    /// All is written and stdin half-closed. The socket stays open: closing it while it holds
    /// something unread would be an error to the agent instead of an end.
    Closed {
        _stdin: UnixStream,
    },
    Failed,
}

impl Writer {
    /// Starts writing. `patience` is how long the agent may accept not a single byte; it takes up
    /// to twice that to be sure.
    pub(super) fn start(stdin: UnixStream, patience: Duration) -> Self {
        // Bounded in bytes by `queued`.
        let (queue, messages) = mpsc::unbounded_channel();
        let queued = Arc::new(AtomicUsize::new(0));
        let task = tokio::spawn(write_all(stdin, messages, Arc::clone(&queued), patience));
        Self {
            queue: Some(queue),
            queued,
            task,
            state: State::Writing,
        }
    }

    /// Queues bytes. After the close or a failure they are dropped.
    ///
    /// # Errors
    ///
    /// The agent lets too much wait. Nothing is written any more.
    pub(super) fn push(&mut self, bytes: Vec<u8>) -> Result<(), Failure> {
        let Some(queue) = &self.queue else {
            return Ok(());
        };
        let size = bytes.len();
        let waiting = self.queued.fetch_add(size, Ordering::Relaxed);
        if waiting > 0 && waiting.saturating_add(size) > QUEUE {
            self.fail();
            return Err(Failure::Stuck(format!(
                "the agent does not read its input: {waiting} bytes wait"
            )));
        }
        // A task that has ended says why through `failed`.
        drop(queue.send(bytes));
        Ok(())
    }

    /// Half-closes stdin after what is queued.
    pub(super) fn close(&mut self) {
        self.queue = None;
    }

    /// Whether stdin is closed, or will be after what is queued.
    pub(super) fn is_closed(&self) -> bool {
        self.queue.is_none()
    }

    /// Waits for the failure of writing: once, and for ever if there is none. Cancel safe because
    /// the outcome stays in the task until it is taken.
    pub(super) async fn failed(&mut self) -> Failure {
        if matches!(self.state, State::Writing) {
            match (&mut self.task).await {
                Ok(Ok(stdin)) => self.state = State::Closed { _stdin: stdin },
                Ok(Err(failure)) => {
                    self.fail();
                    return failure;
                }
                Err(_) => {
                    self.fail();
                    return Failure::Stuck("a fault of this library: the writer panicked".into());
                }
            }
        }
        std::future::pending().await
    }

    fn fail(&mut self) {
        self.queue = None;
        self.state = State::Failed;
        self.task.abort();
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn write_all(
    mut stdin: UnixStream,
    mut messages: mpsc::UnboundedReceiver<Vec<u8>>,
    queued: Arc<AtomicUsize>,
    patience: Duration,
) -> Result<UnixStream, Failure> {
    while let Some(message) = messages.recv().await {
        write(&stdin, &message, &queued, patience).await?;
    }
    // Only an agent that is gone makes this fail, and that is said elsewhere.
    drop(stdin.shutdown().await);
    Ok(stdin)
}

async fn write(
    stdin: &UnixStream,
    mut bytes: &[u8],
    queued: &AtomicUsize,
    patience: Duration,
) -> Result<(), Failure> {
    let mut deadline = Instant::now() + patience;
    while !bytes.is_empty() {
        let attempt = match stdin.try_io(Interest::WRITABLE, || send(stdin, bytes)) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                match timeout_at(deadline, stdin.writable()).await {
                    Ok(Ok(())) => continue,
                    Ok(Err(error)) => Err(error),
                    // A socket is called writable when most of it is free. A slow agent may have
                    // freed less, which is progress too.
                    Err(_) => send(stdin, bytes),
                }
            }
            attempt => attempt,
        };
        match attempt {
            Ok(size) => {
                queued.fetch_sub(size, Ordering::Relaxed);
                bytes = &bytes[size..];
                deadline = Instant::now() + patience;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                return Err(stuck(patience, queued));
            }
            Err(error) => {
                let message = format!("the agent closed its input: {error}");
                return Err(Failure::Closed(message));
            }
        }
    }
    Ok(())
}

/// Sends what there is room for, without waiting.
fn send(stdin: &UnixStream, bytes: &[u8]) -> io::Result<usize> {
    Ok(rustix::net::send(stdin, bytes, FLAGS)?)
}

fn stuck(patience: Duration, queued: &AtomicUsize) -> Failure {
    Failure::Stuck(format!(
        "the agent has read nothing of its input for {} s: {} bytes wait",
        patience.as_secs_f32(),
        queued.load(Ordering::Relaxed)
    ))
}
