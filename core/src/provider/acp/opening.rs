//! Conversations come and go: the handshake, logging in, opening, settling, and leaving.

use std::collections::VecDeque;
use std::sync::Arc;

use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::calls::Call;
use super::codec::Acp;
use super::failure::{open_kind, text};
use super::session::{Session, State};
use super::settings::{Offers, Refusal, Step};
use super::wire::{Abilities, LOGIN_REQUIRED, RpcError, read};
use crate::config::{McpServer, Mode, SessionOptions};
use crate::error::ErrorKind;
use crate::provider::{Conversation, Output, SignalBody, TurnRef};

/// So many conversations that were left are remembered.
const REMEMBERED: usize = 1024;

/// The state of the handshake.
#[derive(Debug, Default)]
pub(super) enum Handshake {
    #[default]
    Open,
    Done,
    Failed(String),
}

/// A conversation that is being opened.
#[derive(Debug)]
pub(super) struct Opening {
    pub options: Arc<SessionOptions>,
    pub resume: Option<String>,
    pub asked_for_login: bool,
    /// What the conversation has cost before, in US dollars.
    pub cost: f64,
}

/// What is waited for of a session that has left.
#[derive(Debug)]
pub(super) struct Leaving {
    /// The end of its turn.
    pub runs: bool,
    /// The answer to `session/close`.
    pub closes: bool,
    /// The answer that the agent goes on with this conversation, or does not.
    pub resumes: Option<Box<str>>,
}

impl Acp {
    /// Opens a conversation, as soon as the handshake is over.
    pub(super) fn open(&mut self, conversation: Conversation, out: &mut Output) {
        for notice in std::mem::take(&mut self.notices) {
            out.show(conversation, TurnRef::None, notice);
        }
        match &self.handshake {
            Handshake::Open => {}
            Handshake::Failed(message) => {
                let message = message.clone();
                self.opening.remove(&conversation);
                out.signal(conversation, TurnRef::None, SignalBody::Broken { message });
            }
            Handshake::Done => {
                if let Err((code, message)) = self.ask_to_open(conversation, out) {
                    self.opening.remove(&conversation);
                    let refused = SignalBody::Refused { code, message };
                    out.signal(conversation, TurnRef::None, refused);
                }
            }
        }
    }

    fn ask_to_open(&mut self, conversation: Conversation, out: &mut Output) -> Result<(), Refusal> {
        if !self.can.resume && !self.can.load {
            out.signal(conversation, TurnRef::None, SignalBody::Forgets);
        }
        let Some(opening) = self.opening.get(&conversation) else {
            return Ok(());
        };
        let options = Arc::clone(&opening.options);
        let mut params = json!({
            "cwd": options.cwd.to_string_lossy(),
            "mcpServers": mcp_servers(&options, &self.can)?,
        });
        let Some(id) = opening.resume.clone() else {
            let call = Call::Open(conversation);
            self.calls.write(call, "session/new", &params, out);
            return Ok(());
        };
        // Without replay where that can be had: the host has seen the history.
        let method = match (self.can.resume, self.can.load) {
            (true, _) => "session/resume",
            (false, true) => "session/load",
            (false, false) => {
                let why = "resume: this agent cannot go on with a conversation in a new process";
                return Err((ErrorKind::Unsupported, why.to_owned()));
            }
        };
        params["sessionId"] = id.as_str().into();
        let cost = opening.cost;
        self.take_over(conversation, &id)?;
        let mut session = Session::new(conversation, &id, options, true);
        // Some go on counting from there.
        session.cost = (cost > 0.0).then_some(cost);
        self.routes.insert(id.into(), conversation);
        self.sessions.insert(conversation, session);
        self.calls
            .write(Call::Open(conversation), method, &params, out);
        Ok(())
    }

    /// Takes a conversation of the agent from the session that had it: one that left the process
    /// and came back.
    fn take_over(&mut self, conversation: Conversation, id: &str) -> Result<(), Refusal> {
        let Some(old) = self.routes.get(id).copied().filter(|c| *c != conversation) else {
            return Ok(());
        };
        if self.sessions.get(&old).is_some_and(|s| s.running.is_some()) {
            let why = "the conversation runs a turn for another session".to_owned();
            return Err((ErrorKind::ResumeFailed, why));
        }
        self.sessions.remove(&old);
        Ok(())
    }

