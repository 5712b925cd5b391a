//! What the actor of a session and its handles both see.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

use parking_lot::Mutex;
use serde::Serialize;

use crate::config::Mode;
use crate::delivery::Log;
use crate::event::{Body, RequestKind};
use crate::ids::{RequestId, SessionId};
use crate::pool::Claim;
use crate::request::Decision;
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

#[derive(Debug)]
struct Face {
    conversation: Option<String>,
    mode: Mode,
    requests: BTreeMap<RequestId, OpenRequest>,
}

/// A question of the agent that waits for the host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OpenRequest {
    /// The id to answer.
    pub request: RequestId,
    /// What it asks.
    pub kind: RequestKind,
    /// One line for people.
    pub title: String,
    /// What it can be answered with.
    pub decisions: Vec<Decision>,
    /// Until when it waits, in milliseconds since the Unix epoch.
    pub deadline_unix_ms: i64,
}

/// What a session's face begins with.
pub(crate) struct Opening {
    pub id: SessionId,
    pub log_bytes: usize,
    pub queue_limit: usize,
    pub resume: Option<String>,
    pub mode: Mode,
}

impl Shared {
    pub(crate) fn new(opening: Opening) -> Self {
        Self {
            id: opening.id,
            log: Log::new(opening.id, opening.log_bytes),
            gate: Gate::new(opening.queue_limit),
            holds: Holds::default(),
            face: Mutex::new(Face {
                conversation: opening.resume,
                mode: opening.mode,
                requests: BTreeMap::new(),
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
        }
        self.face.lock().conversation = Some(id.to_owned());
    }

    /// Takes note of what hosts are about to be told.
    #[expect(clippy::wildcard_enum_match_arm, reason = "few kinds change the face")]
    pub(crate) fn note(&self, body: &Body) {
        match body {
            Body::SessionBound {
                provider_session_id,
                ..
            } => self.bind(provider_session_id),
            Body::RequestOpened {
                request,
                kind,
                title,
                decisions,
                deadline_unix_ms: Some(deadline),
                ..
            } => {
                let open = OpenRequest {
                    request: *request,
                    kind: *kind,
                    title: title.clone(),
                    decisions: decisions.clone(),
                    deadline_unix_ms: *deadline,
                };
                self.face.lock().requests.insert(*request, open);
            }
            Body::RequestResolved { request, .. } => {
                self.face.lock().requests.remove(request);
            }
            _ => {}
        }
    }

    pub(crate) fn conversation(&self) -> Option<String> {
        self.face.lock().conversation.clone()
    }

    pub(crate) fn requests(&self) -> Vec<OpenRequest> {
        self.face.lock().requests.values().cloned().collect()
    }

    pub(crate) fn set_mode(&self, mode: Mode) {
        self.face.lock().mode = mode;
    }

    pub(crate) fn mode(&self) -> Mode {
        self.face.lock().mode
    }
}
