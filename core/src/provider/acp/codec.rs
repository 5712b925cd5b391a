//! The codec: one process, many conversations, told apart by the agent's session ids.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use serde_json::json;
use serde_json::value::RawValue;

use super::asking::{Elicitation, Permission};
use super::calls::{Call, Calls};
use super::client::Client;
use super::opening::{Handshake, Leaving, Opening};
use super::profile::Profile;
use super::prompt::blocks;
use super::questions::Questions;
use super::session::{Session, State};
use super::update::Heard;
use super::wire::{
    Abilities, METHOD_NOT_FOUND, Message, Place, Update, VERSION, read, write_error, write_result,
};
use crate::config::Mode;
use crate::error::ErrorKind;
use crate::event::{Body, RawJson, WarningCode};
use crate::ids::TurnId;
use crate::message::Message as Content;
use crate::provider::cut::Cut;
use crate::provider::lines::{Line, Lines, one_line};
use crate::provider::{
    Codec, Conversation, LaunchPlan, Outcome, Output, Request, SignalBody, TurnEnd, TurnRef,
};
use crate::request::{Answer, Decision, Scope};

/// So many notices wait for the first conversation.
const NOTICES: usize = 16;

/// The codec.
#[derive(Debug)]
pub(super) struct Acp {
    pub(super) profile: &'static Profile,
    pub(super) mode: Mode,
    /// Whether other sessions may use the process too.
    shared: bool,
    pub(super) handshake: Handshake,
    pub(super) can: Abilities,
    pub(super) calls: Calls,
    pub(super) questions: Questions,
    pub(super) client: Client,
    /// Conversations that wait for the agent's answer.
    pub(super) opening: BTreeMap<Conversation, Opening>,
    pub(super) sessions: BTreeMap<Conversation, Session>,
    pub(super) routes: HashMap<Box<str>, Conversation>,
    /// Conversations of the agent that were left, and of which it may still say something.
    pub(super) left: HashSet<Box<str>>,
    /// Sessions that left, until the agent has let go of their conversations.
    pub(super) leaving: BTreeMap<Conversation, Leaving>,
    lines: Lines,
    pub(super) notices: Vec<Body>,
    said_stray: bool,
}

impl Acp {
    pub(super) fn new(profile: &'static Profile, plan: &LaunchPlan<'_>) -> Self {
        Self {
            profile,
            mode: plan.mode,
            shared: plan.shared,
            handshake: Handshake::default(),
            can: Abilities::default(),
            calls: Calls::default(),
            questions: Questions::default(),
            client: Client::new(plan.options.client, profile.quirks.missing_is_empty),
            opening: BTreeMap::new(),
            sessions: BTreeMap::new(),
            routes: HashMap::new(),
            left: HashSet::new(),
            leaving: BTreeMap::new(),
            lines: Lines::default(),
            notices: Vec::new(),
            said_stray: false,
        }
    }
}

impl Codec for Acp {
    fn start(&mut self, out: &mut Output) {
        let (files, terminals) = self.client.capabilities();
        let params = json!({
            "protocolVersion": VERSION,
            "clientCapabilities": {
                "fs": files,
                "terminal": terminals,
                "elicitation": {"form": {}},
            },
            "clientInfo": {
                "name": "remuda",
                "title": "Remuda",
                "version": env!("CARGO_PKG_VERSION"),
            },
        });
        self.calls
            .write(Call::Initialize, "initialize", &params, out);
    }

    fn request(&mut self, request: Request, out: &mut Output) {
        match request {
            Request::Open {
                conversation,
                options,
                resume,
                cost_usd,
            } => {
                let opening = Opening {
                    options,
                    resume,
                    asked_for_login: false,
                    cost: cost_usd,
                };
                self.opening.insert(conversation, opening);
                self.open(conversation, out);
            }
            Request::Turn {
                conversation,
                turn,
                message,
            } => self.turn(conversation, turn, &message, out),
            Request::Interrupt {
                conversation,
                turn,
                keep_commands: _,
            } => {
                let runs = |s: &Session| s.place().turn == turn;
                if self.sessions.get(&conversation).is_some_and(runs) {
                    self.interrupt(conversation, out);
                }
            }
            Request::Steer {
                conversation,
                turn,
                steer,
                message,
            } => self.steer(conversation, (turn, steer), &message, out),
            Request::Change {
                conversation,
                change,
            } => self.change(conversation, change, out),
            Request::Operate {
                conversation,
                number,
                operation,
            } => self.operate(conversation, number, &operation, out),
            Request::Close { conversation } => self.close(conversation, out),
            Request::Served {
                conversation,
                request,
                outcome,
            } => self.client.served(conversation, request, outcome, out),
            Request::Answer {
                conversation,
                request,
                answer,
            } => self.answer(conversation, request, &answer, out),
        }
    }

