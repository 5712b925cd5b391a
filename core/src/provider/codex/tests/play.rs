//! Plays a capture through a codec: what a client sent becomes requests where core has such
//! requests, and what the server answered goes to the request that it was for.

use std::collections::{HashMap, HashSet, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value;

use crate::config::{Mode, SessionOptions};
use crate::event::RawJson;
use crate::ids::TurnId;
use crate::operation::Operation;
use crate::provider::codex::Codex;
use crate::provider::{
    AgentRequest, Codec, Conversation, LaunchPlan, Output, Provider, Request, Signal, SignalBody,
    TurnRef,
};
use crate::request::{Answer, Scope};
use crate::settings::Change;

/// Where the captures are.
pub(super) fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/captures/codex")
}

/// The names of all files that are no capture but a stored session, without the extension.
pub(super) fn stored() -> Vec<String> {
    files(|name| name.starts_with("rollout-"))
}

/// The names of all captures like that, without the extension.
///
/// Whatever is put into the folder is a capture, unless it is the page about them or a stored session.
pub(super) fn names(keep: impl Fn(&str) -> bool) -> Vec<String> {
    files(|name| name != "README.md" && !name.starts_with("rollout-") && keep(name))
}

fn files(keep: impl Fn(&str) -> bool) -> Vec<String> {
    let entries = std::fs::read_dir(folder()).expect("the captures are there");
    let names = entries.map(|entry| {
        let name = entry.expect("an entry").file_name();
        name.into_string().expect("UTF-8")
    });
    let name = |name: String| {
        let name = name.strip_suffix(".jsonl");
        name.expect("only captures here").to_owned()
    };
    let mut names: Vec<_> = names.filter(|name| keep(name)).map(name).collect();
    names.sort();
    assert!(!names.is_empty(), "there are captures");
    names
}

/// The lines of a capture: the direction and the payload.
pub(super) fn lines(name: &str) -> Vec<(char, String)> {
    let path = folder().join(format!("{name}.jsonl"));
    let text = std::fs::read_to_string(path).expect("the capture is there");
    text.lines()
        .map(|line| {
            let direction = line.chars().next().expect("no line is empty");
            let rest = &line[2..];
            let timed = rest.as_bytes().iter().take(6).all(u8::is_ascii_digit) && rest.len() > 6;
            let payload = if timed {
                rest.split_once(' ').map_or("", |p| p.1)
            } else {
                rest
            };
            (direction, payload.to_owned())
        })
        .collect()
}

/// A codec for a mode.
pub(super) fn codec(mode: Mode) -> Box<dyn Codec> {
    let options = SessionOptions::new("codex", "/project");
    Codex.codec(&LaunchPlan {
        mode,
        options: &options,
        resume: None,
        back_to: None,
    })
}

/// A codec, what it said, and what it wrote.
pub(super) struct Player {
    codec: Box<dyn Codec>,
    pub signals: Vec<Signal>,
    pub written: Vec<Value>,
    pub out: Output,
    threads: HashMap<String, Conversation>,
    /// The capture's ids of our requests that the codec has not written yet, by method.
    unwritten: HashMap<String, VecDeque<u64>>,
    ids: HashMap<u64, u64>,
    questions: HashMap<String, (Conversation, AgentRequest)>,
    pub host_turns: Vec<(Conversation, TurnId)>,
    busy: HashSet<Conversation>,
    conversations: u32,
    /// What the capture's client answered, and what the codec wrote for the same.
    pub answers: Vec<(Value, Value)>,
    /// The texts that were to join a turn, by our mark of each.
    steered: Vec<(String, String)>,
    numbers: u64,
}

impl Player {
    pub(super) fn new(mode: Mode) -> Self {
        let mut player = Self {
            codec: codec(mode),
            signals: Vec::new(),
            written: Vec::new(),
            out: Output::default(),
            threads: HashMap::new(),
            unwritten: HashMap::new(),
            ids: HashMap::new(),
            questions: HashMap::new(),
            host_turns: Vec::new(),
            busy: HashSet::new(),
            conversations: 0,
            answers: Vec::new(),
            steered: Vec::new(),
            numbers: 0,
        };
        let mut out = Output::default();
        player.codec.start(&mut out);
        player
            .unwritten
            .entry("initialize".into())
            .or_default()
            .push_back(1);
        player.take(out, None);
        player
    }

