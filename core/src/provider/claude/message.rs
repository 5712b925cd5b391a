//! Whole messages: what the model said and called, what tools gave, what the agent repeats.

use std::hash::BuildHasher as _;

use foldhash::quality::RandomState;
use serde_json::value::RawValue;

use crate::event::{Body, RawJson, ToolKind, Usage, WarningCode};
use crate::provider::claude::codec::{ClaudeCodec, one_line};
use crate::provider::claude::tool::{self, Edits};
use crate::provider::claude::wire::{ApiMessage, Block, MessageLine, Tokens, parse, text};
use crate::provider::cut::{Cut, unread};
use crate::provider::{Output, SignalBody, TurnRef};

/// How much of a line that the agent put in is shown, in characters.
const INJECTED_LENGTH: usize = 200;

/// What is known of the running turn's messages.
#[derive(Debug, Default)]
pub(super) struct Speech {
    /// Pieces of text came that no whole message has replaced yet.
    pub open_text: bool,
    /// Pieces of reasoning came for the current message.
    pub thought: bool,
    /// The next piece begins a block.
    pub split: bool,
    /// The kind of the last error that the agent put in the model's place.
    pub error: Option<String>,
    /// The model that spoke last.
    pub model: Option<String>,
    pub tokens: TurnTokens,
    /// Calls that change files.
    pub edits: Edits,
    /// The last message, if it is so long that its turn's end may leave out to say it again.
    long: Option<Long>,
    hasher: RandomState,
}

/// From here on a text is long, in bytes.
const LONG: usize = 64 << 10;

/// A long message that was shown, as far as it takes to know it again.
#[derive(Debug, PartialEq, Eq)]
struct Long {
    turn: TurnRef,
    len: usize,
    /// Its keys differ from process to process: no text can be made to look like another.
    hash: u64,
}

impl Speech {
    /// A message of the agent's own was shown.
    fn said(&mut self, turn: TurnRef, text: &str) {
        self.long = (text.len() >= LONG).then(|| self.known(turn, text));
    }

    /// Whether the text is the last message of the turn over again, and long. Whoever reads the signals has that message,
    /// and a copy of it is better saved.
    pub(super) fn repeats(&self, turn: TurnRef, text: &str) -> bool {
        text.len() >= LONG && self.long.as_ref() == Some(&self.known(turn, text))
    }

    fn known(&self, turn: TurnRef, text: &str) -> Long {
        Long {
            turn,
            len: text.len(),
            hash: self.hasher.hash_one(text),
        }
    }
}

/// The tokens of the running turn: those of finished messages, and the current one's.
#[derive(Debug, Default)]
pub(super) struct TurnTokens {
    done: Usage,
    current: Usage,
    /// What the last message left in the context.
    pub context: Option<u64>,
}

impl TurnTokens {
    pub(super) fn begin(&mut self, tokens: &Tokens) {
        self.current = usage(tokens);
    }

    /// Takes in the final numbers of the current message and gives the turn's.
    pub(super) fn finish(&mut self, tokens: &Tokens) -> Usage {
        let last = usage(tokens);
        let current = &mut self.current;
        // The last numbers may leave out what the first ones said.
        current.input_tokens = tokens.input_tokens.unwrap_or(current.input_tokens);
        current.output_tokens = last.output_tokens;
        current.cache_read_tokens = current.cache_read_tokens.max(last.cache_read_tokens);
        current.cache_write_tokens = current.cache_write_tokens.max(last.cache_write_tokens);
        current.reasoning_tokens = last.reasoning_tokens.or(current.reasoning_tokens);
        let context = [
            current.input_tokens,
            current.output_tokens,
            current.cache_read_tokens,
            current.cache_write_tokens,
        ];
        self.context = Some(context.into_iter().fold(0, u64::saturating_add));
        let done = &mut self.done;
        done.input_tokens = done.input_tokens.saturating_add(current.input_tokens);
        done.output_tokens = done.output_tokens.saturating_add(current.output_tokens);
        done.cache_read_tokens = done
            .cache_read_tokens
            .saturating_add(current.cache_read_tokens);
        done.cache_write_tokens = done
            .cache_write_tokens
            .saturating_add(current.cache_write_tokens);
        if let Some(tokens) = current.reasoning_tokens {
            let sum = done.reasoning_tokens.unwrap_or(0).saturating_add(tokens);
            done.reasoning_tokens = Some(sum);
        }
        self.current = Usage::default();
        self.done
    }
}

