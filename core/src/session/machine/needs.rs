//! What a turn or an operation needs of the process that serves it.
//!
//! Agents can do more in a warm process than in one that serves a single turn, some things only in the
//! latter. What a process cannot do is not tried in it: it waits for another one, or fails before it
//! begins.

use super::{Effect, HostTurn, Machine, show};
use crate::budget::Budget;
use crate::capabilities::Feature;
use crate::config::Mode;
use crate::error::{Error, ErrorKind};
use crate::event::{Body, Failure, WarningCode};
use crate::message::Message;
use crate::operation::OperationKind;
use crate::pool::slots::Spill;
use crate::session::send;

/// Something that the agent has to be able to do, and its name for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Need {
    pub feature: Feature,
    pub what: String,
}

impl Need {
    /// What a message needs, with the budget that it has.
    pub(super) fn all(message: &Message, budget: &Budget) -> Vec<Self> {
        let mut needs = send::needs(message);
        if budget.max_cost_usd.is_some() {
            needs.push(Self {
                feature: Feature::Cost,
                what: "a limit of cost".to_owned(),
            });
        }
        needs
    }
}

impl Machine {
    /// Whether the agent can do this in a process of that kind.
    pub(super) fn can(&self, feature: Feature, mode: Mode) -> bool {
        let mut features = self.policy.features.iter();
        features.any(|(f, support)| *f == feature && support.in_mode(mode))
    }

    pub(super) fn can_operate(&self, kind: OperationKind, mode: Mode) -> bool {
        self.can(Feature::from(kind), mode)
    }

    /// What the host's turn needs that a process of that kind cannot do.
    pub(super) fn unmet(&self, mode: Mode) -> Option<String> {
        let unmet = |host: &HostTurn| {
            let mut needs = host.needs.iter();
            let need = needs.find(|need| !self.can(need.feature, mode));
            need.map(|need| need.what.clone())
        };
        self.host.as_ref().and_then(unmet)
    }

    /// Whether a process for one turn will do as well as a warm one.
    pub(super) fn may_spill(&self) -> Spill {
        let mode = Mode::OneShot;
        let mut errands = self.errands.iter();
        let picky = self.policy.asks_only_warm
            || self.unmet(mode).is_some()
            || errands.any(|errand| !self.can_operate(errand.kind(), mode));
        if picky { Spill::Never } else { Spill::Allowed }
    }

    /// Ends what no process of that kind can do.
    pub(super) fn fail_unmet(
        &mut self,
        now: std::time::Instant,
        mode: Mode,
        out: &mut Vec<Effect>,
    ) {
        if let Some(what) = self.unmet(mode) {
            let message = format!("the agent does not take {what} in {}", named(mode));
            self.end_host_failed(now, Failure::new(ErrorKind::Unsupported, message), out);
        }
        let errands = std::mem::take(&mut self.errands);
        for errand in errands {
            if self.can_operate(errand.kind(), mode) {
                self.errands.push(errand);
                continue;
            }
            let message = format!("the agent cannot do this in {}", named(mode));
            out.push(Effect::Operated {
                number: errand.number,
                outcome: Err(Error::new(ErrorKind::Unsupported, message)),
            });
        }
    }

    /// Says that nobody is asked in a process of one turn, where the host wants to be.
    pub(super) fn tell_unasked(&mut self, mode: Mode, out: &mut Vec<Effect>) {
        match mode {
            Mode::Warm => self.told_unasked = false,
            Mode::OneShot if self.policy.asks_only_warm && !self.told_unasked => {
                self.told_unasked = true;
                let turn = self.host.as_ref().map(|h| h.tally.id);
                let code = WarningCode::Unasked;
                let message = "the agent asks nothing in a process of one turn: there, rules and \
                               answers of the host decide nothing";
                let message = message.to_owned();
                show(out, turn, Body::Warning { code, message });
            }
            Mode::OneShot => {}
        }
    }
}

const fn named(mode: Mode) -> &'static str {
    match mode {
        Mode::Warm => "a warm process",
        Mode::OneShot => "a process of one turn",
    }
}
