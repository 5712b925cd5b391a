//! Plays captures through a codec, and writes signals down.

use std::fmt::Write;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::config::{HostTool, Mode, SessionOptions};
use crate::event::{Body, RawJson};
use crate::ids::TurnId;
use crate::operation::Operation;
use crate::provider::claude::codec::ClaudeCodec;
use crate::provider::{
    AgentRequest, Asked, Codec, Conversation, LaunchPlan, Output, Request, Signal, SignalBody,
    TurnRef,
};
use crate::request::Answer;

pub(super) const HERE: Conversation = Conversation(0);

pub(super) fn folder() -> PathBuf {
    PathBuf::from(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../tests/captures/claude"
    ))
}

/// Every file of the folder, as its path in it.
pub(super) fn files() -> Vec<String> {
    let mut open = vec![folder()];
    let mut all = Vec::new();
    while let Some(path) = open.pop() {
        if path.is_dir() {
            let entries = std::fs::read_dir(&path).expect("captures");
            open.extend(entries.map(|entry| entry.expect("a capture").path()));
        } else {
            let inside = path.strip_prefix(folder()).expect("it is inside");
            all.push(inside.to_str().expect("UTF-8").to_owned());
        }
    }
    all.sort();
    all
}

/// All captures, as `version/scenario`: what is neither the page about them nor a stored session.
///
/// Whatever is put into the folder is among them, and then the tests play it.
pub(super) fn scenarios() -> Vec<String> {
    let files = files().into_iter();
    let captures = files.filter(|f| f != "README.md" && !f.starts_with("transcripts/"));
    let name = |file: String| {
        let name = file.strip_suffix(".jsonl").expect("only captures here");
        assert_eq!(name.split('/').count(), 2, "{name}: not version/scenario");
        name.to_owned()
    };
    captures.map(name).collect()
}

pub(super) fn capture(scenario: &str) -> String {
    let path = folder().join(format!("{scenario}.jsonl"));
    std::fs::read_to_string(path).expect("the capture is readable")
}

/// The lines of the agent in a capture.
pub(super) fn agent_lines(capture: &str) -> impl Iterator<Item = &str> {
    capture.lines().filter_map(|line| line.strip_prefix("< "))
}

pub(super) fn options() -> SessionOptions {
    SessionOptions::new("claude", "/project")
}

pub(super) fn codec_of(mode: Mode, options: &SessionOptions, resume: Option<&str>) -> ClaudeCodec {
    ClaudeCodec::new(&LaunchPlan {
        mode,
        options,
        resume,
        back_to: None,
    })
}

pub(super) fn codec(mode: Mode, resume: Option<&str>) -> ClaudeCodec {
    codec_of(mode, &options(), resume)
}

/// Feeds one line.
pub(super) fn hear(codec: &mut ClaudeCodec, line: &Value) -> Output {
    let mut out = Output::default();
    codec.line(line.to_string().as_bytes(), &mut out);
    out
}

pub(super) fn ask(codec: &mut ClaudeCodec, request: Request) -> Output {
    let mut out = Output::default();
    codec.request(request, &mut out);
    out
}

/// The lines written to the agent.
pub(super) fn lines(out: &Output) -> Vec<Value> {
    let text = std::str::from_utf8(&out.bytes).expect("text");
    assert!(text.is_empty() || text.ends_with('\n'), "only whole lines");
    let parse = |line| serde_json::from_str(line).expect("JSON");
    text.lines().map(parse).collect()
}

pub(super) fn said(out: &Output) -> String {
    written(out.signals.iter())
}

pub(super) fn init(session: &str) -> Value {
    json!({"type": "system", "subtype": "init", "session_id": session, "model": "m",
        "claude_code_version": "2.1.197"})
}

pub(super) fn result() -> Value {
    json!({"type": "result", "subtype": "success", "is_error": false, "total_cost_usd": 0.5})
}

/// Of the host's first turn.
pub(super) fn interrupt(keep_commands: bool) -> Request {
    interrupt_of(TurnRef::Host(TurnId::from_raw(1)), keep_commands)
}

pub(super) fn interrupt_of(turn: TurnRef, keep_commands: bool) -> Request {
    Request::Interrupt {
        conversation: HERE,
        turn,
        keep_commands,
    }
}

/// A one-shot codec with turn 1 sent under the uuid `u1`.
pub(super) fn sent() -> ClaudeCodec {
    let mut codec = one_shot();
    codec.next_ids.push_back("u1".to_owned());
    ask(&mut codec, turn(1, "hi"));
    codec
}

