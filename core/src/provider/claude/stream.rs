//! The model's message as it streams: the hot path.

use crate::event::Body;
use crate::provider::claude::codec::ClaudeCodec;
use crate::provider::claude::wire::{ApiMessage, Block, Line, StreamEvent, Tokens, parse, text};
use crate::provider::{Conversation, Output, Signal, SignalBody, TurnRef};

/// A merged piece grows to this many bytes.
const MERGED: usize = 16 * 1024;

impl ClaudeCodec {
    pub(super) fn stream_event(&mut self, line: &str, head: &Line<'_>, out: &mut Output) {
        let parent = head.parent_tool_use_id.as_deref();
        if parent.is_none() {
            self.turns.sign(out);
        }
        let turn = match parent {
            Some(parent) => self.turns.of_parent(parent),
            None => self.turns.speaker(),
        };
        let Some(event) = &head.event else {
            self.unknown(turn, line, out);
            return;
        };
        match text(event.kind.as_ref()) {
            "content_block_delta" => self.delta(turn, parent, event, line, out),
            "message_start" => {
                self.restart(turn, parent, out);
                if parent.is_none() {
                    self.message_start(event);
                    self.model_asked(out);
                }
            }
            "message_delta" => self.message_delta(turn, parent, event, out),
            "message_stop" if head.abandoned_blocks.is_some() => self.restart(turn, parent, out),
            "content_block_start" => {
                self.speech.split = true;
                let block = event.content_block.filter(|_| parent.is_none());
                if let Some(block) = block.and_then(|raw| parse::<Block<'_>>(raw.get())) {
                    self.call_began(&block, out);
                }
            }
            "content_block_stop" | "message_stop" | "ping" => {}
            _ => self.unknown(turn, line, out),
        }
    }

    fn delta(
        &mut self,
        turn: TurnRef,
        parent: Option<&str>,
        event: &StreamEvent<'_>,
        line: &str,
        out: &mut Output,
    ) {
        let Some(delta) = &event.delta else {
            self.unknown(turn, line, out);
            return;
        };
        match (text(delta.kind.as_ref()), &delta.text, &delta.thinking) {
            ("text_delta", Some(piece), _) => {
                self.speech.open_text |= parent.is_none() && !piece.is_empty();
                let split = std::mem::take(&mut self.speech.split);
                push_text(self.place(), turn, parent, piece, split, out);
            }
            ("thinking_delta", _, Some(piece)) => {
                self.speech.thought |= parent.is_none() && !piece.is_empty();
                let split = std::mem::take(&mut self.speech.split);
                push_thought(self.place(), turn, parent, piece, split, out);
            }
            // The tool use comes whole; signatures and citations mean nothing to a host.
            ("input_json_delta" | "signature_delta" | "citations_delta", _, _) => {}
            _ => self.unknown(turn, line, out),
        }
    }

    fn message_start(&mut self, event: &StreamEvent<'_>) {
        let message = event
            .message
            .and_then(|raw| parse::<ApiMessage<'_>>(raw.get()));
        let tokens = message.and_then(|message| message.usage);
        self.speech.tokens.begin(&tokens.unwrap_or_default());
        self.speech.thought = false;
    }

    fn message_delta(
        &mut self,
        turn: TurnRef,
        parent: Option<&str>,
        event: &StreamEvent<'_>,
        out: &mut Output,
    ) {
        if parent.is_some() {
            return;
        }
        if let Some(tokens) = event.usage.and_then(|raw| parse::<Tokens>(raw.get())) {
            let usage = self.speech.tokens.finish(&tokens);
            let parent = None;
            self.show(turn, Body::Usage { usage, parent }, out);
        }
    }

    /// The pieces so far are void, unless the message they belong to came whole.
    pub(super) fn restart(&mut self, turn: TurnRef, parent: Option<&str>, out: &mut Output) {
        if parent.is_none() && std::mem::take(&mut self.speech.open_text) {
            let message = "the answer was cut off and begins anew".to_owned();
            self.status(turn, "restarted", message, out);
        }
    }
}

/// Adds a piece of text: to the last signal, if that is the piece before it.
fn push_text(
    conversation: Conversation,
    turn: TurnRef,
    parent: Option<&str>,
    piece: &str,
    split: bool,
    out: &mut Output,
) {
    if piece.is_empty() {
        return;
    }
    if let Some(Signal {
        conversation: last_conversation,
        turn: last_turn,
        body: SignalBody::Show(Body::TextDelta { text, parent: last }),
    }) = out.signals.last_mut()
        && !split
        && (*last_conversation, *last_turn, last.as_deref()) == (conversation, turn, parent)
        && text.len() + piece.len() <= MERGED
    {
        text.push_str(piece);
        return;
    }
    let text = piece.to_owned();
    let parent = parent.map(Into::into);
    out.show(conversation, turn, Body::TextDelta { text, parent });
}

/// The same for reasoning.
fn push_thought(
    conversation: Conversation,
    turn: TurnRef,
    parent: Option<&str>,
    piece: &str,
    split: bool,
    out: &mut Output,
) {
    if piece.is_empty() {
        return;
    }
    if let Some(Signal {
        conversation: last_conversation,
        turn: last_turn,
        body: SignalBody::Show(Body::ReasoningDelta { text, parent: last }),
    }) = out.signals.last_mut()
        && !split
        && (*last_conversation, *last_turn, last.as_deref()) == (conversation, turn, parent)
        && text.len() + piece.len() <= MERGED
    {
        text.push_str(piece);
        return;
    }
    let text = piece.to_owned();
    let parent = parent.map(Into::into);
    out.show(conversation, turn, Body::ReasoningDelta { text, parent });
}
