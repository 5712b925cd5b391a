//! The life of one session, as a value.
//!
//! Nothing here waits, reads a clock or talks to a process. The actor feeds inputs in and carries
//! effects out, in order; the tests do the same without it.
//!
//! ```text
//!            Send               Granted            Ready             
//!  dormant ────────► acquiring ─────────► starting ──────► running ──┐
//!     ▲ ▲                                                  │  ▲      │ Ended
//!     │ └────────────────── process fails ─────────────────┘  │ Send ▼
//!     └───────────────────── Evict, exit ──────────────────── idle ──┘      any ── Close ──► closed
//! ```
//!
//! The process is current or ending. What an ending one says no longer matters, except that it is
//! gone: the session is closed only when every process of it is.

mod approvals;
mod budget;
mod change;
mod client;
mod command;
mod deadline;
mod ending;
mod errand;
mod failure;
mod keeping;
mod needs;
mod requests;
mod rewind;
mod seam;
mod signal;
mod starting;
mod steer;
mod tally;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::budget::Budget;
use crate::capabilities::{Feature, Support};
use crate::client::ClientCall;
use crate::config::{Downgrade, Mode, Timeouts};
use crate::error::ErrorKind;
use crate::event::{Body, CloseReason, Exit, Failure, WarningCode};
use crate::ids::{ProcessId, TurnId};
use crate::message::Message;
use crate::pool::slots::Given;
use crate::process::Containment;
use crate::provider::{AgentRequest, Conversation};
use crate::session::Receipt;
use crate::session::shared::{CurrentProcess, Standing};
pub(crate) use approvals::Approvals;
use change::Pending;
use ending::Ending;
use errand::Errand;
pub(crate) use needs::Need;
use requests::{Asker, Questions};
use rewind::Rewinds;
pub(crate) use seam::{Effect, Input, Resume};
use tally::Tally;

/// The one conversation of a process that serves one session.
pub(crate) const ONLY: Conversation = Conversation(0);

/// What the machine decides by. Never changes.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one yes or no about an agent"
)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Policy {
    pub timeouts: Timeouts,
    pub downgrade: Downgrade,
    /// The agent stays alive between turns, and the host wants it to.
    pub warm: bool,
    /// The agent goes on with a conversation in a new process.
    pub resume: bool,
    /// How long a conversation has to lie after it was begun or gone on with, before a warm process
    /// may go on with it.
    pub resume_rest: Duration,
    /// The agent takes a conversation back only with a new process.
    pub rewinds_with_process: bool,
    /// A warm process shows a sign of each turn at once.
    pub first_sign: bool,
    /// A one-shot process shows its output as it comes.
    pub one_shot_deltas: bool,
    /// What the agent can do.
    pub features: &'static [(Feature, Support)],
    /// The host wants to be asked, by requests, rules or tools, and the agent asks only in a warm
    /// process.
    pub asks_only_warm: bool,
    /// It takes messages into a running turn.
    pub steer: Support,
    /// It ends a running turn when it is told to.
    pub interrupt: Support,
}

/// A process that the session uses.
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts, each named"
)]
#[derive(Debug)]
struct Process {
    id: ProcessId,
    mode: Mode,
    since: Instant,
    ready: bool,
    resumed: bool,
    pid: u32,
    /// Other sessions may use it too.
    shared: bool,
    /// It was there before: another session had it started.
    joined: bool,
    /// The agent is not listened to because of another session.
    held: bool,
    containment: Containment,
    background: u32,
    /// It was started at an earlier place of the conversation.
    back: bool,
    /// It has ended a turn.
    served: bool,
    output_closed: bool,
    exit: Option<(Exit, String)>,
}

/// A turn that the host sent.
#[derive(Debug)]
struct HostTurn {
    tally: Tally,
    message: Arc<Message>,
    /// What the agent has to be able to do for it.
    needs: Vec<Need>,
    stage: Stage,
    retried: bool,
    /// It was to begin in a shared process that ended first.
    rejoined: bool,
    /// When it was interrupted.
    interrupted: Option<Instant>,
    budget: Budget,
    /// What it used up, if it may not go on.
    exceeded: Option<String>,
}

