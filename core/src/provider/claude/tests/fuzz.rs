//! Nonsense must not panic, and no turn may end twice.

use std::collections::{BTreeMap, HashSet};

use proptest::prelude::*;

use serde_json::{Value, json};

use super::harness::{
    HERE, agent_lines, answer, capture, codec_of, interrupt_of, lines as lines_of, open, operate,
    options, steer, tools, turn,
};
use crate::config::Mode;
use crate::event::RawJson;
use crate::ids::TurnId;
use crate::operation::Operation;
use crate::provider::{Codec, Output, Request, SignalBody, TurnRef};
use crate::request::{Answer, Scope};
use crate::settings::Change;

const SOURCES: &[&str] = &[
    "2.1.197/basic_text",
    "2.1.197/interrupt_tool",
    "2.1.197/subagent_bg",
    "2.1.327/compact",
    "2.1.327/elicitation",
    "2.1.327/err_400",
    "2.1.327/interrupt_perm",
    "2.1.327/parallel_tools",
    "2.1.327/ask_user",
    "2.1.327/queue_tool",
    "2.1.327/sdk_mcp_init",
    "2.1.327/resume_bad_uuid",
    "2.1.327/stop_task",
    "2.1.327/subagent_bg",
];

#[derive(Clone, Debug)]
enum Step {
    Line(Vec<u8>),
    Turn,
    Interrupt,
    Answer(u64, Answer),
    Steer,
    Change,
    Operate(Operation),
}

fn lines() -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for scenario in SOURCES {
        let capture = capture(scenario);
        all.extend(agent_lines(&capture).map(|line| line.as_bytes().to_vec()));
    }
    all
}

/// The uuids of the captures' prompts: with them the captured lines belong to the played turns.
fn uuids() -> Vec<String> {
    let mut all = Vec::new();
    for scenario in SOURCES {
        for line in capture(scenario).lines() {
            let line = line.strip_prefix("> ").unwrap_or("null");
            let line: serde_json::Value = serde_json::from_str(line).expect("the host writes JSON");
            all.extend(line["uuid"].as_str().map(str::to_owned));
        }
    }
    all
}

/// A captured line with some bytes changed, and perhaps cut.
fn mutated(lines: Vec<Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let edits = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3);
    let cut = prop::option::weighted(0.1, any::<prop::sample::Index>());
    (prop::sample::select(lines), edits, cut).prop_map(|(mut line, edits, cut)| {
        for (at, byte) in edits {
            let at = at.index(line.len());
            line[at] = byte;
        }
        if let Some(at) = cut {
            line.truncate(at.index(line.len()));
        }
        line
    })
}

fn step() -> impl Strategy<Value = Step> {
    let lines = lines();
    prop_oneof![
        8 => prop::sample::select(lines.clone()).prop_map(Step::Line),
        6 => mutated(lines).prop_map(Step::Line),
        1 => prop::collection::vec(any::<u8>(), 0..64).prop_map(Step::Line),
        3 => Just(Step::Turn),
        1 => Just(Step::Interrupt),
        2 => ((1..6_u64), answers()).prop_map(|(request, answer)| Step::Answer(request, answer)),
        2 => Just(Step::Steer),
        1 => Just(Step::Change),
        1 => operation().prop_map(Step::Operate),
    ]
}

fn answers() -> impl Strategy<Value = Answer> {
    let scope = prop::sample::select(vec![Scope::Once, Scope::Session, Scope::Remember]);
    let map = |text: &str| BTreeMap::from([(text.to_owned(), vec!["x".to_owned()])]);
    prop_oneof![
        scope.prop_map(|scope| Answer::Allow { scope, input: None }),
        any::<bool>().prop_map(|interrupt| Answer::Deny {
            message: String::new(),
            interrupt
        }),
        Just(Answer::Answers {
            answers: map("Which color?")
        }),
        Just(Answer::Content {
            content: RawJson::from_text("{}")
        }),
        any::<bool>().prop_map(|is_error| Answer::Result {
            text: "x".to_owned(),
            is_error
        }),
    ]
}

fn operation() -> impl Strategy<Value = Operation> {
    prop::sample::select(vec![
        Operation::Compact {},
        Operation::ListModels {},
        Operation::McpStatus {},
        Operation::ListTasks {},
        Operation::StopTasks { task: None },
        Operation::Fork {},
    ])
}

