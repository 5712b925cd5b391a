//! What belongs to a turn, and what does not.

use super::*;
use crate::event::RawJson;

#[test]
fn a_turn_in_which_a_tool_has_started_is_never_sent_twice() {
    let (mut bench, turn) = Bench::running(POLICY);
    bench.shows(turn, tool("t"));
    let names = bench.dies();
    assert!(!names.iter().any(|n| n.starts_with("acquire")), "{names:?}");
    assert_eq!(bench.last().kind(), EventKind::TurnFailed);
}

#[test]
fn a_repeated_tool_id_is_dropped() {
    let (mut bench, turn) = Bench::running(POLICY);
    bench.shows(turn, tool("t"));
    bench.shows(turn, tool("t"));
    bench.shows(turn, tool("u"));
    let uses = bench
        .kinds()
        .iter()
        .filter(|k| **k == EventKind::ToolUse)
        .count();
    assert_eq!(uses, 2);
}

#[test]
fn output_of_an_old_turn_becomes_one_note_and_never_touches_the_new_one() {
    let mut bench = Bench::idle(POLICY);
    let (old, _) = bench.send();
    bench.ends(old, Outcome::Completed);
    let (new, _) = bench.send();
    bench.shown.clear();
    bench.shows(old, delta("late"));
    bench.shows(old, delta("later"));
    bench.ends(old, Outcome::Completed);
    assert_eq!(bench.kinds(), [EventKind::Warning]);
    assert_eq!(bench.shown[0].0, None);
    bench.shows(new, delta("mine"));
    bench.ends(new, Outcome::Completed);
    assert_eq!(bench.last().kind(), EventKind::TurnCompleted);
}

#[test]
fn work_that_the_agent_starts_is_a_turn_of_its_own_and_keeps_the_session_busy() {
    let mut bench = Bench::idle(POLICY);
    assert_eq!(
        bench.says(TurnRef::Agent(1), SignalBody::AgentTurn),
        ["busy"]
    );
    assert!(matches!(
        bench.last(),
        Body::TurnStarted {
            origin: TurnOrigin::Agent,
            ..
        }
    ));
    assert_eq!(
        bench.step(Input::Evict(EvictionReason::IdleTimeout)),
        ["refuse"]
    );
    let (turn, names) = bench.send();
    assert_eq!(names, ["ask turn"]);
    bench.now += POLICY.timeouts.first_output;
    assert_eq!(
        bench.step(Input::Tick),
        [""; 0],
        "the agent has not come to it yet"
    );
    let end = SignalBody::Ended(Box::default());
    bench.says(TurnRef::Agent(1), end);
    assert_eq!(bench.last().kind(), EventKind::TurnCompleted);
    assert_eq!(bench.ends(turn, Outcome::Completed), ["idle"]);
}

#[test]
fn background_work_keeps_the_session_busy() {
    let mut bench = Bench::idle(POLICY);
    let background = |tasks| SignalBody::Background { tasks };
    assert_eq!(bench.says(TurnRef::None, background(1)), ["busy"]);
    assert_eq!(
        bench.step(Input::Evict(EvictionReason::IdleTimeout)),
        ["refuse"]
    );
    assert_eq!(bench.says(TurnRef::None, background(0)), ["idle"]);
}

/// What the turn gives, and what is warned of, if the message asks for this schema and the agent gives this.
fn structured(schema: Option<&str>, answer: Option<&str>) -> (Option<String>, Vec<WarningCode>) {
    let features = &[(Feature::OutputSchema, Support::BOTH)];
    let mut bench = Bench::new(Policy { features, ..POLICY });
    let turn = TurnId::next();
    let message = Message {
        output_schema: schema.map(RawJson::from_text),
        ..Message::from("hello")
    };
    bench.step(Input::Send {
        turn,
        tag: None,
        message: Arc::new(message),
        budget: crate::budget::Budget::default(),
    });
    bench.step(Input::Granted(Given::Slot));
    bench.ready();
    let end = TurnEnd {
        structured: answer.map(RawJson::from_text),
        ..TurnEnd::default()
    };
    bench.says(TurnRef::Host(turn), SignalBody::Ended(Box::new(end)));
    let mut given = None;
    let mut warned = Vec::new();
    for (of, body) in &bench.shown {
        match body {
            Body::TurnCompleted { result } => {
                given = result.structured.as_ref().map(|raw| raw.get().to_owned());
            }
            Body::Warning { code, .. } => {
                assert_eq!(*of, Some(turn), "it is about the turn");
                warned.push(*code);
            }
            _ => {}
        }
    }
    (given, warned)
}

#[test]
fn only_an_answer_that_fits_the_schema_is_given_as_structured() {
    let schema = Some(r#"{"type":"object","required":["a"]}"#);
    let good = Some(r#"{"a":1}"#);
    assert_eq!(structured(schema, good), (good.map(str::to_owned), vec![]));
    let warned = (None, vec![WarningCode::OutputSchema]);
    assert_eq!(structured(schema, Some(r#"{"b":1}"#)), warned);
    assert_eq!(structured(schema, Some("\"text\"")), warned);
    assert_eq!(structured(schema, None), warned);
    assert_eq!(structured(None, None), (None, vec![]));
}
