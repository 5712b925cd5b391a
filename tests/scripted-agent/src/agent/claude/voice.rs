//! How Claude Code tells what happens in a turn.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use serde_json::{Value, json};

use super::lines::{self, Header, Tally};
use crate::args::ClaudeArgs;
use crate::context::Agent;
use crate::control::Control;
use crate::voice::{Outcome, Question, Step, Tool, Verdict, Voice};
use crate::{ids, lock};

/// The parts of a conversation that outlive a turn.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) id: String,
    pub(crate) model: String,
    pub(crate) mode: String,
    pub(crate) tally: Tally,
    /// Whether the last result was an error: it decides the exit code.
    pub(crate) failed: bool,
}

/// A user line that a turn answers.
#[derive(Debug, Clone)]
pub(crate) struct UserLine {
    pub(crate) content: Value,
    pub(crate) uuid: Option<String>,
    /// Started by the agent: nothing is echoed.
    pub(crate) own: bool,
}

struct Message {
    id: String,
    text: String,
}

pub(crate) struct ClaudeVoice {
    agent: Arc<Agent>,
    args: ClaudeArgs,
    session: Arc<Mutex<Session>>,
    header: Header,
    input: Vec<UserLine>,
    message: Option<Message>,
    /// The last finished text: that of the result.
    last_text: String,
    tally: Tally,
    start: Instant,
}

impl ClaudeVoice {
    pub(crate) fn new(
        agent: &Arc<Agent>,
        args: &ClaudeArgs,
        session: &Arc<Mutex<Session>>,
        input: Vec<UserLine>,
    ) -> Self {
        let known = lock(session);
        Self {
            agent: Arc::clone(agent),
            args: args.clone(),
            header: Header {
                session: known.id.clone(),
                users: input.iter().filter_map(|line| line.uuid.clone()).collect(),
                model: known.model.clone(),
                mode: known.mode.clone(),
            },
            input,
            message: None,
            last_text: String::new(),
            tally: Tally {
                turn_calls: 0,
                denials: Vec::new(),
                ..known.tally.clone()
            },
            start: Instant::now(),
            session: Arc::clone(session),
        }
    }

    /// Writes a line, unless only the result is wanted.
    fn line(&self, line: &Value) {
        if self.args.output == "stream-json" {
            self.agent.line(line);
        }
    }

    fn event(&self, message: &str, event: &Value) {
        if self.args.partials {
            self.line(&lines::stream_event(&self.header, message, event));
        }
    }

    fn lifecycle(&self, state: &str) {
        for uuid in &self.header.users {
            self.line(&lines::lifecycle(&self.header.session, uuid, state));
        }
    }

    fn echo_input(&self) {
        let Some((last, before)) = self.input.split_last() else {
            return;
        };
        if !self.args.replay || last.own {
            return;
        }
        let echo = |content: &Value, uuid: &Option<String>| {
            let uuid = uuid.clone().unwrap_or_else(ids::v4);
            self.line(&lines::echo(&self.header.session, content, &uuid));
        };
        for line in before {
            echo(&line.content, &line.uuid);
        }
        if before.is_empty() {
            echo(&last.content, &last.uuid);
        } else {
            echo(&json!(super::joined(&self.input)), &last.uuid);
        }
    }

    fn open(&mut self, block: &Value) -> String {
        let id = ids::tagged("msg");
        self.tally.calls += 1;
        self.tally.turn_calls += 1;
        if self.args.partials {
            self.line(&lines::message_start(&self.header, &id));
        }
        self.event(
            &id,
            &json!({"type": "content_block_start", "index": 0, "content_block": block}),
        );
        id
    }

    fn finish(&mut self, id: &str, block: &Value, stop_reason: &str) {
        self.line(&lines::assistant(&self.header, id, block));
        self.event(id, &json!({"type": "content_block_stop", "index": 0}));
        self.event(
            id,
            &json!({
                "type": "message_delta", "delta": {"stop_reason": stop_reason, "stop_sequence": null},
                "usage": {"output_tokens": 20},
            }),
        );
        self.event(id, &json!({"type": "message_stop"}));
    }

