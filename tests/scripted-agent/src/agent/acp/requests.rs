//! The requests that the host may send to an ACP agent.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use scripted_agent::{InterruptMode, Trigger};
use serde_json::{Value, json};

use super::features::Feature;
use super::hub::{Active, Hub, Session};
use super::lines;
use super::voice::{AcpVoice, NAME};
use crate::{ids, lock, player};

/// Why a request is refused: a code, a message, more for who looks closer.
struct Refusal(i64, String, Value);

type Answer = Result<Value, Refusal>;

fn refuse<T>(code: i64, why: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal(code, why.into(), Value::Null))
}

fn invalid<T>(why: &str) -> Result<T, Refusal> {
    refuse(-32602, format!("Invalid params: {why}"))
}

/// How many sessions a page of the list has.
const PAGE: usize = 50;

pub(super) struct Server {
    hub: Arc<Hub>,
    initialized: bool,
    authenticated: bool,
}

impl Server {
    pub(super) fn new(hub: Arc<Hub>) -> Self {
        Self {
            hub,
            initialized: false,
            authenticated: false,
        }
    }

    /// Treats one message of the host.
    pub(super) fn message(&mut self, message: &Value) {
        let Some(method) = message["method"].as_str() else {
            return self.hub.answer(message);
        };
        let (id, params) = (&message["id"], &message["params"]);
        if id.is_null() {
            return self.notified(method, params);
        }
        if method != "session/prompt" {
            self.hub.agent.store.record_request(method, params);
        }
        match self.answer(method, id, params) {
            Ok(Some(result)) => {
                reply(&self.hub, id, &result);
                self.after(method, params, &result);
            }
            // The end of the turn is the answer.
            Ok(None) => {}
            Err(Refusal(code, message, data)) => self.hub.refuse(id, code, &message, &data),
        }
    }

    fn notified(&self, method: &str, params: &Value) {
        match method {
            "session/cancel" => self.cancel(params["sessionId"].as_str().unwrap_or_default()),
            "$/cancel_request" => {
                if let Some(session) = self.hub.asked_by(&params["requestId"]) {
                    self.cancel(&session);
                }
            }
            _ => {}
        }
    }

    /// Answers a request; nothing for a prompt that is taken.
    fn answer(
        &mut self,
        method: &str,
        id: &Value,
        params: &Value,
    ) -> Result<Option<Value>, Refusal> {
        let features = &self.hub.features;
        let known = match method {
            "session/load" => features.lacks(Feature::NoLoad),
            "session/resume" => features.lacks(Feature::NoResume),
            "session/list" => features.lacks(Feature::NoList),
            "session/close" => features.lacks(Feature::NoClose),
            "session/fork" => features.lacks(Feature::NoFork),
            "session/set_mode" => features.lacks(Feature::NoModes),
            "session/set_config_option" => features.lacks(Feature::NoConfig),
            "session/set_model" => features.has(Feature::Models),
            "_session/steering" => features.has(Feature::Steering),
            "initialize" | "authenticate" | "session/new" | "session/prompt" => true,
            _ => false,
        };
        if !known {
            return refuse(-32601, format!("Method not found: {method}"));
        }
        if method == "initialize" {
            return self.initialize(params).map(Some);
        }
        if !self.initialized {
            return refuse(-32600, "not initialized");
        }
        if method == "session/prompt" {
            return self.prompt(id, params).map(|()| None);
        }
        let answer = match method {
            "authenticate" => self.authenticate(params),
            "session/new" => self.create(params),
            "session/load" => self.load(params),
            "session/resume" => self.reopen(params).map(|session| self.opened(&session)),
            "session/fork" => self.fork(params),
            "session/list" => self.list(params),
            "session/close" => self.close(params),
            "session/set_mode" => self.set_mode(params),
            "session/set_config_option" => self.set_option(params),
            "session/set_model" => self.set_model(params),
            _ => self.steer(params),
        };
        answer.map(Some)
    }