    /// `initialize` was answered.
    pub(super) fn greeted(
        &mut self,
        result: Option<&RawValue>,
        error: Option<&RpcError>,
        out: &mut Output,
    ) {
        let read = match error {
            Some(error) => Err(text(error)),
            None => Abilities::read(result),
        };
        match read {
            Ok(can) => {
                self.can = can;
                self.handshake = Handshake::Done;
            }
            Err(why) => self.handshake = Handshake::Failed(format!("initialize: {why}")),
        }
        let waiting: Vec<_> = self.opening.keys().copied().collect();
        for conversation in waiting {
            self.open(conversation, out);
        }
    }

    /// The conversation was opened, or not.
    pub(super) fn opened(
        &mut self,
        conversation: Conversation,
        result: Option<&RawValue>,
        error: Option<&RpcError>,
        out: &mut Output,
    ) {
        if error.is_some_and(|error| self.log_in(conversation, error, out)) {
            return;
        }
        let mut answer: Value = read(result).unwrap_or_default();
        let Some(opening) = self.opening.remove(&conversation) else {
            let id = answer["sessionId"].as_str();
            return self.opened_too_late(conversation, id, error.is_none(), out);
        };
        let resumed = opening.resume.is_some();
        if let Some(error) = error {
            let refusal = (open_kind(resumed, error), text(error));
            return self.refuse(conversation, refusal, out);
        }
        if !resumed {
            let Some(id) = answer["sessionId"].as_str() else {
                let message = "the answer names no session".to_owned();
                let refusal = (ErrorKind::ProtocolError, message);
                return self.refuse(conversation, refusal, out);
            };
            let session = Session::new(conversation, id, opening.options, false);
            self.routes.insert(id.into(), conversation);
            self.sessions.insert(conversation, session);
        }
        let replays = self.profile.quirks.replay_after_answer && resumed && !self.can.resume;
        let Some(session) = self.sessions.get_mut(&conversation) else {
            return;
        };
        session.offers = Offers::read(&mut answer);
        session.state = State::Replaying;
        if !replays || session.commands.is_some() {
            self.settle(conversation, out);
        }
    }

    /// Asks for a login, if that is what is missing and one can be had without a user.
    fn log_in(&mut self, conversation: Conversation, error: &RpcError, out: &mut Output) -> bool {
        let Some(opening) = self.opening.get_mut(&conversation) else {
            return false;
        };
        let login = self.profile.login;
        let login = login.filter(|l| l.for_new || opening.resume.is_some());
        let Some(login) = login.filter(|_| error.code == LOGIN_REQUIRED) else {
            return false;
        };
        if std::mem::replace(&mut opening.asked_for_login, true) {
            return false;
        }
        let params = json!({"methodId": login.method});
        let call = Call::Login(conversation);
        self.calls.write(call, "authenticate", &params, out);
        true
    }

    /// What has to be set in a conversation that the agent has opened.
    pub(super) fn settle(&mut self, conversation: Conversation, out: &mut Output) {
        let Some(session) = self.sessions.get_mut(&conversation) else {
            return;
        };
        match session.offers.first_steps(self.profile, &session.options) {
            Ok(steps) => {
                session.state = State::Settling(VecDeque::from(steps));
                self.settle_on(conversation, out);
            }
            Err(refusal) => self.refuse(conversation, refusal, out),
        }
    }

    /// The next setting; after the last one the conversation is ready.
    pub(super) fn settle_on(&mut self, conversation: Conversation, out: &mut Output) {
        let Some(session) = self.sessions.get_mut(&conversation) else {
            return;
        };
        let State::Settling(steps) = &mut session.state else {
            return;
        };
        if let Some(step) = steps.pop_front() {
            let params = step.params(&session.id);
            let method = step.method();
            let call = Call::Set(conversation, step);
            return self.calls.write(call, method, &params, out);
        }
        session.state = State::Ready;
        let bound = SignalBody::Bound {
            provider_session_id: session.id.to_string(),
            model: session.offers.model().map(str::to_owned),
            resumed: session.resumed,
        };
        session.say(bound, out);
        let version = self.can.version.clone();
        session.say(SignalBody::Ready { version }, out);
    }

    /// A setting was answered.
    pub(super) fn set(
        &mut self,
        conversation: Conversation,
        step: &Step,
        result: Option<&RawValue>,
        error: Option<&RpcError>,
        out: &mut Output,
    ) {
        let Some(session) = self.sessions.get_mut(&conversation) else {
            return;
        };
        if let Some(error) = error {
            if session.is_ready() {
                return self.step_refused(conversation, error, out);
            }
            let why = format!("{}: {}", step.method(), text(error));
            return self.refuse(conversation, (ErrorKind::InvalidArgument, why), out);
        }
        session.offers.done(step);
        let mut answer: Value = read(result).unwrap_or_default();
        session.offers.set_options(answer["configOptions"].take());
        if session.is_ready() {
            self.step_made(conversation, out);
        } else {
            self.settle_on(conversation, out);
        }
    }