    fn line(&mut self, line: &[u8], out: &mut Output) {
        match self.lines.look(line) {
            Line::Nothing => {}
            Line::Noise(warning) => self.announce(*warning, out),
            Line::Object(text) => self.object(&text, out),
        }
    }

    fn skipped(&mut self, head: &[u8], size: usize, out: &mut Output) {
        self.skip(&Cut::read(head), size, out);
    }

    /// The agent says nothing on its way out. That all turns are over is core's to say; what else
    /// waits for an answer has one.
    fn end_of_output(&mut self, out: &mut Output) {
        self.abandon(out);
    }
}

impl Acp {
    fn object(&mut self, text: &str, out: &mut Output) {
        let Ok(message) = serde_json::from_str::<Message<'_>>(text) else {
            if let Line::Noise(warning) = self.lines.noise(text) {
                self.announce(*warning, out);
            }
            return;
        };
        match (message.method.as_deref(), message.id) {
            (Some("session/update"), None) => self.update(message.params, text, out),
            (Some(method), Some(id)) => self.question(method, id, message.params, out),
            (Some(method), None) => self.notification(method, message.params, text, out),
            (None, Some(id)) => self.response(id, &message, out),
            // Some agents answer so to a line that they could not read.
            (None, None) => match message.error {
                Some(error) => self.stray(error.get(), out),
                None => self.unknown(text, out),
            },
        }
    }

    /// Takes an update. This is the path that nearly every line takes.
    fn update(&mut self, params: Option<&RawValue>, line: &str, out: &mut Output) {
        let place: Option<Place<'_>> = read(params);
        let Some((place, raw)) = place.and_then(|p| p.update.map(|raw| (p, raw))) else {
            return self.unknown(line, out);
        };
        let conversation = self.routes.get(&*place.session_id).copied();
        let session = conversation.and_then(|c| self.sessions.get_mut(&c));
        let Some(session) = session else {
            if !self.calls.forks() && !self.left.contains(&*place.session_id) {
                self.stray("an update of a session that is not open", out);
            }
            return;
        };
        if session.is_ready() {
            return session.update(self.profile, raw, line, out);
        }
        let heard = session.settle_update(raw);
        if heard == Heard::Commands && matches!(session.state, State::Replaying) {
            let conversation = session.conversation;
            self.settle(conversation, out);
        }
    }

    fn notification(
        &mut self,
        method: &str,
        params: Option<&RawValue>,
        line: &str,
        out: &mut Output,
    ) {
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct TakenBack<'a> {
            #[serde(borrow)]
            request_id: &'a RawValue,
        }
        match method {
            "$/cancel_request" => {
                if let Some(taken) = read::<TakenBack<'_>>(params)
                    && !self.client.taken_back(taken.request_id, out)
                {
                    self.questions.taken_back(taken.request_id, out);
                }
            }
            // Nothing of it was asked for, or it is an extension, which nobody has to know.
            "elicitation/complete" | "auth/status_update" => {}
            _ if method.starts_with(['_', '$']) => {}
            _ => self.unknown(line, out),
        }
    }

    /// The agent asks something. What nobody can answer is refused at once, or the turn hangs.
    fn question(
        &mut self,
        method: &str,
        id: &RawValue,
        params: Option<&RawValue>,
        out: &mut Output,
    ) {
        if self.client.offers(method) {
            let request = self.questions.number();
            let place = self.asker(params).map(|session| session.place());
            return self.client.call((method, id), request, place, params, out);
        }
        let asked = match method {
            "session/request_permission" => self.permission(id, params, out),
            "elicitation/create" => self.elicitation(id, params, out),
            _ => None,
        };
        if asked.is_none() {
            write_error(&mut out.bytes, id, METHOD_NOT_FOUND, "not supported");
        }
    }

    fn permission(
        &mut self,
        id: &RawValue,
        params: Option<&RawValue>,
        out: &mut Output,
    ) -> Option<()> {
        let profile = self.profile;
        // A yes for one session is none for the others.
        let narrow = self.shared && profile.quirks.always_for_all;
        let permission: Permission<'_> = read(params)?;
        let call: Update<'_> = read(permission.tool_call)?;
        let session = self.asker(params)?;
        let place = session.place();
        session.speech.flush(place, out);
        if let Some(running) = &mut session.running {
            running.gave = true;
        }
        let tool = call.tool_call_id.as_deref().map(str::to_owned);
        let call = session.tools.ask(profile, place, &call, out)?;
        let mut asks = permission.read(profile, call);
        asks.decisions.retain(|d| !(narrow && *d == profile.always));
        let (scope, input) = (Scope::Once, None);
        let yes = Answer::Allow { scope, input };
        if call.own && asks.decisions.contains(&Decision::AllowOnce) {
            // What the host's own tools do is the host's to judge, when they are called.
            write_result(&mut out.bytes, id, &asks.reply.result(&yes));
            return Some(());
        }
        self.questions.ask(id, place, tool, asks, params?, out);
        Some(())
    }

    fn elicitation(
        &mut self,
        id: &RawValue,
        params: Option<&RawValue>,
        out: &mut Output,
    ) -> Option<()> {
        let elicitation: Elicitation<'_> = read(params)?;
        let asks = elicitation.read()?;
        let place = self.asker(params)?.place();
        let tool = elicitation.tool_call_id;
        self.questions.ask(id, place, tool, asks, params?, out);
        Some(())
    }

    /// The conversation in which something is asked.
    fn asker(&mut self, params: Option<&RawValue>) -> Option<&mut Session> {
        let place: Place<'_> = read(params)?;
        let conversation = self.routes.get(&*place.session_id)?;
        let session = self.sessions.get_mut(conversation)?;
        session.is_ready().then_some(session)
    }

    /// Starts a turn.
    fn turn(
        &mut self,
        conversation: Conversation,
        turn: TurnId,
        message: &Content,
        out: &mut Output,
    ) {
        let session = self.sessions.get_mut(&conversation);
        let refused = match session.filter(|s| s.is_ready()) {
            None => (
                ErrorKind::Internal,
                "the conversation is not open".to_owned(),
            ),
            Some(session) => match blocks(message, &self.can) {
                Ok(blocks) => return session.prompt(turn, &blocks, &mut self.calls, out),
                Err(why) => (ErrorKind::Unsupported, why),
            },
        };
        let (code, message) = refused;
        let end = Box::new(TurnEnd {
            outcome: Outcome::Failed { code, message },
            ..TurnEnd::default()
        });
        out.signal(conversation, TurnRef::Host(turn), SignalBody::Ended(end));
        self.leave_if_done(conversation, out);
    }

    pub(super) fn interrupt(&mut self, conversation: Conversation, out: &mut Output) {
        let session = self.sessions.get_mut(&conversation);
        if session.is_some_and(|session| session.cancel(out)) {
            // Gemini 0.61.0 does not end its turn before it has these answers.
            self.questions.cancel(conversation, out);
            self.client.turn_ends(conversation, out);
        }
    }

    fn steer(
        &mut self,
        conversation: Conversation,
        (turn, steer): (TurnId, u64),
        message: &Content,
        out: &mut Output,
    ) {
        let runs = |s: &&mut Session| s.running.as_ref().is_some_and(|r| r.turn == turn);
        let session = self.sessions.get_mut(&conversation).filter(runs);
        let refused = match (session, blocks(message, &self.can)) {
            (None, _) => "the turn is over".to_owned(),
            (Some(_), Err(why)) => why,
            (Some(_), Ok(_)) if !self.can.steering => {
                "this agent takes no message into a running turn".to_owned()
            }
            (Some(session), Ok(blocks)) => {
                let params = json!({
                    "sessionId": &*session.id,
                    "prompt": blocks,
                    // Without this it would begin a turn that nobody asked for.
                    "_meta": {"steering": {"idleBehavior": "promptRequired"}},
                });
                let call = Call::Steer(conversation, turn, steer);
                return self.calls.write(call, "_session/steering", &params, out);
            }
        };
        let refused = Some(refused);
        let steered = SignalBody::Steered { steer, refused };
        out.signal(conversation, TurnRef::Host(turn), steered);
    }

    /// Tells every conversation, or the first one to come.
    pub(super) fn announce(&mut self, body: Body, out: &mut Output) {
        let all = self.sessions.keys().chain(self.opening.keys());
        let mut all: Vec<_> = all.copied().collect();
        all.sort();
        all.dedup();
        if all.is_empty() && self.notices.len() < NOTICES {
            self.notices.push(body);
            return;
        }
        for conversation in all {
            out.show(conversation, TurnRef::None, body.clone());
        }
    }

    /// Something that belongs to nothing: said once.
    pub(super) fn stray(&mut self, what: &str, out: &mut Output) {
        if !std::mem::replace(&mut self.said_stray, true) {
            let message = one_line(&format!("the agent says what belongs to nothing: {what}"));
            let code = WarningCode::Agent;
            self.announce(Body::Warning { code, message }, out);
        }
    }

    fn unknown(&mut self, line: &str, out: &mut Output) {
        let raw = RawJson::from_text(line);
        self.announce(Body::Unknown { raw }, out);
    }

    /// The options of a conversation, for what is decided by them.
    pub(super) fn options(
        &self,
        conversation: Conversation,
    ) -> Option<Arc<crate::config::SessionOptions>> {
        let session = self.sessions.get(&conversation)?;
        Some(Arc::clone(&session.options))
    }
}
