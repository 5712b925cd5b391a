//! Settings that change while the process runs: one request of the agent after the other, and an end
//! at the first that it refuses. What it can only be started with is known here and not asked.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use serde::Serialize;

use crate::config::{McpServer, PermissionMode};
use crate::event::WarningCode;
use crate::host_tools::SERVER;
use crate::provider::claude::codec::ClaudeCodec;
use crate::provider::claude::control::Purpose;
use crate::provider::claude::launch::Server;
use crate::provider::claude::wire::{ControlAnswer, ServersSet, parse};
use crate::provider::{ChangeOutcome, Output, SignalBody, TurnRef};
use crate::settings::Change;

/// Changes under way.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// What is left of the one at the agent.
    current: Option<VecDeque<Step>>,
    /// The agent has taken a step of it.
    halfway: bool,
    waiting: VecDeque<Arc<Change>>,
    /// The process was started so that everything can be permitted.
    may_bypass: bool,
}

impl Changes {
    pub(super) fn new(may_bypass: bool) -> Self {
        Self {
            may_bypass,
            ..Self::default()
        }
    }
}

/// MCP servers of the session that the agent has.
#[derive(Debug, Default)]
pub(super) struct Servers {
    /// From the command line.
    pub launched: BTreeMap<String, McpServer>,
    /// Since.
    pub added: BTreeMap<String, McpServer>,
}

#[derive(Debug)]
enum Step {
    PermissionMode(&'static str),
    Model(String),
    Effort(String),
    ThinkingBudget(u32),
    McpServers(BTreeMap<String, McpServer>),
}

#[derive(Serialize)]
struct SetMode {
    mode: &'static str,
}

#[derive(Serialize)]
struct SetModel<'a> {
    model: &'a str,
}

#[derive(Serialize)]
struct SetBudget {
    max_thinking_tokens: u32,
}

#[derive(Serialize)]
struct Settings<'a> {
    settings: Flags<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Flags<'a> {
    effort_level: &'a str,
}

#[derive(Serialize)]
struct SetServers<'a> {
    servers: BTreeMap<&'a str, Server<'a>>,
}

impl ClaudeCodec {
    pub(super) fn change(&mut self, change: Arc<Change>, out: &mut Output) {
        self.changes.waiting.push_back(change);
        if self.changes.current.is_none() {
            self.next_step(out);
        }
    }

    /// Goes on, unless something is at the agent.
    fn next_step(&mut self, out: &mut Output) {
        loop {
            if let Some(steps) = &mut self.changes.current {
                if let Some(step) = steps.pop_front() {
                    return self.ask_step(step, out);
                }
                self.changes.current = None;
                self.changed(ChangeOutcome::Live, out);
            }
            let Some(change) = self.changes.waiting.pop_front() else {
                return;
            };
            match self.steps(&change) {
                Some(steps) => {
                    self.changes.current = Some(steps);
                    self.changes.halfway = false;
                }
                None => self.changed(ChangeOutcome::NeedsProcess, out),
            }
        }
    }

    /// What is to be done, with that first which the agent may refuse. `None`: it takes this only
    /// when it starts.
    fn steps(&self, change: &Change) -> Option<VecDeque<Step>> {
        let mut steps = VecDeque::new();
        if let Some(mode) = change.permission_mode {
            // A read-only session begins, and ends, with its process.
            let word = mode_word(mode).filter(|_| !self.restricted)?;
            if mode == PermissionMode::BypassPermissions && !self.changes.may_bypass {
                return None;
            }
            steps.push_back(Step::PermissionMode(word));
        }
        let texts = [
            (&change.model, Step::Model as fn(_) -> _),
            (&change.effort, Step::Effort),
        ];
        for (text, step) in texts {
            steps.extend(text.clone().map(step));
        }
        steps.extend(change.thinking_budget.map(Step::ThinkingBudget));
        if let Some(servers) = &change.mcp_servers {
            if !self.takes_servers(servers) {
                return None;
            }
            steps.push_back(Step::McpServers(servers.clone()));
        }
        Some(steps)
    }

