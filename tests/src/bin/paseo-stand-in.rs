//! A stand-in for Paseo's program and its daemon, which is not installed here. It takes the commands and flags of
//! `docs/providers/paseo.md`, refuses all others, and answers in their forms.
//!
//! `PASEO_HOME` names a folder. While the file `daemon` is in it, a daemon runs; `agents` holds what that one knows,
//! and so outlives every process here. `calls` has a line for each command.
//!
//! An agent does what its message says:
//!
//! | words | what it does |
//! |---|---|
//! | `[[recall]]` | says all messages that it ever got |
//! | `[[hang]]` | works until it is stopped |
//! | `[[deaf]]` | works on when it is stopped, until it gets another message |
//! | `[[slow-run]]` | keeps `paseo run` from answering until the file `go` is there, then works until it is stopped |
//! | `[[ask]]` | asks for a permission, and says whether it got it |
//! | `[[fail]]` | fails |
//! | `[[silent]]` | says nothing |
//! | others | says them |

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use serde_json::{Value, json};

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let home = PathBuf::from(std::env::var_os("PASEO_HOME").expect("PASEO_HOME"));
    let list = home.join("calls");
    let calls = fs::OpenOptions::new().create(true).append(true).open(list);
    let mut calls = calls.expect("the list of calls");
    let line = format!("{}\n", Value::from(words.clone()));
    calls.write_all(line.as_bytes()).expect("it is kept");
    match Call::read(words).and_then(|call| answer(&Daemon { home }, &call)) {
        Ok(said) => {
            print(&mut std::io::stdout(), &said);
            ExitCode::SUCCESS
        }
        Err(said) => {
            print(&mut std::io::stderr(), &said);
            ExitCode::FAILURE
        }
    }
}

/// A program whose reader is gone has nobody to tell.
fn print(to: &mut impl Write, said: &str) {
    if !said.is_empty() {
        let _ = writeln!(to, "{said}");
    }
}

/// A command as it was given.
struct Call {
    name: String,
    quiet: bool,
    words: Vec<String>,
    flags: Vec<(String, String)>,
}

/// The commands, their flags with a value and those without.
const COMMANDS: [(&str, &[&str], &[&str]); 6] = [
    (
        "run",
        &[
            "--title",
            "--provider",
            "--model",
            "--thinking",
            "--mode",
            "--worktree",
            "--base",
            "--image",
            "--cwd",
            "--label",
            "--wait-timeout",
            "--output-schema",
            "--host",
        ],
        &["--detach", "--json"],
    ),
    (
        "send",
        &["--prompt", "--prompt-file", "--image", "--host"],
        &["--no-wait", "--json"],
    ),
    ("wait", &["--timeout", "--host"], &["--json"]),
    (
        "logs",
        &["--tail", "--filter", "--since", "--host"],
        &["--follow"],
    ),
    ("stop", &["--cwd", "--host"], &["--all", "--json"]),
    (
        "permit",
        &["--message", "--host"],
        &["--all", "--interrupt", "--json"],
    ),
];

impl Call {
    /// Reads the arguments as Paseo's parser does: whatever it does not know, it refuses.
    fn read(words: Vec<String>) -> Result<Self, String> {
        let mut words = words.into_iter();
        let mut name = words.next().unwrap_or_default();
        let quiet = name == "--quiet";
        if quiet {
            name = words.next().unwrap_or_default();
        }
        let known = COMMANDS.iter().find(|command| command.0 == name);
        let (_, valued, bare) = known.ok_or(format!("error: unknown command '{name}'"))?;
        let mut call = Self {
            name,
            quiet,
            words: Vec::new(),
            flags: Vec::new(),
        };
        while let Some(word) = words.next() {
            if word == "--" {
                call.words.extend(words);
                return Ok(call);
            }
            let (flag, value) = match word.split_once('=') {
                Some((flag, value)) if flag.starts_with("--") => (flag, Some(value.to_owned())),
                Some(_) | None => (word.as_str(), None),
            };
            if !word.starts_with('-') {
                call.words.push(word);
            } else if valued.contains(&flag) {
                let missing = || format!("error: option '{flag}' argument missing");
                let value = value.or_else(|| words.next()).ok_or_else(missing)?;
                call.flags.push((flag.to_owned(), value));
            } else if bare.contains(&flag) && value.is_none() {
                call.flags.push((flag.to_owned(), String::new()));
            } else {
                return Err(format!("error: unknown option '{flag}'"));
            }
        }
        Ok(call)
    }

