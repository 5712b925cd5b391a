//! The requests that the host may send to the app-server.

use std::sync::Arc;

use scripted_agent::{InterruptMode, ReplyMode, Trigger};
use serde_json::{Value, json};

use super::hub::{Active, Hub, Thread};
use super::lines::{self, Setup};
use super::version;
use super::voice::CodexVoice;
use crate::control::Control;
use crate::{ids, lock, player};

/// An answer: a result, or a code and a message.
type Answer = Result<Value, (i64, String)>;

fn refuse<T>(why: impl Into<String>) -> Result<T, (i64, String)> {
    Err((-32600, why.into()))
}

pub(super) struct Server {
    hub: Arc<Hub>,
    initialized: bool,
}

const METHODS: &[&str] = &[
    "initialize",
    "thread/start",
    "thread/resume",
    "thread/fork",
    "thread/read",
    "thread/list",
    "thread/loaded/list",
    "thread/unsubscribe",
    "thread/name/set",
    "thread/backgroundTerminals/list",
    "thread/backgroundTerminals/clean",
    "thread/backgroundTerminals/terminate",
    "thread/compact/start",
    "thread/revert",
    "thread/settings/update",
    "turn/start",
    "turn/steer",
    "turn/interrupt",
    "model/list",
    "skills/list",
    "mcpServerStatus/list",
    "account/read",
];

impl Server {
    pub(super) fn new(hub: Arc<Hub>) -> Self {
        Self {
            hub,
            initialized: false,
        }
    }

    /// Treats one message of the host.
    pub(super) fn message(&mut self, message: &Value) {
        let Some(method) = message["method"].as_str() else {
            return self.hub.answer(message);
        };
        let id = &message["id"];
        if !(id.is_string() || id.is_i64() || id.is_u64()) {
            return;
        }
        if method == "turn/interrupt" && self.initialized {
            return self.interrupt(id, &message["params"]);
        }
        let answer = self.answer(method, message);
        let after = answer.as_ref().ok().cloned();
        reply(&self.hub, id, answer);
        if let Some(result) = after {
            self.after(method, message, &result);
        }
    }

    fn answer(&mut self, method: &str, message: &Value) -> Answer {
        if !METHODS.contains(&method) {
            let known: Vec<String> = METHODS.iter().map(|known| format!("`{known}`")).collect();
            return refuse(format!(
                "Invalid request: unknown variant `{method}`, expected one of {}",
                known.join(", ")
            ));
        }
        if message.get("params").is_none() {
            return refuse("Invalid request: missing field `params`");
        }
        let params = &message["params"];
        if method == "initialize" {
            return self.initialize(params);
        }
        if !self.initialized {
            return refuse("Not initialized");
        }
        match method {
            "thread/start" => {
                let id = ids::v7();
                check_setup(params)?;
                lock(&self.hub.threads)
                    .insert(id.clone(), Thread::new(Setup::read(params, None), params));
                Ok(self.opened(&id, false))
            }
            "thread/resume" => self.resume(params),
            "thread/fork" => self.fork(params),
            "thread/read" => {
                let id = thread_id(params, "thread")?;
                match self.hub.describe(id, params["includeTurns"] == json!(true)) {
                    Some((_, thread)) => Ok(json!({"thread": thread, "readState": null})),
                    None => refuse(format!("thread not loaded: {id}")),
                }
            }
            "thread/list" => {
                let ids: Vec<String> = lock(&self.hub.threads).keys().cloned().collect();
                let threads: Vec<Value> = ids
                    .iter()
                    .filter_map(|id| self.hub.describe(id, false))
                    .map(|(_, thread)| thread)
                    .collect();
                Ok(
                    json!({"data": threads, "nextCursor": null, "backwardsCursor": null, "readStates": {}}),
                )
            }
            "thread/loaded/list" => {
                let ids: Vec<String> = lock(&self.hub.threads).keys().cloned().collect();
                Ok(json!({"data": ids, "nextCursor": null}))
            }
            "thread/unsubscribe" => self.unsubscribe(params),
            "turn/start" => self.start_turn(params),
            "turn/steer" => self.steer(params),
            "thread/backgroundTerminals/list" => Ok(json!({"data": []})),
            "thread/settings/update" => self.change_settings(params),
            "model/list" => Ok(json!({"data": [lines::model()], "nextCursor": null})),
            "skills/list" => Ok(json!({"data": [lines::skills(params)]})),
            "mcpServerStatus/list" => Ok(json!({"data": [], "nextCursor": null})),
            "account/read" => Ok(
                json!({"account": {"type": "apiKey"}, "userId": null, "requiresOpenaiAuth": true, "workspaceRouting": null}),
            ),
            _ => Ok(json!({})),
        }
    }