/// How far a turn came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// It waits for a process.
    Acquiring,
    /// Its process is not ready.
    Starting,
    /// The process has it, since then.
    Sent { at: Instant, signed: bool },
}

/// A turn that the agent started.
#[derive(Debug)]
struct AgentTurn {
    number: u32,
    tally: Tally,
}

/// The way back from a downgrade.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Probation {
    /// None was served.
    Unused,
    /// So many good turns are missing.
    Serving(u32),
    /// The one try was made.
    Used,
}

/// A session.
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts, each named"
)]
#[derive(Debug)]
pub(crate) struct Machine {
    policy: Policy,
    mode: Mode,
    probation: Probation,
    conversation: Option<String>,
    /// Whether the agent has proved that it keeps the conversation.
    kept: bool,
    /// Whether it has said that it never does.
    forgets: bool,
    /// When it may be gone on with.
    rested: Option<Instant>,
    /// The pool is asked for a warm process only then.
    resting: bool,
    rewinds: Rewinds,
    cost_usd: f64,
    host: Option<HostTurn>,
    agent: Option<AgentTurn>,
    process: Option<Process>,
    ending: Vec<Ending>,
    /// What the pool granted, while a process that has the conversation is still ending.
    granted: Option<Given>,
    slot: bool,
    told_idle: bool,
    /// Whether the pool was asked and has not answered.
    acquiring: bool,
    approvals: Approvals,
    questions: Questions,
    /// What the agent wants done by its client, while that is a question.
    calls: BTreeMap<AgentRequest, ClientCall>,
    /// Messages on their way into a turn.
    steers: BTreeMap<u64, TurnId>,
    changes: VecDeque<Pending>,
    errands: Vec<Errand>,
    /// Why the process is to be replaced between two turns.
    recycle: Option<String>,
    /// Whether the host knows that nobody is asked in a process of one turn.
    told_unasked: bool,
    paused: bool,
    holds: usize,
    /// When the process last said anything.
    active: Instant,
    /// The last turn whose late output was noted.
    late: Option<TurnId>,
    closing: Option<CloseReason>,
    closed: bool,
    left: Vec<u32>,
}

impl Machine {
    /// A session that has not had a turn.
    pub(crate) fn new(
        policy: Policy,
        approvals: Approvals,
        resume: Option<String>,
        now: Instant,
    ) -> Self {
        Self {
            policy,
            mode: if policy.warm {
                Mode::Warm
            } else {
                Mode::OneShot
            },
            probation: Probation::Unused,
            kept: resume.is_some(),
            forgets: false,
            conversation: resume,
            rested: None,
            resting: false,
            rewinds: Rewinds::default(),
            cost_usd: 0.0,
            host: None,
            agent: None,
            process: None,
            ending: Vec::new(),
            granted: None,
            slot: false,
            told_idle: false,
            acquiring: false,
            approvals,
            questions: Questions::default(),
            calls: BTreeMap::new(),
            steers: BTreeMap::new(),
            changes: VecDeque::new(),
            errands: Vec::new(),
            recycle: None,
            told_unasked: false,
            paused: false,
            holds: 0,
            active: now,
            late: None,
            closing: None,
            closed: false,
            left: Vec::new(),
        }
    }

