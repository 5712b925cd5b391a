//! One command that runs for an agent, with all that it starts.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::AsyncWriteExt;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

use super::call::{Done, Ended};
use super::output::Output;
use crate::process::tree::{Exit, Tree, TreeEvent};
use crate::process::{STUCK, Stdio, UNHEARD};

/// So much is read at a time.
const READ: usize = 16 << 10;

/// Output that nothing of the command can write any more is waited for so long.
const DRAIN: Duration = Duration::from_millis(250);

/// A command, as those see it who ask about it.
#[derive(Clone, Debug)]
pub(super) struct Terminal {
    output: Arc<Mutex<Output>>,
    ended: watch::Receiver<Option<Ended>>,
    kill: Arc<watch::Sender<bool>>,
}

/// What is needed to see a command to its end.
#[derive(Debug)]
pub(super) struct Keeper {
    output: Arc<Mutex<Output>>,
    ended: watch::Sender<Option<Ended>>,
    kill: watch::Receiver<bool>,
}

impl Terminal {
    /// A terminal that keeps so many bytes of the output, and the keeper of its command. Dropping every
    /// clone of it kills the command.
    pub(super) fn new(limit: usize) -> (Self, Keeper) {
        let output = Arc::new(Mutex::new(Output::new(limit)));
        let (ended, has_ended) = watch::channel(None);
        let (kill, is_killed) = watch::channel(false);
        let keeper = Keeper {
            output: Arc::clone(&output),
            ended,
            kill: is_killed,
        };
        let terminal = Self {
            output,
            ended: has_ended,
            kill: Arc::new(kill),
        };
        (terminal, keeper)
    }

    /// What was written so far, and how the command ended if it has.
    pub(super) fn output(&self) -> Done {
        let ended = *self.ended.borrow();
        let (text, truncated) = self.output.lock().text(ended.is_some());
        Done::Output {
            text,
            truncated,
            ended,
        }
    }

    /// Waits for the end of the command, which comes when nothing of it is left and all that it wrote is
    /// there.
    pub(super) async fn wait(mut self) -> Ended {
        let ended = self.ended.wait_for(Option::is_some).await;
        // Without a keeper nobody knows.
        ended.map_or_else(|_| Ended::default(), |ended| ended.unwrap_or_default())
    }

    /// Ends the command with all that it started, if it has not ended.
    pub(super) fn kill(&self) {
        self.kill.send_replace(true);
    }
}

/// How far the end of a tree is.
#[derive(Clone, Copy)]
enum Stage {
    Running,
    /// It was killed, and at that moment its owner has not been heard of.
    Killed(Instant),
    /// It was killed without its owner, and at that moment it is given up.
    Forced(Instant),
}

impl Keeper {
    /// Reads what the command writes, and ends it when it is to end. Returns when nothing of it is left,
    /// or with those who do not die of being killed.
    pub(super) async fn keep(self, tree: Tree) -> Vec<u32> {
        let Self {
            output,
            ended,
            mut kill,
        } = self;
        let Tree {
            mut stdin,
            stdout,
            mut control,
            ..
        } = tree;
        // Nobody writes to it. Kept, because closing it with something unread in it would be an error there.
        let _closed = stdin.shutdown().await;
        let mut buffer = vec![0; READ];
        let (mut open, mut exit, mut left) = (true, Exit::default(), Vec::new());
        let mut stage = Stage::Running;
        loop {
            let running = matches!(stage, Stage::Running);
            // Cancel safe: the control and the watch say so, readiness and a deadline hold nothing.
            tokio::select! {
                biased;
                event = control.next() => match event {
                    TreeEvent::Exited(how) => exit = how,
                    TreeEvent::Left(pids) => left = pids,
                    TreeEvent::Gone => {
                        left.clear();
                        break;
                    }
                },
                () = told(&mut kill), if running => {
                    control.kill();
                    stage = Stage::Killed(Instant::now() + UNHEARD);
                }
                () = until(stage), if !running => match stage {
                    Stage::Killed(_) => {
                        control.force();
                        stage = Stage::Forced(Instant::now() + STUCK);
                    }
                    Stage::Running | Stage::Forced(_) => break,
                },
                _ready = stdout.readable(), if open => {
                    open = read(&stdout, &mut buffer, &output);
                }
            }
        }
        // Whoever wrote is gone. One that got away may hold it open.
        while open && timeout(DRAIN, stdout.readable()).await.is_ok() {
            open = read(&stdout, &mut buffer, &output);
        }
        let Exit { code, signal, .. } = exit;
        ended.send_replace(Some(Ended { code, signal }));
        left
    }
}

/// Waits until the command is to end. So it is if nobody wants it any more.
async fn told(kill: &mut watch::Receiver<bool>) {
    let _nobody = kill.wait_for(|kill| *kill).await;
}

/// Reads once. `false`: that was all.
fn read(stdout: &Stdio, buffer: &mut [u8], output: &Mutex<Output>) -> bool {
    match stdout.try_read(buffer) {
        Ok(0) => false,
        Ok(size) => {
            output.lock().push(&buffer[..size]);
            true
        }
        Err(error) => matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock),
    }
}

async fn until(stage: Stage) {
    match stage {
        Stage::Running => std::future::pending().await,
        Stage::Killed(at) | Stage::Forced(at) => sleep_until(at).await,
    }
}
