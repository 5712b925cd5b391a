//! Commands that print what one turn gives: one process, one turn.
//!
//! The prompt goes to stdin, which then ends. There are no questions, and no interrupt but a signal.

mod gemini;
mod opencode;

use serde_json::{Value, from_str};

use super::profile::Print;
use super::prompt::plain;
use super::speech::Speech;
use super::tool::{Place, about};
use crate::error::ErrorKind;
use crate::event::{Body, RawJson, ToolKind, Usage};
use crate::ids::TurnId;
use crate::message::Message;
use crate::provider::lines::{Line, Lines, one_line};
use crate::provider::one_turn::{ONE_TURN, decline};
use crate::provider::{
    AgentSignal, Codec, Conversation, Outcome, Output, Request, SignalBody, TurnEnd, TurnRef,
};

/// The codec.
#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one thing that was seen or not"
)]
pub(super) struct Printed {
    print: Print,
    conversation: Option<Conversation>,
    resume: Option<String>,
    model: Option<String>,
    /// The turn, from its request until its end.
    turn: Option<TurnId>,
    over: Option<TurnId>,
    bound: bool,
    interrupted: bool,
    /// Whether what was printed so far is a whole turn, if no more comes.
    whole: bool,
    /// Whether a tool of this step was refused, which may end the turn.
    refused: bool,
    lines: Lines,
    speech: Speech,
    text: Option<String>,
    usage: Option<Usage>,
    cost: Option<f64>,
}

impl Printed {
    pub(super) fn new(print: Print) -> Self {
        Self {
            print,
            conversation: None,
            resume: None,
            model: None,
            turn: None,
            over: None,
            bound: false,
            interrupted: false,
            whole: false,
            refused: false,
            lines: Lines::default(),
            speech: Speech::default(),
            text: None,
            usage: None,
            cost: None,
        }
    }
}

impl Codec for Printed {
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
            Line::Object(text) => match from_str::<Value>(&text) {
                Ok(event) => {
                    let understood = match self.print {
                        Print::Gemini => self.gemini(&event, out),
                        Print::OpenCode => self.opencode(&event, out),
                    };
                    if understood.is_none() {
                        let raw = RawJson::from_text(&text);
                        self.show(Body::Unknown { raw }, out);
                    }
                }
                Err(_) => {
                    if let Line::Noise(warning) = self.lines.noise(&text) {
                        self.show(*warning, out);
                    }
                }
            },
        }
    }

    fn end_of_output(&mut self, out: &mut Output) {
        if self.whole {
            self.end(Outcome::Completed, out);
        } else if self.interrupted {
            self.end(Outcome::Interrupted, out);
        }
    }

    /// Only stderr says that there is no such conversation.
    fn last_words(&mut self, stderr: &str, out: &mut Output) {
        let lost = [
            "Error resuming session",
            "Invalid session identifier",
            "Session not found",
            "NotFoundError",
        ];
        let lost = |line: &&str| lost.iter().any(|part| line.contains(part));
        let Some(line) = stderr.lines().find(lost) else {
            return;
        };
        if self.resume.is_none() || self.bound {
            return;
        }
        let (code, message) = (ErrorKind::ResumeFailed, one_line(line));
        match (self.turn, self.conversation) {
            (Some(_), _) => self.end(Outcome::Failed { code, message }, out),
            // It ended before it was given the turn.
            (None, Some(conversation)) => {
                let refused = SignalBody::Refused { code, message };
                out.signal(conversation, TurnRef::None, refused);
            }
            (None, None) => {}
        }
    }
}

impl Printed {
    /// Writes the prompt, or ends the turn if it cannot be one.
    fn send(&mut self, message: &Message, out: &mut Output) {
        out.close_stdin = true;
        match plain(message) {
            Ok(prompt) => out.bytes.extend_from_slice(prompt.as_bytes()),
            Err(why) => {
                let (code, message) = (ErrorKind::Unsupported, format!("{why}: {ONE_TURN}"));
                self.end(Outcome::Failed { code, message }, out);
            }
        }
    }

    /// The agent names its conversation, once or in every line.
    fn name(&mut self, id: &str, out: &mut Output) {
        let Some(conversation) = self.conversation else {
            return;
        };
        if std::mem::replace(&mut self.bound, true) {
            return;
        }
        let bound = SignalBody::Bound {
            provider_session_id: id.to_owned(),
            model: self.model.clone(),
            resumed: self.resume.as_deref() == Some(id),
        };
        out.signal(conversation, TurnRef::None, bound);
    }

    /// A tool was used.
    fn used(&mut self, id: &str, name: &str, input: &Value, out: &mut Output) {
        let body = Body::ToolUse {
            id: id.to_owned(),
            name: name.to_owned(),
            kind: kind_of(name),
            title: one_line(about(input).unwrap_or(name)),
            input: RawJson::from_text(&input.to_string()),
            parent: None,
        };
        self.show(body, out);
    }

    /// A tool ended.
    fn result(&mut self, id: &str, is_error: bool, text: &str, out: &mut Output) {
        let body = Body::ToolResult {
            id: id.to_owned(),
            is_error,
            text: text.to_owned(),
            output: None,
            parent: None,
        };
        self.show(body, out);
    }

    /// Ends the turn, once.
    fn end(&mut self, outcome: Outcome, out: &mut Output) {
        let (Some(turn), Some(place)) = (self.turn, self.place()) else {
            return;
        };
        let said = self.speech.turn_over(place, out);
        self.turn = None;
        self.over = Some(turn);
        let end = TurnEnd {
            outcome,
            text: said.or_else(|| self.text.take()),
            usage: self.usage.take(),
            cost_usd: self.cost.take(),
            model: self.model.clone(),
            ..TurnEnd::default()
        };
        place_signal(place, SignalBody::Ended(Box::new(end)), out);
    }

    fn place(&self) -> Option<Place> {
        let turn = self.turn.or(self.over);
        Some(Place {
            conversation: self.conversation?,
            turn: turn.map_or(TurnRef::None, TurnRef::Host),
        })
    }

    fn sign(&self, out: &mut Output) {
        if let Some(place) = self.place() {
            place_signal(place, SignalBody::Taken, out);
        }
    }

    fn show(&self, body: Body, out: &mut Output) {
        if let Some(place) = self.place() {
            place.show(body, out);
        }
    }
}

fn place_signal(place: Place, body: SignalBody, out: &mut Output) {
    out.signal(place.conversation, place.turn, body);
}

/// The tools that these two agents have, by their names.
fn kind_of(name: &str) -> ToolKind {
    match name {
        "run_shell_command" | "bash" => ToolKind::Shell,
        "read_file" | "read_many_files" | "read" => ToolKind::Read,
        "write_file" | "replace" | "write" | "edit" | "patch" => ToolKind::Edit,
        "glob" | "grep" | "grep_search" | "search_file_content" | "list_directory" | "list" => {
            ToolKind::Search
        }
        "web_fetch" | "google_web_search" | "webfetch" | "websearch" => ToolKind::Fetch,
        "task" => ToolKind::Agent,
        "write_todos" | "todowrite" | "todoread" => ToolKind::Plan,
        _ => ToolKind::Other,
    }
}
