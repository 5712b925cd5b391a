//! How an ACP agent tells what happens in a turn.

use std::sync::Arc;

use scripted_agent::InterruptMode;
use serde_json::{Value, json};

use super::features::Feature;
use super::hub::{Active, Hub};
use super::lines;
use crate::control::Control;
use crate::ids;
use crate::voice::{Outcome, Question, Step, Tool, Verdict, Voice};

/// The agent's name in the store.
pub(super) const NAME: &str = "acp";

pub(super) struct AcpVoice {
    hub: Arc<Hub>,
    session: String,
    /// The ids on the wire: the same, or wrong ones.
    shown: String,
    request: Value,
    turn: Active,
    prompt: String,
    cwd: String,
    /// The message that is open: its id and its text so far.
    message: Option<(String, String)>,
    /// The tool that is at work.
    tool: Option<Tool>,
    /// What a replay shows of this turn, if it comes to its end.
    past: Vec<Value>,
    /// Questions that nobody has settled.
    open: Vec<Question>,
    /// The terminal that the host made last.
    terminal: Value,
}

impl AcpVoice {
    pub(super) fn new(hub: &Arc<Hub>, session: &str, turn: &Active, prompt: &str) -> Self {
        let cwd = hub.with(session, |session| session.cwd.clone());
        Self {
            hub: Arc::clone(hub),
            session: session.to_owned(),
            shown: session.to_owned(),
            request: turn.request.clone(),
            turn: turn.clone(),
            prompt: prompt.to_owned(),
            cwd: cwd.unwrap_or_default(),
            message: None,
            tool: None,
            past: Vec::new(),
            open: Vec::new(),
            terminal: Value::Null,
        }
    }

    fn tell(&self, update: &Value) {
        self.hub.update(&self.shown, update);
    }

    /// Shows something that a replay will show again.
    fn show(&mut self, update: Value) {
        self.tell(&update);
        self.past.push(update);
    }

    fn has(&self, feature: Feature) -> bool {
        self.hub.features.has(feature)
    }

    fn message_id(&self) -> Option<String> {
        (!self.has(Feature::NoMessageIds)).then(|| ids::tagged("msg"))
    }

    /// Sends a request to the host; an answer to it reaches `control`.
    fn send(&mut self, method: &str, params: &Value, control: Option<&Control>) -> Question {
        let id = self.hub.question(&self.session);
        let line = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        let question = Question {
            key: id.to_string(),
            line,
        };
        if let Some(control) = control {
            control.ask(&question.key);
        }
        self.hub.agent.line(&question.line);
        self.open.push(question.clone());
        question
    }

    /// Counts the tokens of a model call.
    fn used(&self) -> u64 {
        let used = self.hub.with(&self.session, |session| {
            session.used += 105;
            session.used
        });
        used.unwrap_or(105)
    }

    /// The response to the prompt.
    fn response(&self, reason: &str) -> Value {
        let mut result = json!({"stopReason": reason});
        if !self.has(Feature::NoUsage) {
            result["usage"] = json!({"inputTokens": 100, "outputTokens": 5, "totalTokens": 105});
        }
        json!({"jsonrpc": "2.0", "id": self.request, "result": result})
    }

    fn failure(&self, status: u16, message: &str) -> Value {
        let error = if self.has(Feature::HttpCodes) {
            json!({"code": status, "message": json!({"error": {"code": status, "message": message}}).to_string()})
        } else if status == 401 {
            json!({"code": -32000, "message": format!("Authentication required: {message}")})
        } else {
            json!({"code": -32603, "message": format!("Internal error: {message}"),
                "data": {"errorName": "APIError", "statusCode": status}})
        };
        json!({"jsonrpc": "2.0", "id": self.request, "error": error})
    }

    /// Ends what a cancel has cut.
    fn wind_up(&mut self) {
        self.turn.control.withdraw();
        for question in std::mem::take(&mut self.open) {
            self.hub.forget_question(&question.line["id"]);
        }
        if let Some(tool) = self.tool.take() {
            self.tell(&lines::tool_over(
                &tool,
                &self.cwd,
                "failed",
                "Tool execution aborted",
            ));
        }
    }

    /// Keeps the turn for a replay, as the real agents do only with one that came to its end.
    fn keep(&mut self) {
        for update in self.past.drain(..) {
            self.hub.agent.store.keep(NAME, &self.session, &update);
        }
    }
}

impl Voice for AcpVoice {
    fn conversation(&self) -> (&'static str, String) {
        (NAME, self.session.clone())
    }

    fn use_wrong_ids(&mut self) {
        self.shown = ids::v4();
        self.request = json!("nobody-asked");
    }

    fn begin(&mut self) {
        let store = &self.hub.agent.store;
        let first = store.prompts(NAME, &self.session).len() == 1;
        let now = ids::timestamp();
        store.keep(NAME, &self.session, &json!({"cwd": self.cwd, "at": now}));
        let id = self.message_id();
        let asked = lines::chunk("user_message_chunk", id.as_deref(), &self.prompt);
        store.keep(NAME, &self.session, &asked);
        if first {
            let title: String = self.prompt.chars().take(60).collect();
            let info =
                json!({"sessionUpdate": "session_info_update", "title": title, "updatedAt": now});
            self.tell(&info);
        }
    }

    fn delta_line(&mut self, text: &str) -> Option<String> {
        if self.message.is_none() {
            self.message = Some((self.message_id().unwrap_or_default(), String::new()));
        }
        let (id, _) = self.message.as_ref()?;
        let id = (!id.is_empty()).then_some(id.as_str());
        let chunk = lines::chunk("agent_message_chunk", id, text);
        Some(lines::update(&self.shown, &chunk).to_string())
    }