    fn change_settings(&self, params: &Value) -> Answer {
        if self.hub.agent.settings().replies == ReplyMode::Refuse {
            return refuse("these settings are not allowed".to_owned());
        }
        let id = thread_id(params, "thread")?;
        let found = self.hub.with(id, |thread| {
            thread.setup = Setup::read(params, Some(&thread.setup));
        });
        match found {
            Some(()) => Ok(json!({})),
            None => refuse(format!("thread not found: {id}")),
        }
    }

    fn unsubscribe(&self, params: &Value) -> Answer {
        let id = thread_id(params, "thread")?;
        let was = self.hub.with(id, |thread| {
            std::mem::replace(&mut thread.subscribed, false)
        });
        let status = match was {
            Some(true) => "unsubscribed",
            Some(false) => "notSubscribed",
            None => "notLoaded",
        };
        Ok(json!({"status": status}))
    }

    /// What follows a successful answer.
    fn after(&mut self, method: &str, message: &Value, result: &Value) {
        let hub = &self.hub;
        let id = result["thread"]["id"].as_str().unwrap_or_default();
        match method {
            "initialize" => {
                hub.notify("configWarning", &json!({"summary": "Codex could not find bubblewrap on PATH.", "details": null}));
                hub.notify("remoteControl/status/changed", &json!({
                    "status": "disabled", "serverName": "host",
                    "installationId": "00000000-0000-4000-8000-000000000000", "environmentId": null,
                }));
                hub.agent.shake_hands();
            }
            "thread/start" | "thread/fork" => {
                hub.notify("thread/started", &json!({"thread": result["thread"]}));
            }
            "thread/resume" => {
                let usage = json!({"total": lines::tokens(0), "last": lines::tokens(0), "modelContextWindow": 258_400});
                hub.notify(
                    "thread/tokenUsage/updated",
                    &json!({"threadId": id, "turnId": "turn-0", "tokenUsage": usage}),
                );
                hub.notify("thread/goal/cleared", &json!({"threadId": id}));
            }
            "thread/name/set" => {
                let params = &message["params"];
                hub.notify(
                    "thread/name/updated",
                    &json!({"threadId": params["threadId"], "threadName": params["name"]}),
                );
            }
            "thread/unsubscribe" => {
                hub.unload(message["params"]["threadId"].as_str().unwrap_or_default());
            }
            "turn/start" => {
                let thread = message["params"]["threadId"].as_str().unwrap_or_default();
                let turn = result["turn"]["id"].as_str().unwrap_or_default();
                play(hub, thread, turn, &message["params"]);
            }
            _ => {}
        }
    }

    fn initialize(&mut self, params: &Value) -> Answer {
        if self.initialized {
            return refuse("Already initialized");
        }
        let Some(name) = params["clientInfo"]["name"].as_str() else {
            return refuse("Invalid request: missing field `clientInfo`");
        };
        self.initialized = true;
        name.clone_into(&mut lock(&self.hub.client));
        let muted = params["capabilities"]["optOutNotificationMethods"].as_array();
        *lock(&self.hub.muted) = muted
            .into_iter()
            .flatten()
            .filter_map(|method| method.as_str().map(str::to_owned))
            .collect();
        let own = params["clientInfo"]["version"].as_str().unwrap_or_default();
        Ok(json!({
            "userAgent": format!("{name}/{} (Debian 12.0.0; x86_64) xterm ({name}; {own})", version()),
            "codexHome": "/home/user/.codex", "platformFamily": "unix", "platformOs": "linux",
        }))
    }

    fn opened(&self, id: &str, with_turns: bool) -> Value {
        let described = self.hub.describe(id, with_turns);
        described.map_or(Value::Null, |(setup, thread)| {
            lines::opened(&setup, &thread)
        })
    }

