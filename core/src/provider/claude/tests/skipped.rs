//! Lines that are too long to be read.

use serde_json::{Value, json};

use super::harness::{
    agent_lines, capture, init, interrupt, lines, running, said, scenarios, sent,
};
use super::harness::{ask, hear};
use crate::error::ErrorKind;
use crate::provider::claude::codec::ClaudeCodec;
use crate::provider::{Codec, Outcome, Output, SignalBody};

fn skip(codec: &mut ClaudeCodec, head: &str) -> Output {
    let mut out = Output::default();
    codec.skipped(head.as_bytes(), 70_000, &mut out);
    out
}

fn outcomes(out: &Output) -> Vec<Outcome> {
    let ends = out.signals.iter().filter_map(|signal| match &signal.body {
        SignalBody::Ended(end) => Some(end.outcome.clone()),
        _ => None,
    });
    ends.collect()
}

fn lost() -> Outcome {
    Outcome::Failed {
        code: ErrorKind::ProtocolError,
        message: "the end of the turn is a line of 70000 bytes or more, longer than max_line"
            .to_owned(),
    }
}

#[test]
fn a_result_that_is_too_long_ends_its_turn_and_says_what_was_lost() {
    let heads = scenarios().into_iter().flat_map(|scenario| {
        let lines: Vec<_> = agent_lines(&capture(&scenario))
            .map(str::to_owned)
            .collect();
        lines
    });
    let mut seen = 0;
    for line in heads.filter(|line| line.starts_with(r#"{"type":"result","subtype":"success""#)) {
        let head: String = line.chars().take(400).collect();
        assert_eq!(outcomes(&skip(&mut running(), &head)), [lost()], "{line}");
        seen += 1;
    }
    assert!(seen > 20, "captures have results: {seen}");
}

#[test]
fn an_interrupted_turn_whose_result_is_too_long_is_interrupted() {
    let mut codec = running();
    hear(&mut codec, &init("s"));
    codec.next_ids.push_back("i".to_owned());
    ask(&mut codec, interrupt(true));
    let out = skip(
        &mut codec,
        r#"{"type":"result","subtype":"error_during_execution","is_error":true,"errors":["#,
    );
    assert_eq!(outcomes(&out), [Outcome::Interrupted]);
}

#[test]
fn what_is_skipped_between_turns_ends_nothing() {
    let out = skip(
        &mut sent(),
        r#"{"type":"result","subtype":"success","result":"x"#,
    );
    assert_eq!(said(&out), "");
    let out = skip(&mut running(), r#"{"type":"assistant","message":{"id":"x"#);
    assert_eq!(said(&out), "");
    assert_eq!(said(&skip(&mut running(), "no protocol")), "");
}

#[test]
fn a_tool_result_that_is_too_long_ends_its_call() {
    let head = r#"{"type":"user","message":{"role":"user","content":[{"tool_use_id":"t","type":"tool_result","content":"x"#;
    let out = skip(&mut running(), head);
    assert!(
        said(&out).starts_with(r#"host 1 | {"type":"tool_result","id":"t","is_error":false"#),
        "{}",
        said(&out)
    );
}

#[test]
fn a_question_that_is_too_long_is_refused() {
    let head =
        r#"{"type":"control_request","request_id":"q","request":{"subtype":"can_use_tool","x"#;
    let out = skip(&mut running(), head);
    let error = "the question is a line of 70000 bytes or more, longer than max_line";
    let refusal: Value = json!({"type": "control_response",
        "response": {"subtype": "error", "request_id": "q", "error": error}});
    assert_eq!(lines(&out), [refusal]);
}
