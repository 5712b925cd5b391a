//! Nonsense must not panic, and no turn may end twice.

use std::collections::HashSet;

use proptest::prelude::*;

use super::harness::{HERE, agent_lines, capture, deny, open, turn};
use crate::config::Mode;
use crate::provider::claude::codec::ClaudeCodec;
use crate::provider::{AgentRequest, Codec, Output, Request, SignalBody, TurnRef};

const SOURCES: &[&str] = &[
    "2.1.197/basic_text",
    "2.1.197/interrupt_tool",
    "2.1.197/subagent_bg",
    "2.1.327/compact",
    "2.1.327/elicitation",
    "2.1.327/err_400",
    "2.1.327/interrupt_perm",
    "2.1.327/parallel_tools",
    "2.1.327/resume_bad_uuid",
    "2.1.327/stop_task",
    "2.1.327/subagent_bg",
];

#[derive(Clone, Debug)]
enum Step {
    Line(Vec<u8>),
    Turn,
    Interrupt,
    Deny(u64),
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
        1 => (0..4_u64).prop_map(Step::Deny),
    ]
}

/// Ends of each turn, and beginnings.
#[derive(Default)]
struct Seen {
    begun: HashSet<String>,
    ended: HashSet<String>,
    busy: bool,
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
                _ => {}
            }
        }
        let written = std::str::from_utf8(&out.bytes).expect("text");
        for line in written.lines() {
            serde_json::from_str::<serde_json::Value>(line).expect("whole JSON lines");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_lines_panic_and_each_turn_begins_and_ends_at_most_once(
        warm in any::<bool>(),
        uuids in Just(uuids()).prop_shuffle(),
        steps in prop::collection::vec(step(), 0..80),
    ) {
        let mode = if warm { Mode::Warm } else { Mode::OneShot };
        let mut codec = ClaudeCodec::new(mode, None);
        let mut seen = Seen::default();
        let mut turns = 0;
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
                }
                Step::Turn => {}
                Step::Interrupt => {
                    codec.request(Request::Interrupt { conversation: HERE, keep_commands: false }, &mut out);
                }
                Step::Deny(number) => codec.request(deny(AgentRequest(number), "no"), &mut out),
            }
            seen.take(&out);
            out = Output::default();
        }
        codec.end_of_output(&mut out);
        seen.take(&out);
    }
}
