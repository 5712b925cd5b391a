//! A message as the agent takes it: text, images, files.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use crate::message::{Attachment, Message};

/// The `input` of `turn/start` and `turn/steer`.
///
/// # Errors
///
/// A message for people, if something is attached that the agent does not take.
pub(super) fn input(message: &Message) -> Result<Value, String> {
    let mut input = Vec::new();
    if !message.text.is_empty() || message.attachments.is_empty() {
        input.push(json!({"type": "text", "text": message.text}));
    }
    for attachment in &message.attachments {
        input.push(attached(attachment)?);
    }
    Ok(Value::Array(input))
}

fn attached(attachment: &Attachment) -> Result<Value, String> {
    if !attachment.is_image() {
        return Ok(json!({"type": "text", "text": file(attachment)?}));
    }
    let media_type = attachment.media_type.as_deref().unwrap_or_default();
    let data = BASE64_STANDARD.encode(attachment.bytes());
    let url = format!("data:{media_type};base64,{data}");
    Ok(json!({"type": "image", "url": url}))
}

/// The whole message as text, for a prompt that is nothing else.
///
/// # Errors
///
/// As [`input`], and for images.
pub(super) fn prompt(message: &Message) -> Result<String, String> {
    let mut prompt = message.text.clone();
    for attachment in &message.attachments {
        if !prompt.is_empty() {
            prompt.push_str("\n\n");
        }
        prompt.push_str(&file(attachment)?);
    }
    Ok(prompt)
}

/// A text file as text.
fn file(attachment: &Attachment) -> Result<String, String> {
    let media_type = attachment.media_type.as_deref().unwrap_or_default();
    let name = attachment.name.as_deref().unwrap_or("attachment");
    if !media_type.starts_with("text/") && media_type != "application/json" {
        return Err(format!("{name}: {media_type} cannot be attached"));
    }
    let text = String::from_utf8_lossy(attachment.bytes());
    let end = if text.ends_with('\n') { "" } else { "\n" };
    let name = name.replace(['"', '<', '>', '\n'], "_");
    Ok(format!("<file name=\"{name}\">\n{text}{end}</file>"))
}