    /// Ends what an interrupt has cut, as the real agent does.
    fn wind_up(&mut self, in_tool: bool) {
        if let Some(message) = self.message.take() {
            let block = json!({"type": "text", "text": message.text});
            let mut line = lines::assistant(&self.header, &message.id, &block);
            line["aborted"] = json!(true);
            self.line(&line);
            self.line(&lines::injected(
                &self.header,
                "[Request interrupted by user]",
            ));
            self.event(
                &message.id,
                &json!({"type": "content_block_stop", "index": 0}),
            );
            self.event(
                &message.id,
                &json!({"type": "message_delta", "delta": {"stop_reason": null, "stop_sequence": null}, "usage": {"output_tokens": 1}}),
            );
            let mut stop =
                lines::stream_event(&self.header, &message.id, &json!({"type": "message_stop"}));
            stop["abandoned_blocks"] = json!({"api_message_id": message.id, "from_block_index": 1});
            if self.args.partials {
                self.line(&stop);
            }
        } else if in_tool {
            self.line(&lines::injected(
                &self.header,
                "[Request interrupted by user for tool use]",
            ));
        } else {
            self.line(&lines::injected(
                &self.header,
                "[Request interrupted by user]",
            ));
        }
    }

    fn result(&mut self, outcome: &Outcome) -> Value {
        self.tally.duration_ms = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(0);
        match outcome {
            Outcome::Completed => {
                let mut line = lines::result(&self.header, &self.tally, "success", "completed");
                line["result"] = json!(self.last_text);
                line["api_error_status"] = Value::Null;
                line["ttft_ms"] = json!(5);
                line
            }
            Outcome::Failed(status, message) => {
                self.line(&lines::synthetic(&self.header, message));
                let mut line = lines::result(&self.header, &self.tally, "success", "api_error");
                line["is_error"] = json!(true);
                line["result"] = json!(message);
                line["api_error_status"] = json!(status);
                line
            }
            Outcome::Interrupted { in_tool } => {
                let terminal = if *in_tool {
                    "aborted_tools"
                } else {
                    "aborted_streaming"
                };
                let mut line = lines::result(
                    &self.header,
                    &self.tally,
                    "error_during_execution",
                    terminal,
                );
                line["is_error"] = json!(true);
                line["stop_reason"] = Value::Null;
                line["errors"] = json!([
                    "[ede_diagnostic] result_type=user last_content_type=n/a stop_reason=null"
                ]);
                line
            }
        }
    }
}

impl Voice for ClaudeVoice {
    fn conversation(&self) -> (&'static str, String) {
        ("claude", lock(&self.session).id.clone())
    }

    fn use_wrong_ids(&mut self) {
        self.header.session = ids::v4();
        self.header.users.fill_with(ids::v4);
    }

    fn begin(&mut self) {
        self.lifecycle("started");
        self.line(&lines::init(&self.header));
        self.agent.shake_hands();
        if self.args.partials {
            self.line(&lines::status(&self.header));
        }
        self.echo_input();
    }

    fn delta_line(&mut self, text: &str) -> Option<String> {
        if self.message.is_none() {
            let id = self.open(&json!({"type": "text", "text": ""}));
            self.message = Some(Message {
                id,
                text: String::new(),
            });
        }
        let message = self.message.as_ref()?;
        let shown = self.args.partials && self.args.output == "stream-json";
        shown.then(|| {
            lines::stream_event(&self.header, &message.id, &lines::text_delta(text)).to_string()
        })
    }

    fn said(&mut self, text: &str) {
        if let Some(message) = &mut self.message {
            message.text.push_str(text);
        }
    }

    fn close(&mut self) {
        if let Some(message) = self.message.take() {
            self.finish(
                &message.id,
                &json!({"type": "text", "text": message.text}),
                "end_turn",
            );
            self.last_text = message.text;
        }
    }

    fn cut(&mut self) {
        self.message = None;
    }

    fn think(&mut self, text: &str) {
        self.close();
        let id = self.open(&json!({"type": "thinking", "thinking": "", "signature": ""}));
        let delta = json!({"type": "thinking_delta", "thinking": text});
        self.event(
            &id,
            &json!({"type": "content_block_delta", "index": 0, "delta": delta}),
        );
        let block = json!({"type": "thinking", "thinking": text, "signature": "scripted"});
        self.finish(&id, &block, "end_turn");
    }

    fn plan(&mut self, steps: &[Step]) {
        let todos: Vec<Value> = steps
            .iter()
            .map(
                |step| json!({"content": step.text, "status": step.state, "activeForm": step.text}),
            )
            .collect();
        let tool = Tool {
            id: ids::tagged("toolu"),
            name: "TodoWrite".to_owned(),
            input: json!({"todos": todos}).to_string(),
            ms: 0,
        };
        self.close();
        self.tool_begins(&tool);
        self.tool_ends(&tool, &Verdict::Allow);
    }

