//! Questions of the agent, from the asking to the one answer.

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use super::approvals::deny;
use super::{Effect, Machine, ONLY, show};
use crate::error::{Error, ErrorKind};
use crate::event::{Body, RawJson, RequestKind, Resolution, ResolvedBy, unix_now};
use crate::host_tools::ToolCall;
use crate::ids::{RequestId, TurnId};
use crate::provider::{AgentRequest, Asked, Request, TurnRef};
use crate::request::{Answer, Decision, Question, Subject, check_fit};

/// How many settled questions are remembered, to tell a late answer who was faster.
const REMEMBERED: usize = 256;

/// Who waits for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asker {
    /// The agent, over its protocol.
    Agent(AgentRequest),
    /// The agent's client of our own server, in that call of a tool.
    Tool(u64),
    /// The agent, which wants that done by its client.
    Client(AgentRequest),
}

/// A question that waits for the host.
#[derive(Debug)]
struct Pending {
    asker: Asker,
    turn: Option<TurnId>,
    kind: RequestKind,
    decisions: Vec<Decision>,
    questions: Vec<Question>,
    /// What the content has to fit, of an elicitation.
    schema: Option<RawJson>,
    until: Instant,
}

/// The questions of a session.
#[derive(Debug, Default)]
pub(super) struct Questions {
    open: BTreeMap<RequestId, Pending>,
    settled: VecDeque<(RequestId, ResolvedBy)>,
}

impl Questions {
    /// Whether something waits for the host: then the agent may be silent.
    pub(super) fn is_open(&self) -> bool {
        !self.open.is_empty()
    }

    /// When the first of them has waited for too long.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.open.values().map(|p| p.until).min()
    }

    /// Why a question that is not open is not.
    fn why_not(&self, request: RequestId) -> Error {
        if let Some((_, by)) = self.settled.iter().find(|(id, _)| *id == request) {
            let by = serde_json::to_string(by).unwrap_or_default();
            let by = by.trim_matches('"');
            let message = format!("request {request} was settled before, by: {by}");
            return Error::new(ErrorKind::AlreadyAnswered, message);
        }
        let message = format!("request {request} is not open in this session");
        Error::new(ErrorKind::Stale, message)
    }

    fn remember(&mut self, request: RequestId, by: ResolvedBy) {
        if self.settled.len() == REMEMBERED {
            self.settled.pop_front();
        }
        self.settled.push_back((request, by));
    }
}

impl Machine {
    pub(super) fn asked(
        &mut self,
        now: Instant,
        turn: TurnRef,
        asked: Asked,
        out: &mut Vec<Effect>,
    ) {
        let turn = self.running(turn);
        let from = Asker::Agent(asked.request);
        self.open_request(now, turn, from, asked, out);
    }

    /// The turn, if it runs.
    pub(super) fn running(&self, turn: TurnRef) -> Option<TurnId> {
        match turn {
            TurnRef::Host(id) => self.has_sent(id).then_some(id),
            TurnRef::Agent(n) => {
                let agent = self.agent.as_ref().filter(|a| a.number == n);
                agent.map(|a| a.tally.id)
            }
            TurnRef::None => None,
        }
    }

    /// The agent calls a tool of the host over our own server, in the turn that runs.
    pub(super) fn tool_called(&mut self, now: Instant, call: ToolCall, out: &mut Vec<Effect>) {
        let number = call.number;
        let current = self.process.as_ref().is_some_and(|p| p.id == call.process);
        let host = self.host.as_ref().map(|h| h.tally.id);
        let turn = host
            .filter(|id| self.has_sent(*id))
            .or_else(|| self.agent.as_ref().map(|a| a.tally.id));
        if !current || turn.is_none() {
            let result = ("no turn runs".to_owned(), true);
            out.push(Effect::ToolDone { number, result });
            return;
        }
        self.active = now;
        let raw = serde_json::json!({ "name": call.tool, "arguments": call.input });
        let asked = Asked {
            request: AgentRequest(number),
            kind: RequestKind::HostTool,
            tool: None,
            title: call.tool.clone(),
            subject: Subject {
                tool: call.tool,
                ..Subject::default()
            },
            decisions: vec![Decision::Result, Decision::Deny],
            questions: Vec::new(),
            input: Some(call.input),
            raw: RawJson::from_text(&raw.to_string()),
        };
        self.open_request(now, turn, Asker::Tool(number), asked, out);
    }

