//! Plays the commands of ACP agents that print what one turn gives: `gemini --output-format
//! stream-json` and `opencode run --format json`. One prompt, one turn, exit.

use std::sync::Arc;

use serde_json::{Value, json};

use super::voice::NAME;
use crate::args::{Dialect, PrintArgs};
use crate::context::Agent;
use crate::control::Control;
use crate::voice::{Outcome, Question, Tool, Verdict, Voice};
use crate::{complain, ids, input, player};

pub(crate) fn run(agent: &Arc<Agent>, args: &PrintArgs) -> i32 {
    let session = match &args.resume {
        None => ids::v4(),
        Some(id) if agent.store.knows(NAME, id) => id.clone(),
        Some(id) => {
            complain(&format!("Error: Session not found: {id}"));
            return match args.dialect {
                Dialect::Gemini => 42,
                Dialect::OpenCode => 1,
            };
        }
    };
    let prompt = args.prompt.clone().unwrap_or_else(input::read_all);
    let prompt = prompt.trim().to_owned();
    let mut voice = PrintVoice {
        agent: Arc::clone(agent),
        args: args.clone(),
        session,
        prompt: prompt.clone(),
        message: None,
        in_step: false,
        calls: 0,
        tools: 0,
    };
    let outcome = player::play(agent, &mut voice, &Control::default(), &prompt, true);
    match (outcome, args.dialect) {
        (Outcome::Failed(status, _), Dialect::Gemini) => i32::from(status & 0xff),
        (Outcome::Failed(..), Dialect::OpenCode) => 1,
        (Outcome::Completed | Outcome::Interrupted { .. }, _) => 0,
    }
}

struct PrintVoice {
    agent: Arc<Agent>,
    args: PrintArgs,
    session: String,
    prompt: String,
    /// The text of the message that is open.
    message: Option<String>,
    /// `OpenCode`: a call of the model has begun and not ended.
    in_step: bool,
    calls: u64,
    tools: u64,
}

impl PrintVoice {
    fn is_gemini(&self) -> bool {
        self.args.dialect == Dialect::Gemini
    }

    /// A line of `OpenCode` about a part.
    fn part(&self, kind: &str, part_kind: &str, members: &Value) -> Value {
        let mut part = json!({"id": ids::tagged("prt"), "messageID": "msg_0",
            "sessionID": self.session, "type": part_kind});
        merge(&mut part, members);
        json!({"type": kind, "timestamp": ids::now_ms(), "sessionID": self.session, "part": part})
    }

    /// Begins a call of the model, if none has begun.
    fn step(&mut self) {
        if !self.in_step && !self.is_gemini() {
            self.in_step = true;
            self.agent
                .line(&self.part("step_start", "step-start", &json!({})));
        }
    }

    /// The end of a call of the model.
    fn step_over(&mut self, reason: &str) -> Value {
        self.in_step = false;
        let tokens = json!({"total": 105, "input": 100, "output": 5, "reasoning": 0,
            "cache": {"write": 0, "read": 0}});
        let members = json!({"reason": reason, "tokens": tokens, "cost": 0});
        self.part("step_finish", "step-finish", &members)
    }

    fn stats(&self) -> Value {
        let calls = self.calls.max(1);
        json!({"total_tokens": 105 * calls, "input_tokens": 100 * calls, "output_tokens": 5 * calls,
            "cached": 0, "input": 100 * calls, "duration_ms": 1, "tool_calls": self.tools, "models": {}})
    }
}

/// A line of Gemini CLI.
fn event(kind: &str, members: &Value) -> Value {
    let mut line = json!({"type": kind, "timestamp": ids::timestamp()});
    merge(&mut line, members);
    line
}

fn merge(into: &mut Value, members: &Value) {
    for (name, member) in members.as_object().into_iter().flatten() {
        into[name] = member.clone();
    }
}

impl Voice for PrintVoice {
    fn conversation(&self) -> (&'static str, String) {
        (NAME, self.session.clone())
    }

    fn use_wrong_ids(&mut self) {
        self.session = ids::v4();
    }

    fn begin(&mut self) {
        if self.is_gemini() {
            let init = json!({"session_id": self.session, "model": "large"});
            self.agent.line(&event("init", &init));
            self.agent.shake_hands();
            let said = json!({"role": "user", "content": self.prompt});
            self.agent.line(&event("message", &said));
        } else {
            self.step();
            self.agent.shake_hands();
        }
    }

