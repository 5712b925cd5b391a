//! The process actor: one task that owns one agent process and its codec.
//!
//! It receives, steps and carries out. It waits for nothing but its one `select`: what has no room
//! in a session's queue, or in the agent's stdin, waits in a queue of its own while the stop, the
//! exit and every other session go on.

use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use crate::error::Error;
use crate::event::WarningCode;
use crate::ids::ProcessId;
use crate::process::audience::{Audience, Overflow};
use crate::process::burial::bury;
use crate::process::facts::{Facts, Start, broken};
use crate::process::fence::{Fence, survive};
use crate::process::leaving::Leaving;
use crate::process::life::{Act, Life, STUCK};
use crate::process::reader::{Read, Reader};
use crate::process::seam::{Control, Started, TreeEvent};
use crate::process::stderr::{Drain, StderrTail};
use crate::process::stop::Step;
use crate::process::writer::{Failure, Writer};
use crate::process::{Command, Limits, ProcessHandle, Report};
use crate::provider::{Codec, Request, StopLadder};

/// How much of stderr an exit is reported with.
const LAST_WORDS: usize = 8 << 10;

/// What an actor is made of, beside the tree.
pub(super) struct Parts {
    pub id: ProcessId,
    pub codec: Box<dyn Codec>,
    pub stop: StopLadder,
    pub limits: Limits,
    pub lease: Box<dyn Send>,
    pub shared: bool,
    pub spawned: Box<dyn FnOnce() + Send>,
}

/// Makes an actor and its handle. The future is the actor: it ends when the tree is gone and every
/// session was told so.
pub(super) fn actor<C: Control>(
    parts: Parts,
    spawn: impl Future<Output = Result<Started<C>, Error>> + Send,
) -> (ProcessHandle, impl Future<Output = ()> + Send) {
    // Bounded by those who send: a session answers what the agent asks, and what it reads of that is
    // bounded by the queue of its reports.
    let (sender, commands) = mpsc::unbounded_channel();
    let tail = Arc::new(StderrTail::default());
    let handle = ProcessHandle {
        commands: sender,
        stderr: Arc::clone(&tail),
    };
    let actor = Actor {
        audience: Audience::new(parts.id, parts.shared),
        commands,
        listening: true,
        early: Vec::new(),
        codec: Fence::new(parts.codec),
        life: Life::new(parts.stop),
        facts: Facts::default(),
        input_error: None,
        left: Vec::new(),
        limits: parts.limits,
        tail,
        lease: Some(parts.lease),
        spawned: Some(parts.spawned),
        leaving: Leaving::default(),
    };
    (handle, actor.run(spawn))
}

struct Actor {
    audience: Audience,
    /// Not bounded by itself. Sessions answer what the agent says, and the actor reads from the agent
    /// only when no command waits and no report does: so this holds the answers to what fits into
    /// the sessions' queues, plus the few commands that nothing of the agent causes.
    commands: mpsc::UnboundedReceiver<Command>,
    /// Whether there is a handle left.
    listening: bool,
    /// What was asked before the process ran.
    early: Vec<Request>,
    codec: Fence,
    life: Life,
    facts: Facts,
    /// Why nothing is written any more, while that is not reported.
    input_error: Option<String>,
    /// What is left of the tree, as far as it was told.
    left: Vec<u32>,
    limits: Limits,
    tail: Arc<StderrTail>,
    /// Dropped when the tree is gone.
    lease: Option<Box<dyn Send>>,
    /// Told that the process runs.
    spawned: Option<Box<dyn FnOnce() + Send>>,
    leaving: Leaving,
}

/// The tree, and our ends of its streams.
struct Running<C> {
    pid: u32,
    control: C,
    writer: Writer,
    /// `None` at the end of the output.
    reader: Option<Reader>,
    stderr: Drain,
}

enum Event {
    Tree(TreeEvent),
    Command(Option<Command>),
    WriteFailed(Failure),
    Read(Read),
    /// Something waited for came: room, or a deadline. The loop looks for itself.
    Wake,
}

