//! A loop that reads an agent's output in pieces of 64 KiB and parses each line into the same typed structs: what any host
//! pays that looks at what the agent says. `parse serde|borrow|sonic …`: into owned strings, into strings that borrow, and
//! with another parser into owned strings.

use std::borrow::Cow;
use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};

use bench_peers::{Plan, Tally};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Owned {
    StreamEvent(OwnedStream),
    Result {
        #[allow(dead_code)]
        result: Option<String>,
    },
    #[serde(other)]
    Other,
}

/// All that stands in such a line.
#[derive(Deserialize)]
#[allow(dead_code)]
struct OwnedStream {
    event: OwnedEvent,
    session_id: String,
    parent_tool_use_id: Option<String>,
    uuid: String,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum OwnedEvent {
    ContentBlockDelta {
        #[allow(dead_code)]
        index: u32,
        delta: OwnedDelta,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum OwnedDelta {
    TextDelta {
        text: String,
    },
    #[serde(other)]
    Other,
}

/// A line as structs, which need no look ahead for the tag: the cheapest typed form that serde has.
#[derive(Deserialize)]
struct Flat<S> {
    #[serde(rename = "type")]
    kind: S,
    #[serde(default = "none")]
    event: Option<FlatEvent<S>>,
    #[serde(default = "none")]
    #[allow(dead_code)]
    session_id: Option<S>,
    #[serde(default = "none")]
    #[allow(dead_code)]
    parent_tool_use_id: Option<S>,
    #[serde(default = "none")]
    #[allow(dead_code)]
    uuid: Option<S>,
}

#[derive(Deserialize)]
struct FlatEvent<S> {
    #[serde(rename = "type")]
    #[allow(dead_code)]
    kind: S,
    #[serde(default = "none")]
    #[allow(dead_code)]
    index: Option<u32>,
    #[serde(default = "none")]
    delta: Option<FlatDelta<S>>,
}

#[derive(Deserialize)]
struct FlatDelta<S> {
    #[serde(rename = "type", default = "none")]
    #[allow(dead_code)]
    kind: Option<S>,
    #[serde(default = "none")]
    text: Option<S>,
}

fn none<T>() -> Option<T> {
    None
}

/// A string that borrows where it holds no escapes.
#[derive(Deserialize)]
#[serde(transparent)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// What a line was.
enum Seen<'a> {
    Text(Cow<'a, str>),
    End,
    Other,
}

fn flat<'a, S: Into<Cow<'a, str>> + AsRef<str>>(line: Flat<S>) -> Seen<'a> {
    match line.event.and_then(|event| event.delta?.text) {
        Some(text) => Seen::Text(text.into()),
        None if line.kind.as_ref() == "result" => Seen::End,
        None => Seen::Other,
    }
}

impl<'a> From<Text<'a>> for Cow<'a, str> {
    fn from(text: Text<'a>) -> Self {
        text.0
    }
}

impl AsRef<str> for Text<'_> {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

fn tagged(line: Owned) -> Seen<'static> {
    match line {
        Owned::StreamEvent(OwnedStream {
            event:
                OwnedEvent::ContentBlockDelta {
                    delta: OwnedDelta::TextDelta { text },
                    ..
                },
            ..
        }) => Seen::Text(text.into()),
        Owned::StreamEvent(_) | Owned::Other => Seen::Other,
        Owned::Result { .. } => Seen::End,
    }
}

fn main() {
    let how = std::env::args().nth(1).unwrap_or_default();
    let plan = Plan::read(1);
    let parse: fn(&[u8]) -> Seen<'_> = match how.as_str() {
        "tagged" => |line| tagged(serde_json::from_slice(line).expect("a line")),
        "serde" => |line| flat(serde_json::from_slice::<Flat<String>>(line).expect("a line")),
        "borrow" => |line| flat(serde_json::from_slice::<Flat<Text<'_>>>(line).expect("a line")),
        "sonic" => |line| flat(sonic_rs::from_slice::<Flat<String>>(line).expect("a line")),
        other => panic!("{other} is no parser"),
    };
    let stamped = plan.stamped();
    let mut agent = Command::new(&plan.agent)
        .args([
            "-p",
            "--input-format=stream-json",
            "--output-format=stream-json",
            "--verbose",
        ])
        .args(["--include-partial-messages", "--replay-user-messages"])
        .current_dir(&plan.folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the agent starts");
    let mut kept = Vec::new();
    turn(
        &mut agent,
        "hello",
        parse,
        stamped,
        &mut Tally::start(),
        &mut kept,
    );
    let mut tally = Tally::start();
    for _ in 0..plan.turns {
        turn(
            &mut agent,
            &plan.prompt,
            parse,
            stamped,
            &mut tally,
            &mut kept,
        );
    }
    tally.print();
    drop(agent.stdin.take());
    agent.wait().expect("it ends");
}

fn turn(
    agent: &mut Child,
    prompt: &str,
    parse: fn(&[u8]) -> Seen<'_>,
    stamped: bool,
    tally: &mut Tally,
    kept: &mut Vec<u8>,
) {
    let message = serde_json::json!({
        "type": "user",
        "message": {"role": "user", "content": prompt},
        "parent_tool_use_id": null,
        "session_id": "",
    });
    tally.turn_begins();
    let stdin = agent.stdin.as_mut().expect("a pipe");
    stdin
        .write_all(format!("{message}\n").as_bytes())
        .expect("it reads");
    let stdout = agent.stdout.as_mut().expect("a pipe");
    let mut piece = [0; 64 << 10];
    loop {
        let size = stdout.read(&mut piece).expect("it writes");
        assert!(size > 0, "the agent's output ended");
        let (mut at, mut over) = (0, false);
        for end in memchr::memchr_iter(b'\n', &piece[..size]) {
            let line = if kept.is_empty() {
                &piece[at..end]
            } else {
                kept.extend_from_slice(&piece[at..end]);
                kept.as_slice()
            };
            match parse(line) {
                Seen::Text(text) => tally.piece(&text, stamped),
                Seen::End => over = true,
                Seen::Other => {}
            }
            kept.clear();
            at = end + 1;
        }
        kept.extend_from_slice(&piece[at..size]);
        if over {
            tally.turn_ends();
            return;
        }
    }
}
