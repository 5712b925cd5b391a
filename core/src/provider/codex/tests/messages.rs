//! Attachments and answers that fit a schema.

use std::sync::Arc;

use serde_json::json;

use super::opened::{FIRST, answer, completed, ends, methods, note, opened, options, started};
use super::play::Player;
use crate::config::Mode;
use crate::error::ErrorKind;
use crate::event::RawJson;
use crate::ids::TurnId;
use crate::message::{Attachment, Message, Source};
use crate::provider::{Outcome, Request, SignalBody, TurnRef};

fn attached(media_type: &str, name: &str, bytes: &[u8]) -> Attachment {
    Attachment {
        media_type: Some(media_type.into()),
        name: Some(name.into()),
        source: Source::Bytes(bytes.into()),
    }
}

fn send(player: &mut Player, message: Message) -> TurnId {
    let turn = TurnId::from_raw(1);
    player.request(Request::Turn {
        conversation: FIRST,
        turn,
        message: Arc::new(message),
    });
    turn
}

#[test]
fn images_go_as_data_and_text_files_as_text_with_their_name() {
    let mut player = opened();
    let message = Message {
        text: "look".into(),
        attachments: vec![
            attached("image/png", "a.png", b"\x89PNG"),
            attached("text/plain", "n\"o.txt", b"one\ntwo"),
        ],
        output_schema: None,
    };
    send(&mut player, message);
    assert_eq!(
        player.written[0]["params"]["input"],
        json!([
            {"type": "text", "text": "look"},
            {"type": "image", "url": "data:image/png;base64,iVBORw=="},
            {"type": "text", "text": "<file name=\"n_o.txt\">\none\ntwo\n</file>"},
        ])
    );
}

#[test]
fn what_cannot_be_attached_fails_the_turn_before_it_is_sent() {
    let pdf = || Message {
        attachments: vec![attached("application/pdf", "a.pdf", b"%PDF")],
        ..Message::from("look")
    };
    let mut player = opened();
    let turn = send(&mut player, pdf());
    let failed = |message: &str| Outcome::Failed {
        code: ErrorKind::Unsupported,
        message: message.into(),
    };
    let end = (
        TurnRef::Host(turn),
        failed("a.pdf: application/pdf cannot be attached"),
    );
    assert_eq!(ends(&player), [end]);
    assert_eq!(methods(&player), [""; 0]);
}

#[test]
fn a_one_shot_prompt_carries_text_files_and_nothing_else() {
    let file = attached("text/plain", "a.txt", b"one\n");
    let mut player = Player::new(Mode::OneShot);
    player.open(options(), None);
    let attachments = vec![file];
    send(
        &mut player,
        Message {
            attachments,
            ..Message::from("look")
        },
    );
    assert_eq!(
        player.out.bytes,
        b"look\n\n<file name=\"a.txt\">\none\n</file>"
    );

    let image = attached("image/png", "a.png", b"x");
    let schema = RawJson::from_text("{}");
    for (attachments, output_schema, why) in [
        (vec![image], None, "a.png: image/png cannot be attached"),
        (vec![], Some(schema), "an output schema"),
    ] {
        let mut player = Player::new(Mode::OneShot);
        player.open(options(), None);
        let text = "look".into();
        send(
            &mut player,
            Message {
                text,
                attachments,
                output_schema,
            },
        );
        let [(_, Outcome::Failed { code, message })] = &ends(&player)[..] else {
            panic!("the turn fails");
        };
        assert_eq!(*code, ErrorKind::Unsupported);
        assert!(message.starts_with(why), "{message}");
        assert!(player.out.bytes.is_empty());
    }
}

#[test]
fn an_answer_to_a_schema_is_read_and_one_that_is_no_json_is_not() {
    for (text, structured) in [("{\"a\":1}", Some("{\"a\":1}")), ("sorry", None)] {
        let mut player = opened();
        let output_schema = Some(RawJson::from_text(r#"{"type":"object"}"#));
        send(
            &mut player,
            Message {
                output_schema,
                ..Message::from("go")
            },
        );
        assert_eq!(
            player.written[0]["params"]["outputSchema"],
            json!({"type": "object"})
        );
        player.line(&answer(3, "U"));
        player.line(&started("U"));
        let item = json!({"type": "agentMessage", "id": "m", "text": text});
        let params = json!({"threadId": "T", "turnId": "U", "item": item});
        player.line(&note("item/completed", &params));
        player.line(&completed("U", "completed"));
        let found = player.signals.iter().find_map(|s| match &s.body {
            SignalBody::Ended(end) => Some(end.structured.as_ref().map(RawJson::get)),
            _ => None,
        });
        assert_eq!(found, Some(structured));
    }
}
