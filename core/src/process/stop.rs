//! The steps by which a process is ended, and when each is due.
//!
//! Values only: time comes in as a parameter.

use std::time::Duration;

use tokio::time::Instant;

use crate::process::Stop;
use crate::provider::{AgentSignal, StopLadder};

/// One step of the ladder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Close the agent's stdin, after what is already queued for it.
    CloseStdin,
    /// Signal the agent.
    Signal(AgentSignal),
    /// Kill the tree.
    Kill,
}

/// A stop under way: the steps to come. The last one is always the kill.
#[derive(Debug)]
pub(crate) struct Ladder {
    steps: Vec<(Instant, Step)>,
}

impl Ladder {
    pub(crate) fn new(stop: Stop, plan: &StopLadder, now: Instant) -> Self {
        let mut steps = vec![(now, Step::CloseStdin)];
        let mut at = now + plan.half_close;
        if let Some((signal, patience)) = plan.signal {
            steps.push((at, Step::Signal(signal)));
            at += patience;
        }
        steps.push((at, Step::Kill));
        let mut ladder = Self { steps };
        ladder.hasten(stop, now);
        ladder
    }

    /// A stop whose steps are all done.
    pub(crate) fn done() -> Self {
        Self { steps: Vec::new() }
    }

    /// Takes over a later stop, as far as it is faster. The steps to come keep their proportions.
    pub(crate) fn hasten(&mut self, stop: Stop, now: Instant) {
        let Some(kill) = self.kill_at() else { return };
        let by = match stop {
            Stop::Kill => {
                self.steps = vec![(now, Step::Kill)];
                return;
            }
            Stop::Gently { by: None } => return,
            Stop::Gently { by: Some(by) } => Instant::from_std(by),
        };
        if by >= kill {
            return;
        }
        let (whole, left) = (kill - now, by.saturating_duration_since(now));
        for (at, _) in &mut self.steps {
            *at = now + share(at.saturating_duration_since(now), left, whole);
        }
    }

    /// When the tree will be killed; `None` once that is done.
    pub(crate) fn kill_at(&self) -> Option<Instant> {
        self.steps.last().map(|(at, _)| *at)
    }

    /// When the next step is due.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.steps.first().map(|(at, _)| *at)
    }

    /// Takes the next step, if it is due. Where several are due, each one comes.
    pub(crate) fn take(&mut self, now: Instant) -> Option<Step> {
        if self.next()? > now {
            return None;
        }
        Some(self.steps.remove(0).1)
    }
}

/// `part` of `whole`, of `left`.
fn share(part: Duration, left: Duration, whole: Duration) -> Duration {
    if whole.is_zero() {
        Duration::ZERO
    } else {
        left.mul_f64((part.as_secs_f64() / whole.as_secs_f64()).min(1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: StopLadder = StopLadder {
        half_close: Duration::from_secs(6),
        signal: Some((AgentSignal::Terminate, Duration::from_secs(2))),
    };

    fn gently(by: Option<Instant>) -> Stop {
        Stop::Gently {
            by: by.map(Instant::into_std),
        }
    }

    /// The steps to come, in milliseconds from `now`.
    fn plan(ladder: &Ladder, now: Instant) -> Vec<(u128, Step)> {
        let steps = ladder.steps.iter();
        steps.map(|(at, s)| ((*at - now).as_millis(), *s)).collect()
    }

    #[test]
    fn the_steps_come_in_order_each_when_it_is_due() {
        let now = Instant::now();
        let mut ladder = Ladder::new(gently(None), &PLAN, now);
        let after = |ms| now + Duration::from_millis(ms);
        assert_eq!(ladder.take(now), Some(Step::CloseStdin));
        assert_eq!(ladder.take(after(5999)), None);
        assert_eq!(
            ladder.take(after(6000)),
            Some(Step::Signal(AgentSignal::Terminate))
        );
        assert_eq!(ladder.take(after(7999)), None);
        assert_eq!(ladder.take(after(8000)), Some(Step::Kill));
        assert_eq!((ladder.take(after(9000)), ladder.next()), (None, None));
    }

    #[test]
    fn an_agent_that_ignores_signals_gets_none() {
        let now = Instant::now();
        let deaf = StopLadder {
            signal: None,
            ..PLAN
        };
        let ladder = Ladder::new(gently(None), &deaf, now);
        assert_eq!(
            plan(&ladder, now),
            [(0, Step::CloseStdin), (6000, Step::Kill)]
        );
    }

    #[test]
    fn a_deadline_shortens_every_step_in_proportion() {
        let now = Instant::now();
        let signal = Step::Signal(AgentSignal::Terminate);
        let by = |ms| gently(Some(now + Duration::from_millis(ms)));
        let steps = |ms| plan(&Ladder::new(by(ms), &PLAN, now), now);
        let expected = |s, k| vec![(0, Step::CloseStdin), (s, signal), (k, Step::Kill)];
        assert_eq!(steps(4000), expected(3000, 4000));
        assert_eq!(steps(0), expected(0, 0));
        assert_eq!(steps(60_000), expected(6000, 8000));
    }

    #[test]
    fn a_second_stop_is_only_ever_faster() {
        let now = Instant::now();
        let mut ladder = Ladder::new(gently(None), &PLAN, now);
        ladder.take(now);
        ladder.hasten(gently(Some(now + Duration::from_mins(1))), now);
        assert_eq!(ladder.kill_at(), Some(now + Duration::from_secs(8)));
        let later = now + Duration::from_secs(4);
        ladder.hasten(gently(Some(later + Duration::from_secs(2))), later);
        let signal = Step::Signal(AgentSignal::Terminate);
        assert_eq!(plan(&ladder, later), [(1000, signal), (2000, Step::Kill)]);
        ladder.hasten(Stop::Kill, later);
        assert_eq!(plan(&ladder, later), [(0, Step::Kill)]);
    }

    #[test]
    fn a_stop_after_the_kill_adds_no_steps() {
        let now = Instant::now();
        let mut ladder = Ladder::new(Stop::Kill, &PLAN, now);
        assert_eq!(ladder.take(now), Some(Step::Kill));
        ladder.hasten(gently(Some(now)), now);
        assert_eq!(ladder.next(), None);
    }
}
