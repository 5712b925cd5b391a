//! Turns: what the agent says in them, their ends, interrupts, steering.

use std::sync::Arc;

use serde_json::{Value, json};

use super::opened::{
    FIRST, bare_greeting, ends, greeting, methods, note, offers, opened, opened_by, options,
    outcomes, refuse, reply, said, shown, warnings,
};
use super::play::Player;
use crate::config::Mode;
use crate::error::ErrorKind;
use crate::event::Body;
use crate::message::{Attachment, Message, Source};
use crate::provider::acp::{self, AcpAgent};
use crate::provider::{Outcome, Request, SignalBody, TurnRef};

pub(super) fn tool(kind: &str, members: &Value) -> String {
    let mut all = json!({"toolCallId": "t"});
    for (name, value) in members.as_object().into_iter().flatten() {
        all[name] = value.clone();
    }
    note(kind, all)
}

pub(super) fn text(text: &str) -> Value {
    json!([{"type": "content", "content": {"type": "text", "text": text}}])
}

pub(super) fn in_turn(agent: &AcpAgent) -> Player {
    let mut player = opened_by(agent);
    player.turn(FIRST, "go");
    player
}

#[test]
fn a_message_is_whole_where_another_begins() {
    let mut player = in_turn(&acp::ANY);
    let piece = |id: &str, text: &str| {
        note(
            "agent_message_chunk",
            json!({"messageId": id, "content": {"type": "text", "text": text}}),
        )
    };
    player.line(&piece("1", "a"));
    player.line(&piece("1", "b"));
    player.line(&piece("2", "c"));
    player.line(&note(
        "agent_thought_chunk",
        json!({"content": {"type": "text", "text": "hm"}}),
    ));
    player.line(&said("d"));
    reply(&mut player, json!({"stopReason": "end_turn"}));
    let messages: Vec<_> = shown(&player)
        .into_iter()
        .filter_map(|body| match body {
            Body::Message { text, .. } => Some(text.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(messages, ["ab", "c", "d"]);
    assert_eq!(ends(&player)[0].text.as_deref(), Some("d"));
}

#[test]
fn an_end_without_anything_is_a_failure() {
    let mut player = in_turn(&acp::KIMI);
    reply(&mut player, json!({"stopReason": "end_turn"}));
    assert!(matches!(
        outcomes(&player)[..],
        [Outcome::Failed {
            code: ErrorKind::ModelError,
            ..
        }]
    ));
}

#[test]
fn each_end_has_its_outcome() {
    let failed = |code| Some(code);
    let cases = [
        (json!({"stopReason": "end_turn"}), None),
        (json!({"stopReason": "max_tokens"}), None),
        (json!({"stopReason": "something_new"}), None),
        (
            json!({"stopReason": "max_turn_requests"}),
            failed(ErrorKind::BudgetExceeded),
        ),
        (
            json!({"stopReason": "refusal"}),
            failed(ErrorKind::ModelError),
        ),
    ];
    for (result, kind) in cases {
        let mut player = in_turn(&acp::ANY);
        player.line(&said("x"));
        reply(&mut player, result.clone());
        match (kind, outcomes(&player)[0]) {
            (None, Outcome::Completed) => {}
            (Some(kind), Outcome::Failed { code, .. }) => assert_eq!(*code, kind, "{result}"),
            (_, other) => panic!("{result}: {other:?}"),
        }
        assert_eq!(
            ends(&player)[0].stop_reason.as_deref(),
            result["stopReason"].as_str()
        );
    }
}

#[test]
fn each_error_has_its_kind_and_a_line_to_read() {
    let cases = [
        (
            429,
            "mock says 429",
            Value::Null,
            ErrorKind::RateLimited,
            "mock says 429",
        ),
        (
            400,
            r#"{"error":{"message":"bad"}}"#,
            Value::Null,
            ErrorKind::ModelError,
            "bad",
        ),
        (401, "no", Value::Null, ErrorKind::AccountError, "no"),
        (
            -32000,
            "Authentication required",
            Value::Null,
            ErrorKind::AccountError,
            "Authentication required",
        ),
        (
            -32603,
            "x",
            json!({"errorKind": "rate_limit"}),
            ErrorKind::RateLimited,
            "x",
        ),
        (
            -32603,
            "x",
            json!({"errorKind": "server_error"}),
            ErrorKind::ModelError,
            "x",
        ),
        (
            -32603,
            "Internal error: 401",
            json!({"errorName": "APIError"}),
            ErrorKind::AccountError,
            "Internal error: 401",
        ),
        (
            -32603,
            "Internal error",
            json!({"details": "Input exceeds the maximum length of 5"}),
            ErrorKind::TooLarge,
            "Internal error: Input exceeds the maximum length of 5",
        ),
        (
            -32600,
            "busy",
            json!({"code": "turn.agent_busy"}),
            ErrorKind::AgentError,
            "busy",
        ),
    ];
    for (code, message, data, kind, line) in cases {
        let mut player = in_turn(&acp::ANY);
        refuse(&mut player, code, message, data);
        let failed = Outcome::Failed {
            code: kind,
            message: line.to_owned(),
        };
        assert_eq!(outcomes(&player), [&failed]);
    }
}

#[test]
fn a_fault_that_codex_tells_beside_the_protocol_fails_the_turn() {
    let mut player = in_turn(&acp::CODEX_ACP);
    let meta = json!({"_meta": {"codex": {"threadStatus": {"type": "systemError"}}}});
    player.line(&note("session_info_update", meta));
    player.line(&said("{\"error\": {\"message\": \"429 slow down\"}}\n\n"));
    reply(&mut player, json!({"stopReason": "end_turn"}));
    let failed = Outcome::Failed {
        code: ErrorKind::RateLimited,
        message: "429 slow down".to_owned(),
    };
    assert_eq!(outcomes(&player), [&failed]);
}

#[test]
fn warnings_that_codex_says_as_text_are_no_part_of_the_answer() {
    let mut player = in_turn(&acp::CODEX_ACP);
    player.line(&said("Warning: Model metadata not found.\n\n"));
    reply(&mut player, json!({"stopReason": "end_turn"}));
    assert_eq!(warnings(&player).len(), 1);
    assert_eq!(ends(&player)[0].text, None);
}

#[test]
fn a_mode_that_gemini_says_as_text_is_no_part_of_the_answer() {
    let mut player = in_turn(&acp::GEMINI);
    player.line(&said("[MODE_UPDATE] yolo"));
    player.line(&said("[MODE_UPDATE] is a word of mine"));
    let texts: Vec<_> = shown(&player);
    assert!(matches!(texts[0], Body::Status { state, .. } if state == "mode"));
    assert!(matches!(texts[1], Body::TextDelta { .. }));
}

#[test]
fn an_interrupt_answers_what_is_open_and_is_sent_once() {
    let mut player = opened();
    player.interrupt(FIRST);
    assert_eq!(methods(&player), [""; 0], "nothing runs");
    player.turn(FIRST, "go");
    let ask = json!({"id": "q", "method": "session/request_permission", "params": {
        "sessionId": "S", "toolCall": {"toolCallId": "t"}, "options": []}});
    player.line(&ask.to_string());
    player.interrupt(FIRST);
    player.interrupt(FIRST);
    let cancelled =
        json!({"jsonrpc": "2.0", "id": "q", "result": {"outcome": {"outcome": "cancelled"}}});
    assert_eq!(methods(&player), ["session/prompt", "session/cancel"]);
    assert_eq!(player.written.last(), Some(&cancelled));
    player.line(&tool(
        "tool_call_update",
        &json!({"status": "completed", "content": text("done")}),
    ));
    let result = shown(&player).into_iter().last();
    assert!(
        matches!(result, Some(Body::ToolResult { is_error: true, .. })),
        "what is cut off did not end well, whatever its status: {result:?}"
    );
    // The request's id, not that of the question.
    player.line(&json!({"id": 3, "result": {"stopReason": "cancelled"}}).to_string());
    assert_eq!(outcomes(&player), [&Outcome::Interrupted]);
}

#[test]
fn an_interrupted_turn_that_took_no_tokens_was_interrupted() {
    let mut player = in_turn(&acp::OPENCODE);
    player.interrupt(FIRST);
    player.line(
        &json!({"id": 3, "result": {"stopReason": "end_turn",
        "usage": {"inputTokens": 0, "outputTokens": 0, "totalTokens": 0}}})
        .to_string(),
    );
    assert_eq!(outcomes(&player), [&Outcome::Interrupted]);
}

#[test]
fn tokens_and_money_are_counted_for_the_turn() {
    let mut player = opened();
    let cost = |amount: f64| {
        note(
            "usage_update",
            json!({"used": 5, "size": 9, "cost": {"amount": amount, "currency": "USD"}}),
        )
    };
    let result = json!({"stopReason": "end_turn", "usage": {"inputTokens": 100, "outputTokens": 7,
        "cachedReadTokens": 30, "cachedWriteTokens": 10, "totalTokens": 107, "thoughtTokens": 2}});
    for amount in [1.0, 1.5, 0.25] {
        player.turn(FIRST, "go");
        player.line(&said("x"));
        player.line(&cost(amount));
        reply(&mut player, result.clone());
    }
    let costs: Vec<_> = ends(&player).iter().map(|e| e.cost_usd).collect();
    assert_eq!(costs, [Some(1.0), Some(0.5), Some(0.25)]);
    let usage = ends(&player)[0].usage.expect("tokens");
    assert_eq!(
        (
            usage.input_tokens,
            usage.cache_read_tokens,
            usage.cache_write_tokens
        ),
        (60, 30, 10)
    );
}

#[test]
fn what_the_agent_says_between_turns_belongs_to_none() {
    let mut player = opened();
    player.line(&note("usage_update", json!({"used": 1, "size": 2})));
    player.line(&said("by the way"));
    assert!(player.signals.iter().all(|s| s.turn == TurnRef::None));
    assert_eq!(player.signals.len(), 2);
}

#[test]
fn what_the_agent_says_between_turns_is_no_part_of_the_next() {
    let mut player = in_turn(&acp::ANY);
    reply(&mut player, json!({"stopReason": "end_turn"}));
    player.line(&said("too late"));
    player.turn(FIRST, "and now");
    player.line(&said("next"));
    reply(&mut player, json!({"stopReason": "end_turn"}));
    let messages: Vec<_> = player
        .signals
        .iter()
        .filter_map(|signal| match &signal.body {
            SignalBody::Show(Body::Message { text, .. }) => Some((signal.turn, text.as_str())),
            _ => None,
        })
        .collect();
    let second = TurnRef::Host(player.host_turns[1].1);
    assert_eq!(messages, [(TurnRef::None, "too late"), (second, "next")]);
    let last = ends(&player).pop().expect("an end");
    assert_eq!(last.text.as_deref(), Some("next"));
}

#[test]
fn a_message_joins_a_turn_where_the_agent_takes_it() {
    let mut player = in_turn(&acp::CLAUDE_ACP);
    let steered = |player: &Player| match &player.signals.last().expect("a signal").body {
        SignalBody::Steered { refused, .. } => refused.clone(),
        other => panic!("{other:?}"),
    };
    player.steer(FIRST, "more");
    assert_eq!(methods(&player).last(), Some(&"_session/steering"));
    reply(&mut player, json!({"outcome": "injected"}));
    assert_eq!(steered(&player), None);
    player.steer(FIRST, "more");
    reply(
        &mut player,
        json!({"outcome": "promptRequired", "reason": "noRunningTurn"}),
    );
    assert!(steered(&player).is_some());
    player.line(&json!({"id": 3, "result": {"stopReason": "cancelled"}}).to_string());
    player.steer(FIRST, "more");
    assert_eq!(steered(&player).as_deref(), Some("the turn is over"));

    let mut player = Player::new(&acp::ANY, Mode::Warm);
    player.line(&bare_greeting().to_string());
    player.open(options(), None);
    reply(&mut player, offers("S"));
    player.turn(FIRST, "go");
    player.steer(FIRST, "more");
    assert!(steered(&player).is_some_and(|why| why.contains("takes no message")));
}

#[test]
fn attachments_go_as_the_agent_takes_them() {
    let attached = |media_type: &str, bytes: &[u8]| Attachment {
        media_type: Some(media_type.into()),
        name: Some("a b.txt".into()),
        source: Source::Bytes(bytes.into()),
    };
    let send = |greeting: &Value, attachment: Attachment| {
        let mut player = Player::new(&acp::ANY, Mode::Warm);
        player.line(&greeting.to_string());
        player.open(options(), None);
        reply(&mut player, offers("S"));
        let message = Arc::new(Message {
            text: "see".into(),
            attachments: vec![attachment],
            output_schema: None,
        });
        let turn = crate::ids::TurnId::from_raw(1);
        player.request(Request::Turn {
            conversation: FIRST,
            turn,
            message,
        });
        player
    };
    let block =
        |player: &Player| player.written.last().expect("a prompt")["params"]["prompt"][1].clone();
    let image = send(&greeting(), attached("image/png", b"x"));
    assert_eq!(
        block(&image),
        json!({"type": "image", "mimeType": "image/png", "data": "eA=="})
    );
    let file = send(&greeting(), attached("text/plain", b"x"));
    let resource = json!({"uri": "attachment:///a%20b.txt", "mimeType": "text/plain", "text": "x"});
    assert_eq!(
        block(&file),
        json!({"type": "resource", "resource": resource})
    );
    let plain = send(&bare_greeting(), attached("text/plain", b"x"));
    assert_eq!(
        block(&plain),
        json!({"type": "text", "text": "<file name=\"a b.txt\">\nx\n</file>"})
    );
    let refused = send(&bare_greeting(), attached("image/png", b"x"));
    assert!(matches!(
        outcomes(&refused)[..],
        [Outcome::Failed {
            code: ErrorKind::Unsupported,
            ..
        }]
    ));
}

#[test]
fn a_conversation_that_goes_on_counts_its_cost_from_where_it_was() {
    for (count, added) in [(2.5, 0.5), (0.25, 0.25)] {
        let mut player = super::opened::greeted(&acp::CLAUDE_ACP);
        player.resume_at(options(), "S", 2.0);
        reply(&mut player, offers("S"));
        player.turn(FIRST, "go");
        player.line(&said("x"));
        let cost = json!({"used": 1, "size": 2, "cost": {"amount": count, "currency": "USD"}});
        player.line(&note("usage_update", cost));
        reply(&mut player, json!({"stopReason": "end_turn"}));
        assert_eq!(ends(&player)[0].cost_usd, Some(added));
    }
}
