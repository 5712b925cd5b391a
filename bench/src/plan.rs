//! Which comparisons there are, and who takes part.

use std::collections::BTreeMap;

use model_api::{ModelApi, real_agents};

use crate::host::{Host, Task};
use crate::setup::{Made, Setup};

/// A comparison in the making.
pub(crate) struct Plan {
    pub name: &'static str,
    pub title: &'static str,
    /// What its main number is counted per.
    pub units: f64,
    pub rounds: usize,
    pub players: Vec<Player>,
    /// Kept while the real agents need it.
    pub model: Option<ModelApi>,
}

/// One host in it, and what it is to do.
pub(crate) struct Player {
    pub label: &'static str,
    pub host: Made,
    pub task: Task,
}

/// The names of all, in order.
pub(crate) const NAMES: [&str; 13] = [
    "a",
    "b",
    "c-warm",
    "c-each",
    "d-100",
    "d-500",
    "e-1",
    "e-10",
    "e-64",
    "f-claude-warm",
    "f-claude-each",
    "f-codex-warm",
    "f-codex-each",
];

const DELTAS: u32 = 200_000;

impl Plan {
    /// The comparison of that name.
    ///
    /// # Errors
    ///
    /// There is none, or what it needs cannot be had.
    pub(crate) fn of(name: &str, setup: &Setup) -> Result<Self, String> {
        Ok(match name {
            "a" => Self::deltas(setup),
            "b" => Self::latency(setup),
            "c-warm" => Self::turns(setup),
            "c-each" => Self::processes(setup),
            "d-100" => Self::many(setup, "d-100", "100 sessions, 200 events/s each", 100),
            "d-500" => Self::many(setup, "d-500", "500 sessions, 200 events/s each", 500),
            "e-1" => Self::large(setup, "e-1", "one message of 1 MB", 1),
            "e-10" => Self::large(setup, "e-10", "one message of 10 MB", 10),
            "e-64" => Self::large(setup, "e-64", "one message of 64 MB", 64),
            "f-claude-warm" | "f-claude-each" | "f-codex-warm" | "f-codex-each" => {
                Self::real(setup, name)?
            }
            other => return Err(format!("{other:?} is none of {}", NAMES.join(", "))),
        })
    }

    fn of_all(name: &'static str, title: &'static str, units: f64, rounds: usize) -> Self {
        Self {
            name,
            title,
            units,
            rounds,
            players: Vec::new(),
            model: None,
        }
    }

    fn add(&mut self, label: &'static str, host: Made, task: &Task) {
        self.players.push(Player {
            label,
            host,
            task: task.clone(),
        });
    }

    /// What it takes at least: to read a pipe, to read what no tool can forge a line in, and to hand it to another thread.
    fn add_limits(&mut self, setup: &Setup, task: &Task) {
        self.add("limit", setup.limit("pipe"), task);
        self.add("limit, socket", setup.limit("socket"), task);
        self.add("limit, socket and thread", setup.limit("thread"), task);
    }

    /// Remuda in every language.
    fn add_remuda(&mut self, setup: &Setup, task: &Task) {
        self.add("Remuda, Rust", setup.rust(), task);
        self.add("Remuda, C push", setup.c("Remuda, C push", "push"), task);
        self.add("Remuda, C pull", setup.c("Remuda, C pull", "pull"), task);
        self.add("Remuda, Python", setup.remuda_python(), task);
        self.add("Remuda, Node", setup.remuda_node(), task);
    }

    /// The libraries of others, each with the protocol that it speaks.
    fn add_peers(&mut self, setup: &Setup, task: &Task) {
        let codex = with(task, "codex");
        let acp = with(task, "acp");
        let add = &mut |label, host, task: &Task| self.add(label, host, task);
        add(
            "claude-codes",
            setup.peer("claude-codes", "claude_codes", &[]),
            task,
        );
        add(
            "codex-codes",
            setup.peer("codex-codes", "codex_codes", &[]),
            &codex,
        );
        let name = "agent-client-protocol, Rust";
        add(name, setup.peer(name, "acp", &[]), &acp);
        let name = "claude-agent-sdk, Python";
        add(name, setup.python(name, "claude_sdk.py"), task);
        let name = "agent-client-protocol, Python";
        add(name, setup.python(name, "acp_client.py"), &acp);
        let name = "claude-agent-sdk, Node";
        add(name, setup.node(name, "claude-sdk.mjs"), task);
        let name = "agentclientprotocol/sdk, Node";
        add(name, setup.node(name, "acp.mjs"), &acp);
    }

    fn add_parsers(&mut self, setup: &Setup, task: &Task) {
        let parse = |name, how| setup.peer(name, "parse", &[how]);
        self.add(
            "serde_json, typed",
            parse("serde_json, typed", "serde"),
            task,
        );
        self.add(
            "serde_json, borrowing",
            parse("serde_json, borrowing", "borrow"),
            task,
        );
        self.add("sonic-rs, typed", parse("sonic-rs, typed", "sonic"), task);
    }

    fn deltas(setup: &Setup) -> Self {
        let task = scripted(setup, 1, 1, format!("[[flood {DELTAS}]]"));
        let mut plan = Self::of_all("a", "one turn of 200,000 text deltas", f64::from(DELTAS), 7);
        plan.add("limit", setup.limit("pipe"), &task);
        plan.add_parsers(setup, &task);
        plan.add_remuda(setup, &task);
        let name = "Remuda, Rust, Codex";
        plan.add(name, setup.rust(), &with(&task, "codex"));
        plan.add("Remuda, Rust, ACP", setup.rust(), &with(&task, "acp"));
        plan.add_peers(setup, &task);
        plan
    }

