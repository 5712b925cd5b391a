//! The three model APIs, as far as the server must tell them apart.

use serde_json::Value;

use crate::anthropic;
use crate::conversation::Conversation;
use crate::gemini;
use crate::out::{Gone, Out};
use crate::responses;
use crate::script::{Block, Broken};

/// Which API a request speaks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Api {
    Anthropic,
    Responses,
    Gemini,
}

/// What a stream shall contain.
pub(crate) enum Performance {
    Answer(Vec<Block>),
    Broken(Broken),
}

/// Facts that go into the events of one response.
pub(crate) struct Facts {
    /// Unique among all responses of all servers.
    pub(crate) id: String,
    pub(crate) input_tokens: usize,
}

impl Api {
    /// Reads the body of a model call.
    pub(crate) fn conversation(self, body: &Value) -> Conversation {
        match self {
            Self::Anthropic => anthropic::request::conversation(body),
            Self::Responses => responses::request::conversation(body),
            Self::Gemini => gemini::request::conversation(body),
        }
    }

    /// The body of an HTTP error.
    pub(crate) fn error(self, status: u16, kind: Option<&str>, message: &str) -> Value {
        match self {
            Self::Anthropic => anthropic::error(status, kind, message),
            Self::Responses => responses::error(status, kind, message),
            Self::Gemini => gemini::error(status, kind, message),
        }
    }

    /// Headers that every good answer carries.
    pub(crate) fn headers(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Anthropic => &anthropic::HEADERS,
            Self::Responses => &responses::HEADERS,
            Self::Gemini => &gemini::HEADERS,
        }
    }

    /// Plays a performance into a stream.
    pub(crate) async fn play(
        self,
        conversation: &Conversation,
        facts: &Facts,
        performance: Performance,
        out: &Out,
    ) -> Result<(), Gone> {
        match self {
            Self::Anthropic => anthropic::stream::play(conversation, facts, performance, out).await,
            Self::Responses => responses::stream::play(conversation, facts, performance, out).await,
            Self::Gemini => gemini::stream::play(conversation, facts, performance, out).await,
        }
    }

    /// The same answer in one piece.
    pub(crate) fn whole(
        self,
        conversation: &Conversation,
        facts: &Facts,
        blocks: &[Block],
    ) -> Value {
        match self {
            Self::Anthropic => anthropic::stream::whole(conversation, facts, blocks),
            Self::Responses => responses::stream::whole(conversation, facts, blocks),
            Self::Gemini => gemini::stream::whole(conversation, facts, blocks),
        }
    }
}
