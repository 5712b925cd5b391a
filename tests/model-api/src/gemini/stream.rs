//! Answers a Gemini request, as events or in one piece.

use serde_json::{Value, json};

use crate::api::{Facts, Performance};
use crate::conversation::{Conversation, words};
use crate::out::{Gone, Out};
use crate::script::{Block, Broken, End, Shell, Source, Text, Tool, literal};

/// Opaque to every client.
const SIGNATURE: &str = "c2NyaXB0ZWQgc2lnbmF0dXJl";
/// Events of this API have no names.
const UNNAMED: &str = "";

/// Plays a performance as server-sent events.
pub(crate) async fn play(
    conversation: &Conversation,
    facts: &Facts,
    performance: Performance,
    out: &Out,
) -> Result<(), Gone> {
    let mut answer = Answer {
        conversation,
        facts,
        out,
        outline: Outline::default(),
    };
    match performance {
        Performance::Answer(blocks) => {
            for block in &blocks {
                answer.block(block).await?;
            }
            answer.finish().await
        }
        Performance::Broken(broken) => {
            answer.words(&broken).await?;
            match broken.end {
                End::Silence => out.silence().await.map(|_| ()),
                End::Cut => Err(out.cut().await),
                End::Error { code, message } => {
                    let data = json!({"error": {"code": 503, "message": message, "status": code}});
                    out.event(UNNAMED, &data).await
                }
            }
        }
    }
}

/// The answer in one piece.
pub(crate) fn whole(conversation: &Conversation, facts: &Facts, blocks: &[Block]) -> Value {
    let mut outline = Outline::default();
    let mut parts = Vec::new();
    for block in blocks {
        let part = match block {
            Block::Text(text) => json!({"text": conversation.text(&text.source)}),
            Block::Thinking(text) => thought(&conversation.text(&text.source)),
            Block::RedactedThinking(data) => redacted(data),
            Block::Tool(tool) => outline.call(facts, tool),
            Block::Shell(shell) => outline.call(facts, &shell_tool(shell)),
            Block::Wait { .. } => continue,
            Block::Stop(reason) => {
                outline.stop = Some(reason.clone());
                continue;
            }
        };
        outline.output_bytes += part.to_string().len();
        parts.push(part);
    }
    let mut response = response(conversation, facts, &parts, outline.output_bytes);
    response["candidates"][0]["finishReason"] = json!(outline.finish_reason());
    response
}

fn thought(text: &str) -> Value {
    json!({"text": text, "thought": true})
}

fn redacted(data: &str) -> Value {
    json!({"text": "", "thought": true, "thoughtSignature": data})
}

/// The call that a shell block makes: this agent's tool has always this name.
fn shell_tool(shell: &Shell) -> Tool {
    let mut input = json!({"command": shell.command, "description": "Run a scripted command"});
    if let Some(fields) = input.as_object_mut() {
        fields.extend(shell.with.clone());
    }
    Tool {
        name: "run_shell_command".to_owned(),
        input,
    }
}

fn response(
    conversation: &Conversation,
    facts: &Facts,
    parts: &[Value],
    output_bytes: usize,
) -> Value {
    let output_tokens = 1 + output_bytes / 4;
    json!({
        "candidates": [{"content": {"role": "model", "parts": parts}, "index": 0}],
        "usageMetadata": {"promptTokenCount": facts.input_tokens,
            "candidatesTokenCount": output_tokens,
            "totalTokenCount": facts.input_tokens + output_tokens},
        "modelVersion": conversation.model, "responseId": facts.id,
    })
}

/// What the end of an answer needs to know of its blocks.
#[derive(Default)]
struct Outline {
    calls: usize,
    stop: Option<String>,
    output_bytes: usize,
}

impl Outline {
    fn call(&mut self, facts: &Facts, tool: &Tool) -> Value {
        self.calls += 1;
        let args = if tool.input.is_null() {
            json!({})
        } else {
            tool.input.clone()
        };
        let call = json!({"id": format!("call_{}_{}", facts.id, self.calls),
            "name": tool.name, "args": args});
        json!({"functionCall": call, "thoughtSignature": SIGNATURE})
    }

    fn finish_reason(&self) -> String {
        match self.stop.as_deref() {
            None => "STOP".to_owned(),
            Some("max_tokens") => "MAX_TOKENS".to_owned(),
            Some("refusal") => "SAFETY".to_owned(),
            Some(other) => other.to_uppercase(),
        }
    }
}

/// An answer on its way out.
struct Answer<'a> {
    conversation: &'a Conversation,
    facts: &'a Facts,
    out: &'a Out,
    outline: Outline,
}

impl Answer<'_> {
    async fn part(&mut self, part: Value) -> Result<(), Gone> {
        self.outline.output_bytes += part.to_string().len();
        let bytes = self.outline.output_bytes;
        let data = response(self.conversation, self.facts, &[part], bytes);
        self.out.event(UNNAMED, &data).await
    }

    async fn text(&mut self, text: &str, manner: &Text) -> Result<(), Gone> {
        self.outline.output_bytes += text.len();
        let bytes = self.outline.output_bytes;
        self.out
            .deltas(UNNAMED, text, manner, |delta| {
                let part = json!({"text": delta});
                response(self.conversation, self.facts, &[part], bytes)
            })
            .await
    }

    async fn block(&mut self, block: &Block) -> Result<(), Gone> {
        match block {
            Block::Text(text) => {
                let made = self.conversation.text(&text.source);
                self.text(&made, text).await
            }
            // This API sends a summary of a thought, whole.
            Block::Thinking(text) => {
                let made = self.conversation.text(&text.source);
                self.part(thought(&made)).await
            }
            Block::RedactedThinking(data) => self.part(redacted(data)).await,
            Block::Tool(tool) => {
                let call = self.outline.call(self.facts, tool);
                self.part(call).await
            }
            Block::Shell(shell) => {
                let call = self.outline.call(self.facts, &shell_tool(shell));
                self.part(call).await
            }
            Block::Wait { ms } => self.out.pause(*ms).await,
            Block::Stop(reason) => {
                self.outline.stop = Some(reason.clone());
                Ok(())
            }
        }
    }

    /// Streams the words in front of a failure.
    async fn words(&mut self, broken: &Broken) -> Result<(), Gone> {
        if broken.after > 0 {
            let manner = Text {
                source: Source::Words(broken.after),
                delay_ms: broken.delay_ms,
                ..literal(String::new())
            };
            self.text(&words(broken.after), &manner).await?;
        }
        self.out.pause(broken.delay_ms).await
    }

    async fn finish(&self) -> Result<(), Gone> {
        let bytes = self.outline.output_bytes;
        let mut data = response(self.conversation, self.facts, &[json!({"text": ""})], bytes);
        data["candidates"][0]["finishReason"] = json!(self.outline.finish_reason());
        self.out.event(UNNAMED, &data).await
    }
}
