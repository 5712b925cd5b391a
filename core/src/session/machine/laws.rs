//! The laws of the machine, over random inputs.

mod moves;
mod says;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::config::Requests;
use crate::error::Error;
use crate::error::ErrorKind;
use crate::event::EventKind;
use crate::event::{EvictionReason, RawJson};
use crate::host_tools::ToolCall;
use crate::ids::RequestId;
use crate::operation::Operation;
use crate::pool::Seat;
use crate::pool::slots::Want;
use crate::process::Report;
use crate::provider::SignalBody;
use crate::provider::{Request, Signal};
use crate::request::Answer;
use moves::{Move, moves, policies};

/// The host, the pool and the agents around a machine, and what the laws say about it.
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts, each named"
)]
struct World {
    machine: Machine,
    now: Instant,
    turns: Vec<TurnId>,
    processes: Vec<ProcessId>,
    modes: BTreeMap<ProcessId, Mode>,
    /// In which of them the agent can be interrupted.
    interrupt: Support,
    rest: Duration,
    /// When the agent last had a conversation from its beginning, or took one up.
    bound: Option<Instant>,
    /// Whether the pool was asked for a warm process.
    warm: bool,
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
    /// Those that a process was given, and that it did not refuse.
    reached: BTreeSet<u64>,
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
            modes: BTreeMap::new(),
            interrupt: policy.interrupt,
            rest: policy.resume_rest,
            bound: None,
            warm: false,
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
            reached: BTreeSet::new(),
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
                    2 => Given::Spill,
                    n => Given::Seat(Seat {
                        process: ProcessId::next(),
                        conversation: Conversation(u32::from(*n) - 3),
                    }),
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
            Move::Steer | Move::Change(_) | Move::Operate(_) | Move::Call(_) if self.closed > 0 => {
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
            Move::Operate(back) => {
                self.number += 1;
                self.operations.insert(self.number);
                Input::Operate {
                    number: self.number,
                    operation: Arc::new(if *back {
                        let before = "there".to_owned();
                        Operation::Rewind { before }
                    } else {
                        Operation::Compact {}
                    }),
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

    fn step(&mut self, input: Input) {
        let evicting = matches!(input, Input::Evict(_));
        let busy = self.host_turn.is_some();
        let kept = self.machine.keeps_process();
        let before = self.processes.last().copied();
        let old = match &input {
            Input::Signal(process, _) => before != Some(*process) || self.stopped.contains(process),
            _ => false,
        };
        if let Input::Signal(_, signal) = &input
            && let SignalBody::Steered {
                steer,
                refused: Some(_),
            } = &signal.body
            && !old
        {
            self.reached.remove(steer);
        }
        let interrupted = match &input {
            Input::Interrupt { turn, .. } => Some(*turn),
            _ => None,
        };
        if let Input::Signal(process, signal) = &input
            && self.current() == Some(*process)
            && matches!(signal.body, SignalBody::Bound { .. })
        {
            self.bound = Some(self.now);
        }
        let mut out = Vec::new();
        self.machine.step(self.now, input, &mut out);
        if let Some(turn) = interrupted {
            self.check_receipt(turn, &out);
        }
        assert!(
            !old || out.is_empty(),
            "an old generation was heard: {out:?}"
        );
        for effect in out {
            assert!(
                !evicting || !busy || matches!(effect, Effect::RefuseEviction),
                "a busy session was evicted: {effect:?}"
            );
            let takes = |body: &Body| {
                let (evicts, replaces) = (EventKind::Evicted, EventKind::Recycled);
                [evicts, replaces, EventKind::Downgraded].contains(&body.kind())
            };
            assert!(
                !kept || !matches!(&effect, Effect::Show(_, body) if takes(body)),
                "a conversation was given up: {effect:?}"
            );
            self.carry_out(effect);
        }
        assert_eq!(self.machine.is_deaf(), self.current().is_none());
        assert!(
            self.machine.process.is_some() || self.machine.agent.is_none(),
            "an agent's turn outlived its process"
        );
    }

    /// What the caller is told of an interrupt is what happens.
    fn check_receipt(&self, turn: TurnId, out: &[Effect]) {
        let receipts: Vec<_> = out
            .iter()
            .filter_map(|effect| match effect {
                Effect::Receipt(receipt) => Some(*receipt),
                _ => None,
            })
            .collect();
        let [receipt] = receipts[..] else {
            panic!("one receipt each: {receipts:?}");
        };
        let ends = |e: &Effect| matches!(e, Effect::Show(Some(t), Body::TurnInterrupted { .. }) if *t == turn);
        let stops = out.iter().any(|e| matches!(e, Effect::Stop(..)));
        let asks = out.iter().any(|e| matches!(e, Effect::Ask(..)));
        let told = (out.iter().any(ends), stops, asks);
        match receipt {
            Receipt::Delivered => assert!(self.open.contains(&turn) && !told.0 && !told.1),
            Receipt::Held => assert_eq!(told, (true, false, false)),
            Receipt::TooLate => assert!(!self.open.contains(&turn) && out.len() == 1),
            Receipt::Unsupported => assert!(told.0 && told.1),
        }
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
            Effect::Acquire(want) => {
                assert!(!self.pending, "one question at a time");
                self.warm = matches!(want, Want::Warm(_));
                assert!(self.current().is_none(), "it has a process");
                self.pending = true;
            }
            Effect::Abandon => self.pending = false,
            Effect::Start {
                process,
                mode,
                resume,
                ..
            } => {
                assert!(self.current().is_none(), "one process at a time");
                let early = self.bound.is_some_and(|at| self.now < at + self.rest);
                let warm = self.warm && mode == Mode::Warm;
                assert!(
                    !(early && warm && resume.is_some()),
                    "a conversation was gone on with too early"
                );
                self.processes.push(process);
                self.modes.insert(process, mode);
                self.slot = mode == Mode::Warm;
                self.idle = false;
            }
            Effect::Ask(process, request) => {
                assert_eq!(
                    Some(process),
                    self.current(),
                    "only the current process is asked"
                );
                if let Request::Interrupt { .. } = request {
                    let mode = self.modes.get(&process).copied().expect("it was started");
                    assert!(self.interrupt.in_mode(mode), "it cannot be interrupted");
                }
                if let Request::Steer { steer, .. } = request {
                    assert!(self.reached.insert(steer), "steered twice");
                }
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
            Effect::SteerLost { steer } => assert!(self.steers.remove(&steer)),
            Effect::SteerDone { steer, outcome, .. } => {
                assert!(self.steers.remove(&steer));
                // Whoever is refused sends the message again.
                let again = outcome.is_err() && self.reached.contains(&steer);
                assert!(!again, "a message that reached the agent is sent again");
            }
            Effect::ChangeDone { number, .. } | Effect::ChangeRefused { number, .. } => {
                assert!(self.changes.remove(&number));
            }
            Effect::Operated { number, .. } => assert!(self.operations.remove(&number)),
            Effect::ToolDone { number, .. } => {
                // Whoever left is told as well, and does not hear it.
                self.calls.remove(&number);
            }
            Effect::StartDone
            | Effect::RefuseEviction
            | Effect::Receipt(_)
            | Effect::Answered(_) => {}
            Effect::Serve(process, ..) | Effect::Forgo(process, _) => {
                assert_eq!(self.current(), Some(process), "for a process that is left");
            }
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
        // Nobody waits for an agent for ever to hear of a change, also while the host is behind.
        world.now += Duration::from_hours(1);
        world.step(Input::Tick);
        prop_assert!(world.changes.is_empty());
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
