//! What is known of one process's end, and what follows from it when.
//!
//! Three facts come in any order: the agent's own process has exited, its output is at its end, its
//! tree is gone. This joins them, under deadlines, with each other and with the stop that somebody
//! asked for. Values only: time comes in as a parameter.

use std::time::Duration;

use tokio::time::Instant;

use crate::process::Stop;
use crate::process::stop::{Ladder, Step};
use crate::provider::StopLadder;

/// How long output may go on after the exit, if a descendant holds it open.
pub(super) const DRAIN: Duration = Duration::from_millis(250);
/// How long after its input was found closed an agent may be seen to have ended, which explains it.
pub(super) const EXPLAINED: Duration = Duration::from_millis(250);
/// How long a process may live on after it closed its output.
pub(super) const SILENT: Duration = Duration::from_secs(1);
/// How long the owner of a killed tree may be silent. A guard tells after a second who does not die.
pub(crate) const UNHEARD: Duration = Duration::from_millis(1500);
/// How long a killed tree may take to be gone.
pub(crate) const STUCK: Duration = Duration::from_secs(2);

/// What the actor has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// A step of the stop.
    Step(Step),
    /// Close the agent's output on this side: somebody who should not holds it open.
    CloseOutput,
    /// Kill the tree without its owner, who does not.
    Force,
    /// Report the process as gone, but for what is left.
    GiveUp,
    /// Report the input as closed: the process lives on without it.
    ReportInput,
}

/// The state of the end.
#[derive(Debug)]
pub(super) struct Life {
    plan: StopLadder,
    stop: Option<Ladder>,
    /// When to kill for a reason of our own.
    kill: Option<Instant>,
    killed: Option<Instant>,
    owner: Owner,
    forced: Option<Instant>,
    exited: bool,
    gone: bool,
    given_up: bool,
    /// When a closed input is reported, if no end explains it before.
    input: Option<Instant>,
    output: Output,
}

/// Whether the owner of a killed tree told that it is at work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    Silent,
    Heard,
}

/// How far the output is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Output {
    Open,
    /// The agent is gone. `owed` bytes of what it wrote are not read yet: those are waited for,
    /// however long the sessions take. What others write is waited for until `until`.
    Draining {
        until: Instant,
        owed: u64,
    },
    Closed,
}

impl Life {
    pub(super) fn new(plan: StopLadder) -> Self {
        Self {
            plan,
            stop: None,
            kill: None,
            killed: None,
            owner: Owner::Silent,
            forced: None,
            exited: false,
            gone: false,
            given_up: false,
            input: None,
            output: Output::Open,
        }
    }

    pub(super) fn stop(&mut self, stop: Stop, now: Instant) {
        match &mut self.stop {
            Some(ladder) => ladder.hasten(stop, now),
            None if self.killed.is_some() => self.stop = Some(Ladder::done()),
            None => self.stop = Some(Ladder::new(stop, &self.plan, now)),
        }
    }

    /// When the tree will be killed, if nothing changes that.
    pub(super) fn kill_at(&self) -> Option<Instant> {
        let stop = self.stop.as_ref().and_then(Ladder::kill_at);
        stop.into_iter().chain(self.kill).min()
    }

    /// Whether somebody asked for the end.
    pub(super) fn is_stopping(&self) -> bool {
        self.stop.is_some()
    }

    /// The process is of no use any more, or what is left of its tree is not.
    pub(super) fn kill(&mut self, at: Instant) {
        self.kill = Some(self.kill.map_or(at, |kill| kill.min(at)));
    }

    /// The agent was found to have closed its input.
    pub(super) fn input_closed(&mut self, now: Instant) {
        if !self.exited && !self.is_stopping() {
            self.input = Some(now + EXPLAINED);
        }
    }

    /// The agent's own process ended, with `owed` bytes of output unread.
    pub(super) fn exit(&mut self, owed: u64, now: Instant) {
        self.exited = true;
        self.input = None;
        self.kill(now);
        self.drain(owed, now);
    }

    /// Some of the tree do not die, and are watched.
    pub(super) fn left(&mut self) {
        self.owner = Owner::Heard;
    }

