//! The app-server's codec: one process, many conversations.
//!
//! Everything is routed by thread id. What is about the connection goes to every conversation, or
//! waits for the first.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use serde_json::json;
use serde_json::value::RawValue;

use super::approval::{Asked, Questions};
use super::asking::Known;
use super::calls::{Call, Calls};
use super::delta::Deltas;
use super::failure::one_line;
use super::notification::NOT_WANTED;
use super::opening::{Handshake, Opening};
use super::thread::Thread;
use super::turn::bare_end;
use super::wire::{Delta, DeltaKind, Message, read, read_delta, write_error};
use crate::error::ErrorKind;
use crate::event::{Body, WarningCode};
use crate::ids::TurnId;
use crate::message::Message as Content;
use crate::provider::cut::Cut;
use crate::provider::lines::{Line, Lines};
use crate::provider::{Codec, Conversation, Outcome, Output, Request, SignalBody, TurnRef};

/// So many notices wait for the first conversation.
const NOTICES: usize = 16;
/// So many unknown threads are told apart.
const STRANGERS: usize = 256;
/// JSON-RPC: the method does not exist.
pub(super) const METHOD_NOT_FOUND: i64 = -32601;

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
    pub(super) handshake: Handshake,
    pub(super) version: Option<String>,
    lines: Lines,
    pub(super) calls: Calls,
    pub(super) questions: Questions,
    deltas: Deltas,
    pub(super) opening: BTreeMap<Conversation, Opening>,
    pub(super) threads: BTreeMap<Conversation, Thread>,
    pub(super) routes: HashMap<Box<str>, Route>,
    strangers: HashSet<Box<str>>,
    /// Threads that were left and are not closed yet, and the conversation that they were.
    pub(super) closing: HashMap<Box<str>, Option<Conversation>>,
    /// Conversations that were closed while they were being opened.
    pub(super) abandoned: HashSet<Conversation>,
    pub(super) notices: Vec<Body>,
    pub(super) said_stray_response: bool,
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
                let tries = 0;
                let opening = Opening {
                    options,
                    resume,
                    tries,
                };
                self.opening.insert(conversation, opening);
                self.open(conversation, out);
            }
            Request::Turn {
                conversation,
                turn,
                message,
            } => {
                if let Some(thread) = self.threads.get_mut(&conversation) {
                    thread.start(turn, message, &mut self.calls, out);
                } else {
                    let code = ErrorKind::Internal;
                    let message = "the conversation is not open".to_owned();
                    let end = bare_end(Outcome::Failed { code, message });
                    out.signal(conversation, TurnRef::Host(turn), SignalBody::Ended(end));
                }
            }
            Request::Interrupt {
                conversation,
                turn,
                keep_commands,
            } => {
                if let Some(thread) = self.threads.get_mut(&conversation) {
                    thread.interrupt(turn, keep_commands, &mut self.calls, out);
                }
            }
            Request::Steer {
                conversation,
                turn,
                steer,
                message,
            } => self.steer(conversation, (turn, steer), message, out),
            Request::Change {
                conversation,
                change,
            } => self.change(conversation, change, out),
            Request::Operate {
                conversation,
                number,
                operation,
            } => self.operate(conversation, number, operation, out),
            Request::Close { conversation } => self.close(conversation, out),
            // The agent has nothing done by its client.
            Request::Served { .. } => {}
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

    fn skipped(&mut self, head: &[u8], size: usize, out: &mut Output) {
        self.skip(&Cut::read(head), size, out);
    }

    /// The agent says nothing on its way out. That all turns are over is core's to say; what else
    /// waits for an answer has one.
    fn end_of_output(&mut self, out: &mut Output) {
        self.abandon(out);
    }
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

    fn steer(
        &mut self,
        conversation: Conversation,
        (turn, steer): (TurnId, u64),
        message: Arc<Content>,
        out: &mut Output,
    ) {
        if let Some(thread) = self.threads.get_mut(&conversation) {
            thread.steer(turn, steer, message, &mut self.calls, out);
        } else {
            let refused = Some("the conversation is not open".to_owned());
            let steered = SignalBody::Steered { steer, refused };
            out.signal(conversation, TurnRef::Host(turn), steered);
        }
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
            let known = Known::default();
            Some(Asked {
                method,
                id,
                asking,
                raw,
                known,
            })
        });
        if !asked.is_some_and(|asked| self.ask(asked, out)) {
            write_error(&mut out.bytes, id, METHOD_NOT_FOUND, "not supported");
        }
    }

    /// `false`: nobody is there to answer.
    fn ask(&mut self, mut asked: Asked<'_>, out: &mut Output) -> bool {
        let Some(thread_id) = asked.asking.thread_id.as_deref() else {
            return false;
        };
        let Some(route) = self.routes.get(thread_id) else {
            return false;
        };
        let Some(thread) = self.threads.get(&route.conversation) else {
            return false;
        };
        let (turn, ledger) = match thread.children.get(thread_id) {
            Some(child) => (child.turn, &child.ledger),
            None => match asked.asking.turn_id.as_deref() {
                Some(id) => (thread.turn_of(id), &thread.ledger),
                None => (thread.current(), &thread.ledger),
            },
        };
        let item = asked.asking.item_id.as_deref();
        let server = asked.asking.server();
        asked.known = Known {
            paths: item.map(|id| ledger.paths_of(id)).unwrap_or_default(),
            own_server: server.is_some_and(|s| thread.options.mcp_servers.contains_key(s)),
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

    /// What this thread says concerns nobody.
    pub(super) fn ignore(&mut self, thread: &str) {
        if self.strangers.len() < STRANGERS {
            self.strangers.insert(thread.into());
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
