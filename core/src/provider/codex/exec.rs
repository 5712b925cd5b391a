//! `codex exec --json`: one process, one turn.
//!
//! The prompt goes to stdin, which then ends. There are no pieces of text, no questions, and no
//! interrupt but a signal.

use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, from_str};

use super::failure::{kind_by_text, one_line, open_kind};
use super::input::prompt;
use super::item::{Item, read_item};
use super::ledger::{Ledger, Scope};
use super::usage::Tokens;
use crate::error::ErrorKind;
use crate::event::{Body, RawJson, ToolKind};
use crate::host_tools;
use crate::ids::TurnId;
use crate::message::Message;
use crate::provider::cut::{Cut, unread};
use crate::provider::lines::{Line, Lines};
use crate::provider::one_turn::{ONE_TURN, decline};
use crate::provider::{
    AgentSignal, Codec, Conversation, Outcome, Output, Request, SignalBody, TurnEnd, TurnRef,
};

/// The codec.
#[derive(Debug, Default)]
pub(super) struct Exec {
    conversation: Option<Conversation>,
    model: Option<String>,
    resume: Option<String>,
    /// The turn, from its request until its end.
    turn: Option<TurnId>,
    /// Whether the agent opened its thread.
    begun: bool,
    interrupted: bool,
    over: Option<TurnId>,
    lines: Lines,
    ledger: Ledger,
    text: Option<String>,
    /// What the names of the host's own tools begin with, if there are any.
    own_tools: Option<String>,
}

impl Codec for Exec {
    fn start(&mut self, _out: &mut Output) {}

    fn request(&mut self, request: Request, out: &mut Output) {
        match request {
            Request::Open {
                conversation,
                options,
                resume,
                cost_usd: _,
            } => {
                self.conversation = Some(conversation);
                self.model.clone_from(&options.model);
                self.resume = resume;
                let own = !options.tools.is_empty();
                self.own_tools = own.then(|| format!("{}.", host_tools::SERVER));
                let ready = SignalBody::Ready { version: None };
                out.signal(conversation, TurnRef::None, ready);
            }
            Request::Turn {
                conversation: _,
                turn,
                message,
            } => {
                self.turn = Some(turn);
                self.send(&message, out);
            }
            Request::Interrupt { turn, .. } => {
                if self.turn.map(TurnRef::Host) == Some(turn) {
                    self.interrupted = true;
                    out.kill = Some(AgentSignal::Interrupt);
                }
            }
            other @ (Request::Answer { .. }
            | Request::Served { .. }
            | Request::Close { .. }
            | Request::Steer { .. }
            | Request::Change { .. }
            | Request::Operate { .. }) => decline(&other, out),
        }
    }

    fn line(&mut self, line: &[u8], out: &mut Output) {
        match self.lines.look(line) {
            Line::Nothing => {}
            Line::Noise(warning) => self.show(*warning, out),
            // By way of a value: web searches have the key `id` twice, and the last one counts.
            Line::Object(text) => match from_str::<Value>(&text) {
                Ok(event) => {
                    if self.event(&event, out).is_none() {
                        let raw = RawJson::from_text(&text);
                        self.show(Body::Unknown { raw }, out);
                    }
                }
                Err(_) if from_str::<&RawValue>(&text).is_ok() => {
                    let raw = RawJson::from_text(&text);
                    self.show(Body::Unknown { raw }, out);
                }
                Err(_) => {
                    if let Line::Noise(warning) = self.lines.noise(&text) {
                        self.show(*warning, out);
                    }
                }
            },
        }
    }

    fn skipped(&mut self, head: &[u8], size: usize, out: &mut Output) {
        let head = Cut::read(head);
        match head.text("type") {
            "turn.completed" | "turn.failed" => {
                let code = ErrorKind::ProtocolError;
                let message = unread("the end of the turn", size);
                self.end(Outcome::Failed { code, message }, None, out);
            }
            "item.completed" => {
                if let Some(scope) = self.scope() {
                    self.ledger.unread(scope, head.text("item.id"), size, out);
                }
            }
            _ => {}
        }
    }

    /// An interrupted process says nothing more. That any other one ended too early is core's to
    /// say, except why it did not begin.
    fn end_of_output(&mut self, out: &mut Output) {
        if self.interrupted {
            self.end(Outcome::Interrupted, None, out);
        }
    }

    /// That the thread is not there is said on stderr alone, and nothing of the turn was said.
    fn last_words(&mut self, stderr: &str, out: &mut Output) {
        if self.resume.is_none() || self.begun {
            return;
        }
        let mut errors = stderr.lines().filter_map(|l| l.strip_prefix("Error: "));
        let lost = errors.find(|error| open_kind(true, error) == ErrorKind::ResumeFailed);
        if let Some(error) = lost {
            let code = ErrorKind::ResumeFailed;
            let message = one_line(error);
            match (self.turn, self.conversation) {
                (Some(_), _) => self.end(Outcome::Failed { code, message }, None, out),
                // It ended before it was given the turn.
                (None, Some(conversation)) => {
                    let refused = SignalBody::Refused { code, message };
                    out.signal(conversation, TurnRef::None, refused);
                }
                (None, None) => {}
            }
        }
    }
}