pub(super) fn usage(tokens: &Tokens) -> Usage {
    let details = tokens.output_tokens_details.as_ref();
    Usage {
        input_tokens: tokens.input_tokens.unwrap_or(0),
        output_tokens: tokens.output_tokens.unwrap_or(0),
        cache_read_tokens: tokens.cache_read_input_tokens.unwrap_or(0),
        cache_write_tokens: tokens.cache_creation_input_tokens.unwrap_or(0),
        reasoning_tokens: details.and_then(|details| details.thinking_tokens),
    }
}

impl ClaudeCodec {
    pub(super) fn assistant(&mut self, line: &str, parent: Option<&str>, out: &mut Output) {
        let parsed = parse::<MessageLine<'_>>(line).unwrap_or_default();
        let parent = parent.or(parsed.parent_tool_use_id.as_deref());
        if parent.is_none() {
            self.turns.sign(out);
        }
        let turn = self.turn_of(parent);
        let Some(blocks) = blocks(parsed.message.as_ref()) else {
            self.unknown(turn, line, out);
            return;
        };
        if parsed.error.is_some() || parsed.is_api_error_message == Some(true) {
            self.api_error(turn, parent, &parsed, &blocks, out);
            return;
        }
        self.point(parent, &parsed, out);
        let model = parsed.message.as_ref().and_then(|m| m.model.as_deref());
        if let Some(model) = model.filter(|m| parent.is_none() && !m.starts_with('<')) {
            self.speech.model = Some(model.to_owned());
        }
        for raw in blocks {
            self.spoken(turn, parent, raw, out);
        }
    }

    /// The conversation stands at this line, if it is one of the agent itself.
    fn point(&self, parent: Option<&str>, line: &MessageLine<'_>, out: &mut Output) {
        let uuid = line.uuid.as_deref().filter(|_| parent.is_none());
        if let Some(uuid) = uuid {
            self.say(TurnRef::None, SignalBody::Point(uuid.to_owned()), out);
        }
    }

    fn turn_of(&self, parent: Option<&str>) -> TurnRef {
        match parent {
            Some(parent) => self.turns.of_parent(parent),
            None => self.turns.speaker(),
        }
    }

    /// An error in the model's place is no answer. The turn's end may say it again.
    fn api_error(
        &mut self,
        turn: TurnRef,
        parent: Option<&str>,
        line: &MessageLine<'_>,
        blocks: &[&RawValue],
        out: &mut Output,
    ) {
        if parent.is_none() {
            self.speech.error = Some(text(line.error.as_ref()).to_owned());
        }
        for raw in blocks {
            let block = parse::<Block<'_>>(raw.get()).unwrap_or_default();
            let message = text(block.text.as_ref());
            if message.is_empty() {
                self.unknown(turn, raw.get(), out);
            } else {
                self.warn(turn, WarningCode::Agent, message, out);
            }
        }
    }

    fn spoken(&mut self, turn: TurnRef, parent: Option<&str>, raw: &RawValue, out: &mut Output) {
        let block = parse::<Block<'_>>(raw.get()).unwrap_or_default();
        let owner: Option<Box<str>> = parent.map(Into::into);
        match text(block.kind.as_ref()) {
            "text" => {
                if parent.is_none() {
                    self.speech.open_text = false;
                }
                let text = block
                    .text
                    .map_or_else(String::new, |text| text.0.into_owned());
                if !text.is_empty() {
                    if parent.is_none() {
                        self.speech.said(turn, &text);
                    }
                    let body = Body::Message {
                        text,
                        parent: owner,
                    };
                    self.show(turn, body, out);
                }
            }
            "thinking" => {
                let streamed = parent.is_none() && std::mem::take(&mut self.speech.thought);
                let text = block
                    .thinking
                    .map_or_else(String::new, |text| text.0.into_owned());
                if !streamed && !text.is_empty() {
                    let body = Body::ReasoningDelta {
                        text,
                        parent: owner,
                    };
                    self.show(turn, body, out);
                }
            }
            // Nothing in it can be read.
            "redacted_thinking" => {}
            "tool_use" | "server_tool_use" | "mcp_tool_use" => {
                self.tool_use(turn, parent, &block, out);
            }
            kind if kind.ends_with("_tool_result") => {
                self.tool_result(turn, parent, &block, None, out);
            }
            _ => self.unknown(turn, raw.get(), out),
        }
    }

