//! The codec of one Claude Code process: dispatch, handshake, noise.

use std::borrow::Cow;
use std::collections::HashMap;

#[cfg(test)]
use std::collections::VecDeque;
use std::sync::Arc;

use serde::Serialize;
use uuid::Uuid;

use crate::config::{HostTool, Mode};
use crate::error::ErrorKind;
use crate::event::{Body, RawJson, WarningCode};
use crate::provider::claude::background::Background;
use crate::provider::claude::change::{Changes, Servers};
use crate::provider::claude::control::{Purpose, Questions, refuse_skipped, write_request};
use crate::provider::claude::cost::Cost;
use crate::provider::claude::launch::{may_bypass, restricted};
use crate::provider::claude::message::Speech;
use crate::provider::claude::operate::Operations;
use crate::provider::claude::steer::Steers;
use crate::provider::claude::turn::Turns;
use crate::provider::claude::wire::{Head, Init, Lifecycle, Line, Text, parse, text};
use crate::provider::cut::Cut;
use crate::provider::{Codec, Conversation, LaunchPlan, Output, Request, SignalBody, TurnRef};

/// Lines of noise that are shown; further ones are counted.
const NOISE_SHOWN: u64 = 10;

/// How much of a line of noise is shown, in characters.
const NOISE_LENGTH: usize = 300;

/// How far the opening of the protocol is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Handshake {
    /// The answer to the request of this id is awaited.
    Pending(String),
    /// There is nothing to wait for.
    Done,
}

/// Reads and writes the protocol of one process, which holds one conversation.
#[derive(Debug)]
pub(super) struct ClaudeCodec {
    pub(super) mode: Mode,
    pub(super) resume: Option<String>,
    /// The session may only read.
    pub(super) restricted: bool,
    /// The host's.
    pub(super) tools: Arc<[HostTool]>,
    pub(super) servers: Servers,
    pub(super) conversation: Option<Conversation>,
    pub(super) handshake: Handshake,
    pub(super) ready: bool,
    pub(super) version: Option<String>,
    pub(super) version_told: bool,
    pub(super) session_id: Option<String>,
    pub(super) model: Option<String>,
    pub(super) turns: Turns,
    pub(super) speech: Speech,
    pub(super) background: Background,
    pub(super) cost: Cost,
    pub(super) questions: Questions,
    /// Own requests that have no answer yet.
    pub(super) pending: HashMap<String, Purpose>,
    pub(super) steers: Steers,
    pub(super) changes: Changes,
    pub(super) operations: Operations,
    /// What the agent listed at the start.
    pub(super) models: Option<RawJson>,
    pub(super) commands: Option<RawJson>,
    /// The process said that it cannot work.
    pub(super) failure: Option<(ErrorKind, String)>,
    noise: u64,
    #[cfg(test)]
    pub(super) next_ids: VecDeque<String>,
}

impl ClaudeCodec {
    pub(super) fn new(plan: &LaunchPlan<'_>) -> Self {
        Self {
            mode: plan.mode,
            resume: plan.resume.map(str::to_owned),
            restricted: restricted(plan.options),
            tools: plan.options.tools.clone().into(),
            servers: Servers {
                launched: plan.options.mcp_servers.clone(),
                ..Servers::default()
            },
            conversation: None,
            handshake: Handshake::Done,
            ready: false,
            version: None,
            version_told: false,
            session_id: None,
            model: None,
            turns: Turns::new(Conversation(0)),
            speech: Speech::default(),
            background: Background::default(),
            cost: Cost::default(),
            questions: Questions::default(),
            pending: HashMap::new(),
            steers: Steers::default(),
            changes: Changes::new(may_bypass(plan.options)),
            operations: Operations::default(),
            models: None,
            commands: None,
            failure: None,
            noise: 0,
            #[cfg(test)]
            next_ids: VecDeque::new(),
        }
    }

    /// The conversation; before it is opened, the number it will have.
    pub(super) fn place(&self) -> Conversation {
        self.conversation.unwrap_or(Conversation(0))
    }

    pub(super) fn show(&self, turn: TurnRef, body: Body, out: &mut Output) {
        out.show(self.place(), turn, body);
    }

    pub(super) fn say(&self, turn: TurnRef, body: SignalBody, out: &mut Output) {
        out.signal(self.place(), turn, body);
    }

    pub(super) fn warn(&self, turn: TurnRef, code: WarningCode, message: &str, out: &mut Output) {
        let message = message.to_owned();
        self.show(turn, Body::Warning { code, message }, out);
    }

    pub(super) fn status(&self, turn: TurnRef, state: &str, message: String, out: &mut Output) {
        let state = state.to_owned();
        self.show(turn, Body::Status { state, message }, out);
    }

    /// Passes on what is not understood.
    pub(super) fn unknown(&self, turn: TurnRef, json: &str, out: &mut Output) {
        let raw = RawJson::from_text(json);
        self.show(turn, Body::Unknown { raw }, out);
    }

