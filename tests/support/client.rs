//! What an agent of the Agent Client Protocol has done by its client: the instructions, and what the agent
//! says that it was answered.

use std::path::PathBuf;

use remuda::config::{Client, ClientFiles};
use remuda::{Body, Session, SessionOptions};
use serde_json::{Value, json};

/// Files, and no commands.
pub const FILES: Client = Client {
    files: ClientFiles::ReadWrite,
    terminals: false,
};

/// Commands, and no files.
pub const TERMINALS: Client = Client {
    files: ClientFiles::None,
    terminals: true,
};

/// An instruction to have this done. The first `]]` would end it.
#[must_use]
pub fn request(method: &str, params: &Value) -> String {
    let quoted = Value::from(params.to_string()).to_string();
    let quoted = quoted.replace('[', "\\u005b").replace(']', "\\u005d");
    format!("[[request {method} {quoted}]]")
}

/// An instruction to run this line.
#[must_use]
pub fn run(line: &str) -> String {
    request("terminal/create", &json!({"command": line}))
}

/// An instruction about the last terminal.
#[must_use]
pub fn terminal(method: &str) -> String {
    request(&format!("terminal/{method}"), &json!({}))
}

/// Sends a message, and gives what the agent was answered to each of its instructions, which it says in a
/// message each.
///
/// # Panics
///
/// If the turn fails, or something that is said is no reply.
pub async fn ask(session: &Session, prompt: &str) -> Vec<Value> {
    let mut turn = session.send(prompt).expect("accepted");
    let mut replies = Vec::new();
    while let Some(event) = turn.next().await {
        if let Body::Message { text, .. } = &event.body {
            replies.push(serde_json::from_str(text).expect("a reply"));
        }
    }
    turn.result().await.expect("an answer");
    replies
}

/// The one reply to one instruction.
///
/// # Panics
///
/// If there is not exactly one.
pub async fn ask_one(session: &Session, prompt: &str) -> Value {
    let mut replies = ask(session, prompt).await;
    assert_eq!(replies.len(), 1, "{replies:?}");
    replies.remove(0)
}

/// Sees that a reply is a refusal with these words.
///
/// # Panics
///
/// If it is not.
pub fn refused(reply: &Value, words: &str) {
    let message = reply["error"]["message"].as_str().unwrap_or_default();
    assert!(message.contains(words), "{words}: {reply}");
}

/// The real name of the directory of a session with these options.
///
/// # Panics
///
/// If it is not there.
#[must_use]
pub fn folder(session: &SessionOptions) -> PathBuf {
    session.cwd.canonicalize().expect("it is there")
}