    fn resume(&self, params: &Value) -> Answer {
        let id = thread_id(params, "session")?;
        let store = &self.hub.agent.store;
        let loaded = self.hub.with(id, |thread| {
            thread.subscribed = true;
            thread.setup = Setup::read(params, Some(&thread.setup));
        });
        if loaded.is_none() {
            if !store.knows("codex", id) {
                return refuse(format!("no rollout found for thread id {id}"));
            }
            if !store.claim("codex", id) {
                return refuse(format!("thread {id} already has an active writer"));
            }
            let mut thread = Thread::new(Setup::read(params, None), params);
            thread.preview = store
                .prompts("codex", id)
                .into_iter()
                .next()
                .unwrap_or_default();
            lock(&self.hub.threads).insert(id.to_owned(), thread);
            self.hub.notify(
                "thread/status/changed",
                &json!({"threadId": id, "status": {"type": "idle"}}),
            );
        }
        let mut result = self.opened(id, params["excludeTurns"] != json!(true));
        result["collaborationMode"] = json!({"mode": "default", "settings": {
            "model": result["model"], "reasoning_effort": null, "developer_instructions": null,
        }});
        for member in [
            "initialTurnsPage",
            "turnsBackwardsCursor",
            "itemsBackwardsCursor",
        ] {
            result[member] = Value::Null;
        }
        Ok(result)
    }

    fn fork(&self, params: &Value) -> Answer {
        let from = thread_id(params, "session")?;
        let setup = self.hub.with(from, |thread| thread.setup.clone());
        if setup.is_none() && !self.hub.agent.store.knows("codex", from) {
            return refuse(format!("no rollout found for thread id {from}"));
        }
        let id = ids::v7();
        self.hub.agent.store.fork("codex", from, &id);
        let mut setup = Setup::read(params, setup.as_ref());
        setup.forked_from = Some(from.to_owned());
        lock(&self.hub.threads).insert(id.clone(), Thread::new(setup, params));
        Ok(self.opened(&id, params["excludeTurns"] != json!(true)))
    }

    fn start_turn(&self, params: &Value) -> Answer {
        let id = thread_id(params, "thread")?;
        if !params["input"].is_array() {
            return refuse("Invalid request: missing field `input`");
        }
        let turn = self.hub.with(id, |thread| {
            if let Some(active) = &thread.active
                && active.control.steer(params.clone())
            {
                return active.turn.clone();
            }
            let turn = ids::v7();
            thread.setup = Setup::read(params, Some(&thread.setup));
            if thread.preview.is_empty() {
                thread.preview = lines::text_of(&params["input"]);
            }
            thread.active = Some(Active {
                turn: turn.clone(),
                control: Arc::new(Control::default()),
                started: false,
                played: false,
            });
            turn
        });
        match turn {
            Some(turn) => Ok(json!({
                "turn": lines::turn(&turn, "inProgress", &json!([]), (None, None), &Value::Null),
            })),
            None => refuse(format!("thread not found: {id}")),
        }
    }

    fn steer(&self, params: &Value) -> Answer {
        let id = thread_id(params, "thread")?;
        let Some(expected) = params["expectedTurnId"].as_str() else {
            return refuse("Invalid request: missing field `expectedTurnId`");
        };
        let Some(active) = self.hub.with(id, |thread| thread.active.clone()) else {
            return refuse(format!("thread not found: {id}"));
        };
        match active {
            Some(active) if active.turn != expected => refuse(format!(
                "expected active turn id `{expected}` but found `{}`",
                active.turn
            )),
            Some(active) if active.control.steer(params.clone()) => {
                Ok(json!({"turnId": active.turn}))
            }
            Some(_) | None => refuse("no active turn to steer"),
        }
    }

    fn interrupt(&self, id: &Value, params: &Value) {
        self.hub
            .agent
            .fire(&|trigger| *trigger == Trigger::Interrupt);
        let settings = self.hub.agent.settings();
        let (hub, id, params) = (Arc::clone(&self.hub), id.clone(), params.clone());
        match settings.interrupts {
            InterruptMode::Ignore => {}
            InterruptMode::Normal => carry_out(&hub, &id, &params, 1),
            InterruptMode::Twice => carry_out(&hub, &id, &params, 2),
            InterruptMode::Late => {
                std::thread::spawn(move || {
                    std::thread::sleep(settings.interrupt_delay);
                    carry_out(&hub, &id, &params, 1);
                });
            }
        }
    }

