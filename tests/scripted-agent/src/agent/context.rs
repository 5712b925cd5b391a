//! What all threads of one agent share: its role, its rules, its streams.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use scripted_agent::{Action, InterruptMode, ReplyMode, Rule, Script, Trigger};
use serde_json::{Value, json};

use crate::args::Role;
use crate::input::Input;
use crate::lock;
use crate::output::Out;
use crate::store::Store;

/// What reaches the main thread.
#[derive(Debug)]
pub(crate) enum Incoming {
    /// A line of stdin without its newline.
    Line(Vec<u8>),
    /// The end of stdin.
    Eof,
    /// SIGINT, for agents that end their turn on it.
    Abort,
    /// A turn is over.
    TurnOver,
    /// A conversation starts a turn by itself.
    FollowUp(String, String),
}

/// What instructions have changed about the behaviour.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings {
    pub(crate) interrupts: InterruptMode,
    pub(crate) interrupt_delay: Duration,
    pub(crate) replies: ReplyMode,
    pub(crate) ignore_eof: bool,
    pub(crate) eof_delay: Duration,
}

pub(crate) struct Agent {
    pub(crate) role: Role,
    pub(crate) arguments: Vec<String>,
    pub(crate) rules: Vec<Rule>,
    pub(crate) store: Store,
    pub(crate) out: Out,
    pub(crate) input: Input,
    pub(crate) settings: Mutex<Settings>,
    /// A reply that waits for the next one, when replies are reordered.
    held: Mutex<Option<Value>>,
    turns: AtomicU64,
    shaken: AtomicBool,
    /// The conversation that was opened last, for lines that are to be about a known one.
    pub(crate) latest: Mutex<String>,
    pub(crate) inbox: SyncSender<Incoming>,
    /// Taken by the main thread.
    pub(crate) incoming: Mutex<Option<Receiver<Incoming>>>,
}

impl Agent {
    pub(crate) fn new(role: Role, arguments: &[String]) -> Result<Arc<Self>, String> {
        let directory = std::env::var_os("SCRIPTED_AGENT_STATE").map(PathBuf::from);
        let store = Store::new(directory).map_err(|why| format!("state directory: {why}"))?;
        let number = store
            .count_start(arguments)
            .map_err(|why| format!("state directory: {why}"))?;
        let mut rules = match std::env::var_os("SCRIPTED_AGENT_SCRIPT") {
            Some(path) => Script::read(&PathBuf::from(path))?,
            None => Vec::new(),
        };
        let shape = role.shape();
        rules.retain(|rule| {
            rule.process.is_none_or(|wanted| wanted == number)
                && rule.shape.is_none_or(|wanted| wanted == shape)
        });
        // Bounded, so that a frozen agent leaves the host's input in the pipe.
        let (inbox, incoming) = sync_channel(64);
        Ok(Arc::new(Self {
            role,
            arguments: arguments.to_vec(),
            rules,
            store,
            out: Out::default(),
            input: Input::new().map_err(|why| format!("pipe: {why}"))?,
            settings: Mutex::new(Settings {
                interrupts: InterruptMode::Normal,
                interrupt_delay: Duration::ZERO,
                replies: ReplyMode::Normal,
                ignore_eof: false,
                eof_delay: Duration::ZERO,
            }),
            held: Mutex::default(),
            turns: AtomicU64::new(0),
            shaken: AtomicBool::new(false),
            latest: Mutex::default(),
            inbox,
            incoming: Mutex::new(Some(incoming)),
        }))
    }

    /// Starts the reader of stdin and gives its lines to the caller.
    pub(crate) fn read_stdin(self: &Arc<Self>) -> impl Iterator<Item = Incoming> + use<> {
        let incoming = lock(&self.incoming).take();
        let agent = Arc::clone(self);
        std::thread::spawn(move || agent.input.run(&agent.inbox));
        incoming.into_iter().flatten()
    }