/// Answers to all that the codec asked are made up: yes or no.
fn agent_answers(out: &Output, yes: bool) -> Vec<Value> {
    let asked = lines_of(out)
        .into_iter()
        .filter(|line| line["type"] == "control_request");
    asked
        .map(|line| {
            let id = &line["request_id"];
            let subtype = if yes { "success" } else { "error" };
            json!({"type": "control_response", "response": {"subtype": subtype, "request_id": id,
                "response": {"cancelled": yes, "models": []}, "error": "no"}})
        })
        .collect()
}

/// Ends of each turn, and beginnings.
#[derive(Default)]
struct Seen {
    begun: HashSet<String>,
    ended: HashSet<String>,
    busy: bool,
    steered: HashSet<u64>,
    /// How often a message for a running turn was written.
    written: u64,
    operated: HashSet<u64>,
    changed: usize,
}

impl Seen {
    fn take(&mut self, out: &Output) {
        for signal in &out.signals {
            let turn = format!("{:?}", signal.turn);
            match signal.body {
                SignalBody::Taken | SignalBody::AgentTurn => {
                    assert!(self.begun.insert(turn), "it begins once");
                }
                SignalBody::Ended(_) => {
                    assert!(self.ended.insert(turn), "it ends once");
                    self.busy &= !matches!(signal.turn, TurnRef::Host(_));
                }
                SignalBody::Steered { steer, .. } => {
                    assert!(self.steered.insert(steer), "it is steered once");
                }
                SignalBody::Operated { number, .. } => {
                    assert!(self.operated.insert(number), "it is done once");
                }
                SignalBody::Changed(_) => self.changed += 1,
                _ => {}
            }
        }
        let written = std::str::from_utf8(&out.bytes).expect("text");
        for line in written.lines() {
            let line: serde_json::Value = serde_json::from_str(line).expect("whole JSON lines");
            self.written += u64::from(line["message"]["content"] == "more");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_lines_panic_and_each_turn_begins_and_ends_at_most_once(
        warm in any::<bool>(),
        answering in any::<bool>(),
        yes in any::<bool>(),
        uuids in Just(uuids()).prop_shuffle(),
        steps in prop::collection::vec(step(), 0..80),
    ) {
        let mode = if warm { Mode::Warm } else { Mode::OneShot };
        let mut options = options();
        options.tools = tools();
        let mut codec = codec_of(mode, &options, None);
        let mut seen = Seen::default();
        let (mut turns, mut steers, mut changes, mut operations) = (0, 0, 0, 0);
        let mut ids = uuids.into_iter();
        let mut out = Output::default();
        codec.start(&mut out);
        codec.request(open(None), &mut out);
        for step in steps {
            match step {
                Step::Line(line) => codec.line(&line, &mut out),
                Step::Turn if !seen.busy => {
                    seen.busy = true;
                    turns += 1;
                    codec.next_ids.extend(ids.next());
                    codec.request(turn(turns, "hi"), &mut out);
                    codec.next_ids.clear();
                }
                Step::Turn => {}
                Step::Interrupt => {
                    let sent = TurnRef::Host(TurnId::from_raw(turns));
                    let running = Some(codec.turns.running()).filter(|_| yes);
                    codec.request(interrupt_of(running.unwrap_or(sent), false), &mut out);
                }
                Step::Answer(number, said) => codec.request(answer(number, said), &mut out),
                Step::Steer => {
                    steers += 1;
                    codec.next_ids.extend(ids.next());
                    codec.request(steer(turns, steers, "more"), &mut out);
                    codec.next_ids.clear();
                }
                Step::Change => {
                    changes += 1;
                    let model = Some("m".to_owned());
                    let change = Change { model, effort: Some("low".to_owned()), ..Change::default() };
                    codec.request(Request::Change { conversation: HERE, change: change.into() }, &mut out);
                }
                Step::Operate(operation) => {
                    operations += 1;
                    codec.request(operate(operations, operation), &mut out);
                }
            }
            let mut answers = if answering { agent_answers(&out, yes) } else { Vec::new() };
            seen.take(&out);
            while let Some(line) = answers.pop() {
                out = Output::default();
                codec.line(line.to_string().as_bytes(), &mut out);
                answers.extend(agent_answers(&out, yes));
                seen.take(&out);
            }
            out = Output::default();
        }
        codec.end_of_output(&mut out);
        seen.take(&out);
        // Only what was written may be left open: whether the agent has read it nobody knows.
        prop_assert!(steers - seen.steered.len() as u64 <= seen.written);
        prop_assert_eq!(seen.operated.len(), usize::try_from(operations).expect("few"));
        prop_assert_eq!(seen.changed, changes);
    }
}
