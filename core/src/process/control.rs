//! How a running tree is signalled, killed and watched.

use std::io;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use remuda_guard::protocol::{Command, REPLY_LEN, Reply};
use rustix::net::{SendFlags, Shutdown};
use tokio::net::UnixStream;
use tokio::sync::{mpsc, oneshot};

use super::group::Leader;
use super::os;
use super::tree::{Exit, Signal, TreeEvent, TreeRecord};

/// How long a guard whose socket is closed may take to end its tree and itself.
const PATIENCE: Duration = Duration::from_secs(3);

/// Who owns the processes of a tree.
pub(super) enum Owner {
    /// A guard, behind this socket.
    Guard {
        control: StdUnixStream,
        guard: os::ChildProcess,
    },
    /// A thread that waits for the group's leader.
    Group {
        leader: Leader,
        exit: oneshot::Receiver<Exit>,
        gone: oneshot::Receiver<()>,
    },
}

/// A child that did not end in time.
pub(super) struct StillThere;

/// Signals, kills and watches one tree. Dropping it kills the tree, except in a forked copy of the host.
#[derive(Debug)]
pub(crate) struct Control {
    record: TreeRecord,
    link: Link,
    exited: bool,
    /// The process that may end the tree by dropping this. A forked copy of it may not.
    host: u32,
}

#[derive(Debug)]
enum Link {
    Guard(GuardLink),
    Group {
        leader: Leader,
        exit: oneshot::Receiver<Exit>,
        gone: oneshot::Receiver<()>,
    },
}

#[derive(Debug)]
struct GuardLink {
    socket: UnixStream,
    /// The reply that is being received and how much of it is here.
    reply: ([u8; REPLY_LEN], usize),
    life: Life,
}

#[derive(Debug)]
enum Life {
    Running(os::ChildProcess),
    /// The guard says nothing more; a thread waits for it, clears up after it and tells who is left.
    Ending(mpsc::Receiver<Vec<u32>>),
    Gone,
}

impl Control {
    /// Takes over a tree. Must be called where a runtime is entered.
    pub(super) fn new(record: TreeRecord, owner: Owner) -> io::Result<Self> {
        let link = match owner {
            Owner::Group { leader, exit, gone } => Link::Group { leader, exit, gone },
            Owner::Guard { control, guard } => {
                let attached = control
                    .set_nonblocking(true)
                    .and_then(|()| UnixStream::from_std(control));
                match attached {
                    Ok(socket) => Link::Guard(GuardLink {
                        socket,
                        reply: ([0; REPLY_LEN], 0),
                        life: Life::Running(guard),
                    }),
                    Err(error) => {
                        // The socket is closed by now, which ends the tree.
                        Ending::new(guard, Some(record)).begin();
                        return Err(error);
                    }
                }
            }
        };
        Ok(Self {
            record,
            link,
            exited: false,
            host: std::process::id(),
        })
    }

    /// What finds the tree again if this process is killed.
    #[cfg(test)]
    pub(crate) fn record(&self) -> &TreeRecord {
        &self.record
    }

    /// Waits for the next event. After `Gone` it is always `Gone`.
    ///
    /// Cancel safe because what has been received, and what it led to, is kept in `self` at every `.await`.
    pub(crate) async fn next(&mut self) -> TreeEvent {
        match &mut self.link {
            Link::Guard(link) => link.next(&self.record, &mut self.exited).await,
            Link::Group { exit, gone, .. } => {
                if !self.exited {
                    // The thread always answers.
                    let exit = exit.await.unwrap_or_default();
                    self.exited = true;
                    return TreeEvent::Exited(exit);
                }
                if !gone.is_terminated() {
                    // An error is the answer: the thread has ended.
                    let _ended = gone.await;
                }
                TreeEvent::Gone
            }
        }
    }

    /// Sends a signal to the agent, if it has not ended.
    pub(crate) fn signal(&self, signal: Signal) {
        match &self.link {
            Link::Guard(link) => link.command(Command::Signal(number(signal))),
            Link::Group { leader, .. } => os::signal(leader, signal),
        }
    }

    /// Kills the whole tree. `Exited` and `Gone` follow.
    pub(crate) fn kill(&self) {
        match &self.link {
            Link::Guard(link) => {
                link.command(Command::Kill);
                if let Life::Running(guard) = &link.life {
                    guard.wake();
                }
                // The end of the stream says the same, even if the socket was full. The guard still answers. An error
                // means that the guard is gone.
                let _gone = rustix::net::shutdown(&link.socket, Shutdown::Write);
            }
            Link::Group { leader, .. } => os::kill_group(leader),
        }
    }
}

impl Control {
    /// Ends the tree without its owner, who was told to and does not. Who does not even die of that
    /// is told as [`TreeEvent::Left`]; `Exited` and `Gone` follow.
    pub(crate) fn force(&mut self) {
        match &mut self.link {
            Link::Guard(link) => link.end(Some(self.record.clone()), Duration::ZERO),
            Link::Group { leader, .. } => os::kill_group(leader),
        }
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        if std::process::id() != self.host {
            return;
        }
        match &mut self.link {
            Link::Guard(link) => {
                // Closing is not enough: a forked child of the host may hold a copy of the socket.
                let _gone = rustix::net::shutdown(&link.socket, Shutdown::Both);
                if let Life::Running(guard) = std::mem::replace(&mut link.life, Life::Gone) {
                    guard.wake();
                    Ending::new(guard, Some(self.record.clone())).begin();
                }
            }
            Link::Group { leader, .. } => os::kill_group(leader),
        }
    }
}

