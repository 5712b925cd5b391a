//! The way from stdin: a thread that cuts lines, and the ways to hinder it.

use std::fs::File;
use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::sync::mpsc::SyncSender;
use std::sync::{Condvar, Mutex};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::stdio::{dup2_stdin, stdin};

use crate::context::Incoming;
use crate::lock;

/// How stdin is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reading {
    All,
    /// So many bytes per second.
    Slow(u64),
    /// Nothing more is read, but the stream stays open.
    Stopped,
    /// The stream is closed.
    Closed,
}

struct State {
    wanted: Reading,
    in_force: Option<Reading>,
}

pub(crate) struct Input {
    state: Mutex<State>,
    changed: Condvar,
    wake: PipeWriter,
    woken: PipeReader,
}

/// How long a change waits for the reader, which may be held up by a full queue.
const PATIENCE: Duration = Duration::from_secs(1);

impl Input {
    pub(crate) fn new() -> io::Result<Self> {
        let (woken, wake) = io::pipe()?;
        Ok(Self {
            state: Mutex::new(State {
                wanted: Reading::All,
                in_force: None,
            }),
            changed: Condvar::new(),
            wake,
            woken,
        })
    }

    /// Changes how stdin is read; when it returns, the reader does so.
    pub(crate) fn set(&self, reading: Reading) {
        let mut state = lock(&self.state);
        state.wanted = reading;
        if state.in_force.is_none() {
            if reading == Reading::Closed {
                close_stdin();
            }
            return;
        }
        // The pipe holds far more wakes than a script has instructions.
        let _ = (&self.wake).write(&[0]);
        drop(
            self.changed
                .wait_timeout_while(state, PATIENCE, |state| state.in_force != Some(reading)),
        );
    }

    fn take_change(&self) -> Reading {
        let mut state = lock(&self.state);
        if state.wanted == Reading::Closed && state.in_force != Some(Reading::Closed) {
            close_stdin();
        }
        state.in_force = Some(state.wanted);
        self.changed.notify_all();
        state.wanted
    }

    /// Sends the lines of stdin until its end. Returns early when nobody listens.
    pub(crate) fn run(&self, lines: &SyncSender<Incoming>) {
        let mut buffer = vec![0; 64 * 1024];
        let mut line = Vec::new();
        loop {
            let reading = self.take_change();
            let deaf = matches!(reading, Reading::Stopped | Reading::Closed);
            let (ready, wakes) = self.wait(deaf);
            if wakes {
                let _ = (&self.woken).read(&mut [0]);
                continue;
            }
            if !ready {
                continue;
            }
            let room = match reading {
                Reading::Slow(rate) => {
                    std::thread::sleep(
                        Duration::from_secs(1) / u32::try_from(rate.max(1)).unwrap_or(u32::MAX),
                    );
                    1
                }
                Reading::All | Reading::Stopped | Reading::Closed => buffer.len(),
            };
            let count = match rustix::io::read(stdin(), &mut buffer[..room]) {
                Ok(count) => count,
                Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => continue,
                Err(_) => 0,
            };
            if count == 0 {
                if !line.is_empty() {
                    let _ = lines.send(Incoming::Line(line));
                }
                let _ = lines.send(Incoming::Eof);
                return;
            }
            for part in buffer[..count].split_inclusive(|byte| *byte == b'\n') {
                line.extend_from_slice(part);
                if line.ends_with(b"\n") {
                    line.pop();
                    if lines
                        .send(Incoming::Line(std::mem::take(&mut line)))
                        .is_err()
                    {
                        return;
                    }
                }
            }
        }
    }

    /// Waits for input, or for a change alone. Gives which of them came.
    fn wait(&self, deaf: bool) -> (bool, bool) {
        let wake = PollFd::new(&self.woken, PollFlags::IN);
        let input = stdin();
        let mut both = [wake, PollFd::new(&input, PollFlags::IN)];
        let watched = if deaf { &mut both[..1] } else { &mut both[..] };
        if poll(watched, None).is_err() {
            return (false, false);
        }
        (
            !deaf && !both[1].revents().is_empty(),
            !both[0].revents().is_empty(),
        )
    }
}

/// Puts nothing in the place of stdin, so that the other end sees it closed.
fn close_stdin() {
    let nothing =
        File::open("/dev/null").and_then(|nothing| dup2_stdin(&nothing).map_err(io::Error::from));
    if let Err(why) = nothing {
        crate::complain(&format!("closing stdin: {why}"));
    }
}

/// Reads stdin to its end, for agents that take their prompt from there.
pub(crate) fn read_all() -> String {
    let mut bytes = Vec::new();
    if let Err(why) = io::stdin().lock().read_to_end(&mut bytes) {
        crate::complain(&format!("stdin: {why}"));
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
