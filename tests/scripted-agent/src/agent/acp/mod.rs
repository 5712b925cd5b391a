//! Plays an agent of the Agent Client Protocol, version 1: many sessions over stdio; or the command of
//! such an agent that prints one turn.

mod features;
mod hub;
mod lines;
mod print;
mod requests;
mod voice;

use std::sync::Arc;

use serde_json::Value;

use self::features::Features;
use self::hub::Hub;
use self::requests::Server;
use crate::complain;
use crate::context::{Agent, Incoming};

pub(crate) use self::lines::{unknown, wrong};
pub(crate) use self::print::run as print;

/// The version that is played.
pub(crate) fn version() -> String {
    std::env::var("SCRIPTED_AGENT_VERSION").unwrap_or_else(|_| "1.0.0".to_owned())
}

pub(crate) fn serve(agent: &Arc<Agent>) -> i32 {
    let words = std::env::var("SCRIPTED_AGENT_ACP").unwrap_or_default();
    let features = match Features::read(&words) {
        Ok(features) => features,
        Err(why) => {
            complain(&why);
            return crate::BAD_SCRIPT;
        }
    };
    let mut server = Server::new(Arc::new(Hub::new(agent, features)));
    for incoming in agent.read_stdin() {
        match incoming {
            // Bad lines get no answer but a word on stderr, as with most real agents.
            Incoming::Line(line) => match serde_json::from_str(&String::from_utf8_lossy(&line)) {
                Ok(message @ Value::Object(_)) => server.message(&message),
                Ok(_) => complain("a message that is no object was dropped"),
                Err(why) => complain(&format!("a message was dropped: {why}")),
            },
            // Nothing more is said, also about turns that run.
            Incoming::Eof => {
                agent.at_eof();
                return 0;
            }
            Incoming::FollowUp(session, text) => server.follow_up(&session, &text),
            Incoming::TurnOver | Incoming::Abort => {}
        }
    }
    0
}