fn number(signal: Signal) -> u8 {
    match signal {
        Signal::Interrupt => 2,
        Signal::Terminate => 15,
    }
}

impl GuardLink {
    async fn next(&mut self, record: &TreeRecord, exited: &mut bool) -> TreeEvent {
        loop {
            match &mut self.life {
                Life::Running(_) => match self.reply().await {
                    Some(Reply::Exited(ending)) => {
                        *exited = true;
                        return TreeEvent::Exited(Exit {
                            code: ending.code,
                            signal: ending.signal,
                            out_of_memory: ending.out_of_memory,
                            max_rss_bytes: ending.max_rss,
                            cpu: Duration::from_micros(ending.cpu),
                        });
                    }
                    Some(Reply::Left(pids)) => {
                        return TreeEvent::Left(pids.into_iter().filter(|pid| *pid != 0).collect());
                    }
                    Some(Reply::Gone) => self.end(None, PATIENCE),
                    // The guard was killed, or what speaks is no guard.
                    Some(Reply::Started { .. } | Reply::Failed { .. }) | None => {
                        self.end(Some(record.clone()), PATIENCE);
                    }
                },
                Life::Ending(left) => match left.recv().await {
                    Some(left) => return TreeEvent::Left(left),
                    None => self.life = Life::Gone,
                },
                Life::Gone if *exited => return TreeEvent::Gone,
                Life::Gone => {
                    *exited = true;
                    return TreeEvent::Exited(Exit::default());
                }
            }
        }
    }

    /// The next reply, or none if there will be no more.
    async fn reply(&mut self) -> Option<Reply> {
        let (bytes, filled) = &mut self.reply;
        while *filled < REPLY_LEN {
            self.socket.readable().await.ok()?;
            match self.socket.try_read(&mut bytes[*filled..]) {
                Ok(0) => return None,
                Ok(len) => *filled += len,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return None,
            }
        }
        *filled = 0;
        Reply::decode(bytes)
    }

    /// Sends a command. It fits, unless the guard is stopped; then the next end of the stream must do.
    fn command(&self, command: Command) {
        let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
        let _sent = rustix::net::send(&self.socket, &command.encode(), flags);
    }

    fn end(&mut self, leftovers: Option<TreeRecord>, patience: Duration) {
        if !matches!(self.life, Life::Running(_)) {
            return;
        }
        // What is no guard must not live on as one.
        let _gone = rustix::net::shutdown(&self.socket, Shutdown::Both);
        if let Life::Running(guard) = std::mem::replace(&mut self.life, Life::Gone) {
            let ending = Ending {
                guard,
                leftovers,
                patience,
            };
            self.life = Life::Ending(ending.begin());
        }
    }
}

/// The end of a guard: it is waited for, and if it does not finish its work, that is done.
pub(super) struct Ending {
    guard: os::ChildProcess,
    /// The tree to look for if the guard did not say that it is gone.
    leftovers: Option<TreeRecord>,
    /// How long the guard may take.
    patience: Duration,
}

impl Ending {
    pub(super) fn new(guard: os::ChildProcess, leftovers: Option<TreeRecord>) -> Self {
        Self {
            guard,
            leftovers,
            patience: PATIENCE,
        }
    }

    /// Begins it on a thread of its own, because the runtime may be about to end, and guards must not stay as zombies.
    /// The receiver gets the pids of those that do not die, when that is clear, and is closed when it is over.
    pub(super) fn begin(self) -> mpsc::Receiver<Vec<u32>> {
        let (sender, receiver) = mpsc::channel::<Vec<u32>>(1);
        let shared = Arc::new(self);
        let ending = Arc::clone(&shared);
        let left = sender.clone();
        let thread = thread::Builder::new()
            .name("remuda-reap".to_owned())
            .spawn(move || {
                ending.finish(&left);
                // All that belongs to it is given back before anybody hears of it.
                drop(ending);
                drop(left);
            });
        if thread.is_err() {
            // Blocking here for a moment is better than leaving processes.
            shared.finish(&sender);
        }
        receiver
    }

    fn finish(&self, told: &mpsc::Sender<Vec<u32>>) {
        let (finished, mut known) = match self.guard.wait_for(self.patience) {
            Ok(code) => (code == Some(0), Vec::new()),
            Err(StillThere) => (false, self.guard.depose()),
        };
        let Some(record) = self.leftovers.as_ref().filter(|_| !finished) else {
            return;
        };
        loop {
            known = os::sweep(record, &known);
            // Nobody listens where the tree was given up; it was killed, and dies when it can.
            if known.is_empty() || told.is_closed() {
                return;
            }
            // Where the last news was not heard yet, it says the same.
            let _unheard = told.try_send(known.iter().map(|found| found.pid).collect());
            thread::sleep(Duration::from_secs(1));
        }
    }
}
