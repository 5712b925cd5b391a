//! Answers a Responses request, as events or in one piece.
//!
//! `response.completed` repeats no output: every item has been sent whole in
//! its `response.output_item.done`, and a long text needs no fourth copy.

use serde_json::{Value, json};

use super::call::{self, Call, CallInput};
use crate::api::{Facts, Performance};
use crate::conversation::{Conversation, words};
use crate::out::{Gone, Out};
use crate::script::{Block, Broken, End, Source, Text, literal};

/// Opaque to every client.
const ENCRYPTED: &str = "c2NyaXB0ZWQgcmVhc29uaW5nLCBvcGFxdWUgdG8gZXZlcnkgY2xpZW50";
/// Tool input streams in pieces of this size.
const INPUT_CHUNK: usize = 32;

/// Plays a performance as server-sent events.
pub(crate) async fn play(
    conversation: &Conversation,
    facts: &Facts,
    performance: Performance,
    out: &Out,
) -> Result<(), Gone> {
    let mut response = Response::new(conversation, facts, out);
    match performance {
        Performance::Answer(blocks) => {
            response.start().await?;
            for block in &blocks {
                response.block(block).await?;
            }
            response.finish().await
        }
        Performance::Broken(broken) => {
            response.words(&broken).await?;
            match broken.end {
                End::Silence => out.silence().await.map(|_| ()),
                End::Cut => Err(out.cut().await),
                End::Error { code, message } => {
                    response.fail(broken.after == 0, &code, &message).await
                }
            }
        }
    }
}

/// The answer in one piece.
pub(crate) fn whole(conversation: &Conversation, facts: &Facts, blocks: &[Block]) -> Value {
    let mut output = Vec::new();
    let mut stop = None;
    let mut bytes = 0;
    for block in blocks {
        let id = output.len();
        let item = match block {
            Block::Text(text) => message(facts, id, Some(&conversation.text(&text.source))),
            Block::Thinking(text) => reasoning(facts, id, Some(&conversation.text(&text.source))),
            Block::RedactedThinking(_) => reasoning(facts, id, None),
            Block::Tool(tool) => call_item(facts, id, &call::tool(conversation, tool), true),
            Block::Shell(shell) => call_item(facts, id, &call::shell(conversation, shell), true),
            Block::Wait { .. } => continue,
            Block::Stop(reason) => {
                stop = Some(reason.as_str());
                continue;
            }
        };
        bytes += item.to_string().len();
        output.push(item);
    }
    let mut made = envelope(
        conversation,
        facts,
        if stop.is_some() {
            "incomplete"
        } else {
            "completed"
        },
    );
    made["output"] = json!(output);
    made["usage"] = usage(facts, bytes);
    made["incomplete_details"] = incomplete_details(stop);
    made
}

fn envelope(conversation: &Conversation, facts: &Facts, status: &str) -> Value {
    json!({"id": format!("resp_{}", facts.id), "object": "response", "created_at": 1_700_000_000,
        "status": status, "model": conversation.model, "error": null,
        "incomplete_details": null, "output": [], "usage": null})
}

fn usage(facts: &Facts, output_bytes: usize) -> Value {
    let output_tokens = 1 + output_bytes / 4;
    json!({"input_tokens": facts.input_tokens,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": output_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": facts.input_tokens + output_tokens})
}

fn incomplete_details(stop: Option<&str>) -> Value {
    match stop {
        None => Value::Null,
        Some("max_tokens") => json!({"reason": "max_output_tokens"}),
        Some("refusal") => json!({"reason": "content_filter"}),
        Some(other) => json!({"reason": other}),
    }
}

/// A message item: as it starts, or finished with its text.
fn message(facts: &Facts, index: usize, text: Option<&str>) -> Value {
    let content: Vec<Value> = text.map(text_part).into_iter().collect();
    json!({"id": format!("msg_{}_{index}", facts.id), "type": "message", "role": "assistant",
        "status": status(text.is_some()), "content": content})
}

fn text_part(text: &str) -> Value {
    json!({"type": "output_text", "text": text, "annotations": []})
}

