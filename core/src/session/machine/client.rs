//! What the agent has done by its client: whether it may, and who says so.
//!
//! What changes nothing and runs nothing is done. The rest is done in a turn, and if no rule has a word in
//! it: the agent has asked before, or its mode let it. Where a rule has one, it becomes a question like any
//! other, which the rule or the host answers.

use std::time::Instant;

use super::{Asker, Effect, Machine, ONLY};
use crate::client::{Failure, Outcome, Why};
use crate::provider::{AgentRequest, Asked, Called, Request, TurnRef};
use crate::request::{Answer, Decision};

impl Machine {
    pub(super) fn client_called(
        &mut self,
        now: Instant,
        turn: TurnRef,
        called: Called,
        out: &mut Vec<Effect>,
    ) {
        let Called { request, call, raw } = called;
        let Some((kind, subject)) = call.subject() else {
            return self.serve(request, call, out);
        };
        let Some(turn) = self.running(turn) else {
            let failure = Failure::new(Why::Denied, "no turn runs");
            return self.served(request, Err(failure), out);
        };
        if !self.approvals.rules_on(&subject) {
            return self.serve(request, call, out);
        }
        let asked = Asked {
            request,
            kind,
            tool: None,
            title: crate::provider::one_line(&call.title()),
            subject,
            decisions: vec![Decision::AllowOnce, Decision::Deny],
            questions: Vec::new(),
            input: Some(raw.clone()),
            raw,
        };
        self.calls.insert(request, call);
        self.open_request(now, Some(turn), Asker::Client(request), asked, out);
    }

    /// Nobody waits for that call any more.
    pub(super) fn client_forgoes(&mut self, request: AgentRequest, out: &mut Vec<Effect>) {
        let asker = Asker::Client(request);
        if self.is_asking(asker) {
            return self.withdraw(asker, out);
        }
        let process = self.process.as_ref().map(|p| p.id);
        out.extend(process.map(|id| Effect::Forgo(id, request)));
    }

    /// A rule or somebody says whether a call may be done.
    pub(super) fn judged(&mut self, request: AgentRequest, answer: Answer, out: &mut Vec<Effect>) {
        let Some(call) = self.calls.remove(&request) else {
            return;
        };
        match answer {
            Answer::Allow { .. } => self.serve(request, call, out),
            Answer::Deny { message, .. } => {
                let failure = Failure::new(Why::Denied, message);
                self.served(request, Err(failure), out);
            }
            // Not among the decisions.
            Answer::Answers { .. } | Answer::Content { .. } | Answer::Result { .. } => {
                let failure = Failure::new(Why::Denied, "it was not allowed");
                self.served(request, Err(failure), out);
            }
        }
    }

    fn serve(&self, request: AgentRequest, call: crate::client::ClientCall, out: &mut Vec<Effect>) {
        let process = self.process.as_ref().map(|p| p.id);
        out.extend(process.map(|id| Effect::Serve(id, request, call)));
    }

    fn served(&self, request: AgentRequest, outcome: Outcome, out: &mut Vec<Effect>) {
        let conversation = ONLY;
        let served = Request::Served {
            conversation,
            request,
            outcome,
        };
        let process = self.process.as_ref().map(|p| p.id);
        out.extend(process.map(|id| Effect::Ask(id, served)));
    }
}
