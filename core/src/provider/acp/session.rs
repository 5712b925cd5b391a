//! One conversation: what the agent offers in it, and its turn.

use std::collections::VecDeque;
use std::sync::Arc;

use serde_json::{Value, json};

use super::calls::{Call, Calls};
use super::failure;
use super::settings::{Offers, Step};
use super::speech::Speech;
use super::tool::{Place, Tools};
use super::usage;
use super::wire::{RpcError, write_notification};
use crate::config::SessionOptions;
use crate::error::ErrorKind;
use crate::ids::TurnId;
use crate::provider::lines::one_line;
use crate::provider::{Conversation, Outcome, Output, SignalBody, TurnEnd, TurnRef};
use crate::settings::Change;

/// How far a conversation is.
#[derive(Debug)]
pub(super) enum State {
    /// The agent was asked to go on with it. What it says until it answers is history.
    Opening,
    /// It answered, and history still comes.
    Replaying,
    /// These settings are still to be made.
    Settling(VecDeque<Step>),
    /// It takes turns.
    Ready,
}

/// The turn that runs.
#[derive(Debug)]
pub(super) struct Running {
    pub turn: TurnId,
    /// Whether the agent was told to end it.
    pub cancelled: bool,
    /// Whether the model gave anything.
    pub gave: bool,
    /// The agent says, beside the protocol, that the turn failed.
    pub fault: Option<String>,
    /// What the session had cost before it.
    cost: Option<f64>,
}

/// A change of settings that is being made.
#[derive(Debug)]
pub(super) struct Changing {
    pub left: VecDeque<Step>,
    /// Whether a step of it was made.
    pub begun: bool,
}

/// One conversation.
#[derive(Debug)]
pub(super) struct Session {
    pub conversation: Conversation,
    pub id: Box<str>,
    pub options: Arc<SessionOptions>,
    pub resumed: bool,
    pub state: State,
    pub offers: Offers,
    /// The commands, as the agent lists them, once it has.
    pub commands: Option<Value>,
    /// Tokens in the context, and how many fit, as last told.
    pub context: Option<(u64, Option<u64>)>,
    /// What the conversation has cost, in US dollars, by the agent's last count or core's.
    pub cost: Option<f64>,
    /// Whether the agent counts.
    pub counts_cost: bool,
    /// The model that answered last, where the agent tells.
    pub model: Option<String>,
    pub running: Option<Running>,
    pub tools: Tools,
    pub speech: Speech,
    pub changing: Option<Changing>,
    /// Changes that wait for that one, the oldest first.
    pub changes: VecDeque<Arc<Change>>,
}

impl Session {
    pub(super) fn new(
        conversation: Conversation,
        id: &str,
        options: Arc<SessionOptions>,
        resumed: bool,
    ) -> Self {
        let own = options.tools.iter().map(|tool| tool.name.clone());
        let tools = Tools::new(own.collect());
        Self {
            conversation,
            id: id.into(),
            options,
            resumed,
            state: State::Opening,
            offers: Offers::default(),
            commands: None,
            context: None,
            cost: None,
            counts_cost: false,
            model: None,
            running: None,
            tools,
            speech: Speech::default(),
            changing: None,
            changes: VecDeque::new(),
        }
    }

    pub(super) fn is_ready(&self) -> bool {
        matches!(self.state, State::Ready)
    }

    /// Where what the agent says now belongs.
    pub(super) fn place(&self) -> Place {
        let running = self.running.as_ref();
        Place {
            conversation: self.conversation,
            turn: running.map_or(TurnRef::None, |r| TurnRef::Host(r.turn)),
        }
    }

    pub(super) fn say(&self, body: SignalBody, out: &mut Output) {
        out.signal(self.conversation, TurnRef::None, body);
    }

