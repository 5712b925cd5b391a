//! Plays Claude Code: one conversation over stream-json, or one prompt.

mod lines;
mod requests;
mod voice;

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use self::lines::Tally;
use self::voice::{ClaudeVoice, Session, UserLine};
use crate::args::{ClaudeArgs, refusal};
use crate::context::{Agent, Incoming};
use crate::control::Control;
use crate::{complain, ids, input, lock, player};

/// The version that is played.
pub(crate) fn version() -> String {
    std::env::var("SCRIPTED_AGENT_VERSION").unwrap_or_else(|_| "2.1.327".to_owned())
}

pub(crate) fn run(agent: &Arc<Agent>, args: &ClaudeArgs) -> i32 {
    if let Some(why) = refusal(args) {
        complain(&why);
        return 1;
    }
    let id = match conversation(agent, args) {
        Ok(id) => id,
        Err(code) => return code,
    };
    let mode = match args.permission_mode.as_deref() {
        None | Some("manual") => "default",
        Some(mode) => mode,
    };
    let session = Arc::new(Mutex::new(Session {
        id,
        model: args
            .model
            .clone()
            .unwrap_or_else(|| requests::DEFAULT_MODEL.to_owned()),
        mode: mode.to_owned(),
        tally: Tally::default(),
        failed: false,
    }));
    let mut host = Host {
        agent: Arc::clone(agent),
        args: args.clone(),
        session,
        running: None,
        queue: VecDeque::new(),
        seen: HashSet::new(),
        ended: false,
        aborted: false,
    };
    if args.stream_input {
        return host.converse();
    }
    let text = args.prompt.clone().unwrap_or_else(input::read_all);
    host.answer_once(&text)
}

/// Finds the id of the conversation, or the exit code of a start that fails.
fn conversation(agent: &Agent, args: &ClaudeArgs) -> Result<String, i32> {
    let wanted = args.session_id.clone();
    let Some(resumed) = &args.resume else {
        return match wanted {
            Some(id) if agent.store.knows("claude", &id) => {
                complain(&format!("Error: Session ID {id} is already in use."));
                Err(1)
            }
            other => Ok(other.unwrap_or_else(ids::v4)),
        };
    };
    let (why, shown) = if !ids::is_uuid(resumed) {
        let why = format!(
            "Error: --resume requires a valid session ID or session title when used with --print. Usage: claude -p --resume <session-id|title>. Provided value \"{resumed}\" is not a UUID and does not match any session title."
        );
        (why, ids::v4())
    } else if agent.store.knows("claude", resumed) {
        if !args.fork {
            return Ok(resumed.clone());
        }
        let id = wanted.unwrap_or_else(ids::v4);
        agent.store.fork("claude", resumed, &id);
        return Ok(id);
    } else {
        (
            format!("No conversation found with session ID: {resumed}"),
            resumed.clone(),
        )
    };
    complain(&why);
    if args.output == "stream-json" {
        agent.line(&lines::resume_failed(&shown, &why));
    }
    Err(1)
}

/// The text of a content member: a string, or blocks.
fn text_of(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(blocks) => {
            let texts: Vec<&str> = blocks
                .iter()
                .filter_map(|block| block["text"].as_str())
                .collect();
            texts.join("\n")
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => String::new(),
    }
}

/// The prompt of several user lines that are answered as one.
fn joined(input: &[UserLine]) -> String {
    let texts: Vec<String> = input.iter().map(|line| text_of(&line.content)).collect();
    texts.join("\n")
}

/// The side of the protocol that listens to the host.
struct Host {
    agent: Arc<Agent>,
    args: ClaudeArgs,
    session: Arc<Mutex<Session>>,
    running: Option<Arc<Control>>,
    queue: VecDeque<UserLine>,
    /// The uuids that were used: a repeated one starts nothing.
    seen: HashSet<String>,
    ended: bool,
    /// SIGINT came: exit with 0 after the turn.
    aborted: bool,
}

impl Host {
    fn answer_once(&mut self, text: &str) -> i32 {
        let line = UserLine {
            content: json!(text),
            uuid: None,
            own: true,
        };
        let control = Arc::new(Control::default());
        let mut voice = ClaudeVoice::new(&self.agent, &self.args, &self.session, vec![line]);
        player::play(
            &self.agent,
            &mut voice,
            &control,
            text,
            !self.args.no_persistence,
        );
        i32::from(lock(&self.session).failed)
    }

