//! The laws of the machine, over random inputs.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::config::Requests;
use crate::error::ErrorKind;
use crate::event::ToolKind;
use crate::provider::{Outcome, SignalBody, TurnEnd, TurnRef};

/// What may come, with small numbers that stand for turns and processes of the past or the present.
#[derive(Clone, Debug)]
enum Move {
    Send,
    Interrupt(usize),
    Granted(u8),
    Denied,
    Evict,
    Signal(usize, Says),
    Report(usize, u8),
    Paused(bool),
    Steer,
    Answer(usize),
    Change(bool),
    Operate,
    Call(usize),
    Leave(usize),
    Close,
    Later(u32),
}

#[derive(Clone, Debug)]
enum Says {
    Ready,
    Refused,
    Bound,
    Taken(usize),
    Text(usize),
    Tool(usize, u8),
    AgentTurn(u32),
    AgentText(u32),
    AgentEnds(u32),
    Background(u32),
    Asked(usize),
    Withdrawn,
    Steered(usize, bool),
    Changed(bool),
    Operated(usize),
    Used(usize),
    Ends(usize, u8),
    Broken,
}

fn says() -> impl Strategy<Value = Says> {
    let back = 0..4_usize;
    let agent = 1..4_u32;
    prop_oneof![
        4 => Just(Says::Ready),
        1 => Just(Says::Refused),
        1 => Just(Says::Bound),
        2 => back.clone().prop_map(Says::Taken),
        3 => back.clone().prop_map(Says::Text),
        2 => (back.clone(), 0..3_u8).prop_map(|(b, t)| Says::Tool(b, t)),
        1 => agent.clone().prop_map(Says::AgentTurn),
        1 => agent.clone().prop_map(Says::AgentText),
        1 => agent.prop_map(Says::AgentEnds),
        1 => (0..2_u32).prop_map(Says::Background),
        2 => back.clone().prop_map(Says::Asked),
        1 => Just(Says::Withdrawn),
        1 => (back.clone(), any::<bool>()).prop_map(|(b, r)| Says::Steered(b, r)),
        1 => any::<bool>().prop_map(Says::Changed),
        1 => back.clone().prop_map(Says::Operated),
        1 => back.clone().prop_map(Says::Used),
        3 => (back, 0..4_u8).prop_map(|(b, o)| Says::Ends(b, o)),
        1 => Just(Says::Broken),
    ]
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let one = prop_oneof![
        5 => Just(Move::Send),
        1 => (0..3_usize).prop_map(Move::Interrupt),
        5 => (0..3_u8).prop_map(Move::Granted),
        1 => Just(Move::Denied),
        2 => Just(Move::Evict),
        12 => (0..3_usize, says()).prop_map(|(p, s)| Move::Signal(p, s)),
        3 => (0..3_usize, 0..6_u8).prop_map(|(p, r)| Move::Report(p, r)),
        1 => any::<bool>().prop_map(Move::Paused),
        1 => Just(Move::Steer),
        2 => (0..3_usize).prop_map(Move::Answer),
        1 => any::<bool>().prop_map(Move::Change),
        1 => Just(Move::Operate),
        2 => (0..3_usize).prop_map(Move::Call),
        1 => (0..3_usize).prop_map(Move::Leave),
        1 => Just(Move::Close),
        2 => (0..200_u32).prop_map(Move::Later),
    ];
    prop::collection::vec(one, 0..120)
}

fn policies() -> impl Strategy<Value = Policy> {
    let downgrade = prop_oneof![
        Just(Downgrade::Sticky),
        Just(Downgrade::Never),
        (1..3_u32).prop_map(|turns| Downgrade::Probation { turns }),
    ];
    (downgrade, any::<bool>(), any::<bool>(), any::<bool>()).prop_map(
        |(downgrade, warm, resume, first_sign)| Policy {
            timeouts: Timeouts::default(),
            downgrade,
            warm,
            resume,
            first_sign,
            one_shot_deltas: true,
            steer: crate::capabilities::Support::WARM,
        },
    )
}