    /// Sends the message of a turn.
    pub(super) fn prompt(
        &mut self,
        turn: TurnId,
        blocks: &Value,
        calls: &mut Calls,
        out: &mut Output,
    ) {
        self.speech.turn_begins(self.place(), out);
        self.running = Some(Running {
            turn,
            cancelled: false,
            gave: false,
            fault: None,
            cost: self.cost,
        });
        let params = json!({"sessionId": &*self.id, "prompt": blocks});
        let call = Call::Prompt(self.conversation, turn);
        calls.write(call, "session/prompt", &params, out);
    }

    /// Tells the agent to end its turn. `false`: none runs, or it was told.
    pub(super) fn cancel(&mut self, out: &mut Output) -> bool {
        let Some(running) = &mut self.running else {
            return false;
        };
        if std::mem::replace(&mut running.cancelled, true) {
            return false;
        }
        let params = json!({"sessionId": &*self.id});
        write_notification(&mut out.bytes, "session/cancel", &params);
        true
    }

    /// The prompt was answered: the turn is over.
    pub(super) fn answered(
        &mut self,
        turn: TurnId,
        result: &Value,
        error: Option<&RpcError>,
        out: &mut Output,
    ) {
        let stop = result["stopReason"].as_str();
        let how = |running: &Running, text: Option<&str>| match error {
            Some(error) => failure::outcome(error),
            None => running.outcome(stop, text, result),
        };
        self.end(turn, result, how, out);
    }

    /// The turn is over, in the way that what it gave says.
    pub(super) fn end(
        &mut self,
        turn: TurnId,
        result: &Value,
        how: impl FnOnce(&Running, Option<&str>) -> Outcome,
        out: &mut Output,
    ) {
        let place = self.place();
        let Some(running) = self.running.take_if(|r| r.turn == turn) else {
            return;
        };
        self.tools.turn_over(place, out);
        let text = self.speech.turn_over(place, out);
        let stop_reason = result["stopReason"].as_str().map(str::to_owned);
        let outcome = how(&running, text.as_deref());
        if let Some(model) = usage::model(result) {
            self.model = Some(model);
        }
        let end = TurnEnd {
            outcome,
            text,
            stop_reason,
            usage: usage::of_turn(result),
            cost_usd: self
                .cost
                .filter(|_| self.counts_cost)
                .map(|cost| added(running.cost, cost)),
            model: self.model.clone(),
            ..TurnEnd::default()
        };
        let ended = SignalBody::Ended(Box::new(end));
        out.signal(place.conversation, place.turn, ended);
    }
}

impl Running {
    /// What an answer without an error means. A yes of the agent is not always one.
    fn outcome(&self, stop: Option<&str>, text: Option<&str>, result: &Value) -> Outcome {
        let failed = |code, message: &str| {
            let message = one_line(message);
            Outcome::Failed { code, message }
        };
        match stop {
            Some("cancelled") => return Outcome::Interrupted,
            // OpenCode 1.18.33, cancelled while it waits to try again, ends like this.
            Some("end_turn") if self.cancelled && usage::is_none(result) => {
                return Outcome::Interrupted;
            }
            Some("max_turn_requests") => {
                let message = "the agent reached its limit of model requests in a turn";
                return failed(ErrorKind::BudgetExceeded, message);
            }
            Some("refusal") => return failed(ErrorKind::ModelError, "the model refused"),
            Some(_) | None => {}
        }
        if let Some(fault) = &self.fault {
            // codex-acp 2.6.0: the reason is what it says last.
            let why = text.filter(|_| fault.is_empty()).unwrap_or(fault);
            let why = if why.is_empty() {
                "the agent failed"
            } else {
                why
            };
            return failed(failure::by_text(why), &failure::unwrapped(why));
        }
        if !self.gave {
            // Kimi Code 2.1.0 ends a turn so when the model's service fails.
            let message = "the agent ended the turn without an answer; its stderr may say why";
            return failed(ErrorKind::ModelError, message);
        }
        Outcome::Completed
    }
}

/// What a turn added to a count that may have begun anew.
fn added(before: Option<f64>, now: f64) -> f64 {
    match before {
        Some(before) if before <= now => now - before,
        Some(_) | None => now,
    }
}