    pub(super) fn open_request(
        &mut self,
        now: Instant,
        turn: Option<TurnId>,
        from: Asker,
        asked: Asked,
        out: &mut Vec<Effect>,
    ) {
        let request = RequestId::next();
        let settled = self.approvals.settle(&asked);
        let wait = self.policy.timeouts.request;
        let elicits = asked.kind == RequestKind::Elicitation;
        let pending = Pending {
            asker: from,
            turn,
            kind: asked.kind,
            decisions: asked.decisions.clone(),
            questions: asked.questions.clone(),
            schema: asked.input.clone().filter(|_| elicits),
            until: now + wait,
        };
        // Whatever the agent's own line for it is: the host looks its tool up by this.
        let title = if asked.kind == RequestKind::HostTool {
            asked.subject.tool
        } else {
            asked.title
        };
        let waits = settled.is_none();
        let deadline = waits.then(|| {
            unix_now() / 1_000_000 + i64::try_from(wait.as_millis()).unwrap_or(i64::MAX / 2)
        });
        show(
            out,
            turn,
            Body::RequestOpened {
                request,
                kind: asked.kind,
                tool: asked.tool,
                title,
                decisions: asked.decisions,
                questions: asked.questions,
                input: asked.input,
                deadline_unix_ms: deadline,
                raw: asked.raw,
            },
        );
        match settled {
            None => {
                self.questions.open.insert(request, pending);
            }
            Some((answer, by, rule)) => {
                self.settle_request(request, &pending, answer, by, rule, out);
            }
        }
    }

    /// Answers the agent and tells the host.
    fn settle_request(
        &mut self,
        request: RequestId,
        pending: &Pending,
        answer: Answer,
        by: ResolvedBy,
        rule: Option<String>,
        out: &mut Vec<Effect>,
    ) {
        let resolution = match &answer {
            Answer::Allow { .. } => Resolution::Allowed,
            Answer::Deny { .. } => Resolution::Denied,
            Answer::Answers { .. } | Answer::Content { .. } | Answer::Result { .. } => {
                Resolution::Answered
            }
        };
        self.tell_asker(pending.asker, answer, out);
        self.questions.remember(request, by);
        show(
            out,
            pending.turn,
            Body::RequestResolved {
                request,
                resolution,
                by,
                rule,
            },
        );
    }

    fn tell_asker(&mut self, asker: Asker, answer: Answer, out: &mut Vec<Effect>) {
        match asker {
            Asker::Agent(request) => {
                let conversation = ONLY;
                let answer = Request::Answer {
                    conversation,
                    request,
                    answer,
                };
                let process = self.process.as_ref().map(|p| p.id);
                out.extend(process.map(|id| Effect::Ask(id, answer)));
            }
            Asker::Tool(number) => {
                let result = match answer {
                    Answer::Result { text, is_error } => (text, is_error),
                    Answer::Deny { message, .. } => (message, true),
                    // Not among the decisions of a tool.
                    Answer::Allow { .. } | Answer::Answers { .. } | Answer::Content { .. } => {
                        (String::new(), true)
                    }
                };
                out.push(Effect::ToolDone { number, result });
            }
            Asker::Client(request) => self.judged(request, answer, out),
        }
    }

    /// The host answers.
    pub(super) fn answer(
        &mut self,
        now: Instant,
        request: RequestId,
        answer: Answer,
        out: &mut Vec<Effect>,
    ) {
        let outcome = self.take_answer(now, request, answer, out);
        out.push(Effect::Answered(outcome));
    }