/// The host, the pool and the agents around a machine, and what the laws say about it.
struct World {
    machine: Machine,
    now: Instant,
    turns: Vec<TurnId>,
    processes: Vec<ProcessId>,
    gone: BTreeSet<ProcessId>,
    stopped: BTreeSet<ProcessId>,
    /// Turns that were started and how often they ended.
    ends: BTreeMap<TurnId, usize>,
    open: BTreeSet<TurnId>,
    /// How often each turn was given to a process, and whether a tool had started in it.
    sent: BTreeMap<TurnId, usize>,
    tools: BTreeSet<TurnId>,
    host_turn: Option<TurnId>,
    pending: bool,
    slot: bool,
    idle: bool,
    closed: usize,
    /// The last number of a call that is answered later.
    number: u64,
    steers: BTreeSet<u64>,
    changes: BTreeSet<u64>,
    operations: BTreeSet<u64>,
    /// Calls of tools that wait.
    calls: BTreeSet<u64>,
    requests: Vec<RequestId>,
    unsettled: BTreeMap<RequestId, Option<TurnId>>,
}

impl World {
    fn new(policy: Policy, requests: Requests) -> Self {
        let now = Instant::now();
        Self {
            machine: Machine::new(policy, super::tests::approvals(requests), None, now),
            now,
            turns: Vec::new(),
            processes: Vec::new(),
            gone: BTreeSet::new(),
            stopped: BTreeSet::new(),
            ends: BTreeMap::new(),
            open: BTreeSet::new(),
            sent: BTreeMap::new(),
            tools: BTreeSet::new(),
            host_turn: None,
            pending: false,
            slot: false,
            idle: false,
            closed: 0,
            number: 0,
            steers: BTreeSet::new(),
            changes: BTreeSet::new(),
            operations: BTreeSet::new(),
            calls: BTreeSet::new(),
            requests: Vec::new(),
            unsettled: BTreeMap::new(),
        }
    }

    fn back<T: Copy>(list: &[T], n: usize) -> Option<T> {
        list.len().checked_sub(n + 1).map(|i| list[i])
    }

