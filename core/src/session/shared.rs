//! What the actor of a session and its handles both see.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::Instant;

use parking_lot::Mutex;
use schemars::JsonSchema;
use serde::Serialize;

use crate::config::{Mode, PermissionMode, SessionOptions};
use crate::delivery::Log;
use crate::event::{Body, RawJson, RequestKind, TurnOrigin};
use crate::ids::{ProcessId, RequestId, SessionId, TurnId};
use crate::pool::Claim;
use crate::request::{Decision, Question};
use crate::session::gate::Gate;

/// A session's face: the actor writes, hosts read.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) id: SessionId,
    pub(crate) log: Arc<Log>,
    pub(crate) gate: Gate,
    pub(crate) holds: Holds,
    face: Mutex<Face>,
    /// Its right to its conversation, among the sessions of its pool.
    claim: Mutex<Option<Claim>>,
}

/// How many holds of a session there are. However often that changes, one word to the actor is on its
/// way at most.
#[derive(Debug, Default)]
pub(crate) struct Holds {
    count: AtomicUsize,
    told: AtomicBool,
}

impl Holds {
    /// Adds one. `true`: the actor is to be told.
    pub(crate) fn add(&self) -> bool {
        self.count.fetch_add(1, SeqCst);
        !self.told.swap(true, SeqCst)
    }

    /// Takes one away. `true`: the actor is to be told.
    pub(crate) fn remove(&self) -> bool {
        self.count.fetch_sub(1, SeqCst);
        !self.told.swap(true, SeqCst)
    }

    /// The actor was told: whether there is any.
    pub(crate) fn look(&self) -> bool {
        self.told.store(false, SeqCst);
        self.count.load(SeqCst) > 0
    }
}

/// What the actor has told of a session.
#[derive(Clone, Debug)]
pub(super) struct Face {
    pub conversation: Option<String>,
    pub standing: Standing,
    /// The agent's own turn that runs.
    pub agent_turn: Option<TurnId>,
    pub requests: BTreeMap<RequestId, OpenRequest>,
    /// What the next process starts with.
    pub options: Arc<SessionOptions>,
}

/// How a session is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    pub mode: Mode,
    pub process: Option<CurrentProcess>,
    pub background: u32,
}

/// The process that a session uses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct CurrentProcess {
    /// Its generation.
    pub process: ProcessId,
    /// The operating system's number; `None`: it is not seen to run yet.
    pub pid: Option<u32>,
    /// Whether it stays for later turns.
    pub mode: Mode,
    /// Whether it takes turns.
    pub ready: bool,
    /// Whether other sessions may use it too.
    pub shared: bool,
}

/// The settings that can be changed while a session is open, as they were last set. `None`: the agent's
/// own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct CurrentSettings {
    /// The model.
    pub model: Option<String>,
    /// How hard the model thinks, in the agent's word.
    pub effort: Option<String>,
    /// Tokens the model may think with.
    pub thinking_budget: Option<u32>,
    /// What the agent may do without asking.
    pub permission_mode: PermissionMode,
    /// The names of the MCP servers.
    pub mcp_servers: Vec<String>,
}

impl From<&SessionOptions> for CurrentSettings {
    fn from(options: &SessionOptions) -> Self {
        Self {
            model: options.model.clone(),
            effort: options.effort.clone(),
            thinking_budget: options.thinking_budget,
            permission_mode: options.permission_mode,
            mcp_servers: options.mcp_servers.keys().cloned().collect(),
        }
    }
}

/// A question of the agent that waits for the host: all that its event said.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct OpenRequest {
    /// The id to answer.
    pub request: RequestId,
    /// The turn in which it is asked, if it is one's.
    pub turn: Option<TurnId>,
    /// What it asks.
    pub kind: RequestKind,
    /// The tool call it is about.
    pub tool: Option<String>,
    /// One line for people.
    pub title: String,
    /// What it can be answered with.
    pub decisions: Vec<Decision>,
    /// What the user is asked, of a user question.
    pub questions: Vec<Question>,
    /// The tool's input, or the content's schema of an elicitation.
    pub input: Option<RawJson>,
    /// Until when it waits, in milliseconds since the Unix epoch.
    pub deadline_unix_ms: i64,
    /// As the agent sent it.
    pub raw: RawJson,
}

/// What a session's face begins with.
pub(crate) struct Opening {
    pub id: SessionId,
    pub log_bytes: usize,
    pub mode: Mode,
    pub options: Arc<SessionOptions>,
}