    /// The agent keeps the servers it was started with, and goes on with what it knows of a server
    /// whose settings change: only adding, and taking away what was added, can be relied on.
    fn takes_servers(&self, wanted: &BTreeMap<String, McpServer>) -> bool {
        let mut launched = self.servers.launched.iter();
        let fixed = launched.all(|(name, server)| wanted.get(name) == Some(server));
        let mut added = self.servers.added.iter();
        let same = added.all(|(name, server)| wanted.get(name).is_none_or(|now| now == server));
        let free = self.tools.is_empty() || !wanted.contains_key(SERVER);
        fixed && same && free
    }

    fn ask_step(&mut self, step: Step, out: &mut Output) {
        let done = Purpose::Change;
        match step {
            Step::PermissionMode(mode) => {
                self.ask_agent("set_permission_mode", SetMode { mode }, done, out);
            }
            Step::Model(model) => {
                self.ask_agent("set_model", SetModel { model: &model }, done, out);
            }
            Step::Effort(level) => {
                let settings = Flags {
                    effort_level: &level,
                };
                self.ask_agent("apply_flag_settings", Settings { settings }, done, out);
            }
            Step::ThinkingBudget(max_thinking_tokens) => {
                let budget = SetBudget {
                    max_thinking_tokens,
                };
                self.ask_agent("set_max_thinking_tokens", budget, done, out);
            }
            Step::McpServers(wanted) => self.set_servers(wanted, out),
        }
    }

    fn set_servers(&mut self, mut wanted: BTreeMap<String, McpServer>, out: &mut Output) {
        wanted.retain(|name, _| !self.servers.launched.contains_key(name));
        let named = wanted
            .iter()
            .map(|(name, server)| (name.as_str(), server.into()));
        let mut servers: BTreeMap<&str, Server<'_>> = named.collect();
        // What is not named is taken away: the host's own tools as well.
        if !self.tools.is_empty() {
            let name = SERVER;
            servers.insert(name, Server::Sdk { name });
        }
        self.ask_agent(
            "mcp_set_servers",
            SetServers { servers },
            Purpose::Change,
            out,
        );
        self.servers.added = wanted;
    }

    pub(super) fn step_answered(
        &mut self,
        answer: &ControlAnswer<'_>,
        refusal: Option<String>,
        out: &mut Output,
    ) {
        if let Some(message) = refusal {
            self.changes.current = None;
            let halfway = self.changes.halfway;
            self.changed(ChangeOutcome::Refused { message, halfway }, out);
        } else {
            self.changes.halfway = true;
            let set = answer
                .response
                .and_then(|raw| parse::<ServersSet<'_>>(raw.get()));
            for (name, why) in set.and_then(|set| set.errors).unwrap_or_default() {
                let message = format!("MCP server {}: {}", &*name, &*why);
                self.warn(self.turns.running(), WarningCode::Agent, &message, out);
            }
        }
        self.next_step(out);
    }

    /// Nothing is heard any more.
    pub(super) fn drop_changes(&mut self, out: &mut Output) {
        let may_bypass = self.changes.may_bypass;
        let changes = std::mem::replace(&mut self.changes, Changes::new(may_bypass));
        let current = changes.current.iter().len();
        for _ in 0..current + changes.waiting.len() {
            self.changed(ChangeOutcome::NeedsProcess, out);
        }
    }

    fn changed(&self, outcome: ChangeOutcome, out: &mut Output) {
        self.say(TurnRef::None, SignalBody::Changed(outcome), out);
    }
}

/// The agent's word for a mode that can be changed to.
const fn mode_word(mode: PermissionMode) -> Option<&'static str> {
    match mode {
        PermissionMode::Default => Some("default"),
        PermissionMode::Plan => Some("plan"),
        PermissionMode::AcceptEdits => Some("acceptEdits"),
        PermissionMode::BypassPermissions => Some("bypassPermissions"),
        PermissionMode::ReadOnly => None,
    }
}
