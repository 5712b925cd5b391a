//! Questions of the app-server that wait for their answers.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::answer::Form;
use super::asking::{Asking, Asks, Known};
use super::wire::write_result;
use crate::event::RawJson;
use crate::provider::{AgentRequest, Conversation, Output, SignalBody, TurnRef};
use crate::request::Answer;

/// A question as the server put it.
pub(super) struct Asked<'a> {
    pub method: &'a str,
    /// The server's id, as it wrote it.
    pub id: &'a RawValue,
    pub asking: Asking<'a>,
    pub raw: &'a RawValue,
    pub known: Known,
}

/// A question that waits for its answer.
#[derive(Debug)]
struct Question {
    /// The server's id, as it wrote it.
    id: Box<RawValue>,
    conversation: Conversation,
    turn: TurnRef,
    form: Form,
}

/// The open questions of one process.
#[derive(Debug, Default)]
pub(super) struct Questions {
    last: u64,
    open: BTreeMap<AgentRequest, Question>,
}

impl Questions {
    /// Passes a question on. `false`: it is of a kind that is not known, and needs a refusal.
    pub(super) fn ask(
        &mut self,
        conversation: Conversation,
        turn: TurnRef,
        asked: Asked<'_>,
        out: &mut Output,
    ) -> bool {
        let Asked {
            method,
            id,
            asking,
            raw,
            known,
        } = asked;
        let Some(asks) = asking.read(method, known) else {
            return false;
        };
        if self.find(id).is_some() {
            return true; // Asked again, as after a second resume.
        }
        let Asks {
            form,
            kind,
            title,
            subject,
            decisions,
            questions,
            input,
        } = asks;
        self.last += 1;
        let request = AgentRequest(self.last);
        let question = Question {
            id: id.to_owned(),
            conversation,
            turn,
            form,
        };
        self.open.insert(request, question);
        let tool = asking.item_id.as_deref().or(asking.call_id.as_deref());
        let asked = SignalBody::Asked(Box::new(crate::provider::Asked {
            request,
            kind,
            tool: tool.map(str::to_owned),
            title,
            subject,
            decisions,
            questions,
            input,
            raw: RawJson::from(raw.to_owned()),
        }));
        out.signal(conversation, turn, asked);
        true
    }

    /// Writes an answer. Questions that are settled, or of another conversation, are left alone.
    pub(super) fn answer(
        &mut self,
        conversation: Conversation,
        request: AgentRequest,
        answer: &Answer,
        out: &mut Output,
    ) {
        if self
            .open
            .get(&request)
            .is_none_or(|q| q.conversation != conversation)
        {
            return;
        }
        if let Some(question) = self.open.remove(&request) {
            write_result(&mut out.bytes, &question.id, &question.form.result(answer));
        }
    }

    /// The conversation is over: its questions are nobody's any more.
    pub(super) fn forget(&mut self, conversation: Conversation) {
        self.open.retain(|_, q| q.conversation != conversation);
    }

    /// The server says that a question is settled. If it was not answered, it is taken back.
    pub(super) fn resolved(&mut self, id: &RawValue, out: &mut Output) {
        if let Some(request) = self.find(id) {
            self.withdraw(request, out);
        }
    }

    /// A turn is over, and with it its questions.
    pub(super) fn turn_over(
        &mut self,
        conversation: Conversation,
        turn: TurnRef,
        out: &mut Output,
    ) {
        let of_turn = |q: &Question| q.conversation == conversation && q.turn == turn;
        let gone: Vec<_> = self
            .open
            .iter()
            .filter(|(_, q)| of_turn(q))
            .map(|(r, _)| *r)
            .collect();
        for request in gone {
            self.withdraw(request, out);
        }
    }

    fn withdraw(&mut self, request: AgentRequest, out: &mut Output) {
        if let Some(q) = self.open.remove(&request) {
            out.signal(q.conversation, q.turn, SignalBody::Withdrawn { request });
        }
    }

    fn find(&self, id: &RawValue) -> Option<AgentRequest> {
        let found = self.open.iter().find(|(_, q)| q.id.get() == id.get());
        found.map(|(request, _)| *request)
    }
}