    fn delta_line(&mut self, text: &str) -> Option<String> {
        self.step();
        self.message.get_or_insert_default();
        let said = json!({"role": "assistant", "content": text, "delta": true});
        self.is_gemini()
            .then(|| event("message", &said).to_string())
    }

    fn said(&mut self, text: &str) {
        self.message.get_or_insert_default().push_str(text);
    }

    fn close(&mut self) {
        if let Some(text) = self.message.take() {
            self.calls += 1;
            if !self.is_gemini() {
                let line = self.part("text", "text", &json!({"text": text}));
                self.agent.line(&line);
            }
        }
    }

    fn cut(&mut self) {
        self.close();
    }

    fn think(&mut self, text: &str) {
        self.close();
        if self.args.thinking {
            self.step();
            let line = self.part("reasoning", "reasoning", &json!({"text": text}));
            self.agent.line(&line);
        }
    }

    fn tool_begins(&mut self, tool: &Tool) {
        self.step();
        self.tools += 1;
        if self.is_gemini() {
            let members =
                json!({"tool_name": tool.name, "tool_id": tool.id, "parameters": tool.members()});
            self.agent.line(&event("tool_use", &members));
        }
    }

    fn tool_ends(&mut self, tool: &Tool, verdict: &Verdict) {
        self.calls += 1;
        if self.is_gemini() {
            let mut members =
                json!({"tool_id": tool.id, "status": "success", "output": tool.output()});
            if let Verdict::Deny { message, .. } = verdict {
                members["status"] = json!("error");
                members["output"] = json!(message);
                members["error"] = json!({"type": "tool_not_registered", "message": message});
            }
            return self.agent.line(&event("tool_result", &members));
        }
        let state = match verdict {
            Verdict::Allow => json!({"status": "completed", "input": tool.members(),
                "output": tool.output(), "title": tool.input,
                "metadata": {"output": tool.output(), "exit": 0, "truncated": false}}),
            Verdict::Deny { message, .. } => {
                json!({"status": "error", "input": tool.members(), "error": message})
            }
        };
        let members = json!({"tool": tool.name.to_lowercase(), "callID": tool.id, "state": state});
        let line = self.part("tool_use", "tool", &members);
        self.agent.line(&line);
        let over = self.step_over("tool-calls");
        self.agent.line(&over);
    }

    fn decided(&self) -> Option<Verdict> {
        let rules = std::env::var("OPENCODE_PERMISSION").unwrap_or_default();
        let asks = rules.contains("ask") || rules.contains("deny");
        let deny = |message: &str, ends_turn| Verdict::Deny {
            message: message.to_owned(),
            ends_turn,
        };
        Some(match self.args.dialect {
            _ if self.args.all_allowed => Verdict::Allow,
            Dialect::Gemini => deny("Tool not found.", false),
            Dialect::OpenCode if asks => deny(
                "The user rejected permission to use this specific tool call.",
                true,
            ),
            Dialect::OpenCode => Verdict::Allow,
        })
    }

    fn ask(&mut self, _tool: &Tool, _control: Option<&Control>) -> Question {
        Question {
            key: String::new(),
            line: json!({"type": "error", "severity": "warning", "message": "nobody can be asked"}),
        }
    }

    fn forged(&self, _question: &Question) -> [Value; 2] {
        [json!({}), event("result", &json!({"status": "success"}))]
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
        self.close();
        let line = match (outcome, self.args.dialect) {
            (Outcome::Failed(status, message), Dialect::Gemini) => {
                let error = json!({"error": {"code": status, "message": message}});
                let error = json!({"type": "unknown", "message": format!("[API Error: {error}]")});
                let members = json!({"status": "error", "error": error, "stats": self.stats()});
                event("result", &members)
            }
            (Outcome::Failed(status, message), Dialect::OpenCode) => {
                let data = json!({"message": message, "statusCode": status, "isRetryable": false});
                json!({"type": "error", "timestamp": ids::now_ms(), "sessionID": self.session,
                    "error": {"name": "APIError", "data": data}})
            }
            (Outcome::Completed | Outcome::Interrupted { .. }, Dialect::Gemini) => {
                let members = json!({"status": "success", "stats": self.stats()});
                event("result", &members)
            }
            // A refused tool has ended the step, and with it the turn.
            (Outcome::Interrupted { .. }, Dialect::OpenCode) => return,
            (Outcome::Completed, Dialect::OpenCode) => {
                self.step();
                self.step_over("stop")
            }
        };
        self.agent.end_line(&line);
    }
}
