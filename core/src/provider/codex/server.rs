//! The app-server's codec: one process, many conversations.
//!
//! Everything is routed by thread id. What is about the connection goes to every conversation, or
//! waits for the first.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use super::approval::{Asked, Questions};
use super::calls::{Call, Calls};
use super::delta::Deltas;
use super::failure::{one_line, open_kind};
use super::lines::{Line, Lines};
use super::notification::NOT_WANTED;
use super::options::open_params;
use super::thread::Thread;
use super::turn::{WireTurn, bare_end};
use super::usage::Meter;
use super::wire::{
    Delta, DeltaKind, Message, RpcError, Text, read, read_delta, write_error, write_notification,
};
use crate::config::SessionOptions;
use crate::error::ErrorKind;
use crate::event::{Body, WarningCode};
use crate::provider::{Codec, Conversation, Outcome, Output, Request, SignalBody, TurnRef};

/// So many notices wait for the first conversation.
const NOTICES: usize = 16;
/// So many unknown threads are told apart.
const STRANGERS: usize = 256;
/// JSON-RPC: the method does not exist.
const METHOD_NOT_FOUND: i64 = -32601;

/// The state of the handshake.
#[derive(Debug, Default)]
enum Handshake {
    #[default]
    Open,
    Done,
    Failed(String),
}

/// A conversation that is being opened.
#[derive(Debug)]
struct Opening {
    options: Arc<SessionOptions>,
    resume: Option<String>,
}

/// Whose thread it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Route {
    pub conversation: Conversation,
    /// Whether it is a sub-agent's.
    pub child: bool,
}

/// The codec.
#[derive(Debug, Default)]
pub(super) struct AppServer {
    handshake: Handshake,
    version: Option<String>,
    lines: Lines,
    pub(super) calls: Calls,
    pub(super) questions: Questions,
    deltas: Deltas,
    opening: BTreeMap<Conversation, Opening>,
    pub(super) threads: BTreeMap<Conversation, Thread>,
    pub(super) routes: HashMap<Box<str>, Route>,
    strangers: HashSet<Box<str>>,
    notices: Vec<Body>,
    said_stray_response: bool,
}

impl Codec for AppServer {
    fn start(&mut self, out: &mut Output) {
        let params = json!({
            "clientInfo": {
                "name": "remuda",
                "title": "Remuda",
                "version": env!("CARGO_PKG_VERSION"),
            },
            "capabilities": {
                "experimentalApi": true,
                "optOutNotificationMethods": NOT_WANTED,
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
                cost_usd: _,
            } => {
                self.opening
                    .insert(conversation, Opening { options, resume });
                self.open(conversation, out);
            }
            Request::Turn {
                conversation,
                turn,
                text,
            } => {
                if let Some(thread) = self.threads.get_mut(&conversation) {
                    thread.start(turn, text, &mut self.calls, out);
                } else {
                    let code = ErrorKind::Internal;
                    let message = "the conversation is not open".to_owned();
                    let end = bare_end(Outcome::Failed { code, message });
                    out.signal(conversation, TurnRef::Host(turn), SignalBody::Ended(end));
                }
            }
            Request::Interrupt { conversation } => {
                if let Some(thread) = self.threads.get_mut(&conversation) {
                    thread.interrupt(&mut self.calls, out);
                }
            }
            Request::Answer {
                conversation,
                request,
                answer,
            } => {
                self.questions.answer(conversation, request, &answer, out);
            }
        }
    }

    fn line(&mut self, line: &[u8], out: &mut Output) {
        match self.lines.look(line) {
            Line::Nothing => {}
            Line::Noise(warning) => self.announce(*warning, out),
            Line::Object(text) => {
                if let Some((kind, delta)) = read_delta(&text) {
                    self.delta(kind, &delta, out);
                } else {
                    self.object(&text, out);
                }
            }
        }
    }

    /// The agent says nothing on its way out, and neither does this: that all turns are over is
    /// core's to say.
    fn end_of_output(&mut self, _out: &mut Output) {}
}

impl AppServer {
    fn object(&mut self, text: &str, out: &mut Output) {
        let Ok(message) = serde_json::from_str::<Message<'_>>(text) else {
            if let Line::Noise(warning) = self.lines.noise(text) {
                self.announce(*warning, out);
            }
            return;
        };
        match (&message.method, message.id) {
            (Some(method), Some(id)) => self.question(method, id, message.params, out),
            (Some(method), None) => self.notification(method, message.params, text, out),
            (None, Some(id)) => self.response(id, &message, out),
            (None, None) => self.unknown(None, text, out),
        }
    }

