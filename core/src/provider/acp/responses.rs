//! What the agent's answers to our requests mean.

use serde_json::Value;
use serde_json::value::RawValue;

use super::calls::Call;
use super::codec::Acp;
use super::failure::text;
use super::session::Session;
use super::wire::{Message, RpcError, read};
use crate::error::ErrorKind;
use crate::ids::TurnId;
use crate::provider::{Conversation, Outcome, Output, SignalBody, TurnRef};

/// Why what waits is not answered any more.
const ENDED: &str = "the agent's output ended";

impl Acp {
    pub(super) fn response(&mut self, id: &RawValue, message: &Message<'_>, out: &mut Output) {
        let error = message.error.map(RpcError::read);
        let (result, error) = (message.result, error.as_ref());
        let Some(call) = self.calls.answered(id.get()) else {
            return self.stray(&format!("an answer to {}", id.get()), out);
        };
        match call {
            Call::Initialize => self.greeted(result, error, out),
            // A login that failed shows in the next answer.
            Call::Login(conversation) => self.open(conversation, out),
            Call::Open(conversation) => self.opened(conversation, result, error, out),
            Call::Set(conversation, step) => self.set(conversation, &step, result, error, out),
            Call::Prompt(conversation, turn) => {
                self.prompt_answered(conversation, turn, result, error, out);
            }
            Call::Steer(conversation, turn, steer) => {
                let answer: Value = read(result).unwrap_or_default();
                let refused = match error {
                    Some(error) => Some(text(error)),
                    None if answer["outcome"] == "injected" => None,
                    None => Some("the turn was over".to_owned()),
                };
                let steered = SignalBody::Steered { steer, refused };
                out.signal(conversation, TurnRef::Host(turn), steered);
            }
            Call::Fork(conversation, number) => {
                self.forked(conversation, number, result, error, out);
            }
            Call::Close(Some(conversation)) => {
                self.let_go(conversation, |leaving| leaving.closes = false, out);
            }
            Call::Close(None) => {}
        }
    }

    fn prompt_answered(
        &mut self,
        conversation: Conversation,
        turn: TurnId,
        result: Option<&RawValue>,
        error: Option<&RpcError>,
        out: &mut Output,
    ) {
        self.over(conversation, out, |session, out| {
            let result: Value = read(result).unwrap_or_default();
            session.answered(turn, &result, error, out);
        });
    }

    /// A turn is over, and how is not for the agent to say.
    pub(super) fn prompt_over(
        &mut self,
        conversation: Conversation,
        turn: TurnId,
        outcome: Outcome,
        out: &mut Output,
    ) {
        self.over(conversation, out, |session, out| {
            session.end(turn, &Value::Null, |_, _| outcome, out);
        });
    }

    /// The prompt is answered.
    fn over(
        &mut self,
        conversation: Conversation,
        out: &mut Output,
        end: impl FnOnce(&mut Session, &mut Output),
    ) {
        self.questions.cancel(conversation, out);
        self.client.turn_ends(conversation, out);
        let Some(session) = self.sessions.get_mut(&conversation) else {
            return self.let_go(conversation, |leaving| leaving.runs = false, out);
        };
        end(session, out);
        self.leave_if_done(conversation, out);
    }

    /// Nothing will be answered any more.
    pub(super) fn abandon(&mut self, out: &mut Output) {
        self.abandon_changes(out);
        for call in self.calls.abandon() {
            match call {
                Call::Steer(conversation, turn, steer) => {
                    let refused = Some(ENDED.to_owned());
                    let steered = SignalBody::Steered { steer, refused };
                    out.signal(conversation, TurnRef::Host(turn), steered);
                }
                Call::Fork(conversation, number) => {
                    let outcome = Err((ErrorKind::ProcessExit, ENDED.to_owned()));
                    let operated = SignalBody::Operated { number, outcome };
                    out.signal(conversation, TurnRef::None, operated);
                }
                // Core sees that the process ended before it was ready, or its turn was.
                Call::Initialize
                | Call::Login(_)
                | Call::Open(_)
                | Call::Set(..)
                | Call::Prompt(..)
                | Call::Close(_) => {}
            }
        }
    }
}
