//! Messages for the running turn.
//!
//! The agent takes a message into its turn only at the end of a tool call; what comes while the model
//! speaks waits in its queue and becomes a turn of its own the moment the result is written, too fast
//! for any withdrawal. So a message is written only while a call is certain to end before the turn
//! does: from the first sign of a tool call to its result. Until then it is held here, and if the
//! turn ends first it was never sent. What comes too late for its call is taken back while the model
//! speaks, and held again.
//!
//! One race is left: the turn fails or is cut at the very end of a call. What then can no longer be
//! taken back the agent answers in a turn of its own; it was taken, and this is said.

use std::collections::HashSet;
use std::sync::Arc;

use serde::Serialize;

use crate::ids::TurnId;
use crate::message::Message;
use crate::provider::claude::codec::{ClaudeCodec, write_line};
use crate::provider::claude::content::UserLine;
use crate::provider::claude::control::Purpose;
use crate::provider::claude::wire::{Block, ControlAnswer, Withdrawal, parse, text};
use crate::provider::{Output, SignalBody, TurnRef};

/// Its result ends the turn.
const LAST_TOOL: &str = "StructuredOutput";

/// Messages that are under way, and where they can join.
#[derive(Debug, Default)]
pub(super) struct Steers {
    all: Vec<Steer>,
    /// Calls of the agent itself that have no result yet.
    calls: HashSet<Box<str>>,
    /// Messages that could not be taken back, and whose turn has not shown itself.
    loose: Vec<String>,
}

#[derive(Debug)]
struct Steer {
    number: u64,
    turn: TurnId,
    message: Arc<Message>,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    Held,
    /// In the agent's queue.
    Written(String),
    /// Asked for back.
    Withdrawn(String),
}

#[derive(Serialize)]
pub(super) struct Cancel<'a> {
    pub(super) message_uuid: &'a str,
}

impl Steers {
    /// Whether the agent may begin a turn for one of them.
    pub(super) fn is_due(&self) -> bool {
        let written = |steer: &Steer| !matches!(steer.stage, Stage::Held);
        !self.loose.is_empty() || self.all.iter().any(written)
    }

    /// No turn comes any more for what could not be taken back, or it is there.
    pub(super) fn settle(&mut self) {
        self.loose.clear();
    }

    /// A call got its result.
    pub(super) fn call_ended(&mut self, id: &str) {
        self.calls.remove(id);
    }
}

impl ClaudeCodec {
    pub(super) fn steer(
        &mut self,
        turn: TurnId,
        number: u64,
        message: Arc<Message>,
        out: &mut Output,
    ) {
        let refused = if self.turns.is_open(turn) {
            UserLine::message("", &message).err()
        } else {
            Some("the turn is over".to_owned())
        };
        if refused.is_some() {
            self.steered(turn, number, refused, out);
            return;
        }
        self.steers.all.push(Steer {
            number,
            turn,
            message,
            stage: Stage::Held,
        });
        self.write_steers(out);
    }

    /// The agent itself calls a tool, or begins to.
    pub(super) fn call_began(&mut self, block: &Block<'_>, out: &mut Output) {
        let (id, name) = (text(block.id.as_ref()), text(block.name.as_ref()));
        if text(block.kind.as_ref()) == "tool_use" && !id.is_empty() && name != LAST_TOOL {
            self.steers.calls.insert(id.into());
            self.write_steers(out);
        }
    }

    /// The model is asked: whatever did not join by now waits for the turn's end.
    pub(super) fn model_asked(&mut self, out: &mut Output) {
        self.steers.calls.clear();
        self.withdraw_steers(out);
    }

    /// Writes what can join the turn.
    fn write_steers(&mut self, out: &mut Output) {
        if self.steers.calls.is_empty() || !self.turns.takes_more() {
            return;
        }
        let running = self.turns.running();
        let can = |steer: &Steer| {
            matches!(steer.stage, Stage::Held) && TurnRef::Host(steer.turn) == running
        };
        let count = self.steers.all.iter().filter(|steer| can(steer)).count();
        // Each under a new name, also the second time: the agent swallows one that it knows.
        let uuids: Vec<_> = (0..count).map(|_| self.fresh_id()).collect();
        let steers = self.steers.all.iter_mut().filter(|steer| can(steer));
        for (steer, uuid) in steers.zip(uuids) {
            // It was checked when it came.
            if let Ok(line) = UserLine::message(&uuid, &steer.message) {
                write_line(&line, out);
                steer.stage = Stage::Written(uuid);
            }
        }
    }

