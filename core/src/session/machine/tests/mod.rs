//! The machine without an actor: a bench with a clock that the tests move.

mod client;
mod control;
mod failures;
mod handover;
mod interrupts;
mod keeping;
mod needs;
mod processes;
mod requests;
mod resting;
mod rewinds;
mod sharing;
mod turns;

use std::time::Duration;

use super::*;
use crate::capabilities::{Feature, Support};
use crate::config::{Requests, SessionOptions};
use crate::error::Error;
use crate::error::ErrorKind;
use crate::event::EvictionReason;
use crate::event::{EventKind, Resolution, ResolvedBy, StopReason, ToolKind, TurnOrigin};
use crate::host_tools::ToolCall;
use crate::ids::RequestId;
use crate::pool::slots::Spill;
use crate::pool::slots::Want;
use crate::process::Report;
use crate::process::Stop;
use crate::provider::{AgentRequest, ChangeOutcome, Outcome, SignalBody, TurnEnd, TurnRef};
use crate::provider::{Request, Signal};

const POLICY: Policy = Policy {
    timeouts: Timeouts {
        start: Duration::from_secs(30),
        first_sign: Duration::from_secs(10),
        first_output: Duration::from_secs(90),
        silence: Duration::from_mins(3),
        tool_silence: Duration::from_mins(30),
        write: Duration::from_secs(30),
        interrupt_grace: Duration::from_secs(5),
        request: Duration::from_mins(5),
    },
    downgrade: Downgrade::Sticky,
    warm: true,
    resume: true,
    resume_rest: Duration::ZERO,
    rewinds_with_process: false,
    first_sign: true,
    one_shot_deltas: true,
    features: &[
        (Feature::Images, Support::WARM),
        (Feature::OutputSchema, Support::ONE_SHOT),
        (Feature::Compact, Support::WARM),
        (Feature::ListModels, Support::BOTH),
        (Feature::Rewind, Support::WARM),
        (Feature::Cost, Support::BOTH),
    ],
    asks_only_warm: false,
    steer: crate::capabilities::Support::WARM,
    interrupt: crate::capabilities::Support::BOTH,
};

/// A machine with a clock that the test moves, and what it did.
struct Bench {
    machine: Machine,
    now: Instant,
    shown: Vec<(Option<TurnId>, Body)>,
    process: Option<ProcessId>,
    resume: Option<String>,
    back_to: Option<String>,
}

impl Bench {
    fn new(policy: Policy) -> Self {
        let now = Instant::now();
        Self {
            machine: Machine::new(policy, approvals(Requests::Deny), None, now),
            now,
            shown: Vec::new(),
            process: None,
            resume: None,
            back_to: None,
        }
    }

    /// A session whose requests and rules are these.
    fn asking(options: &SessionOptions) -> Self {
        let now = Instant::now();
        let approvals = Approvals::new(options).expect("the options are good");
        Self {
            machine: Machine::new(POLICY, approvals, None, now),
            ..Self::new(POLICY)
        }
    }

    /// Steps, and gives back the names of what is to be done beside showing.
    fn step(&mut self, input: Input) -> Vec<String> {
        let mut out = Vec::new();
        self.machine.step(self.now, input, &mut out);
        let mut names = Vec::new();
        for effect in out {
            names.push(match effect {
                Effect::Show(turn, body) => {
                    self.shown.push((turn, body));
                    continue;
                }
                Effect::Start {
                    process,
                    mode,
                    resume,
                    ..
                } => {
                    self.process = Some(process);
                    self.back_to = resume.as_ref().and_then(|r| r.back_to.clone());
                    self.resume = resume.map(|r| r.conversation);
                    format!("start {mode:?}")
                }
                Effect::Acquire(Want::Warm(Spill::Allowed)) => "acquire Warm".into(),
                Effect::Acquire(Want::Warm(Spill::Never)) => "acquire only Warm".into(),
                Effect::Acquire(want) => format!("acquire {want:?}"),
                Effect::Ask(_, Request::Turn { .. }) => "ask turn".into(),
                Effect::Ask(_, Request::Interrupt { .. }) => "ask interrupt".into(),
                Effect::Ask(_, Request::Answer { .. }) => "answer".into(),
                Effect::Ask(_, Request::Open { .. }) => "open".into(),
                Effect::Ask(_, Request::Steer { .. }) => "ask steer".into(),
                Effect::Ask(_, Request::Change { .. }) => "ask change".into(),
                Effect::Ask(_, Request::Operate { .. }) => "ask operate".into(),
                Effect::Ask(_, Request::Close { .. }) => "ask close".into(),
                Effect::Ask(_, Request::Served { outcome, .. }) => match outcome {
                    Ok(_) => "served".into(),
                    Err(failure) => format!("not served: {}", failure.message),
                },
                Effect::Serve(_, _, call) => format!("serve {}", call.title()),
                Effect::Forgo(..) => "forgo".into(),
                Effect::Stop(_, Stop::Kill) => "kill".into(),
                Effect::Stop(_, Stop::Gently { .. }) => "stop".into(),
                Effect::Receipt(receipt) => format!("{receipt:?}"),
                Effect::Abandon => "abandon".into(),
                Effect::StartDone => "start done".into(),
                Effect::FreeSlot => "free slot".into(),
                Effect::Idle => "idle".into(),
                Effect::Busy => "busy".into(),
                Effect::RefuseEviction => "refuse".into(),
                Effect::Closed => "closed".into(),
                Effect::Answered(outcome) => match outcome {
                    Ok(()) => "answered".into(),
                    Err(error) => format!("refused {}", error.kind()),
                },
                Effect::ChangeDone { how, .. } => format!("changed {how:?}"),
                Effect::ChangeRefused { error, .. } => format!("not changed: {error}"),
                Effect::SteerLost { .. } => "steer lost".into(),
                Effect::SteerDone { outcome, over, .. } => match outcome {
                    Ok(_) if over => "steered too late".into(),
                    Ok(_) => "steered".into(),
                    Err(why) => format!("not steered: {why}"),
                },
                Effect::ToolDone { result, .. } => format!("tool: {}", result.0),
                Effect::Operated { outcome, .. } => match outcome {
                    Ok(_) => "operated".into(),
                    Err(error) => format!("not operated: {}", error.kind()),
                },
            });
        }
        names
    }