impl Shared {
    pub(crate) fn new(opening: Opening) -> Self {
        Self {
            id: opening.id,
            log: Log::new(opening.id, opening.log_bytes),
            gate: Gate::new(opening.options.queue_limit),
            holds: Holds::default(),
            face: Mutex::new(Face {
                conversation: opening.options.resume.clone(),
                standing: Standing {
                    mode: opening.mode,
                    process: None,
                    background: 0,
                },
                agent_turn: None,
                requests: BTreeMap::new(),
                options: opening.options,
            }),
            claim: Mutex::new(None),
        }
    }

    /// Keeps its right to its conversation, also when that becomes another one.
    pub(crate) fn hold(&self, claim: Claim) {
        *self.claim.lock() = Some(claim);
    }

    /// It goes on with this conversation. That another session has it as well is the agent's doing, and
    /// too late to be refused.
    fn bind(&self, id: &str) {
        if let Some(claim) = &mut *self.claim.lock() {
            let _ = claim.take(id);
            claim.begin(id, Instant::now());
        }
        self.face.lock().conversation = Some(id.to_owned());
    }

    /// Takes note of what hosts are about to be told. Comes before they can read it: whoever knows how
    /// far the events go and looks then, finds here all that they told.
    #[expect(clippy::wildcard_enum_match_arm, reason = "few kinds change the face")]
    pub(crate) fn note(&self, turn: Option<TurnId>, body: &Body) {
        match body {
            Body::TurnStarted {
                origin: TurnOrigin::Agent,
                ..
            } => self.face.lock().agent_turn = turn,
            ended if ended.kind().is_turn_end() => {
                let mut face = self.face.lock();
                face.agent_turn = face.agent_turn.filter(|own| Some(*own) != turn);
            }
            Body::SessionBound {
                provider_session_id,
                ..
            } => self.bind(provider_session_id),
            Body::RequestOpened {
                request,
                kind,
                tool,
                title,
                decisions,
                questions,
                input,
                deadline_unix_ms: Some(deadline),
                raw,
            } => {
                let open = OpenRequest {
                    request: *request,
                    turn,
                    kind: *kind,
                    tool: tool.clone(),
                    title: title.clone(),
                    decisions: decisions.clone(),
                    questions: questions.clone(),
                    input: input.clone(),
                    deadline_unix_ms: *deadline,
                    raw: raw.clone(),
                };
                self.face.lock().requests.insert(*request, open);
            }
            Body::RequestResolved { request, .. } => {
                self.face.lock().requests.remove(request);
            }
            _ => {}
        }
    }

    /// All of it, at one moment.
    pub(super) fn face(&self) -> Face {
        self.face.lock().clone()
    }

    /// Takes note of what no event tells. `options`: what the next process starts with.
    pub(crate) fn set_standing(&self, standing: Standing, options: &Arc<SessionOptions>) {
        let mut face = self.face.lock();
        face.standing = standing;
        if !Arc::ptr_eq(&face.options, options) {
            face.options = Arc::clone(options);
        }
    }

    pub(crate) fn mode(&self) -> Mode {
        self.face.lock().standing.mode
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shared() -> Shared {
        Shared::new(Opening {
            id: SessionId::next(),
            log_bytes: 1 << 20,
            mode: Mode::Warm,
            options: Arc::default(),
        })
    }

    #[test]
    fn an_open_question_can_be_answered_by_one_who_did_not_see_its_event() {
        let shared = shared();
        let (request, turn) = (RequestId::next(), Some(TurnId::next()));
        let question = Question {
            id: "db".into(),
            ..Question::default()
        };
        let open = OpenRequest {
            request,
            turn,
            kind: RequestKind::UserQuestion,
            tool: Some("call".into()),
            title: "Which?".into(),
            decisions: vec![Decision::Answers],
            questions: vec![question],
            input: Some(RawJson::from_text("{}")),
            deadline_unix_ms: 7,
            raw: RawJson::from_text("[1]"),
        };
        let told = open.clone();
        let body = Body::RequestOpened {
            request,
            kind: told.kind,
            tool: told.tool,
            title: told.title,
            decisions: told.decisions,
            questions: told.questions,
            input: told.input,
            deadline_unix_ms: Some(7),
            raw: told.raw,
        };
        shared.note(turn, &body);
        let requests: Vec<_> = shared.face().requests.into_values().collect();
        assert_eq!(requests, [open]);
    }

    #[test]
    fn the_agents_own_turn_is_known_until_its_end() {
        let shared = shared();
        let (own, other) = (TurnId::next(), TurnId::next());
        let (origin, tag) = (TurnOrigin::Agent, None);
        shared.note(Some(own), &Body::TurnStarted { origin, tag });
        let result = Box::default();
        let ended = Body::TurnCompleted { result };
        shared.note(Some(other), &ended);
        assert_eq!(shared.face().agent_turn, Some(own));
        shared.note(Some(own), &ended);
        assert_eq!(shared.face().agent_turn, None);
    }
}
