//! Questions of the agent that wait for their answers.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::asking::{Asks, Reply};
use super::codec::Acp;
use super::tool::Place;
use super::wire::write_result;
use crate::event::RawJson;
use crate::provider::{AgentRequest, Asked, Conversation, Output, SignalBody};
use crate::request::Answer;

/// A question that waits for its answer.
#[derive(Debug)]
struct Question {
    /// The agent's id, as it wrote it.
    id: Box<RawValue>,
    place: Place,
    /// The tool call that it is about.
    tool: Option<String>,
    reply: Reply,
}

/// What answering a question changed.
#[derive(Debug)]
pub(super) struct Answered {
    pub place: Place,
    /// The tool call that was denied.
    pub denied: Option<String>,
    /// Whether the turn is to end.
    pub interrupt: bool,
}

/// The open questions of one process.
#[derive(Debug, Default)]
pub(super) struct Questions {
    last: u64,
    open: BTreeMap<AgentRequest, Question>,
}

impl Questions {
    /// A number for what the agent asks, or wants.
    pub(super) fn number(&mut self) -> AgentRequest {
        self.last += 1;
        AgentRequest(self.last)
    }

    /// Passes a question on.
    pub(super) fn ask(
        &mut self,
        id: &RawValue,
        place: Place,
        tool: Option<String>,
        asks: Asks,
        raw: &RawValue,
        out: &mut Output,
    ) {
        let request = self.number();
        let asked = Asked {
            request,
            kind: asks.kind,
            tool: tool.clone(),
            title: asks.title,
            subject: asks.subject,
            decisions: asks.decisions,
            questions: asks.questions,
            input: asks.input,
            raw: RawJson::from(raw.to_owned()),
        };
        let question = Question {
            id: id.to_owned(),
            place,
            tool,
            reply: asks.reply,
        };
        self.open.insert(request, question);
        let body = SignalBody::Asked(Box::new(asked));
        out.signal(place.conversation, place.turn, body);
    }

    /// Writes an answer. Questions that are settled, or of another conversation, are left alone.
    pub(super) fn answer(
        &mut self,
        conversation: Conversation,
        request: AgentRequest,
        answer: &Answer,
        out: &mut Output,
    ) -> Option<Answered> {
        let question = self.open.get(&request)?;
        if question.place.conversation != conversation {
            return None;
        }
        let question = self.open.remove(&request)?;
        write_result(&mut out.bytes, &question.id, &question.reply.result(answer));
        let (denied, interrupt) = match answer {
            Answer::Deny { interrupt, .. } => (true, *interrupt),
            Answer::Allow { .. }
            | Answer::Answers { .. }
            | Answer::Content { .. }
            | Answer::Result { .. } => (false, false),
        };
        Some(Answered {
            place: question.place,
            denied: question.tool.filter(|_| denied),
            interrupt,
        })
    }

    /// Answers what is open in a conversation with no answer, for its turn ends: some agents wait
    /// for that.
    pub(super) fn cancel(&mut self, conversation: Conversation, out: &mut Output) {
        let of_it = |q: &Question| q.place.conversation == conversation;
        let gone: Vec<_> = self.open.iter().filter(|(_, q)| of_it(q)).collect();
        let gone: Vec<_> = gone.into_iter().map(|(request, _)| *request).collect();
        for request in gone {
            self.withdraw(request, out);
        }
    }

    /// The agent takes a question back, and still wants an answer.
    pub(super) fn taken_back(&mut self, id: &RawValue, out: &mut Output) {
        let mut open = self.open.iter();
        let found = open.find(|(_, q)| q.id.get() == id.get());
        if let Some(request) = found.map(|(request, _)| *request) {
            self.withdraw(request, out);
        }
    }

    fn withdraw(&mut self, request: AgentRequest, out: &mut Output) {
        if let Some(question) = self.open.remove(&request) {
            write_result(&mut out.bytes, &question.id, &question.reply.cancelled());
            let body = SignalBody::Withdrawn { request };
            out.signal(question.place.conversation, question.place.turn, body);
        }
    }
}

impl Acp {
    /// The host, or whoever does it in its place, answers a question.
    pub(super) fn answer(
        &mut self,
        conversation: Conversation,
        request: AgentRequest,
        answer: &Answer,
        out: &mut Output,
    ) {
        let answered = self.questions.answer(conversation, request, answer, out);
        let Some(answered) = answered else { return };
        if answered.interrupt {
            return self.interrupt(conversation, out);
        }
        let silent = self.profile.quirks.silent_denial;
        if let Some(tool) = answered.denied.filter(|_| silent)
            && let Some(session) = self.sessions.get_mut(&conversation)
        {
            session.tools.end(&tool, answered.place, true, out);
        }
    }
}
