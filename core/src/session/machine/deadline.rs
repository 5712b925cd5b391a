//! What a session does not wait for any longer.
//!
//! Deadlines follow from the state; none is set or cancelled. While the agent is not listened to,
//! because the host is behind, it cannot be silent.

use std::time::Instant;

use super::{Effect, HostTurn, Machine, Stage};
use crate::config::Mode;
use crate::error::ErrorKind;
use crate::event::{Failure, StopReason};
use crate::process::Stop;

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    Start,
    Rest,
    Grace,
    Request,
    Budget,
    Change,
    Steer,
    Operation,
    FirstSign,
    FirstOutput,
    Silence,
}

impl Machine {
    /// When `Tick` has something to do at the latest.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.due().map(|(at, _)| at)
    }

    pub(super) fn tick(&mut self, now: Instant, out: &mut Vec<Effect>) {
        while let Some((at, due)) = self.due()
            && at <= now
        {
            self.expire(now, due, out);
        }
    }

    /// The agent is listened to again, or works on the host's turn from now on.
    pub(super) fn restart_clocks(&mut self, now: Instant) {
        self.active = now;
        if let Some(process) = self.process.as_mut().filter(|p| !p.ready) {
            process.since = now;
        }
        self.restart_changes(now);
        self.restart_errands(now);
        if let Some(host) = &mut self.host
            && let Stage::Sent { at, signed: false } = &mut host.stage
        {
            *at = now;
        }
    }

    fn due(&self) -> Option<(Instant, Due)> {
        let limits = self.policy.timeouts;
        let budget = self.budget_ends().map(|at| (at, Due::Budget));
        let rest = self.rest_ends().map(|at| (at, Due::Rest));
        let Some(process) = &self.process else {
            return budget.into_iter().chain(rest).min();
        };
        let paused = self.paused || process.held;
        if !process.ready {
            let start = (process.since + limits.start, Due::Start);
            let start = (!paused).then_some(start);
            return budget.into_iter().chain(start).min();
        }
        let grace = self
            .interrupted_at()
            .map(|at| (at + limits.interrupt_grace, Due::Grace));
        let request = self.questions.deadline().map(|at| (at, Due::Request));
        let change = self.change_asked();
        let change = change.map(|at| (at + limits.first_sign, Due::Change));
        let errand = self.errand_asked();
        let errand = errand.map(|at| (at + limits.first_output, Due::Operation));
        let steer = self.steer_waits_until(limits.first_sign);
        let steer = steer.map(|at| (at, Due::Steer));
        let patience = self.patience().into_iter().chain(steer);
        let patience = patience.filter(|_| !paused);
        // Whoever waits for a change or an operation may be the one who does not read.
        let others = request.into_iter().chain(budget).chain(change);
        let others = others.chain(errand).chain(patience);
        grace.into_iter().chain(others).min()
    }

    /// Whether the agent was told to end a turn and has not. What it says until then ends soon, and is
    /// waited for by a clock that nobody's slowness stops.
    pub(crate) fn is_interrupting(&self) -> bool {
        self.interrupted_at().is_some()
    }

    /// When the turn that is being interrupted was.
    fn interrupted_at(&self) -> Option<Instant> {
        let of_host = self.host.as_ref().and_then(|h| h.interrupted);
        of_host.or(self.agent.as_ref().and_then(|a| a.tally.interrupted))
    }

    /// When the host's turn has taken all the time it may.
    fn budget_ends(&self) -> Option<Instant> {
        let over = |h: &&HostTurn| h.exceeded.is_some() || h.interrupted.is_some();
        let host = self.host.as_ref().filter(|h| !over(h))?;
        Some(host.tally.accepted() + host.budget.max_duration?)
    }

    /// How long the running turn may give no sign of life.
    fn patience(&self) -> Option<(Instant, Due)> {
        // It waits for the host, not the host for it.
        if self.questions.is_open() {
            return None;
        }
        let limits = self.policy.timeouts;
        let process = self.process.as_ref()?;
        let slow = process.mode == Mode::OneShot && !self.policy.one_shot_deltas;
        let in_tool = |tally: &super::Tally| slow || tally.awaits_tool();
        let silence = |long: bool| {
            let limit = if long {
                limits.tool_silence
            } else {
                limits.silence
            };
            (self.active + limit, Due::Silence)
        };
        if let Some(agent) = &self.agent {
            let host = self.host.as_ref().is_some_and(|h| in_tool(&h.tally));
            return Some(silence(host || in_tool(&agent.tally)));
        }
        let host = self.host.as_ref()?;
        let Stage::Sent { at, signed } = host.stage else {
            return None;
        };
        if host.tally.shown || slow {
            return Some(silence(in_tool(&host.tally)));
        }
        let output = (at + limits.first_output, Due::FirstOutput);
        let must_sign = !signed && self.policy.first_sign && process.mode == Mode::Warm;
        let sign = must_sign.then_some((at + limits.first_sign, Due::FirstSign));
        sign.into_iter().chain([output]).min()
    }

    fn expire(&mut self, now: Instant, due: Due, out: &mut Vec<Effect>) {
        let limits = self.policy.timeouts;
        let quiet = now.saturating_duration_since(self.active).as_secs();
        let (code, message) = match due {
            Due::Start => {
                let pid = self.process.as_ref().map_or(0, |p| p.pid);
                let phase = if pid == 0 { "spawn" } else { "handshake" };
                let limit = limits.start.as_millis();
                let message =
                    format!("the process was not ready after {limit} ms (phase: {phase})");
                (ErrorKind::StartTimeout, message)
            }
            Due::Rest => return self.rested(now, out),
            Due::Grace => return self.end_without_agent(now, out),
            Due::Request => return self.expire_requests(now, out),
            Due::Change => return self.expire_changes(out),
            Due::Steer => return self.expire_steers(out),
            Due::Operation => {
                let by = now.checked_sub(limits.first_output).unwrap_or(now);
                return self.expire_errands(by, out);
            }
            Due::Budget => {
                return self.exceed(now, "the turn took all the time it may".to_owned(), out);
            }
            Due::FirstSign => {
                let limit = limits.first_sign.as_millis();
                let message = format!("the agent gave no sign of the turn within {limit} ms");
                (ErrorKind::FirstOutputTimeout, message)
            }
            Due::FirstOutput => {
                let limit = limits.first_output.as_millis();
                let message = format!("the agent gave no output within {limit} ms");
                (ErrorKind::FirstOutputTimeout, message)
            }
            Due::Silence => {
                let message = format!("the agent was silent for {quiet} s in the middle of a turn");
                (ErrorKind::SilenceTimeout, message)
            }
        };
        self.process_failed(now, Failure::new(code, message), out);
    }

    /// The agent does not, or cannot, end the turn that was interrupted: it ends without the agent,
    /// and the process, which still works on it, goes.
    pub(super) fn end_without_agent(&mut self, now: Instant, out: &mut Vec<Effect>) {
        let meant = self.host.as_ref().is_some_and(|h| h.interrupted.is_some());
        if meant {
            self.end_host_interrupted(now, out);
        }
        let replaced = || Failure::new(ErrorKind::ProcessExit, "the process was replaced");
        let own = self.agent.as_ref();
        if own.is_some_and(|a| a.tally.interrupted.is_some()) {
            self.end_agent_interrupted(now, out);
        } else {
            self.end_agent_failed(now, replaced(), out);
        }
        self.release(StopReason::Interrupted, Stop::Kill, out);
        // The host's turn stood behind the agent's own, which did not end.
        if self.may_retry() {
            if let Some(host) = &mut self.host {
                host.retried = true;
            }
            return self.acquire(now, self.mode, out);
        }
        self.end_host_failed(now, replaced(), out);
    }
}
