//! Drives one session's machine: receives, steps, carries out. Nothing is decided here.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::{mpsc, oneshot};
use tokio::time::Sleep;

use crate::config::{Mode, PoolOptions, SessionOptions};
use crate::error::Error;
use crate::event::{Body, CloseReason, EvictionReason};
use crate::ids::{ProcessId, TurnId};
use crate::metrics::Counters;
use crate::pool::lease::{Grant, PoolLink, SlotLease, StartLease};
use crate::process::{Command, ProcessHandle, Report};
use crate::provider::{Provider, Request};
use crate::session::gate::{End, Farewell};
use crate::session::launch::{self, Launching};
use crate::session::machine::{Effect, Input, Machine, ONLY};
use crate::session::{Receipt, Shared};

/// Reports of processes that wait for the session: one is one read's worth of signals.
const REPORTS: usize = 8;

/// How much of stderr stands in a failure, in bytes.
const STDERR_IN_FAILURE: usize = 8 << 10;

/// What hosts and the pool tell a session.
///
/// The channel is not bounded by itself. It is bounded by those who send: one turn at a time (the
/// gate), one answer of the pool per question, one eviction at a time, and interrupts and holds that
/// are each a call of the host.
#[derive(Debug)]
pub(crate) enum Message {
    Send {
        turn: TurnId,
        tag: Option<u64>,
        text: Arc<str>,
    },
    Interrupt {
        turn: TurnId,
        reply: oneshot::Sender<Receipt>,
    },
    Hold(bool),
    Close {
        reason: CloseReason,
        by: Option<Instant>,
    },
    Granted {
        ticket: u64,
        grant: Grant,
    },
    Denied {
        ticket: u64,
        error: Error,
    },
    Evict(EvictionReason),
}

/// What a session is made of.
pub(crate) struct Parts {
    pub shared: Arc<Shared>,
    pub machine: Machine,
    pub inbox: mpsc::UnboundedReceiver<Message>,
    pub pool: PoolLink,
    pub provider: &'static dyn Provider,
    pub options: Arc<SessionOptions>,
    pub pool_options: Arc<PoolOptions>,
    pub counters: Arc<Counters>,
}

/// Runs a session until it is closed.
pub(crate) async fn run(parts: Parts) {
    let (reports_in, reports) = mpsc::channel(REPORTS);
    let actor = Actor {
        parts,
        reports_in,
        processes: HashMap::new(),
        current: None,
        ticket: 0,
        grant: None,
        slot: None,
        start: None,
        receipt: None,
        listening: true,
        shown: Vec::new(),
        effects: Vec::new(),
        left: Vec::new(),
    };
    actor.run(reports).await;
}

struct Actor {
    parts: Parts,
    reports_in: mpsc::Sender<(ProcessId, Report)>,
    processes: HashMap<ProcessId, ProcessHandle>,
    /// The last one that was started.
    current: Option<ProcessId>,
    /// The last question to the pool; answers to earlier ones are given back.
    ticket: u64,
    grant: Option<Grant>,
    slot: Option<SlotLease>,
    start: Option<StartLease>,
    receipt: Option<oneshot::Sender<Receipt>>,
    listening: bool,
    /// Events of the current step, appended to the log in one go.
    shown: Vec<(Option<TurnId>, Body)>,
    effects: Vec<Effect>,
    left: Vec<u32>,
}

impl Actor {
    async fn run(mut self, mut reports: mpsc::Receiver<(ProcessId, Report)>) {
        let mut alarm = Alarm::default();
        let mut open = true;
        while open {
            let log = Arc::clone(&self.parts.shared.log);
            alarm.set(self.parts.machine.deadline());
            // Cancel safe: `recv` loses nothing, `room` and the alarm only look.
            tokio::select! {
                biased;
                message = self.parts.inbox.recv() => match message {
                    Some(message) => open = self.message(message),
                    // Every handle is gone, which each of them says before it goes.
                    None => open = self.close(CloseReason::Host, None),
                },
                Some((process, report)) = reports.recv(), if self.listening => {
                    open = self.report(process, report);
                }
                () = log.room(), if !self.listening => {}
                () = alarm.wait() => open = self.tick(),
            }
            if open {
                open = self.listen();
            }
        }
    }

    /// A full log stops the session from listening to the agent, and so in the end the agent.
    fn listen(&mut self) -> bool {
        let machine = &self.parts.machine;
        let listening = machine.is_deaf() || self.parts.shared.log.has_room();
        if listening == self.listening {
            return true;
        }
        self.listening = listening;
        self.step(Input::Paused(!listening))
    }

    fn tick(&mut self) -> bool {
        match self.parts.machine.deadline() {
            Some(deadline) if deadline <= Instant::now() => self.step(Input::Tick),
            Some(_) | None => true,
        }
    }

