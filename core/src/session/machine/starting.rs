//! How a session gets a process for its turn.

use std::time::Instant;

use super::{Effect, Machine, Process, Resume, Stage, show};
use crate::config::Mode;
use crate::error::Error;
use crate::event::{Body, Failure, WarningCode};
use crate::ids::ProcessId;
use crate::pool::slots::{Given, Want};
use crate::process::Containment;
use crate::provider::Conversation;

/// The conversation of the session for which a shared process was started.
const FIRST: Conversation = Conversation(0);

impl Machine {
    /// Asks the pool for a process of that kind, for what can be done in it. The rest fails.
    pub(super) fn acquire(&mut self, now: Instant, mode: Mode, out: &mut Vec<Effect>) {
        self.fail_unmet(now, mode, out);
        if self.process.is_some() {
            return;
        }
        match &mut self.host {
            Some(host) => host.stage = Stage::Acquiring,
            None if self.errands.is_empty() => return,
            None => {}
        }
        if !std::mem::replace(&mut self.acquiring, true) {
            out.push(Effect::Acquire(match mode {
                Mode::Warm => Want::Warm(self.may_spill()),
                Mode::OneShot => Want::OneShot,
            }));
        }
    }

    pub(super) fn granted(&mut self, now: Instant, given: Given, out: &mut Vec<Effect>) {
        if !self.acquiring || self.granted.is_some() {
            return out.push(Effect::Abandon);
        }
        self.granted = Some(given);
        self.start_granted(now, out);
    }

    /// Starts what was granted, once nobody else has the conversation.
    pub(super) fn start_granted(&mut self, now: Instant, out: &mut Vec<Effect>) {
        let Some(given) = self.granted else {
            return;
        };
        if self.waits_for_ending(now, given, out) {
            return;
        }
        self.granted = None;
        self.acquiring = false;
        let turn = self.host.as_mut().map(|host| {
            host.stage = Stage::Starting;
            host.tally.id
        });
        let (mode, id) = match given {
            Given::Slot => (Mode::Warm, ProcessId::next()),
            Given::Seat(seat) => (Mode::Warm, seat.process),
            Given::OneShot | Given::Spill => (Mode::OneShot, ProcessId::next()),
        };
        let shared = matches!(given, Given::Seat(_));
        let joined = matches!(given, Given::Seat(seat) if seat.conversation != FIRST);
        if given == Given::Spill {
            show(out, turn, Body::Spilled {});
        }
        self.tell_unasked(mode, out);
        let resume = self.conversation.clone().filter(|_| self.policy.resume);
        if resume.is_none() && self.conversation.is_some() {
            self.warn(
                out,
                WarningCode::NotResumed,
                "the agent cannot resume: the conversation begins anew",
            );
        }
        let back_to = self.place(mode).filter(|_| resume.is_some());
        self.slot = given == Given::Slot || shared;
        self.process = Some(Process {
            id,
            mode,
            since: now,
            ready: false,
            resumed: resume.is_some(),
            pid: 0,
            shared,
            joined,
            held: false,
            containment: Containment::ProcessGroup,
            background: 0,
            back: back_to.is_some(),
            served: false,
            output_closed: false,
            exit: None,
        });
        self.active = now;
        let resume = resume.map(|conversation| Resume {
            conversation,
            back_to,
        });
        out.push(Effect::Start {
            process: id,
            mode,
            resume,
            cost_usd: self.cost_usd,
        });
    }

    pub(super) fn denied(&mut self, now: Instant, error: &Error, out: &mut Vec<Effect>) {
        if !std::mem::take(&mut self.acquiring) {
            return;
        }
        self.fail_errands(error, out);
        if self
            .host
            .as_ref()
            .is_some_and(|h| h.stage == Stage::Acquiring)
        {
            let failure = Failure::new(error.kind(), error.message());
            self.end_host_failed(now, failure, out);
        }
    }

    /// Takes the question to the pool back, unless somebody else waits for the process.
    pub(super) fn take_back(&mut self, out: &mut Vec<Effect>) {
        if self.errands.is_empty() && std::mem::take(&mut self.acquiring) {
            self.granted = None;
            out.push(Effect::Abandon);
        }
    }
}
