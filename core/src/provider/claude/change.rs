//! Settings that change while the process runs: one request of the agent after the other, and an end
//! at the first that it refuses.

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
use crate::provider::{Output, SignalBody, TurnRef};
use crate::settings::Change;

/// Changes under way.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// What is left of the one at the agent.
    current: Option<VecDeque<Step>>,
    waiting: VecDeque<Arc<Change>>,
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
                self.changed(None, out);
            }
            let Some(change) = self.changes.waiting.pop_front() else {
                return;
            };
            match self.steps(&change) {
                Ok(steps) => self.changes.current = Some(steps),
                Err(why) => self.changed(Some(why), out),
            }
        }
    }

    /// What is to be done, with that first which the agent may refuse.
    fn steps(&self, change: &Change) -> Result<VecDeque<Step>, String> {
        let mut steps = VecDeque::new();
        if let Some(mode) = change.permission_mode {
            let mode = mode_word(mode).filter(|_| !self.restricted);
            let why = "a read-only session begins, and ends, with its process";
            steps.push_back(Step::PermissionMode(mode.ok_or(why)?));
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
            self.check_servers(servers)?;
            steps.push_back(Step::McpServers(servers.clone()));
        }
        Ok(steps)
    }

    /// The agent keeps the servers it was started with, and goes on with what it knows of a server
    /// whose settings change: only adding, and taking away what was added, can be relied on.
    fn check_servers(&self, wanted: &BTreeMap<String, McpServer>) -> Result<(), String> {
        let mut launched = self.servers.launched.iter();
        let fixed = launched.all(|(name, server)| wanted.get(name) == Some(server));
        let mut added = self.servers.added.iter();
        let same = added.all(|(name, server)| wanted.get(name).is_none_or(|now| now == server));
        let free = self.tools.is_empty() || !wanted.contains_key(SERVER);
        if fixed && same && free {
            Ok(())
        } else {
            Err("these servers need a new process".to_owned())
        }
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
        if refusal.is_some() {
            self.changes.current = None;
            self.changed(refusal, out);
        } else {
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
        let changes = std::mem::take(&mut self.changes);
        let current = changes.current.iter().len();
        for _ in 0..current + changes.waiting.len() {
            self.changed(Some("the agent ended first".to_owned()), out);
        }
    }

    fn changed(&self, refused: Option<String>, out: &mut Output) {
        self.say(TurnRef::None, SignalBody::Changed { refused }, out);
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