    /// What follows a successful answer.
    fn after(&mut self, method: &str, params: &Value, result: &Value) {
        let session = result["sessionId"]
            .as_str()
            .or(params["sessionId"].as_str());
        let session = session.unwrap_or_default();
        match method {
            "initialize" => self.hub.agent.shake_hands(),
            "session/load" if self.hub.features.has(Feature::LateReplay) => {
                replay(&self.hub, session);
                self.hub.update(session, &lines::commands());
            }
            "session/new" | "session/load" | "session/resume" | "session/fork" => {
                self.hub.update(session, &lines::commands());
            }
            _ => {}
        }
    }

    fn initialize(&mut self, params: &Value) -> Answer {
        if !params["protocolVersion"].is_u64() {
            return invalid("protocolVersion");
        }
        self.initialized = true;
        let boolean = params.pointer("/clientCapabilities/session/configOptions/boolean");
        let booleans =
            boolean.is_some_and(|boolean| !boolean.is_null() && *boolean != json!(false));
        self.hub.booleans.store(booleans, Ordering::Relaxed);
        Ok(lines::initialized(&self.hub.features))
    }

    fn authenticate(&mut self, params: &Value) -> Answer {
        let methods = lines::auth_methods(&self.hub.features);
        if methods[0]["id"] != params["methodId"] {
            return invalid("unknown auth method");
        }
        if self.hub.features.has(Feature::NeedsLogin) {
            return refuse(-32000, "Authentication required: log in with a terminal");
        }
        self.authenticated = true;
        Ok(json!({}))
    }

