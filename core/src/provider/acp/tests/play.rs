//! Plays a capture through a codec: what a client sent becomes requests where core has such
//! requests, and what the agent answered goes to the request that it was for.

use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value;

use super::answers::{answer, outcome};
use crate::client::Outcome;
use crate::config::{Client, Mode, SessionOptions};
use crate::ids::TurnId;
use crate::operation::Operation;
use crate::provider::acp::AcpAgent;
use crate::provider::{
    AgentRequest, Codec, Conversation, LaunchPlan, Output, Provider, Request, Signal, SignalBody,
    TurnRef,
};
use crate::request::Answer;

/// Where the captures are.
fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/captures/acp")
}

/// The names of the captures that begin with one of these words, without the extension.
pub(super) fn names(keep: impl Fn(&str) -> bool) -> Vec<String> {
    let entries = std::fs::read_dir(folder()).expect("the captures are there");
    let mut names: Vec<String> = entries
        .filter_map(|entry| {
            let name = entry.expect("an entry").file_name().into_string();
            let name = name.expect("UTF-8");
            name.strip_suffix(".jsonl").map(str::to_owned)
        })
        .filter(|name| keep(name))
        .collect();
    names.sort();
    assert!(!names.is_empty(), "there are captures");
    names
}

/// Whether a capture speaks version 1 of the protocol.
pub(super) fn is_acp(name: &str) -> bool {
    let other = ["-v2", "-wire", "opencode-http"];
    !name.starts_with("oneshot-") && !other.iter().any(|part| name.ends_with(part))
}

/// A capture's lines: the direction, and what was sent.
pub(super) fn lines(name: &str) -> Vec<(char, String)> {
    let path = folder().join(format!("{name}.jsonl"));
    let text = std::fs::read_to_string(path).expect("the capture is there");
    let line = |line: &str| {
        let direction = line.chars().next()?;
        let rest = line.get(2..)?;
        let timed = is_acp(name) && direction != '#';
        let payload = if timed { rest.split_once(' ')?.1 } else { rest };
        Some((direction, payload.to_owned()))
    };
    text.lines().filter_map(line).collect()
}

/// The provider whose agent a capture is of.
pub(super) fn agent(name: &str) -> AcpAgent {
    use crate::provider::acp;
    let name = name.strip_prefix("oneshot-").unwrap_or(name);
    match name.split('-').next() {
        Some("gemini") => acp::GEMINI,
        Some("opencode") => acp::OPENCODE,
        Some("claude") => acp::CLAUDE_ACP,
        Some("codex") => acp::CODEX_ACP,
        Some("kimi") if name.starts_with("kimi-code") => acp::KIMI,
        _ => acp::ANY,
    }
}

pub(super) fn codec(agent: &AcpAgent, mode: Mode, shared: bool) -> Box<dyn Codec> {
    codec_with(agent, mode, shared, Client::default())
}

fn codec_with(agent: &AcpAgent, mode: Mode, shared: bool, client: Client) -> Box<dyn Codec> {
    let options = SessionOptions {
        client,
        ..SessionOptions::new(agent.name(), "/project")
    };
    agent.codec(&LaunchPlan {
        mode,
        options: &options,
        resume: None,
        back_to: None,
        shared,
    })
}

/// A codec, and all that went in and out.
pub(super) struct Player {
    codec: Box<dyn Codec>,
    pub signals: Vec<Signal>,
    pub written: Vec<Value>,
    pub out: Output,
    sessions: HashMap<String, Conversation>,
    /// The capture's ids of requests that the codec has not written yet, by what they are for.
    unwritten: HashMap<&'static str, VecDeque<u64>>,
    ids: HashMap<u64, u64>,
    questions: HashMap<String, (Conversation, AgentRequest, Value)>,
    /// What the agent wants done by its client.
    calls: HashMap<String, (Conversation, AgentRequest)>,
    pub host_turns: Vec<(Conversation, TurnId)>,
    busy: Vec<Conversation>,
    conversations: u32,
    /// What the capture's client answered, and what the codec wrote for the same.
    pub answers: Vec<(Value, Value)>,
    numbers: u64,
}

/// Requests that do the same for a host.
fn purpose(method: &str) -> Option<&'static str> {
    Some(match method {
        "initialize" => "initialize",
        "session/new" | "session/load" | "session/resume" => "open",
        "session/prompt" => "prompt",
        "session/fork" => "fork",
        "session/close" => "close",
        "_session/steering" => "steer",
        _ => return None,
    })
}

impl Player {
    pub(super) fn new(agent: &AcpAgent, mode: Mode) -> Self {
        Self::of(codec(agent, mode, false))
    }