    /// Nothing is left of the tree.
    pub(super) fn tree_gone(&mut self, owed: u64, now: Instant) {
        self.gone = true;
        self.drain(owed, now);
    }

    pub(super) fn is_tree_gone(&self) -> bool {
        self.gone
    }

    fn drain(&mut self, owed: u64, now: Instant) {
        if self.output == Output::Open {
            let until = now + DRAIN;
            self.output = Output::Draining { until, owed };
        }
    }

    /// Output was read.
    pub(super) fn read(&mut self, bytes: usize) {
        if let Output::Draining { owed, .. } = &mut self.output {
            *owed = owed.saturating_sub(bytes as u64);
        }
    }

    /// The output is at its end. An agent whose stdin is closed is about to end by itself, and has
    /// the time that it would have in a stop.
    pub(super) fn output_closed(&mut self, stdin_closed: bool, now: Instant) {
        self.output = Output::Closed;
        if !self.exited && !self.is_stopping() {
            let patience = if stdin_closed {
                SILENT.max(self.plan.half_close)
            } else {
                SILENT
            };
            self.kill(now + patience);
        }
    }

    pub(super) fn is_output_closed(&self) -> bool {
        self.output == Output::Closed
    }

    /// Whether there is nothing more to report but the end.
    pub(super) fn is_over(&self) -> bool {
        self.is_output_closed() && (self.gone || self.given_up)
    }

    /// When the next thing is due without anything happening.
    pub(super) fn next(&self) -> Option<Instant> {
        let drain = match self.output {
            Output::Draining { until, owed: 0 } => Some(until),
            Output::Draining { .. } | Output::Open | Output::Closed => None,
        };
        let alive = [
            self.stop.as_ref().and_then(Ladder::next),
            self.input,
            self.kill.filter(|_| self.killed.is_none()),
            self.force_at(),
            self.give_up_at(),
        ];
        let alive = alive.into_iter().flatten().filter(|_| !self.gone);
        alive.chain(drain).min()
    }

    fn force_at(&self) -> Option<Instant> {
        let unheard = self.owner == Owner::Silent && self.forced.is_none();
        self.killed.filter(|_| unheard).map(|at| at + UNHEARD)
    }

    /// After the last that was done about it.
    fn give_up_at(&self) -> Option<Instant> {
        if self.given_up || self.force_at().is_some() {
            return None;
        }
        self.forced.or(self.killed).map(|at| at + STUCK)
    }