    /// Hands on a request of the host.
    pub(super) fn request(&mut self, request: Request) {
        let mut out = Output::default();
        if let Request::Turn {
            conversation, turn, ..
        } = &request
        {
            self.host_turns.push((*conversation, *turn));
            self.busy.insert(*conversation);
        }
        self.codec.request(request, &mut out);
        self.take(out, None);
    }

    /// The turn of a conversation that is not over: the agent's own, else the host's.
    pub(super) fn runs(&self, conversation: Conversation) -> TurnRef {
        let here = |s: &&Signal| s.conversation == conversation;
        let over = |turn: &TurnRef| {
            let mut signals = self.signals.iter().filter(here);
            signals.any(|s| s.turn == *turn && matches!(s.body, SignalBody::Ended(_)))
        };
        let own = self.signals.iter().filter(here);
        let own = own.filter(|s| matches!(s.body, SignalBody::AgentTurn));
        let hosts = self.host_turns.iter().rev();
        let hosts = hosts.filter(|(c, _)| *c == conversation);
        let hosts = hosts.map(|(_, turn)| TurnRef::Host(*turn));
        let mut turns = own.map(|s| s.turn).chain(hosts);
        turns.find(|turn| !over(turn)).unwrap_or(TurnRef::None)
    }

    /// Opens the next conversation.
    pub(super) fn open(&mut self, options: SessionOptions, resume: Option<&str>) -> Conversation {
        let conversation = Conversation(self.conversations);
        self.conversations += 1;
        self.request(Request::Open {
            conversation,
            options: Arc::new(options),
            resume: resume.map(str::to_owned),
            cost_usd: 0.0,
        });
        conversation
    }

    /// Sends the next turn.
    pub(super) fn turn(&mut self, conversation: Conversation, text: &str) -> TurnId {
        let turn = TurnId::from_raw(self.host_turns.len() as u64 + 1);
        self.request(Request::Turn {
            conversation,
            turn,
            message: std::sync::Arc::new(text.into()),
        });
        turn
    }

    /// Hands on a line of the agent.
    pub(super) fn line(&mut self, line: &str) {
        let mut out = Output::default();
        self.codec.line(line.as_bytes(), &mut out);
        let question = serde_json::from_str::<Value>(line).ok();
        let question = question.filter(|v| v.get("method").is_some() && v.get("id").is_some());
        let id = question.map(|v| v["id"].to_string());
        self.take(out, id.as_deref());
    }

    /// Says that a line was too long, and how it begins.
    pub(super) fn skipped(&mut self, head: &str) {
        let mut out = Output::default();
        self.codec.skipped(head.as_bytes(), 70_000, &mut out);
        self.take(out, None);
    }

    pub(super) fn end_of_output(&mut self) {
        let mut out = Output::default();
        self.codec.end_of_output(&mut out);
        self.take(out, None);
    }

    pub(super) fn last_words(&mut self, stderr: &str) {
        let mut out = Output::default();
        self.codec.last_words(stderr, &mut out);
        self.take(out, None);
    }

    fn take(&mut self, out: Output, question: Option<&str>) {
        for signal in &out.signals {
            match &signal.body {
                SignalBody::Bound {
                    provider_session_id,
                    ..
                } => {
                    self.threads
                        .insert(provider_session_id.clone(), signal.conversation);
                }
                SignalBody::Ended(_) if matches!(signal.turn, TurnRef::Host(_)) => {
                    self.busy.remove(&signal.conversation);
                }
                SignalBody::Asked(asked) => {
                    let request = &asked.request;
                    let id = question.expect("only questions are asked").to_owned();
                    self.questions.insert(id, (signal.conversation, *request));
                }
                _ => {}
            }
        }
        // Prompts of one-shot processes are no JSON.
        for line in out
            .bytes
            .split(|b| *b == b'\n')
            .filter(|l| l.first() == Some(&b'{'))
        {
            let value: Value = serde_json::from_slice(line).expect("whole JSON lines are written");
            if let (Some(method), Some(ours)) = (value["method"].as_str(), value["id"].as_u64())
                && let Some(theirs) = self.unwritten.get_mut(method).and_then(VecDeque::pop_front)
            {
                self.ids.insert(theirs, ours);
            }
            self.written.push(value);
        }
        self.out.close_stdin |= out.close_stdin;
        self.out.kill = out.kill.or(self.out.kill);
        self.out.bytes.extend_from_slice(&out.bytes);
        self.out.left.extend(out.left);
        self.signals.extend(out.signals);
    }