    fn send(&mut self) -> (TurnId, Vec<String>) {
        let turn = TurnId::next();
        let message = Arc::new("hello".into());
        let names = self.step(Input::Send {
            turn,
            tag: None,
            message,
            budget: crate::budget::Budget::default(),
        });
        (turn, names)
    }

    fn current(&self) -> ProcessId {
        self.process.expect("a process was started")
    }

    fn says(&mut self, turn: TurnRef, body: SignalBody) -> Vec<String> {
        let signal = Signal {
            conversation: ONLY,
            turn,
            body,
        };
        self.step(Input::Signal(self.current(), signal))
    }

    fn shows(&mut self, turn: TurnId, body: Body) -> Vec<String> {
        self.says(TurnRef::Host(turn), SignalBody::Show(body))
    }

    fn ready(&mut self) -> Vec<String> {
        let spawned = Report::Spawned {
            pid: 42,
            containment: Containment::Guard,
        };
        self.step(Input::Report(self.current(), spawned));
        self.says(TurnRef::None, SignalBody::Ready { version: None })
    }

    fn ends(&mut self, turn: TurnId, outcome: Outcome) -> Vec<String> {
        let end = TurnEnd {
            outcome,
            ..TurnEnd::default()
        };
        self.says(TurnRef::Host(turn), SignalBody::Ended(Box::new(end)))
    }

    fn bound(&mut self, id: &str) {
        let body = SignalBody::Bound {
            provider_session_id: id.into(),
            model: None,
            resumed: false,
        };
        self.says(TurnRef::None, body);
    }

    fn dies(&mut self) -> Vec<String> {
        let exit = Exit {
            signal: Some(9),
            ..Exit::default()
        };
        let process = self.current();
        let exited = Report::Exited {
            exit,
            stderr: "last words".into(),
        };
        let mut names = self.step(Input::Report(process, exited));
        names.extend(self.step(Input::Report(process, Report::OutputClosed)));
        names
    }

    /// The last process has ended, and its tree is gone.
    fn gone(&mut self) -> Vec<String> {
        let left = Vec::new();
        self.step(Input::Report(self.current(), Report::Gone { left }))
    }

    /// The session in the middle of a turn.
    fn running(policy: Policy) -> (Self, TurnId) {
        Self::new(policy).run()
    }

    /// Sends a turn, and the process has it.
    fn run(self) -> (Self, TurnId) {
        let mut bench = self;
        let (turn, _) = bench.send();
        bench.step(Input::Granted(Given::Slot));
        bench.bound("conversation");
        assert_eq!(bench.ready(), ["start done", "ask turn"]);
        (bench, turn)
    }

    /// The session between turns.
    fn idle(policy: Policy) -> Self {
        let (mut bench, turn) = Self::running(policy);
        assert_eq!(bench.ends(turn, Outcome::Completed), ["idle"]);
        bench
    }

    fn kinds(&self) -> Vec<EventKind> {
        self.shown.iter().map(|(_, body)| body.kind()).collect()
    }

    fn last_end(&self) -> &Body {
        let mut shown = self.shown.iter().rev();
        let end = shown.find(|(_, body)| body.kind().is_turn_end());
        &end.expect("a turn has ended").1
    }

    fn last(&self) -> &Body {
        &self.shown.last().expect("something was shown").1
    }
}

fn delta(text: &str) -> Body {
    Body::TextDelta {
        text: text.into(),
        parent: None,
    }
}

fn tool(id: &str) -> Body {
    Body::ToolUse {
        id: id.into(),
        name: "Bash".into(),
        kind: ToolKind::Shell,
        title: "ls".into(),
        input: crate::event::RawJson::from_text("{}"),
        parent: None,
    }
}

/// Approvals that no rule decides.
pub(super) fn approvals(requests: Requests) -> Approvals {
    let options = SessionOptions {
        requests,
        ..SessionOptions::default()
    };
    Approvals::new(&options).expect("the options are good")
}