    #[cfg_attr(
        not(test),
        expect(clippy::unused_self, reason = "tests say what comes next")
    )]
    pub(super) fn fresh_id(&mut self) -> String {
        #[cfg(test)]
        if let Some(id) = self.next_ids.pop_front() {
            return id;
        }
        Uuid::new_v4().to_string()
    }

    pub(super) fn set_version(&mut self, version: &str) {
        if !version.is_empty() && self.version.is_none() {
            self.version = Some(version.to_owned());
        }
    }

    fn dispatch(&mut self, line: &str, out: &mut Output) {
        match parse::<Line<'_>>(line) {
            Some(head) if text(head.kind.as_ref()) == "stream_event" => {
                self.stream_event(line, &head, out);
            }
            Some(head) => {
                let parent = head.parent_tool_use_id.as_deref();
                let kind = text(head.kind.as_ref());
                self.line_of(kind, text(head.subtype.as_ref()), parent, line, out);
            }
            // A part has a type that was not expected; what is told apart may still be known.
            None => match parse::<Head<'_>>(line) {
                Some(head) if text(head.kind.as_ref()) != "stream_event" => {
                    let kind = text(head.kind.as_ref());
                    self.line_of(kind, text(head.subtype.as_ref()), None, line, out);
                }
                Some(_) => self.unknown(self.turns.running(), line, out),
                None => self.noise(line, out),
            },
        }
    }

    fn line_of(
        &mut self,
        kind: &str,
        subtype: &str,
        parent: Option<&str>,
        line: &str,
        out: &mut Output,
    ) {
        match kind {
            "assistant" => self.assistant(line, parent, out),
            "user" => self.user(line, parent, out),
            "system" if subtype == "init" => self.init(line, out),
            "system" => self.system(subtype, line, out),
            "result" => self.result(line, out),
            "command_lifecycle" => self.lifecycle(line, out),
            "control_request" => self.control_request(line, out),
            "control_response" => self.control_response(line, out),
            "control_cancel_request" => self.control_cancel(line, out),
            "keep_alive" | "transcript_mirror" => {}
            _ => self.small_talk(kind, line, out),
        }
    }

    fn init(&mut self, line: &str, out: &mut Output) {
        let Some(init) = parse::<Init<'_>>(line) else {
            self.unknown(TurnRef::None, line, out);
            return;
        };
        if init.capabilities.is_none() {
            self.cost.counts_anew();
        }
        self.set_version(text(init.claude_code_version.as_ref()));
        if let Some(version) = self
            .version
            .clone()
            .filter(|_| self.ready && !self.version_told)
        {
            self.version_told = true;
            self.say(TurnRef::None, SignalBody::Version(version), out);
        }
        if let Some(model) = &init.model {
            self.model = Some(model.to_string());
        }
        let uuids = init.user_message_uuids.unwrap_or_default();
        let id = text(init.session_id.as_ref());
        let other = !id.is_empty() && self.session_id.as_deref() != Some(id);
        // What answers messages that nobody sent here does not name this conversation.
        let known = self.session_id.is_some() || self.resume.is_some();
        if other && !(known && self.turns.is_foreign(&uuids)) {
            self.session_id = Some(id.to_owned());
            let body = SignalBody::Bound {
                provider_session_id: id.to_owned(),
                model: self.model.clone(),
                resumed: self.resume.as_deref() == Some(id),
            };
            self.say(TurnRef::None, body, out);
        }
        let owed = self.background.owed() || self.steers.is_due() || self.operations.is_due();
        let between = self.turns.running() == TurnRef::None;
        self.turns.init(&uuids, owed, out);
        self.background.settle();
        if between && matches!(self.turns.running(), TurnRef::Agent(_)) {
            self.own_turn_began(&uuids, out);
        }
        self.report_background(out);
    }

    /// A turn of the agent's own began; old versions do not say for which message.
    fn own_turn_began(&mut self, uuids: &[Text<'_>], out: &mut Output) {
        match uuids {
            [] => {
                self.compact_started(None, out);
                self.steers.settle();
            }
            named => {
                for uuid in named {
                    self.own_started(uuid, out);
                }
            }
        }
    }

    /// The agent reads a message that is no turn of the host's.
    pub(super) fn own_started(&mut self, uuid: &str, out: &mut Output) {
        self.steer_started(uuid, out);
        self.compact_started(Some(uuid), out);
    }

    fn lifecycle(&mut self, line: &str, out: &mut Output) {
        let Some(report) = parse::<Lifecycle<'_>>(line) else {
            self.unknown(TurnRef::None, line, out);
            return;
        };
        let uuid = text(report.command_uuid.as_ref());
        match text(report.state.as_ref()) {
            "queued" => self.turns.queued(uuid, out),
            "started" => {
                self.turns.started(uuid, out);
                self.own_started(uuid, out);
            }
            "cancelled" => {
                self.turns.cancelled(uuid, out);
                self.end_steers(out);
                self.compact_cancelled(uuid, out);
            }
            // The result says it.
            "completed" => {}
            _ => self.unknown(TurnRef::None, line, out),
        }
    }

    pub(super) fn report_background(&mut self, out: &mut Output) {
        let between = self.turns.running() == TurnRef::None;
        let due = (between && self.steers.is_due()) || self.operations.is_due();
        if let Some(tasks) = self.background.changed(due) {
            self.say(TurnRef::None, SignalBody::Background { tasks }, out);
        }
    }

    fn noise(&mut self, line: &str, out: &mut Output) {
        self.noise += 1;
        if self.noise <= NOISE_SHOWN {
            let message = one_line(line, NOISE_LENGTH);
            self.warn(TurnRef::None, WarningCode::Noise, &message, out);
        }
    }
}