/// A one-shot codec with turn 1 running.
pub(super) fn running() -> ClaudeCodec {
    let mut codec = sent();
    hear(&mut codec, &init("s"));
    codec
}

pub(super) fn answer(request: u64, answer: Answer) -> Request {
    Request::Answer {
        conversation: HERE,
        request: AgentRequest(request),
        answer,
    }
}

pub(super) fn steer(turn: u64, steer: u64, text: &str) -> Request {
    Request::Steer {
        conversation: HERE,
        turn: TurnId::from_raw(turn),
        steer,
        message: Arc::new(text.into()),
    }
}

pub(super) fn operate(number: u64, operation: Operation) -> Request {
    Request::Operate {
        conversation: HERE,
        number,
        operation: Arc::new(operation),
    }
}

/// A tool of the host: `add`.
pub(super) fn tools() -> Vec<HostTool> {
    vec![HostTool {
        name: "add".to_owned(),
        description: "Adds".to_owned(),
        input_schema: RawJson::from_text(r#"{"type":"object"}"#),
    }]
}

/// The questions among the signals.
pub(super) fn asked(out: &Output) -> Vec<&Asked> {
    out.signals
        .iter()
        .filter_map(|signal| match &signal.body {
            SignalBody::Asked(asked) => Some(&**asked),
            _ => None,
        })
        .collect()
}

/// What the agent answers to a request of the codec.
pub(super) fn success(id: &str, response: impl Into<Value>) -> Value {
    json!({"type": "control_response", "response": {"subtype": "success", "request_id": id,
        "response": response.into()}})
}

/// A codec with an open conversation that takes turns.
pub(super) fn one_shot() -> ClaudeCodec {
    let mut codec = codec(Mode::OneShot, None);
    codec.start(&mut Output::default());
    codec.request(open(None), &mut Output::default());
    codec
}

pub(super) fn open(resume: Option<&str>) -> Request {
    Request::Open {
        conversation: HERE,
        options: Arc::new(options()),
        resume: resume.map(str::to_owned),
        cost_usd: 0.0,
    }
}

pub(super) fn turn(number: u64, text: &str) -> Request {
    Request::Turn {
        conversation: HERE,
        turn: TurnId::from_raw(number),
        message: std::sync::Arc::new(text.into()),
    }
}

pub(super) fn deny(request: AgentRequest, message: &str) -> Request {
    Request::Answer {
        conversation: HERE,
        request,
        answer: Answer::Deny {
            message: message.to_owned(),
            interrupt: false,
        },
    }
}

/// Plays a capture: the agent's lines as they are, the host's as the requests they stand for.
pub(super) struct Player {
    pub codec: ClaudeCodec,
    pub outputs: Vec<Output>,
    /// One output for all lines, or one for each.
    whole: bool,
    asked: Vec<(String, AgentRequest)>,
    pub turns: u64,
    busy: bool,
}

impl Player {
    pub(super) fn play(scenario: &str, whole: bool) -> Self {
        let capture = capture(scenario);
        let first = capture.lines().find_map(|line| line.strip_prefix("> "));
        let first: Value = serde_json::from_str(first.unwrap_or("null")).unwrap_or_default();
        let warm = first["request"]["subtype"] == "initialize";
        let resume = capture.lines().next().and_then(|spawn| {
            let (_, rest) = spawn.split_once("--resume ")?;
            rest.split_whitespace().next()
        });
        let mode = if warm { Mode::Warm } else { Mode::OneShot };
        let mut player = Self {
            codec: codec(mode, resume),
            outputs: vec![Output::default()],
            whole,
            asked: Vec::new(),
            turns: 0,
            busy: false,
        };
        if warm {
            player.force_id(&first["request_id"]);
        }
        player.call(Codec::start);
        player.call(|codec, out| codec.request(open(resume), out));
        for line in capture.lines() {
            match line.split_at_checked(2) {
                Some(("> ", line)) => player.host(line),
                Some(("< ", line)) => player.agent(line),
                _ => {}
            }
        }
        player.call(Codec::end_of_output);
        player
    }

    pub(super) fn signals(&self) -> impl Iterator<Item = &Signal> {
        self.outputs.iter().flat_map(|output| &output.signals)
    }

    fn call(&mut self, call: impl FnOnce(&mut ClaudeCodec, &mut Output)) {
        if !self.whole {
            self.outputs.push(Output::default());
        }
        let output = self.outputs.last_mut().expect("there is one");
        let before = output.signals.len();
        call(&mut self.codec, output);
        for signal in &output.signals[before..] {
            if let (SignalBody::Ended(_), TurnRef::Host(_)) = (&signal.body, signal.turn) {
                self.busy = false;
            }
        }
    }

    fn force_id(&mut self, id: &Value) {
        let id = id.as_str().expect("an id").to_owned();
        self.codec.next_ids.push_back(id);
    }

    fn agent(&mut self, line: &str) {
        let count = self.signals().count();
        self.call(|codec, out| codec.line(line.as_bytes(), out));
        let asked = self
            .signals()
            .skip(count)
            .find_map(|signal| match &signal.body {
                SignalBody::Asked(asked) => Some(asked.request),
                _ => None,
            });
        if let Some(request) = asked {
            let line: Value = serde_json::from_str(line).expect("a request is JSON");
            let id = line["request_id"].as_str().expect("an id").to_owned();
            self.asked.push((id, request));
        }
    }

    /// Turns what the host wrote into a request. What the codec would not write is left out.
    fn host(&mut self, line: &str) {
        let Ok(line) = serde_json::from_str::<Value>(line) else {
            return;
        };
        let response = &line["response"];
        if line["type"] == "user" && line["uuid"].is_string() {
            self.prompt(&line);
        } else if line["request"]["subtype"] == "interrupt" {
            self.force_id(&line["request_id"]);
            let sent = TurnRef::Host(TurnId::from_raw(self.turns));
            self.call(|codec, out| {
                let turn = match codec.turns.running() {
                    TurnRef::None => sent,
                    running => running,
                };
                codec.request(interrupt_of(turn, false), out);
            });
            self.codec.next_ids.clear();
        } else if response["response"]["behavior"] == "deny" {
            let id = response["request_id"].as_str().expect("an id");
            let request = self.asked.iter().find(|(asked, _)| asked == id);
            let request = request.expect("the question came").1;
            let message = response["response"]["message"].as_str().expect("why");
            self.call(|codec, out| codec.request(deny(request, message), out));
        }
    }

    /// The library has one turn of the host at a time; others of the capture are strangers.
    fn prompt(&mut self, line: &Value) {
        let Some(text) = line["message"]["content"].as_str().filter(|_| !self.busy) else {
            return;
        };
        self.busy = true;
        self.turns += 1;
        let number = self.turns;
        self.force_id(&line["uuid"]);
        self.call(|codec, out| codec.request(turn(number, text), out));
    }
}

/// Signals as text, one per line, with consecutive pieces of text joined.
pub(super) fn written<'a>(signals: impl Iterator<Item = &'a Signal>) -> String {
    let mut text = String::new();
    let mut pieces: Option<(TurnRef, Body)> = None;
    for signal in signals {
        if let (Some((turn, held)), SignalBody::Show(body)) = (&mut pieces, &signal.body)
            && *turn == signal.turn
            && join(held, body)
        {
            continue;
        }
        if let Some((turn, body)) = pieces.take() {
            line(&mut text, turn, &SignalBody::Show(body));
        }
        if let SignalBody::Show(body @ (Body::TextDelta { .. } | Body::ReasoningDelta { .. })) =
            &signal.body
        {
            pieces = Some((signal.turn, body.clone()));
        } else {
            line(&mut text, signal.turn, &signal.body);
        }
    }
    if let Some((turn, body)) = pieces {
        line(&mut text, turn, &SignalBody::Show(body));
    }
    text
}

fn join(held: &mut Body, more: &Body) -> bool {
    match (held, more) {
        (
            Body::TextDelta { text, parent },
            Body::TextDelta {
                text: more,
                parent: other,
            },
        )
        | (
            Body::ReasoningDelta { text, parent },
            Body::ReasoningDelta {
                text: more,
                parent: other,
            },
        ) if parent == other => {
            text.push_str(more);
            true
        }
        _ => false,
    }
}

fn line(text: &mut String, turn: TurnRef, body: &SignalBody) {
    let turn = match turn {
        TurnRef::None => "-".to_owned(),
        TurnRef::Host(id) => format!("host {id}"),
        TurnRef::Agent(number) => format!("agent {number}"),
    };
    let body = match body {
        SignalBody::Show(body) => serde_json::to_string(body).expect("a body is JSON"),
        other => format!("{other:?}"),
    };
    writeln!(text, "{turn} | {body}").expect("a string takes all");
}
