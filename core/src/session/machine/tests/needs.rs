//! What only one kind of process can do.

use super::*;
use crate::message::{Attachment, Source};
use crate::operation::Operation;

impl Bench {
    fn sends_image(&mut self) -> Vec<String> {
        let attachment = Attachment {
            media_type: Some("image/png".into()),
            name: None,
            source: Source::Bytes(Arc::from(&b"x"[..])),
        };
        let message = Message {
            attachments: vec![attachment],
            ..Message::from("look")
        };
        self.step(Input::Send {
            turn: TurnId::next(),
            tag: None,
            message: Arc::new(message),
            budget: crate::budget::Budget::default(),
        })
    }

    fn asks_for(&mut self, operation: Operation) -> Vec<String> {
        self.step(Input::Operate {
            number: 7,
            operation: Arc::new(operation),
        })
    }

    fn failure(&self) -> Option<(ErrorKind, String)> {
        match self.last() {
            Body::TurnFailed { failure, .. } => Some((failure.code, failure.message.clone())),
            _ => None,
        }
    }
}

#[test]
fn a_turn_that_only_a_warm_process_can_serve_is_not_spilled() {
    let mut bench = Bench::new(POLICY);
    assert_eq!(bench.sends_image(), ["acquire only Warm"]);
    assert_eq!(Bench::new(POLICY).send().1, ["acquire Warm"]);
}

#[test]
fn a_downgraded_session_fails_such_a_turn_before_it_begins_and_says_what_it_needs() {
    let policy = Policy {
        warm: false,
        ..POLICY
    };
    let mut bench = Bench::new(policy);
    assert_eq!(bench.sends_image(), [""; 0]);
    let message = "the agent does not take image/png in a process of one turn".to_owned();
    assert_eq!(bench.failure(), Some((ErrorKind::Unsupported, message)));
    assert_eq!(bench.send().1, ["acquire OneShot"], "others are served");
}

#[test]
fn such_a_turn_is_not_tried_again_in_a_process_of_one_turn() {
    let mut bench = Bench::new(POLICY);
    bench.sends_image();
    bench.step(Input::Granted(Given::Slot));
    bench.ready();
    bench.dies();
    let code = bench.failure().map(|(code, _)| code);
    assert_eq!(code, Some(ErrorKind::ProcessExit));
}

#[test]
fn such_a_turn_that_finds_a_spilled_process_gets_another_one() {
    let mut bench = Bench::new(POLICY);
    let (turn, _) = bench.send();
    bench.step(Input::Granted(Given::Spill));
    bench.step(Input::Interrupt {
        turn,
        keep_commands: false,
    });
    assert_eq!(bench.sends_image(), [""; 0]);
    let names = bench.ready();
    assert_eq!(names, ["start done", "stop", "acquire only Warm"]);
}

#[test]
fn an_operation_is_never_spilled_unless_it_can_be_done_there() {
    let mut bench = Bench::new(POLICY);
    let names = bench.asks_for(Operation::Compact {});
    assert_eq!(names, ["acquire only Warm"]);
    let mut bench = Bench::new(POLICY);
    let names = bench.asks_for(Operation::ListModels {});
    assert_eq!(names, ["acquire Warm"]);
}

#[test]
fn an_operation_waits_for_the_end_of_a_spilled_turn_and_gets_a_warm_process() {
    let mut bench = Bench::new(POLICY);
    let (turn, _) = bench.send();
    assert_eq!(bench.asks_for(Operation::Compact {}), [""; 0]);
    bench.step(Input::Granted(Given::Spill));
    assert_eq!(bench.ready(), ["start done", "ask turn"]);
    let names = bench.ends(turn, Outcome::Completed);
    assert_eq!(names, ["stop", "acquire only Warm"]);
    bench.gone();
    bench.step(Input::Granted(Given::Slot));
    assert_eq!(bench.ready(), ["start done", "ask operate"]);
}

#[test]
fn an_operation_that_a_downgraded_session_cannot_do_any_more_fails() {
    let policy = Policy {
        warm: false,
        ..POLICY
    };
    let mut bench = Bench::new(policy);
    let names = bench.asks_for(Operation::Compact {});
    assert_eq!(names, ["not operated: unsupported"]);
}

#[test]
fn a_session_that_is_asked_only_in_a_warm_process_waits_for_one_and_is_told_otherwise() {
    let policy = Policy {
        asks_only_warm: true,
        ..POLICY
    };
    let told = |bench: &Bench| {
        let code = WarningCode::Unasked;
        let shown = bench.shown.iter().map(|(_, body)| body);
        shown
            .filter(|body| matches!(body, Body::Warning { code: c, .. } if *c == code))
            .count()
    };
    let (mut bench, _) = Bench::running(policy);
    assert_eq!(told(&bench), 0);
    assert!(bench.dies().contains(&"acquire OneShot".to_owned()));
    bench.gone();
    bench.step(Input::Granted(Given::OneShot));
    assert_eq!(told(&bench), 1, "the session was downgraded");
    assert_eq!(Bench::new(policy).send().1, ["acquire only Warm"]);
}

#[test]
fn an_operation_that_waits_for_the_end_of_a_turn_has_its_time_from_there() {
    let (mut bench, turn) = Bench::running(POLICY);
    assert_eq!(bench.asks_for(Operation::Compact {}), ["ask operate"]);
    bench.shows(turn, delta("it"));
    for _ in 0..3 {
        bench.now += Duration::from_secs(89);
        assert_eq!(bench.step(Input::Tick), [""; 0], "the turn runs");
        bench.shows(turn, delta("on"));
    }
    bench.ends(turn, Outcome::Completed);
    bench.now += Duration::from_secs(89);
    assert_eq!(bench.step(Input::Tick), [""; 0]);
    bench.now += Duration::from_secs(1);
    let late = "not operated: first_output_timeout".to_owned();
    assert!(bench.step(Input::Tick).contains(&late));
}
