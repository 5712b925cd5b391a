//! What all sessions of one process share.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::features::Features;
use super::lines;
use crate::context::Agent;
use crate::control::Control;
use crate::lock;

/// A turn that runs.
#[derive(Clone)]
pub(super) struct Active {
    /// Which turn of the process it is.
    pub(super) number: u64,
    /// The id of the prompt's request; null for a turn that nobody asked for.
    pub(super) request: Value,
    pub(super) control: Arc<Control>,
    /// Cancelled, but its open questions are not answered yet.
    pub(super) waits: bool,
}

/// A session that is open.
pub(super) struct Session {
    pub(super) cwd: String,
    pub(super) mode: String,
    pub(super) model: String,
    pub(super) thinking: String,
    pub(super) fast: bool,
    /// Tools that are allowed for good.
    pub(super) allowed: HashSet<String>,
    pub(super) active: Option<Active>,
    /// Tokens of the context so far.
    pub(super) used: u64,
}

impl Session {
    pub(super) fn new(cwd: &str) -> Self {
        Self {
            cwd: cwd.to_owned(),
            mode: "default".to_owned(),
            model: "large".to_owned(),
            thinking: "medium".to_owned(),
            fast: false,
            allowed: HashSet::new(),
            active: None,
            used: 0,
        }
    }
}

pub(super) struct Hub {
    pub(super) agent: Arc<Agent>,
    pub(super) features: Features,
    sessions: Mutex<HashMap<String, Session>>,
    /// Open questions and the session that asks.
    questions: Mutex<HashMap<u64, String>>,
    next_question: AtomicU64,
    next_turn: AtomicU64,
    /// The host can show options that are on or off.
    pub(super) booleans: AtomicBool,
}

impl Hub {
    pub(super) fn new(agent: &Arc<Agent>, features: Features) -> Self {
        Self {
            agent: Arc::clone(agent),
            features,
            sessions: Mutex::default(),
            questions: Mutex::default(),
            next_question: AtomicU64::new(0),
            next_turn: AtomicU64::new(0),
            booleans: AtomicBool::new(false),
        }
    }

    /// Looks at an open session, or changes it.
    pub(super) fn with<T>(&self, id: &str, look: impl FnOnce(&mut Session) -> T) -> Option<T> {
        lock(&self.sessions).get_mut(id).map(look)
    }

    pub(super) fn open(&self, id: &str, session: Session) {
        id.clone_into(&mut lock(&self.agent.latest));
        lock(&self.sessions).insert(id.to_owned(), session);
    }

    pub(super) fn close(&self, id: &str) -> Option<Session> {
        lock(&self.sessions).remove(id)
    }

    /// The open session whose turn answers this request.
    pub(super) fn asked_by(&self, request: &Value) -> Option<String> {
        let sessions = lock(&self.sessions);
        let mut found = sessions.iter().filter(|(_, session)| {
            let active = session.active.as_ref();
            active.is_some_and(|active| active.request == *request)
        });
        found.next().map(|(id, _)| id.clone())
    }

    pub(super) fn update(&self, session: &str, update: &Value) {
        self.agent.line(&lines::update(session, update));
    }

    /// Starts a turn of a session, unless one runs.
    pub(super) fn activate(&self, id: &str, request: &Value) -> Option<Active> {
        let active = Active {
            number: self.next_turn.fetch_add(1, Ordering::Relaxed),
            request: request.clone(),
            control: Arc::new(Control::default()),
            waits: false,
        };
        let slot = |session: &mut Session| match session.active {
            Some(_) => None,
            None => Some(session.active.insert(active).clone()),
        };
        self.with(id, slot).flatten()
    }

    /// Forgets a turn that is over.
    pub(super) fn over(&self, id: &str, number: u64) {
        self.with(id, |session| {
            session.active.take_if(|active| active.number == number);
        });
    }

    /// Takes an id for a question of a session.
    pub(super) fn question(&self, session: &str) -> u64 {
        let id = self.next_question.fetch_add(1, Ordering::Relaxed);
        lock(&self.questions).insert(id, session.to_owned());
        id
    }

    pub(super) fn forget_question(&self, id: &Value) {
        if let Some(id) = id.as_u64() {
            lock(&self.questions).remove(&id);
        }
    }

    /// Hands the host's answer to the session that asked. Others are ignored.
    pub(super) fn answer(&self, message: &Value) {
        let Some(id) = message["id"].as_u64() else {
            return;
        };
        let Some(session) = lock(&self.questions).remove(&id) else {
            return;
        };
        let active = self.with(&session, |session| session.active.clone());
        if let Some(active) = active.flatten() {
            active.control.answer(&id.to_string(), message.clone());
            if active.waits && !self.asks(&session) {
                active.control.interrupt();
            }
        }
    }

    /// Whether a session has open questions.
    fn asks(&self, session: &str) -> bool {
        lock(&self.questions).values().any(|asker| asker == session)
    }

    /// Cancels the turn of a session, if one runs.
    pub(super) fn cancel(&self, session: &str) {
        let waits = self.features.has(super::features::Feature::CancelWaits) && self.asks(session);
        let control = self.with(session, |session| {
            session.active.as_mut().map(|active| {
                active.waits = waits;
                Arc::clone(&active.control)
            })
        });
        if let Some(control) = control.flatten().filter(|_| !waits) {
            control.interrupt();
        }
    }

    pub(super) fn refuse(&self, id: &Value, code: i64, message: &str, data: &Value) {
        let mut error = json!({"code": code, "message": message});
        if !data.is_null() {
            error["data"] = data.clone();
        }
        let line = json!({"jsonrpc": "2.0", "id": id, "error": error});
        self.agent.reply(line, "/id");
    }
}