    /// Takes the next thing that is due.
    pub(super) fn take(&mut self, now: Instant) -> Option<Act> {
        if self.next()? > now {
            return None;
        }
        if !self.gone {
            if self.input.is_some_and(|at| at <= now) {
                self.input = None;
                return Some(Act::ReportInput);
            }
            if self.killed.is_none() && self.kill.is_some_and(|at| at <= now) {
                self.killed = Some(now);
                self.stop = self.stop.is_some().then(Ladder::done);
                return Some(Act::Step(Step::Kill));
            }
            if let Some(step) = self.stop.as_mut().and_then(|s| s.take(now)) {
                if step == Step::Kill {
                    self.killed.get_or_insert(now);
                }
                return Some(Act::Step(step));
            }
            if self.force_at().is_some_and(|at| at <= now) {
                self.forced = Some(now);
                return Some(Act::Force);
            }
            if self.give_up_at().is_some_and(|at| at <= now) {
                self.given_up = true;
                // Whoever is left holds the output, and what the agent wrote was read long ago.
                return Some(Act::GiveUp);
            }
        }
        match self.output {
            Output::Draining { until, owed: 0 } if until <= now => Some(Act::CloseOutput),
            Output::Draining { .. } | Output::Open | Output::Closed => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::AgentSignal;

    const PLAN: StopLadder = StopLadder {
        half_close: Duration::from_secs(6),
        signal: Some((AgentSignal::Terminate, Duration::from_secs(2))),
    };
    const KILL: Act = Act::Step(Step::Kill);

    /// Everything that is done, and when, if nothing happens any more.
    fn run(life: &mut Life, start: Instant) -> Vec<(u128, Act)> {
        let mut acts = Vec::new();
        while let Some(at) = life.next() {
            let act = life.take(at).expect("what is next is due then");
            acts.push((at.saturating_duration_since(start).as_millis(), act));
            if act == Act::CloseOutput {
                life.output_closed(false, at);
            }
        }
        acts
    }

    #[test]
    fn nothing_is_due_while_a_process_lives() {
        let life = Life::new(PLAN);
        assert_eq!((life.next(), life.is_over()), (None, false));
    }

    #[test]
    fn an_exit_kills_the_rest_of_the_tree_and_gives_the_output_250_ms() {
        let now = Instant::now();
        let mut life = Life::new(PLAN);
        life.exit(0, now);
        assert_eq!(
            run(&mut life, now),
            [
                (0, KILL),
                (250, Act::CloseOutput),
                (1500, Act::Force),
                (3500, Act::GiveUp)
            ]
        );
        assert!(life.is_over());
    }

    #[test]
    fn what_the_agent_wrote_is_waited_for_however_long_reading_takes() {
        let now = Instant::now();
        let mut life = Life::new(PLAN);
        life.exit(100, now);
        life.tree_gone(100, now);
        life.read(99);
        assert_eq!(life.next(), None);
        life.read(1);
        assert_eq!(run(&mut life, now), [(250, Act::CloseOutput)]);
        assert!(life.is_over());
    }

    #[test]
    fn a_silent_process_is_killed_after_a_second_and_a_finishing_one_after_its_half_close() {
        let now = Instant::now();
        for (stdin_closed, ms) in [(false, 1000), (true, 6000)] {
            let mut life = Life::new(PLAN);
            life.output_closed(stdin_closed, now);
            assert_eq!(
                run(&mut life, now),
                [
                    (ms, KILL),
                    (ms + 1500, Act::Force),
                    (ms + 3500, Act::GiveUp)
                ]
            );
        }
    }

    #[test]
    fn the_end_of_output_does_not_shorten_a_stop() {
        let now = Instant::now();
        let mut life = Life::new(PLAN);
        life.stop(Stop::Gently { by: None }, now);
        life.output_closed(false, now);
        let signal = Act::Step(Step::Signal(AgentSignal::Terminate));
        assert_eq!(
            run(&mut life, now),
            [
                (0, Act::Step(Step::CloseStdin)),
                (6000, signal),
                (8000, KILL),
                (9500, Act::Force),
                (11_500, Act::GiveUp)
            ]
        );
    }

    #[test]
    fn an_owner_that_is_heard_of_is_left_to_its_work() {
        let now = Instant::now();
        let mut life = Life::new(PLAN);
        life.stop(Stop::Kill, now);
        assert_eq!(life.take(now), Some(KILL));
        life.left();
        life.output_closed(false, now);
        assert_eq!(run(&mut life, now), [(2000, Act::GiveUp)]);
    }

    #[test]
    fn a_tree_that_is_gone_ends_the_stop() {
        let now = Instant::now();
        let mut life = Life::new(PLAN);
        life.stop(Stop::Gently { by: None }, now);
        life.take(now);
        life.exit(0, now);
        life.output_closed(true, now);
        life.tree_gone(0, now);
        assert_eq!((life.next(), life.is_over()), (None, true));
    }

    #[test]
    fn a_closed_input_is_reported_unless_an_end_explains_it() {
        let now = Instant::now();
        let mut life = Life::new(PLAN);
        life.input_closed(now);
        assert_eq!(run(&mut life, now), [(250, Act::ReportInput)]);
        life.input_closed(now);
        life.exit(0, now);
        life.input_closed(now);
        let acts = run(&mut life, now);
        assert!(acts.iter().all(|(_, act)| *act != Act::ReportInput));
    }

    #[test]
    fn a_tree_is_killed_once() {
        let now = Instant::now();
        let mut life = Life::new(PLAN);
        life.stop(Stop::Kill, now);
        life.kill(now);
        life.exit(0, now);
        life.stop(Stop::Kill, now);
        let acts = run(&mut life, now);
        assert_eq!(acts.iter().filter(|(_, act)| *act == KILL).count(), 1);
    }
}