    #[expect(
        clippy::too_many_lines,
        reason = "one arm for each thing that can come"
    )]
    fn input(&mut self, one: &Move) -> Option<Input> {
        Some(match one {
            Move::Send => {
                if self.host_turn.is_some() || self.closed > 0 {
                    return None;
                }
                let turn = TurnId::next();
                self.turns.push(turn);
                self.host_turn = Some(turn);
                Input::Send {
                    turn,
                    tag: None,
                    message: Arc::new("x".into()),
                    budget: crate::budget::Budget::default(),
                }
            }
            Move::Interrupt(n) => Input::Interrupt {
                turn: Self::back(&self.turns, *n)?,
                keep_commands: false,
            },
            Move::Granted(given) => {
                if !std::mem::take(&mut self.pending) {
                    return None;
                }
                Input::Granted(match given {
                    0 => Given::Slot,
                    1 => Given::OneShot,
                    _ => Given::Spill,
                })
            }
            Move::Denied => {
                if !std::mem::take(&mut self.pending) {
                    return None;
                }
                Input::Denied(Error::new(ErrorKind::PoolFull, "full"))
            }
            Move::Evict => Input::Evict(EvictionReason::LeastRecentlyUsed),
            Move::Signal(n, says) => {
                let process = Self::back(&self.processes, *n)?;
                Input::Signal(process, self.signal(says)?)
            }
            Move::Report(n, report) => {
                let process = Self::back(&self.processes, *n)?;
                if self.gone.contains(&process) {
                    return None;
                }
                Input::Report(process, self.report(process, *report))
            }
            Move::Paused(paused) => Input::Paused(*paused),
            Move::Answer(n) => Input::Answer {
                request: Self::back(&self.requests, *n)?,
                answer: Answer::Deny {
                    message: String::new(),
                    interrupt: false,
                },
            },
            Move::Steer | Move::Change(_) | Move::Operate | Move::Call(_) if self.closed > 0 => {
                return None;
            }
            Move::Steer => {
                self.number += 1;
                self.steers.insert(self.number);
                Input::Steer {
                    steer: self.number,
                    message: Arc::new("x".into()),
                }
            }
            Move::Change(live) => {
                self.number += 1;
                self.changes.insert(self.number);
                Input::Change {
                    number: self.number,
                    change: Arc::default(),
                    live: *live,
                }
            }
            Move::Operate => {
                self.number += 1;
                self.operations.insert(self.number);
                Input::Operate {
                    number: self.number,
                    operation: Arc::new(Operation::Compact {}),
                }
            }
            Move::Call(n) => {
                let process = Self::back(&self.processes, *n)?;
                self.number += 1;
                self.calls.insert(self.number);
                Input::ToolCalled(ToolCall {
                    process,
                    number: self.number,
                    tool: "x".into(),
                    input: RawJson::from_text("{}"),
                })
            }
            Move::Leave(n) => {
                let number = self.calls.iter().copied().nth(*n)?;
                self.calls.remove(&number);
                Input::ToolLeft(number)
            }
            Move::Close => Input::Close {
                reason: CloseReason::Host,
                by: None,
            },
            Move::Later(seconds) => {
                self.now += Duration::from_secs((*seconds).into());
                Input::Tick
            }
        })
    }

    fn report(&mut self, process: ProcessId, report: u8) -> Report {
        match report {
            0 => Report::Spawned {
                pid: 1,
                containment: Containment::Guard,
            },
            1 => Report::SpawnFailed(Error::new(ErrorKind::SpawnFailed, "no")),
            2 => Report::WriteFailed {
                message: "no".into(),
            },
            3 => Report::OutputClosed,
            4 => Report::Exited {
                exit: Exit::default(),
                stderr: String::new(),
            },
            _ => {
                self.gone.insert(process);
                Report::Gone { left: vec![] }
            }
        }
    }

    #[expect(
        clippy::too_many_lines,
        reason = "one arm for each thing that can be said"
    )]
    fn signal(&mut self, says: &Says) -> Option<Signal> {
        let host = |n: usize| Self::back(&self.turns, n).map(TurnRef::Host);
        let text = || {
            SignalBody::Show(Body::TextDelta {
                text: "t".into(),
                parent: None,
            })
        };
        let (turn, body) = match says {
            Says::Ready => (TurnRef::None, SignalBody::Ready { version: None }),
            Says::Refused => {
                let code = ErrorKind::ResumeFailed;
                let message = "no".into();
                (TurnRef::None, SignalBody::Refused { code, message })
            }
            Says::Bound => {
                let body = SignalBody::Bound {
                    provider_session_id: "id".into(),
                    model: None,
                    resumed: false,
                };
                (TurnRef::None, body)
            }
            Says::Taken(n) => (host(*n)?, SignalBody::Taken),
            Says::Text(n) => (host(*n)?, text()),
            Says::Tool(n, tool) => {
                let body = Body::ToolUse {
                    id: tool.to_string(),
                    name: "x".into(),
                    kind: ToolKind::Other,
                    title: String::new(),
                    input: crate::event::RawJson::from_text("{}"),
                    parent: None,
                };
                (host(*n)?, SignalBody::Show(body))
            }
            Says::AgentTurn(n) => (TurnRef::Agent(*n), SignalBody::AgentTurn),
            Says::AgentText(n) => (TurnRef::Agent(*n), text()),
            Says::AgentEnds(n) => (TurnRef::Agent(*n), SignalBody::Ended(Box::default())),
            Says::Background(tasks) => (TurnRef::None, SignalBody::Background { tasks: *tasks }),
            Says::Asked(n) => {
                let body = SignalBody::Asked(Box::new(crate::provider::Asked {
                    request: crate::provider::AgentRequest(1),
                    kind: crate::event::RequestKind::ToolApproval,
                    tool: None,
                    title: String::new(),
                    subject: crate::request::Subject::default(),
                    decisions: vec![crate::request::Decision::Deny],
                    questions: Vec::new(),
                    input: None,
                    raw: crate::event::RawJson::from_text("{}"),
                }));
                (host(*n)?, body)
            }
            Says::Withdrawn => {
                let request = crate::provider::AgentRequest(1);
                (TurnRef::None, SignalBody::Withdrawn { request })
            }
            Says::Steered(n, joined) => {
                let steer = self.steers.iter().copied().nth(*n)?;
                let refused = (!joined).then(|| "no".to_owned());
                (TurnRef::None, SignalBody::Steered { steer, refused })
            }
            Says::Changed(taken) => {
                let refused = (!taken).then(|| "no".to_owned());
                (TurnRef::None, SignalBody::Changed { refused })
            }
            Says::Operated(n) => {
                let number = self.operations.iter().copied().nth(*n)?;
                let outcome = Ok(crate::event::RawJson::from_text("{}"));
                (TurnRef::None, SignalBody::Operated { number, outcome })
            }
            Says::Used(n) => {
                let usage = crate::event::Usage::default();
                (host(*n)?, SignalBody::Show(Body::Usage { usage }))
            }
            Says::Ends(n, outcome) => {
                let message = "no".to_owned();
                let outcome = match outcome {
                    0 => Outcome::Completed,
                    1 => Outcome::Interrupted,
                    2 => Outcome::Failed {
                        code: ErrorKind::ModelError,
                        message,
                    },
                    _ => Outcome::Failed {
                        code: ErrorKind::ResumeFailed,
                        message,
                    },
                };
                let end = TurnEnd {
                    outcome,
                    ..TurnEnd::default()
                };
                (host(*n)?, SignalBody::Ended(Box::new(end)))
            }
            Says::Broken => {
                let message = "no".into();
                (TurnRef::None, SignalBody::Broken { message })
            }
        };
        Some(Signal {
            conversation: ONLY,
            turn,
            body,
        })
    }

    fn step(&mut self, input: Input) {
        let evicting = matches!(input, Input::Evict(_));
        let busy = self.host_turn.is_some();
        let before = self.processes.last().copied();
        let old = match &input {
            Input::Signal(process, _) => before != Some(*process) || self.stopped.contains(process),
            _ => false,
        };
        let mut out = Vec::new();
        self.machine.step(self.now, input, &mut out);
        assert!(
            !old || out.is_empty(),
            "an old generation was heard: {out:?}"
        );
        for effect in out {
            assert!(
                !evicting || !busy || matches!(effect, Effect::RefuseEviction),
                "a busy session was evicted: {effect:?}"
            );
            self.carry_out(effect);
        }
        assert_eq!(self.machine.is_deaf(), self.current().is_none());
        assert!(
            self.machine.process.is_some() || self.machine.agent.is_none(),
            "an agent's turn outlived its process"
        );
    }

    fn current(&self) -> Option<ProcessId> {
        let last = self.processes.last().copied()?;
        (!self.stopped.contains(&last)).then_some(last)
    }

    fn carry_out(&mut self, effect: Effect) {
        let answers = matches!(
            effect,
            Effect::RefuseEviction | Effect::Receipt(_) | Effect::Abandon
        );

        assert!(
            answers || self.closed == 0,
            "it follows the close: {effect:?}"
        );
        match effect {
            Effect::Acquire(_) => {
                assert!(!self.pending, "one question at a time");
                assert!(self.current().is_none(), "it has a process");
                self.pending = true;
            }
            Effect::Abandon => self.pending = false,
            Effect::Start { process, mode, .. } => {
                assert!(self.current().is_none(), "one process at a time");
                self.processes.push(process);
                self.slot = mode == Mode::Warm;
                self.idle = false;
            }
            Effect::Ask(process, request) => {
                assert_eq!(
                    Some(process),
                    self.current(),
                    "only the current process is asked"
                );
                if let Request::Turn { turn, .. } = request {
                    let sent = self.sent.entry(turn).or_default();
                    *sent += 1;
                    assert!(*sent <= 2, "sent more than twice");
                    assert!(!self.tools.contains(&turn), "a tool had started");
                }
            }
            Effect::Stop(process, _) => {
                self.stopped.insert(process);
            }
            Effect::FreeSlot => assert!(std::mem::take(&mut self.slot), "it had no slot"),
            Effect::Idle => {
                assert!(self.slot && !self.idle && self.host_turn.is_none());
                self.idle = true;
            }
            Effect::Busy => assert!(std::mem::take(&mut self.idle)),
            Effect::Show(turn, body) => self.look(turn, &body),
            Effect::Closed => self.closed += 1,
            Effect::SteerLost { steer } | Effect::SteerDone { steer, .. } => {
                assert!(self.steers.remove(&steer));
            }
            Effect::ChangeDone { number, .. } => assert!(self.changes.remove(&number)),
            Effect::Operated { number, .. } => assert!(self.operations.remove(&number)),
            Effect::ToolDone { number, .. } => {
                // Whoever left is told as well, and does not hear it.
                self.calls.remove(&number);
            }
            Effect::StartDone
            | Effect::RefuseEviction
            | Effect::Receipt(_)
            | Effect::Answered(_) => {}
        }
    }

    fn look(&mut self, turn: Option<TurnId>, body: &Body) {
        let kind = body.kind();
        if let Body::TurnStarted { .. } = body {
            let turn = turn.expect("a turn");
            assert!(self.ends.insert(turn, 0).is_none(), "started twice");
            self.open.insert(turn);
            return;
        }
        if let Some(turn) = turn {
            assert!(self.open.contains(&turn), "{kind} outside of an open turn");
        }
        if kind.is_turn_end() {
            let turn = turn.expect("a turn");
            *self.ends.get_mut(&turn).expect("it was started") += 1;
            self.open.remove(&turn);
            let open = self.unsettled.values().any(|of| *of == Some(turn));
            assert!(!open, "a question outlived its turn");
            if self.host_turn == Some(turn) {
                self.host_turn = None;
            }
        }
        if let Body::RequestOpened { request, .. } = body {
            self.requests.push(*request);
            self.unsettled.insert(*request, turn);
        }
        if let Body::RequestResolved { request, .. } = body {
            assert!(self.unsettled.remove(request).is_some(), "settled twice");
        }
        if let (Body::ToolUse { .. }, Some(turn)) = (body, turn) {
            self.tools.insert(turn);
        }
        if let Body::SessionClosed { .. } = body {
            assert!(self.open.is_empty(), "closed with an open turn");
            assert!(self.processes.iter().all(|p| self.gone.contains(p)));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn every_turn_ends_once_and_the_close_is_last_whatever_happens(
        policy in policies(),
        host in any::<bool>(),
        moves in moves(),
    ) {
        let mut world = World::new(policy, if host { Requests::Host } else { Requests::Deny });
        for one in &moves {
            if let Some(input) = world.input(one) {
                world.step(input);
            }
        }
        // When the host closes and every tree is gone, the session is closed.
        world.step(Input::Close { reason: CloseReason::Host, by: None });
        for process in world.processes.clone() {
            if world.gone.insert(process) {
                world.step(Input::Report(process, Report::Gone { left: vec![] }));
            }
        }
        prop_assert_eq!(world.closed, 1);
        prop_assert!(world.ends.values().all(|ends| *ends == 1), "{:?}", world.ends);
        prop_assert_eq!(world.turns.len(), world.ends.keys().filter(|t| world.turns.contains(t)).count());
        prop_assert!(!world.slot);
        prop_assert!(world.steers.is_empty() && world.changes.is_empty());
        prop_assert!(world.operations.is_empty() && world.unsettled.is_empty());
        prop_assert!(world.calls.is_empty());
    }
}