    /// Asks back what is in the agent's queue.
    pub(super) fn withdraw_steers(&mut self, out: &mut Output) {
        let mut asked = Vec::new();
        for steer in &mut self.steers.all {
            if let Stage::Written(uuid) = &steer.stage {
                let uuid = uuid.clone();
                asked.push((steer.number, uuid.clone()));
                steer.stage = Stage::Withdrawn(uuid);
            }
        }
        for (number, message_uuid) in asked {
            let cancel = Cancel {
                message_uuid: &message_uuid,
            };
            self.ask_agent(
                "cancel_async_message",
                cancel,
                Purpose::Withdraw(number),
                out,
            );
        }
    }

    pub(super) fn withdrawal_answered(
        &mut self,
        number: u64,
        answer: &ControlAnswer<'_>,
        out: &mut Output,
    ) {
        let Some(at) = self
            .steers
            .all
            .iter()
            .position(|steer| steer.number == number)
        else {
            return;
        };
        let Some(Steer { turn, stage, .. }) = self.steers.all.get_mut(at) else {
            return;
        };
        let Stage::Withdrawn(uuid) = stage else {
            return;
        };
        let told = answer
            .response
            .and_then(|raw| parse::<Withdrawal<'_>>(raw.get()));
        let turn = *turn;
        if told.unwrap_or_default().cancelled == Some(true) {
            *stage = Stage::Held;
            if self.turns.is_open(turn) {
                self.write_steers(out);
            } else {
                self.drop_steer(at, Some(ended()), out);
            }
        } else {
            // The agent has it: the running turn, or the next one, answers it.
            let uuid = std::mem::take(uuid);
            self.steers.loose.push(uuid);
            self.drop_steer(at, None, out);
        }
        self.report_background(out);
    }

    /// The agent reads a message.
    pub(super) fn steer_started(&mut self, uuid: &str, out: &mut Output) {
        let is = |steer: &Steer| match &steer.stage {
            Stage::Held => false,
            Stage::Written(own) | Stage::Withdrawn(own) => own == uuid,
        };
        if let Some(at) = self.steers.all.iter().position(is) {
            self.drop_steer(at, None, out);
        } else if self.steers.loose.iter().any(|own| own == uuid) {
            self.steers.loose.retain(|own| own != uuid);
        } else {
            return;
        }
        self.report_background(out);
    }

    /// A turn is over: what was not sent for it never will be, the rest is asked back.
    pub(super) fn end_steers(&mut self, out: &mut Output) {
        self.steers.calls.clear();
        loop {
            let over = |steer: &Steer| {
                matches!(steer.stage, Stage::Held) && !self.turns.is_open(steer.turn)
            };
            let Some(at) = self.steers.all.iter().position(over) else {
                break;
            };
            self.drop_steer(at, Some(ended()), out);
        }
        self.withdraw_steers(out);
        self.report_background(out);
    }

    /// Nothing is heard any more. What was written the agent may have read, also when it was asked
    /// back since.
    pub(super) fn drop_steers(&mut self, out: &mut Output) {
        for Steer {
            number,
            turn,
            stage,
            ..
        } in std::mem::take(&mut self.steers.all)
        {
            if matches!(stage, Stage::Held) {
                let refused = Some("the agent ended first".to_owned());
                self.steered(turn, number, refused, out);
            }
        }
    }

    fn drop_steer(&mut self, at: usize, refused: Option<String>, out: &mut Output) {
        let Steer { turn, number, .. } = self.steers.all.remove(at);
        self.steered(turn, number, refused, out);
    }

    fn steered(&self, turn: TurnId, steer: u64, refused: Option<String>, out: &mut Output) {
        let turn = TurnRef::Host(turn);
        let turn = if self.turns.running() == turn {
            turn
        } else {
            TurnRef::None
        };
        self.say(turn, SignalBody::Steered { steer, refused }, out);
    }
}

fn ended() -> String {
    "the turn ended first".to_owned()
}