    /// Advances by one input. Effects are added to `out`, in order.
    pub(crate) fn step(&mut self, now: Instant, input: Input, out: &mut Vec<Effect>) {
        if self.closed {
            match input {
                Input::Interrupt { .. } => out.push(Effect::Receipt(Receipt::TooLate)),
                Input::Granted(_) => out.push(Effect::Abandon),
                Input::Evict(_) => out.push(Effect::RefuseEviction),
                // Whoever waits for an answer to these learns it from the channel's end.
                Input::Send { .. }
                | Input::Steer { .. }
                | Input::Answer { .. }
                | Input::ToolCalled(_)
                | Input::ToolLeft(_)
                | Input::Change { .. }
                | Input::Operate { .. }
                | Input::Denied(_)
                | Input::Report(..)
                | Input::Signal(..)
                | Input::Paused(_)
                | Input::Hold(_)
                | Input::Close { .. }
                | Input::Tick => {}
            }
            return;
        }
        match input {
            Input::Signal(process, signal) => self.signal(now, process, signal, out),
            Input::Send {
                turn,
                tag,
                message,
                budget,
            } => self.send(now, turn, tag, message, budget, out),
            Input::Interrupt {
                turn,
                keep_commands,
            } => self.interrupt(now, turn, keep_commands, out),
            Input::Steer { steer, message } => self.steer(steer, message, out),
            Input::Answer { request, answer } => self.answer(now, request, answer, out),
            Input::ToolCalled(call) => self.tool_called(now, call, out),
            Input::ToolLeft(number) => self.withdraw(Asker::Tool(number), out),
            Input::Change {
                number,
                change,
                live,
            } => self.change(now, number, change, live, out),
            Input::Operate { number, operation } => self.operate(now, number, operation, out),
            Input::Granted(given) => self.granted(now, given, out),
            Input::Denied(error) => self.denied(now, &error, out),
            Input::Evict(reason) => self.evict(reason, out),
            Input::Report(process, report) => self.report(now, process, report, out),
            Input::Paused(paused) => self.pause(now, paused),
            Input::Hold(true) => self.holds += 1,
            Input::Hold(false) => self.holds = self.holds.saturating_sub(1),
            Input::Close { reason, by } => self.close(now, reason, by, out),
            Input::Tick => self.tick(now, out),
        }
        self.settle(now, out);
    }

    /// Whether nothing that processes say matters any more, so that it may be dropped unread.
    pub(crate) fn is_deaf(&self) -> bool {
        self.process.is_none()
    }

    /// How the session is served at this moment.
    pub(crate) fn standing(&self) -> Standing {
        let process = self.process.as_ref();
        Standing {
            mode: self.mode,
            process: process.map(|p| CurrentProcess {
                process: p.id,
                pid: (p.pid != 0).then_some(p.pid),
                mode: p.mode,
                ready: p.ready,
                shared: p.shared,
            }),
            background: process.map_or(0, |p| p.background),
        }
    }

    /// How the next process, or the current one, serves the session.
    pub(crate) const fn mode(&self) -> Mode {
        self.mode
    }

    fn pause(&mut self, now: Instant, paused: bool) {
        self.paused = paused;
        if !paused {
            self.restart_clocks(now);
        }
    }

    /// The agent has nothing to do in this session, and a process is there to do it, which may go.
    fn is_idle(&self) -> bool {
        self.host.is_none()
            && !self.keeps_process()
            && self.agent.is_none()
            && self.errands.is_empty()
            && self.holds == 0
            && self
                .process
                .as_ref()
                .is_some_and(|p| p.ready && p.mode == Mode::Warm && p.background == 0)
    }

    /// What follows from every input: the pool knows whether the session is idle, a session that
    /// has nothing left is closed.
    fn settle(&mut self, now: Instant, out: &mut Vec<Effect>) {
        self.begin_waiting_errands(now);
        self.drop_unwanted(now, out);
        self.recycle_between_turns(out);
        let idle = self.slot && self.closing.is_none() && self.is_idle();
        if idle != self.told_idle {
            self.told_idle = idle;
            if self.slot {
                out.push(if idle { Effect::Idle } else { Effect::Busy });
            }
        }
        if let Some(reason) = self.closing
            && self.process.is_none()
            && self.ending.is_empty()
        {
            self.closed = true;
            let left = std::mem::take(&mut self.left);
            show(out, None, Body::SessionClosed { reason, left });
            out.push(Effect::Closed);
        }
    }

    fn warn(&self, out: &mut Vec<Effect>, code: WarningCode, message: impl Into<String>) {
        let turn = self.host.as_ref().map(|h| h.tally.id);
        let message = message.into();
        show(out, turn, Body::Warning { code, message });
    }
}

fn show(out: &mut Vec<Effect>, turn: Option<TurnId>, body: Body) {
    out.push(Effect::Show(turn, body));
}

fn closed_failure() -> Failure {
    Failure::new(ErrorKind::Closed, "the session was closed")
}

#[cfg(test)]
#[expect(clippy::wildcard_enum_match_arm, reason = "a test looks for one thing")]
mod laws;
#[cfg(test)]
#[expect(clippy::wildcard_enum_match_arm, reason = "a test looks for one thing")]
mod tests;
