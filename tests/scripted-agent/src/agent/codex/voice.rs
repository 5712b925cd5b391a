//! How the app-server tells what happens in a turn.

use std::sync::Arc;

use serde_json::{Value, json};

use super::hub::Hub;
use super::lines;
use crate::control::Control;
use crate::ids;
use crate::voice::{Outcome, Question, Step, Tool, Verdict, Voice};

struct Message {
    id: String,
    text: String,
    started: u64,
}

pub(crate) struct CodexVoice {
    hub: Arc<Hub>,
    control: Arc<Control>,
    thread: String,
    turn: String,
    /// The ids on the wire: the same, or wrong ones.
    shown_thread: String,
    shown_turn: String,
    input: Value,
    client: Value,
    message: Option<Message>,
    last: Option<Value>,
    started: u64,
    tool_started: u64,
    /// Questions that nobody has settled.
    open: Vec<Question>,
}

impl CodexVoice {
    pub(crate) fn new(
        hub: &Arc<Hub>,
        control: &Arc<Control>,
        thread: &str,
        turn: &str,
        params: &Value,
    ) -> Self {
        Self {
            hub: Arc::clone(hub),
            control: Arc::clone(control),
            thread: thread.to_owned(),
            turn: turn.to_owned(),
            shown_thread: thread.to_owned(),
            shown_turn: turn.to_owned(),
            input: params["input"].clone(),
            client: params["clientUserMessageId"].clone(),
            message: None,
            last: None,
            started: ids::now_ms(),
            tool_started: 0,
            open: Vec::new(),
        }
    }

    /// Sends a notification about this turn.
    fn tell(&self, method: &str, mut params: Value) {
        params["threadId"] = json!(self.shown_thread);
        params["turnId"] = json!(self.shown_turn);
        self.hub.notify(method, &params);
    }

    fn item_started(&self, item: &Value) {
        self.tell(
            "item/started",
            json!({"startedAtMs": item["startedAtMs"], "item": item}),
        );
    }

    fn item_completed(&self, item: &Value) {
        let params = json!({"completedAtMs": item["completedAtMs"], "contentTokenCount": null, "item": item});
        self.tell("item/completed", params);
    }

    fn status(&self, status: Value) {
        self.hub
            .set_status(&self.thread, &self.shown_thread, status);
    }

    fn show_input(&self, input: &Value, client: &Value) {
        let (id, now) = (ids::v7(), ids::now_ms());
        self.item_started(&lines::user_message(&id, client, input, now, false));
        self.item_completed(&lines::user_message(&id, client, input, now, true));
    }

    fn cwd(&self) -> String {
        self.hub
            .with(&self.thread, |thread| thread.setup.cwd.clone())
            .unwrap_or_default()
    }

    /// A call of the model is over.
    fn call_done(&self) {
        let calls = self.hub.with(&self.thread, |thread| {
            thread.calls += 1;
            thread.calls
        });
        let usage = json!({
            "total": lines::tokens(calls.unwrap_or(1)), "last": lines::tokens(1), "modelContextWindow": 258_400,
        });
        self.tell("thread/tokenUsage/updated", json!({"tokenUsage": usage}));
        self.hub
            .notify("account/rateLimits/updated", &lines::rate_limits());
    }

    fn over(&mut self, status: &str, items: &Value, error: &Value) {
        let idle = if status == "failed" {
            "systemError"
        } else {
            "idle"
        };
        self.status(json!({"type": idle}));
        self.hub.with(&self.thread, |thread| {
            thread.active.take_if(|active| active.turn == self.turn);
        });
        let times = (Some(self.started), Some(ids::now_ms()));
        let turn = lines::turn(&self.shown_turn, status, items, times, error);
        let params = json!({"threadId": self.shown_thread, "turn": turn});
        if let Some(line) = self.hub.notification("turn/completed", &params) {
            self.hub.agent.end_line(&line);
        }
    }
}

impl Voice for CodexVoice {
    fn conversation(&self) -> (&'static str, String) {
        ("codex", self.thread.clone())
    }

    fn use_wrong_ids(&mut self) {
        self.shown_thread = ids::v7();
        self.shown_turn = ids::v7();
    }

    fn begin(&mut self) {
        self.status(json!({"type": "active", "activeFlags": []}));
        self.hub.with(&self.thread, |thread| {
            if let Some(active) = &mut thread.active {
                active.started = true;
            }
        });
        let turn = lines::turn(
            &self.shown_turn,
            "inProgress",
            &json!([]),
            (Some(self.started), None),
            &Value::Null,
        );
        self.hub.notify(
            "turn/started",
            &json!({"threadId": self.shown_thread, "turn": turn}),
        );
        self.show_input(&self.input, &self.client);
    }

    fn delta_line(&mut self, text: &str) -> Option<String> {
        if self.message.is_none() {
            let (id, started) = (ids::tagged("msg"), ids::now_ms());
            self.item_started(&lines::agent_message(&id, "", started, None));
            self.message = Some(Message {
                id,
                text: String::new(),
                started,
            });
        }
        let message = self.message.as_ref()?;
        let params = json!({
            "threadId": self.shown_thread, "turnId": self.shown_turn, "itemId": message.id, "delta": text,
        });
        self.hub
            .notification("item/agentMessage/delta", &params)
            .map(|line| line.to_string())
    }

    fn said(&mut self, text: &str) {
        if let Some(message) = &mut self.message {
            message.text.push_str(text);
        }
    }

    fn close(&mut self) {
        if let Some(message) = self.message.take() {
            let item = lines::agent_message(
                &message.id,
                &message.text,
                message.started,
                Some(ids::now_ms()),
            );
            self.item_completed(&item);
            self.last = Some(item);
            self.call_done();
        }
    }