    /// What the capture's client sent.
    fn sent(&mut self, payload: &str) {
        let Ok(value) = serde_json::from_str::<Value>(payload) else {
            return;
        };
        let Some(method) = value["method"].as_str() else {
            return self.answered(&value);
        };
        let params = &value["params"];
        let thread = params["threadId"].as_str().unwrap_or_default().to_owned();
        let known = self.threads.get(&thread).copied();
        let ours = |player: &mut Self| {
            if let Some(id) = value["id"].as_u64() {
                player
                    .unwritten
                    .entry(method.to_owned())
                    .or_default()
                    .push_back(id);
            }
        };
        match (method, known) {
            ("thread/start", _) => {
                ours(self);
                self.open(SessionOptions::new("codex", "/project"), None);
            }
            ("thread/resume", None) => {
                ours(self);
                self.open(SessionOptions::new("codex", "/project"), Some(&thread));
            }
            // A second one would be a steer, and core says which it wants.
            ("turn/start", Some(conversation)) if !self.busy.contains(&conversation) => {
                ours(self);
                let text = params["input"][0]["text"].as_str().unwrap_or_default();
                self.turn(conversation, text);
            }
            ("turn/interrupt", Some(conversation)) => {
                ours(self);
                self.request(Request::Interrupt {
                    conversation,
                    turn: self.runs(conversation),
                    keep_commands: false,
                });
            }
            ("turn/steer", Some(conversation)) if params["expectedTurnId"].is_string() => {
                ours(self);
                let text = params["input"][0]["text"].as_str().unwrap_or_default();
                self.steer(conversation, text);
            }
            ("thread/settings/update", Some(conversation)) => {
                ours(self);
                let text = |name: &str| params[name].as_str().map(str::to_owned);
                let change = Change {
                    model: text("model"),
                    effort: text("effort"),
                    ..Change::default()
                };
                let change = Arc::new(change);
                self.request(Request::Change {
                    conversation,
                    change,
                });
            }
            (_, Some(conversation)) => {
                if let Some(operation) = operation(method, params) {
                    ours(self);
                    self.operate(conversation, operation);
                }
            }
            _ => {}
        }
    }

    /// Sends a message into the conversation's turn.
    pub(super) fn steer(&mut self, conversation: Conversation, text: &str) {
        self.numbers += 1;
        let steer = self.numbers;
        self.steered
            .push((text.to_owned(), format!("remuda-steer-{steer}")));
        let turns = self.host_turns.iter().rev();
        let turn = turns.clone().find(|(c, _)| *c == conversation);
        self.request(Request::Steer {
            conversation,
            turn: turn.map_or(TurnId::from_raw(99), |(_, turn)| *turn),
            steer,
            message: Arc::new(text.into()),
        });
    }

    pub(super) fn operate(&mut self, conversation: Conversation, operation: Operation) {
        self.numbers += 1;
        self.request(Request::Operate {
            conversation,
            number: self.numbers,
            operation: Arc::new(operation),
        });
    }

    /// What the capture's client answered a question.
    fn answered(&mut self, value: &Value) {
        let Some((conversation, request)) = self.questions.remove(&value["id"].to_string()) else {
            return;
        };
        let answer = answer(&value["result"]);
        self.request(Request::Answer {
            conversation,
            request,
            answer,
        });
        let ours = self.written.last().expect("an answer is written").clone();
        self.answers.push((value.clone(), ours));
    }

