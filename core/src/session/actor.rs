//! Drives one session's machine: receives, steps, carries out. Nothing is decided here.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::{mpsc, oneshot};

use crate::config::{Mode, PoolOptions, SessionOptions};
use crate::error::{Error, ErrorKind};
use crate::event::{Body, Changed, CloseReason, Failure, TurnResult};
use crate::ids::{ProcessId, TurnId};
use crate::metrics::Counters;
use crate::pool::lease::{Grant, PoolLink, SlotLease, StartLease};
use crate::process::{Command, ProcessHandle, Report};
use crate::provider::{LaunchPlan, Provider, Request};
use crate::session::Shared;
use crate::session::alarm::Alarm;
use crate::session::call::Call;
use crate::session::gate::{End, Entry, Farewell, Waiting};
use crate::session::launch::{self, Launching};
use crate::session::machine::{Effect, Input, Machine, ONLY};
use crate::session::replies::{self, Replies, Steering};
use crate::settings::Change;

/// Reports of processes that wait for the session: one is one read's worth of signals.
const REPORTS: usize = 8;

/// How much of stderr stands in a failure, in bytes.
const STDERR_IN_FAILURE: usize = 8 << 10;

/// What a session is made of.
pub(crate) struct Parts {
    pub shared: Arc<Shared>,
    pub machine: Machine,
    pub inbox: mpsc::UnboundedReceiver<Call>,
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
        replies: Replies::default(),
        listening: true,
        shown: Vec::new(),
        farewells: Vec::new(),
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
    replies: Replies,
    listening: bool,
    /// Events of the current step, appended to the log in one go.
    shown: Vec<(Option<TurnId>, Body)>,
    /// Ends of the current step, told after the log.
    farewells: Vec<Farewell>,
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
                call = self.parts.inbox.recv() => match call {
                    Some(call) => open = self.call(call),
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

    fn call(&mut self, call: Call) -> bool {
        match call {
            Call::Send { turn, entry } => {
                self.begin(turn, entry);
                self.flush()
            }
            Call::Queued(turn) => {
                self.announce(turn);
                self.flush()
            }
            Call::Cancelled(waiting) => {
                self.end_waiting(waiting, None);
                self.flush()
            }
            Call::Steer {
                message,
                tag,
                reply,
            } => {
                let steer = self.replies.number();
                let text = message.text.clone();
                let steering = Steering { text, tag, reply };
                self.replies.steers.insert(steer, steering);
                self.step(Input::Steer { steer, message })
            }
            Call::Interrupt {
                turn,
                keep_commands,
                reply,
            } => {
                self.replies.receipt = Some(reply);
                self.step(Input::Interrupt {
                    turn,
                    keep_commands,
                })
            }
            Call::Answer {
                request,
                answer,
                reply,
            } => {
                self.replies.answered = Some(reply);
                self.step(Input::Answer { request, answer })
            }
            Call::Change { change, reply } => self.change(change, reply),
            Call::Operate { operation, reply } => {
                let number = self.replies.number();
                self.replies.operations.insert(number, reply);
                let operation = Arc::new(operation);
                self.step(Input::Operate { number, operation })
            }
            Call::Hold(hold) => self.step(Input::Hold(hold)),
            Call::Close { reason, by } => self.close(reason, by),
            Call::Granted { ticket, grant } if ticket == self.ticket => {
                let given = grant.given();
                self.grant = Some(grant);
                self.step(Input::Granted(given))
            }
            Call::Denied { ticket, error } if ticket == self.ticket => {
                self.step(Input::Denied(error))
            }
            // An answer to an old question: dropping a grant gives it back.
            Call::Granted { .. } | Call::Denied { .. } => true,
            Call::Evict(reason) => self.step(Input::Evict(reason)),
        }
    }

    fn begin(&mut self, turn: TurnId, entry: Entry) {
        let input = Input::Send {
            turn,
            tag: entry.tag,
            message: entry.message,
            budget: entry.budget,
        };
        self.advance(Instant::now(), input);
    }

    /// Tells the host of a message that waits, once.
    fn announce(&mut self, turn: TurnId) {
        if let Some((position, tag, why)) = self.parts.shared.gate.announce(turn) {
            let body = Body::TurnQueued { position, tag, why };
            self.shown.push((Some(turn), body));
        }
    }

    /// A message that waited ends without having begun.
    fn end_waiting(&mut self, waiting: Waiting, failure: Option<Failure>) {
        let turn = waiting.turn;
        if !waiting.announced {
            let (position, tag) = (0, waiting.entry.tag);
            let why = waiting.why.clone();
            let body = Body::TurnQueued { position, tag, why };
            self.shown.push((Some(turn), body));
        }
        let result = Box::<TurnResult>::default();
        let (body, end) = match failure {
            Some(failure) => (
                Body::TurnFailed {
                    failure: failure.clone().into(),
                    result,
                },
                End::Failed(failure, TurnResult::default()),
            ),
            None => (
                Body::TurnInterrupted { result },
                End::Interrupted(TurnResult::default()),
            ),
        };
        self.shown.push((Some(turn), body));
        self.farewells.push(waiting.farewell(end));
    }

    /// Changes the options, of which the next process is made, and the running one if it can.
    fn change(&mut self, change: Change, reply: oneshot::Sender<Result<Changed, Error>>) -> bool {
        let mut options = SessionOptions::clone(&self.parts.options);
        change.apply(&mut options);
        let provider = self.parts.provider;
        let mode = self.parts.machine.mode();
        let plan = LaunchPlan {
            mode,
            options: &options,
            resume: None,
        };
        if let Err(error) = provider.launch(&plan) {
            replies::tell(Some(reply), Err(error));
            return true;
        }
        self.parts.options = Arc::new(options);
        let capabilities = provider.capabilities();
        let mut settings = change.settings().into_iter();
        let live = settings.all(|setting| capabilities.can(setting.into(), mode));
        let number = self.replies.number();
        self.replies.changes.insert(number, reply);
        let change = Arc::new(change);
        self.step(Input::Change {
            number,
            change,
            live,
        })
    }

    /// Closes the door first. The close may be the last step, so the turn that came in before comes
    /// before it.
    fn close(&mut self, reason: CloseReason, by: Option<Instant>) -> bool {
        self.parts.shared.gate.close();
        let (sent, rest) = self.drain();
        for call in sent {
            self.call(call);
        }
        self.clear_queue();
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

    /// What waits for a turn that will never come ends.
    fn clear_queue(&mut self) {
        let failure = Failure::new(ErrorKind::Closed, "the session was closed");
        for waiting in self.parts.shared.gate.clear() {
            self.end_waiting(waiting, Some(failure.clone()));
        }
    }

    /// Tells all ends that are missing when nothing can be waited for any more.
    fn abandon(&mut self) {
        self.parts.shared.gate.close();
        for call in self.drain().0 {
            self.call(call);
        }
        self.clear_queue();
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
            Effect::Receipt(receipt) => replies::tell(self.replies.receipt.take(), receipt),
            Effect::Answered(outcome) => replies::tell(self.replies.answered.take(), outcome),
            Effect::ChangeDone { number, how } => {
                replies::tell(self.replies.changes.remove(&number), Ok(how));
            }
            Effect::Operated { number, outcome } => {
                replies::tell(self.replies.operations.remove(&number), outcome);
            }
            Effect::SteerDone { steer, refused } => self.steered(steer, refused),
            // Its last turn has its end in this step; the door was closed before.
            Effect::Closed => {}
        }
    }

    fn steered(&mut self, steer: u64, refused: Option<String>) {
        let Some(steering) = self.replies.steers.remove(&steer) else {
            return;
        };
        if refused.is_none() {
            let (text, tag) = (steering.text, steering.tag);
            let turn = self.parts.shared.gate.running();
            self.shown.push((turn, Body::Steered { text, tag }));
        }
        replies::tell(Some(steering.reply), refused);
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

    /// Tells hosts what the step showed, and begins what waited for it. `false`: that was all.
    fn flush(&mut self) -> bool {
        loop {
            let mut next = Vec::new();
            let open = self.tell_hosts(&mut next);
            if !open || next.is_empty() {
                return open;
            }
            for waiting in next {
                self.announce(waiting.turn);
                let Waiting { turn, entry, .. } = waiting;
                self.begin(turn, entry);
            }
        }
    }

    /// One lock and one wake-up for all that was shown. `false`: the session is over.
    fn tell_hosts(&mut self, next: &mut Vec<Waiting>) -> bool {
        if self.shown.is_empty() {
            return true;
        }
        let shared = &self.parts.shared;
        let mut closed = false;
        for (turn, body) in &self.shown {
            self.parts.counters.count(body);
            shared.note(body);
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
        shared.set_mode(self.parts.machine.mode());
        shared.log.append(self.shown.drain(..));
        if closed {
            shared.log.close();
        }
        self.farewells.drain(..).for_each(Farewell::tell);
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