    /// Starts a turn that nobody asked for.
    pub(super) fn follow_up(&self, thread: &str, text: &str) {
        let params = json!({"threadId": thread, "input": [{"type": "text", "text": text}]});
        if let Ok(result) = self.start_turn(&params) {
            play(
                &self.hub,
                thread,
                result["turn"]["id"].as_str().unwrap_or_default(),
                &params,
            );
        }
    }
}

fn carry_out(hub: &Hub, id: &Value, params: &Value, times: usize) {
    let found = find_turn(hub, params);
    for _ in 0..times {
        let answer = found.as_ref().map(|_| json!({})).map_err(Clone::clone);
        reply(hub, id, answer);
    }
    if let Ok(active) = found {
        active.control.interrupt();
    }
}

fn find_turn(hub: &Hub, params: &Value) -> Result<Active, (i64, String)> {
    let id = thread_id(params, "thread")?;
    let wanted = params["turnId"].as_str().unwrap_or_default();
    let Some(active) = hub.with(id, |thread| thread.active.clone()) else {
        return refuse(format!("thread not found: {id}"));
    };
    match active {
        Some(active) if !active.started => refuse("no active turn to interrupt"),
        Some(active) if active.turn != wanted => refuse(format!(
            "expected active turn id {wanted} but found {}",
            active.turn
        )),
        Some(active) => Ok(active),
        None => refuse("no active turn to interrupt"),
    }
}

/// Plays a turn on a thread of its own, unless it is played already: then the input became part of it.
fn play(hub: &Arc<Hub>, thread: &str, turn: &str, params: &Value) {
    let claimed = hub.with(thread, |thread| {
        let active = thread
            .active
            .as_mut()
            .filter(|active| active.turn == turn)?;
        let taken = std::mem::replace(&mut active.played, true);
        (!taken).then(|| active.clone())
    });
    let Some(active) = claimed.flatten() else {
        return;
    };
    let durable = hub
        .with(thread, |thread| !thread.setup.ephemeral)
        .unwrap_or(false);
    let mut voice = CodexVoice::new(hub, &active.control, thread, turn, params);
    let prompt = lines::text_of(&params["input"]);
    let (hub, thread) = (Arc::clone(hub), thread.to_owned());
    std::thread::spawn(move || {
        player::play(&hub.agent, &mut voice, &active.control, &prompt, durable);
        hub.with(&thread, |thread| {
            thread.active.take_if(|running| running.turn == active.turn);
        });
        hub.agent.store.claim("codex", &thread);
        hub.unload(&thread);
    });
}

fn reply(hub: &Hub, id: &Value, answer: Answer) {
    let line = match answer {
        Ok(result) => json!({"id": id, "result": result}),
        Err((code, message)) => json!({"error": {"code": code, "message": message}, "id": id}),
    };
    hub.agent.reply(line, "/id");
}

/// The thread that a request is about. `noun` is what the real one calls a bad id.
fn thread_id<'a>(params: &'a Value, noun: &str) -> Result<&'a str, (i64, String)> {
    let Some(id) = params["threadId"].as_str() else {
        return refuse("Invalid request: missing field `threadId`");
    };
    if ids::is_uuid(id) {
        return Ok(id);
    }
    refuse(format!(
        "invalid {noun} id: invalid character: expected an optional prefix of `urn:uuid:` followed by [0-9a-fA-F-]"
    ))
}

fn check_setup(params: &Value) -> Result<(), (i64, String)> {
    let members: [(&str, &[&str]); 2] = [
        (
            "sandbox",
            &["read-only", "workspace-write", "danger-full-access"],
        ),
        (
            "approvalPolicy",
            &["untrusted", "on-request", "granular", "never"],
        ),
    ];
    for (member, allowed) in members {
        if let Some(given) = params[member].as_str()
            && !allowed.contains(&given)
        {
            let allowed: Vec<String> = allowed.iter().map(|word| format!("`{word}`")).collect();
            return refuse(format!(
                "Invalid request: unknown variant `{given}`, expected one of {}",
                allowed.join(", ")
            ));
        }
    }
    let cwd = &params["cwd"];
    if cwd.is_null() || cwd.is_string() {
        return Ok(());
    }
    refuse(format!(
        "Invalid request: invalid type: integer `{cwd}`, expected a string"
    ))
}