    fn converse(&mut self) -> i32 {
        let agent = Arc::clone(&self.agent);
        for incoming in agent.read_stdin() {
            let exit = match incoming {
                Incoming::Line(line) => self.line(&line),
                Incoming::Eof => {
                    self.ended = true;
                    self.deny_pending();
                    None
                }
                Incoming::TurnOver => {
                    self.turn_over();
                    None
                }
                Incoming::Abort => {
                    self.aborted = true;
                    if let Some(control) = &self.running {
                        control.interrupt();
                    }
                    None
                }
                Incoming::FollowUp(_, text) => {
                    self.queue.push_back(UserLine {
                        content: json!(text),
                        uuid: None,
                        own: true,
                    });
                    self.start_next();
                    None
                }
            };
            if let Some(code) = exit.or_else(|| self.exit_code()) {
                return code;
            }
        }
        0
    }

    fn exit_code(&self) -> Option<i32> {
        let busy = self.running.is_some();
        if self.aborted && !busy {
            return Some(0);
        }
        if !self.ended || busy || !self.queue.is_empty() {
            return None;
        }
        self.agent.at_eof();
        Some(i32::from(lock(&self.session).failed))
    }

    /// Treats a line of stdin. Gives an exit code when it is fatal.
    fn line(&mut self, line: &[u8]) -> Option<i32> {
        let text = String::from_utf8_lossy(line);
        let text = text.trim();
        if text.is_empty() {
            return None;
        }
        let Ok(message) = serde_json::from_str::<Value>(text) else {
            let length = text.chars().count();
            complain(&format!(
                "Error parsing streaming input line (type=unknown, {length} chars): SyntaxError"
            ));
            return Some(1);
        };
        match message["type"].as_str() {
            Some("user") => self.user(&message),
            Some("control_request") => self.request(&message),
            Some("control_response") => {
                self.response(&message);
                None
            }
            _ if message.is_null() => {
                complain("Error parsing streaming input line (type=unknown, 4 chars): TypeError");
                Some(1)
            }
            _ => None,
        }
    }

    fn user(&mut self, message: &Value) -> Option<i32> {
        let role = message["message"]["role"].as_str();
        if role != Some("user") {
            complain(&format!(
                "Error: Expected message role 'user', got '{}'",
                role.unwrap_or("undefined")
            ));
            return Some(1);
        }
        let line = UserLine {
            content: message["message"]["content"].clone(),
            uuid: message["uuid"].as_str().map(str::to_owned),
            own: false,
        };
        if let Some(uuid) = &line.uuid {
            let session = lock(&self.session).id.clone();
            if !self.seen.insert(uuid.clone()) {
                if self.args.replay {
                    self.agent.line(&lines::echo(&session, &line.content, uuid));
                }
                return None;
            }
            self.agent.line(&lines::lifecycle(&session, uuid, "queued"));
        }
        let later = message["priority"] == json!("later");
        let folded = !later
            && self
                .running
                .as_ref()
                .is_some_and(|turn| turn.steer_tool(message));
        if !folded {
            self.queue.push_back(line);
            self.start_next();
        }
        None
    }

    /// Starts a turn for all that waits, if none runs.
    fn start_next(&mut self) {
        if self.running.is_some() || self.queue.is_empty() {
            return;
        }
        let input: Vec<UserLine> = self.queue.drain(..).collect();
        let control = Arc::new(Control::default());
        self.running = Some(Arc::clone(&control));
        let prompt = joined(&input);
        let mut voice = ClaudeVoice::new(&self.agent, &self.args, &self.session, input);
        let agent = Arc::clone(&self.agent);
        let durable = !self.args.no_persistence;
        std::thread::spawn(move || {
            player::play(&agent, &mut voice, &control, &prompt, durable);
            let _ = agent.inbox.send(Incoming::TurnOver);
        });
    }

    fn turn_over(&mut self) {
        if let Some(control) = self.running.take() {
            for left in control.close().into_iter().rev() {
                self.queue.push_front(UserLine {
                    content: left["message"]["content"].clone(),
                    uuid: left["uuid"].as_str().map(str::to_owned),
                    own: false,
                });
            }
        }
        if !self.aborted {
            self.start_next();
        }
    }

    /// An answer of the host to a question of ours.
    fn response(&self, message: &Value) {
        let response = &message["response"];
        let id = response["request_id"].as_str().unwrap_or_default();
        if self.args.replay && response["subtype"] == json!("success") {
            self.agent.line(message);
        }
        if let Some(control) = &self.running {
            control.answer(id, response.clone());
        }
    }

    /// Nobody can answer any more.
    fn deny_pending(&self) {
        if let Some(control) = &self.running {
            control.answer_all(
                &json!({"subtype": "error", "error": "stream closed before response received"}),
            );
        }
    }
}
