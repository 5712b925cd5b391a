//! Plays `codex exec`: one prompt, one turn, exit.

use std::io::IsTerminal;
use std::sync::Arc;

use serde_json::{Value, json};

use super::lines;
use crate::args::ExecArgs;
use crate::context::Agent;
use crate::control::Control;
use crate::voice::{Outcome, Question, Tool, Verdict, Voice};
use crate::{complain, ids, input, player};

pub(crate) fn run(agent: &Arc<Agent>, args: &ExecArgs) -> i32 {
    let thread = match &args.resume {
        None => ids::v7(),
        Some(id) => {
            let why = if !agent.store.knows("codex", id) {
                Some(format!("no rollout found for thread id {id}"))
            } else if !agent.store.claim("codex", id) {
                Some(format!("thread {id} already has an active writer"))
            } else {
                None
            };
            if let Some(why) = why {
                complain(&format!(
                    "Error: thread/resume: thread/resume failed: {why} (code -32600)"
                ));
                return 1;
            }
            id.clone()
        }
    };
    let prompt = prompt(args);
    let mut voice = ExecVoice {
        agent: Arc::clone(agent),
        json: args.json,
        thread,
        items: 0,
        tool_item: String::new(),
        message: None,
        last: String::new(),
        calls: 0,
    };
    let outcome = player::play(
        agent,
        &mut voice,
        &Control::default(),
        &prompt,
        !args.ephemeral,
    );
    if !args.json {
        crate::say(&voice.last);
    }
    i32::from(outcome != Outcome::Completed)
}

/// The prompt of the arguments with what is piped in, as the real one puts them together.
fn prompt(args: &ExecArgs) -> String {
    match args.prompt.as_deref() {
        None | Some("-") => input::read_all(),
        Some(prompt) if std::io::stdin().is_terminal() => prompt.to_owned(),
        Some(prompt) => {
            if args.resume.is_none() {
                complain("Reading additional input from stdin...");
            }
            match input::read_all() {
                piped if piped.is_empty() => prompt.to_owned(),
                piped => format!("{prompt}\n\n<stdin>\n{piped}\n</stdin>"),
            }
        }
    }
}

struct ExecVoice {
    agent: Arc<Agent>,
    json: bool,
    thread: String,
    items: u64,
    tool_item: String,
    message: Option<String>,
    last: String,
    calls: u64,
}

impl ExecVoice {
    fn line(&self, line: &Value) {
        if self.json {
            self.agent.line(line);
        }
    }

    fn item_id(&mut self) -> String {
        self.items += 1;
        format!("item_{}", self.items - 1)
    }

    fn item(&self, event: &str, item: &Value) {
        self.line(&json!({"type": event, "item": item}));
    }

    fn tool_item(&self, tool: &Tool, status: &str) -> Value {
        if lines::is_patch(tool) {
            return json!({
                "id": self.tool_item, "type": "file_change", "status": status,
                "changes": [{"path": tool.input, "kind": "add"}],
            });
        }
        let ran = status == "completed";
        json!({
            "id": self.tool_item, "type": "command_execution", "command": lines::command_line(tool),
            "aggregated_output": if ran { tool.output() } else { String::new() },
            "exit_code": ran.then_some(0), "status": status,
        })
    }
}

impl Voice for ExecVoice {
    fn conversation(&self) -> (&'static str, String) {
        ("codex", self.thread.clone())
    }

    fn use_wrong_ids(&mut self) {
        self.thread = ids::v7();
    }

    fn begin(&mut self) {
        self.line(&json!({"type": "thread.started", "thread_id": self.thread}));
        self.agent.shake_hands();
        self.line(&json!({"type": "turn.started"}));
    }

    fn delta_line(&mut self, _text: &str) -> Option<String> {
        self.message.get_or_insert_default();
        None
    }

    fn said(&mut self, text: &str) {
        self.message.get_or_insert_default().push_str(text);
    }

    fn close(&mut self) {
        if let Some(text) = self.message.take() {
            let id = self.item_id();
            self.item(
                "item.completed",
                &json!({"id": id, "type": "agent_message", "text": text}),
            );
            self.last = text;
            self.calls += 1;
        }
    }

    fn cut(&mut self) {
        self.close();
    }

    fn think(&mut self, text: &str) {
        self.close();
        let id = self.item_id();
        self.item(
            "item.completed",
            &json!({"id": id, "type": "reasoning", "text": text}),
        );
    }

    fn tool_begins(&mut self, tool: &Tool) {
        self.tool_item = self.item_id();
        self.item("item.started", &self.tool_item(tool, "in_progress"));
    }

    fn tool_ends(&mut self, tool: &Tool, verdict: &Verdict) {
        let status = if *verdict == Verdict::Allow {
            "completed"
        } else {
            "failed"
        };
        self.item("item.completed", &self.tool_item(tool, status));
        self.calls += 1;
    }

    fn decided(&self) -> Option<Verdict> {
        Some(Verdict::Deny {
            message: "approval policy is never".to_owned(),
            ends_turn: false,
        })
    }

    fn ask(&mut self, _tool: &Tool, _control: Option<&Control>) -> Question {
        Question {
            key: String::new(),
            line: json!({"type": "error", "message": "approval policy is never"}),
        }
    }

    fn forged(&self, _question: &Question) -> [Value; 2] {
        [json!({}), json!({"type": "turn.completed", "usage": null})]
    }

    fn settled(&mut self, _question: &Question) {}

    fn withdraw(&mut self, _question: &Question) {}

    fn verdict(&self, _answer: &Value) -> Verdict {
        Verdict::Allow
    }

    fn steered(&mut self, _input: &Value) -> String {
        String::new()
    }

    fn end(&mut self, outcome: &Outcome) {
        let line = match outcome {
            Outcome::Completed => json!({"type": "turn.completed", "usage": {
                "input_tokens": 1000 * self.calls, "cached_input_tokens": 100 * self.calls,
                "cache_write_input_tokens": 0, "output_tokens": 50 * self.calls,
                "reasoning_output_tokens": 7 * self.calls,
            }}),
            Outcome::Interrupted { .. } => {
                json!({"type": "turn.failed", "error": {"message": "interrupted"}})
            }
            Outcome::Failed(_, message) => {
                self.line(&json!({"type": "error", "message": message}));
                json!({"type": "turn.failed", "error": {"message": message}})
            }
        };
        if self.json {
            self.agent.end_line(&line);
        }
    }
}
