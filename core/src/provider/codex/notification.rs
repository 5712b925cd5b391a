//! What each notification of the app-server means.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::failure::{TurnError, one_line};
use super::ledger::Scope;
use super::lifecycle::Stage;
use super::server::{AppServer, Route};
use super::wire::{DeltaKind, Place, Text, read};
use crate::event::{Body, PlanEntry, PlanStatus, RawJson, WarningCode};
use crate::provider::{Conversation, Output};

/// What is not wanted: the server is asked not to send it, and what it sends all the same is
/// ignored. The reasons are in `docs/providers/codex.md`.
pub(super) const NOT_WANTED: &[&str] = &[
    "account/login/completed",
    "account/updated",
    "app/list/updated",
    "command/exec/outputDelta",
    "fs/changed",
    "item/fileChange/outputDelta",
    "item/fileChange/patchUpdated",
    "item/mcpToolCall/progress",
    "item/plan/delta",
    "process/exited",
    "process/outputDelta",
    "project/changed",
    "remoteControl/status/changed",
    "skills/changed",
    "thread/archived",
    "thread/deleted",
    "thread/goal/cleared",
    "thread/goal/updated",
    "thread/name/updated",
    "thread/queue/changed",
    "thread/readState/changed",
    "thread/reverted",
    "thread/settings/updated",
    "thread/started",
    "thread/unarchived",
    "turn/diff/updated",
    "turn/moderationMetadata",
];

impl AppServer {
    /// Takes a notification. What cannot be read is shown raw.
    pub(super) fn notification(
        &mut self,
        method: &str,
        params: Option<&RawValue>,
        line: &str,
        out: &mut Output,
    ) {
        if NOT_WANTED.contains(&method) {
            return;
        }
        let place: Place<'_> = read(params).unwrap_or_default();
        let understood = if let Some(kind) = DeltaKind::of(method) {
            self.late_delta(kind, params, out)
        } else {
            match method {
                "turn/started" => self.turn_started(&place, params, out),
                "turn/completed" => self.turn_completed(&place, params, out),
                "item/started" => self.item(Stage::Started, &place, params, line, out),
                "item/completed" => self.item(Stage::Completed, &place, params, line, out),
                "item/reasoning/summaryPartAdded" => self.reasoning_part(params, out),
                "item/commandExecution/terminalInteraction" => {
                    self.status(&place, params, "typing", "stdin", out)
                }
                "turn/plan/updated" => self.plan(&place, params, out),
                "thread/tokenUsage/updated" => self.tokens(&place, params, out),
                "account/rateLimits/updated" => self.rate_limits(params, out),
                "thread/status/changed" => self.thread_status(&place, params, out),
                "thread/closed" => {
                    let thread = place.thread_id.as_deref();
                    thread.map(|thread| self.closed(thread, out))
                }
                "serverRequest/resolved" => self.resolved(params, out),
                "error" => self.error(&place, params, out),
                _ => self.spoken(method, &place, params, out),
            }
        };
        if understood.is_none() {
            self.unknown(place.thread_id.as_deref(), line, out);
        }
    }

    /// Notifications that are only words for people.
    fn spoken(
        &mut self,
        method: &str,
        place: &Place<'_>,
        params: Option<&RawValue>,
        out: &mut Output,
    ) -> Option<()> {
        let params: Value = serde_json::from_str(params?.get()).ok()?;
        let text = |name: &str| params[name].as_str().unwrap_or_default().to_owned();
        let message = match method {
            "warning" | "guardianWarning" => text("message"),
            "configWarning" | "deprecationNotice" => match params["details"].as_str() {
                Some(details) => format!("{}: {details}", text("summary")),
                None => text("summary"),
            },
            "model/rerouted" => {
                let (from, to) = (text("fromModel"), text("toModel"));
                self.rerouted(place, &to);
                format!("the model is {to} instead of {from}: {}", text("reason"))
            }
            "mcpServer/startupStatus/updated" if params["status"] == "failed" => {
                format!("MCP server {}: {}", text("name"), text("error"))
            }
            "mcpServer/startupStatus/updated" => return Some(()),
            "item/autoApprovalReview/started" => {
                self.say_status(place, "reviewing_approval", "", out);
                return Some(());
            }
            "item/autoApprovalReview/completed" => {
                let status = params["review"]["status"].as_str().unwrap_or_default();
                self.say_status(place, "approval_reviewed", status, out);
                return Some(());
            }
            "hook/started" | "hook/completed" => {
                let event = params["run"]["eventName"].as_str().unwrap_or_default();
                self.say_status(place, "hook", event, out);
                return Some(());
            }
            "model/verification" | "model/safetyBuffering/updated" => {
                self.say_status(place, "verifying", "", out);
                return Some(());
            }
            _ => return None,
        };
        let message = one_line(&message);
        let body = Body::Warning {
            code: WarningCode::Agent,
            message,
        };
        match place.thread_id.as_deref() {
            Some(_) => self.show_at(place, body, out),
            None => self.announce(body, out),
        }
        Some(())
    }

