//! Messages of the host: attachments, schemas.

use std::sync::Arc;

use serde_json::{Value, json};

use super::harness::{
    HERE, ask, capture, codec_of, hear, init, lines, open, options, running, said,
};
use crate::config::Mode;
use crate::event::{Body, RawJson};
use crate::ids::TurnId;
use crate::message::{Attachment, Message, Source};
use crate::provider::{Request, SignalBody};

fn attached(media_type: &str, name: &str, bytes: &[u8]) -> Attachment {
    Attachment {
        media_type: Some(media_type.to_owned()),
        name: Some(name.to_owned()),
        source: Source::Bytes(bytes.into()),
    }
}

fn send(mode: Mode, message: Message) -> (Vec<Value>, String) {
    let mut codec = codec_of(mode, &options(), None);
    ask(&mut codec, open(None));
    let out = ask(
        &mut codec,
        Request::Turn {
            conversation: HERE,
            turn: TurnId::from_raw(1),
            message: Arc::new(message),
        },
    );
    (lines(&out), said(&out))
}

fn content(attachment: Attachment, text: &str) -> Value {
    let message = Message {
        text: text.to_owned(),
        attachments: vec![attachment],
        ..Message::default()
    };
    send(Mode::OneShot, message).0[0]["message"]["content"].clone()
}

#[test]
fn images_are_sent_as_base64() {
    for media_type in ["image/png", "image/jpeg", "image/gif", "image/webp"] {
        let source = json!({"type": "base64", "media_type": media_type, "data": "AQID"});
        let expected =
            json!([{"type": "image", "source": source}, {"type": "text", "text": "see"}]);
        assert_eq!(
            content(attached(media_type, "x", &[1, 2, 3]), "see"),
            expected
        );
    }
}

#[test]
fn documents_are_sent_as_base64_with_their_name() {
    let source = json!({"type": "base64", "media_type": "application/pdf", "data": "JVBERg=="});
    let expected = json!([{"type": "document", "source": source, "title": "a.pdf"}]);
    assert_eq!(
        content(attached("application/pdf", "a.pdf", b"%PDF"), ""),
        expected
    );
}

#[test]
fn text_files_are_sent_as_text() {
    let source = json!({"type": "text", "media_type": "text/plain", "data": "ä"});
    let expected = json!([{"type": "document", "source": source, "title": "a.md"}]);
    assert_eq!(
        content(attached("text/markdown", "a.md", "ä".as_bytes()), ""),
        expected
    );
}

#[test]
fn blocks_look_as_the_agent_is_known_to_take_them() {
    let capture = capture("2.1.327/images");
    let lines = capture.lines().filter_map(|line| line.strip_prefix("> "));
    let blocks: Vec<Value> = lines
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON"))
        .filter_map(|line| line["message"]["content"].as_array().cloned())
        .flatten()
        .collect();
    let title = json!("n.txt");
    let known = blocks
        .iter()
        .find(|block| block["title"] == title)
        .expect("a text file");
    let ours = content(attached("text/plain", "n.txt", b"plain text doc"), "");
    assert_eq!(&ours[0], known);
}

#[test]
fn what_the_agent_does_not_take_fails_the_turn_before_anything_is_sent() {
    for attachment in [
        attached("audio/wav", "x", b"1"),
        attached("text/plain", "x", b"\xff"),
    ] {
        let message = Message {
            attachments: vec![attachment],
            ..Message::default()
        };
        let (written, told) = send(Mode::OneShot, message);
        assert!(written.is_empty(), "{written:?}");
        assert!(
            told.contains("host 1 | Ended") && told.contains("InvalidArgument"),
            "{told}"
        );
    }
}

fn with_schema() -> Message {
    Message {
        text: "hi".to_owned(),
        output_schema: Some(RawJson::from_text(r#"{"type":"object"}"#)),
        ..Message::default()
    }
}

#[test]
fn a_schema_is_given_to_a_process_of_its_own_and_the_answer_taken_from_the_end() {
    let (written, _) = send(Mode::OneShot, with_schema());
    let opened = json!({"subtype": "initialize", "jsonSchema": {"type": "object"}});
    assert_eq!(written[0]["request"], opened);
    assert_eq!(written[1]["message"]["content"], "hi");
    let mut codec = super::harness::sent();
    hear(&mut codec, &init("s"));
    let end = json!({"type": "result", "subtype": "success", "is_error": false,
        "result": "{\"n\":5}", "structured_output": {"n": 5}});
    let told = said(&hear(&mut codec, &end));
    assert!(
        told.contains("structured: Some(RawJson(RawValue({\"n\":5})))"),
        "{told}"
    );
}

#[test]
fn a_schema_for_a_warm_process_is_unsupported() {
    let (written, told) = send(Mode::Warm, with_schema());
    assert!(
        written.is_empty() && told.contains("code: Unsupported"),
        "{told}"
    );
}

/// What the end of a turn says in which the agent said `message`, and `result` at its end.
fn text_at_the_end(message: &str, result: &str) -> Option<String> {
    let mut codec = running();
    let block = json!({"type": "text", "text": message});
    let message = json!({"role": "assistant", "content": [block]});
    let shown = hear(
        &mut codec,
        &json!({"type": "assistant", "message": message, "parent_tool_use_id": null}),
    );
    assert!(matches!(
        shown.signals[0].body,
        SignalBody::Show(Body::Message { .. })
    ));
    let end = json!({"type": "result", "subtype": "success", "is_error": false, "result": result});
    let mut signals = hear(&mut codec, &end).signals.into_iter();
    signals.find_map(|signal| match signal.body {
        SignalBody::Ended(end) => Some(end.text),
        _ => None,
    })?
}

#[test]
fn a_long_message_that_the_end_repeats_is_not_copied_again() {
    let long = "so \"long\" ".repeat(10_000);
    assert_eq!(text_at_the_end(&long, &long), None);
    let other = long.replacen("so", "as", 1);
    assert_eq!(text_at_the_end(&long, &other), Some(other));
    let other = "x".repeat(long.len());
    assert_eq!(text_at_the_end("short", &other), Some(other));
    assert_eq!(text_at_the_end("short", "short").as_deref(), Some("short"));
}
