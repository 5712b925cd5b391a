//! Answers a Messages request, as events or in one piece.

use serde_json::{Value, json};

use crate::api::{Facts, Performance};
use crate::conversation::{Conversation, words};
use crate::out::{Gone, Out};
use crate::script::{Block, Broken, End, Shell, Source, Text, Tool, literal};

/// Large enough to look real, and opaque to every client.
const SIGNATURE: &str = "c2NyaXB0ZWQgc2lnbmF0dXJlLCBvcGFxdWUgdG8gZXZlcnkgY2xpZW50";
/// Tool input streams in pieces of this size.
const INPUT_CHUNK: usize = 32;

/// Plays a performance as server-sent events.
pub(crate) async fn play(
    conversation: &Conversation,
    facts: &Facts,
    performance: Performance,
    out: &Out,
) -> Result<(), Gone> {
    let mut message = Message::new(conversation, facts, out);
    match performance {
        Performance::Answer(blocks) => {
            message.start().await?;
            for block in &blocks {
                message.block(block).await?;
            }
            message.finish().await
        }
        Performance::Broken(broken) => {
            message.words(&broken).await?;
            match broken.end {
                End::Silence => out.silence().await.map(|_| ()),
                End::Cut => Err(out.cut().await),
                End::Error { code, message } => {
                    let data = json!({"type": "error",
                        "error": {"type": code, "message": message}});
                    out.event("error", &data).await
                }
            }
        }
    }
}

/// The answer in one piece.
pub(crate) fn whole(conversation: &Conversation, facts: &Facts, blocks: &[Block]) -> Value {
    let mut content = Vec::new();
    let mut outline = Outline::default();
    for block in blocks {
        let made = match block {
            Block::Text(text) => {
                json!({"type": "text", "text": conversation.text(&text.source)})
            }
            Block::Thinking(text) => json!({"type": "thinking",
                "thinking": conversation.text(&text.source), "signature": SIGNATURE}),
            Block::RedactedThinking(data) => json!({"type": "redacted_thinking", "data": data}),
            Block::Tool(tool) => tool_use(&outline.tool_id(facts), &tool.name, &tool.input),
            Block::Shell(shell) => {
                let tool = shell_tool(conversation, shell);
                tool_use(&outline.tool_id(facts), &tool.name, &tool.input)
            }
            Block::Wait { .. } => continue,
            Block::Stop(reason) => {
                outline.stop = Some(reason.clone());
                continue;
            }
        };
        outline.output_bytes += made.to_string().len();
        content.push(made);
    }
    json!({
        "id": format!("msg_{}", facts.id), "type": "message", "role": "assistant",
        "model": conversation.model, "content": content,
        "stop_reason": outline.stop_reason(), "stop_sequence": null,
        "usage": usage(facts, outline.output_tokens()),
    })
}

fn tool_use(id: &str, name: &str, input: &Value) -> Value {
    json!({"type": "tool_use", "id": id, "name": name, "input": input})
}

/// The call that a shell block makes. Agents write the name of the tool differently, but give it the
/// same arguments.
fn shell_tool(conversation: &Conversation, shell: &Shell) -> Tool {
    let lower = conversation.tool("bash").map(|_| "bash");
    let mut input = json!({"command": shell.command, "description": "Run a scripted command"});
    if let Some(fields) = input.as_object_mut() {
        fields.extend(shell.with.clone());
    }
    Tool {
        name: lower.unwrap_or("Bash").to_owned(),
        input,
    }
}

fn usage(facts: &Facts, output_tokens: usize) -> Value {
    json!({"input_tokens": facts.input_tokens, "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0, "output_tokens": output_tokens,
        "service_tier": "standard"})
}

/// What the end of a message needs to know of its blocks.
#[derive(Default)]
struct Outline {
    tools: usize,
    stop: Option<String>,
    output_bytes: usize,
}

impl Outline {
    fn tool_id(&mut self, facts: &Facts) -> String {
        self.tools += 1;
        format!("toolu_{}_{}", facts.id, self.tools)
    }

    fn stop_reason(&self) -> &str {
        match &self.stop {
            Some(reason) => reason,
            None if self.tools > 0 => "tool_use",
            None => "end_turn",
        }
    }

    fn output_tokens(&self) -> usize {
        1 + self.output_bytes / 4
    }
}

/// A message on its way out.
struct Message<'a> {
    conversation: &'a Conversation,
    facts: &'a Facts,
    out: &'a Out,
    outline: Outline,
    index: usize,
}

impl<'a> Message<'a> {
    fn new(conversation: &'a Conversation, facts: &'a Facts, out: &'a Out) -> Self {
        Self {
            conversation,
            facts,
            out,
            outline: Outline::default(),
            index: 0,
        }
    }

