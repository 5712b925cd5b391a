//! No bytes make a codec panic, and no bytes make it end a turn twice.

use proptest::prelude::*;

use super::play::{agent, codec, is_acp, lines, names};
use crate::config::{Mode, PermissionMode, SessionOptions};
use crate::ids::TurnId;
use crate::message::Message;
use crate::operation::Operation;
use crate::provider::acp::{self, AcpAgent};
use crate::provider::{Codec, Conversation, Output, Request, SignalBody, TurnRef};
use crate::request::Answer;
use crate::settings::Change;

/// Every line of every agent that is not huge, once, with the session's id made ours.
fn known_lines() -> Vec<Vec<u8>> {
    let mut known = Vec::new();
    for name in names(|_| true) {
        for (direction, line) in lines(&name) {
            if direction == '<' && line.len() < 4096 {
                known.push(ours(&line).into_bytes());
            }
        }
    }
    known
}

/// The line as if it were about session `S`, so that it has somewhere to go.
fn ours(line: &str) -> String {
    let Some((before, rest)) = line.split_once("\"sessionId\":\"") else {
        return line.to_owned();
    };
    let Some((_, after)) = rest.split_once('"') else {
        return line.to_owned();
    };
    format!("{before}\"sessionId\":\"S\"{after}")
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
fn feed(agent: &AcpAgent, mode: Mode, lines: &[Vec<u8>]) {
    let mut codec = codec(agent, mode);
    let mut out = Output::default();
    let conversation = Conversation(0);
    codec.start(&mut out);
    let options = SessionOptions::new("acp", "/project").into();
    codec.request(
        Request::Open {
            conversation,
            options,
            resume: None,
            cost_usd: 0.0,
        },
        &mut out,
    );
    let greeting = super::opened::greeting().to_string();
    codec.line(greeting.as_bytes(), &mut out);
    let offers = super::opened::offers("S").to_string();
    codec.line(
        format!(r#"{{"id":2,"result":{offers}}}"#).as_bytes(),
        &mut out,
    );
    let turn = TurnId::from_raw(1);
    let message: std::sync::Arc<Message> = std::sync::Arc::new("go".into());
    codec.request(
        Request::Turn {
            conversation,
            turn,
            message,
        },
        &mut out,
    );
    ask(codec.as_mut(), turn, &mut out);
    for (index, line) in lines.iter().enumerate() {
        codec.line(line, &mut out);
        if index == lines.len() / 2 {
            answer_all(codec.as_mut(), &mut out);
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
    codec.last_words("Error resuming session: x", &mut out);
    check_answers(&out);
    check_ends(&out);
}

fn check_ends(out: &Output) {
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
    // Whatever was written is whole lines of JSON, but for the prompt of a command that prints.
    for line in out
        .bytes
        .split(|b| *b == b'\n')
        .filter(|l| l.starts_with(b"{"))
    {
        serde_json::from_slice::<serde_json::Value>(line).expect("a line is JSON");
    }
}

/// Says no to all that was asked, and once more.
fn answer_all(codec: &mut dyn Codec, out: &mut Output) {
    let asked = out.signals.iter().filter_map(|s| match &s.body {
        SignalBody::Asked(asked) => Some(asked.request),
        _ => None,
    });
    let asked: Vec<_> = asked.collect();
    for request in asked.iter().chain(&asked) {
        let answer = Answer::Deny {
            message: String::new(),
            interrupt: false,
        };
        let request = Request::Answer {
            conversation: Conversation(0),
            request: *request,
            answer,
        };
        codec.request(request, out);
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
    let change = Change {
        model: Some("large".into()),
        permission_mode: Some(PermissionMode::Plan),
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
        Operation::ContextUsage {},
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

/// What was asked is answered, and once.
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

fn agents() -> impl Strategy<Value = &'static AcpAgent> {
    prop::sample::select(vec![
        &acp::GEMINI,
        &acp::OPENCODE,
        &acp::KIMI,
        &acp::CLAUDE_ACP,
        &acp::CODEX_ACP,
        &acp::ANY,
    ])
}

#[test]
fn the_known_lines_in_any_mutation_never_end_a_turn_twice() {
    let line = prop::sample::select(known_lines());
    let lines = prop::collection::vec((line, mutation()), 0..40);
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(400));
    let modes = prop_oneof![3 => Just(Mode::Warm), 1 => Just(Mode::OneShot)];
    runner
        .run(&(agents(), modes, lines), |(agent, mode, lines)| {
            let lines: Vec<_> = lines.into_iter().map(|(l, m)| mutate(l, &m)).collect();
            feed(agent, mode, &lines);
            Ok(())
        })
        .expect("no line breaks a codec");
}

#[test]
fn every_capture_cut_anywhere_is_survived() {
    for name in names(|name| is_acp(name) && name.ends_with("-perm-allow")) {
        let whole: Vec<_> = lines(&name)
            .into_iter()
            .filter(|(direction, _)| *direction == '<')
            .map(|(_, line)| ours(&line).into_bytes())
            .collect();
        for end in 0..whole.len() {
            feed(&agent(&name), Mode::Warm, &whole[..end]);
        }
    }
}

proptest! {
    #[test]
    fn random_bytes_are_survived(
        agent in agents(),
        lines in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..20),
    ) {
        feed(agent, Mode::Warm, &lines);
        feed(agent, Mode::OneShot, &lines);
    }
}

#[test]
fn depth_without_end_does_not_overflow() {
    let deep = |open: &str, close: &str| {
        let line = format!(
            r#"{{"method":"session/update","params":{{"sessionId":"S","update":{}{}}},"type":"text"}}"#,
            open.repeat(200_000),
            close.repeat(200_000)
        );
        line.into_bytes()
    };
    let lines = [
        deep("[", "]"),
        deep(r#"{"content":"#, "}"),
        "[".repeat(300_000).into_bytes(),
        format!(
            r#"{{"id":3,"result":{}{}}}"#,
            "[".repeat(200_000),
            "]".repeat(200_000)
        )
        .into_bytes(),
    ];
    feed(&acp::ANY, Mode::Warm, &lines);
    feed(&acp::GEMINI, Mode::OneShot, &lines);
}