    fn flag(&self, name: &str) -> Option<&str> {
        let found = self.flags.iter().rfind(|(flag, _)| flag == name);
        found.map(|(_, value)| value.as_str())
    }

    fn word(&self, place: usize) -> &str {
        self.words.get(place).map_or("", String::as_str)
    }

    /// The result, in the form that was asked for.
    fn told(&self, result: &Value) -> String {
        if self.quiet {
            return result["agentId"].as_str().expect("an id").to_owned();
        }
        assert!(self.flag("--json").is_some(), "only JSON is played");
        format!("{result:#}")
    }
}

fn answer(daemon: &Daemon, call: &Call) -> Result<String, String> {
    let given = call.flag("--host").map(str::to_owned);
    let host = given.or_else(|| std::env::var("PASEO_HOST").ok());
    if call.name == "run" && call.flag("--provider").is_none() {
        return Err(failure("MISSING_PROVIDER", "Provider is required"));
    }
    if !daemon.home.join("daemon").exists() || host.as_deref() == Some("localhost:1") {
        let host = host.as_deref().unwrap_or("localhost:6767");
        let why = format!("Cannot connect to daemon at {host}: connect ECONNREFUSED");
        let plain = format!("Error: {why}\nStart the daemon with: paseo daemon start");
        let told = || failure("DAEMON_NOT_RUNNING", &why);
        return Err(if call.name == "logs" { plain } else { told() });
    }
    match call.name.as_str() {
        "run" => daemon.run(call),
        "send" => daemon.send(call),
        "wait" => Ok(call.told(&daemon.wait(call.word(0)))),
        "logs" => daemon.logs(call),
        "stop" => daemon.stop(call),
        _ => daemon.deny(call),
    }
}

/// What a command writes to stderr that fails.
fn failure(code: &str, message: &str) -> String {
    let error = json!({"code": code, "message": message});
    format!("{:#}", json!({"error": error}))
}

/// What the daemon knows, in files.
struct Daemon {
    home: PathBuf,
}

impl Daemon {
    fn file(&self, agent: &str) -> PathBuf {
        self.home.join("agents").join(agent)
    }

    fn load(&self, agent: &str) -> Option<Value> {
        let text = fs::read(self.file(agent)).ok()?;
        Some(serde_json::from_slice(&text).expect("an agent"))
    }

    /// Whole or not at all: others read it meanwhile.
    fn save(&self, agent: &Value) {
        let file = self.file(agent["id"].as_str().expect("an id"));
        let new = self.home.join(format!("new-{}", std::process::id()));
        fs::write(&new, agent.to_string()).expect("it is written");
        fs::rename(new, file).expect("it is kept");
    }

    fn run(&self, call: &Call) -> Result<String, String> {
        assert!(call.flag("--detach").is_some(), "only that is played");
        let agents = self.home.join("agents");
        fs::create_dir_all(&agents).expect("a folder");
        let number = fs::read_dir(agents).expect("the folder").count();
        let mut agent = json!({
            "id": format!("0a0b0c0d-0000-4000-8000-{number:012}"),
            "provider": call.flag("--provider"),
            "cwd": call.flag("--cwd"),
            "thinking": call.flag("--thinking"),
            "mode": call.flag("--mode"),
            "timeline": [],
        });
        let message = call.word(0);
        if message.trim().is_empty() {
            return Err(failure("MISSING_PROMPT", "A prompt is required"));
        }
        self.begin(&mut agent, message);
        if message.contains("[[slow-run]]") {
            wait_for(&self.home.join("go"));
        }
        Ok(call.told(&json!({
            "agentId": agent["id"],
            "status": "running",
            "provider": agent["provider"],
            "cwd": agent["cwd"],
            "title": null,
        })))
    }