    async fn start(&self) -> Result<(), Gone> {
        let message = json!({
            "id": format!("msg_{}", self.facts.id), "type": "message", "role": "assistant",
            "model": self.conversation.model, "content": [],
            "stop_reason": null, "stop_sequence": null, "usage": usage(self.facts, 1),
        });
        let data = json!({"type": "message_start", "message": message});
        self.out.event("message_start", &data).await
    }

    /// Streams the words in front of a failure; none, no message at all.
    async fn words(&mut self, broken: &Broken) -> Result<(), Gone> {
        if broken.after == 0 {
            return self.out.pause(broken.delay_ms).await;
        }
        self.start().await?;
        let text = Text {
            source: Source::Words(broken.after),
            delay_ms: broken.delay_ms,
            ..literal(String::new())
        };
        self.open(json!({"type": "text", "text": ""})).await?;
        self.text_deltas(&words(broken.after), &text, "text_delta", "text")
            .await?;
        self.out.pause(broken.delay_ms).await
    }

    async fn block(&mut self, block: &Block) -> Result<(), Gone> {
        match block {
            Block::Text(text) => {
                let made = self.conversation.text(&text.source);
                self.open(json!({"type": "text", "text": ""})).await?;
                self.text_deltas(&made, text, "text_delta", "text").await?;
            }
            Block::Thinking(text) => self.thinking(text).await?,
            Block::RedactedThinking(data) => {
                self.open(json!({"type": "redacted_thinking", "data": data}))
                    .await?;
            }
            Block::Tool(tool) => self.tool(tool).await?,
            Block::Shell(shell) => self.tool(&shell_tool(self.conversation, shell)).await?,
            Block::Wait { ms } => return self.out.pause(*ms).await,
            Block::Stop(reason) => {
                self.outline.stop = Some(reason.clone());
                return Ok(());
            }
        }
        self.close().await
    }

    async fn thinking(&mut self, text: &Text) -> Result<(), Gone> {
        let made = self.conversation.text(&text.source);
        self.open(json!({"type": "thinking", "thinking": "", "signature": ""}))
            .await?;
        self.text_deltas(&made, text, "thinking_delta", "thinking")
            .await?;
        self.delta(&json!({"type": "signature_delta", "signature": SIGNATURE}))
            .await
    }

    async fn tool(&mut self, tool: &Tool) -> Result<(), Gone> {
        let id = self.outline.tool_id(self.facts);
        self.open(tool_use(&id, &tool.name, &json!({}))).await?;
        // The first piece is empty, as the real API has it.
        self.delta(&json!({"type": "input_json_delta", "partial_json": ""}))
            .await?;
        let input = if tool.input.is_null() {
            "{}".to_owned()
        } else {
            tool.input.to_string()
        };
        let manner = Text {
            chunk: Some(INPUT_CHUNK.max(input.len() / 1024)),
            ..literal(String::new())
        };
        self.text_deltas(&input, &manner, "input_json_delta", "partial_json")
            .await
    }

    async fn open(&self, block: Value) -> Result<(), Gone> {
        let data = json!({"type": "content_block_start", "index": self.index,
            "content_block": block});
        self.out.event("content_block_start", &data).await?;
        if self.index == 0 {
            self.out.event("ping", &json!({"type": "ping"})).await?;
        }
        Ok(())
    }

    async fn delta(&self, delta: &Value) -> Result<(), Gone> {
        let data = json!({"type": "content_block_delta", "index": self.index, "delta": delta});
        self.out.event("content_block_delta", &data).await
    }

    async fn text_deltas(
        &mut self,
        text: &str,
        manner: &Text,
        kind: &str,
        field: &str,
    ) -> Result<(), Gone> {
        let index = self.index;
        self.outline.output_bytes += text.len();
        self.out
            .deltas("content_block_delta", text, manner, |delta| {
                json!({"type": "content_block_delta", "index": index,
                    "delta": {"type": kind, field: delta}})
            })
            .await
    }

    async fn close(&mut self) -> Result<(), Gone> {
        let data = json!({"type": "content_block_stop", "index": self.index});
        self.index += 1;
        self.out.event("content_block_stop", &data).await
    }

    async fn finish(&self) -> Result<(), Gone> {
        let data = json!({"type": "message_delta",
            "delta": {"stop_reason": self.outline.stop_reason(), "stop_sequence": null},
            "usage": usage(self.facts, self.outline.output_tokens())});
        self.out.event("message_delta", &data).await?;
        let stop = json!({"type": "message_stop"});
        self.out.event("message_stop", &stop).await
    }
}