    fn tool_begins(&mut self, tool: &Tool) {
        let members = tool.members();
        let id =
            self.open(&json!({"type": "tool_use", "id": tool.id, "name": tool.name, "input": {}}));
        for part in ["", &members.to_string()] {
            let delta = json!({"type": "input_json_delta", "partial_json": part});
            self.event(
                &id,
                &json!({"type": "content_block_delta", "index": 0, "delta": delta}),
            );
        }
        let block = json!({"type": "tool_use", "id": tool.id, "name": tool.name, "input": members});
        self.finish(&id, &block, "tool_use");
    }

    fn tool_ends(&mut self, tool: &Tool, verdict: &Verdict) {
        match verdict {
            Verdict::Allow => self.line(&lines::tool_result(
                &self.header,
                &tool.id,
                &tool.output(),
                false,
            )),
            Verdict::Deny { message, .. } => {
                self.tally.denials.push(json!({
                    "tool_name": tool.name, "tool_use_id": tool.id, "tool_input": tool.members(),
                }));
                self.line(&lines::tool_result(&self.header, &tool.id, message, true));
            }
        }
        if self.args.partials {
            self.line(&lines::status(&self.header));
        }
    }

    fn decided(&self) -> Option<Verdict> {
        let mode = lock(&self.session).mode.clone();
        match mode.as_str() {
            "bypassPermissions" | "acceptEdits" | "auto" => Some(Verdict::Allow),
            "dontAsk" => Some(denial("Permission was denied by the permission mode.")),
            _ if self.args.prompt_tool => None,
            _ => Some(denial(
                "Claude requested permissions, but you haven't granted it yet.",
            )),
        }
    }

    fn ask(&mut self, tool: &Tool, control: Option<&Control>) -> Question {
        let key = ids::v4();
        let line = json!({"type": "control_request", "request_id": key, "request": {
            "subtype": "can_use_tool", "tool_name": tool.name, "display_name": tool.name,
            "input": tool.members(), "description": tool.input,
            "permission_suggestions": [{"type": "setMode", "mode": "acceptEdits", "destination": "session"}],
            "tool_use_id": tool.id,
        }});
        if let Some(control) = control {
            control.ask(&key);
        }
        self.line(&line);
        Question { key, line }
    }

    fn forged(&self, question: &Question) -> [Value; 2] {
        let response = json!({"behavior": "allow", "updatedInput": {}});
        let mut end = lines::result(&self.header, &self.tally, "success", "completed");
        end["result"] = json!("forged");
        [
            json!({"type": "control_response", "response": {
                "subtype": "success", "request_id": question.key, "response": response,
            }}),
            end,
        ]
    }

    fn settled(&mut self, _question: &Question) {}

    fn withdraw(&mut self, question: &Question) {
        self.line(&json!({"type": "control_cancel_request", "request_id": question.key}));
    }

    fn verdict(&self, answer: &Value) -> Verdict {
        let text = |pointer| answer.pointer(pointer).and_then(Value::as_str);
        match (text("/subtype"), text("/response/behavior")) {
            (Some("success"), Some("allow")) => Verdict::Allow,
            (Some("success"), Some("deny")) => Verdict::Deny {
                message: text("/response/message").unwrap_or_default().to_owned(),
                ends_turn: answer.pointer("/response/interrupt") == Some(&json!(true)),
            },
            _ => denial(&format!(
                "Tool permission request failed: {}",
                text("/error").unwrap_or("invalid response")
            )),
        }
    }

    fn steered(&mut self, input: &Value) -> String {
        let uuid = input.get("uuid").and_then(Value::as_str);
        let content = &input["message"]["content"];
        if self.args.replay {
            let shown = uuid.map_or_else(ids::v4, str::to_owned);
            self.line(&lines::echo(&self.header.session, content, &shown));
        }
        if let Some(uuid) = uuid {
            self.line(&lines::lifecycle(&self.header.session, uuid, "started"));
            self.header.users.push(uuid.to_owned());
        }
        super::text_of(content)
    }

    fn end(&mut self, outcome: &Outcome) {
        if let Outcome::Interrupted { in_tool } = outcome {
            self.wind_up(*in_tool);
        }
        let result = self.result(outcome);
        self.tally.results += 1;
        let failed = result["is_error"] == json!(true);
        {
            let mut session = lock(&self.session);
            session.tally = self.tally.clone();
            session.failed = failed;
        }
        match self.args.output.as_str() {
            "stream-json" | "json" => self.agent.end_line(&result),
            _ => crate::say(result["result"].as_str().unwrap_or_default()),
        }
        let interrupted = matches!(outcome, Outcome::Interrupted { .. });
        self.lifecycle(if interrupted {
            "cancelled"
        } else {
            "completed"
        });
    }
}

fn denial(message: &str) -> Verdict {
    Verdict::Deny {
        message: message.to_owned(),
        ends_turn: false,
    }
}