    /// The conversation cannot be had.
    fn refuse(&mut self, conversation: Conversation, refusal: Refusal, out: &mut Output) {
        if let Some(session) = self.forget(conversation)
            && !matches!(session.state, State::Opening)
        {
            self.leave(&session.id, None, out);
        }
        let (code, message) = refusal;
        let refused = SignalBody::Refused { code, message };
        out.signal(conversation, TurnRef::None, refused);
    }

    /// A session leaves: its turn ends, and the agent lets go of the conversation, if it can.
    pub(super) fn close(&mut self, conversation: Conversation, out: &mut Output) {
        self.interrupt(conversation, out);
        self.questions.cancel(conversation, out);
        self.client.leave(conversation, out);
        self.opening.remove(&conversation);
        // One that is only being begun nobody else can have.
        let Some(session) = self.forget(conversation) else {
            return out.left.push(conversation);
        };
        let opening = matches!(session.state, State::Opening);
        let closes = !opening && self.leave(&session.id, Some(conversation), out);
        let leaving = Leaving {
            runs: session.running.is_some(),
            closes,
            resumes: opening.then_some(session.id),
        };
        self.leaving.insert(conversation, leaving);
        self.let_go(conversation, |_| (), out);
    }

    /// A conversation was opened, or not, for a session that has left.
    fn opened_too_late(
        &mut self,
        conversation: Conversation,
        new: Option<&str>,
        opened: bool,
        out: &mut Output,
    ) {
        let leaving = self.leaving.get_mut(&conversation);
        let old = leaving.and_then(|leaving| leaving.resumes.take());
        let id = old.as_deref().or(new).filter(|_| opened);
        let closes = id.is_some_and(|id| self.leave(id, Some(conversation), out));
        self.let_go(conversation, |leaving| leaving.closes = closes, out);
    }

    /// Something is over that was waited for. With the last of it the agent has let go.
    pub(super) fn let_go(
        &mut self,
        conversation: Conversation,
        over: impl FnOnce(&mut Leaving),
        out: &mut Output,
    ) {
        let Some(leaving) = self.leaving.get_mut(&conversation) else {
            return;
        };
        over(leaving);
        if !leaving.runs && !leaving.closes && leaving.resumes.is_none() {
            self.leaving.remove(&conversation);
            out.left.push(conversation);
        }
    }

    fn forget(&mut self, conversation: Conversation) -> Option<Session> {
        let session = self.sessions.remove(&conversation)?;
        if self.routes.get(&session.id) == Some(&conversation) {
            self.routes.remove(&session.id);
        }
        Some(session)
    }

    /// Lets the agent forget a conversation that it keeps on the disk. `true`: it will say when it has,
    /// and `conversation` waits for that.
    pub(super) fn leave(
        &mut self,
        id: &str,
        conversation: Option<Conversation>,
        out: &mut Output,
    ) -> bool {
        if self.left.len() < REMEMBERED {
            self.left.insert(id.into());
        }
        if self.can.close {
            let params = json!({"sessionId": id});
            let call = Call::Close(conversation);
            self.calls.write(call, "session/close", &params, out);
        }
        self.can.close
    }

    /// A process of one turn has done it.
    pub(super) fn leave_if_done(&mut self, conversation: Conversation, out: &mut Output) {
        match self.mode {
            Mode::Warm => {}
            Mode::OneShot => {
                if let Some(session) = self.sessions.get(&conversation) {
                    let id = session.id.clone();
                    self.leave(&id, None, out);
                }
                out.close_stdin = true;
            }
        }
    }
}

/// The MCP servers of a session. Every agent wants the list, even an empty one.
fn mcp_servers(options: &SessionOptions, can: &Abilities) -> Result<Value, Refusal> {
    let pairs = |pairs: &std::collections::BTreeMap<String, String>| -> Value {
        let pairs = pairs.iter();
        pairs
            .map(|(name, value)| json!({"name": name, "value": value}))
            .collect()
    };
    let mut servers = Vec::new();
    for (name, server) in &options.mcp_servers {
        servers.push(match server {
            McpServer::Stdio { command, args, env } => {
                json!({"name": name, "command": command, "args": args, "env": pairs(env)})
            }
            McpServer::Http { .. } if !can.mcp_http => {
                let why = format!("mcp_servers: {name}: this agent takes none over HTTP");
                return Err((ErrorKind::Unsupported, why));
            }
            McpServer::Http { url, headers } => {
                json!({"type": "http", "name": name, "url": url, "headers": pairs(headers)})
            }
        });
    }
    Ok(servers.into())
}
