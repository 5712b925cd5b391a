//! One request of an agent, in words that both APIs share.
//!
//! Each API's `request.rs` builds this; everything behind it is the same.

use std::hash::{DefaultHasher, Hash, Hasher};

use crate::script::{Echo, Source, strip};

/// Texts that agents put around or between prompts. They are context, not
/// something that a user said.
const WRAPPED: [&str; 20] = [
    "<system-reminder>",
    "<session_context>",
    "<environment_context>",
    "<turn_aborted>",
    "<user_instructions>",
    "<skills_instructions>",
    "<permissions",
    "<command-name>",
    "<local-command",
    "<subagent_notification>",
    "<collaboration_mode>",
    "<multi_agent",
    "<model_switch>",
    "# AGENTS.md instructions",
    "[Request interrupted by user",
    "Output token limit hit.",
    "(no content)",
    "[Image: ",
    "This session is being continued from a previous conversation",
    "Another language model started to solve this problem",
];

/// The conversation that an agent sent for one model call.
#[derive(Debug, Default)]
pub(crate) struct Conversation {
    pub(crate) model: String,
    pub(crate) stream: bool,
    pub(crate) entries: Vec<Entry>,
    pub(crate) tools: Vec<OfferedTool>,
    /// The agent's own name for the conversation.
    pub(crate) id: String,
    pub(crate) images: usize,
    pub(crate) documents: usize,
    pub(crate) effort: Option<String>,
    pub(crate) thinking_budget: Option<u64>,
    pub(crate) output_schema: bool,
}

/// One thing that was said.
#[derive(Debug, PartialEq)]
pub(crate) struct Entry {
    pub(crate) role: Role,
    pub(crate) text: String,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Role {
    /// What a user said.
    Prompt,
    /// What the model said or called.
    Model,
    /// What a tool answered.
    Result,
    /// What the agent added on its own.
    Context,
}

impl Role {
    fn name(self) -> &'static str {
        match self {
            Self::Prompt => "user",
            Self::Model => "model",
            Self::Result => "result",
            Self::Context => "context",
        }
    }

    /// The role of a text that the agent sent in the user's name.
    pub(crate) fn of_user_text(text: &str) -> Self {
        let start = text.trim_start();
        if WRAPPED.iter().any(|mark| start.starts_with(mark)) {
            Self::of_context_text(text)
        } else {
            Self::Prompt
        }
    }

    /// The role of a text that the agent wrapped or sent as the system: a
    /// prompt after all if it carries a script, for example a steering one.
    pub(crate) fn of_context_text(text: &str) -> Self {
        if text.contains("MODEL:[") {
            Self::Prompt
        } else {
            Self::Context
        }
    }
}

/// A tool of which the model may make use.
#[derive(Debug, PartialEq)]
pub(crate) struct OfferedTool {
    pub(crate) name: String,
    pub(crate) input: ToolInput,
    pub(crate) namespace: Option<String>,
}

/// How a tool takes its input.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum ToolInput {
    Json,
    FreeText,
}

impl Conversation {
    pub(crate) fn say(&mut self, role: Role, text: impl Into<String>) {
        let text = text.into();
        self.entries.push(Entry { role, text });
    }

    fn last_prompt(&self) -> Option<usize> {
        self.entries
            .iter()
            .rposition(|entry| entry.role == Role::Prompt)
    }

    /// The last thing that a user said.
    pub(crate) fn prompt(&self) -> &str {
        self.last_prompt()
            .map_or("", |index| &self.entries[index].text)
    }

    /// How many things users said.
    pub(crate) fn prompts(&self) -> usize {
        self.entries
            .iter()
            .filter(|entry| entry.role == Role::Prompt)
            .count()
    }

    /// How many times the model has answered since the last prompt.
    ///
    /// One answer may be several entries: they stand together.
    pub(crate) fn call(&self) -> usize {
        let first = self.last_prompt().map_or(0, |index| index + 1);
        let mut before = Role::Prompt;
        let mut calls = 0;
        for entry in &self.entries[first..] {
            if entry.role == Role::Model && before != Role::Model {
                calls += 1;
            }
            before = entry.role;
        }
        calls
    }

    /// Names the conversation up to its last prompt. Retries of one call share it.
    pub(crate) fn key(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.id.hash(&mut hasher);
        let end = self.last_prompt().map_or(0, |index| index + 1);
        for entry in &self.entries[..end] {
            if entry.role == Role::Prompt {
                entry.text.hash(&mut hasher);
            }
        }
        hasher.finish()
    }

    pub(crate) fn tool(&self, name: &str) -> Option<&OfferedTool> {
        self.tools.iter().find(|tool| tool.name == name)
    }

