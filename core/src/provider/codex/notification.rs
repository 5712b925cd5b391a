//! What each notification of the app-server means.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::failure::{TurnError, one_line};
use super::item::{Item, Tool, read_item};
use super::ledger::{Ledger, Scope, tool_use};
use super::server::{AppServer, Route};
use super::thread::Child;
use super::turn::WireTurn;
use super::usage::{Meter, TokenUsage};
use super::wire::{Delta, DeltaKind, Place, Text, read};
use crate::event::{Body, PlanEntry, PlanStatus, RawJson, WarningCode};
use crate::provider::{Conversation, Output, TurnRef};

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
    "thread/closed",
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

/// A stage of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Started,
    Completed,
}

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
                return self.say_status(place, "reviewing_approval", "", out);
            }
            "item/autoApprovalReview/completed" => {
                let status = params["review"]["status"].as_str().unwrap_or_default();
                return self.say_status(place, "approval_reviewed", status, out);
            }
            "hook/started" | "hook/completed" => {
                let event = params["run"]["eventName"].as_str().unwrap_or_default();
                return self.say_status(place, "hook", event, out);
            }
            "model/verification" | "model/safetyBuffering/updated" => {
                return self.say_status(place, "verifying", "", out);
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

    /// A delta whose line begins in another order than usual.
    fn late_delta(
        &mut self,
        kind: DeltaKind,
        params: Option<&RawValue>,
        out: &mut Output,
    ) -> Option<()> {
        let delta: Delta<'_> = read(params)?;
        self.delta(kind, &delta, out);
        Some(())
    }

    fn turn_started(
        &mut self,
        place: &Place<'_>,
        params: Option<&RawValue>,
        out: &mut Output,
    ) -> Option<()> {
        let turn = read::<Turn<'_>>(params)?.turn;
        let thread_id = place.thread_id.as_deref()?;
        self.adopt(thread_id, &turn);
        let Some((thread, route)) = self.at(thread_id, out) else {
            return Some(());
        };
        if !route.child {
            let (threads, calls) = (&mut self.threads, &mut self.calls);
            if let Some(thread) = threads.get_mut(&thread) {
                thread.started(&turn, calls, out);
                thread.count_background(out);
            }
        } else if let Some(thread) = self.threads.get_mut(&thread) {
            if let Some(child) = thread.children.get_mut(thread_id) {
                child.active = true;
            }
            thread.count_background(out);
        }
        Some(())
    }

    /// A thread that nobody opened begins a turn for a turn of ours: a sub-agent whose parent has
    /// not named it yet. Until it does, the thread's id stands for the tool call.
    fn adopt(&mut self, thread_id: &str, turn: &WireTurn<'_>) {
        if self.routes.contains_key(thread_id) {
            return;
        }
        let Some(root) = turn.root_turn_id.as_deref() else {
            return;
        };
        let parent = self
            .threads
            .values_mut()
            .find(|t| t.running.as_ref().is_some_and(|r| r.is(root)));
        let Some(parent) = parent else { return };
        let child = new_child(thread_id, parent.current(), false);
        parent.children.insert(thread_id.into(), child);
        let conversation = parent.conversation;
        self.routes.insert(
            thread_id.into(),
            Route {
                conversation,
                child: true,
            },
        );
    }

    fn turn_completed(
        &mut self,
        place: &Place<'_>,
        params: Option<&RawValue>,
        out: &mut Output,
    ) -> Option<()> {
        let turn = read::<Turn<'_>>(params)?.turn;
        let thread_id = place.thread_id.as_deref()?;
        let Some((conversation, route)) = self.at(thread_id, out) else {
            return Some(());
        };
        let thread = self.threads.get_mut(&conversation)?;
        if route.child {
            let failed = turn.outcome() != crate::provider::Outcome::Completed;
            thread.child_over(thread_id, failed, out);
        } else if let Some(running) = thread.completing(&turn.id) {
            self.questions.turn_over(conversation, running.turn, out);
            thread.finish(running, &turn, &mut self.calls, out);
        }
        Some(())
    }

    fn item(
        &mut self,
        stage: Stage,
        place: &Place<'_>,
        params: Option<&RawValue>,
        line: &str,
        out: &mut Output,
    ) -> Option<()> {
        #[derive(Deserialize)]
        struct Params<'a> {
            #[serde(borrow)]
            item: &'a RawValue,
        }
        let raw = read::<Params<'_>>(params)?.item;
        let (id, item) = read_item(raw)?;
        let thread_id = place.thread_id.as_deref()?;
        let turn_id = place.turn_id.as_deref()?;
        let Some((conversation, route)) = self.at(thread_id, out) else {
            return Some(());
        };
        self.cut_deltas();
        let thread = self.threads.get_mut(&conversation)?;
        if route.child {
            let child = thread.children.get_mut(thread_id)?;
            child_item(conversation, child, stage, &id, item, line, out);
            return Some(());
        }
        if let (
            Item::Status {
                state: "reviewing", ..
            },
            None,
        ) = (&item, &thread.running)
        {
            thread.begin(turn_id, out); // A review says this before it says that it has started.
        }
        let turn = thread
            .ledger
            .turn_of(&id)
            .unwrap_or_else(|| thread.turn_of(turn_id));
        let scope = thread.scope(turn);
        match (stage, item) {
            (_, Item::Unknown) => show_unknown(scope, line, out),
            (
                _,
                Item::SubAgent {
                    activity,
                    thread: child,
                    tool,
                },
            ) => {
                self.sub_agent(scope, &id, &activity, &child, *tool, out);
                return Some(());
            }
            (Stage::Started, item) => thread.ledger.started(scope, &id, item, out),
            (Stage::Completed, item) => {
                let said = thread.ledger.completed(scope, &id, item, out);
                if let (Some(said), Some(running)) = (said, &mut thread.running)
                    && running.turn == turn
                {
                    running.said(said);
                }
                thread.count_background(out);
            }
        }
        thread.resend_interrupt(&mut self.calls, out);
        Some(())
    }

    /// The parent tells of a sub-agent. Each word comes twice, as a start and as an end.
    fn sub_agent(
        &mut self,
        scope: Scope<'_>,
        id: &str,
        activity: &str,
        child_id: &str,
        tool: Tool,
        out: &mut Output,
    ) {
        let Some(thread) = self.threads.get_mut(&scope.conversation) else {
            return;
        };
        match activity {
            "started" => {
                let known = thread
                    .children
                    .get(child_id)
                    .is_some_and(|c| *c.parent == *id);
                if known {
                    return;
                }
                scope.show(tool_use(&scope, id, &tool), out);
                let child = thread.children.entry(child_id.into());
                let child = child.or_insert_with(|| new_child(id, scope.turn, true));
                child.parent = id.into();
                child.open = true;
                let conversation = scope.conversation;
                self.routes.insert(
                    child_id.into(),
                    Route {
                        conversation,
                        child: true,
                    },
                );
            }
            "interacted" => {
                if let Some(child) = thread.children.get_mut(child_id) {
                    child.turn = scope.turn;
                }
            }
            "interrupted" => thread.child_over(child_id, true, out),
            _ => thread.child_over(child_id, false, out),
        }
    }

    fn reasoning_part(&mut self, params: Option<&RawValue>, out: &mut Output) -> Option<()> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Part<'a> {
            #[serde(borrow)]
            thread_id: Text<'a>,
            #[serde(borrow)]
            turn_id: Text<'a>,
            #[serde(borrow)]
            item_id: Text<'a>,
            #[serde(default)]
            summary_index: u64,
        }
        let part: Part<'_> = read(params)?;
        if part.summary_index > 0 {
            let delta = Delta {
                thread_id: part.thread_id,
                turn_id: part.turn_id,
                item_id: part.item_id,
                delta: Text("\n\n".into()),
            };
            self.delta(DeltaKind::Reasoning, &delta, out);
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

    fn tokens(
        &mut self,
        place: &Place<'_>,
        params: Option<&RawValue>,
        out: &mut Output,
    ) -> Option<()> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Params {
            token_usage: TokenUsage,
        }
        let usage = read::<Params>(params)?.token_usage;
        let thread_id = place.thread_id.as_deref()?;
        let turn_id = place.turn_id.as_deref().unwrap_or_default();
        let Some((conversation, route)) = self.at(thread_id, out) else {
            return Some(());
        };
        let thread = self.threads.get_mut(&conversation)?;
        let (used, turn) = match thread.children.get_mut(thread_id) {
            Some(child) => (child.meter.update(&usage), child.turn),
            None => (thread.meter.update(&usage), thread.turn_of(turn_id)),
        };
        let scope = thread.scope(turn);
        if let (Some(used), Some(running)) = (used, &mut thread.running)
            && running.turn == turn
        {
            let usage = if route.child {
                running.used_by_child(used)
            } else {
                running.used(used)
            };
            scope.show(Body::Usage { usage }, out);
        }
        if !route.child {
            let context = Body::ContextUsage {
                used_tokens: usage.last.total_tokens,
                window_tokens: usage.model_context_window,
            };
            scope.show(context, out);
        }
        Some(())
    }

    /// The limits of the account, to every conversation at work that has not seen them.
    fn rate_limits(&mut self, params: Option<&RawValue>, out: &mut Output) -> Option<()> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Params<'a> {
            #[serde(borrow)]
            rate_limits: &'a RawValue,
        }
        let raw = read::<Params<'_>>(params)?.rate_limits;
        let limits: Value = serde_json::from_str(raw.get()).ok()?;
        let bodies = limit_bodies(&limits, raw);
        if bodies.is_empty() {
            return Some(());
        }
        for thread in self.threads.values_mut().filter(|t| t.running.is_some()) {
            if thread.limits != raw.get() {
                raw.get().clone_into(&mut thread.limits);
                let scope = thread.scope(thread.current());
                bodies.iter().for_each(|body| scope.show(body.clone(), out));
            }
        }
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
            self.say_status(place, "system_error", "", out)?;
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
            return self.say_status(place, "retrying", &message, out);
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
        )
    }

    fn say_status(
        &mut self,
        place: &Place<'_>,
        state: &str,
        message: &str,
        out: &mut Output,
    ) -> Option<()> {
        let state = state.to_owned();
        let message = one_line(message);
        self.show_at(place, Body::Status { state, message }, out);
        Some(())
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
    fn at(&mut self, thread_id: &str, out: &mut Output) -> Option<(Conversation, Route)> {
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

/// The member of `turn/started` and `turn/completed`.
#[derive(Deserialize)]
struct Turn<'a> {
    #[serde(borrow)]
    turn: WireTurn<'a>,
}

fn new_child(parent: &str, turn: TurnRef, open: bool) -> Child {
    Child {
        parent: parent.into(),
        turn,
        ledger: Ledger::default(),
        meter: Meter::from_zero(),
        open,
        active: false,
        said: String::new(),
    }
}

/// An item of a sub-agent.
fn child_item(
    conversation: Conversation,
    child: &mut Child,
    stage: Stage,
    id: &str,
    item: Item,
    line: &str,
    out: &mut Output,
) {
    let scope = Scope {
        conversation,
        turn: child.turn,
        parent: Some(&child.parent),
    };
    match (stage, item) {
        (_, Item::Unknown) => show_unknown(scope, line, out),
        (Stage::Started, item) => child.ledger.started(scope, id, item, out),
        (Stage::Completed, item) => {
            if let Some(said) = child.ledger.completed(scope, id, item, out) {
                child.said = said.text;
            }
        }
    }
}

fn show_unknown(scope: Scope<'_>, line: &str, out: &mut Output) {
    let raw = RawJson::from_text(line);
    scope.show(Body::Unknown { raw }, out);
}

/// One event for each window that has a state.
fn limit_bodies(limits: &Value, raw: &RawValue) -> Vec<Body> {
    let reached = limits["rateLimitReachedType"].as_str();
    let windows = ["primary", "secondary"];
    let known = windows.iter().filter(|name| limits[**name].is_object());
    let mut bodies: Vec<_> = known
        .map(|name| Body::RateLimit {
            limit: Some((*name).to_owned()),
            status: reached.map(str::to_owned),
            used_percent: limits[*name]["usedPercent"].as_f64(),
            resets_at: limits[*name]["resetsAt"].as_i64(),
            raw: RawJson::from(raw.to_owned()),
        })
        .collect();
    if let (true, Some(reached)) = (bodies.is_empty(), reached) {
        bodies.push(Body::RateLimit {
            limit: limits["limitId"].as_str().map(str::to_owned),
            status: Some(reached.to_owned()),
            used_percent: None,
            resets_at: None,
            raw: RawJson::from(raw.to_owned()),
        });
    }
    bodies
}