impl Exec {
    /// Writes the prompt, or ends the turn if it cannot be one.
    fn send(&mut self, message: &Message, out: &mut Output) {
        out.close_stdin = true;
        let refused = match prompt(message) {
            Ok(_) if message.output_schema.is_some() => "an output schema".to_owned(),
            Ok(prompt) => return out.bytes.extend_from_slice(prompt.as_bytes()),
            Err(why) => why,
        };
        let code = ErrorKind::Unsupported;
        let message = format!("{refused}: {ONE_TURN}");
        self.end(Outcome::Failed { code, message }, None, out);
    }

    /// Takes an event. `None`: it is not understood.
    fn event(&mut self, event: &Value, out: &mut Output) -> Option<()> {
        match event["type"].as_str()? {
            "thread.started" => self.bound(event["thread_id"].as_str()?, out),
            "turn.started" => self.signal(SignalBody::Taken, out),
            "item.started" => self.item(event, ItemStage::Started, out)?,
            "item.updated" => self.item(event, ItemStage::Updated, out)?,
            "item.completed" => self.item(event, ItemStage::Completed, out)?,
            "turn.completed" => {
                let usage = self.usage(&event["usage"]);
                self.end(Outcome::Completed, usage, out);
            }
            "turn.failed" => {
                let message = event["error"]["message"].as_str()?;
                let code = kind_by_text(message);
                let message = one_line(message);
                self.end(Outcome::Failed { code, message }, None, out);
            }
            "error" => self.error(event["message"].as_str()?, out),
            _ => return None,
        }
        Some(())
    }

    fn bound(&mut self, thread: &str, out: &mut Output) {
        self.begun = true;
        let Some(conversation) = self.conversation else {
            return;
        };
        let bound = SignalBody::Bound {
            provider_session_id: thread.to_owned(),
            model: self.model.clone(),
            resumed: self.resume.as_deref() == Some(thread),
        };
        out.signal(conversation, TurnRef::None, bound);
    }

    fn item(&mut self, event: &Value, stage: ItemStage, out: &mut Output) -> Option<()> {
        let raw = to_raw_value(event.get("item")?).ok()?;
        let (id, mut item) = read_item(&raw)?;
        if let (Item::Tool(tool), Some(own)) = (&mut item, &self.own_tools)
            && let Some(name) = tool.name.strip_prefix(own).map(str::to_owned)
        {
            tool.kind = ToolKind::Host;
            tool.title.clone_from(&name);
            tool.name = name;
        }
        let scope = self.scope()?;
        match (stage, item) {
            (_, Item::Unknown) => return None,
            (ItemStage::Started, item) => self.ledger.started(scope, &id, item, out),
            (ItemStage::Updated, item) => Ledger::updated(scope, item, out),
            (ItemStage::Completed, item) => {
                if let Some(said) = self.ledger.completed(scope, &id, item, out) {
                    self.text = Some(said.text);
                }
            }
        }
        Some(())
    }

    /// The agent counts for the life of the thread. What a resumed one had used before is not
    /// known, so of its turn nothing is.
    fn usage(&self, usage: &Value) -> Option<crate::event::Usage> {
        if self.resume.is_some() {
            return None;
        }
        let tokens: Tokens = serde_json::from_value(usage.clone()).ok()?;
        Some(tokens.usage())
    }

    /// A try failed, or the turn; of that `turn.failed` tells.
    fn error(&mut self, message: &str, out: &mut Output) {
        if message.starts_with("Reconnecting") {
            let state = "retrying".to_owned();
            let message = one_line(message);
            self.show(Body::Status { state, message }, out);
        }
    }

    /// Ends the turn, once.
    fn end(&mut self, outcome: Outcome, usage: Option<crate::event::Usage>, out: &mut Output) {
        let (Some(turn), Some(conversation)) = (self.turn.take(), self.conversation) else {
            return;
        };
        self.over = Some(turn);
        let end = TurnEnd {
            outcome,
            text: self.text.take(),
            usage,
            model: self.model.clone(),
            ..TurnEnd::default()
        };
        let ended = SignalBody::Ended(Box::new(end));
        out.signal(conversation, TurnRef::Host(turn), ended);
    }

    fn turn_ref(&self) -> TurnRef {
        self.turn.or(self.over).map_or(TurnRef::None, TurnRef::Host)
    }

    fn scope(&self) -> Option<Scope<'static>> {
        Some(Scope {
            conversation: self.conversation?,
            turn: self.turn_ref(),
            parent: None,
        })
    }

    fn signal(&self, body: SignalBody, out: &mut Output) {
        if let Some(scope) = self.scope() {
            out.signal(scope.conversation, scope.turn, body);
        }
    }

    fn show(&self, body: Body, out: &mut Output) {
        self.signal(SignalBody::Show(body), out);
    }
}

/// A stage of an item.
#[derive(Clone, Copy, Debug)]
enum ItemStage {
    Started,
    Updated,
    Completed,
}