    /// What the capture's server sent.
    fn received(&mut self, payload: &str) {
        let Ok(mut value) = serde_json::from_str::<Value>(payload) else {
            return self.line(payload);
        };
        if value.get("method").is_some() {
            let text = value["params"]["item"]["content"][0]["text"].as_str();
            let marks = self.steered.iter();
            let mark = marks
                .filter(|(t, _)| text == Some(t))
                .map(|(_, m)| m)
                .next();
            let Some(mark) = mark else {
                return self.line(payload);
            };
            value["params"]["item"]["clientId"] = mark.as_str().into();
            return self.line(&value.to_string());
        }
        if let Some(theirs) = value["id"].as_u64() {
            let ours = self.ids.remove(&theirs).unwrap_or(1_000_000 + theirs);
            value["id"] = ours.into();
        }
        self.line(&value.to_string());
    }
}

/// An answer of the capture's client, in core's words.
fn answer(result: &Value) -> Answer {
    let allow = |scope| Answer::Allow { scope, input: None };
    let deny = |interrupt| Answer::Deny {
        message: "no".into(),
        interrupt,
    };
    if let Some(decision) = result.get("decision") {
        return match decision.as_str() {
            Some("accept") => allow(Scope::Once),
            Some("acceptForSession") => allow(Scope::Session),
            Some("cancel") => deny(true),
            Some(_) => deny(false),
            None => allow(Scope::Remember),
        };
    }
    if let Some(answers) = result["answers"].as_object() {
        let texts = |v: &Value| serde_json::from_value(v["answers"].clone()).expect("texts");
        let answers = answers
            .iter()
            .map(|(id, v)| (id.clone(), texts(v)))
            .collect();
        return Answer::Answers { answers };
    }
    if let Some(text) = result["contentItems"][0]["text"].as_str() {
        let (text, is_error) = (text.to_owned(), result["success"] == false);
        return Answer::Result { text, is_error };
    }
    if let Some(scope) = result["scope"].as_str() {
        let turn = scope == "turn";
        return allow(if turn { Scope::Once } else { Scope::Session });
    }
    match (
        result["action"].as_str(),
        result["_meta"]["persist"].as_str(),
    ) {
        (Some("accept"), Some("session")) => allow(Scope::Session),
        (Some("accept"), Some("always")) => allow(Scope::Remember),
        (Some("accept"), _) if result["content"] == serde_json::json!({}) => allow(Scope::Once),
        (Some("accept"), _) => {
            let content = RawJson::from_text(&result["content"].to_string());
            Answer::Content { content }
        }
        (Some("cancel"), _) => deny(true),
        _ => deny(false),
    }
}

/// A request of the capture's client that is an operation of core's.
fn operation(method: &str, params: &Value) -> Option<Operation> {
    Some(match method {
        "thread/compact/start" => Operation::Compact {},
        "thread/fork" => Operation::Fork {},
        "thread/revert" => Operation::Rewind {
            before: params["beforeTurnId"].as_str()?.to_owned(),
        },
        "thread/backgroundTerminals/list" => Operation::ListTasks {},
        "thread/backgroundTerminals/clean" => Operation::StopTasks { task: None },
        "thread/backgroundTerminals/terminate" => Operation::StopTasks {
            task: params["processId"].as_str().map(str::to_owned),
        },
        _ => return None,
    })
}

/// Plays a capture of the app-server.
pub(super) fn play(name: &str) -> Player {
    let mut player = Player::new(Mode::Warm);
    for (direction, payload) in lines(name) {
        match direction {
            '>' => player.sent(&payload),
            '<' => player.received(&payload),
            _ => {}
        }
    }
    player.end_of_output();
    player
}

/// Plays a capture of `codex exec`.
pub(super) fn play_exec(name: &str) -> Player {
    let mut player = Player::new(Mode::OneShot);
    let lines = lines(name);
    let resume = lines[0]
        .1
        .split_once(" resume ")
        .map(|(_, rest)| rest.split(' ').next().expect("a thread id").to_owned());
    let options = SessionOptions::new("codex", "/project");
    let conversation = player.open(options, resume.as_deref());
    player.turn(conversation, "go");
    for (direction, payload) in lines {
        if direction == '<' {
            player.line(&payload);
        }
    }
    if name.ends_with("sigint") {
        player.request(Request::Interrupt {
            conversation,
            turn: player.runs(conversation),
            keep_commands: false,
        });
    }
    player.end_of_output();
    player
}
