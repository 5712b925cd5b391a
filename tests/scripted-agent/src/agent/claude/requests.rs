//! The control requests that the host may send.

use std::sync::Arc;

use scripted_agent::{InterruptMode, ReplyMode, Trigger};
use serde_json::{Value, json};

use super::{Host, lines, version};
use crate::context::Agent;
use crate::control::Control;
use crate::lock;

pub(super) const DEFAULT_MODEL: &str = "claude-opus-5-5";

const MODES: &[&str] = &[
    "acceptEdits",
    "auto",
    "bypassPermissions",
    "default",
    "dontAsk",
    "plan",
];

/// An answer: what goes beside `subtype` and `request_id`.
enum Answer {
    /// Success, with a response or without.
    Success(Option<Value>),
    Error(String, Option<&'static str>),
}

impl Host {
    /// Treats a control request. Gives an exit code when it ends the process.
    pub(super) fn request(&mut self, message: &Value) -> Option<i32> {
        let Some(request) = message.get("request") else {
            crate::complain("Error: Missing request on control_request");
            return Some(1);
        };
        let id = &message["request_id"];
        let subtype = request["subtype"].as_str().unwrap_or_default();
        match subtype {
            "interrupt" => {
                self.interrupt(id);
                return None;
            }
            "initialize" => {
                let mut reply = envelope(
                    id,
                    Answer::Success(Some(lines::initialized(
                        &self.header(),
                        self.running.is_some(),
                    ))),
                );
                reply["response"]["pending_permission_requests"] = json!([]);
                reply["response"]["pending_user_dialog_requests"] = json!([]);
                self.agent.reply(reply, ID);
                self.agent.shake_hands();
                return None;
            }
            _ => {}
        }
        let answer = self.answer(subtype, request);
        self.agent.reply(envelope(id, answer), ID);
        (subtype == "end_session").then_some(0)
    }

    fn answer(&mut self, subtype: &str, request: &Value) -> Answer {
        let changes = subtype.contains("set_") || subtype == "apply_flag_settings";
        if changes && self.agent.settings().replies == ReplyMode::Refuse {
            let why = "these settings are not allowed".to_owned();
            return Answer::Error(why, None);
        }
        match subtype {
            "set_permission_mode" => self.set_mode(request["mode"].as_str().unwrap_or_default()),
            "set_model" => {
                let model = match request["model"].as_str() {
                    None | Some("default") => DEFAULT_MODEL,
                    Some(model) => model,
                };
                model.clone_into(&mut lock(&self.session).model);
                Answer::Success(Some(json!({"model": model})))
            }
            "cancel_async_message" => {
                let wanted = request["message_uuid"].as_str();
                let before = self.queue.len();
                self.queue.retain(|line| line.uuid.as_deref() != wanted);
                Answer::Success(Some(json!({"cancelled": self.queue.len() < before})))
            }
            "mcp_status" => Answer::Success(Some(json!({"mcpServers": []}))),
            "mcp_set_servers" => {
                Answer::Success(Some(json!({"added": [], "removed": [], "errors": {}})))
            }
            "get_binary_version" => Answer::Success(Some(
                json!({"version": version(), "buildTime": "2026-11-17T17:18:25Z"}),
            )),
            "get_settings" => {
                let model = lock(&self.session).model.clone();
                Answer::Success(Some(
                    json!({"effective": {}, "sources": [], "applied": {"model": model, "effort": "medium"}}),
                ))
            }
            "stop_task" => Answer::Success(Some(json!({}))),
            "set_max_thinking_tokens"
            | "apply_flag_settings"
            | "rename_session"
            | "end_session" => Answer::Success(None),
            other => Answer::Error(
                format!("Unsupported control request subtype: {other}"),
                Some("unsupported_request"),
            ),
        }
    }

    fn set_mode(&self, mode: &str) -> Answer {
        let mode = if mode == "manual" { "default" } else { mode };
        if !MODES.contains(&mode) {
            let why = format!(
                "Cannot set permission mode: must be one of {}",
                MODES.join(", ")
            );
            return Answer::Error(why, Some("invalid_mode"));
        }
        if mode == "bypassPermissions" && !self.args.may_bypass {
            let why = "Cannot set permission mode to bypassPermissions because the session was not launched with --dangerously-skip-permissions";
            return Answer::Error(why.to_owned(), Some("bypass_not_launched"));
        }
        mode.clone_into(&mut lock(&self.session).mode);
        self.agent.line(&lines::mode_status(&self.header()));
        Answer::Success(Some(json!({"mode": mode})))
    }

    fn header(&self) -> lines::Header {
        let session = lock(&self.session);
        lines::Header {
            session: session.id.clone(),
            users: Vec::new(),
            model: session.model.clone(),
            mode: session.mode.clone(),
        }
    }

    fn interrupt(&self, id: &Value) {
        self.agent.fire(&|trigger| *trigger == Trigger::Interrupt);
        let settings = self.agent.settings();
        let queued: Vec<&String> = self
            .queue
            .iter()
            .filter_map(|line| line.uuid.as_ref())
            .collect();
        let reply = envelope(id, Answer::Success(Some(json!({"still_queued": queued}))));
        let (agent, running) = (Arc::clone(&self.agent), self.running.clone());
        match settings.interrupts {
            InterruptMode::Ignore => {}
            InterruptMode::Normal => carry_out(&agent, running.as_deref(), reply),
            InterruptMode::Twice => {
                agent.reply(reply.clone(), ID);
                carry_out(&agent, running.as_deref(), reply);
            }
            InterruptMode::Late => {
                std::thread::spawn(move || {
                    std::thread::sleep(settings.interrupt_delay);
                    carry_out(&agent, running.as_deref(), reply);
                });
            }
        }
    }
}

/// Where the id is in a reply.
const ID: &str = "/response/request_id";

fn carry_out(agent: &Agent, running: Option<&Control>, reply: Value) {
    for question in running.map(Control::withdraw).unwrap_or_default() {
        agent.line(&json!({"type": "control_cancel_request", "request_id": question}));
    }
    agent.reply(reply, ID);
    if let Some(control) = running {
        control.interrupt();
    }
}

fn envelope(id: &Value, answer: Answer) -> Value {
    let mut response = json!({"subtype": "success", "request_id": id});
    match answer {
        Answer::Success(None) => {}
        Answer::Success(Some(body)) => response["response"] = body,
        Answer::Error(why, code) => {
            response["subtype"] = json!("error");
            response["error"] = json!(why);
            if let Some(code) = code {
                response["error_code"] = json!(code);
            }
        }
    }
    json!({"type": "control_response", "response": response})
}