    fn cut(&mut self) {
        self.message = None;
    }

    fn think(&mut self, text: &str) {
        self.close();
        let (id, now) = (ids::tagged("rs"), ids::now_ms());
        self.item_started(&lines::reasoning(&id, text, now, false));
        self.tell(
            "item/reasoning/summaryPartAdded",
            json!({"itemId": id, "summaryIndex": 0}),
        );
        self.tell(
            "item/reasoning/summaryTextDelta",
            json!({"itemId": id, "delta": text, "summaryIndex": 0}),
        );
        self.item_completed(&lines::reasoning(&id, text, now, true));
    }

    fn plan(&mut self, steps: &[Step]) {
        let steps: Vec<Value> = steps
            .iter()
            .map(|step| {
                let status = match step.state {
                    "in_progress" => "inProgress",
                    other => other,
                };
                json!({"step": step.text, "status": status})
            })
            .collect();
        self.tell(
            "turn/plan/updated",
            json!({"explanation": null, "plan": steps}),
        );
    }

    fn tool_begins(&mut self, tool: &Tool) {
        self.tool_started = ids::now_ms();
        self.item_started(&lines::tool(
            tool,
            &self.cwd(),
            "inProgress",
            self.tool_started,
        ));
    }

    fn tool_ends(&mut self, tool: &Tool, verdict: &Verdict) {
        let status = match verdict {
            Verdict::Allow => "completed",
            Verdict::Deny {
                ends_turn: true, ..
            } if lines::is_patch(tool) => return,
            Verdict::Deny { .. } => "declined",
        };
        self.item_completed(&lines::tool(tool, &self.cwd(), status, self.tool_started));
        self.call_done();
    }

    fn decided(&self) -> Option<Verdict> {
        let never = self.hub.with(&self.thread, |thread| {
            thread.setup.approval == json!("never")
        });
        (never == Some(true)).then_some(Verdict::Deny {
            message: "approval policy is never".to_owned(),
            ends_turn: false,
        })
    }

    fn ask(&mut self, tool: &Tool, control: Option<&Control>) -> Question {
        let id = self.hub.question(&self.thread);
        let mut params = json!({
            "threadId": self.shown_thread, "turnId": self.shown_turn, "itemId": tool.id,
            "startedAtMs": ids::now_ms(), "reason": "The script asks.",
        });
        let method = if lines::is_patch(tool) {
            params["grantRoot"] = Value::Null;
            "item/fileChange/requestApproval"
        } else {
            params["kind"] = json!("command");
            params["environmentId"] = json!("local");
            params["command"] = json!(lines::command_line(tool));
            params["cwd"] = json!(self.cwd());
            params["commandActions"] = json!([{"type": "unknown", "command": tool.input}]);
            params["proposedExecpolicyAmendment"] = json!([tool.input]);
            params["availableDecisions"] = json!(["accept", "cancel"]);
            "item/commandExecution/requestApproval"
        };
        let line = json!({"method": method, "id": id, "params": params});
        let question = Question {
            key: id.to_string(),
            line,
        };
        if let Some(control) = control {
            control.ask(&question.key);
            self.status(json!({"type": "active", "activeFlags": ["waitingOnApproval"]}));
        }
        self.hub.agent.line(&question.line);
        self.open.push(question.clone());
        question
    }

    fn forged(&self, question: &Question) -> [Value; 2] {
        let times = (Some(self.started), Some(ids::now_ms()));
        let turn = lines::turn(&self.turn, "completed", &json!([]), times, &Value::Null);
        let params = json!({"threadId": self.thread, "turn": turn});
        [
            json!({"id": question.line["id"], "result": {"decision": "accept"}}),
            json!({"method": "turn/completed", "params": params}),
        ]
    }

    fn settled(&mut self, question: &Question) {
        self.withdraw(question);
        self.status(json!({"type": "active", "activeFlags": []}));
    }

    fn withdraw(&mut self, question: &Question) {
        self.open.retain(|open| open.key != question.key);
        let id = &question.line["id"];
        if let Some(id) = id.as_u64() {
            self.hub.forget_question(id);
        }
        self.hub.notify(
            "serverRequest/resolved",
            &json!({"threadId": self.shown_thread, "requestId": id}),
        );
    }

    fn verdict(&self, answer: &Value) -> Verdict {
        let decision = &answer["result"]["decision"];
        let accepted = ["accept", "acceptForSession"]
            .iter()
            .any(|word| decision == word)
            || decision.get("acceptWithExecpolicyAmendment").is_some();
        if accepted {
            return Verdict::Allow;
        }
        Verdict::Deny {
            message: "rejected by user".to_owned(),
            ends_turn: decision == "cancel",
        }
    }

    fn steered(&mut self, input: &Value) -> String {
        self.show_input(&input["input"], &input["clientUserMessageId"]);
        lines::text_of(&input["input"])
    }

    fn end(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Completed => {
                let items: Vec<Value> = self.last.clone().into_iter().collect();
                self.over("completed", &json!(items), &Value::Null);
            }
            Outcome::Interrupted { .. } => {
                self.control.withdraw();
                self.over("interrupted", &json!([]), &Value::Null);
                for question in std::mem::take(&mut self.open) {
                    self.withdraw(&question);
                }
            }
            Outcome::Failed(status, message) => {
                let error = json!({
                    "message": message, "additionalDetails": null, "misalignment": null,
                    "codexErrorInfo": if *status == 429 { "usageLimitExceeded" } else { "other" },
                });
                self.tell("error", json!({"error": error, "willRetry": false}));
                self.over("failed", &json!([]), &error);
            }
        }
    }
}