/// A reasoning item: without a summary, or finished with it.
fn reasoning(facts: &Facts, index: usize, summary: Option<&str>) -> Value {
    let summary: Vec<Value> = summary
        .map(|text| json!({"type": "summary_text", "text": text}))
        .into_iter()
        .collect();
    json!({"id": format!("rs_{}_{index}", facts.id), "type": "reasoning", "summary": summary,
        "encrypted_content": ENCRYPTED})
}

fn call_item(facts: &Facts, index: usize, call: &Call, done: bool) -> Value {
    let input = |text: &str| if done { text.to_owned() } else { String::new() };
    let mut item = match &call.input {
        CallInput::Arguments(text) => json!({"id": format!("fc_{}_{index}", facts.id),
            "type": "function_call", "arguments": input(text)}),
        CallInput::FreeText(text) => json!({"id": format!("ctc_{}_{index}", facts.id),
            "type": "custom_tool_call", "input": input(text)}),
    };
    item["call_id"] = json!(format!("call_{}_{index}", facts.id));
    item["name"] = json!(call.name);
    item["status"] = json!(status(done));
    if let Some(namespace) = &call.namespace {
        item["namespace"] = json!(namespace);
    }
    item
}

fn status(done: bool) -> &'static str {
    if done { "completed" } else { "in_progress" }
}

/// A response on its way out.
struct Response<'a> {
    conversation: &'a Conversation,
    facts: &'a Facts,
    out: &'a Out,
    /// Of the item in work.
    index: usize,
    stop: Option<String>,
    output_bytes: usize,
}

impl<'a> Response<'a> {
    fn new(conversation: &'a Conversation, facts: &'a Facts, out: &'a Out) -> Self {
        Self {
            conversation,
            facts,
            out,
            index: 0,
            stop: None,
            output_bytes: 0,
        }
    }

    /// Sends an event; its name is also its `type`.
    async fn send(&self, name: &str, mut data: Value) -> Result<(), Gone> {
        data["type"] = json!(name);
        self.out.event(name, &data).await
    }

    async fn start(&self) -> Result<(), Gone> {
        for name in ["response.created", "response.in_progress"] {
            let response = envelope(self.conversation, self.facts, "in_progress");
            self.send(name, json!({"response": response})).await?;
        }
        Ok(())
    }

    async fn added(&self, item: Value) -> Result<(), Gone> {
        let data = json!({"output_index": self.index, "item": item});
        self.send("response.output_item.added", data).await
    }

    async fn done(&mut self, item: Value) -> Result<(), Gone> {
        let data = json!({"output_index": self.index, "item": item});
        self.index += 1;
        self.send("response.output_item.done", data).await
    }

    /// Streams `text` as events `name` that belong to the item `id`.
    async fn deltas(
        &mut self,
        name: &str,
        id: &str,
        text: &str,
        manner: &Text,
    ) -> Result<(), Gone> {
        let index = self.index;
        self.output_bytes += text.len();
        self.out
            .deltas(name, text, manner, |delta| {
                json!({"type": name, "item_id": id, "output_index": index,
                    "content_index": 0, "summary_index": 0, "delta": delta})
            })
            .await
    }

    async fn block(&mut self, block: &Block) -> Result<(), Gone> {
        match block {
            Block::Text(text) => self.text(text).await,
            Block::Thinking(text) => self.thinking(text).await,
            Block::RedactedThinking(_) => {
                let item = reasoning(self.facts, self.index, None);
                self.added(item.clone()).await?;
                self.done(item).await
            }
            Block::Tool(tool) => self.call(&call::tool(self.conversation, tool)).await,
            Block::Shell(shell) => self.call(&call::shell(self.conversation, shell)).await,
            Block::Wait { ms } => self.out.pause(*ms).await,
            Block::Stop(reason) => {
                self.stop = Some(reason.clone());
                Ok(())
            }
        }
    }

    async fn open_text(&self) -> Result<String, Gone> {
        let id = format!("msg_{}_{}", self.facts.id, self.index);
        self.added(message(self.facts, self.index, None)).await?;
        let part = json!({"item_id": id, "output_index": self.index, "content_index": 0,
            "part": text_part("")});
        self.send("response.content_part.added", part).await?;
        Ok(id)
    }

