//! One process, one turn: the message goes to stdin, and what the commands say comes back.
//!
//! The turn ends with the output: before that, the answer is not known to be whole.

use super::failure::{failed, told};
use super::said::{MOST, Reader, Said, Status, Waited};
use crate::error::ErrorKind;
use crate::event::{Body, WarningCode};
use crate::ids::TurnId;
use crate::provider::lines::one_line;
use crate::provider::one_turn::decline;
use crate::provider::{
    AgentSignal, Codec, Conversation, Outcome, Output, Request, SignalBody, TurnEnd, TurnRef,
};

/// The codec.
#[derive(Debug, Default)]
pub(super) struct OneTurn {
    conversation: Option<Conversation>,
    model: Option<String>,
    resume: Option<String>,
    /// The agent's id, as it was told last.
    agent: Option<String>,
    /// The turn, from its request until its end.
    turn: Option<TurnId>,
    over: Option<TurnId>,
    interrupted: bool,
    /// The agent ended the turn well; its answer is being fetched.
    done: bool,
    reader: Reader,
}

impl Codec for OneTurn {
    fn start(&mut self, _out: &mut Output) {}

    fn request(&mut self, request: Request, out: &mut Output) {
        match request {
            Request::Open {
                conversation,
                options,
                resume,
                cost_usd: _,
            } => {
                self.conversation = Some(conversation);
                self.model.clone_from(&options.model);
                self.resume = resume;
                let ready = SignalBody::Ready { version: None };
                out.signal(conversation, TurnRef::None, ready);
            }
            Request::Turn {
                conversation: _,
                turn,
                message,
            } => {
                self.turn = Some(turn);
                self.send(&message.text, out);
            }
            Request::Interrupt { turn, .. } => {
                if self.turn.map(TurnRef::Host) == Some(turn) && !self.done {
                    self.interrupted = true;
                    out.kill = Some(AgentSignal::Interrupt);
                }
            }
            other @ (Request::Answer { .. }
            | Request::Served { .. }
            | Request::Close { .. }
            | Request::Steer { .. }
            | Request::Change { .. }
            | Request::Operate { .. }) => decline(&other, out),
        }
    }

    fn line(&mut self, line: &[u8], out: &mut Output) {
        match self.reader.take(line) {
            None => {}
            Some(Said::Agent(id)) => {
                self.bound(id, out);
                self.signal(SignalBody::Taken, out);
            }
            Some(Said::Waited(waited)) => self.waited(waited, out),
            Some(Said::Unknown(raw)) => self.show(Body::Unknown { raw }, out),
            Some(Said::Cut) => {
                let message =
                    format!("the answer is longer than {MOST} bytes: its rest is left out");
                self.warn(WarningCode::Agent, message, out);
            }
            Some(Said::Noise(warning)) => self.show(*warning, out),
        }
    }

    fn end_of_output(&mut self, out: &mut Output) {
        let answer = self.reader.answer();
        if self.interrupted {
            self.end(Outcome::Interrupted, answer, out);
        } else if answer.is_some() {
            self.end(Outcome::Completed, answer, out);
        }
    }

    /// Why there is no end yet. That a process ended too early without a word is core's to say.
    fn last_words(&mut self, stderr: &str, out: &mut Output) {
        if self.turn.is_none() {
            return;
        }
        let known = self.agent.is_some();
        let Some(outcome) = told(stderr, self.resume.is_some() && !known) else {
            return;
        };
        if self.done {
            let message = "the agent ended the turn well, but its answer could not be read";
            self.warn(WarningCode::Agent, message.to_owned(), out);
        }
        self.end(outcome, None, out);
    }
}

impl OneTurn {
    /// Writes the message, or ends the turn if it cannot be one.
    fn send(&mut self, text: &str, out: &mut Output) {
        out.close_stdin = true;
        let refused = if text.trim().is_empty() {
            "an empty message"
        } else if text.contains('\0') {
            "a message with a NUL character"
        } else {
            return out.bytes.extend_from_slice(text.as_bytes());
        };
        let code = ErrorKind::Unsupported;
        let message = format!("{refused} cannot be sent");
        self.end(Outcome::Failed { code, message }, None, out);
    }

    fn bound(&mut self, id: String, out: &mut Output) {
        let Some(conversation) = self.conversation else {
            return;
        };
        if self.agent.as_ref() == Some(&id) {
            return;
        }
        self.agent = Some(id.clone());
        let bound = SignalBody::Bound {
            resumed: self.resume.is_some(),
            provider_session_id: id,
            model: self.model.clone(),
        };
        out.signal(conversation, TurnRef::None, bound);
    }

    fn waited(&mut self, waited: Waited, out: &mut Output) {
        // The session may have been opened by a part of the id, or by the agent's title.
        self.bound(waited.agent_id, out);
        match waited.status {
            Status::Idle => self.done = true,
            Status::Error if self.interrupted => {}
            Status::Error => self.end(failed("", &waited.message, false), None, out),
            Status::Permission => {
                let message = format!("{}: it is denied", one_line(&waited.message));
                self.warn(WarningCode::Agent, message, out);
            }
        }
    }

    /// Ends the turn, once.
    fn end(&mut self, outcome: Outcome, text: Option<String>, out: &mut Output) {
        let (Some(turn), Some(conversation)) = (self.turn.take(), self.conversation) else {
            return;
        };
        self.over = Some(turn);
        let turn = TurnRef::Host(turn);
        let text = text.filter(|text| !text.is_empty());
        if let Some(text) = text.clone() {
            let parent = None;
            out.show(conversation, turn, Body::Message { text, parent });
        }
        let end = TurnEnd {
            outcome,
            text,
            ..TurnEnd::default()
        };
        out.signal(conversation, turn, SignalBody::Ended(Box::new(end)));
    }

    fn warn(&self, code: WarningCode, message: String, out: &mut Output) {
        self.show(Body::Warning { code, message }, out);
    }

    fn signal(&self, body: SignalBody, out: &mut Output) {
        if let Some(conversation) = self.conversation {
            let turn = self.turn.or(self.over);
            out.signal(
                conversation,
                turn.map_or(TurnRef::None, TurnRef::Host),
                body,
            );
        }
    }

    fn show(&self, body: Body, out: &mut Output) {
        self.signal(SignalBody::Show(body), out);
    }
}
