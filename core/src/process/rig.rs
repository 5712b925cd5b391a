//! An actor without any process. A test is the agent, at the other ends of the sockets, and the
//! operating system, behind the seam. Time is paused and moves only when nothing else can.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::error::Error;
use crate::event::Exit;
use crate::ids::ProcessId;
use crate::process::actor::{Parts, actor};
use crate::process::seam::{Control, Started, TreeEvent};
use crate::process::{Command, Containment, Limits, ProcessHandle, Report, Stop};
use crate::provider::{
    AgentSignal, Codec, Conversation, Output, Request, SignalBody, StopLadder, TurnRef,
};

const PLAN: StopLadder = StopLadder {
    half_close: Duration::from_secs(6),
    signal: Some((AgentSignal::Interrupt, Duration::from_secs(2))),
};
pub(super) const MAX_LINE: usize = 1 << 20;
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// Repeats every line. Some lines are orders.
pub(super) struct Echo;

impl Echo {
    fn say(conversation: u32, what: &str, out: &mut Output) {
        let body = SignalBody::Version(what.to_owned());
        out.signal(Conversation(conversation), TurnRef::None, body);
    }
}

impl Codec for Echo {
    fn start(&mut self, out: &mut Output) {
        out.bytes.extend_from_slice(b"hello\n");
    }

    fn request(&mut self, _request: Request, out: &mut Output) {
        out.bytes.extend_from_slice(b"request\n");
    }

    fn line(&mut self, line: &[u8], out: &mut Output) {
        let line = String::from_utf8_lossy(line);
        match line.split_once(' ') {
            Some(("write", size)) => {
                let size: usize = size.parse().expect("a size");
                out.bytes.resize(out.bytes.len() + size, b'w');
            }
            Some(("other", what)) => Self::say(1, what, out),
            Some(("left", number)) => {
                let number = number.parse().expect("a number");
                out.left.push(Conversation(number));
            }
            _ => match &*line {
                "panic" => panic!("as the test ordered"),
                "close" => out.close_stdin = true,
                "kill" => out.kill = Some(AgentSignal::Terminate),
                line => Self::say(0, line, out),
            },
        }
    }

    fn skipped(&mut self, head: &[u8], size: usize, out: &mut Output) {
        assert!(size > MAX_LINE);
        Self::say(
            0,
            &format!("skipped {}", String::from_utf8_lossy(&head[..3])),
            out,
        );
    }

    fn end_of_output(&mut self, out: &mut Output) {
        Self::say(0, "the end", out);
    }

