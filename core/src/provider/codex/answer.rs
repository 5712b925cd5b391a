//! Answers to the app-server's questions, each in the shape that its question takes.

use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::request::{Answer, Scope};

/// What an answer needs to know of its question.
#[derive(Debug)]
pub(super) enum Form {
    /// Commands, with the rule that the agent proposed, and file changes.
    Decision { amendment: Option<Value> },
    /// More permissions: those that were asked for.
    Permissions { wanted: Box<RawValue> },
    /// The user.
    UserInput,
    /// An MCP server, or one of its tools.
    Elicitation,
    /// A tool of the host.
    HostTool,
}

impl Form {
    /// The answer's result. What does not fit the question is a no.
    pub(super) fn result(&self, answer: &Answer) -> Value {
        match self {
            Self::Decision { amendment } => decision(amendment.as_ref(), answer),
            Self::Permissions { wanted } => permissions(wanted, answer),
            Self::UserInput => user_input(answer),
            Self::Elicitation => elicitation(answer),
            Self::HostTool => host_tool(answer),
        }
    }
}

fn decision(amendment: Option<&Value>, answer: &Answer) -> Value {
    let decision = match answer {
        Answer::Allow { scope, .. } => match (scope, amendment) {
            (Scope::Session, _) => json!("acceptForSession"),
            (Scope::Remember, Some(amendment)) => {
                json!({"acceptWithExecpolicyAmendment": {"execpolicy_amendment": amendment}})
            }
            // Never more than was offered.
            (Scope::Once, _) | (Scope::Remember, None) => json!("accept"),
        },
        Answer::Deny {
            interrupt: true, ..
        } => json!("cancel"),
        Answer::Deny { .. }
        | Answer::Answers { .. }
        | Answer::Content { .. }
        | Answer::Result { .. } => json!("decline"),
    };
    json!({"decision": decision})
}

fn permissions(wanted: &RawValue, answer: &Answer) -> Value {
    let scope = match answer {
        Answer::Allow { scope, .. } => match scope {
            Scope::Once => "turn",
            Scope::Session | Scope::Remember => "session",
        },
        Answer::Deny { .. }
        | Answer::Answers { .. }
        | Answer::Content { .. }
        | Answer::Result { .. } => return json!({"permissions": {}}),
    };
    json!({"permissions": wanted, "scope": scope})
}

fn user_input(answer: &Answer) -> Value {
    let given = match answer {
        Answer::Answers { answers } => answers
            .iter()
            .map(|(id, texts)| (id.clone(), json!({"answers": texts})))
            .collect(),
        Answer::Allow { .. }
        | Answer::Deny { .. }
        | Answer::Content { .. }
        | Answer::Result { .. } => Map::new(),
    };
    json!({"answers": given})
}

fn elicitation(answer: &Answer) -> Value {
    let (action, content, meta) = match answer {
        Answer::Content { content } => {
            let content = serde_json::from_str(content.get()).unwrap_or(Value::Null);
            ("accept", content, Value::Null)
        }
        Answer::Allow { scope, .. } => {
            let meta = match scope {
                Scope::Once => Value::Null,
                Scope::Session => json!({"persist": "session"}),
                Scope::Remember => json!({"persist": "always"}),
            };
            ("accept", json!({}), meta)
        }
        Answer::Deny {
            interrupt: true, ..
        } => ("cancel", Value::Null, Value::Null),
        Answer::Deny { .. } | Answer::Answers { .. } | Answer::Result { .. } => {
            ("decline", Value::Null, Value::Null)
        }
    };
    json!({"action": action, "content": content, "_meta": meta})
}

fn host_tool(answer: &Answer) -> Value {
    let (text, success) = match answer {
        Answer::Result { text, is_error } => (text.as_str(), !is_error),
        Answer::Deny { message, .. } => (message.as_str(), false),
        Answer::Allow { .. } | Answer::Answers { .. } | Answer::Content { .. } => ("", false),
    };
    json!({
        "contentItems": [{"type": "inputText", "text": text}],
        "success": success,
    })
}
