//! Plays a recorded conversation: says what the real agent said, when the host
//! says what the recorded host said, with the ids that this host uses.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::args::Role;
use crate::complain;
use crate::context::{Agent, Incoming};

/// One line of a capture file.
#[derive(Debug, Clone, PartialEq)]
enum Step {
    /// The host said this; wait for its like.
    Host(Value),
    /// The agent said this.
    Agent(String),
    /// The agent wrote this to stderr.
    Stderr(String),
    /// The host closed stdin.
    HostCloses,
    /// The exit code, below zero for a signal.
    Exit(i32),
}

/// Plays a capture to its end and gives the exit code.
pub(crate) fn play(agent: &Arc<Agent>, path: &Path) -> i32 {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(why) => {
            complain(&format!("{}: {why}", path.display()));
            return crate::BAD_SCRIPT;
        }
    };
    let mut incoming = agent.read_stdin();
    let mut stage = Stage {
        agent,
        ids: HashMap::new(),
        replies: HashMap::new(),
        at_end: false,
    };
    for step in steps(&text) {
        match step {
            Step::Host(recorded) => stage.wait_for(&recorded, &mut incoming),
            Step::Agent(line) => stage.say(&line),
            Step::Stderr(line) => complain(&line),
            Step::HostCloses => stage.wait_for_end(&mut incoming),
            Step::Exit(code) => {
                if code == 0 && waits_at_end(&agent.role) {
                    stage.wait_for_end(&mut incoming);
                }
                return if code < 0 { 128 - code } else { code };
            }
        }
    }
    stage.wait_for_end(&mut incoming);
    0
}

/// Whether the end of a capture means that stdin was closed. The captures of
/// one-shot runs end by themselves.
fn waits_at_end(role: &Role) -> bool {
    match role {
        Role::CodexServer | Role::Acp => true,
        Role::Claude(_) | Role::CodexExec(_) | Role::AcpPrint(_) | Role::Version(_) => false,
    }
}

fn steps(text: &str) -> Vec<Step> {
    text.lines().filter_map(step).collect()
}

fn step(line: &str) -> Option<Step> {
    let (mark, rest) = line.split_once(' ')?;
    // Some captures have a time between the mark and the message.
    let payload = match rest.split_once(' ') {
        Some((time, payload)) if is_time(time) => payload,
        _ => rest,
    };
    match mark {
        ">" => Some(Step::Host(
            serde_json::from_str(payload).unwrap_or(Value::Null),
        )),
        "<" => Some(Step::Agent(payload.to_owned())),
        "!" => Some(Step::Stderr(payload.to_owned())),
        "#" if payload.contains("host closes stdin") => Some(Step::HostCloses),
        "#" => exit_code(payload).map(Step::Exit),
        _ => None,
    }
}

/// Whether a word is a count of milliseconds or of seconds.
fn is_time(word: &str) -> bool {
    !word.is_empty()
        && word
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'.')
}

/// Reads `… exit code=1 …` and `exit code 1`.
fn exit_code(note: &str) -> Option<i32> {
    let (_, after) = note.split_once("exit code")?;
    after
        .trim_start_matches(['=', ' '])
        .split(' ')
        .next()?
        .parse()
        .ok()
}

/// What kind of message this is: hosts differ in the rest.
fn kind(message: &Value) -> String {
    let text = |pointer| message.pointer(pointer).and_then(Value::as_str);
    match (text("/method"), text("/type"), text("/request/subtype")) {
        (Some(method), _, _) => method.to_owned(),
        (None, Some(kind), Some(subtype)) => format!("{kind}/{subtype}"),
        (None, Some(kind), None) => kind.to_owned(),
        (None, None, _) => "response".to_owned(),
    }
}

struct Stage<'a> {
    agent: &'a Agent,
    /// Recorded ids and those of this host, for every place where they occur.
    ids: HashMap<String, String>,
    /// Ids of recorded JSON-RPC requests and those of this host.
    replies: HashMap<String, Value>,
    at_end: bool,
}

