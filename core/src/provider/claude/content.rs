//! What the host says, as lines for the agent: text, images, documents.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::Serialize;

use crate::config::Mode;
use crate::error::ErrorKind;
use crate::ids::TurnId;
use crate::message::{Attachment, Message};
use crate::provider::claude::codec::{ClaudeCodec, write_line};
use crate::provider::claude::control::Purpose;
use crate::provider::{Outcome, Output, SignalBody, TurnEnd, TurnRef};

/// A message of the user.
#[derive(Serialize)]
pub(super) struct UserLine<'a> {
    r#type: &'static str,
    message: UserMessage<'a>,
    parent_tool_use_id: Option<&'static str>,
    uuid: &'a str,
}

#[derive(Serialize)]
struct UserMessage<'a> {
    role: &'static str,
    content: Content<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Content<'a> {
    Text(&'a str),
    Blocks(Vec<Block<'a>>),
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Block<'a> {
    Text {
        text: &'a str,
    },
    Image {
        source: Source<'a>,
    },
    Document {
        source: Source<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        title: Option<&'a str>,
    },
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Source<'a> {
    Base64 {
        media_type: &'a str,
        data: String,
    },
    Text {
        media_type: &'static str,
        data: &'a str,
    },
}

impl<'a> UserLine<'a> {
    pub(super) fn text(uuid: &'a str, text: &'a str) -> Self {
        Self::new(uuid, Content::Text(text))
    }

    /// The message under this uuid, or why the agent cannot take it.
    pub(super) fn message(uuid: &'a str, message: &'a Message) -> Result<Self, String> {
        if message.attachments.is_empty() {
            return Ok(Self::text(uuid, &message.text));
        }
        let mut blocks = message
            .attachments
            .iter()
            .map(block)
            .collect::<Result<Vec<_>, _>>()?;
        // The model reads best what is attached before what is said about it. An empty text would
        // become "(no content)".
        if !message.text.is_empty() {
            blocks.push(Block::Text {
                text: &message.text,
            });
        }
        Ok(Self::new(uuid, Content::Blocks(blocks)))
    }

    fn new(uuid: &'a str, content: Content<'a>) -> Self {
        Self {
            r#type: "user",
            message: UserMessage {
                role: "user",
                content,
            },
            parent_tool_use_id: None,
            uuid,
        }
    }
}

impl ClaudeCodec {
    pub(super) fn send(&mut self, turn: TurnId, message: &Message, out: &mut Output) {
        let uuid = self.fresh_id();
        let schema = message.output_schema.as_ref();
        let line = match (&self.failure, UserLine::message(&uuid, message)) {
            (Some(failure), _) => Err(failure.clone()),
            (None, Err(why)) => Err((ErrorKind::InvalidArgument, why)),
            (None, Ok(_)) if self.mode == Mode::Warm && schema.is_some() => {
                let why = "an output schema needs a process of its own".to_owned();
                Err((ErrorKind::Unsupported, why))
            }
            (None, Ok(line)) => Ok(line),
        };
        let line = match line {
            Ok(line) => line,
            Err((code, message)) => {
                let end = TurnEnd {
                    outcome: Outcome::Failed { code, message },
                    ..TurnEnd::default()
                };
                self.say(TurnRef::Host(turn), SignalBody::Ended(Box::new(end)), out);
                return;
            }
        };
        if self.mode == Mode::OneShot && (self.restricted || schema.is_some()) {
            // The agent reads it before the message; there is nothing to wait for.
            let hello = self.initialize(schema);
            self.ask_agent("initialize", hello, Purpose::Hello, out);
        }
        write_line(&line, out);
        self.turns.send(turn, uuid);
    }
}

fn block(attachment: &Attachment) -> Result<Block<'_>, String> {
    let media_type = attachment.media_type.as_deref().unwrap_or("");
    let title = attachment.name.as_deref();
    let base64 = || Source::Base64 {
        media_type,
        data: BASE64_STANDARD.encode(attachment.bytes()),
    };
    match media_type {
        "image/png" | "image/jpeg" | "image/gif" | "image/webp" => {
            Ok(Block::Image { source: base64() })
        }
        "application/pdf" => Ok(Block::Document {
            source: base64(),
            title,
        }),
        _ if media_type.starts_with("text/") || media_type == "application/json" => {
            let data = std::str::from_utf8(attachment.bytes())
                .map_err(|_| format!("attachment {}: it is not UTF-8", title.unwrap_or("")))?;
            // The API knows only this type of text.
            let media_type = "text/plain";
            let source = Source::Text { media_type, data };
            Ok(Block::Document { source, title })
        }
        _ => Err(format!("attachments of type {media_type} are not taken")),
    }
}
