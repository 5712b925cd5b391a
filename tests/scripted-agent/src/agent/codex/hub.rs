//! What all threads of one app-server share.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::lines::{self, Setup};
use crate::context::Agent;
use crate::control::Control;
use crate::{ids, lock};

/// A turn that runs.
#[derive(Clone)]
pub(crate) struct Active {
    pub(crate) turn: String,
    pub(crate) control: Arc<Control>,
    /// `turn/started` was sent. Before that, an interrupt finds no turn.
    pub(crate) started: bool,
    /// Somebody plays it, or is about to. Nobody else may then.
    pub(crate) played: bool,
}

/// A thread that is loaded.
pub(crate) struct Thread {
    pub(crate) setup: Setup,
    pub(crate) created: u64,
    pub(crate) preview: String,
    pub(crate) status: Value,
    pub(crate) active: Option<Active>,
    pub(crate) subscribed: bool,
    /// Whether it is closed at once when nobody is subscribed and no turn runs.
    pub(crate) unloads: bool,
    pub(crate) calls: u64,
}

impl Thread {
    pub(crate) fn new(setup: Setup, params: &Value) -> Self {
        Self {
            setup,
            unloads: params["config"]["thread_unload_delay_secs"] == json!(0),
            created: lines::seconds(),
            preview: String::new(),
            status: json!({"type": "idle"}),
            active: None,
            subscribed: true,
            calls: 0,
        }
    }
}

pub(crate) struct Hub {
    pub(crate) agent: Arc<Agent>,
    pub(crate) threads: Mutex<HashMap<String, Thread>>,
    /// Open questions and the thread that asks.
    questions: Mutex<HashMap<u64, String>>,
    next_question: AtomicU64,
    pub(crate) muted: Mutex<HashSet<String>>,
    pub(crate) client: Mutex<String>,
}

impl Hub {
    pub(crate) fn new(agent: &Arc<Agent>) -> Self {
        Self {
            agent: Arc::clone(agent),
            threads: Mutex::default(),
            questions: Mutex::default(),
            next_question: AtomicU64::new(0),
            muted: Mutex::default(),
            client: Mutex::default(),
        }
    }

    /// Looks at a loaded thread, or changes it.
    pub(crate) fn with<T>(&self, id: &str, look: impl FnOnce(&mut Thread) -> T) -> Option<T> {
        lock(&self.threads).get_mut(id).map(look)
    }

    /// Sends a notification unless the client does not want it.
    pub(crate) fn notify(&self, method: &str, params: &Value) {
        if let Some(line) = self.notification(method, params) {
            self.agent.line(&line);
        }
    }

    /// A notification as it is sent, or nothing if the client does not want it.
    pub(crate) fn notification(&self, method: &str, params: &Value) -> Option<Value> {
        let subscribed = params["threadId"]
            .as_str()
            .and_then(|id| self.with(id, |thread| thread.subscribed))
            .unwrap_or(true);
        let wanted = subscribed && !lock(&self.muted).contains(method);
        wanted.then(|| json!({"method": method, "params": params, "emittedAtMs": ids::now_ms()}))
    }

    /// Closes a thread that nobody listens to: other processes may go on with it.
    pub(crate) fn unload(&self, id: &str) {
        let mut threads = lock(&self.threads);
        let left =
            |thread: &Thread| !thread.subscribed && thread.unloads && thread.active.is_none();
        if !threads.get(id).is_some_and(left) {
            return;
        }
        threads.remove(id);
        drop(threads);
        self.agent.store.release(id);
        self.notify("thread/closed", &json!({"threadId": id}));
    }

    pub(crate) fn set_status(&self, id: &str, shown: &str, status: Value) {
        self.notify(
            "thread/status/changed",
            &json!({"threadId": shown, "status": &status}),
        );
        self.with(id, |thread| thread.status = status);
    }

    /// The thread object, with its history or without.
    pub(crate) fn describe(&self, id: &str, with_turns: bool) -> Option<(Setup, Value)> {
        let turns = if with_turns {
            self.history(id)
        } else {
            json!([])
        };
        let originator = lock(&self.client).clone();
        self.with(id, |thread| {
            let facts = lines::Facts {
                id,
                originator: &originator,
                preview: &thread.preview,
                created: thread.created,
                status: thread.status.clone(),
                turns,
            };
            (thread.setup.clone(), lines::thread(&thread.setup, &facts))
        })
    }

    fn history(&self, id: &str) -> Value {
        let prompts = self.agent.store.prompts("codex", id);
        let turns = prompts.iter().enumerate().map(|(number, prompt)| {
            let input = json!([{"type": "text", "text": prompt}]);
            let item =
                lines::user_message(&format!("item-{number}"), &Value::Null, &input, 0, true);
            lines::turn(
                &format!("turn-{number}"),
                "completed",
                &json!([item]),
                (Some(0), Some(0)),
                &Value::Null,
            )
        });
        turns.collect()
    }

    /// Takes an id for a question of a thread.
    pub(crate) fn question(&self, thread: &str) -> u64 {
        let id = self.next_question.fetch_add(1, Ordering::Relaxed);
        lock(&self.questions).insert(id, thread.to_owned());
        id
    }

    pub(crate) fn forget_question(&self, id: u64) {
        lock(&self.questions).remove(&id);
    }

    /// Hands the host's answer to the thread that asked. Others are ignored.
    pub(crate) fn answer(&self, message: &Value) {
        let Some(id) = message["id"].as_u64() else {
            return;
        };
        let Some(thread) = lock(&self.questions).get(&id).cloned() else {
            return;
        };
        let control = self.with(&thread, |thread| {
            thread
                .active
                .as_ref()
                .map(|active| Arc::clone(&active.control))
        });
        if let Some(control) = control.flatten() {
            control.answer(&id.to_string(), message.clone());
        }
    }
}