    fn plan(
        &mut self,
        place: &Place<'_>,
        params: Option<&RawValue>,
        out: &mut Output,
    ) -> Option<()> {
        #[derive(Deserialize)]
        struct Step {
            step: String,
            status: String,
        }
        #[derive(Deserialize)]
        struct Plan {
            #[serde(default)]
            explanation: Option<String>,
            plan: Vec<Step>,
        }
        let plan: Plan = read(params)?;
        let entries = plan.plan.into_iter().map(|step| PlanEntry {
            text: step.step,
            status: match step.status.as_str() {
                "completed" => PlanStatus::Completed,
                "inProgress" => PlanStatus::InProgress,
                _ => PlanStatus::Pending,
            },
        });
        let entries = entries.collect();
        let explanation = plan.explanation;
        self.show_at(
            place,
            Body::Plan {
                entries,
                explanation,
            },
            out,
        );
        Some(())
    }

    fn thread_status(
        &mut self,
        place: &Place<'_>,
        params: Option<&RawValue>,
        out: &mut Output,
    ) -> Option<()> {
        #[derive(Deserialize)]
        struct Status<'a> {
            #[serde(borrow, rename = "type")]
            kind: Text<'a>,
        }
        #[derive(Deserialize)]
        struct Params<'a> {
            #[serde(borrow)]
            status: Status<'a>,
        }
        let status = read::<Params<'_>>(params)?.status;
        if &*status.kind == "systemError" {
            self.say_status(place, "system_error", "", out);
        }
        Some(())
    }

    fn resolved(&mut self, params: Option<&RawValue>, out: &mut Output) -> Option<()> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Params<'a> {
            #[serde(borrow)]
            request_id: &'a RawValue,
        }
        self.questions
            .resolved(read::<Params<'_>>(params)?.request_id, out);
        Some(())
    }

    /// A try failed. Of the last one the end of the turn tells.
    fn error(
        &mut self,
        place: &Place<'_>,
        params: Option<&RawValue>,
        out: &mut Output,
    ) -> Option<()> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Params {
            error: TurnError,
            #[serde(default)]
            will_retry: bool,
        }
        let params: Params = read(params)?;
        if params.will_retry {
            let mut message = params.error.message;
            if let Some(details) = params.error.additional_details {
                message = format!("{message}: {details}");
            }
            self.say_status(place, "retrying", &message, out);
        }
        Some(())
    }

    fn rerouted(&mut self, place: &Place<'_>, to: &str) {
        let route = place
            .thread_id
            .as_deref()
            .and_then(|id| self.routes.get(id));
        let Some(route) = route.filter(|r| !r.child) else {
            return;
        };
        let thread = self.threads.get_mut(&route.conversation);
        if let Some(running) = thread.and_then(|t| t.running.as_mut()) {
            running.model = Some(to.to_owned());
        }
    }

    fn status(
        &mut self,
        place: &Place<'_>,
        params: Option<&RawValue>,
        state: &str,
        member: &str,
        out: &mut Output,
    ) -> Option<()> {
        let params: Value = serde_json::from_str(params?.get()).ok()?;
        self.say_status(
            place,
            state,
            params[member].as_str().unwrap_or_default(),
            out,
        );
        Some(())
    }

    fn say_status(&mut self, place: &Place<'_>, state: &str, message: &str, out: &mut Output) {
        let state = state.to_owned();
        let message = one_line(message);
        self.show_at(place, Body::Status { state, message }, out);
    }

    /// Shows something of a thread, in its turn.
    fn show_at(&mut self, place: &Place<'_>, body: Body, out: &mut Output) {
        let thread_id = place.thread_id.as_deref().unwrap_or_default();
        let Some((conversation, _)) = self.at(thread_id, out) else {
            return;
        };
        let Some(thread) = self.threads.get(&conversation) else {
            return;
        };
        let turn = match (thread.children.get(thread_id), place.turn_id.as_deref()) {
            (Some(child), _) => child.turn,
            (None, Some(id)) => thread.turn_of(id),
            (None, None) => thread.current(),
        };
        out.show(conversation, turn, body);
    }

    /// Whose thread it is; says once that there is one that is nobody's.
    pub(super) fn at(
        &mut self,
        thread_id: &str,
        out: &mut Output,
    ) -> Option<(Conversation, Route)> {
        if let Some(route) = self.routes.get(thread_id) {
            return Some((route.conversation, *route));
        }
        self.stranger(thread_id, out);
        None
    }

    /// Shows what is not understood, to whom it may concern.
    pub(super) fn unknown(&mut self, thread: Option<&str>, line: &str, out: &mut Output) {
        let route = thread.and_then(|id| self.routes.get(id));
        match route.and_then(|r| self.threads.get(&r.conversation)) {
            Some(thread) => show_unknown(thread.scope(thread.current()), line, out),
            None if thread.is_none() => {
                let raw = RawJson::from_text(line);
                self.announce(Body::Unknown { raw }, out);
            }
            None => {}
        }
    }
}

pub(super) fn show_unknown(scope: Scope<'_>, line: &str, out: &mut Output) {
    let raw = RawJson::from_text(line);
    scope.show(Body::Unknown { raw }, out);
}