impl Codec for ClaudeCodec {
    fn start(&mut self, out: &mut Output) {
        if self.mode == Mode::Warm {
            let id = self.fresh_id();
            write_request(&id, "initialize", self.initialize(None), out);
            self.handshake = Handshake::Pending(id);
        }
    }

    fn request(&mut self, request: Request, out: &mut Output) {
        match request {
            Request::Open {
                conversation,
                options: _,
                resume,
                cost_usd,
            } => self.open(conversation, resume.as_deref(), cost_usd, out),
            Request::Turn { turn, message, .. } => self.send(turn, &message, out),
            Request::Interrupt {
                turn,
                keep_commands,
                ..
            } => self.interrupt(turn, keep_commands, out),
            Request::Answer {
                request, answer, ..
            } => self.answer(request, &answer, out),
            Request::Steer {
                turn,
                steer,
                message,
                ..
            } => self.steer(turn, steer, message, out),
            Request::Change { change, .. } => self.change(change, out),
            Request::Operate {
                number, operation, ..
            } => self.operate(number, &operation, out),
            // The process holds no other conversation, and the agent has nothing done by its client.
            Request::Close { .. } | Request::Served { .. } => {}
        }
    }

    fn line(&mut self, line: &[u8], out: &mut Output) {
        let line = match std::str::from_utf8(line) {
            Ok(line) => Cow::Borrowed(line),
            Err(_) => String::from_utf8_lossy(line),
        };
        let line = strip(&line);
        if line.starts_with('{') {
            self.dispatch(line, out);
            self.write_interrupt(out);
        } else if !line.is_empty() {
            self.noise(line, out);
        }
    }

    fn skipped(&mut self, head: &[u8], size: usize, out: &mut Output) {
        let head = Cut::read(head);
        match head.text("type") {
            "result" => self.result_skipped(&head, size, out),
            "user" => self.tool_result_skipped(&head, size, out),
            "control_request" => refuse_skipped(&head, size, out),
            _ => {}
        }
        self.write_interrupt(out);
    }

    fn end_of_output(&mut self, out: &mut Output) {
        let more = self.noise.saturating_sub(NOISE_SHOWN);
        if more > 0 {
            let message = format!("{more} more lines that are not the agent's protocol");
            self.warn(TurnRef::None, WarningCode::Noise, &message, out);
        }
        self.drop_steers(out);
        self.drop_changes(out);
        self.drop_operations(out);
    }
}

/// Appends one line of JSON for the agent.
pub(super) fn write_line<T: Serialize>(line: &T, out: &mut Output) {
    let start = out.bytes.len();
    if serde_json::to_writer(&mut out.bytes, line).is_ok() {
        out.bytes.push(b'\n');
    } else {
        // Half a line would end the agent. None of our types fails, though.
        out.bytes.truncate(start);
    }
}

/// Takes away what may stand around a line: a byte order mark, blanks, terminal control sequences.
fn strip(line: &str) -> &str {
    let mut rest = line.trim_matches(|c: char| c.is_ascii_whitespace() || c == '\u{feff}');
    while let Some(sequence) = rest.strip_prefix('\u{1b}') {
        let end = match sequence.as_bytes().first() {
            Some(b'[') => sequence
                .bytes()
                .skip(1)
                .position(|b| (0x40..=0x7e).contains(&b))
                .map(|at| at + 2),
            Some(b']') => sequence.find('\u{7}').map(|at| at + 1),
            Some(byte) if byte.is_ascii() => Some(1),
            Some(_) | None => None,
        };
        let Some(after) = end.and_then(|end| sequence.get(end..)) else {
            return rest;
        };
        rest = after.trim_start();
    }
    rest
}

/// The beginning of a text on one line.
pub(super) fn one_line(text: &str, most: usize) -> String {
    let mut line = String::new();
    for (at, word) in text.split_whitespace().enumerate() {
        if at > 0 {
            line.push(' ');
        }
        line.push_str(word);
        if line.len() > most * 4 {
            break;
        }
    }
    if let Some((cut, _)) = line.char_indices().nth(most) {
        line.truncate(cut);
        line.push('…');
    }
    line
}
