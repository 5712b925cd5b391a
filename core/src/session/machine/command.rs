//! What the host and the pool want of a session.

use std::sync::Arc;
use std::time::Instant;

use super::{Effect, HostTurn, Machine, Need, ONLY, Process, Stage, Tally, closed_failure, show};
use crate::budget::Budget;
use crate::error::{Error, ErrorKind};
use crate::event::{Body, CloseReason, EvictionReason, Failure, StopReason, TurnOrigin};
use crate::ids::TurnId;
use crate::message::Message;
use crate::process::Stop;
use crate::provider::{Request, TurnRef};
use crate::session::Receipt;

impl Machine {
    pub(super) fn send(
        &mut self,
        now: Instant,
        turn: TurnId,
        tag: Option<u64>,
        message: Arc<Message>,
        budget: Budget,
        out: &mut Vec<Effect>,
    ) {
        show(
            out,
            Some(turn),
            Body::TurnStarted {
                origin: TurnOrigin::Host,
                tag,
            },
        );
        self.host = Some(HostTurn {
            tally: Tally::new(turn, now),
            needs: Need::all(&message, &budget),
            message,
            stage: Stage::Starting,
            retried: false,
            rejoined: false,
            interrupted: None,
            budget,
            exceeded: None,
        });
        if self.closing.is_some() {
            // The gate refuses these; a turn that slipped through still has its end.
            return self.end_host_failed(now, closed_failure(), out);
        }
        self.drop_ended(now, out);
        match &self.process {
            Some(process) if process.ready => self.ask(now, out),
            Some(_) => {}
            None => self.acquire(now, self.mode, out),
        }
    }

    /// Gives the turn to the process, which is ready. One that cannot serve it makes way for another.
    pub(super) fn ask(&mut self, now: Instant, out: &mut Vec<Effect>) {
        let Some(mode) = self.process.as_ref().map(|p| p.mode) else {
            return;
        };
        if self.unmet(mode).is_some() {
            if mode != self.mode {
                let failure = Failure::new(ErrorKind::ProcessExit, "the process was replaced");
                self.end_agent_failed(now, failure, out);
                self.release(StopReason::TurnDone, Stop::Gently { by: None }, out);
            }
            return self.acquire(now, self.mode, out);
        }
        let (Some(process), Some(host)) = (&self.process, &mut self.host) else {
            return;
        };
        host.stage = Stage::Sent {
            at: now,
            signed: false,
        };
        self.active = now;
        out.push(Effect::Ask(
            process.id,
            Request::Turn {
                conversation: ONLY,
                turn: host.tally.id,
                message: Arc::clone(&host.message),
            },
        ));
    }

    pub(super) fn interrupt(
        &mut self,
        now: Instant,
        turn: TurnId,
        keep_commands: bool,
        out: &mut Vec<Effect>,
    ) {
        let of_host = self.host.as_mut().filter(|h| h.tally.id == turn);
        let of_agent = self.agent.as_mut().filter(|a| a.tally.id == turn);
        let (named, interrupted) = match (of_host, of_agent) {
            (Some(host), _) => match host.stage {
                Stage::Acquiring | Stage::Starting => {
                    out.push(Effect::Receipt(Receipt::Held));
                    return self.hold_back(now, out);
                }
                Stage::Sent { .. } => (TurnRef::Host(turn), &mut host.interrupted),
            },
            (None, Some(agent)) => {
                let named = TurnRef::Agent(agent.number);
                (named, &mut agent.tally.interrupted)
            }
            (None, None) => return out.push(Effect::Receipt(Receipt::TooLate)),
        };
        let first = interrupted.replace(interrupted.unwrap_or(now)).is_none();
        out.push(Effect::Receipt(if self.can_interrupt() {
            Receipt::Delivered
        } else {
            Receipt::Unsupported
        }));
        if first {
            self.end_by_interrupt(now, named, keep_commands, out);
        }
    }

    /// Ends a turn that no process has, and that none gets any more. One that starts for it goes on
    /// starting, for the next.
    pub(super) fn hold_back(&mut self, now: Instant, out: &mut Vec<Effect>) {
        if self
            .host
            .as_ref()
            .is_some_and(|h| h.stage == Stage::Acquiring)
        {
            self.take_back(out);
        }
        self.end_host_interrupted(now, out);
    }

    /// Ends what was just marked as interrupted: by the agent where it can, else with its process.
    pub(super) fn end_by_interrupt(
        &mut self,
        now: Instant,
        turn: TurnRef,
        keep_commands: bool,
        out: &mut Vec<Effect>,
    ) {
        if self.can_interrupt() {
            self.ask_interrupt(turn, keep_commands, out);
        } else {
            self.end_without_agent(now, out);
        }
    }

    /// Whether the agent ends a turn when it is told to.
    fn can_interrupt(&self) -> bool {
        let can = |p: &Process| self.policy.interrupt.in_mode(p.mode);
        self.process.as_ref().is_some_and(can)
    }

    fn ask_interrupt(&self, turn: TurnRef, keep_commands: bool, out: &mut Vec<Effect>) {
        if let Some(process) = self.process.as_ref().filter(|_| self.can_interrupt()) {
            out.push(Effect::Ask(
                process.id,
                Request::Interrupt {
                    conversation: ONLY,
                    turn,
                    keep_commands,
                },
            ));
        }
    }

    pub(super) fn evict(&mut self, reason: EvictionReason, out: &mut Vec<Effect>) {
        if !self.is_idle() {
            return out.push(Effect::RefuseEviction);
        }
        show(out, None, Body::Evicted { reason });
        self.release(StopReason::Evicted, Stop::Gently { by: None }, out);
    }

    pub(super) fn close(
        &mut self,
        now: Instant,
        reason: CloseReason,
        by: Option<Instant>,
        out: &mut Vec<Effect>,
    ) {
        // What ends already has no more time than the rest. A second close may only be faster.
        for ending in &self.ending {
            out.push(Effect::Stop(ending.id, Stop::Gently { by }));
        }
        if self.closing.is_some() {
            return;
        }
        self.closing = Some(reason);
        // Agents that ignore the end of their input while a tool runs listen to this.
        let sent = |h: &&HostTurn| matches!(h.stage, Stage::Sent { .. });
        let of_host = self.host.as_ref().filter(sent).map(|h| h.tally.id);
        let of_agent = self.agent.as_ref().map(|a| a.number);
        let turns = [of_host.map(TurnRef::Host), of_agent.map(TurnRef::Agent)];
        for turn in turns.into_iter().flatten() {
            self.ask_interrupt(turn, false, out);
        }
        self.end_host_failed(now, closed_failure(), out);
        self.end_agent_failed(now, closed_failure(), out);
        self.fail_errands(&Error::closed("session"), out);
        self.take_back(out);
        self.release(StopReason::Closed, Stop::Gently { by }, out);
    }
}
