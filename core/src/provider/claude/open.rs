//! Opening the protocol and the conversation.

use serde::Serialize;

use crate::config::Mode;
use crate::error::ErrorKind;
use crate::event::RawJson;
use crate::host_tools::SERVER;
use crate::provider::claude::codec::{ClaudeCodec, Handshake};
use crate::provider::claude::control::READ_ONLY_HOOK;
use crate::provider::{Conversation, Output, SignalBody, TurnRef};

/// What opens the protocol.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Initialize<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    hooks: Option<Hooks>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sdk_mcp_servers: Option<[&'static str; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    json_schema: Option<&'a RawJson>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Hooks {
    pre_tool_use: [Hook; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Hook {
    hook_callback_ids: [&'static str; 1],
}

impl ClaudeCodec {
    pub(super) fn initialize<'a>(&self, json_schema: Option<&'a RawJson>) -> Initialize<'a> {
        let hook = Hook {
            hook_callback_ids: [READ_ONLY_HOOK],
        };
        // A one-shot process is told of the tools on its command line.
        let tools = self.mode == Mode::Warm && !self.tools.is_empty();
        Initialize {
            hooks: self.restricted.then_some(Hooks {
                pre_tool_use: [hook],
            }),
            sdk_mcp_servers: tools.then_some([SERVER]),
            json_schema,
        }
    }

    pub(super) fn open(
        &mut self,
        conversation: Conversation,
        resume: Option<&str>,
        cost_usd: f64,
        out: &mut Output,
    ) {
        if self.conversation.is_some() {
            let code = ErrorKind::Unsupported;
            let message = "a Claude Code process holds one conversation".to_owned();
            let body = SignalBody::Refused { code, message };
            out.signal(conversation, TurnRef::None, body);
            return;
        }
        if resume != self.resume.as_deref() {
            let code = ErrorKind::Internal;
            let message = "the process was started for another conversation".to_owned();
            let body = SignalBody::Refused { code, message };
            out.signal(conversation, TurnRef::None, body);
            return;
        }
        self.conversation = Some(conversation);
        self.turns.set_conversation(conversation);
        if resume.is_some() {
            self.cost.resume_from(cost_usd);
        }
        match self.failure.clone() {
            Some((code, message)) => {
                self.say(TurnRef::None, SignalBody::Refused { code, message }, out);
            }
            None => self.ready(out),
        }
    }

    /// Says that the conversation takes turns, once it does.
    pub(super) fn ready(&mut self, out: &mut Output) {
        let can = self.handshake == Handshake::Done && self.failure.is_none();
        if can && self.conversation.is_some() && !self.ready {
            self.ready = true;
            self.version_told = self.version.is_some();
            let version = self.version.clone();
            self.say(TurnRef::None, SignalBody::Ready { version }, out);
        }
    }
}
