//! Drives one session's machine: receives, steps, carries out. Nothing is decided here.

mod calls;
mod client;
mod effects;
mod fall;
mod options;

pub(crate) use options::LiveOptions;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::mpsc;

use crate::client::Desk;
use crate::config::PoolOptions;
use crate::error::ErrorKind;
use crate::event::{Body, CloseReason, Failure};
use crate::host_tools::ToolServer;
use crate::ids::{ProcessId, TurnId};
use crate::metrics::{Counters, HeldBack};
use crate::pool;
use crate::pool::lease::{Grant, PoolLink, SeatLease, SlotLease, StartLease};
use crate::process::{ProcessHandle, Report, survive};
use crate::provider::{Conversation, Provider};
use crate::session::Shared;
use crate::session::alarm::Alarm;
use crate::session::call::Call;
use crate::session::gate::{End, Farewell, Waiting};
use crate::session::launch::Common;
use crate::session::machine::{Effect, Input, Machine};
use crate::session::replies::Replies;
use crate::session::unfinished::Unfinished;

/// Reports of processes that wait for the session: one is one read's worth of signals.
const REPORTS: usize = 8;

/// How much of stderr stands in a failure, in bytes.
const STDERR_IN_FAILURE: usize = 8 << 10;

/// What a session is made of.
pub(crate) struct Parts {
    pub shared: Arc<Shared>,
    pub machine: Machine,
    pub inbox: mpsc::UnboundedReceiver<Call>,
    /// Weak: the session does not keep itself open.
    pub own: mpsc::WeakUnboundedSender<Call>,
    pub pool: PoolLink,
    pub provider: &'static dyn Provider,
    pub options: LiveOptions,
    pub pool_options: Arc<PoolOptions>,
    pub counters: Arc<Counters>,
    /// Set if it shares its warm processes.
    pub common: Option<Common>,
}

/// A session that runs until it is closed. It ends in order also if it is never polled.
pub(crate) fn run(parts: Parts) -> impl Future<Output = ()> {
    let (actor, reports) = Actor::new(parts);
    actor.run(reports)
}

type Reports = mpsc::Receiver<(ProcessId, Report)>;

/// A process that the session uses or used, until it is gone or the session is out of it.
struct Attached {
    handle: ProcessHandle,
    conversation: Conversation,
    /// Whether other sessions may use it.
    shared: bool,
    /// The operating system's number, once there is one.
    pid: Option<u32>,
    /// Where its agent has things done, if the session lets it.
    desk: Option<Desk>,
}

#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts, each named"
)]
struct Actor {
    parts: Parts,
    reports_in: mpsc::Sender<(ProcessId, Report)>,
    processes: HashMap<ProcessId, Attached>,
    /// The last one that was started.
    current: Option<ProcessId>,
    /// The last question to the pool; answers to earlier ones are given back.
    ticket: u64,
    grant: Option<Grant>,
    slot: Option<SlotLease>,
    start: Option<StartLease>,
    /// The place in a shared process.
    seat: Option<SeatLease>,
    /// The pool is not there to answer the last question.
    orphaned: bool,
    /// There from the first process that needs it.
    tool_server: Option<ToolServer>,
    replies: Replies,
    listening: bool,
    /// While the log is full.
    held_back: Option<HeldBack>,
    /// Whether the machine knows of a hold.
    holding: bool,
    /// Events of the current step, appended to the log in one go.
    shown: Vec<(Option<TurnId>, Body)>,
    unfinished: Unfinished,
    /// Ends of the current step, told after the log.
    farewells: Vec<Farewell>,
    effects: Vec<Effect>,
    left: Vec<u32>,
    /// Whether it has panicked: the machine is not to be trusted.
    broken: bool,
}

impl Actor {
    fn new(parts: Parts) -> (Self, Reports) {
        let (reports_in, reports) = mpsc::channel(REPORTS);
        let actor = Self {
            parts,
            reports_in,
            processes: HashMap::new(),
            current: None,
            ticket: 0,
            grant: None,
            slot: None,
            start: None,
            seat: None,
            orphaned: false,
            tool_server: None,
            replies: Replies::default(),
            listening: true,
            held_back: None,
            holding: false,
            shown: Vec::new(),
            unfinished: Unfinished::default(),
            farewells: Vec::new(),
            effects: Vec::new(),
            left: Vec::new(),
            broken: false,
        };
        (actor, reports)
    }

    async fn run(mut self, mut reports: Reports) {
        if survive(self.work(&mut reports)).await.is_err() {
            tracing::error!("the actor of a session panicked");
            self.break_off();
            self.bury(&mut reports).await;
        }
    }

    async fn work(&mut self, reports: &mut Reports) {
        let mut alarm = Alarm::default();
        let (mut open, mut hearing) = (true, true);
        while open {
            let log = Arc::clone(&self.parts.shared.log);
            alarm.set(self.parts.machine.deadline());
            // Cancel safe: `recv` loses nothing, `room` and the alarm only look.
            tokio::select! {
                biased;
                call = self.parts.inbox.recv(), if hearing => {
                    hearing = call.is_some();
                    open = match call {
                        Some(call) => self.call(call),
                        // Every handle is gone, which each of them says before it goes.
                        None => self.close(CloseReason::Host, None),
                    };
                }
                Some((process, report)) = reports.recv(), if self.listening => {
                    open = self.report(process, report);
                }
                () = log.room(), if self.held_back.is_some() => {}
                () = alarm.wait() => open = self.tick(),
            }
            if open {
                open = self.listen();
            }
        }
    }

