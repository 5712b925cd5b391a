//! How one protocol says what happens in a turn.
//!
//! The player decides what happens; a voice only knows how it looks on the wire.

use serde_json::{Value, json};

use crate::control::Control;

/// A tool call.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tool {
    pub(crate) id: String,
    pub(crate) name: String,
    /// The argument text of the instruction: a command line, or JSON members.
    pub(crate) input: String,
    pub(crate) ms: u64,
}

impl Tool {
    /// The input as Claude Code shows it.
    pub(crate) fn members(&self) -> Value {
        match serde_json::from_str(&self.input) {
            Ok(members @ Value::Object(_)) => members,
            Ok(_) | Err(_) if self.name == "Write" => {
                json!({"file_path": self.input, "content": "x\n"})
            }
            Ok(_) | Err(_) => json!({"command": self.input, "description": self.input}),
        }
    }

    /// What the tool gives. Nothing is really run.
    pub(crate) fn output(&self) -> String {
        format!("ran {}", self.input)
    }
}

/// A step of a plan and its state: `completed`, `in_progress` or `pending`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Step {
    pub(crate) text: String,
    pub(crate) state: &'static str,
}

/// A plan of so many steps, of which the first is done.
pub(crate) fn plan(count: u64) -> Vec<Step> {
    let state = |number| match number {
        1 => "completed",
        2 => "in_progress",
        _ => "pending",
    };
    (1..=count)
        .map(|number| Step {
            text: format!("step {number}"),
            state: state(number),
        })
        .collect()
}

/// What became of a permission question.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Verdict {
    Allow,
    Deny { message: String, ends_turn: bool },
}

/// A permission question as it was sent.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Question {
    /// What an answer carries, as `Control` knows it.
    pub(crate) key: String,
    pub(crate) line: Value,
}

/// How a turn ends.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Outcome {
    Completed,
    Interrupted {
        in_tool: bool,
    },
    /// The model failed with this HTTP status and message.
    Failed(u16, String),
}

pub(crate) trait Voice {
    /// The agent's name in the store, and the conversation.
    fn conversation(&self) -> (&'static str, String);
    /// Uses ids of another conversation and turn from now on.
    fn use_wrong_ids(&mut self);
    /// Opens the turn.
    fn begin(&mut self);
    /// Opens a message if none is open and gives the line of a delta, if this
    /// protocol has deltas. The text counts as said only when `said` is told.
    fn delta_line(&mut self, text: &str) -> Option<String>;
    /// Adds to the text of the open message.
    fn said(&mut self, text: &str);
    /// Ends the open message.
    fn close(&mut self);
    /// Leaves the open message as it is and forgets it.
    fn cut(&mut self);
    fn think(&mut self, text: &str);
    /// Shows a plan; a protocol without plans shows nothing.
    fn plan(&mut self, _steps: &[Step]) {}
    fn tool_begins(&mut self, tool: &Tool);
    fn tool_ends(&mut self, tool: &Tool, verdict: &Verdict);
    /// What is decided without asking, by mode or for want of someone to ask.
    fn decided(&self) -> Option<Verdict>;
    /// Sends a permission question; an answer to it reaches `control`.
    fn ask(&mut self, tool: &Tool, control: Option<&Control>) -> Question;
    /// Sends a request of another kind; nothing in a protocol that has none.
    fn request(&mut self, _method: &str, _params: Value, _control: &Control) -> Option<Question> {
        None
    }
    /// Takes note of the reply to a request of another kind.
    fn replied(&mut self, _question: &Question, _reply: &Value) {}
    /// What the host would write to say yes to a question, and what we would to end the turn.
    fn forged(&self, question: &Question) -> [Value; 2];
    /// Says that a question is settled.
    fn settled(&mut self, question: &Question);
    /// Takes a question back.
    fn withdraw(&mut self, question: &Question);
    fn verdict(&self, answer: &Value) -> Verdict;
    /// Shows input that came during the turn; gives its text.
    fn steered(&mut self, input: &Value) -> String;
    /// Ends the turn.
    fn end(&mut self, outcome: &Outcome);
}
