//! What an event of the agent costs on its way to a reader, in instructions: captures are played through codec, machine and
//! log. `cargo xtask test` counts what [`replay`] takes, and fails when it has grown: see `xtask/src/instructions.rs`.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use crate::config::{Mode, PoolOptions, SessionOptions};
use crate::delivery::Log;
use crate::event::{Body, Event};
use crate::ids::{SessionId, TurnId};
use crate::pool::policy;
use crate::pool::slots::Given;
use crate::process::{Containment, Report};
use crate::provider::{self, Codec, LaunchPlan, Output, Request};
use crate::session::machine::{Approvals, Effect, Input, Machine};

/// Captures of whole turns, with text, reasoning and tools.
const CAPTURES: &[(&str, &str)] = &[
    ("claude", "claude/2.1.327/basic_text.jsonl"),
    ("claude", "claude/2.1.327/thinking_tool.jsonl"),
    ("claude", "claude/2.1.327/parallel_tools.jsonl"),
    ("codex", "codex/01-basic-turn.jsonl"),
    ("codex", "codex/02-reasoning-command.jsonl"),
    ("claude-acp", "acp/claude-acp-basic.jsonl"),
];

/// What stands in a line with a piece of text. Real answers are hundreds of pieces long, captures are short: so often is each
/// of these lines played.
const PIECES: &[&str] = &["text_delta", "agentMessage/delta", "agent_message_chunk"];
const TIMES: usize = 200;
/// The lines that one read finds.
const BATCH: usize = 16;

/// A session without actors.
struct HotPath {
    codec: Box<dyn Codec>,
    machine: Machine,
    log: Arc<Log>,
    now: Instant,
    process: Option<crate::ids::ProcessId>,
    shown: Vec<(Option<TurnId>, Body)>,
}

impl HotPath {
    fn new(name: &str) -> Self {
        let provider = provider::find(name).expect("a provider");
        let options = SessionOptions::new(name, "/project");
        let now = Instant::now();
        let policy = policy(provider, &options, &PoolOptions::default());
        let plan = LaunchPlan {
            mode: Mode::Warm,
            options: &options,
            resume: None,
            back_to: None,
            shared: false,
        };
        let approvals = Approvals::new(&options).expect("the options are good");
        Self {
            codec: provider.codec(&plan),
            machine: Machine::new(policy, approvals, None, now),
            log: Log::new(SessionId::next(), 4 << 20),
            now,
            process: None,
            shown: Vec::new(),
        }
    }

    fn step(&mut self, input: Input) {
        let mut effects = Vec::new();
        self.machine.step(self.now, input, &mut effects);
        for effect in effects {
            self.carry_out(effect);
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "the rest is for actors")]
    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Show(turn, body) => self.shown.push((turn, body)),
            Effect::Acquire(_) => self.step(Input::Granted(Given::Slot)),
            Effect::Start { process, .. } => {
                self.process = Some(process);
                let spawned = Report::Spawned {
                    pid: 42,
                    containment: Containment::Guard,
                };
                self.step(Input::Report(process, spawned));
            }
            Effect::Ask(_, request) => self.ask(request),
            _ => {}
        }
    }

    fn ask(&mut self, request: Request) {
        let mut out = Output::default();
        self.codec.request(request, &mut out);
        self.hear(out);
    }

    fn hear(&mut self, out: Output) {
        let Some(process) = self.process else { return };
        for signal in out.signals {
            self.step(Input::Signal(process, signal));
        }
    }

    /// One read's worth of lines, and one portion for the reader.
    fn read(&mut self, lines: &[&str]) {
        let mut out = Output::default();
        for line in lines {
            self.codec.line(line.as_bytes(), &mut out);
        }
        self.hear(out);
        self.log.append(self.shown.drain(..));
    }
}

/// Plays captures. Not inlined, because its name is what is counted; what it is given was read before.
#[inline(never)]
fn replay(captures: &[(&str, Vec<&str>)]) -> Vec<Arc<Event>> {
    let mut taken = VecDeque::new();
    let mut context = Context::from_waker(Waker::noop());
    for (provider, lines) in captures {
        let mut path = HotPath::new(provider);
        let reader = path.log.attach(1);
        path.codec.start(&mut Output::default());
        path.step(Input::Send {
            turn: TurnId::next(),
            tag: None,
            message: Arc::new("hello".into()),
            budget: crate::budget::Budget::default(),
        });
        for batch in lines.chunks(BATCH) {
            path.read(batch);
            while let Poll::Ready(true) = path.log.poll_take(reader, &mut taken, &mut context) {}
        }
    }
    taken.into()
}

/// The lines of the agent, those with pieces of text many times.
fn played(capture: &str) -> Vec<&str> {
    let lines = capture.lines().filter_map(|line| line.strip_prefix("< "));
    let often = |line: &str| PIECES.iter().any(|piece| line.contains(piece));
    let times = |line| std::iter::repeat_n(line, if often(line) { TIMES } else { 1 });
    lines.flat_map(times).collect()
}

#[test]
fn captures_go_from_the_codec_to_the_reader() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/captures");
    let texts: Vec<_> = CAPTURES
        .iter()
        .map(|(provider, file)| {
            let text = std::fs::read_to_string(folder.join(file)).expect("a capture");
            (*provider, text)
        })
        .collect();
    let captures: Vec<_> = texts
        .iter()
        .map(|(provider, text)| (*provider, played(text)))
        .collect();
    let events = replay(&captures);
    let deltas = |event: &&Arc<Event>| matches!(event.body, Body::TextDelta { .. });
    let bytes: usize = events.iter().map(|event| event.body.text().len()).sum();
    assert!(
        events.iter().filter(deltas).count() > 100,
        "{}",
        events.len()
    );
    assert!(bytes > 10_000, "{bytes}");
}