    fn said(&mut self, text: &str) {
        if let Some((_, said)) = &mut self.message {
            said.push_str(text);
        }
    }

    fn close(&mut self) {
        if let Some((id, said)) = self.message.take() {
            let id = (!id.is_empty()).then_some(id);
            let chunk = lines::chunk("agent_message_chunk", id.as_deref(), &said);
            self.past.push(chunk);
        }
    }

    fn cut(&mut self) {
        self.close();
    }

    fn think(&mut self, text: &str) {
        self.close();
        let id = self.message_id();
        self.show(lines::chunk("agent_thought_chunk", id.as_deref(), text));
    }

    fn plan(&mut self, steps: &[Step]) {
        self.show(lines::plan(steps));
    }

    fn tool_begins(&mut self, tool: &Tool) {
        let mut update = lines::tool(tool, &self.cwd, "pending");
        update["sessionUpdate"] = json!("tool_call");
        self.show(update);
        let running = json!({"sessionUpdate": "tool_call_update", "toolCallId": tool.id, "status": "in_progress"});
        self.tell(&running);
        self.tool = Some(tool.clone());
    }

    fn tool_ends(&mut self, tool: &Tool, verdict: &Verdict) {
        let update = match verdict {
            Verdict::Allow => lines::tool_over(tool, &self.cwd, "completed", &tool.output()),
            Verdict::Deny { message, .. } => lines::tool_over(tool, &self.cwd, "failed", message),
        };
        self.show(update);
        self.tool = None;
    }

    fn decided(&self) -> Option<Verdict> {
        let tool = self.tool.as_ref()?;
        let (mode, allowed) = self.hub.with(&self.session, |session| {
            (session.mode.clone(), session.allowed.contains(&tool.name))
        })?;
        match mode.as_str() {
            _ if allowed => Some(Verdict::Allow),
            "yolo" => Some(Verdict::Allow),
            "autoEdit" if lines::is_edit(tool) => Some(Verdict::Allow),
            "plan" => Some(Verdict::Deny {
                message: "nothing is changed in plan mode".to_owned(),
                ends_turn: false,
            }),
            _ => None,
        }
    }

    fn ask(&mut self, tool: &Tool, control: Option<&Control>) -> Question {
        let params = json!({"sessionId": self.shown, "options": lines::permission_options(),
            "toolCall": lines::tool(tool, &self.cwd, "pending")});
        self.send("session/request_permission", &params, control)
    }

    fn request(&mut self, method: &str, mut params: Value, control: &Control) -> Option<Question> {
        params["sessionId"] = json!(self.shown);
        if method.starts_with("terminal/") && method != "terminal/create" {
            params["terminalId"] = self.terminal.clone();
        }
        Some(self.send(method, &params, Some(control)))
    }

    fn replied(&mut self, question: &Question, reply: &Value) {
        self.settled(question);
        if let Some(terminal) = reply.pointer("/result/terminalId") {
            self.terminal = terminal.clone();
        }
    }

    fn forged(&self, question: &Question) -> [Value; 2] {
        let outcome = json!({"outcome": "selected", "optionId": "allow-once"});
        [
            json!({"jsonrpc": "2.0", "id": question.line["id"], "result": {"outcome": outcome}}),
            self.response("end_turn"),
        ]
    }

    fn settled(&mut self, question: &Question) {
        self.open.retain(|open| open.key != question.key);
        self.hub.forget_question(&question.line["id"]);
    }

    fn withdraw(&mut self, question: &Question) {
        self.settled(question);
        self.hub
            .agent
            .line(&json!({"jsonrpc": "2.0", "method": "$/cancel_request",
            "params": {"requestId": question.line["id"]}}));
    }

    fn verdict(&self, answer: &Value) -> Verdict {
        let outcome = &answer["result"]["outcome"];
        let option = outcome["optionId"].as_str().unwrap_or_default();
        match (outcome["outcome"].as_str(), option) {
            (Some("selected"), "allow-once") => Verdict::Allow,
            (Some("selected"), "allow-always") => {
                let name = self.tool.as_ref().map(|tool| tool.name.clone());
                self.hub
                    .with(&self.session, |session| session.allowed.extend(name));
                Verdict::Allow
            }
            (Some("cancelled"), _) => Verdict::Deny {
                message: "the question was cancelled".to_owned(),
                ends_turn: true,
            },
            _ => Verdict::Deny {
                message: "rejected by the user".to_owned(),
                ends_turn: false,
            },
        }
    }

    fn steered(&mut self, input: &Value) -> String {
        lines::text_of(&input["prompt"])
    }

    fn end(&mut self, outcome: &Outcome) {
        self.close();
        let line = match outcome {
            Outcome::Completed => {
                self.keep();
                self.response("end_turn")
            }
            Outcome::Interrupted { .. } => {
                self.wind_up();
                self.response("cancelled")
            }
            Outcome::Failed(..) if self.has(Feature::SilentErrors) => self.response("end_turn"),
            Outcome::Failed(status, message) => self.failure(*status, message),
        };
        let usage = (!self.has(Feature::NoUsage)).then(|| lines::usage(self.used()));
        let late = self.has(Feature::LateUsage);
        if let Some(usage) = usage.as_ref().filter(|_| !late) {
            self.tell(usage);
        }
        self.hub.over(&self.session, self.turn.number);
        let cancelled = matches!(outcome, Outcome::Interrupted { .. });
        let twice = cancelled && self.hub.agent.settings().interrupts == InterruptMode::Twice;
        if !self.request.is_null() {
            for _ in 0..=u8::from(twice) {
                self.hub.agent.end_line(&line);
            }
        }
        if let Some(usage) = usage.filter(|_| late) {
            self.tell(&usage);
        }
    }
}
