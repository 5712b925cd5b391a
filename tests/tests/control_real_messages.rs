//! Turn control, with the real agents: what a message carries, what its answer must be like, and what
//! its turn may use up.

use std::time::Duration;

use remuda::event::RawJson;
use remuda::{Attachment, Budget, ErrorKind, Feature, Message, Pool, SendOptions, Sent, Source};
use remuda_tests::{Agent, Real, answer, closed, started, with_real_agents};
use serde_json::{Value, json};

with_real_agents! {
    an_image_reaches_the_model
    an_image_file_reaches_the_model
    a_text_file_reaches_the_model
    what_is_too_large_is_refused_before_the_turn
    what_the_agent_does_not_take_is_refused_before_the_turn
    a_turn_may_go_to_the_model_so_often
    a_turn_may_use_so_many_tokens
    a_turn_may_take_so_long
    a_turn_that_keeps_to_its_budget_ends_well;
    claude:
    a_turn_may_cost_so_much
    a_pdf_reaches_the_model;
    codex:
    a_budget_of_money_is_refused
    an_answer_fits_its_schema;
    one_shot_claude:
    a_turn_may_cost_so_much
    an_image_reaches_the_model
    a_pdf_reaches_the_model
    a_text_file_reaches_the_model
    an_answer_fits_its_schema;
    one_shot_codex:
    a_text_file_reaches_the_model
    what_the_agent_does_not_take_is_refused_before_the_turn
}

/// One grey point.
const PNG: &[u8] = &[
    0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0x00, 0x00, 0x00, 0x0d, 0x49, 0x48, 0x44, 0x52,
    0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x01, 0x08, 0x00, 0x00, 0x00, 0x00, 0x3a, 0x7e, 0x9b,
    0x55, 0x00, 0x00, 0x00, 0x0a, 0x49, 0x44, 0x41, 0x54, 0x78, 0x9c, 0x63, 0x68, 0x00, 0x00, 0x00,
    0x82, 0x00, 0x81, 0x77, 0xcd, 0x72, 0xb6, 0x00, 0x00, 0x00, 0x00, 0x49, 0x45, 0x4e, 0x44, 0xae,
    0x42, 0x60, 0x82,
];

fn bytes(media_type: &str, name: &str, bytes: &[u8]) -> Attachment {
    Attachment {
        media_type: Some(media_type.to_owned()),
        name: Some(name.to_owned()),
        source: Source::Bytes(bytes.into()),
    }
}

fn with(text: &str, attachment: Attachment) -> Message {
    Message {
        attachments: vec![attachment],
        ..Message::from(text)
    }
}

