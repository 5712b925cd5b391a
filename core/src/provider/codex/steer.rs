//! Messages on their way into a running turn.
//!
//! The agent accepts one at once, but may drop it again: an interrupt loses what waits behind a
//! running command. A message has joined when the agent shows it as part of the turn, and only
//! then. What has not joined when the turn ends never will.

use std::sync::Arc;

use serde_json::json;

use super::calls::{Call, Calls};
use super::failure::one_line;
use super::input::input;
use super::thread::Thread;
use super::turn::Stage as HostStage;
use crate::ids::TurnId;
use crate::message::Message;
use crate::provider::{Output, SignalBody, TurnRef};

/// How far a message is.
#[derive(Debug)]
enum Stage {
    /// The turn has no id yet.
    Held(Arc<Message>),
    /// Sent, or accepted.
    Sent,
}

/// The messages of one turn that did not join yet, oldest first.
#[derive(Debug, Default)]
pub(super) struct Steers {
    open: Vec<(u64, Stage)>,
}

/// The mark that the agent repeats when a message joins.
pub(super) fn mark(steer: u64) -> String {
    format!("remuda-steer-{steer}")
}

impl Steers {
    /// Keeps a message until the turn can take it.
    pub(super) fn hold(&mut self, steer: u64, message: Arc<Message>) {
        self.open.push((steer, Stage::Held(message)));
    }

    /// A message is sent.
    pub(super) fn sent(&mut self, steer: u64) {
        self.open.push((steer, Stage::Sent));
    }

    /// Takes out what can be sent now.
    pub(super) fn release(&mut self) -> Vec<(u64, Arc<Message>)> {
        let mut held = Vec::new();
        self.open.retain(|(steer, stage)| match stage {
            Stage::Held(message) => {
                held.push((*steer, Arc::clone(message)));
                false
            }
            Stage::Sent => true,
        });
        held
    }

    /// A message with this mark is part of the turn: which one, if it is one of these.
    pub(super) fn joined(&mut self, found: &str) -> Option<u64> {
        let at = self.open.iter().position(|(s, _)| mark(*s) == found)?;
        Some(self.open.remove(at).0)
    }

    /// A message was refused. `false`: it is settled.
    pub(super) fn refused(&mut self, steer: u64) -> bool {
        let before = self.open.len();
        self.open.retain(|(open, _)| *open != steer);
        self.open.len() != before
    }

    /// The turn is over: takes out all that did not join.
    pub(super) fn over(&mut self) -> Vec<u64> {
        self.open.drain(..).map(|(steer, _)| steer).collect()
    }
}

impl Thread {
    /// The host wants a message to join the turn.
    pub(super) fn steer(
        &mut self,
        turn: TurnId,
        steer: u64,
        message: Arc<Message>,
        calls: &mut Calls,
        out: &mut Output,
    ) {
        let host = self.host.as_ref().filter(|h| h.turn == turn);
        let running = self.running.as_ref();
        let running = running.filter(|r| r.turn == TurnRef::Host(turn));
        let id = match (host.map(|h| &h.stage), running) {
            (Some(HostStage::Taken(Some(id))), _) => id.clone(),
            (Some(HostStage::Held | HostStage::Sent | HostStage::Taken(None)), _) => {
                self.steers.hold(steer, message);
                return;
            }
            (None, Some(running)) => running.id.clone(),
            (None, None) => {
                let refused = Some("the turn is over".to_owned());
                let turn = TurnRef::Host(turn);
                self.say(turn, SignalBody::Steered { steer, refused }, out);
                return;
            }
        };
        self.send_steer(TurnRef::Host(turn), &id, (steer, &message), calls, out);
    }

    /// Sends the messages that waited for the turn's id.
    pub(super) fn send_steers(&mut self, id: &str, calls: &mut Calls, out: &mut Output) {
        let turn = self.turn_of(id);
        for (steer, message) in self.steers.release() {
            self.send_steer(turn, id, (steer, &message), calls, out);
        }
    }

    fn send_steer(
        &mut self,
        turn: TurnRef,
        id: &str,
        (steer, message): (u64, &Message),
        calls: &mut Calls,
        out: &mut Output,
    ) {
        let input = match input(message) {
            Ok(input) => input,
            Err(why) => {
                let refused = Some(why);
                self.say(turn, SignalBody::Steered { steer, refused }, out);
                return;
            }
        };
        let params = json!({
            "threadId": &*self.id,
            "expectedTurnId": id,
            "input": input,
            "clientUserMessageId": mark(steer),
        });
        self.steers.sent(steer);
        let call = Call::Steer(self.conversation, steer);
        calls.write(call, "turn/steer", &params, out);
    }

    /// The agent shows a message of the user as part of a turn.
    pub(super) fn joined(&mut self, turn: TurnRef, mark: &str, out: &mut Output) {
        if let Some(steer) = self.steers.joined(mark) {
            let refused = None;
            self.say(turn, SignalBody::Steered { steer, refused }, out);
        }
    }

    /// The agent does not take a message.
    pub(super) fn steer_refused(&mut self, steer: u64, why: &str, out: &mut Output) {
        if self.steers.refused(steer) {
            let refused = Some(one_line(why));
            self.say(self.current(), SignalBody::Steered { steer, refused }, out);
        }
    }

    /// A turn of the host is over: what did not join it never will.
    pub(super) fn refuse_steers(&mut self, turn: TurnRef, out: &mut Output) {
        if !matches!(turn, TurnRef::Host(_)) {
            return;
        }
        for steer in self.steers.over() {
            let refused = Some("the turn ended before the agent took the message".to_owned());
            self.say(turn, SignalBody::Steered { steer, refused }, out);
        }
    }

    /// The process is over. What was sent it may have read.
    pub(super) fn abandon_steers(&mut self, why: &str, out: &mut Output) {
        let held = self.steers.release();
        self.steers.over();
        for (steer, _) in held {
            let refused = Some(why.to_owned());
            self.say(self.current(), SignalBody::Steered { steer, refused }, out);
        }
    }
}