    /// In a process that other sessions may use too.
    pub(super) fn shared(agent: &AcpAgent) -> Self {
        Self::of(codec(agent, Mode::Warm, true))
    }

    /// In a process whose agent has this done by its client.
    pub(super) fn serving(agent: &AcpAgent, client: Client) -> Self {
        Self::of(codec_with(agent, Mode::Warm, false, client))
    }

    fn of(codec: Box<dyn Codec>) -> Self {
        let mut player = Self {
            codec,
            signals: Vec::new(),
            written: Vec::new(),
            out: Output::default(),
            sessions: HashMap::new(),
            unwritten: HashMap::new(),
            ids: HashMap::new(),
            questions: HashMap::new(),
            calls: HashMap::new(),
            host_turns: Vec::new(),
            busy: Vec::new(),
            conversations: 0,
            answers: Vec::new(),
            numbers: 0,
        };
        let mut out = Output::default();
        player.codec.start(&mut out);
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
            self.busy.push(*conversation);
        }
        self.codec.request(request, &mut out);
        self.take(out, None);
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

    /// Goes on with a conversation that has cost so much.
    pub(super) fn resume_at(&mut self, options: SessionOptions, id: &str, cost_usd: f64) {
        self.request(Request::Open {
            conversation: Conversation(0),
            options: Arc::new(options),
            resume: Some(id.to_owned()),
            cost_usd,
        });
    }

    /// Sends the next turn.
    pub(super) fn turn(&mut self, conversation: Conversation, text: &str) -> TurnId {
        let turn = TurnId::from_raw(self.host_turns.len() as u64 + 1);
        self.request(Request::Turn {
            conversation,
            turn,
            message: Arc::new(text.into()),
        });
        turn
    }

    pub(super) fn interrupt(&mut self, conversation: Conversation) {
        let of_it = self.host_turns.iter().rev();
        let turn = of_it.clone().find(|(c, _)| *c == conversation);
        let turn = turn.map_or(TurnRef::None, |(_, turn)| TurnRef::Host(*turn));
        self.request(Request::Interrupt {
            conversation,
            turn,
            keep_commands: false,
        });
    }

