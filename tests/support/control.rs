//! What tests of turn control share: questions of the agent and the scripts that bring them about.

use std::collections::BTreeMap;

use remuda::config::{McpServer, PermissionMode, Requests};
use remuda::event::{RequestKind, Resolution, ResolvedBy};
use remuda::request::{Action, Answer, Decision, Question, Rule, Scope};
use remuda::{Body, Event, RequestId, Session, SessionOptions, Turn};
use serde_json::{Value, json};
use std::sync::Arc;

use crate::real::{Agent, Installed, Real, read_until};

/// A question of the agent.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The id to answer.
    pub id: RequestId,
    /// What it asks.
    pub kind: RequestKind,
    /// One line for people.
    pub title: String,
    /// What it can be answered with.
    pub decisions: Vec<Decision>,
    /// What the user is asked.
    pub questions: Vec<Question>,
    /// The tool's input.
    pub input: Value,
}

impl Asked {
    /// The question that this event tells of.
    #[must_use]
    pub fn by(body: &Body) -> Option<Self> {
        let Body::RequestOpened {
            request,
            kind,
            title,
            decisions,
            questions,
            input,
            ..
        } = body
        else {
            return None;
        };
        let input = input.as_ref().map_or("null", |input| input.get());
        Some(Self {
            id: *request,
            kind: *kind,
            title: title.clone(),
            decisions: decisions.clone(),
            questions: questions.clone(),
            input: serde_json::from_str(input).unwrap_or_default(),
        })
    }
}

/// Reads a turn up to the next question that waits for the host.
///
/// # Panics
///
/// If the turn ends without one.
pub async fn next_question(turn: &mut Turn) -> Asked {
    let waits = |body: &Body| {
        matches!(
            body,
            Body::RequestOpened {
                deadline_unix_ms: Some(_),
                ..
            }
        )
    };
    let event = read_until(turn, waits).await;
    Asked::by(&event.body).expect("it was looked for")
}

/// All questions of a session.
#[must_use]
pub fn questions(events: &[Arc<Event>]) -> Vec<Asked> {
    let questions = events.iter().filter_map(|event| Asked::by(&event.body));
    questions.collect()
}

/// How a question was settled, by whom, and by which rule.
#[must_use]
pub fn settled(
    events: &[Arc<Event>],
    id: RequestId,
) -> Option<(Resolution, ResolvedBy, Option<String>)> {
    events.iter().find_map(|event| {
        let Body::RequestResolved {
            request,
            resolution,
            by,
            rule,
        } = &event.body
        else {
            return None;
        };
        (*request == id).then(|| (*resolution, *by, rule.clone()))
    })
}

/// Sends a prompt, answers its one question, and returns that and the turn.
///
/// # Panics
///
/// If it is refused.
pub async fn answered(session: &Session, prompt: &str, answer: Answer) -> (Asked, Turn) {
    let mut turn = session.send(prompt).expect("a turn");
    let asked = next_question(&mut turn).await;
    let taken = session.answer(asked.id, answer).await;
    taken.unwrap_or_else(|error| panic!("{asked:?}: {error}"));
    (asked, turn)
}

/// Yes, for this long.
#[must_use]
pub const fn yes(scope: Scope) -> Answer {
    Answer::Allow { scope, input: None }
}

/// No, with this message.
#[must_use]
pub fn no(message: &str) -> Answer {
    Answer::Deny {
        message: message.to_owned(),
        interrupt: false,
    }
}

/// A prompt with this script.
#[must_use]
pub fn model(script: &Value) -> String {
    format!("MODEL:{script}")
}

impl Real {
    /// Options of a session whose host answers what the agent asks before it runs a command.
    #[must_use]
    pub fn answering(&self) -> SessionOptions {
        SessionOptions {
            requests: Requests::Host,
            ..self.asking()
        }
    }

    /// A call of a command that the agent asks about.
    #[must_use]
    pub fn risky(&self, command: &str) -> Value {
        match self.installed() {
            Installed::Codex | Installed::CodexAcp => json!({"shell": command, "with": {
                "sandbox_permissions": "require_escalated",
                "justification": "May I?",
            }}),
            Installed::Claude
            | Installed::ClaudeAcp
            | Installed::Gemini
            | Installed::OpenCode
            | Installed::Kimi => json!({"shell": command}),
        }
    }

    /// A call that writes a file with the agent's own tool for that.
    #[must_use]
    pub fn edit(&self, name: &str, content: &str) -> Value {
        match self.agent() {
            Agent::Claude => {
                let file = self.project().join(name);
                json!({"tool": "Write", "input": {"file_path": file, "content": content}})
            }
            Agent::Codex => {
                let patch =
                    format!("*** Begin Patch\n*** Add File: {name}\n+{content}\n*** End Patch\n");
                json!({"tool": "apply_patch", "input": patch})
            }
        }
    }

    /// The options in another permission mode.
    #[must_use]
    pub fn answering_in(&self, mode: PermissionMode) -> SessionOptions {
        SessionOptions {
            permission_mode: mode,
            ..self.answering()
        }
    }

    /// Options of a session with the MCP server of this program, named `bytes`. Of what its tools do, the
    /// host is asked only where they change something.
    #[must_use]
    pub fn with_server(&self, program: &str) -> SessionOptions {
        let server = McpServer::Stdio {
            command: program.to_owned(),
            args: vec![],
            env: BTreeMap::new(),
        };
        let mut options = self.answering_in(PermissionMode::AcceptEdits);
        options.mcp_servers.insert("bytes".to_owned(), server);
        // Claude Code asks about every tool of a server.
        for tool in ["ask", "visit"] {
            options.rules.push(Rule {
                tool: Some(format!("mcp__bytes__{tool}")),
                ..rule("asking", Action::Allow)
            });
        }
        if self.agent() == Agent::Codex {
            // With others, the model has to look for the tool first.
            options.model = Some("gpt-6.1-sol".to_owned());
        }
        options
    }
}

/// A rule about everything.
#[must_use]
pub fn rule(name: &str, action: Action) -> Rule {
    Rule {
        name: name.to_owned(),
        action,
        tool: None,
        command: None,
        path: None,
        mcp_server: None,
    }
}

/// A prompt that calls this tool of the MCP server, and says what it got.
#[must_use]
pub fn calling(tool: &str) -> String {
    let call = json!({"tool": format!("mcp__bytes__{tool}"), "input": {}});
    model(&json!([call, {"echo": "result"}]))
}
