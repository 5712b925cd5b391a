//! No bytes make a codec panic, and no bytes make it end a turn twice.

use proptest::prelude::*;

use super::play::{lines, names};
use crate::config::{Mode, PermissionMode, SessionOptions};
use crate::ids::TurnId;
use crate::message::Message;
use crate::operation::Operation;
use crate::provider::codex::tests::play::codec;
use crate::provider::{Codec, Conversation, Output, Request, SignalBody, TurnRef};
use crate::settings::Change;

/// Every line of every agent, once.
fn known_lines() -> Vec<Vec<u8>> {
    let lines = names(|_| true).into_iter().flat_map(|name| lines(&name));
    let agent = lines.filter(|(direction, line)| *direction == '<' && line.len() < 4096);
    agent.map(|(_, line)| line.into_bytes()).collect()
}

/// A change to a line.
#[derive(Clone, Debug)]
enum Mutation {
    None,
    Cut(prop::sample::Index),
    Byte(prop::sample::Index, u8),
    Double(prop::sample::Index),
}

fn mutate(mut line: Vec<u8>, mutation: &Mutation) -> Vec<u8> {
    match mutation {
        Mutation::None => {}
        Mutation::Cut(at) => line.truncate(at.index(line.len())),
        Mutation::Byte(at, byte) => {
            let at = at.index(line.len());
            line[at] = *byte;
        }
        Mutation::Double(at) => {
            let tail = line[at.index(line.len())..].to_vec();
            line.extend(tail);
        }
    }
    line
}

fn mutation() -> impl Strategy<Value = Mutation> {
    prop_oneof![
        4 => Just(Mutation::None),
        1 => any::<prop::sample::Index>().prop_map(Mutation::Cut),
        1 => (any::<prop::sample::Index>(), any::<u8>()).prop_map(|(i, b)| Mutation::Byte(i, b)),
        1 => any::<prop::sample::Index>().prop_map(Mutation::Double),
    ]
}

/// Feeds lines, with an interrupt among them, and counts the ends of each turn.
fn feed(mode: Mode, lines: &[Vec<u8>]) {
    let mut codec = codec(mode);
    let mut out = Output::default();
    let conversation = Conversation(0);
    codec.start(&mut out);
    let options = SessionOptions::new("codex", "/project").into();
    codec.request(
        Request::Open {
            conversation,
            options,
            resume: None,
            cost_usd: 0.0,
        },
        &mut out,
    );
    if mode == Mode::Warm {
        codec.line(br#"{"id":1,"result":{"userAgent":"a/1 b"}}"#, &mut out);
        // The thread of one of the captures, so that its lines have somewhere to go.
        let thread = b"01a1f792-b799-7da2-8112-8d8f7078ca7f";
        let opened = [
            &br#"{"id":2,"result":{"thread":{"id":""#[..],
            thread,
            br#""}}}"#,
        ]
        .concat();
        codec.line(&opened, &mut out);
    }
    let turn = TurnId::from_raw(1);
    codec.request(
        Request::Turn {
            conversation,
            turn,
            message: std::sync::Arc::new("go".into()),
        },
        &mut out,
    );
    ask(codec.as_mut(), turn, &mut out);
    for (index, line) in lines.iter().enumerate() {
        codec.line(line, &mut out);
        if index == lines.len() / 2 {
            codec.request(
                Request::Interrupt {
                    conversation,
                    turn: TurnRef::Host(turn),
                    keep_commands: false,
                },
                &mut out,
            );
        }
    }
    codec.end_of_output(&mut out);
    check_answers(&out);
    let mut ended: Vec<TurnRef> = Vec::new();
    for signal in &out.signals {
        if matches!(signal.body, SignalBody::Ended(_)) {
            assert!(
                !ended.contains(&signal.turn),
                "{:?} ended twice",
                signal.turn
            );
            assert_ne!(signal.turn, TurnRef::None);
            ended.push(signal.turn);
        }
    }
}

/// Asks for everything that must be answered.
fn ask(codec: &mut dyn Codec, turn: TurnId, out: &mut Output) {
    let conversation = Conversation(0);
    let message: std::sync::Arc<Message> = std::sync::Arc::new("more".into());
    let steer = 7;
    codec.request(
        Request::Steer {
            conversation,
            turn,
            steer,
            message,
        },
        out,
    );
    let permission_mode = Some(PermissionMode::Plan);
    let change = Change {
        permission_mode,
        ..Change::default()
    };
    let change = change.into();
    codec.request(
        Request::Change {
            conversation,
            change,
        },
        out,
    );
    let operations = [
        Operation::ListModels {},
        Operation::Fork {},
        Operation::Compact {},
        Operation::StopTasks { task: None },
    ];
    for (number, operation) in (1..).zip(operations) {
        let operation = operation.into();
        codec.request(
            Request::Operate {
                conversation,
                number,
                operation,
            },
            out,
        );
    }
}

/// What was asked is answered, and once. A message that was written may be left open: whether the agent
/// has read it nobody knows.
fn check_answers(out: &Output) {
    let mut answers: Vec<String> = Vec::new();
    for signal in &out.signals {
        match &signal.body {
            SignalBody::Steered { steer, .. } => answers.push(format!("steer {steer}")),
            SignalBody::Changed(_) => answers.push("change".to_owned()),
            SignalBody::Operated { number, .. } => answers.push(format!("operation {number}")),
            _ => {}
        }
    }
    let written = String::from_utf8_lossy(&out.bytes).contains("remuda-steer-7");
    if written && !answers.iter().any(|answer| answer == "steer 7") {
        answers.push("steer 7".to_owned());
    }
    answers.sort();
    let all = [
        "change",
        "operation 1",
        "operation 2",
        "operation 3",
        "operation 4",
        "steer 7",
    ];
    assert_eq!(answers, all);
}

#[test]
fn the_known_lines_in_any_mutation_never_end_a_turn_twice() {
    let known = known_lines();
    // The whole of one capture more often than the rest, for its thread is open.
    let basic: Vec<_> = lines("01-basic-turn")
        .into_iter()
        .map(|(_, l)| l.into_bytes())
        .collect();
    let line = prop_oneof![
        prop::sample::select(known),
        prop::sample::select(
            basic
                .into_iter()
                .filter(|l| !l.is_empty())
                .collect::<Vec<_>>()
        ),
    ];
    let lines = prop::collection::vec((line, mutation()), 0..40);
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(400));
    let modes = prop_oneof![Just(Mode::Warm), Just(Mode::OneShot)];
    runner
        .run(&(modes, lines), |(mode, lines)| {
            let lines: Vec<_> = lines.into_iter().map(|(l, m)| mutate(l, &m)).collect();
            feed(mode, &lines);
            Ok(())
        })
        .expect("no line breaks a codec");
}

proptest! {
    #[test]
    fn random_bytes_are_survived(lines in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..20)) {
        feed(Mode::Warm, &lines);
        feed(Mode::OneShot, &lines);
    }
}

#[test]
fn depth_without_end_does_not_overflow() {
    let deep = |open: &str, close: &str| {
        let line = format!(
            r#"{{"type":"item.started","method":"item/started","params":{}{},"item":1}}"#,
            open.repeat(200_000),
            close.repeat(200_000)
        );
        line.into_bytes()
    };
    let lines = [
        deep("[", "]"),
        deep(r#"{"item":"#, "}"),
        "[".repeat(300_000).into_bytes(),
    ];
    feed(Mode::Warm, &lines);
    feed(Mode::OneShot, &lines);
}