    /// Makes the text that a script asks for.
    pub(crate) fn text(&self, source: &Source) -> String {
        match source {
            Source::Literal(text) => text.clone(),
            Source::Words(count) => words(*count),
            Source::Bytes(count) => filler(*count),
            Source::Recall(prefix) => self.recall(prefix),
            Source::Echo(Echo::History) => self.digest(),
            Source::Echo(Echo::Model) => self.model.clone(),
            Source::Echo(Echo::Result) => self.last_result(),
            Source::Echo(Echo::Tools) => {
                let names: Vec<&str> = self.tools.iter().map(|tool| tool.name.as_str()).collect();
                names.join(" ")
            }
        }
    }

    /// All words before the last prompt that start with `prefix`, each once.
    fn recall(&self, prefix: &str) -> String {
        let end = self.last_prompt().unwrap_or(0);
        let mut found: Vec<&str> = Vec::new();
        for entry in &self.entries[..end] {
            let words = entry
                .text
                .split(|c: char| !c.is_alphanumeric() && c != '-' && c != '_');
            for word in words {
                if word.len() > prefix.len() && word.starts_with(prefix) && !found.contains(&word) {
                    found.push(word);
                }
            }
        }
        if found.is_empty() {
            return "nothing".to_owned();
        }
        found.join(" ")
    }

    fn last_result(&self) -> String {
        self.entries
            .iter()
            .rev()
            .find(|entry| entry.role == Role::Result)
            .map_or_else(|| "no result".to_owned(), |entry| entry.text.clone())
    }

    /// One line for each thing said before the last prompt, cut to 8 words.
    fn digest(&self) -> String {
        let end = self.last_prompt().unwrap_or(0);
        let lines: Vec<String> = self.entries[..end]
            .iter()
            .filter(|entry| entry.role != Role::Context)
            .map(|entry| {
                let plain = strip(&entry.text);
                let words: Vec<&str> = plain.split_whitespace().take(8).collect();
                format!("{}: {}", entry.role.name(), words.join(" "))
            })
            .collect();
        if lines.is_empty() {
            return "nothing".to_owned();
        }
        lines.join("\n")
    }
}

/// `count` words, `word0 word1 …`.
pub(crate) fn words(count: usize) -> String {
    let words: Vec<String> = (0..count).map(|index| format!("word{index}")).collect();
    words.join(" ")
}

/// Exactly `count` bytes of text in lines of 64.
fn filler(count: usize) -> String {
    const LINE: &str = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-\n";
    let mut text = LINE.repeat(count.div_ceil(LINE.len()));
    text.truncate(count);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conversation(entries: &[(Role, &str)]) -> Conversation {
        let mut made = Conversation::default();
        for (role, text) in entries {
            made.say(*role, *text);
        }
        made
    }

    #[test]
    fn an_answer_in_several_entries_is_one_call() {
        let made = conversation(&[
            (Role::Prompt, "old"),
            (Role::Model, "answer"),
            (Role::Prompt, "new"),
            (Role::Context, "reminder"),
            (Role::Model, "thinking"),
            (Role::Model, "call"),
            (Role::Result, "output"),
            (Role::Model, "call"),
            (Role::Result, "output"),
        ]);
        assert_eq!((made.prompt(), made.prompts(), made.call()), ("new", 2, 2));
    }

    #[test]
    fn wrapped_texts_are_no_prompts_unless_they_carry_a_script() {
        let wrapped = "<system-reminder>note</system-reminder>";
        assert_eq!(Role::of_user_text(wrapped), Role::Context);
        assert_eq!(Role::of_user_text("note"), Role::Prompt);
        let steering = "<system-reminder>MODEL:[\"x\"]</system-reminder>";
        assert_eq!(Role::of_user_text(steering), Role::Prompt);
    }

    #[test]
    fn recall_finds_earlier_words_only_and_each_once() {
        let made = conversation(&[
            (
                Role::Prompt,
                "keep marker-a, and MODEL:[{\"recall\":\"marker-\"}]",
            ),
            (Role::Model, "marker-b marker-a"),
            (Role::Prompt, "marker-c"),
        ]);
        let recall = |prefix: &str| made.text(&Source::Recall(prefix.to_owned()));
        assert_eq!(recall("marker-"), "marker-a marker-b");
        assert_eq!(recall("other-"), "nothing");
    }

    #[test]
    fn the_digest_shows_who_said_what() {
        let made = conversation(&[
            (Role::Prompt, "one MODEL:[\"x\"]"),
            (Role::Model, "x"),
            (Role::Prompt, "two"),
        ]);
        assert_eq!(
            made.text(&Source::Echo(Echo::History)),
            "user: one\nmodel: x"
        );
    }

    #[test]
    fn filler_has_exactly_the_bytes_asked_for() {
        assert_eq!(filler(1_000_003).len(), 1_000_003);
    }

    #[test]
    fn the_key_stays_while_the_model_answers_and_changes_with_a_prompt() {
        let first = conversation(&[(Role::Prompt, "a")]);
        let answered = conversation(&[(Role::Prompt, "a"), (Role::Model, "x")]);
        let second = conversation(&[(Role::Prompt, "a"), (Role::Model, "x"), (Role::Prompt, "a")]);
        assert_eq!(first.key(), answered.key());
        assert_ne!(first.key(), second.key());
    }
}
