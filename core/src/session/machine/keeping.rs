//! That no conversation is lost with its process: agents that go on with it nowhere else keep theirs,
//! and those that lose it when they go on too early are given time.

use std::time::{Duration, Instant};

use super::{Effect, Machine, Process, show};
use crate::config::Mode;
use crate::event::{Body, WarningCode};

impl Machine {
    /// Whether the agent goes on with the conversation in another process.
    pub(super) const fn resumes(&self) -> bool {
        self.policy.resume && !self.forgets
    }

    /// Whether the conversation would be lost with the process, which so stays as long as it lives.
    pub(super) fn keeps_process(&self) -> bool {
        let warm = |p: &Process| p.mode == Mode::Warm;
        !self.resumes() && self.conversation.is_some() && self.process.as_ref().is_some_and(warm)
    }

    /// The agent will not go on with the conversation in another process.
    pub(super) fn forget(&mut self, out: &mut Vec<Effect>) {
        if !std::mem::replace(&mut self.forgets, true) {
            let message = "the agent cannot go on with the conversation in another process: \
                           the session keeps this one";
            self.warn(out, WarningCode::ProcessKept, message);
        }
    }

    /// The conversation was begun, or gone on with: the agent may lose it if that happens again soon.
    pub(crate) fn rest_from(&mut self, now: Instant) {
        self.rested = Some(now + self.policy.resume_rest);
    }

    /// How long a warm process would come too early.
    pub(super) fn rest_left(&self, now: Instant, mode: Mode) -> Option<Duration> {
        let resumes = self.conversation.is_some() && self.resumes();
        let left = self.rested?.saturating_duration_since(now);
        match mode {
            Mode::Warm if resumes && !left.is_zero() => Some(left),
            Mode::Warm | Mode::OneShot => None,
        }
    }

    /// Waits before the pool is asked, so that no slot waits too.
    pub(super) fn rest(&mut self, left: Duration, out: &mut Vec<Effect>) {
        if !std::mem::replace(&mut self.resting, true) {
            let seconds = left.as_secs_f64().ceil();
            let message = format!(
                "the agent could lose the conversation if it went on with it now: \
                 {seconds} s are waited for"
            );
            let turn = self.host.as_ref().map(|h| h.tally.id);
            let state = "resting".to_owned();
            show(out, turn, Body::Status { state, message });
        }
    }

    /// When the rest is over that somebody waits for.
    pub(super) fn rest_ends(&self) -> Option<Instant> {
        self.rested.filter(|_| self.resting)
    }

    /// The rest is over.
    pub(super) fn rested(&mut self, now: Instant, out: &mut Vec<Effect>) {
        self.resting = false;
        self.acquire(now, Mode::Warm, out);
    }
}