    pub(super) fn steer(&mut self, conversation: Conversation, text: &str) {
        self.numbers += 1;
        let of_it = self.host_turns.iter().rev();
        let turn = of_it.clone().find(|(c, _)| *c == conversation);
        self.request(Request::Steer {
            conversation,
            turn: turn.map_or(TurnId::from_raw(99), |(_, turn)| *turn),
            steer: self.numbers,
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

    pub(super) fn answer(&mut self, conversation: Conversation, number: u64, answer: Answer) {
        self.request(Request::Answer {
            conversation,
            request: AgentRequest(number),
            answer,
        });
    }

    /// Hands on a line of the agent.
    pub(super) fn line(&mut self, line: &str) {
        let mut out = Output::default();
        self.codec.line(line.as_bytes(), &mut out);
        let question = serde_json::from_str::<Value>(line).ok();
        let question = question.filter(|v| v.get("method").is_some() && v.get("id").is_some());
        self.take(out, question);
    }

    /// A line that begins so is too long.
    pub(super) fn skipped(&mut self, head: &str) {
        let mut out = Output::default();
        self.codec.skipped(head.as_bytes(), 70_000, &mut out);
        self.take(out, None);
    }

    /// Hands on what became of a call.
    pub(super) fn served(&mut self, conversation: Conversation, number: u64, outcome: Outcome) {
        self.request(Request::Served {
            conversation,
            request: AgentRequest(number),
            outcome,
        });
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

    fn take(&mut self, out: Output, question: Option<Value>) {
        for signal in &out.signals {
            match &signal.body {
                SignalBody::Bound {
                    provider_session_id,
                    ..
                } => {
                    self.sessions
                        .insert(provider_session_id.clone(), signal.conversation);
                }
                SignalBody::Ended(_) if matches!(signal.turn, TurnRef::Host(_)) => {
                    self.busy.retain(|c| *c != signal.conversation);
                }
                SignalBody::Asked(asked) => {
                    let question = question.clone().expect("only questions are asked");
                    let id = question["id"].to_string();
                    let of = (signal.conversation, asked.request, question);
                    self.questions.insert(id, of);
                }
                SignalBody::Called(called) => {
                    let id = question.as_ref().expect("only questions are calls")["id"].to_string();
                    self.calls.insert(id, (signal.conversation, called.request));
                }
                SignalBody::Withdrawn { request } => {
                    self.questions.retain(|_, q| q.1 != *request);
                }
                _ => {}
            }
        }
        // Prompts of commands that print are no JSON.
        let lines = out.bytes.split(|b| *b == b'\n');
        for line in lines.filter(|l| l.first() == Some(&b'{')) {
            let value: Value = serde_json::from_slice(line).expect("whole JSON lines are written");
            assert_eq!(value["jsonrpc"], "2.0");
            if let (Some(method), Some(ours)) = (value["method"].as_str(), value["id"].as_u64())
                && let Some(purpose) = purpose(method)
                && let Some(theirs) = self
                    .unwritten
                    .get_mut(purpose)
                    .and_then(VecDeque::pop_front)
            {
                self.ids.insert(theirs, ours);
            }
            self.written.push(value);
        }
        self.out.left.extend(out.left);
        self.out.close_stdin |= out.close_stdin;
        self.out.kill = out.kill.or(self.out.kill);
        self.out.bytes.extend_from_slice(&out.bytes);
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
        let text = |member: &Value| member.as_str().unwrap_or_default().to_owned();
        let session = text(&params["sessionId"]);
        let known = self.sessions.get(&session).copied();
        let prompt = text(&params["prompt"][0]["text"]);
        if let (Some(id), Some(purpose)) = (value["id"].as_u64(), purpose(method)) {
            let busy = known.is_some_and(|c| self.busy.contains(&c));
            let ours = match (purpose, known) {
                ("initialize", _) => {
                    self.ids.insert(id, 1);
                    false
                }
                // A second one at the same time core never sends.
                ("prompt", Some(_)) => !busy,
                ("steer", Some(_)) => busy,
                ("open", None) | ("fork" | "close", Some(_)) => true,
                _ => false,
            };
            if ours {
                self.unwritten.entry(purpose).or_default().push_back(id);
            }
        }
        let options = SessionOptions::new("acp", "/project");
        match (method, known) {
            ("session/new", _) => {
                self.open(options, None);
            }
            ("session/load" | "session/resume", None) => {
                self.open(options, Some(&session));
            }
            ("session/prompt", Some(conversation)) if !self.busy.contains(&conversation) => {
                self.turn(conversation, &prompt);
            }
            ("session/cancel", Some(conversation)) => self.interrupt(conversation),
            ("_session/steering", Some(conversation)) if self.busy.contains(&conversation) => {
                self.steer(conversation, &prompt);
            }
            ("session/fork", Some(conversation)) => {
                self.operate(conversation, Operation::Fork {});
            }
            ("session/close", Some(conversation)) => {
                self.sessions.remove(&session);
                self.request(Request::Close { conversation });
            }
            _ => {}
        }
    }

    /// What the capture's client answered a question.
    fn answered(&mut self, value: &Value) {
        if let Some((conversation, request)) = self.calls.remove(&value["id"].to_string()) {
            let written = self.written.len();
            self.served(conversation, request.0, outcome(value));
            let ours = self.written[written].clone();
            return self.answers.push((value.clone(), ours));
        }
        let Some((conversation, request, question)) =
            self.questions.remove(&value["id"].to_string())
        else {
            return;
        };
        let answer = answer(&value["result"], &question["params"]["options"]);
        let written = self.written.len();
        self.answer(conversation, request.0, answer);
        let ours = self.written[written].clone();
        self.answers.push((value.clone(), ours));
    }

    /// What the capture's agent sent.
    fn received(&mut self, payload: &str) {
        let parsed = serde_json::from_str::<Value>(payload).ok();
        let Some(mut value) = parsed.filter(|v| v.get("method").is_none()) else {
            return self.line(payload);
        };
        if let Some(theirs) = value["id"].as_u64() {
            // What the codec never asked is not answered.
            let Some(ours) = self.ids.remove(&theirs) else {
                return;
            };
            value["id"] = ours.into();
        }
        self.line(&value.to_string());
    }
}

/// Plays a capture of the protocol.
pub(super) fn play(name: &str) -> Player {
    play_with(name, Client::default())
}

/// Plays one whose agent has this done by its client.
pub(super) fn play_with(name: &str, client: Client) -> Player {
    let mut player = Player::serving(&agent(name), client);
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

/// Plays a capture of a command that prints.
pub(super) fn play_print(name: &str) -> Player {
    let agent = agent(name);
    let mut player = Player::new(&agent, Mode::OneShot);
    let lines = lines(name);
    let words: Vec<_> = lines[0].1.split(' ').collect();
    let at = words
        .iter()
        .position(|w| *w == "--resume" || *w == "--session");
    let resume = at.map(|at| words[at + 1]);
    let options = SessionOptions::new(agent.name(), "/project");
    let conversation = player.open(options, resume);
    player.turn(conversation, "go");
    for (direction, payload) in lines {
        if direction == '<' {
            player.line(&payload);
        }
    }
    player.end_of_output();
    player
}
