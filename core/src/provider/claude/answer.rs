//! What the host answers, in the agent's words.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::event::RawJson;
use crate::provider::claude::codec::ClaudeCodec;
use crate::provider::claude::control::{Form, Question, reply};
use crate::provider::claude::host;
use crate::provider::claude::wire::parse;
use crate::provider::{AgentRequest, Output};
use crate::request::{Answer, Scope};

/// What the model is told where the host gives no reason.
const DENIED: &str = "The user does not want this.";

/// What it is told instead of an answer that the question does not take.
const UNFIT: &str = "The answer did not fit the question.";

#[derive(Serialize)]
#[serde(tag = "behavior", rename_all = "snake_case")]
enum Permission<'a> {
    #[serde(rename_all = "camelCase")]
    Allow {
        // Older versions need it even if nothing changes.
        updated_input: &'a RawJson,
        #[serde(skip_serializing_if = "<[Value]>::is_empty")]
        updated_permissions: &'a [Value],
        #[serde(rename = "toolUseID", skip_serializing_if = "Option::is_none")]
        call: Option<&'a str>,
    },
    Deny {
        message: &'a str,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        interrupt: bool,
    },
}

#[derive(Serialize)]
#[serde(tag = "action", rename_all = "snake_case")]
enum Elicited<'a> {
    Accept { content: &'a RawJson },
    Decline,
}

impl ClaudeCodec {
    pub(super) fn answer(&mut self, request: AgentRequest, answer: &Answer, out: &mut Output) {
        let Some(question) = self.questions.take(request) else {
            return;
        };
        match question.form {
            Form::Tool => permit(&question, answer, out),
            Form::Questions => answer_questions(&question, answer, out),
            Form::Content | Form::Url => elicited(&question, answer, out),
            Form::Host => host::tool_answered(&question, answer, out),
        }
    }
}

fn permit(question: &Question, answer: &Answer, out: &mut Output) {
    let Answer::Allow { scope, input } = answer else {
        return deny(question, answer, out);
    };
    let updated_permissions: &[Value] = match scope {
        Scope::Once => &[],
        Scope::Session => &question.updates.session,
        Scope::Remember => &question.updates.remember,
    };
    let allow = Permission::Allow {
        updated_input: input.as_ref().unwrap_or(&question.input),
        updated_permissions,
        call: question.call.as_deref(),
    };
    reply(&question.id, allow, out);
}

fn answer_questions(question: &Question, answer: &Answer, out: &mut Output) {
    let asked = parse::<Map<String, Value>>(question.input.get());
    let (Answer::Answers { answers }, Some(mut input)) = (answer, asked) else {
        return deny(question, answer, out);
    };
    let answers: BTreeMap<_, _> = answers
        .iter()
        .map(|(question, said)| (question, said.join(", ")))
        .collect();
    let raw = |value| serde_json::value::to_raw_value(value).map(|raw: Box<RawValue>| raw);
    let updated = serde_json::to_value(answers).and_then(|answers| {
        input.insert("answers".to_owned(), answers);
        raw(&input)
    });
    // Texts by texts always are JSON.
    let Ok(updated) = updated else {
        return deny(question, answer, out);
    };
    let allow = Permission::Allow {
        updated_input: &updated.into(),
        updated_permissions: &[],
        call: question.call.as_deref(),
    };
    reply(&question.id, allow, out);
}

fn elicited(question: &Question, answer: &Answer, out: &mut Output) {
    let elicited = match (question.form, answer) {
        (Form::Content, Answer::Content { content }) => Elicited::Accept { content },
        (Form::Url, Answer::Allow { .. }) => Elicited::Accept {
            content: &question.input,
        },
        _ => Elicited::Decline,
    };
    reply(&question.id, elicited, out);
}

fn deny(question: &Question, answer: &Answer, out: &mut Output) {
    let (message, interrupt) = denial(answer);
    reply(&question.id, Permission::Deny { message, interrupt }, out);
}

/// A denial's words. Any other answer here is one that does not fit, and that is no yes.
pub(super) fn denial(answer: &Answer) -> (&str, bool) {
    match answer {
        Answer::Deny { message, interrupt } if message.is_empty() => (DENIED, *interrupt),
        Answer::Deny { message, interrupt } => (message, *interrupt),
        Answer::Allow { .. }
        | Answer::Answers { .. }
        | Answer::Content { .. }
        | Answer::Result { .. } => (UNFIT, false),
    }
}
