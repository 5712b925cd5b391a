//! Settings that change while the session is open: in the running process where the agent can, else
//! by replacing it between two turns. Which of these it was is always said.

use std::sync::Arc;

use super::{Effect, Machine, ONLY, show};
use crate::event::{Body, Changed, StopReason};
use crate::process::Stop;
use crate::provider::Request;
use crate::settings::Change;

impl Machine {
    /// The host changes settings. `live`: the agent can take all of them without a new process.
    pub(super) fn change(
        &mut self,
        number: u64,
        change: Arc<Change>,
        live: bool,
        out: &mut Vec<Effect>,
    ) {
        let Some(process) = &self.process else {
            return tell_change(number, &change, Changed::NextProcess, out);
        };
        if live && process.ready {
            out.push(Effect::Ask(
                process.id,
                Request::Change {
                    conversation: ONLY,
                    change: Arc::clone(&change),
                },
            ));
            self.changes.push_back((number, change));
        } else {
            self.recycle_for(number, &change, out);
        }
    }

    /// The agent says what became of the oldest change.
    pub(super) fn changed(&mut self, refused: Option<&str>, out: &mut Vec<Effect>) {
        let Some((number, change)) = self.changes.pop_front() else {
            return;
        };
        match refused {
            None => tell_change(number, &change, Changed::Live, out),
            Some(_) => self.recycle_for(number, &change, out),
        }
    }

    /// The process is gone; the next one starts with what was changed.
    pub(super) fn drop_changes(&mut self, out: &mut Vec<Effect>) {
        while let Some((number, change)) = self.changes.pop_front() {
            tell_change(number, &change, Changed::NextProcess, out);
        }
        self.recycle = None;
    }

    fn recycle_for(&mut self, number: u64, change: &Change, out: &mut Vec<Effect>) {
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
        if self.recycle.is_none() || !self.is_between_turns() {
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
            && self.process.as_ref().is_some_and(|p| p.ready)
    }
}

fn tell_change(number: u64, change: &Change, how: Changed, out: &mut Vec<Effect>) {
    let settings = change.settings();
    show(out, None, Body::SettingsChanged { settings, how });
    out.push(Effect::ChangeDone { number, how });
}