    fn message(&mut self, message: Message) -> bool {
        match message {
            Message::Send { turn, tag, text } => self.step(Input::Send { turn, tag, text }),
            Message::Interrupt { turn, reply } => {
                self.receipt = Some(reply);
                self.step(Input::Interrupt(turn))
            }
            Message::Hold(hold) => self.step(Input::Hold(hold)),
            Message::Close { reason, by } => self.close(reason, by),
            Message::Granted { ticket, grant } if ticket == self.ticket => {
                let given = grant.given();
                self.grant = Some(grant);
                self.step(Input::Granted(given))
            }
            Message::Denied { ticket, error } if ticket == self.ticket => {
                self.step(Input::Denied(error))
            }
            // An answer to an old question: dropping a grant gives it back.
            Message::Granted { .. } | Message::Denied { .. } => true,
            Message::Evict(reason) => self.step(Input::Evict(reason)),
        }
    }

    /// Closes the door first. The close may be the last step, so the turn that came in before comes
    /// before it.
    fn close(&mut self, reason: CloseReason, by: Option<Instant>) -> bool {
        self.parts.shared.gate.close();
        let (sent, rest) = self.drain();
        for message in sent {
            self.message(message);
        }
        let mut open = self.step(Input::Close { reason, by });
        for message in rest {
            // Whoever asked a session that is over learns it from the channel.
            open = open && self.message(message);
        }
        open
    }

    /// What waits in the inbox: turns, and the rest.
    fn drain(&mut self) -> (Vec<Message>, Vec<Message>) {
        std::iter::from_fn(|| self.parts.inbox.try_recv().ok())
            .partition(|message| matches!(message, Message::Send { .. }))
    }

    /// Tells all ends that are missing when nothing can be waited for any more.
    fn abandon(&mut self) {
        self.parts.shared.gate.close();
        for message in self.drain().0 {
            self.message(message);
        }
        let mut effects = Vec::new();
        self.parts.machine.abandon(Instant::now(), &mut effects);
        for effect in effects {
            if let Effect::Show(turn, body) = effect {
                self.shown.push((turn, body));
            }
        }
        self.flush();
    }

    fn report(&mut self, process: ProcessId, report: Report) -> bool {
        let Report::Signals(signals) = report else {
            if let Report::Gone { left } = &report {
                self.processes.remove(&process);
                self.left.extend_from_slice(left);
            }
            return self.step(Input::Report(process, report));
        };
        let now = Instant::now();
        for signal in signals {
            self.advance(now, Input::Signal(process, signal));
        }
        self.flush()
    }

    fn step(&mut self, input: Input) -> bool {
        self.advance(Instant::now(), input);
        self.flush()
    }

