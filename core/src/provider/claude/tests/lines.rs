//! Single lines, whole and broken.

use serde_json::json;

use super::harness::{one_shot, turn, written};
use crate::event::{Body, WarningCode};
use crate::provider::{Codec, Output, SignalBody, TurnRef};

/// What the lines give in a running turn, each signal as a line of text.
fn heard(lines: &[&[u8]]) -> Vec<String> {
    let mut codec = one_shot();
    codec.next_ids.push_back("u1".to_owned());
    codec.request(turn(1, "hi"), &mut Output::default());
    let start = json!({"type": "command_lifecycle", "command_uuid": "u1", "state": "started"});
    codec.line(start.to_string().as_bytes(), &mut Output::default());
    let mut out = Output::default();
    for line in lines {
        codec.line(line, &mut out);
    }
    codec.end_of_output(&mut out);
    written(out.signals.iter())
        .lines()
        .map(str::to_owned)
        .collect()
}

const DELTA: &str = r#"{"type":"stream_event","event":{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a"}},"parent_tool_use_id":null}"#;

#[test]
fn marks_blanks_and_terminal_sequences_around_a_line_do_not_matter() {
    let expected = [r#"host 1 | {"type":"text_delta","text":"a"}"#];
    for line in [
        DELTA.to_owned(),
        format!("{DELTA}\r"),
        format!("  {DELTA} \t"),
        format!("\u{feff}{DELTA}"),
        format!("\u{1b}[2K\u{1b}[1G{DELTA}"),
        format!("\u{1b}]0;title\u{7}{DELTA}"),
    ] {
        assert_eq!(heard(&[line.as_bytes()]), expected, "{line:?}");
    }
    assert_eq!(
        heard(&[b"", b"  \r", b"\x1b[0m", b"\x1b", b"\x1b["]).len(),
        2
    );
}

#[test]
fn keys_may_come_in_any_order_and_hold_escapes() {
    let line = r#"{"uuid":"x","event":{"delta":{"text":"\u00e4\n\"b","type":"text_\u0064elta"},"type":"content_block_delta"},"ty\u0070e":"stream_event"}"#;
    assert_eq!(
        heard(&[line.as_bytes()]),
        [r#"host 1 | {"type":"text_delta","text":"ä\n\"b"}"#]
    );
}

#[test]
fn noise_is_shown_ten_times_and_then_counted() {
    let noise: &[u8] = b"npm WARN  deprecated";
    let said = heard(&[noise; 25]);
    let once = r#"- | {"type":"warning","code":"noise","message":"npm WARN deprecated"}"#;
    let rest = r#"- | {"type":"warning","code":"noise","message":"15 more lines that are not the agent's protocol"}"#;
    assert_eq!(said.len(), 11);
    assert!(said[..10].iter().all(|line| line == once));
    assert_eq!(said[10], rest);
}

#[test]
fn broken_json_is_noise_and_foreign_json_is_passed_on_whole() {
    let deep = format!(r#"{{"type":"{}"#, "[".repeat(100_000));
    for line in [&b"{\"type\":\"assis"[..], b"{", b"{nope}", deep.as_bytes()] {
        let said = heard(&[line]);
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(said[0].contains("noise"), "{said:?}");
    }
    for line in [
        r#"{"type":"from_the_future","x":[1,{"y":2}]}"#,
        r#"{"type":"system","subtype":"from_the_future"}"#,
        r#"{"type":7}"#,
        r#"{"type":"stream_event","event":{"type":"from_the_future"}}"#,
        r#"{"type":"stream_event","event":"text"}"#,
        r#"{"type":"stream_event","event":{"type":"content_block_delta","delta":{"type":"text_delta","text":5}}}"#,
        r#"{"type":"assistant","message":{"content":17}}"#,
        r#"{"type":"assistant"}"#,
        r#"{"type":"user","message":null}"#,
        r#"{"type":"control_request","request":{}}"#,
        r#"{"no":"type"}"#,
    ] {
        let said = heard(&[line.as_bytes()]);
        assert_eq!(said.len(), 1, "{line}: {said:?}");
        assert!(
            said[0].ends_with(&format!(r#"{{"type":"unknown","raw":{line}}}"#)),
            "{said:?}"
        );
    }
}

#[test]
fn json_that_is_deep_where_nobody_looks_is_no_obstacle() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let line = DELTA.replace("\"index\":0", &format!("\"index\":{deep}"));
    assert_eq!(
        heard(&[line.as_bytes()]),
        [r#"host 1 | {"type":"text_delta","text":"a"}"#]
    );
}

#[test]
fn bytes_that_are_not_unicode_are_replaced_and_the_line_still_counts() {
    let mut line = DELTA.as_bytes().to_vec();
    let at = DELTA.find("\"a\"").expect("the text") + 1;
    line[at] = 0xff;
    assert_eq!(
        heard(&[&line]),
        ["host 1 | {\"type\":\"text_delta\",\"text\":\"\u{fffd}\"}"]
    );
}

#[test]
fn a_result_with_fields_of_wrong_types_still_ends_its_turn() {
    let line = json!({"type": "result", "subtype": 5, "is_error": "no", "num_turns": -1,
        "usage": [], "modelUsage": "x", "total_cost_usd": "free", "result": {}, "errors": 1,
        "user_message_uuids": 9, "origin": 3, "duration_ms": -5});
    let said = heard(&[line.to_string().as_bytes()]);
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        said[0].starts_with("host 1 | Ended(TurnEnd { outcome: Completed"),
        "{said:?}"
    );
}

#[test]
fn a_late_result_of_an_earlier_turn_does_not_end_a_later_one() {
    let mut codec = one_shot();
    let mut out = Output::default();
    for number in [1, 2] {
        let uuid = format!("u{number}");
        codec.next_ids.push_back(uuid.clone());
        codec.request(turn(number, "hi"), &mut out);
        let start = json!({"type": "system", "subtype": "init", "session_id": "s",
            "user_message_uuids": [uuid]});
        codec.line(start.to_string().as_bytes(), &mut out);
        let end = json!({"type": "result", "subtype": "success", "is_error": false,
            "user_message_uuids": ["u1"]});
        codec.line(end.to_string().as_bytes(), &mut out);
    }
    let ended: Vec<_> = (out.signals.iter())
        .filter(|signal| matches!(signal.body, SignalBody::Ended(_)))
        .map(|signal| signal.turn)
        .collect();
    let first = TurnRef::Host(crate::TurnId::from_raw(1));
    assert_eq!(ended, [first]);
    let warned = |body: &SignalBody| {
        matches!(
            body,
            SignalBody::Show(Body::Warning {
                code: WarningCode::LateOutput,
                ..
            })
        )
    };
    assert!(out.signals.iter().any(|signal| warned(&signal.body)));
}

#[test]
fn pieces_of_text_are_joined_up_to_a_bound() {
    let mut codec = one_shot();
    codec.request(turn(1, "hi"), &mut Output::default());
    let mut out = Output::default();
    let piece = "x".repeat(1000);
    let line = DELTA.replace("\"text\":\"a\"", &format!("\"text\":\"{piece}\""));
    for _ in 0..40 {
        codec.line(line.as_bytes(), &mut out);
    }
    let lengths: Vec<_> = (out.signals.iter())
        .filter_map(|signal| match &signal.body {
            SignalBody::Show(Body::TextDelta { text, .. }) => Some(text.len()),
            _ => None,
        })
        .collect();
    assert_eq!(lengths, [16_000, 16_000, 8_000]);
}

#[test]
fn a_plan_comes_with_the_tool_that_sets_it() {
    let line = json!({"type": "assistant", "message": {"content": [{"type": "tool_use", "id": "t",
        "name": "TodoWrite", "input": {"todos": [
            {"content": "one", "status": "completed"}, {"content": "two", "status": "in_progress"},
            {"content": "three", "status": "pending"}]}}]}});
    let said = heard(&[line.to_string().as_bytes()]);
    assert_eq!(
        said[1],
        r#"host 1 | {"type":"plan","entries":[{"text":"one","status":"completed"},{"text":"two","status":"in_progress"},{"text":"three","status":"pending"}]}"#
    );
}

#[test]
fn a_cut_stream_is_announced_before_it_begins_anew() {
    let start = r#"{"type":"stream_event","event":{"type":"message_start","message":{"id":"m2"}}}"#;
    let said = heard(&[DELTA.as_bytes(), start.as_bytes(), DELTA.as_bytes()]);
    assert_eq!(
        said,
        [
            r#"host 1 | {"type":"text_delta","text":"a"}"#,
            r#"host 1 | {"type":"status","state":"restarted","message":"the answer was cut off and begins anew"}"#,
            r#"host 1 | {"type":"text_delta","text":"a"}"#,
        ]
    );
}