    /// Checks what every opening of a session carries; gives the working directory.
    fn check_opening<'a>(
        &self,
        params: &'a Value,
        needs_servers: bool,
    ) -> Result<&'a str, Refusal> {
        let features = &self.hub.features;
        let needs = features.has(Feature::NeedsAuth) && !self.authenticated;
        if needs || features.has(Feature::NeedsLogin) {
            let data = json!({"authMethods": lines::auth_methods(features)});
            return Err(Refusal(-32000, "Authentication required".to_owned(), data));
        }
        let Some(cwd) = params["cwd"].as_str().filter(|cwd| cwd.starts_with('/')) else {
            return invalid("cwd is no absolute path");
        };
        if needs_servers && !params["mcpServers"].is_array() {
            return invalid("mcpServers is no list");
        }
        for server in params["mcpServers"].as_array().into_iter().flatten() {
            let kind = server["type"].as_str().unwrap_or("stdio");
            let lacking = match kind {
                "stdio" => false,
                "http" => features.has(Feature::NoHttp),
                "sse" => features.has(Feature::NoSse),
                _ => true,
            };
            if lacking {
                return invalid(&format!("no MCP servers over {kind}"));
            }
        }
        Ok(cwd)
    }

    fn opened(&self, id: &str) -> Value {
        let booleans = self.hub.booleans.load(Ordering::Relaxed);
        let opened = self.hub.with(id, |session| {
            lines::opened(&self.hub.features, session, booleans)
        });
        opened.unwrap_or_default()
    }

    fn create(&self, params: &Value) -> Answer {
        let cwd = self.check_opening(params, true)?;
        let id = ids::v4();
        self.hub.open(&id, Session::new(cwd));
        let mut result = self.opened(&id);
        result["sessionId"] = json!(id);
        Ok(result)
    }

    /// Opens a session of the past; gives its id.
    fn reopen(&self, params: &Value) -> Result<String, Refusal> {
        let cwd = self.check_opening(params, false)?;
        let id = session_id(params)?;
        if !self.hub.agent.store.knows(NAME, id) {
            return refuse(-32602, format!("Session not found: {id}"));
        }
        if self.hub.with(id, |_| ()).is_none() {
            self.hub.open(id, Session::new(cwd));
        }
        Ok(id.to_owned())
    }

    fn load(&self, params: &Value) -> Answer {
        self.check_opening(params, true)?;
        let session = self.reopen(params)?;
        if self.hub.features.lacks(Feature::LateReplay) {
            replay(&self.hub, &session);
        }
        Ok(self.opened(&session))
    }

    fn fork(&self, params: &Value) -> Answer {
        let cwd = self.check_opening(params, false)?;
        let from = session_id(params)?;
        if !self.hub.agent.store.knows(NAME, from) {
            return refuse(-32602, format!("Session not found: {from}"));
        }
        let id = ids::v4();
        self.hub.agent.store.fork(NAME, from, &id);
        self.hub.open(&id, Session::new(cwd));
        let mut result = self.opened(&id);
        result["sessionId"] = json!(id);
        Ok(result)
    }

    fn list(&self, params: &Value) -> Answer {
        let store = &self.hub.agent.store;
        let wanted = params["cwd"].as_str();
        let described = store.all(NAME).into_iter().filter_map(|id| {
            let past = store.kept(NAME, &id);
            let last = past.iter().rev().find(|entry| entry["cwd"].is_string())?;
            let title = store.prompts(NAME, &id).into_iter().next();
            let fits = wanted.is_none_or(|cwd| last["cwd"] == cwd);
            fits.then(|| {
                json!({"sessionId": id, "cwd": last["cwd"], "title": title, "updatedAt": last["at"]})
            })
        });
        let all: Vec<Value> = described.collect();
        let from = match params["cursor"].as_str().map(str::parse::<usize>) {
            None => 0,
            Some(Ok(from)) => from,
            Some(Err(_)) => return invalid("cursor"),
        };
        let page: Vec<&Value> = all.iter().skip(from).take(PAGE).collect();
        let next = (from + PAGE < all.len()).then(|| (from + PAGE).to_string());
        Ok(json!({"sessions": page, "nextCursor": next}))
    }

    fn close(&self, params: &Value) -> Answer {
        let id = session_id(params)?;
        self.hub.cancel(id);
        match self.hub.close(id) {
            Some(_) => Ok(json!({})),
            None => refuse(-32602, format!("Session not found: {id}")),
        }
    }

    /// Changes an open session.
    fn change<T>(
        &self,
        params: &Value,
        change: impl FnOnce(&mut Session) -> T,
    ) -> Result<T, Refusal> {
        let id = session_id(params)?;
        match self.hub.with(id, change) {
            Some(changed) => Ok(changed),
            None => refuse(-32602, format!("Session not found: {id}")),
        }
    }

    fn set_mode(&self, params: &Value) -> Answer {
        let mode = params["modeId"].as_str().unwrap_or_default();
        if !lines::MODES.iter().any(|(id, ..)| *id == mode) {
            return invalid(&format!("mode not found: {mode}"));
        }
        self.change(params, |session| mode.clone_into(&mut session.mode))?;
        self.tell_mode(params, mode);
        if self.hub.features.lacks(Feature::NoConfig) {
            let options = self.options(params)?;
            self.tell(
                params,
                &json!({"sessionUpdate": "config_option_update", "configOptions": options}),
            );
        }
        Ok(json!({}))
    }

    fn tell(&self, params: &Value, update: &Value) {
        self.hub
            .update(params["sessionId"].as_str().unwrap_or_default(), update);
    }

    fn tell_mode(&self, params: &Value, mode: &str) {
        if self.hub.features.lacks(Feature::NoModes) {
            let update = json!({"sessionUpdate": "current_mode_update", "currentModeId": mode});
            self.tell(params, &update);
        }
    }

    fn options(&self, params: &Value) -> Answer {
        let booleans = self.hub.booleans.load(Ordering::Relaxed);
        self.change(params, |session| lines::options(session, booleans))
    }

    fn set_option(&self, params: &Value) -> Answer {
        let option = params["configId"].as_str().unwrap_or_default();
        let value = params["value"].as_str().unwrap_or_default();
        let one_of = |allowed: &[(&str, &str)]| allowed.iter().any(|(known, _)| *known == value);
        let value_fits = match option {
            "model" => one_of(lines::MODELS),
            "thinking" => one_of(lines::THINKING),
            "mode" => lines::MODES.iter().any(|(id, ..)| *id == value),
            "fast" => self.hub.booleans.load(Ordering::Relaxed) && params["value"].is_boolean(),
            _ => return invalid(&format!("config option not found: {option}")),
        };
        if !value_fits {
            return invalid(&format!("bad value of {option}: {}", params["value"]));
        }
        let fast = params["value"] == json!(true);
        self.change(params, |session| match option {
            "model" => value.clone_into(&mut session.model),
            "thinking" => value.clone_into(&mut session.thinking),
            "mode" => value.clone_into(&mut session.mode),
            _ => session.fast = fast,
        })?;
        if option == "mode" {
            self.tell_mode(params, value);
        }
        Ok(json!({"configOptions": self.options(params)?}))
    }

    fn set_model(&self, params: &Value) -> Answer {
        let model = params["modelId"].as_str().unwrap_or_default();
        if !lines::MODELS.iter().any(|(id, _)| *id == model) {
            return invalid(&format!("model not found: {model}"));
        }
        self.change(params, |session| model.clone_into(&mut session.model))?;
        Ok(json!({}))
    }

    fn steer(&self, params: &Value) -> Answer {
        let active = self.change(params, |session| session.active.clone())?;
        let taken = active.is_some_and(|active| active.control.steer(params.clone()));
        Ok(if taken {
            json!({"outcome": "injected"})
        } else {
            json!({"outcome": "promptRequired", "reason": "noRunningTurn"})
        })
    }

    fn prompt(&self, id: &Value, params: &Value) -> Result<(), Refusal> {
        let session = session_id(params)?;
        let Some(blocks) = params["prompt"].as_array() else {
            return invalid("prompt is no list");
        };
        let has_images = blocks.iter().any(|block| block["type"] == "image");
        if has_images && self.hub.features.has(Feature::NoImages) {
            return invalid("no images");
        }
        if self.hub.with(session, |_| ()).is_none() {
            return refuse(-32602, format!("Session not found: {session}"));
        }
        let Some(active) = self.hub.activate(session, id) else {
            let data = json!({"code": "turn.agent_busy"});
            return Err(Refusal(-32600, "a turn is running".to_owned(), data));
        };
        play(
            &self.hub,
            session,
            active,
            lines::text_of(&params["prompt"]),
        );
        Ok(())
    }

    /// Starts a turn that nobody asked for: it has updates, and no end that a host could see.
    pub(super) fn follow_up(&self, session: &str, text: &str) {
        if let Some(active) = self.hub.activate(session, &Value::Null) {
            play(&self.hub, session, active, text.to_owned());
        }
    }

    fn cancel(&self, session: &str) {
        self.hub
            .agent
            .fire(&|trigger| *trigger == Trigger::Interrupt);
        let settings = self.hub.agent.settings();
        match settings.interrupts {
            InterruptMode::Ignore => {}
            InterruptMode::Normal | InterruptMode::Twice => self.hub.cancel(session),
            InterruptMode::Late => {
                let (hub, session) = (Arc::clone(&self.hub), session.to_owned());
                std::thread::spawn(move || {
                    std::thread::sleep(settings.interrupt_delay);
                    hub.cancel(&session);
                });
            }
        }
    }
}

/// Plays a turn on a thread of its own.
fn play(hub: &Arc<Hub>, session: &str, active: Active, prompt: String) {
    session.clone_into(&mut lock(&hub.agent.latest));
    let mut voice = AcpVoice::new(hub, session, &active, &prompt);
    let (hub, session) = (Arc::clone(hub), session.to_owned());
    std::thread::spawn(move || {
        player::play(&hub.agent, &mut voice, &active.control, &prompt, true);
        hub.over(&session, active.number);
    });
}

/// Shows again what a session has shown.
fn replay(hub: &Hub, session: &str) {
    for update in hub.agent.store.kept(NAME, session) {
        if update.get("sessionUpdate").is_some() {
            hub.update(session, &update);
        }
    }
}

fn reply(hub: &Hub, id: &Value, result: &Value) {
    let line = json!({"jsonrpc": "2.0", "id": id, "result": result});
    hub.agent.reply(line, "/id");
}

fn session_id(params: &Value) -> Result<&str, Refusal> {
    match params["sessionId"].as_str() {
        Some(id) => Ok(id),
        None => invalid("sessionId is missing"),
    }
}
