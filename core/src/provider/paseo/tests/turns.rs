//! Turns that no capture holds.

use std::sync::Arc;

use super::play::{CONVERSATION, Player};
use crate::ids::TurnId;
use crate::message::Message;
use crate::operation::Operation;
use crate::provider::paseo::said::MOST;
use crate::provider::{AgentSignal, Request};
use crate::request::Answer;
use crate::settings::Change;

const IDLE: &str = "{\n\"agentId\": \"a\",\n\"status\": \"idle\"\n}\n";

#[test]
fn the_message_goes_to_stdin_as_it_is_and_is_all_that_does() {
    let mut player = Player::open(None);
    assert!(player.out.bytes.is_empty() && !player.out.close_stdin);
    player.send("--one\n two \n");
    assert_eq!(player.out.bytes, b"--one\n two \n");
    assert!(player.out.close_stdin);
}

#[test]
fn a_message_that_paseo_cannot_take_ends_its_turn() {
    for text in ["", " \n", "a\0b"] {
        let mut player = Player::open(None);
        player.send(text);
        assert!(player.out.bytes.is_empty() && player.out.close_stdin);
        let said = player.said();
        assert!(
            said[1].starts_with("turn: failed unsupported: "),
            "{said:?}"
        );
        assert_eq!(said.len(), 2);
    }
}

#[test]
fn an_interrupt_is_a_signal_until_the_agent_has_ended_the_turn() {
    let mut player = Player::open(None);
    player.interrupt();
    assert_eq!(player.out.kill, None, "nothing runs");
    player.send("x");
    player.interrupt();
    assert_eq!(player.out.kill.take(), Some(AgentSignal::Interrupt));

    let mut late = Player::open(None);
    late.send("x");
    late.lines("agent a");
    late.lines(IDLE);
    late.interrupt();
    assert_eq!(late.out.kill, None, "its answer is being fetched");
    late.lines("text\nyes\nend");
    late.end("");
    assert_eq!(
        late.said().last().expect("an end"),
        r#"turn: completed "yes""#
    );
}

#[test]
fn an_interrupted_turn_ends_so_however_the_commands_end() {
    for lines in [
        "",
        "agent a",
        "agent a\n{\n\"agentId\": \"a\",\n\"status\": \"error\"\n}",
    ] {
        let mut player = Player::open(None);
        player.send("x");
        player.interrupt();
        player.lines(lines);
        player.end("{\n  \"error\": {\"code\": \"X\", \"message\": \"y\"}\n}");
        let said = player.said();
        assert_eq!(said.last().expect("an end"), r#"turn: interrupted """#);
        assert_eq!(said.iter().filter(|s| s.starts_with("turn: i")).count(), 1);
    }
}

#[test]
fn a_turn_whose_commands_end_without_a_word_is_left_to_core() {
    let mut player = Player::open(None);
    player.send("x");
    player.lines("agent a");
    player.lines(IDLE);
    player.lines("text\nhalf an ans");
    player.end("Killed");
    assert_eq!(
        player.said(),
        ["ready None", "new a codex/m", "turn: taken"]
    );
}

#[test]
fn the_last_failure_counts() {
    let denied = "{\n  \"error\": {\"code\": \"A\", \"message\": \"not denied\"}\n}";
    let lost = "{\n  \"error\": {\"code\": \"B\", \"message\": \"not there\"}\n}";
    let logs = "Error: no logs";
    for (stderr, words) in [
        (format!("{denied}\n{lost}"), "not there"),
        (format!("{denied}\n{logs}"), "no logs"),
        (format!("{logs}\n{denied}"), "not denied"),
        (format!("cut off\n}}\n{lost}\nmore"), "not there"),
    ] {
        let mut player = Player::open(None);
        player.send("x");
        player.end(&stderr);
        let expected = format!("turn: failed agent_error: {words}");
        assert_eq!(player.said()[1], expected, "{stderr}");
    }
}

#[test]
fn an_agent_is_lost_only_where_one_was_to_be_resumed() {
    let unknown = "{\n  \"error\": {\"code\": \"X\", \"message\": \"Agent not found: a\"}\n}";
    let ambiguous = unknown.replace("not found: a", "identifier \\\"a\\\" is ambiguous");
    for (resume, lines, stderr, code) in [
        (Some("a"), "", unknown, "resume_failed"),
        (Some("a"), "", ambiguous.as_str(), "resume_failed"),
        (Some("a"), "agent a", unknown, "agent_error"),
        (None, "", unknown, "agent_error"),
    ] {
        let mut player = Player::open(resume);
        player.send("x");
        player.lines(lines);
        player.end(stderr);
        let said = player.said();
        let start = format!("turn: failed {code}: ");
        assert!(said.last().expect("an end").starts_with(&start), "{said:?}");
    }
}

#[test]
fn a_session_that_named_its_agent_in_part_learns_the_whole_id() {
    let mut player = Player::open(Some("a1"));
    player.send("x");
    player.lines("agent a1\n{\n\"agentId\": \"a1b2\",\n\"status\": \"idle\"\n}");
    let bound = ["resumed a1 codex/m", "turn: taken", "resumed a1b2 codex/m"];
    assert_eq!(player.said()[1..], bound);
}

#[test]
fn what_is_not_understood_is_passed_on_and_noise_stops_being_told() {
    let mut player = Player::open(None);
    player.send("x");
    player.lines("{\n  \"agentId\": \"a\",\n  \"status\": \"asleep\"\n}");
    assert!(player.said()[1].starts_with("turn: unknown {"));
    player.lines("{\nno JSON\n}");
    for number in 0..20 {
        player.lines(&format!("noise {number}"));
    }
    let said = player.said();
    assert_eq!(said.len(), 2 + 10);
    assert_eq!(said[3], "turn: Noise: not a protocol line: noise 0");
}

#[test]
fn an_answer_that_is_too_long_is_cut_and_that_is_told_once() {
    let mut player = Player::open(None);
    player.send("x");
    player.lines("agent a");
    player.lines(IDLE);
    player.lines("text");
    let line = vec![b'x'; MOST / 4];
    for _ in 0..8 {
        player.codec.line(&line, &mut player.out);
    }
    player.lines("end");
    player.end("");
    let said = player.said();
    let warned = said
        .iter()
        .filter(|s| s.starts_with("turn: Agent: the answer is longer"));
    assert_eq!(warned.count(), 1);
    let end = said.last().expect("an end");
    assert!(end.starts_with("turn: completed \"xxx") && end.len() < MOST);
}

#[test]
fn every_other_request_is_answered() {
    let mut player = Player::open(None);
    let conversation = CONVERSATION;
    player.request(Request::Steer {
        conversation,
        turn: TurnId::from_raw(1),
        steer: 1,
        message: Arc::new(Message::from("x")),
    });
    let change = Arc::new(Change::default());
    player.request(Request::Change {
        conversation,
        change,
    });
    player.request(Request::Operate {
        conversation,
        number: 7,
        operation: Arc::new(Operation::Compact {}),
    });
    let said = player.said();
    assert!(said[1].starts_with("turn: Steered"), "{said:?}");
    assert_eq!(said[2], "Changed(NeedsProcess)");
    assert!(
        said[3].contains("number: 7, outcome: Err((Unsupported"),
        "{said:?}"
    );
    let request = crate::provider::AgentRequest(1);
    let message = String::new();
    player.request(Request::Answer {
        conversation,
        request,
        answer: Answer::Deny {
            message,
            interrupt: false,
        },
    });
    player.request(Request::Close { conversation });
    assert_eq!(
        player.said().len(),
        4,
        "nobody waits for an answer to these"
    );
}
