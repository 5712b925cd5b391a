//! A message as the agent takes it: text, images, files.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use super::wire::Abilities;
use crate::message::{Attachment, Message};

/// The `prompt` of `session/prompt` and of steering.
///
/// # Errors
///
/// A line for people, if something is attached that this agent does not take.
pub(super) fn blocks(message: &Message, can: &Abilities) -> Result<Value, String> {
    if message.output_schema.is_some() {
        return Err("an output schema: the protocol has none".to_owned());
    }
    let mut blocks = Vec::new();
    if !message.text.is_empty() || message.attachments.is_empty() {
        blocks.push(json!({"type": "text", "text": message.text}));
    }
    for attachment in &message.attachments {
        blocks.push(attached(attachment, can)?);
    }
    Ok(Value::Array(blocks))
}

fn attached(attachment: &Attachment, can: &Abilities) -> Result<Value, String> {
    let media_type = attachment.media_type.as_deref().unwrap_or_default();
    if attachment.is_image() {
        if !can.image {
            return Err("an image: this agent takes none".to_owned());
        }
        let data = BASE64_STANDARD.encode(attachment.bytes());
        return Ok(json!({"type": "image", "mimeType": media_type, "data": data}));
    }
    let name = attachment.name.as_deref().unwrap_or("attachment");
    let text = text_of(attachment)?;
    if !can.embedded {
        return Ok(json!({"type": "text", "text": in_text(name, &text)}));
    }
    let uri = format!("attachment:///{}", encoded(name));
    let resource = json!({"uri": uri, "mimeType": media_type, "text": text});
    Ok(json!({"type": "resource", "resource": resource}))
}

/// The whole message as text, for a prompt that is nothing else.
///
/// # Errors
///
/// As [`blocks`], and for images.
pub(super) fn plain(message: &Message) -> Result<String, String> {
    if message.output_schema.is_some() {
        return Err("an output schema".to_owned());
    }
    let mut prompt = message.text.clone();
    for attachment in &message.attachments {
        if !prompt.is_empty() {
            prompt.push_str("\n\n");
        }
        let name = attachment.name.as_deref().unwrap_or("attachment");
        prompt.push_str(&in_text(name, &text_of(attachment)?));
    }
    Ok(prompt)
}

fn text_of(attachment: &Attachment) -> Result<String, String> {
    let media_type = attachment.media_type.as_deref().unwrap_or_default();
    if !media_type.starts_with("text/") && media_type != "application/json" {
        let name = attachment.name.as_deref().unwrap_or("attachment");
        return Err(format!("{name}: {media_type} cannot be attached"));
    }
    Ok(String::from_utf8_lossy(attachment.bytes()).into_owned())
}

fn in_text(name: &str, text: &str) -> String {
    let end = if text.ends_with('\n') { "" } else { "\n" };
    let name = name.replace(['"', '<', '>', '\n'], "_");
    format!("<file name=\"{name}\">\n{text}{end}</file>")
}

/// A name as the last part of an address.
fn encoded(name: &str) -> String {
    use std::fmt::Write as _;
    let mut out = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}