    fn tool_use(
        &mut self,
        turn: TurnRef,
        parent: Option<&str>,
        block: &Block<'_>,
        out: &mut Output,
    ) {
        self.restart(turn, parent, out);
        let id = text(block.id.as_ref());
        let name = text(block.name.as_ref());
        let input = block.input.map_or("{}", RawValue::get);
        self.turns.add_tool(turn, id);
        if parent.is_none() {
            self.call_began(block, out);
        }
        self.speech.edits.called(id, name, input);
        let body = Body::ToolUse {
            id: id.to_owned(),
            name: name.to_owned(),
            kind: if self.is_host_tool(name) {
                ToolKind::Host
            } else {
                tool::kind(name)
            },
            title: tool::title(name, input),
            input: RawJson::from_text(input),
            parent: parent.map(Into::into),
        };
        self.show(turn, body, out);
        if parent.is_none()
            && let Some(plan) = tool::plan(name, input)
        {
            self.show(turn, plan, out);
        }
    }

    pub(super) fn user(&mut self, line: &str, parent: Option<&str>, out: &mut Output) {
        let parsed = parse::<MessageLine<'_>>(line).unwrap_or_default();
        let parent = parent.or(parsed.parent_tool_use_id.as_deref());
        if parsed.is_replay == Some(true) {
            let uuid = text(parsed.uuid.as_ref());
            self.turns.started(uuid, out);
            self.own_started(uuid, out);
            return;
        }
        let turn = self.turn_of(parent);
        let content = parsed.message.as_ref().and_then(|m| m.content);
        if let Some(said) = content.and_then(|raw| parse::<String>(raw.get())) {
            self.injected(turn, parent, &said, out);
            return;
        }
        let Some(blocks) = blocks(parsed.message.as_ref()) else {
            self.unknown(turn, line, out);
            return;
        };
        self.point(parent, &parsed, out);
        // The structured output stands beside the message and belongs to its only result.
        let output = parsed.tool_use_result.filter(|_| blocks.len() == 1);
        for raw in blocks {
            let block = parse::<Block<'_>>(raw.get()).unwrap_or_default();
            match text(block.kind.as_ref()) {
                "tool_result" => self.tool_result(turn, parent, &block, output, out),
                "text" => self.injected(turn, parent, text(block.text.as_ref()), out),
                // Given by the agent to the model: attachments.
                "image" | "document" => {}
                _ => self.unknown(turn, raw.get(), out),
            }
        }
    }

    /// Text that the agent put in for the user.
    fn injected(&mut self, turn: TurnRef, parent: Option<&str>, said: &str, out: &mut Output) {
        if said.starts_with("[Request interrupted by user") {
            if parent.is_none() {
                self.turns.aborted();
            }
        } else if parent.is_none() && !said.is_empty() {
            // A sub-agent's prompt is in the call that started it.
            self.status(turn, "injected", one_line(said, INJECTED_LENGTH), out);
        }
    }

    /// A result that is too long to be read: the tool is done all the same.
    pub(super) fn tool_result_skipped(&mut self, head: &Cut, size: usize, out: &mut Output) {
        const BLOCK: &str = "message.content.0";
        let id = head.text(&format!("{BLOCK}.tool_use_id"));
        if head.text(&format!("{BLOCK}.type")) != "tool_result" || id.is_empty() {
            return;
        }
        // Whose it is stands at the end of the line. The call is known by its id.
        self.steers.call_ended(id);
        let body = Body::ToolResult {
            id: id.to_owned(),
            is_error: head.get(&format!("{BLOCK}.is_error")) == Some(&true.into()),
            text: unread("the result", size),
            output: None,
            parent: None,
        };
        self.show(self.turns.speaker(), body, out);
    }

    fn tool_result(
        &mut self,
        turn: TurnRef,
        parent: Option<&str>,
        block: &Block<'_>,
        output: Option<&RawValue>,
        out: &mut Output,
    ) {
        let id = text(block.tool_use_id.as_ref());
        if parent.is_none() {
            self.steers.call_ended(id);
        }
        let is_error = block.is_error == Some(true);
        let (said, more) = tool::output_text(block.content);
        // A structured output that is text only says the same again.
        let structured = output.filter(|raw| raw.get().starts_with(['{', '[']));
        let change = self.speech.edits.ended(id, is_error, structured, &said);
        let body = Body::ToolResult {
            id: id.to_owned(),
            is_error,
            text: said,
            output: structured
                .or(block.content.filter(|_| more))
                .map(|raw| raw.to_owned().into()),
            parent: parent.map(Into::into),
        };
        self.show(turn, body, out);
        if let Some(changes) = change {
            let id = id.to_owned();
            self.show(turn, Body::FileChange { id, changes }, out);
        }
    }
}

/// The blocks of a message, if it has a list of them.
fn blocks<'a>(message: Option<&ApiMessage<'a>>) -> Option<Vec<&'a RawValue>> {
    parse(message?.content?.get())
}