    /// Steps the machine and carries out everything but what is shown, which is gathered.
    fn advance(&mut self, now: Instant, input: Input) {
        let mut effects = std::mem::take(&mut self.effects);
        self.parts.machine.step(now, input, &mut effects);
        for effect in effects.drain(..) {
            self.carry_out(effect);
        }
        self.effects = effects;
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Show(turn, body) => {
                let body = self.with_stderr(body);
                self.shown.push((turn, body));
            }
            Effect::Acquire(want) => {
                self.ticket += 1;
                self.parts.pool.request(want, self.ticket);
            }
            Effect::Abandon => {
                self.ticket += 1;
                self.grant = None;
                self.parts.pool.cancel();
            }
            Effect::Start {
                process,
                mode,
                resume,
                cost_usd,
            } => self.start(process, mode, resume, cost_usd),
            Effect::StartDone => self.start = None,
            Effect::Ask(process, request) => self.tell(process, Command::Request(request)),
            Effect::Stop(process, stop) => self.tell(process, Command::Stop(stop)),
            Effect::FreeSlot => self.slot = None,
            Effect::Idle => self.parts.pool.idle(),
            Effect::Busy => self.parts.pool.busy(),
            Effect::RefuseEviction => self.parts.pool.refuse(),
            Effect::Receipt(receipt) => {
                if let Some(reply) = self.receipt.take() {
                    // Whoever asked may have gone.
                    let _ = reply.send(receipt);
                }
            }
            // Its last turn has its end in this step; the door was closed before.
            Effect::Closed => {}
        }
    }

    /// A process that failed without having ended still left words on stderr.
    fn with_stderr(&self, mut body: Body) -> Body {
        if let Body::TurnFailed { failure, .. } = &mut body
            && failure.code.is_runtime()
            && failure.stderr.is_none()
            && let Some(handle) = self.current.and_then(|id| self.processes.get(&id))
        {
            let tail = handle.stderr.text(STDERR_IN_FAILURE);
            failure.stderr = (!tail.is_empty()).then_some(tail);
        }
        body
    }

    fn start(&mut self, id: ProcessId, mode: Mode, resume: Option<String>, cost_usd: f64) {
        let Some(grant) = self.grant.take() else {
            return;
        };
        let (process_lease, slot, start) = grant.split();
        self.slot = slot;
        self.start = Some(start);
        let started = launch::start(Launching {
            id,
            mode,
            resume: resume.as_deref(),
            provider: self.parts.provider,
            options: &self.parts.options,
            pool_options: &self.parts.pool_options,
            lease: process_lease,
        });
        self.parts.counters.process_started();
        let handle = match started {
            Ok(handle) => handle,
            Err(error) => return self.refuse_start(id, error),
        };
        self.processes.insert(id, handle);
        self.current = Some(id);
        let reports = self.reports_in.clone();
        self.tell(
            id,
            Command::Attach {
                conversation: ONLY,
                reports,
            },
        );
        let options = Arc::clone(&self.parts.options);
        let open = Request::Open {
            conversation: ONLY,
            options,
            resume,
            cost_usd,
        };
        self.tell(id, Command::Request(open));
    }

    /// The process cannot even be tried.
    fn refuse_start(&mut self, id: ProcessId, error: Error) {
        let now = Instant::now();
        let mut effects = Vec::new();
        let machine = &mut self.parts.machine;
        for report in [Report::SpawnFailed(error), Report::Gone { left: vec![] }] {
            machine.step(now, Input::Report(id, report), &mut effects);
        }
        for effect in effects {
            self.carry_out(effect);
        }
    }

    /// A process that takes no commands is gone, and the news of it is on its way.
    fn tell(&self, process: ProcessId, command: Command) {
        let Some(handle) = self.processes.get(&process) else {
            return;
        };
        let _ = handle.commands.send(command);
    }

    /// Tells hosts what the step showed: one lock, one wake-up. `false`: that was all.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "few kinds change more than the log"
    )]
    fn flush(&mut self) -> bool {
        if self.shown.is_empty() {
            return true;
        }
        let shared = &self.parts.shared;
        let mut closed = false;
        let mut farewells = Vec::new();
        for (turn, body) in &self.shown {
            self.parts.counters.count(body);
            match body {
                Body::SessionBound {
                    provider_session_id,
                    ..
                } => shared.bind(provider_session_id),
                Body::SessionClosed { .. } => closed = true,
                _ => {}
            }
            // The gate opens before the end is seen, so that a host may answer it with the next
            // turn. Whoever waits for the end alone is told after the log, so that a host finds
            // there all that led to it.
            if let (Some(turn), Some(end)) = (turn, end_of(body)) {
                farewells.extend(shared.gate.leave(*turn, end));
            }
        }
        shared.set_mode(self.parts.machine.mode());
        shared.log.append(self.shown.drain(..));
        if closed {
            shared.log.close();
        }
        farewells.into_iter().for_each(Farewell::tell);
        !closed
    }
}

impl Drop for Actor {
    /// Also when the runtime is dropped, or something panicked: no turn without an end, no reader
    /// that waits for ever.
    fn drop(&mut self) {
        // After a panic the machine is not to be trusted, and a second one would end the host.
        if !std::thread::panicking() {
            self.abandon();
        }
        let shared = &self.parts.shared;
        shared.gate.abandon();
        shared.log.close();
        self.parts.pool.closed(std::mem::take(&mut self.left));
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "three kinds are ends")]
fn end_of(body: &Body) -> Option<End> {
    if !body.kind().is_turn_end() {
        return None;
    }
    match body {
        Body::TurnCompleted { result } => Some(End::Completed(*result.clone())),
        Body::TurnFailed { failure, result } => {
            Some(End::Failed(*failure.clone(), *result.clone()))
        }
        Body::TurnInterrupted { result } => Some(End::Interrupted(*result.clone())),
        _ => None,
    }
}

/// Wakes at the machine's deadline. Deadlines move with every line of the agent; the timer is set
/// anew only when it must be earlier, and otherwise finds out when it rings.
#[derive(Default)]
struct Alarm {
    sleep: Option<Pin<Box<Sleep>>>,
    at: Option<Instant>,
}

impl Alarm {
    fn set(&mut self, deadline: Option<Instant>) {
        let Some(deadline) = deadline else { return };
        if self.at.is_some_and(|at| at <= deadline) {
            return;
        }
        self.at = Some(deadline);
        let deadline = tokio::time::Instant::from_std(deadline);
        match &mut self.sleep {
            Some(sleep) => sleep.as_mut().reset(deadline),
            None => self.sleep = Some(Box::pin(tokio::time::sleep_until(deadline))),
        }
    }

    async fn wait(&mut self) {
        match (&mut self.sleep, self.at) {
            (Some(sleep), Some(_)) => {
                sleep.await;
                self.at = None;
            }
            (_, _) => std::future::pending().await,
        }
    }
}