    /// A full log stops the session from listening to the agent, and so in the end the agent. One that
    /// was told to end its turn is listened to all the same, within a bound: else nobody would hear that
    /// it does, and a process that does as it is told would be killed for a host that does not read.
    fn listen(&mut self) -> bool {
        let (machine, log) = (&self.parts.machine, &self.parts.shared.log);
        let room = log.has_room();
        let ends = machine.is_interrupting() && !log.is_backed_up();
        let listening = machine.is_deaf() || room || ends;
        if room {
            self.held_back = None;
        } else if self.held_back.is_none() {
            self.held_back = Some(HeldBack::new(&self.parts.counters));
        }
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

    /// Closes the door first. The close may be the last step, so the turn that came in before comes
    /// before it.
    fn close(&mut self, reason: CloseReason, by: Option<Instant>) -> bool {
        self.parts.shared.gate.close();
        let (sent, rest) = self.drain();
        for call in sent {
            self.call(call);
        }
        self.clear_queue(Some(&closed_failure()));
        let mut open = self.step(Input::Close { reason, by });
        for call in rest {
            // Whoever asked a session that is over learns it from the channel.
            open = open && self.call(call);
        }
        open
    }

    /// What waits in the inbox: turns, and the rest.
    fn drain(&mut self) -> (Vec<Call>, Vec<Call>) {
        std::iter::from_fn(|| self.parts.inbox.try_recv().ok())
            .partition(|call| matches!(call, Call::Send { .. } | Call::Cancelled(_)))
    }

    /// What waits ends: as failed, or as interrupted. What was cancelled before, as that.
    fn clear_queue(&mut self, failure: Option<&Failure>) {
        for waiting in self.parts.shared.gate.clear() {
            let failure = failure.filter(|_| !waiting.cancelled);
            self.end_waiting(waiting, failure.cloned());
        }
    }

    /// Tells all ends that are missing when nothing can be waited for any more.
    fn abandon(&mut self) {
        self.parts.shared.gate.close();
        for call in self.drain().0 {
            self.call(call);
        }
        self.clear_queue(Some(&closed_failure()));
        let mut effects = Vec::new();
        self.parts.machine.part(Instant::now(), &mut effects);
        for effect in effects {
            if let Effect::Show(turn, body) = effect {
                self.shown.push((turn, body));
            }
        }
        self.flush();
    }

    fn report(&mut self, process: ProcessId, report: Report) -> bool {
        let Report::Signals(signals) = report else {
            let Some(report) = self.hold_end(process, report) else {
                return true;
            };
            self.note(process, &report);
            return self.step(Input::Report(process, report));
        };
        let now = Instant::now();
        for signal in signals {
            self.advance(now, Input::Signal(process, signal));
        }
        self.flush()
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "few kinds matter here")]
    /// Takes note of what a process says of itself.
    fn note(&mut self, process: ProcessId, report: &Report) {
        match report {
            Report::Gone { left } => {
                self.forget(process);
                self.left.extend_from_slice(left);
            }
            Report::Left => self.forget(process),
            Report::Spawned { pid, .. } => {
                if let Some(attached) = self.processes.get_mut(&process) {
                    attached.pid = Some(*pid);
                }
            }
            _ => {}
        }
    }

    fn forget(&mut self, process: ProcessId) {
        self.processes.remove(&process);
        if let Some(server) = &self.tool_server {
            server.dismiss(process);
        }
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
        if std::mem::take(&mut self.orphaned) {
            self.advance(now, Input::Denied(pool::lost()));
        }
    }

    /// Tells hosts what the step showed, and begins what waited for it. `false`: that was all.
    fn flush(&mut self) -> bool {
        loop {
            let mut next = Vec::new();
            let open = self.tell_hosts(&mut next);
            if !open || next.is_empty() {
                return open;
            }
            for waiting in next {
                self.announce_late(&waiting);
                let Waiting { turn, entry, .. } = waiting;
                self.begin(turn, entry);
            }
        }
    }

    /// One lock and one wake-up for all that was shown. `false`: the session is over.
    fn tell_hosts(&mut self, next: &mut Vec<Waiting>) -> bool {
        let shared = &self.parts.shared;
        shared.set_standing(self.parts.machine.standing(), self.parts.options.current());
        if self.shown.is_empty() {
            self.replies.tell();
            return true;
        }
        let mut closed = false;
        for (turn, body) in &self.shown {
            self.parts.counters.count(body);
            shared.note(*turn, body);
            self.unfinished.note(*turn, body);
            closed |= matches!(body, Body::SessionClosed { .. });
            // The gate opens before the end is seen, so that a host may answer it with the next
            // turn. Whoever waits for the end alone is told after the log, so that a host finds
            // there all that led to it.
            if let (Some(turn), Some(end)) = (turn, end_of(body))
                && let Some((farewell, waiting)) = shared.gate.leave(*turn, end)
            {
                self.farewells.push(farewell);
                next.extend(waiting);
            }
        }
        shared.log.append(self.shown.drain(..));
        if closed {
            shared.log.close();
        }
        self.farewells.drain(..).for_each(Farewell::tell);
        self.replies.tell();
        !closed
    }
}

fn closed_failure() -> Failure {
    Failure::new(ErrorKind::Closed, "the session was closed")
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