impl Actor {
    async fn run<C: Control>(
        mut self,
        spawn: impl Future<Output = Result<Started<C>, Error>> + Send,
    ) {
        // Boxed: it is finished soon, and the actor's own future stays small.
        let mut spawn = Some(Box::pin(spawn));
        let mut running = None;
        // After a panic only the reports, the lease and the tree are used.
        let outcome = survive(self.work(&mut spawn, &mut running)).await;
        if outcome.is_err() {
            tracing::error!(process = self.audience.id().get(), "the actor panicked");
        }
        let left = match &running {
            Some(running) if !self.life.is_tree_gone() => self.left_of(running),
            Some(_) | None => Vec::new(),
        };
        let lease = self.lease.take();
        let control = running.map(|running| running.control);
        tokio::join!(self.farewell(left), bury(spawn, control, lease));
    }

    /// Everything from the start to the moment when only `Gone` is left to say.
    async fn work<C: Control, S>(
        &mut self,
        spawn: &mut Option<Pin<Box<S>>>,
        running: &mut Option<Running<C>>,
    ) where
        S: Future<Output = Result<Started<C>, Error>> + Send,
    {
        let started = match spawn {
            Some(spawn) => self.spawning(spawn.as_mut()).await,
            None => None,
        };
        // Given up: `spawn` is left to be buried.
        let Some(started) = started else { return };
        *spawn = None;
        match started {
            Ok(started) => {
                let running = running.insert(self.begin(started));
                self.open(running);
                self.live(running).await;
            }
            Err(error) => {
                self.lease = None;
                self.facts.start = Some(Start::Failed(error.clone()));
                self.audience
                    .all(Overflow::Keep, |_| Report::SpawnFailed(error.clone()));
            }
        }
    }

    /// Waits for the start, and serves the sessions meanwhile. `None`: somebody stopped the process
    /// before it ran, and it does not come within the time that a kill may take.
    async fn spawning<C, S>(&mut self, mut spawn: Pin<&mut S>) -> Option<Result<Started<C>, Error>>
    where
        S: Future<Output = Result<Started<C>, Error>>,
    {
        loop {
            let given_up = self.life.kill_at().map(|at| at + STUCK);
            tokio::select! {
                biased;
                // Cancel safe because the future is kept.
                started = spawn.as_mut() => return Some(started),
                // Cancel safe, says tokio.
                command = self.commands.recv(), if self.listening => self.command(command),
                // Cancel safe, says its own comment.
                () = self.audience.progress(), if !self.audience.is_clear() => {}
                // Cancel safe because it holds nothing.
                () = until(given_up) => return None,
            }
        }
    }

    fn begin<C: Control>(&mut self, started: Started<C>) -> Running<C> {
        let (pid, containment) = (started.pid, started.containment);
        self.facts.start = Some(Start::Spawned { pid, containment });
        self.spawned.take().into_iter().for_each(|tell| tell());
        self.audience
            .all(Overflow::Keep, |_| Report::Spawned { pid, containment });
        Running {
            pid,
            control: started.control,
            writer: Writer::start(started.stdin, self.limits.write),
            reader: Some(Reader::new(started.stdout, self.limits.max_line)),
            stderr: Drain::start(started.stderr, Arc::clone(&self.tail)),
        }
    }
}

/// The life of a running process.
impl Actor {
    /// Opens the protocol, and passes on what was asked before.
    fn open<C: Control>(&mut self, running: &mut Running<C>) {
        self.codec.call(|codec, said| codec.start(&mut said.output));
        self.apply(running);
        for request in std::mem::take(&mut self.early) {
            self.request(request, running);
        }
    }

