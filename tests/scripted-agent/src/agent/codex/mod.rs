//! Plays Codex: the app-server with many threads, or `exec` with one prompt.

mod exec;
mod hub;
mod lines;
mod requests;
mod voice;

use std::sync::Arc;

use serde_json::Value;

use self::hub::Hub;
use self::requests::Server;
use crate::complain;
use crate::context::{Agent, Incoming};

pub(crate) use self::exec::run as exec;

/// The version that is played.
pub(crate) fn version() -> String {
    std::env::var("SCRIPTED_AGENT_VERSION").unwrap_or_else(|_| "0.169.0".to_owned())
}

pub(crate) fn serve(agent: &Arc<Agent>) -> i32 {
    let mut server = Server::new(Arc::new(Hub::new(agent)));
    for incoming in agent.read_stdin() {
        match incoming {
            Incoming::Line(line) => {
                let Ok(text) = std::str::from_utf8(&line) else {
                    complain(
                        "ERROR codex_app_server_transport::transport::stdio: Failed reading stdin: stream did not contain valid UTF-8",
                    );
                    return 0;
                };
                match serde_json::from_str::<Value>(text) {
                    Ok(message)
                        if message.is_object()
                            && !message.as_object().is_some_and(serde_json::Map::is_empty) =>
                    {
                        server.message(&message);
                    }
                    Ok(_) => complain(
                        "ERROR codex_app_server_transport::transport: Failed to deserialize JSONRPCMessage: data did not match any variant of untagged enum JSONRPCMessage",
                    ),
                    Err(why) => complain(&format!(
                        "ERROR codex_app_server_transport::transport: Failed to deserialize JSONRPCMessage: {why}"
                    )),
                }
            }
            // Nothing more is said, also about turns that run.
            Incoming::Eof => {
                agent.at_eof();
                return 0;
            }
            Incoming::FollowUp(thread, text) => server.follow_up(&thread, &text),
            Incoming::TurnOver | Incoming::Abort => {}
        }
    }
    0
}