    fn latency(setup: &Setup) -> Self {
        let prompt = "[[paced 1000 per second 2000 stamped]]".to_owned();
        let task = scripted(setup, 1, 1, prompt);
        let mut plan = Self::of_all("b", "latency added at 1,000 events/s", 2000.0, 7);
        plan.add_limits(setup, &task);
        plan.add_remuda(setup, &task);
        plan.add_peers(setup, &task);
        plan
    }

    fn turns(setup: &Setup) -> Self {
        let task = scripted(setup, 1, 2000, "[[words 5]]".to_owned());
        let mut plan = Self::of_all(
            "c-warm",
            "2,000 turns of 5 deltas on one warm session",
            2000.0,
            7,
        );
        plan.add_limits(setup, &task);
        plan.add_remuda(setup, &task);
        plan.add_peers(setup, &task);
        plan
    }

    fn processes(setup: &Setup) -> Self {
        let mut task = scripted(setup, 1, 100, "[[words 5]]".to_owned());
        task.warm = false;
        let mut plan = Self::of_all(
            "c-each",
            "100 turns of 5 deltas, one process per turn",
            100.0,
            7,
        );
        plan.add("limit", setup.limit("pipe"), &task);
        plan.add_remuda(setup, &task);
        plan.add_peers(setup, &task);
        let name = "codex-sdk, Node";
        plan.add(
            name,
            setup.node(name, "codex-sdk.mjs"),
            &with(&task, "codex"),
        );
        plan
    }

    fn many(setup: &Setup, name: &'static str, title: &'static str, sessions: u32) -> Self {
        let prompt = "[[paced 200 per second 2000 stamped]]".to_owned();
        let task = scripted(setup, sessions, 1, prompt);
        let mut plan = Self::of_all(name, title, f64::from(sessions) * 2000.0, 3);
        plan.add("limit", setup.limit("pipe"), &task);
        plan.add_remuda(setup, &task);
        plan
    }

    fn large(setup: &Setup, name: &'static str, title: &'static str, megabytes: u32) -> Self {
        let prompt = format!("[[bytes {}]]", megabytes * 1_000_000);
        let task = scripted(setup, 1, 1, prompt);
        let mut plan = Self::of_all(name, title, f64::from(megabytes), 7);
        plan.add("limit", setup.limit("pipe"), &task);
        plan.add_remuda(setup, &task);
        plan
    }

    /// The real agents with a model on loopback that answers at once.
    fn real(setup: &Setup, name: &str) -> Result<Self, String> {
        let model = ModelApi::start().map_err(|why| why.to_string())?;
        let home = setup.results().join("../../target/bench/home");
        std::fs::create_dir_all(&home).map_err(|why| why.to_string())?;
        let warm = name.ends_with("warm");
        let codex = name.contains("codex");
        let (agent, env) = if codex {
            let env = real_agents::codex_env(&home, &model).map_err(|why| why.to_string())?;
            (real_agents::codex().map_err(|why| why.to_string())?, env)
        } else {
            (
                real_agents::claude().map_err(|why| why.to_string())?,
                real_agents::claude_env(&home, &model),
            )
        };
        let task = Task {
            warm,
            provider: if codex { "codex" } else { "claude" },
            agent,
            sessions: 1,
            turns: if warm { 60 } else { 4 },
            prompt: "MODEL:[\"say one two three\"]".to_owned(),
            env: env.into_iter().collect::<BTreeMap<_, _>>(),
        };
        let (name, title) = match (codex, warm) {
            (false, true) => ("f-claude-warm", "the real Claude Code, a warm turn"),
            (false, false) => (
                "f-claude-each",
                "the real Claude Code, one process per turn",
            ),
            (true, true) => ("f-codex-warm", "the real Codex, a warm turn"),
            (true, false) => ("f-codex-each", "the real Codex, one process per turn"),
        };
        let mut plan = Self::of_all(name, title, f64::from(task.turns), 7);
        plan.model = Some(model);
        plan.add("limit", setup.limit("pipe"), &task);
        plan.add("Remuda, Rust", setup.rust(), &task);
        if codex {
            if !warm {
                let name = "codex-sdk, Node";
                plan.add(name, setup.node(name, "codex-sdk.mjs"), &task);
            }
        } else {
            let name = "claude-agent-sdk, Python";
            plan.add(name, setup.python(name, "claude_sdk.py"), &task);
            let name = "claude-agent-sdk, Node";
            plan.add(name, setup.node(name, "claude-sdk.mjs"), &task);
        }
        Ok(plan)
    }
}

/// A warm task for the agent that plays.
fn scripted(setup: &Setup, sessions: u32, turns: u32, prompt: String) -> Task {
    Task {
        warm: true,
        provider: "claude",
        agent: setup.agent(),
        sessions,
        turns,
        prompt,
        env: BTreeMap::new(),
    }
}

/// The same task in another protocol.
fn with(task: &Task, provider: &'static str) -> Task {
    let mut task = Task {
        provider,
        ..task.clone()
    };
    task.env
        .insert("SCRIPTED_AGENT_PROTOCOL".to_owned(), provider.to_owned());
    task
}

impl Player {
    /// The host, if it could be made.
    pub(crate) fn host(&self) -> Result<&Host, String> {
        self.host.as_ref().map_err(Clone::clone)
    }
}