    fn last_words(&mut self, stderr: &str, out: &mut Output) {
        if !stderr.is_empty() {
            Self::say(0, stderr, out);
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Done {
    Signal(AgentSignal),
    Kill,
    Force,
}

/// The operating system.
#[derive(Debug)]
pub(super) struct Fake {
    events: mpsc::UnboundedReceiver<TreeEvent>,
    done: mpsc::UnboundedSender<(Instant, Done)>,
}

impl Fake {
    pub(super) fn done(&self, done: Done) {
        // The test may have seen enough.
        self.done.send((Instant::now(), done)).unwrap_or_default();
    }
}

impl Control for Fake {
    async fn next(&mut self) -> TreeEvent {
        match self.events.recv().await {
            Some(event) => event,
            None => std::future::pending().await,
        }
    }

    fn signal(&self, signal: AgentSignal) {
        self.done(Done::Signal(signal));
    }

    fn kill(&self) {
        self.done(Done::Kill);
    }

    fn force(&mut self) {
        self.done(Done::Force);
    }
}

pub(super) type Spawned = Result<Started<Fake>, Error>;

/// One process, one session, and the agent's side of everything.
pub(super) struct Rig {
    pub handle: Option<ProcessHandle>,
    pub reports: mpsc::Receiver<(ProcessId, Report)>,
    pub sender: mpsc::Sender<(ProcessId, Report)>,
    pub lease: Weak<()>,
    pub spawn: Option<oneshot::Sender<Spawned>>,
    pub stdin: Option<UnixStream>,
    pub stdout: Option<UnixStream>,
    pub stderr: Option<UnixStream>,
    pub tree: mpsc::UnboundedSender<TreeEvent>,
    pub done: mpsc::UnboundedReceiver<(Instant, Done)>,
    pub started: Option<Started<Fake>>,
    pub start: Instant,
}

impl Rig {
    /// A process that runs, with a session that has room for `room` reports.
    pub(super) async fn running(room: usize) -> Self {
        let mut rig = Self::spawning(room);
        rig.spawned();
        assert_eq!(rig.report().await, "spawned");
        let mut hello = [0; 6];
        let stdin = rig.stdin.as_mut().expect("stdin");
        stdin.read_exact(&mut hello).await.expect("a greeting");
        assert_eq!(&hello, b"hello\n");
        rig
    }

    /// A process whose start has not answered.
    pub(super) fn spawning(room: usize) -> Self {
        let rig = Self::unattended(room);
        rig.attach(0, rig.sender.clone());
        rig
    }

    /// The same, to which no session is attached yet.
    pub(super) fn unattended(room: usize) -> Self {
        Self::made(room, false)
    }

    /// A process that runs and that sessions share: the first one, with room for `room` reports, is
    /// attached.
    pub(super) async fn shared(room: usize) -> Self {
        let mut rig = Self::made(room, true);
        rig.attach(0, rig.sender.clone());
        rig.spawned();
        assert_eq!(rig.report().await, "spawned");
        rig
    }

    fn made(room: usize, shared: bool) -> Self {
        let pair = || UnixStream::pair().expect("a pair of sockets");
        let ((stdin, in_), (stdout, out), (stderr, err)) = (pair(), pair(), pair());
        let (tree, events) = mpsc::unbounded_channel();
        let (done_sender, done) = mpsc::unbounded_channel();
        let started = Started {
            pid: 7,
            containment: Containment::Guard,
            stdin,
            stdout,
            stderr,
            control: Fake {
                events,
                done: done_sender,
            },
        };
        let (spawn, spawned) = oneshot::channel::<Spawned>();
        let lease = Arc::new(());
        let parts = Parts {
            id: ProcessId::next(),
            codec: Box::new(Echo),
            stop: PLAN,
            limits: Limits {
                max_line: MAX_LINE,
                write: PATIENCE,
            },
            lease: Box::new(Arc::clone(&lease)),
            shared,
            spawned: Box::new(|| ()),
        };
        let (handle, actor) = actor(parts, async {
            spawned.await.expect("the test answers for the start")
        });
        tokio::spawn(actor);
        let (sender, reports) = mpsc::channel(room);
        Self {
            handle: Some(handle),
            reports,
            sender,
            lease: Arc::downgrade(&lease),
            spawn: Some(spawn),
            stdin: Some(in_),
            stdout: Some(out),
            stderr: Some(err),
            tree,
            done,
            started: Some(started),
            start: Instant::now(),
        }
    }

    pub(super) fn spawned(&mut self) {
        let started = self.started.take().expect("spawned once");
        let spawn = self.spawn.take().expect("spawned once");
        spawn.send(Ok(started)).expect("the actor waits");
    }

    pub(super) fn command(&self, command: Command) {
        let handle = self.handle.as_ref().expect("a handle");
        handle.commands.send(command).expect("an actor");
    }

    pub(super) fn attach(&self, conversation: u32, reports: mpsc::Sender<(ProcessId, Report)>) {
        self.command(Command::Attach {
            conversation: Conversation(conversation),
            reports,
        });
    }

    pub(super) fn stop(&self, stop: Stop) {
        self.command(Command::Stop(stop));
    }

    pub(super) async fn say(&mut self, text: &str) {
        let stdout = self.stdout.as_mut().expect("an open stdout");
        stdout.write_all(text.as_bytes()).await.expect("a reader");
        settle().await;
    }

    pub(super) fn event(&self, event: TreeEvent) {
        self.tree.send(event).expect("an actor");
    }

    pub(super) fn exit(&self) {
        self.event(TreeEvent::Exited(exit(0)));
    }

    /// The next report, in words.
    pub(super) async fn report(&mut self) -> String {
        settle().await;
        let (_, report) = self.reports.recv().await.expect("a report");
        words(&report)
    }

    /// All that is reported up to `Gone`.
    pub(super) async fn reports(&mut self) -> Vec<String> {
        let mut all = Vec::new();
        while all
            .last()
            .is_none_or(|last: &String| !last.starts_with("gone"))
        {
            all.push(self.report().await);
        }
        all
    }

    /// What was done to the tree next, and how many milliseconds after the beginning.
    pub(super) async fn done(&mut self) -> (u128, Done) {
        settle().await;
        let (at, done) = self.done.recv().await.expect("a deed");
        ((at - self.start).as_millis(), done)
    }
}

/// Lets everything happen that can without time moving.
pub(super) async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

pub(super) fn exit(code: i32) -> Exit {
    Exit {
        code: Some(code),
        ..Exit::default()
    }
}

pub(super) fn words(report: &Report) -> String {
    match report {
        Report::Spawned { .. } => "spawned".into(),
        Report::SpawnFailed(error) => format!("spawn failed: {}", error.kind()),
        Report::Signals(signals) => {
            let said: Vec<_> = signals
                .iter()
                .map(|signal| {
                    if let SignalBody::Version(text) = &signal.body {
                        return text.clone();
                    }
                    assert!(matches!(signal.body, SignalBody::Broken { .. }));
                    "broken".to_owned()
                })
                .collect();
            said.join(", ")
        }
        Report::Note { code, .. } => format!("{code:?}"),
        Report::WriteFailed { .. } => "write failed".into(),
        Report::OutputClosed => "output closed".into(),
        Report::Exited { exit, stderr } => format!("exited {:?} {stderr:?}", exit.code),
        Report::Held(held) => format!("held {held}"),
        Report::Left => "left".into(),
        Report::Gone { left } => format!("gone, left {left:?}"),
    }
}