    async fn live<C: Control>(&mut self, running: &mut Running<C>) {
        loop {
            while let Some(act) = self.life.take(Instant::now()) {
                self.carry_out(act, running);
            }
            if self.life.is_over() {
                return;
            }
            if self.leaving.take_overdue(Instant::now()) {
                self.life.kill(Instant::now());
                continue;
            }
            let held = !self.audience.may_read() && !self.life.is_stopping();
            self.audience.hold(held);
            match self.next(running).await {
                Event::Tree(event) => self.tree(event, running),
                Event::Command(Some(Command::Request(request))) => self.request(request, running),
                Event::Command(Some(Command::Leave { conversation, stop })) => {
                    self.leave(conversation, stop, running);
                }
                Event::Command(command) => self.command(command),
                Event::WriteFailed(failure) => self.write_failed(failure),
                Event::Read(read) => self.read(read, running),
                Event::Wake => {}
            }
        }
    }

    /// Waits for whatever comes first. The order keeps an agent that never stops talking from
    /// hiding anything else.
    async fn next<C: Control>(&mut self, running: &mut Running<C>) -> Event {
        let deadline = self.life.next().into_iter().chain(self.leaving.next());
        let deadline = deadline.min();
        let clear = self.audience.is_clear();
        // The backpressure: what a session has no room for stays with the agent. Not while the
        // process is stopped, when a full queue must not keep it from its end.
        let reads =
            running.reader.is_some() && (self.audience.may_read() || self.life.is_stopping());
        tokio::select! {
            biased;
            // Cancel safe, says its contract.
            event = running.control.next(), if !self.life.is_tree_gone() => Event::Tree(event),
            // Cancel safe, says tokio.
            command = self.commands.recv(), if self.listening => Event::Command(command),
            // Cancel safe because it holds nothing.
            () = until(deadline), if deadline.is_some() => Event::Wake,
            // Cancel safe, as are the next two: their own comments say why.
            failure = running.writer.failed() => Event::WriteFailed(failure),
            () = self.audience.progress(), if !clear => Event::Wake,
            read = read(&mut running.reader, &mut self.codec), if reads => Event::Read(read),
        }
    }

    fn carry_out<C: Control>(&mut self, act: Act, running: &mut Running<C>) {
        match act {
            Act::Step(Step::CloseStdin) => running.writer.close(),
            Act::Step(Step::Signal(signal)) => running.control.signal(signal),
            Act::Step(Step::Kill) => running.control.kill(),
            Act::ReportInput => self.report_input(),
            Act::Force => running.control.force(),
            Act::CloseOutput | Act::GiveUp => self.close_output(running, End::Leaked),
        }
    }

    fn tree<C: Control>(&mut self, event: TreeEvent, running: &mut Running<C>) {
        let now = Instant::now();
        let owed = running.reader.as_ref().map_or(0, Reader::unread);
        match event {
            TreeEvent::Exited(exit) => {
                running.stderr.now();
                let stderr = self.tail.text(LAST_WORDS);
                self.facts.exited = Some((exit, stderr.clone()));
                self.audience.all(Overflow::Keep, |_| Report::Exited {
                    exit,
                    stderr: stderr.clone(),
                });
                self.life.exit(owed, now);
            }
            TreeEvent::Left(pids) => {
                self.left = pids;
                self.life.left();
            }
            TreeEvent::Gone => {
                self.life.tree_gone(owed, now);
                self.lease = None;
            }
        }
    }

    /// A command while the process starts, or one that the codec has no part in.
    fn command(&mut self, command: Option<Command>) {
        match command {
            Some(Command::Attach {
                conversation,
                reports,
            }) => {
                let since = self.facts.since(conversation);
                self.audience
                    .attach(conversation, reports, self.facts.start(), since);
            }
            Some(Command::Stop(stop)) => self.life.stop(stop, Instant::now()),
            // Only while it starts: `open` passes these on.
            Some(Command::Request(request)) => self.early.push(request),
            Some(Command::Leave { conversation, .. }) => {
                self.early.retain(|r| r.conversation() != conversation);
                self.audience.dismiss(conversation);
            }
            None => {
                self.listening = false;
                self.life.kill(Instant::now());
            }
        }
    }

