//! Settings that change while the session is open: in the running process where the agent can, else
//! by replacing it between two turns. Which of these it was is always said. What the agent refuses is
//! an error of the change, and no reason to try it with another process.

use std::sync::Arc;
use std::time::Instant;

use super::{Effect, Machine, ONLY, show};
use crate::error::{Error, ErrorKind};
use crate::event::{Body, Changed, StopReason};
use crate::process::Stop;
use crate::provider::{ChangeOutcome, Request};
use crate::settings::Change;

/// A change that the agent was asked for and has not answered.
#[derive(Debug)]
pub(super) struct Pending {
    number: u64,
    change: Arc<Change>,
    at: Instant,
}

impl Machine {
    /// The host changes settings. `live`: the agent can take all of them without a new process.
    pub(super) fn change(
        &mut self,
        now: Instant,
        number: u64,
        change: Arc<Change>,
        live: bool,
        out: &mut Vec<Effect>,
    ) {
        let Some(process) = &self.process else {
            return tell_change(number, &change, Changed::NextProcess, out);
        };
        // A process that is to be replaced is not asked any more.
        if live && process.ready && self.recycle.is_none() {
            out.push(Effect::Ask(
                process.id,
                Request::Change {
                    conversation: ONLY,
                    change: Arc::clone(&change),
                },
            ));
            self.changes.push_back(Pending {
                number,
                change,
                at: now,
            });
        } else {
            self.recycle_for(number, &change, out);
        }
    }

    /// The agent says what became of the oldest change.
    pub(super) fn changed(&mut self, outcome: ChangeOutcome, out: &mut Vec<Effect>) {
        let Some(Pending { number, change, .. }) = self.changes.pop_front() else {
            return;
        };
        match outcome {
            ChangeOutcome::Live => tell_change(number, &change, Changed::Live, out),
            ChangeOutcome::NeedsProcess => self.recycle_for(number, &change, out),
            ChangeOutcome::Refused { message, halfway } => {
                if halfway && !self.keeps_process() {
                    // What it took before must not outlast what the host was told.
                    self.recycle = Some("a change was refused halfway".to_owned());
                }
                let error = Error::new(ErrorKind::AgentError, message);
                out.push(Effect::ChangeRefused { number, error });
            }
        }
    }

    /// When the oldest change was asked for.
    pub(super) fn change_asked(&self) -> Option<Instant> {
        self.changes.front().map(|pending| pending.at)
    }

    /// The agent does not answer. What holds in it nobody knows, so it is replaced.
    pub(super) fn expire_changes(&mut self, out: &mut Vec<Effect>) {
        while let Some(Pending { number, change, .. }) = self.changes.pop_front() {
            self.recycle_for(number, &change, out);
        }
    }

    /// The agent was not listened to until now.
    pub(super) fn restart_changes(&mut self, now: Instant) {
        self.changes.iter_mut().for_each(|pending| pending.at = now);
    }

    /// The process is gone; the next one starts with what was changed.
    pub(super) fn drop_changes(&mut self, out: &mut Vec<Effect>) {
        while let Some(Pending { number, change, .. }) = self.changes.pop_front() {
            tell_change(number, &change, Changed::NextProcess, out);
        }
        self.recycle = None;
    }

    fn recycle_for(&mut self, number: u64, change: &Change, out: &mut Vec<Effect>) {
        if self.keeps_process() {
            let why = "it takes a new process, in which the agent could not go on";
            let error = Error::new(ErrorKind::Unsupported, why);
            return out.push(Effect::ChangeRefused { number, error });
        }
        let how = if self.is_between_turns() {
            Changed::Recycled
        } else {
            Changed::AfterTurn
        };
        tell_change(number, change, how, out);
        self.recycle = Some("settings changed".to_owned());
    }

    /// Replaces the process if that is wanted and nobody works in it.
    pub(super) fn recycle_between_turns(&mut self, out: &mut Vec<Effect>) {
        if self.recycle.is_none() || !self.is_between_turns() || self.keeps_process() {
            return;
        }
        if let Some(reason) = self.recycle.take() {
            show(out, None, Body::Recycled { reason });
            self.release(StopReason::Recycled, Stop::Gently { by: None }, out);
        }
    }

    fn is_between_turns(&self) -> bool {
        self.host.is_none()
            && self.agent.is_none()
            && self.errands.is_empty()
            && self
                .process
                .as_ref()
                .is_some_and(|p| p.ready && p.background == 0)
    }
}

fn tell_change(number: u64, change: &Change, how: Changed, out: &mut Vec<Effect>) {
    let settings = change.settings();
    show(out, None, Body::SettingsChanged { settings, how });
    out.push(Effect::ChangeDone { number, how });
}