    /// Shows a piece of text. This is the path that nearly every line takes.
    pub(super) fn delta(&mut self, kind: DeltaKind, delta: &Delta<'_>, out: &mut Output) {
        let Some(route) = self.routes.get(&*delta.thread_id).copied() else {
            self.stranger(&delta.thread_id, out);
            return;
        };
        let Some(thread) = self.threads.get_mut(&route.conversation) else {
            return;
        };
        let mut scope = thread.scope(thread.turn_of(&delta.turn_id));
        let mut ledger = &mut thread.ledger;
        if route.child
            && let Some(child) = thread.children.get_mut(&*delta.thread_id)
        {
            scope.turn = child.turn;
            scope.parent = Some(&child.parent);
            ledger = &mut child.ledger;
        }
        match kind {
            DeltaKind::Message => {}
            DeltaKind::Reasoning => ledger.reasoning_shown(&delta.item_id),
            DeltaKind::ToolOutput => ledger.output_shown(&delta.item_id),
        }
        self.deltas
            .show(kind, scope, &delta.item_id, &delta.text, out);
        thread.resend_interrupt(&mut self.calls, out);
    }

    /// The next piece of text is not merged with the last one.
    pub(super) fn cut_deltas(&mut self) {
        self.deltas.cut();
    }

    /// Opens a conversation, as soon as the handshake is over.
    fn open(&mut self, conversation: Conversation, out: &mut Output) {
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
                let Some(opening) = self.opening.get(&conversation) else {
                    return;
                };
                let resume = opening.resume.as_deref();
                let params = open_params(&opening.options, resume);
                let method = if resume.is_some() {
                    "thread/resume"
                } else {
                    "thread/start"
                };
                self.calls
                    .write(Call::Open(conversation), method, &params, out);
            }
        }
    }

    fn response(&mut self, id: &RawValue, message: &Message<'_>, out: &mut Output) {
        let error = message.error.map(RpcError::read);
        match self.calls.answered(id.get()) {
            Some(Call::Initialize) => self.greeted(message.result, error, out),
            Some(Call::Open(conversation)) => {
                self.opened(conversation, message.result, error, out);
            }
            Some(Call::Turn(conversation, turn)) => {
                let Some(thread) = self.threads.get_mut(&conversation) else {
                    return;
                };
                if let Some(error) = error {
                    thread.not_taken(turn, &error, out);
                } else {
                    let started: Option<Started<'_>> = read(message.result);
                    thread.taken(turn, started.as_ref().map(|s| &*s.turn.id), out);
                    thread.resend_interrupt(&mut self.calls, out);
                }
            }
            Some(Call::Interrupt(conversation)) => {
                if let (Some(thread), Some(error)) = (self.threads.get_mut(&conversation), error) {
                    thread.interrupt_refused(&error, &mut self.calls, out);
                }
            }
            None => {
                if !std::mem::replace(&mut self.said_stray_response, true) {
                    let message = format!("an answer to a request that is not open: {}", id.get());
                    self.warn(WarningCode::Agent, &message, out);
                }
            }
        }
    }

    /// `initialize` was answered.
    fn greeted(&mut self, result: Option<&RawValue>, error: Option<RpcError>, out: &mut Output) {
        if let Some(error) = error {
            let message = format!("initialize: {}", one_line(&error.message));
            let waiting: Vec<_> = self.opening.keys().copied().collect();
            self.handshake = Handshake::Failed(message);
            for conversation in waiting {
                self.open(conversation, out);
            }
            return;
        }
        let greeting: Option<Greeting<'_>> = read(result);
        self.version = greeting.and_then(|g| version_of(&g.user_agent));
        self.handshake = Handshake::Done;
        write_notification(&mut out.bytes, "initialized");
        let waiting: Vec<_> = self.opening.keys().copied().collect();
        for conversation in waiting {
            self.open(conversation, out);
        }
    }

    /// `thread/start` or `thread/resume` was answered.
    fn opened(
        &mut self,
        conversation: Conversation,
        result: Option<&RawValue>,
        error: Option<RpcError>,
        out: &mut Output,
    ) {
        let Some(opening) = self.opening.remove(&conversation) else {
            return;
        };
        let resumed = opening.resume.is_some();
        let opened: Option<Opened<'_>> = read(result);
        let (error, opened) = match (error, opened) {
            (None, Some(opened)) => (None, Some(opened)),
            (Some(e), _) => (
                Some((open_kind(resumed, &e.message), one_line(&e.message))),
                None,
            ),
            (None, None) => {
                let message = "the answer names no thread".to_owned();
                (Some((ErrorKind::ProtocolError, message)), None)
            }
        };
        if let Some((code, message)) = error {
            let refused = SignalBody::Refused { code, message };
            out.signal(conversation, TurnRef::None, refused);
        }
        let Some(opened) = opened else { return };
        let id = &*opened.thread.id;
        if let Some(message) = self.leave(id) {
            let code = ErrorKind::ResumeFailed;
            let refused = SignalBody::Refused { code, message };
            out.signal(conversation, TurnRef::None, refused);
            return;
        }
        let meter = if resumed {
            Meter::default()
        } else {
            Meter::from_zero()
        };
        let model = opened.model.map(|m| m.to_string());
        let mode = opening.options.permission_mode;
        let thread = Thread::new(conversation, id, mode, model.clone(), meter);
        self.routes.insert(
            id.into(),
            Route {
                conversation,
                child: false,
            },
        );
        self.threads.insert(conversation, thread);
        let bound = SignalBody::Bound {
            provider_session_id: id.to_owned(),
            model,
            resumed,
        };
        out.signal(conversation, TurnRef::None, bound);
        let version = self.version.clone();
        out.signal(conversation, TurnRef::None, SignalBody::Ready { version });
    }

    /// Takes a thread from the conversation that had it: a session that left the process and came
    /// back is another conversation. Gives back why that cannot be.
    fn leave(&mut self, thread_id: &str) -> Option<String> {
        let old = self.routes.get(thread_id)?.conversation;
        if self.threads.get(&old).is_some_and(Thread::is_busy) {
            return Some("the conversation runs a turn for another session".to_owned());
        }
        self.threads.remove(&old);
        self.routes.retain(|_, route| route.conversation != old);
        None
    }

    /// The server asks something. What nobody can answer is refused at once, or the turn hangs.
    fn question(
        &mut self,
        method: &str,
        id: &RawValue,
        params: Option<&RawValue>,
        out: &mut Output,
    ) {
        let asked = params.and_then(|raw| {
            let asking = read(Some(raw))?;
            Some(Asked {
                method,
                id,
                asking,
                raw,
            })
        });
        if !asked.is_some_and(|asked| self.ask(&asked, out)) {
            write_error(&mut out.bytes, id, METHOD_NOT_FOUND, "not supported");
        }
    }

    /// `false`: nobody is there to answer.
    fn ask(&mut self, asked: &Asked<'_>, out: &mut Output) -> bool {
        let Some(thread_id) = asked.asking.thread_id.as_deref() else {
            return false;
        };
        let Some(route) = self.routes.get(thread_id) else {
            return false;
        };
        let Some(thread) = self.threads.get(&route.conversation) else {
            return false;
        };
        let turn = match thread.children.get(thread_id) {
            Some(child) => child.turn,
            None => match asked.asking.turn_id.as_deref() {
                Some(id) => thread.turn_of(id),
                None => thread.current(),
            },
        };
        self.questions.ask(route.conversation, turn, asked, out)
    }

    /// A thread that nobody opened spoke: says so once, where it is clear to whom.
    pub(super) fn stranger(&mut self, thread: &str, out: &mut Output) {
        if self.strangers.len() >= STRANGERS || !self.strangers.insert(thread.into()) {
            return;
        }
        let mut conversations = self.threads.keys();
        if let (Some(only), None) = (conversations.next(), conversations.next()) {
            let state = "other_thread".to_owned();
            let message = "another thread of the agent works; it is not shown".to_owned();
            out.show(*only, TurnRef::None, Body::Status { state, message });
        }
    }

    /// Tells every conversation, or the first one to come.
    pub(super) fn announce(&mut self, body: Body, out: &mut Output) {
        let all: Vec<_> = self
            .threads
            .keys()
            .chain(self.opening.keys())
            .copied()
            .collect();
        if all.is_empty() && self.notices.len() < NOTICES {
            self.notices.push(body);
            return;
        }
        for conversation in all {
            out.show(conversation, TurnRef::None, body.clone());
        }
    }

    pub(super) fn warn(&mut self, code: WarningCode, message: &str, out: &mut Output) {
        let message = one_line(message);
        self.announce(Body::Warning { code, message }, out);
    }
}

/// The answer to `initialize`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Greeting<'a> {
    #[serde(borrow)]
    user_agent: Text<'a>,
}

/// The answer to `turn/start`.
#[derive(Deserialize)]
struct Started<'a> {
    #[serde(borrow)]
    turn: WireTurn<'a>,
}

/// The answer to `thread/start` and `thread/resume`.
#[derive(Deserialize)]
struct Opened<'a> {
    #[serde(borrow)]
    thread: OpenedThread<'a>,
    #[serde(borrow, default)]
    model: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct OpenedThread<'a> {
    #[serde(borrow)]
    id: Text<'a>,
}

/// The version in `remuda/0.169.0 (Debian …) …`.
fn version_of(user_agent: &str) -> Option<String> {
    let (_, rest) = user_agent.split_once('/')?;
    Some(rest.split(' ').next()?.to_owned())
}