    fn send(&self, call: &Call) -> Result<String, String> {
        assert!(call.flag("--no-wait").is_some(), "only that is played");
        let mut message = String::new();
        let file = call
            .flag("--prompt-file")
            .expect("the message is in a file");
        // Opened by its name, as Paseo does: that works for a pipe, and not for a socket.
        let read = fs::File::open(file).and_then(|mut file| file.read_to_string(&mut message));
        read.map_err(|error| failure("PROMPT_FILE_READ_ERROR", &error.to_string()))?;
        let id = call.word(0);
        let mut agent = self.load(id).ok_or_else(|| {
            let why = format!("Failed to send message: Agent not found: {id}");
            failure("SEND_FAILED", &why)
        })?;
        self.begin(&mut agent, &message);
        Ok(call.told(&json!({"agentId": id, "status": "sent", "message": ""})))
    }

    /// The agent gets a message, and does what it says.
    fn begin(&self, agent: &mut Value, message: &str) {
        let timeline = agent["timeline"].as_array_mut().expect("a timeline");
        timeline.push(json!({"type": "user_message", "text": message}));
        let has = |word: &str| message.contains(word);
        let said = if has("[[recall]]") {
            let messages = timeline.iter().filter(|i| i["type"] == "user_message");
            let texts: Vec<_> = messages.filter_map(|i| i["text"].as_str()).collect();
            texts.join("\n")
        } else {
            message.to_owned()
        };
        let status = if ["[[hang]]", "[[deaf]]", "[[slow-run]]"]
            .into_iter()
            .any(has)
        {
            "running"
        } else if has("[[ask]]") {
            "permission"
        } else if has("[[fail]]") {
            "error"
        } else {
            if !has("[[silent]]") {
                timeline.push(json!({"type": "assistant_message", "text": said}));
            }
            "idle"
        };
        agent["status"] = status.into();
        agent["deaf"] = has("[[deaf]]").into();
        self.save(agent);
    }

    fn wait(&self, id: &str) -> Value {
        loop {
            let Some(agent) = self.load(id) else {
                let message = format!("Agent not found: {id}");
                return json!({"agentId": id, "status": "error", "message": message});
            };
            let message = match agent["status"].as_str() {
                Some("running") => {
                    std::thread::sleep(Duration::from_millis(2));
                    continue;
                }
                Some("permission") => "Agent is waiting for permission: tool",
                Some("error") => "the model is not there",
                _ => "Agent is idle.\nLast 5 activity items:\n}\nend",
            };
            return json!({"agentId": id, "status": agent["status"], "message": message});
        }
    }

    fn logs(&self, call: &Call) -> Result<String, String> {
        let id = call.word(0);
        let agent = self.load(id);
        let agent = agent.ok_or_else(|| format!("Error: No agent found matching: {id}"))?;
        assert_eq!(
            call.flag("--filter"),
            Some("message"),
            "only that is played"
        );
        assert_eq!(call.flag("--tail"), Some("1"), "only that is played");
        let last = agent["timeline"].as_array().expect("a timeline").last();
        let last = last.expect("there was a message");
        let text = last["text"].as_str().expect("text").trim();
        let of_user = last["type"] == "user_message";
        Ok(if of_user {
            format!("[User] {text}")
        } else {
            text.to_owned()
        })
    }

    fn stop(&self, call: &Call) -> Result<String, String> {
        let id = call.word(0);
        let missing = || failure("AGENT_NOT_FOUND", &format!("No agent found matching: {id}"));
        let mut agent = self.load(id).ok_or_else(missing)?;
        let stopped = agent["status"] == "running";
        if stopped && agent["deaf"] == false {
            agent["status"] = "idle".into();
            self.save(&agent);
        }
        let ids = if stopped { vec![id] } else { Vec::new() };
        Ok(call.told(&json!({"stoppedCount": ids.len(), "agentIds": ids})))
    }

    fn deny(&self, call: &Call) -> Result<String, String> {
        assert_eq!(call.word(0), "deny", "only that is played");
        let id = call.word(1);
        let missing = || failure("AGENT_NOT_FOUND", &format!("Agent not found: {id}"));
        let mut agent = self.load(id).ok_or_else(missing)?;
        agent["status"] = "idle".into();
        let timeline = agent["timeline"].as_array_mut().expect("a timeline");
        timeline.push(json!({"type": "assistant_message", "text": "it was denied"}));
        self.save(&agent);
        Ok(call.told(&json!([{"agentId": id, "name": "tool", "result": "denied"}])))
    }
}

fn wait_for(file: &Path) {
    while !file.exists() {
        std::thread::sleep(Duration::from_millis(2));
    }
}