    async fn text(&mut self, text: &Text) -> Result<(), Gone> {
        let made = self.conversation.text(&text.source);
        let id = self.open_text().await?;
        self.deltas("response.output_text.delta", &id, &made, text)
            .await?;
        let place = |mut data: Value| {
            data["item_id"] = json!(id);
            data["output_index"] = json!(self.index);
            data["content_index"] = json!(0);
            data
        };
        let whole = place(json!({"text": made}));
        self.send("response.output_text.done", whole).await?;
        let part = place(json!({"part": text_part(&made)}));
        self.send("response.content_part.done", part).await?;
        self.done(message(self.facts, self.index, Some(&made)))
            .await
    }

    async fn thinking(&mut self, text: &Text) -> Result<(), Gone> {
        let made = self.conversation.text(&text.source);
        let id = format!("rs_{}_{}", self.facts.id, self.index);
        let place = |mut data: Value| {
            data["item_id"] = json!(id);
            data["summary_index"] = json!(0);
            data
        };
        self.added(reasoning(self.facts, self.index, None)).await?;
        let part = |text: &str| place(json!({"part": {"type": "summary_text", "text": text}}));
        self.send("response.reasoning_summary_part.added", part(""))
            .await?;
        self.deltas("response.reasoning_summary_text.delta", &id, &made, text)
            .await?;
        let whole = place(json!({"text": made}));
        self.send("response.reasoning_summary_text.done", whole)
            .await?;
        self.send("response.reasoning_summary_part.done", part(&made))
            .await?;
        self.done(reasoning(self.facts, self.index, Some(&made)))
            .await
    }

    async fn call(&mut self, call: &Call) -> Result<(), Gone> {
        self.added(call_item(self.facts, self.index, call, false))
            .await?;
        let (prefix, name, field, text) = match &call.input {
            CallInput::Arguments(text) => {
                ("fc", "response.function_call_arguments", "arguments", text)
            }
            CallInput::FreeText(text) => ("ctc", "response.custom_tool_call_input", "input", text),
        };
        let id = format!("{prefix}_{}_{}", self.facts.id, self.index);
        let manner = Text {
            chunk: Some(INPUT_CHUNK.max(text.len() / 1024)),
            ..literal(String::new())
        };
        self.deltas(&format!("{name}.delta"), &id, text, &manner)
            .await?;
        let mut data = json!({"item_id": id, "output_index": self.index});
        data[field] = json!(text);
        self.send(&format!("{name}.done"), data).await?;
        self.done(call_item(self.facts, self.index, call, true))
            .await
    }

    /// Streams the words in front of a failure; none, no response at all.
    async fn words(&mut self, broken: &Broken) -> Result<(), Gone> {
        if broken.after == 0 {
            return self.out.pause(broken.delay_ms).await;
        }
        self.start().await?;
        let id = self.open_text().await?;
        let text = Text {
            source: Source::Words(broken.after),
            delay_ms: broken.delay_ms,
            ..literal(String::new())
        };
        self.deltas(
            "response.output_text.delta",
            &id,
            &words(broken.after),
            &text,
        )
        .await?;
        self.out.pause(broken.delay_ms).await
    }

    async fn fail(&self, unopened: bool, code: &str, message: &str) -> Result<(), Gone> {
        if unopened {
            self.start().await?;
        }
        let mut response = envelope(self.conversation, self.facts, "failed");
        response["error"] = json!({"code": code, "message": message});
        self.send("response.failed", json!({"response": response}))
            .await
    }

    async fn finish(&self) -> Result<(), Gone> {
        let (name, status) = match self.stop {
            None => ("response.completed", "completed"),
            Some(_) => ("response.incomplete", "incomplete"),
        };
        let mut response = envelope(self.conversation, self.facts, status);
        response["usage"] = usage(self.facts, self.output_bytes);
        response["incomplete_details"] = incomplete_details(self.stop.as_deref());
        self.send(name, json!({"response": response})).await
    }
}