async fn an_image_reaches_the_model(real: Real) {
    let pool = Pool::new().expect("a pool");
    let session = pool.open(real.options()).expect("a session");
    answer(&session, "hello").await;
    let message = with(r#"MODEL:["seen"]"#, bytes("image/png", "grey.png", PNG));
    assert_eq!(session.ask(message).await.expect("a good end").text, "seen");
    let images: Vec<_> = real.api().calls().iter().map(|call| call.images).collect();
    assert_eq!(images, [0, 1]);
    closed(&session).await;
}

async fn an_image_file_reaches_the_model(real: Real) {
    let pool = Pool::new().expect("a pool");
    let session = pool.open(real.options()).expect("a session");
    let file = real.project().join("grey.png");
    std::fs::write(&file, PNG).expect("a file");
    let attachment = Attachment {
        media_type: None,
        name: None,
        source: Source::Path(file),
    };
    // Without a word, too.
    let message = with("", attachment);
    session.ask(message).await.expect("a good end");
    assert_eq!(real.api().calls()[0].images, 1);
    closed(&session).await;
}

async fn a_text_file_reaches_the_model(real: Real) {
    let pool = Pool::new().expect("a pool");
    let session = pool.open(real.options()).expect("a session");
    let note = bytes("text/plain", "note.txt", b"keep marker-red\n");
    let message = with("What does it say?", note);
    session.ask(message).await.expect("a good end");
    let said = answer(&session, r#"MODEL:[{"recall":"marker-"}]"#).await;
    assert_eq!(said, "marker-red");
    assert_eq!(real.api().calls().len(), 2);
    closed(&session).await;
}

async fn a_pdf_reaches_the_model(real: Real) {
    let pool = Pool::new().expect("a pool");
    let session = pool.open(real.options()).expect("a session");
    let message = with(
        r#"MODEL:["seen"]"#,
        bytes("application/pdf", "a.pdf", b"%PDF-1.4\n%%EOF\n"),
    );
    assert_eq!(session.ask(message).await.expect("a good end").text, "seen");
    assert_eq!(real.api().calls()[0].documents, 1);
    closed(&session).await;
}

async fn what_the_agent_does_not_take_is_refused_before_the_turn(real: Real) {
    let pool = Pool::new().expect("a pool");
    let schema = Message {
        output_schema: Some(RawJson::from_text("{}")),
        ..Message::from("hello")
    };
    let messages = [
        (Feature::Images, with("", bytes("image/png", "a", PNG))),
        (
            Feature::Documents,
            with("", bytes("application/pdf", "b", b"%PDF")),
        ),
        (Feature::OutputSchema, schema),
    ];
    let session = pool.open(real.options()).expect("a session");
    for (feature, message) in messages {
        if real.can(feature) {
            continue;
        }
        let next = session.snapshot().next_seq;
        let refused = session.send(message).expect_err("a no");
        assert_eq!(refused.kind(), ErrorKind::Unsupported, "{feature:?}");
        assert_eq!(session.snapshot().next_seq, next, "it causes no event");
    }
    closed(&session).await;
    assert_eq!(real.api().calls().len(), 0);
}

async fn what_is_too_large_is_refused_before_the_turn(real: Real) {
    let pool = Pool::new().expect("a pool");
    let session = pool.open(real.options()).expect("a session");
    let file = real.project().join("large.txt");
    let large = std::fs::File::create(&file).expect("a file");
    // One byte more than all attachments together may have; it takes no room on the disk.
    large.set_len((32 << 20) + 1).expect("a length");
    let attachment = Attachment {
        media_type: None,
        name: None,
        source: Source::Path(file),
    };
    let next = session.snapshot().next_seq;
    let refused = session.send(with("look", attachment)).expect_err("a no");
    assert_eq!(refused.kind(), ErrorKind::TooLarge, "{refused}");
    assert_eq!(session.snapshot().next_seq, next, "it causes no event");
    closed(&session).await;
    assert_eq!(real.api().calls().len(), 0);
}

async fn an_answer_fits_its_schema(real: Real) {
    let pool = Pool::new().expect("a pool");
    let session = pool.open(real.options()).expect("a session");
    let schema = json!({
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": false,
    });
    let city = json!({"city": "Paris"});
    let script = match real.agent() {
        Agent::Claude => json!([{"tool": "StructuredOutput", "input": city}, "done"]),
        Agent::Codex => json!([city.to_string()]),
    };
    let message = Message {
        output_schema: Some(RawJson::from_text(&schema.to_string())),
        ..Message::from(format!("MODEL:{script}"))
    };
    let result = session.ask(message).await.expect("a good end");
    let structured = result.structured.expect("a structured answer");
    let structured: Value = serde_json::from_str(structured.get()).expect("JSON");
    assert_eq!(structured, city);
    // It is of that turn alone.
    let result = session.ask("hello").await.expect("a good end");
    assert_eq!((result.text.as_str(), result.structured), ("turn 2", None));
    let calls = real.api().calls();
    if real.agent() == Agent::Codex {
        let schemas: Vec<_> = calls.iter().map(|call| call.output_schema).collect();
        assert_eq!(schemas, [true, false]);
    }
    closed(&session).await;
}

/// A turn that uses up its budget fails, and the next one runs in the same process.
async fn exceeds(real: &Real, budget: Budget, prompt: &str) {
    let pool = Pool::new().expect("a pool");
    let session = pool.open(real.options()).expect("a session");
    answer(&session, "keep marker-red").await;
    let options = SendOptions {
        budget,
        ..SendOptions::default()
    };
    let sent = session.send_with(prompt, options).await;
    let Ok(Sent::Started(turn)) = sent else {
        panic!("{sent:?}");
    };
    let failed = turn.result().await.expect_err("a failure");
    assert_eq!(failed.kind(), Some(ErrorKind::BudgetExceeded), "{failed:?}");
    let said = answer(&session, r#"MODEL:[{"recall":"marker-"}]"#).await;
    assert_eq!(said, "marker-red");
    let events = closed(&session).await;
    assert_eq!(started(&events).len(), real.processes(3), "it stays");
}

const THREE_CALLS: &str =
    r#"MODEL:[{"shell":"true"},{"shell":"true"},{"words":1000,"delay_ms":50}]"#;

async fn a_turn_may_go_to_the_model_so_often(real: Real) {
    let budget = Budget {
        max_agent_turns: Some(2),
        ..Budget::default()
    };
    exceeds(&real, budget, THREE_CALLS).await;
}

async fn a_turn_may_use_so_many_tokens(real: Real) {
    let budget = Budget {
        max_tokens: Some(10),
        ..Budget::default()
    };
    exceeds(
        &real,
        budget,
        r#"MODEL:[{"shell":"sleep 1000"},"never said"]"#,
    )
    .await;
}

async fn a_turn_that_keeps_to_its_budget_ends_well(real: Real) {
    let pool = Pool::new().expect("a pool");
    let session = pool.open(real.options()).expect("a session");
    let options = SendOptions {
        budget: Budget {
            max_agent_turns: Some(2),
            max_tokens: Some(10_000_000),
            max_cost_usd: real.can(Feature::Cost).then_some(1000.0),
            max_duration: Some(Duration::from_hours(1)),
        },
        ..SendOptions::default()
    };
    let prompt = r#"MODEL:[{"shell":"true"},"two calls are allowed"]"#;
    let sent = session.send_with(prompt, options).await;
    let Ok(Sent::Started(turn)) = sent else {
        panic!("{sent:?}");
    };
    let result = turn.result().await.expect("a good end");
    assert_eq!(result.text, "two calls are allowed");
    closed(&session).await;
}

async fn a_turn_may_cost_so_much(real: Real) {
    let budget = Budget {
        max_cost_usd: Some(0.000_001),
        ..Budget::default()
    };
    exceeds(&real, budget, "hello").await;
}

/// Codex does not tell what a turn costs, and so it cannot be held to it.
async fn a_budget_of_money_is_refused(real: Real) {
    let pool = Pool::new().expect("a pool");
    let session = pool.open(real.options()).expect("a session");
    let options = SendOptions {
        budget: Budget {
            max_cost_usd: Some(1.0),
            ..Budget::default()
        },
        ..SendOptions::default()
    };
    let refused = session.send_with("hello", options).await;
    let refused = refused.expect_err("a no");
    assert_eq!(refused.kind(), ErrorKind::Unsupported, "{refused}");
    assert_eq!(answer(&session, "hello").await, "turn 1");
    closed(&session).await;
}

async fn a_turn_may_take_so_long(real: Real) {
    let budget = Budget {
        max_duration: Some(Duration::from_millis(200)),
        ..Budget::default()
    };
    exceeds(&real, budget, r#"MODEL:[{"hang":true}]"#).await;
}