impl Stage<'_> {
    /// Waits until the host says a line of the same kind. Other requests get an
    /// empty answer, so that a host that asks more is not left waiting.
    fn wait_for(&mut self, recorded: &Value, incoming: &mut impl Iterator<Item = Incoming>) {
        while !self.at_end {
            match incoming.next() {
                Some(Incoming::Line(line)) => {
                    let Ok(said) = serde_json::from_slice::<Value>(&line) else {
                        if recorded.is_null() {
                            return;
                        }
                        continue;
                    };
                    if kind(&said) == kind(recorded) {
                        return self.pair(recorded, &said);
                    }
                    self.answer_emptily(&said);
                }
                Some(Incoming::Eof) | None => self.at_end = true,
                Some(Incoming::TurnOver | Incoming::Abort | Incoming::FollowUp(..)) => {}
            }
        }
    }

    fn wait_for_end(&mut self, incoming: &mut impl Iterator<Item = Incoming>) {
        while !self.at_end {
            match incoming.next() {
                Some(Incoming::Line(line)) => {
                    if let Ok(said) = serde_json::from_slice::<Value>(&line) {
                        self.answer_emptily(&said);
                    }
                }
                Some(Incoming::Eof) | None => self.at_end = true,
                Some(Incoming::TurnOver | Incoming::Abort | Incoming::FollowUp(..)) => {}
            }
        }
        self.agent.at_eof();
    }

    /// Learns which ids of the capture stand for which of this host.
    fn pair(&mut self, recorded: &Value, said: &Value) {
        if recorded.get("method").is_some() {
            self.replies
                .insert(recorded["id"].to_string(), said["id"].clone());
        }
        let places = [
            "/request_id",
            "/uuid",
            "/request/message_uuid",
            "/request/user_message_id",
            "/params/sessionId",
            "/params/threadId",
            "/params/turnId",
            "/params/expectedTurnId",
            "/params/clientUserMessageId",
        ];
        for place in places {
            let text = |message: &Value| {
                message
                    .pointer(place)
                    .and_then(Value::as_str)
                    .map(str::to_owned)
            };
            if let (Some(old), Some(new)) = (text(recorded), text(said))
                && old != new
            {
                self.ids.insert(old, new);
            }
        }
    }

    fn answer_emptily(&self, said: &Value) {
        if said["type"] == json!("control_request") {
            self.agent
                .line(&json!({"type": "control_response", "response": {
                    "subtype": "success", "request_id": said["request_id"], "response": {},
                }}));
        } else if said.get("method").is_some() && !said["id"].is_null() {
            let mut reply = json!({"id": said["id"], "result": {}});
            if let Some(version) = said.get("jsonrpc") {
                reply["jsonrpc"] = version.clone();
            }
            self.agent.line(&reply);
        }
    }

    fn say(&self, recorded: &str) {
        let mut line = recorded.to_owned();
        for (old, new) in &self.ids {
            if line.contains(old.as_str()) {
                line = line.replace(old.as_str(), new);
            }
        }
        // A reply carries the id of a request; a request of the agent its own.
        if let Ok(mut message) = serde_json::from_str::<Value>(&line)
            && message.get("method").is_none()
            && let Some(id) = self.replies.get(&message["id"].to_string())
        {
            message["id"] = id.clone();
            return self.agent.line(&message);
        }
        self.agent.bytes_line(line.into_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_capture_formats_are_read() {
        let text = "# 0.0s spawn x\n> {\"a\":1}\n< {\"b\":2}\n# 1.5s exit code=1 0.0s after\n> 000171 {\"id\":2}\n< 000197 {\"c\":3}\n! 000198 oops\n# 000797 exit code 0";
        assert_eq!(
            steps(text),
            [
                Step::Host(json!({"a": 1})),
                Step::Agent("{\"b\":2}".to_owned()),
                Step::Exit(1),
                Step::Host(json!({"id": 2})),
                Step::Agent("{\"c\":3}".to_owned()),
                Step::Stderr("oops".to_owned()),
                Step::Exit(0),
            ]
        );
    }
}
