//! Plays lines through a codec, and tells what it said in words.

use std::path::PathBuf;
use std::sync::Arc;

use crate::config::{Mode, SessionOptions};
use crate::event::Body;
use crate::ids::TurnId;
use crate::message::Message;
use crate::provider::paseo::Paseo;
use crate::provider::{
    Codec, Conversation, LaunchPlan, Outcome, Output, Provider, Request, SignalBody, TurnRef,
};

/// The session's conversation.
pub(super) const CONVERSATION: Conversation = Conversation(0);

/// A codec with an open conversation, and all that it did.
pub(super) struct Player {
    pub codec: Box<dyn Codec>,
    pub out: Output,
}

impl Player {
    pub(super) fn open(resume: Option<&str>) -> Self {
        let mut options = SessionOptions::new("paseo", "/project");
        options.model = Some("codex/m".to_owned());
        let plan = LaunchPlan {
            mode: Mode::OneShot,
            options: &options,
            resume,
            back_to: None,
        };
        let codec = Paseo.codec(&plan);
        let out = Output::default();
        let mut player = Self { codec, out };
        player.codec.start(&mut player.out);
        player.request(Request::Open {
            conversation: CONVERSATION,
            options: Arc::new(options),
            resume: resume.map(str::to_owned),
            cost_usd: 0.0,
        });
        player
    }

    pub(super) fn request(&mut self, request: Request) {
        self.codec.request(request, &mut self.out);
    }

    pub(super) fn send(&mut self, text: &str) {
        self.request(Request::Turn {
            conversation: CONVERSATION,
            turn: TurnId::from_raw(1),
            message: Arc::new(Message::from(text)),
        });
    }

    pub(super) fn interrupt(&mut self) {
        self.request(Request::Interrupt {
            conversation: CONVERSATION,
            turn: TurnRef::Host(TurnId::from_raw(1)),
            keep_commands: false,
        });
    }

    pub(super) fn lines(&mut self, lines: &str) {
        for line in lines.lines() {
            self.codec.line(line.as_bytes(), &mut self.out);
        }
    }

    pub(super) fn end(&mut self, stderr: &str) {
        self.codec.end_of_output(&mut self.out);
        self.codec.last_words(stderr, &mut self.out);
    }

    /// What was said, each in a line.
    pub(super) fn said(&self) -> Vec<String> {
        let signals = self.out.signals.iter();
        signals.map(|s| told(s.turn, &s.body)).collect()
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "what has no words of its own is told as it is"
)]
fn told(turn: TurnRef, body: &SignalBody) -> String {
    let told = match body {
        SignalBody::Ready { version } => format!("ready {version:?}"),
        SignalBody::Bound {
            provider_session_id: id,
            model,
            resumed,
        } => {
            let how = if *resumed { "resumed" } else { "new" };
            format!("{how} {id} {}", model.as_deref().unwrap_or("-"))
        }
        SignalBody::Taken => "taken".to_owned(),
        SignalBody::Show(Body::Message { text, .. }) => format!("message {text:?}"),
        SignalBody::Show(Body::Warning { code, message }) => format!("{code:?}: {message}"),
        SignalBody::Show(Body::Unknown { raw }) => format!("unknown {}", raw.get()),
        SignalBody::Ended(end) => {
            let text = end.text.as_deref().unwrap_or_default();
            match &end.outcome {
                Outcome::Completed => format!("completed {text:?}"),
                Outcome::Interrupted => format!("interrupted {text:?}"),
                Outcome::Failed { code, message } => format!("failed {code}: {message}"),
            }
        }
        other => format!("{other:?}"),
    };
    match turn {
        TurnRef::None => told,
        TurnRef::Host(_) | TurnRef::Agent(_) => format!("turn: {told}"),
    }
}

/// The names of all captures.
pub(super) fn names() -> Vec<String> {
    let entries = std::fs::read_dir(folder()).expect("the captures are there");
    let names = entries.map(|entry| entry.expect("an entry").file_name());
    let names = names.map(|name| name.into_string().expect("UTF-8"));
    let names = names.filter(|name| name != "README.md");
    let mut names: Vec<_> = names
        .map(|name| name.strip_suffix(".txt").expect("a capture").to_owned())
        .collect();
    names.sort();
    names
}

/// The lines of a capture: what each is, and what it says.
pub(super) fn capture(name: &str) -> Vec<(char, String)> {
    let path = folder().join(format!("{name}.txt"));
    let text = std::fs::read_to_string(path).expect("the capture is there");
    let split = |line: &str| (line.chars().next().expect("a mark"), line[2..].to_owned());
    text.lines().map(split).collect()
}

/// Plays a whole capture.
pub(super) fn play(name: &str) -> Player {
    let lines = capture(name);
    let resumed = lines[0].1.strip_prefix("the session goes on with ");
    let mut player = Player::open(resumed);
    let mut stderr = Vec::new();
    for (mark, text) in &lines {
        match mark {
            '>' => player.send(text),
            '<' => player.lines(&format!("{text}\n")),
            '!' => stderr.push(text.as_str()),
            '#' if text.starts_with("SIGINT") => player.interrupt(),
            '#' => {}
            other => panic!("{name}: {other}"),
        }
    }
    player.end(&stderr.join("\n"));
    player
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/captures/paseo")
}