    /// Asks the codec. A process that is being stopped, or is silent for ever, is asked nothing.
    fn request<C: Control>(&mut self, request: Request, running: &mut Running<C>) {
        if !self.life.is_stopping() && !self.life.is_output_closed() {
            self.codec
                .call(|codec, said| codec.request(request, &mut said.output));
            self.apply(running);
        }
    }

    fn read<C: Control>(&mut self, read: Read, running: &mut Running<C>) {
        match read {
            Read::Bytes(size) => {
                self.life.read(size);
                self.apply(running);
            }
            Read::End => self.close_output(running, End::Reached),
        }
    }

    /// Ends the output, once: its last line, the codec's last words, then the report.
    fn close_output<C: Control>(&mut self, running: &mut Running<C>, end: End) {
        let Some(reader) = running.reader.take() else {
            return;
        };
        let cut = reader.finish(&mut self.codec);
        running.stderr.now();
        let stderr = self.tail.text(LAST_WORDS);
        self.codec
            .call(|codec, said| codec.last_words(&stderr, &mut said.output));
        self.apply(running);
        if let Some(size) = cut {
            let message = format!("the output ends in the middle of a line, after {size} bytes");
            self.note(WarningCode::TruncatedLine, &message);
        }
        if end == End::Leaked {
            let message = "a descendant of the agent held its output open";
            self.note(WarningCode::LeakedOutput, message);
        }
        self.facts.output_closed = true;
        self.audience.all(Overflow::Keep, |_| Report::OutputClosed);
        let stdin_closed = running.writer.is_closed();
        self.life.output_closed(stdin_closed, Instant::now());
    }

    /// Does what the codec wants done.
    fn apply<C: Control>(&mut self, running: &mut Running<C>) {
        let said = self.codec.take();
        let output = said.output;
        if !output.bytes.is_empty()
            && let Err(failure) = running.writer.push(output.bytes)
        {
            self.write_failed(failure);
        }
        if output.close_stdin {
            running.writer.close();
        }
        if let Some(signal) = output.kill {
            running.control.signal(signal);
        }
        // First, because what follows from them may be the end of the turn.
        for size in said.too_long {
            let message = format!("a line of {size} bytes or more was skipped");
            self.note(WarningCode::LineTooLong, &message);
        }
        if !output.signals.is_empty() {
            self.audience.signals(output.signals, self.overflow());
        }
        self.let_go(output.left);
        if !self.codec.works() && !self.facts.broken {
            self.facts.broken = true;
            self.audience.all(Overflow::Keep, broken);
            self.life.kill(Instant::now());
        }
    }

    /// Nothing is written any more. That an agent which has ended does not read is no news.
    fn write_failed(&mut self, failure: Failure) {
        match failure {
            Failure::Stuck(message) => {
                self.input_error = Some(message);
                self.report_input();
            }
            Failure::Closed(message) => {
                self.input_error = Some(message);
                self.life.input_closed(Instant::now());
            }
        }
    }

    fn report_input(&mut self) {
        let Some(message) = self.input_error.take() else {
            return;
        };
        self.audience.all(Overflow::Keep, |_| Report::WriteFailed {
            message: message.clone(),
        });
        self.facts.write_failed = Some(message);
    }

    fn note(&mut self, code: WarningCode, message: &str) {
        self.audience.all(self.overflow(), |_| Report::Note {
            code,
            message: message.to_owned(),
        });
    }

    fn overflow(&self) -> Overflow {
        if self.life.is_stopping() {
            Overflow::Drop
        } else {
            Overflow::Keep
        }
    }
}

/// Why output is closed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Reached,
    Leaked,
}

pub(super) async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

async fn read(reader: &mut Option<Reader>, codec: &mut Fence) -> Read {
    match reader {
        Some(reader) => reader.read(codec).await,
        None => std::future::pending().await,
    }
}

#[path = "departure.rs"]
mod departure;

#[cfg(test)]
#[path = "departure_tests.rs"]
mod departure_tests;
#[cfg(test)]
#[path = "actor_tests.rs"]
mod tests;
