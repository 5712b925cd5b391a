//! From the lines of a turn to what they say. The script that prints them is `turn.sh`.

use serde::Deserialize;

use crate::event::{Body, RawJson};
use crate::provider::lines::{Line, Lines};

/// The most bytes of an object, and of an answer.
pub(super) const MOST: usize = 16 << 20;
/// What `paseo logs` puts before the user's message.
const USER: &str = "[User] ";
/// What `paseo logs` prints if there is nothing.
const NOTHING: &str = "No activity to display.";

/// What lines say.
#[derive(Debug)]
pub(super) enum Said {
    /// The daemon has the message, for this agent.
    Agent(String),
    /// `paseo wait` ended.
    Waited(Waited),
    /// An object that is none of these.
    Unknown(RawJson),
    /// The answer is too long; what comes now is left out.
    Cut,
    /// Not of the protocol.
    Noise(Box<Body>),
}

/// The answer of `paseo wait`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Waited {
    /// The agent's whole id.
    pub agent_id: String,
    pub status: Status,
    /// Paseo's words.
    #[serde(default)]
    pub message: String,
}

/// Why `paseo wait` ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Status {
    /// The turn is over.
    Idle,
    /// It failed.
    Error,
    /// The agent asks for a permission.
    Permission,
}

/// Reads the lines of one turn.
#[derive(Debug, Default)]
pub(super) struct Reader {
    inside: Inside,
    lines: Lines,
}

/// Where a line stands.
#[derive(Debug, Default)]
enum Inside {
    #[default]
    Nothing,
    /// An object, with its lines so far.
    Object(String),
    /// The answer, with its lines but the last, which may be the end.
    Answer {
        text: String,
        last: Option<String>,
        is_cut: bool,
    },
}

impl Reader {
    /// Takes a line. Bytes that are not UTF-8 are replaced.
    pub(super) fn take(&mut self, line: &[u8]) -> Option<Said> {
        let line = String::from_utf8_lossy(line);
        match &mut self.inside {
            Inside::Nothing => self.begin(&line),
            Inside::Object(text) => {
                if text.len() + line.len() < MOST {
                    text.push_str(&line);
                    text.push('\n');
                }
                (line == "}").then(|| self.object())?
            }
            Inside::Answer { text, last, is_cut } => {
                let before = last.replace(line.into_owned())?;
                if text.len() + before.len() < MOST && !*is_cut {
                    text.push_str(&before);
                    text.push('\n');
                    return None;
                }
                (!std::mem::replace(is_cut, true)).then_some(Said::Cut)
            }
        }
    }

    /// The answer, if it is whole. An agent that said nothing has an empty one.
    pub(super) fn answer(&mut self) -> Option<String> {
        let Inside::Answer { text, last, .. } = std::mem::take(&mut self.inside) else {
            return None;
        };
        last.filter(|line| line == "end")?;
        let text = text.trim();
        let silent = text.starts_with(USER) || text == NOTHING;
        Some(if silent { "" } else { text }.to_owned())
    }

    fn begin(&mut self, line: &str) -> Option<Said> {
        if let Some(agent) = line.strip_prefix("agent ").filter(|id| !id.is_empty()) {
            return Some(Said::Agent(agent.to_owned()));
        }
        match line {
            "{" => self.inside = Inside::Object("{\n".to_owned()),
            "text" => {
                self.inside = Inside::Answer {
                    text: String::new(),
                    last: None,
                    is_cut: false,
                };
            }
            "" => {}
            _ => return self.noise(line),
        }
        None
    }

    fn object(&mut self) -> Option<Said> {
        let Inside::Object(text) = std::mem::take(&mut self.inside) else {
            return None;
        };
        if let Ok(waited) = serde_json::from_str(&text) {
            return Some(Said::Waited(waited));
        }
        if serde_json::from_str::<&serde_json::value::RawValue>(&text).is_ok() {
            return Some(Said::Unknown(RawJson::from_text(&text)));
        }
        self.noise(&text)
    }

    fn noise(&mut self, text: &str) -> Option<Said> {
        match self.lines.noise(text) {
            Line::Noise(warning) => Some(Said::Noise(warning)),
            Line::Object(_) | Line::Nothing => None,
        }
    }
}