    fn take_answer(
        &mut self,
        now: Instant,
        request: RequestId,
        answer: Answer,
        out: &mut Vec<Effect>,
    ) -> Result<(), Error> {
        let Some(pending) = self.questions.open.get(&request) else {
            return Err(self.questions.why_not(request));
        };
        let decision = answer.decision();
        if !pending.decisions.contains(&decision) {
            let takes = serde_json::to_string(&pending.decisions).unwrap_or_default();
            let message = format!("request {request} takes one of {takes}");
            return Err(Error::invalid("answer", message));
        }
        check_fit(&answer, &pending.questions, pending.schema.as_ref())?;
        if let Some(pending) = self.questions.open.remove(&request) {
            // Whatever the agent does next, it had a reason to be silent until now.
            self.restart_clocks(now);
            self.settle_request(request, &pending, answer, ResolvedBy::Host, None, out);
        }
        Ok(())
    }

    /// Nobody answered in time: that means no.
    pub(super) fn expire_requests(&mut self, now: Instant, out: &mut Vec<Effect>) {
        let late = |p: &Pending| p.until <= now;
        let expired: Vec<_> = self
            .questions
            .open
            .iter()
            .filter(|(_, p)| late(p))
            .map(|(id, _)| *id)
            .collect();
        for request in expired {
            let Some(pending) = self.questions.open.remove(&request) else {
                continue;
            };
            let message = "Nobody answered in time. Go on without it.".to_owned();
            let answer = match pending.kind {
                RequestKind::HostTool => Answer::Result {
                    text: "the tool did not answer in time".to_owned(),
                    is_error: true,
                },
                RequestKind::CommandApproval
                | RequestKind::FileChangeApproval
                | RequestKind::ToolApproval
                | RequestKind::PermissionEscalation
                | RequestKind::PlanApproval
                | RequestKind::UserQuestion
                | RequestKind::Elicitation => deny(message),
            };
            self.settle_request(request, &pending, answer, ResolvedBy::Deadline, None, out);
        }
        self.restart_clocks(now);
    }

    /// The agent takes a question back.
    pub(super) fn withdraw(&mut self, asker: Asker, out: &mut Vec<Effect>) {
        let mut open = self.questions.open.iter();
        let found = open.find(|(_, p)| p.asker == asker).map(|(id, _)| *id);
        if let Some(request) = found {
            self.close_request(request, ResolvedBy::Agent, out);
        }
    }

    /// Whether that one's question waits for the host.
    pub(super) fn is_asking(&self, asker: Asker) -> bool {
        self.questions.open.values().any(|p| p.asker == asker)
    }

    /// The turn is over, and nobody waits for an answer any more. `None`: the process is.
    pub(super) fn withdraw_of(&mut self, turn: Option<TurnId>, out: &mut Vec<Effect>) {
        let of_turn = |p: &Pending| turn.is_none() || p.turn == turn;
        let gone: Vec<_> = self
            .questions
            .open
            .iter()
            .filter(|(_, p)| of_turn(p))
            .map(|(id, _)| *id)
            .collect();
        for request in gone {
            self.close_request(request, ResolvedBy::TurnEnd, out);
        }
    }

    fn close_request(&mut self, request: RequestId, by: ResolvedBy, out: &mut Vec<Effect>) {
        if let Some(pending) = self.questions.open.remove(&request) {
            match pending.asker {
                Asker::Agent(_) => {}
                Asker::Tool(number) => {
                    let result = ("the turn is over".to_owned(), true);
                    out.push(Effect::ToolDone { number, result });
                }
                // The codec has told the agent, or nobody is there to be told.
                Asker::Client(call) => drop(self.calls.remove(&call)),
            }
            self.questions.remember(request, by);
            let body = Body::RequestResolved {
                request,
                resolution: Resolution::Withdrawn,
                by,
                rule: None,
            };
            show(out, pending.turn, body);
        }
    }
}