    /// Counts a turn and gives its number, from 1.
    pub(crate) fn count_turn(&self) -> u64 {
        self.turns.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Says that the handshake is done; only the first call counts.
    pub(crate) fn shake_hands(&self) {
        if !self.shaken.swap(true, Ordering::Relaxed) {
            self.fire(&|trigger| *trigger == Trigger::Handshake);
        }
    }

    /// Writes the end of a turn: a message that instructions may cut short.
    pub(crate) fn end_line(&self, message: &Value) {
        if self.out.end_is_bare() {
            self.block(written(message).as_bytes(), 1);
            std::process::exit(0);
        }
        self.line(message);
    }

    pub(crate) fn settings(&self) -> Settings {
        *lock(&self.settings)
    }

    /// The actions of the rules whose trigger is meant.
    pub(crate) fn triggered(&self, meant: &dyn Fn(&Trigger) -> bool) -> Vec<Action> {
        self.rules
            .iter()
            .filter(|rule| meant(&rule.on))
            .flat_map(|rule| rule.actions.iter().cloned())
            .collect()
    }

    /// Does outside of a turn what the rules say. Gives whether there was any.
    pub(crate) fn fire(&self, meant: &dyn Fn(&Trigger) -> bool) -> bool {
        let actions = self.triggered(meant);
        for action in &actions {
            self.perform(action);
        }
        !actions.is_empty()
    }

    pub(crate) fn start_timers(self: &Arc<Self>) {
        for rule in &self.rules {
            if let Trigger::AfterMs(ms) = rule.on {
                let (agent, actions) = (Arc::clone(self), rule.actions.clone());
                std::thread::spawn(move || {
                    std::thread::sleep(Duration::from_millis(ms));
                    for action in &actions {
                        agent.perform(action);
                    }
                });
            }
        }
    }

    /// Writes one message.
    pub(crate) fn line(&self, message: &Value) {
        self.bytes_line(written(message).into_bytes());
    }

    /// Writes one line of any content.
    pub(crate) fn bytes_line(&self, mut line: Vec<u8>) {
        self.out.end_line(&mut line);
        self.block(&line, 1);
    }

    /// Writes whole lines at once and does what rules want after them.
    pub(crate) fn block(&self, block: &[u8], lines: u64) {
        let written = self.out.write(
            block,
            lines,
            &|from, to| self.next_byte(from, to),
            &|byte| {
                self.fire(&|trigger| *trigger == Trigger::Byte(byte));
            },
        );
        if let Some((from, to)) = written {
            self.fire(&|trigger| matches!(trigger, Trigger::Event(n) if from < *n && *n <= to));
        }
    }

    fn next_byte(&self, from: u64, to: u64) -> Option<u64> {
        let due = self.rules.iter().filter_map(|rule| {
            let Trigger::Byte(byte) = rule.on else {
                return None;
            };
            (from < byte && byte <= to).then_some(byte)
        });
        due.min()
    }

    /// Answers a request of the host, well or badly. `id` points to the id in the reply.
    pub(crate) fn reply(&self, reply: Value, id: &str) {
        match self.settings().replies {
            ReplyMode::Normal | ReplyMode::Refuse => self.line(&reply),
            ReplyMode::Duplicate => {
                self.line(&reply);
                self.line(&reply);
            }
            ReplyMode::Drop => {}
            ReplyMode::Unknown => {
                let mut stray = reply.clone();
                if let Some(id) = stray.pointer_mut(id) {
                    *id = if id.is_number() {
                        json!(987_654_321)
                    } else {
                        json!("nobody-asked")
                    };
                }
                self.line(&stray);
                self.line(&reply);
            }
            ReplyMode::Reorder => {
                let held = lock(&self.held).take();
                match held {
                    Some(earlier) => {
                        self.line(&reply);
                        self.line(&earlier);
                    }
                    None => *lock(&self.held) = Some(reply),
                }
            }
        }
    }

    /// What to do at the end of stdin. Returns when the agent may exit.
    pub(crate) fn at_eof(&self) {
        self.fire(&|trigger| *trigger == Trigger::Eof);
        let settings = self.settings();
        if settings.ignore_eof {
            std::thread::sleep(crate::faults::LONGEST);
        }
        std::thread::sleep(settings.eof_delay);
    }
}

/// A message as the real agents write it: what tells its kind comes first.
fn written(message: &Value) -> String {
    const FIRST: [&str; 3] = ["type", "subtype", "is_error"];
    let Some(members) = message.as_object() else {
        return message.to_string();
    };
    let first = FIRST.iter().filter_map(|name| members.get_key_value(*name));
    let rest = members
        .iter()
        .filter(|(name, _)| !FIRST.contains(&name.as_str()));
    let members: Vec<_> = first
        .chain(rest)
        .map(|(name, value)| format!("{}:{value}", Value::from(name.as_str())))
        .collect();
    format!("{{{}}}", members.join(","))
}
