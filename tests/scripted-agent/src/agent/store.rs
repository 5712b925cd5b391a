//! What outlives a process: conversations, the count of starts, the list of children.
//!
//! One append-only file per conversation, one JSON string per prompt; beside it, for agents that
//! show their past again, one JSON value per thing that was shown. Without a
//! state directory nothing is kept and no conversation can be resumed.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::sync::Mutex;

use scripted_agent::{ChildRecord, RequestRecord, StartRecord};
use serde::Serialize;
use serde_json::Value;

use crate::ids;
use crate::lock;

/// The state directory, or its absence.
pub(crate) struct Store {
    directory: Option<PathBuf>,
    /// Conversations of this process that are not on disk.
    volatile: Mutex<HashMap<String, Vec<String>>>,
    /// What they have shown.
    volatile_past: Mutex<HashMap<String, Vec<Value>>>,
    /// Files that are locked while a conversation is open for writing.
    writers: Mutex<HashMap<String, File>>,
}

impl Store {
    pub(crate) fn new(directory: Option<PathBuf>) -> io::Result<Self> {
        if let Some(directory) = &directory {
            std::fs::create_dir_all(directory)?;
        }
        Ok(Self {
            directory,
            volatile: Mutex::default(),
            volatile_past: Mutex::default(),
            writers: Mutex::default(),
        })
    }

    /// Counts this start and gives its number, from 1.
    pub(crate) fn count_start(&self, arguments: &[String]) -> io::Result<u64> {
        let Some(directory) = &self.directory else {
            return Ok(1);
        };
        let mut counter = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(directory.join("starts"))?;
        counter.lock()?;
        let mut text = String::new();
        counter.read_to_string(&mut text)?;
        let number = text.trim().parse().unwrap_or(0) + 1;
        counter.seek(SeekFrom::Start(0))?;
        write!(counter, "{number}")?;
        self.append(
            "starts.jsonl",
            &StartRecord {
                number,
                pid: std::process::id(),
                arguments: arguments.to_vec(),
            },
        )?;
        Ok(number)
    }

    /// Writes down a child, for the test to find.
    pub(crate) fn record_child(&self, pid: u32, kind: &str) {
        let record = ChildRecord {
            pid,
            kind: kind.to_owned(),
        };
        if let Err(why) = self.append("children.jsonl", &record) {
            crate::complain(&format!("children.jsonl: {why}"));
        }
    }

    /// Writes down a request of the host, for the test to find.
    pub(crate) fn record_request(&self, method: &str, params: &Value) {
        let record = RequestRecord {
            pid: std::process::id(),
            method: method.to_owned(),
            params: params.clone(),
        };
        if let Err(why) = self.append("requests.jsonl", &record) {
            crate::complain(&format!("requests.jsonl: {why}"));
        }
    }

    fn append<T: Serialize>(&self, name: &str, record: &T) -> io::Result<()> {
        let Some(directory) = &self.directory else {
            return Ok(());
        };
        let mut line = serde_json::to_vec(record)?;
        line.push(b'\n');
        let mut file = OpenOptions::new()
            .append(true)
            .create(true)
            .open(directory.join(name))?;
        file.write_all(&line)
    }

    /// The file of a conversation. Anything but a UUID could name another file.
    fn path(&self, agent: &str, id: &str) -> Option<PathBuf> {
        let directory = self.directory.as_ref()?;
        ids::is_uuid(id).then(|| directory.join(format!("{agent}-{id}.jsonl")))
    }

    /// Whether a conversation has had a turn.
    pub(crate) fn knows(&self, agent: &str, id: &str) -> bool {
        self.path(agent, id).is_some_and(|path| path.exists())
            || lock(&self.volatile).contains_key(id)
    }

    /// All prompts of a conversation so far.
    pub(crate) fn prompts(&self, agent: &str, id: &str) -> Vec<String> {
        let on_disk = self
            .path(agent, id)
            .and_then(|path| std::fs::read_to_string(path).ok());
        match on_disk {
            Some(text) => text
                .lines()
                .filter_map(|line| serde_json::from_str(line).ok())
                .collect(),
            None => lock(&self.volatile).get(id).cloned().unwrap_or_default(),
        }
    }

    /// Adds a prompt; the first one makes the conversation known.
    pub(crate) fn remember(&self, agent: &str, id: &str, prompt: &str, durable: bool) {
        let durable = durable && self.path(agent, id).is_some();
        if !durable {
            lock(&self.volatile)
                .entry(id.to_owned())
                .or_default()
                .push(prompt.to_owned());
        } else if let Err(why) = self.append(&format!("{agent}-{id}.jsonl"), &prompt) {
            crate::complain(&format!("conversation {id}: {why}"));
        }
    }

    /// Keeps something that a conversation has shown.
    pub(crate) fn keep(&self, agent: &str, id: &str, shown: &Value) {
        if self.path(agent, id).is_none() {
            lock(&self.volatile_past)
                .entry(id.to_owned())
                .or_default()
                .push(shown.clone());
        } else if let Err(why) = self.append(&past(agent, id), shown) {
            crate::complain(&format!("conversation {id}: {why}"));
        }
    }

    /// All that a conversation has shown, in order.
    pub(crate) fn kept(&self, agent: &str, id: &str) -> Vec<Value> {
        let on_disk = self
            .path(agent, id)
            .and_then(|path| std::fs::read_to_string(path.with_file_name(past(agent, id))).ok());
        match on_disk {
            Some(text) => text
                .lines()
                .filter_map(|line| serde_json::from_str(line).ok())
                .collect(),
            None => lock(&self.volatile_past)
                .get(id)
                .cloned()
                .unwrap_or_default(),
        }
    }

    /// The ids of all conversations that have shown something, in order.
    pub(crate) fn all(&self, agent: &str) -> Vec<String> {
        let (prefix, suffix) = (format!("{agent}-"), ".past.jsonl");
        let entries = self.directory.as_ref().map(std::fs::read_dir);
        let mut ids: Vec<String> = entries
            .into_iter()
            .flatten()
            .flatten()
            .flatten()
            .filter_map(|entry| {
                let name = entry.file_name().to_string_lossy().into_owned();
                let id = name.strip_prefix(&prefix)?.strip_suffix(suffix)?;
                Some(id.to_owned())
            })
            .chain(lock(&self.volatile_past).keys().cloned())
            .collect();
        ids.sort();
        ids
    }

    /// Copies a conversation under a new id.
    pub(crate) fn fork(&self, agent: &str, from: &str, to: &str) {
        for shown in self.kept(agent, from) {
            self.keep(agent, to, &shown);
        }
        for prompt in self.prompts(agent, from) {
            self.remember(agent, to, &prompt, true);
        }
    }

    /// Lets other processes claim a conversation.
    pub(crate) fn release(&self, id: &str) {
        lock(&self.writers).remove(id);
    }

    /// Claims a known conversation for this process alone until it exits or lets go of it.
    /// False if another process holds it.
    pub(crate) fn claim(&self, agent: &str, id: &str) -> bool {
        let Some(path) = self.path(agent, id) else {
            return true;
        };
        let mut writers = lock(&self.writers);
        if writers.contains_key(id) {
            return true;
        }
        let Ok(file) = File::open(path) else {
            return true;
        };
        let free = file.try_lock().is_ok();
        if free {
            writers.insert(id.to_owned(), file);
        }
        free
    }
}

/// The name of the file of what a conversation has shown.
fn past(agent: &str, id: &str) -> String {
    format!("{agent}-{id}.past.jsonl")
}
