//! What is used up: tokens of turns, the context's size, the account's limits.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::server::AppServer;
use super::usage::TokenUsage;
use super::wire::{Place, read};
use crate::event::{Body, RawJson};
use crate::provider::Output;

impl AppServer {
    pub(super) fn tokens(
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
        let (used, turn, parent) = match thread.children.get_mut(thread_id) {
            Some(child) => {
                let parent = Some(child.parent.clone());
                (child.meter.update(&usage), child.turn, parent)
            }
            None => (thread.meter.update(&usage), thread.turn_of(turn_id), None),
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
            scope.show(Body::Usage { usage, parent }, out);
        }
        if !route.child {
            thread.context = (usage.last.total, usage.model_context_window);
            let context = Body::ContextUsage {
                used_tokens: usage.last.total,
                window_tokens: usage.model_context_window,
            };
            scope.show(context, out);
        }
        Some(())
    }

    /// The limits of the account, to every conversation at work that has not seen them.
    pub(super) fn rate_limits(
        &mut self,
        params: Option<&RawValue>,
        out: &mut Output,
    ) -> Option<()> {
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
                for body in &bodies {
                    scope.show(body.clone(), out);
                }
            }
        }
        Some(())
    }
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
