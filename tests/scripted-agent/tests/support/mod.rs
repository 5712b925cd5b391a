//! Runs the agent over pipes. Everything waits on a pipe or on an exit, and no longer than `LIMIT`.

#![expect(dead_code, reason = "each test file uses a part")]

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::rc::Rc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

/// How long an agent may run: one that a test waits for in vain is killed, so that the wait ends.
const LIMIT: Duration = Duration::from_mins(5);

pub(crate) const WARM: &[&str] = &[
    "-p",
    "--input-format",
    "stream-json",
    "--output-format",
    "stream-json",
    "--verbose",
    "--include-partial-messages",
    "--replay-user-messages",
    "--permission-prompt-tool",
    "stdio",
];

/// How an agent is to be started.
pub(crate) struct Setup {
    pub(crate) state: Rc<TempDir>,
    environment: Vec<(&'static str, PathBuf)>,
}

impl Setup {
    pub(crate) fn new() -> Self {
        Self {
            state: Rc::new(TempDir::new().unwrap()),
            environment: Vec::new(),
        }
    }

    pub(crate) fn script(script: &scripted_agent::Script) -> Self {
        let mut setup = Self::new();
        let path = script.write(setup.state.path()).unwrap();
        setup.environment.push(("SCRIPTED_AGENT_SCRIPT", path));
        setup
    }

    pub(crate) fn capture(name: &str) -> Self {
        let mut setup = Self::new();
        let path = capture_path(name);
        setup.environment.push(("SCRIPTED_AGENT_CAPTURE", path));
        setup
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_scripted-agent"));
        command
            .args(arguments)
            .env("SCRIPTED_AGENT_STATE", self.state.path())
            .envs(self.environment.iter().cloned())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    pub(crate) fn start(&self, arguments: &[&str]) -> Run {
        self.run(self.command(arguments))
    }

    fn run(&self, mut command: Command) -> Run {
        let mut child = command.spawn().unwrap();
        Run {
            stdin: child.stdin.take(),
            stdout: BufReader::new(child.stdout.take().unwrap()),
            _watch: watch(child.id()),
            child,
            _state: Rc::clone(&self.state),
        }
    }

    pub(crate) fn claude(&self) -> Run {
        self.start(WARM)
    }

    /// Says what an ACP agent can do: the words of `SCRIPTED_AGENT_ACP`.
    pub(crate) fn with_features(mut self, words: &str) -> Self {
        self.environment
            .push(("SCRIPTED_AGENT_ACP", PathBuf::from(words)));
        self
    }

    /// Starts an ACP agent and opens a session in it.
    pub(crate) fn acp(&self) -> (Run, String) {
        let mut run = self.acp_hello();
        let session = run.acp_session(2);
        (run, session)
    }

    /// Starts an ACP agent and greets it.
    pub(crate) fn acp_hello(&self) -> Run {
        let mut run = self.start(&["--acp"]);
        run.call(
            1,
            "initialize",
            &json!({"protocolVersion": 1, "clientCapabilities": {}}),
        );
        run
    }

    /// Starts a command that prints one turn of an ACP agent, with a prompt on stdin.
    pub(crate) fn acp_print(&self, arguments: &[&str], prompt: &str, permission: &str) -> Run {
        let mut command = self.command(arguments);
        command
            .env("SCRIPTED_AGENT_PROTOCOL", "acp")
            .env("OPENCODE_PERMISSION", permission);
        let mut run = self.run(command);
        // An agent that refuses its arguments is gone before it reads.
        let _ = write!(run.stdin.as_mut().unwrap(), "{prompt}");
        run.close();
        run
    }

    /// Starts an app-server and opens a thread in it.
    pub(crate) fn codex(&self) -> (Run, String) {
        let mut run = self.start(&["app-server"]);
        run.codex_hello();
        let thread = run.codex_thread(&json!({}));
        (run, thread)
    }
}

pub(crate) fn capture_path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("captures")
        .join(name)
}

/// A running agent. It is killed when the test is over.
pub(crate) struct Run {
    pub(crate) child: Child,
    pub(crate) stdin: Option<ChildStdin>,
    pub(crate) stdout: BufReader<ChildStdout>,
    _watch: Sender<()>,
    _state: Rc<TempDir>,
}

/// Kills the process when its time is up, unless what is given is dropped before.
fn watch(pid: u32) -> Sender<()> {
    let (running, over) = channel();
    std::thread::spawn(move || {
        if over.recv_timeout(LIMIT) == Err(RecvTimeoutError::Timeout) {
            let _ = Command::new("kill").args(["-9", &pid.to_string()]).status();
        }
    });
    running
}

impl Drop for Run {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Run {
    pub(crate) fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).unwrap()
    }

    pub(crate) fn send(&mut self, message: &Value) {
        writeln!(self.stdin.as_mut().unwrap(), "{message}").unwrap();
    }

    pub(crate) fn prompt(&mut self, text: &str) {
        self.send(&json!({"type": "user", "message": {"role": "user", "content": text}}));
    }

    pub(crate) fn close(&mut self) {
        self.stdin = None;
    }

    pub(crate) fn raw_line(&mut self) -> Vec<u8> {
        let mut line = Vec::new();
        self.stdout.read_until(b'\n', &mut line).unwrap();
        line
    }

    pub(crate) fn next(&mut self) -> Value {
        let line = self.raw_line();
        serde_json::from_slice(&line)
            .unwrap_or_else(|why| panic!("{why}: {:?}", String::from_utf8_lossy(&line)))
    }

    /// Reads until a line that is meant; gives all lines, that one last.
    pub(crate) fn until(&mut self, meant: impl Fn(&Value) -> bool) -> Vec<Value> {
        let mut lines = Vec::new();
        loop {
            let line = self.next();
            let last = meant(&line);
            lines.push(line);
            if last {
                return lines;
            }
        }
    }

    /// Says a prompt and gives the lines of its turn.
    pub(crate) fn turn(&mut self, text: &str) -> Vec<Value> {
        self.prompt(text);
        self.until(is_result)
    }

    pub(crate) fn control(&mut self, request: &Value) -> Value {
        self.send(&json!({"type": "control_request", "request_id": "r1", "request": request}));
        let lines = self.until(|line| line["type"] == "control_response");
        lines.last().unwrap()["response"].clone()
    }

    /// All lines up to the end.
    pub(crate) fn rest(&mut self) -> Vec<Value> {
        let mut text = String::new();
        self.stdout.read_to_string(&mut text).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// Closes stdin and gives what is left of stdout, stderr and the exit.
    pub(crate) fn finish(mut self) -> (Vec<u8>, String, ExitStatus) {
        self.close();
        let mut rest = Vec::new();
        self.stdout.read_to_end(&mut rest).unwrap();
        let mut errors = String::new();
        self.child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut errors)
            .unwrap();
        let status = self.child.wait().unwrap();
        (rest, errors, status)
    }

    pub(crate) fn code(self) -> Option<i32> {
        self.finish().2.code()
    }

    pub(crate) fn signal(self) -> Option<i32> {
        self.finish().2.signal()
    }

    pub(crate) fn codex_hello(&mut self) {
        self.call(
            1,
            "initialize",
            &json!({"clientInfo": {"name": "test", "title": null, "version": "1"}}),
        );
        self.send(&json!({"method": "initialized"}));
    }

    pub(crate) fn codex_thread(&mut self, params: &Value) -> String {
        let opened = self.call(2, "thread/start", params);
        opened["result"]["thread"]["id"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// Sends a request and reads up to its reply.
    pub(crate) fn call(&mut self, id: u64, method: &str, params: &Value) -> Value {
        self.send(&json!({"id": id, "method": method, "params": params}));
        let lines = self.until(|line| line["id"] == id && line.get("method").is_none());
        lines.last().unwrap().clone()
    }

    /// Sends a request and reads up to its reply and to a line that is meant, whichever comes last.
    /// Gives the reply, and all other lines.
    pub(crate) fn call_until(
        &mut self,
        (id, method): (u64, &str),
        params: &Value,
        meant: impl Fn(&Value) -> bool,
    ) -> (Value, Vec<Value>) {
        self.send(&json!({"id": id, "method": method, "params": params}));
        let is_reply = |line: &Value| line["id"] == id && line.get("method").is_none();
        let (mut reply, mut seen) = (None, false);
        let mut others = Vec::new();
        loop {
            let line = self.next();
            if is_reply(&line) {
                reply = Some(line);
            } else {
                seen |= meant(&line);
                others.push(line);
            }
            if let Some(reply) = reply.take_if(|_| seen) {
                return (reply, others);
            }
        }
    }

    pub(crate) fn codex_start(&mut self, id: u64, thread: &str, text: &str) -> String {
        let input = json!([{"type": "text", "text": text}]);
        let reply = self.call(
            id,
            "turn/start",
            &json!({"threadId": thread, "input": input}),
        );
        reply["result"]["turn"]["id"]
            .as_str()
            .unwrap_or_else(|| panic!("{reply}"))
            .to_owned()
    }

    pub(crate) fn acp_session(&mut self, id: u64) -> String {
        let opened = self.call(
            id,
            "session/new",
            &json!({"cwd": "/project", "mcpServers": []}),
        );
        self.until(|line| line["params"]["update"]["sessionUpdate"] == "available_commands_update");
        opened["result"]["sessionId"]
            .as_str()
            .unwrap_or_else(|| panic!("{opened}"))
            .to_owned()
    }

    pub(crate) fn acp_prompt(&mut self, id: u64, session: &str, text: &str) {
        let prompt = json!([{"type": "text", "text": text}]);
        self.send(
            &json!({"jsonrpc": "2.0", "id": id, "method": "session/prompt",
            "params": {"sessionId": session, "prompt": prompt}}),
        );
    }

    /// Says a prompt and gives the lines of its turn, the response last.
    pub(crate) fn acp_turn(&mut self, id: u64, session: &str, text: &str) -> Vec<Value> {
        self.acp_prompt(id, session, text);
        self.acp_end(id)
    }

    pub(crate) fn acp_end(&mut self, id: u64) -> Vec<Value> {
        self.until(|line| line["id"] == id && line.get("method").is_none())
    }

    pub(crate) fn codex_turn(&mut self, id: u64, thread: &str, text: &str) -> Vec<Value> {
        self.codex_start(id, thread, text);
        self.until(|line| line["method"] == "turn/completed")
    }
}

pub(crate) fn is_result(line: &Value) -> bool {
    line["type"] == "result"
}

/// The text of the last result or of the last finished message.
pub(crate) fn answer(lines: &[Value]) -> String {
    let claude = lines.iter().rev().find_map(|line| line["result"].as_str());
    let codex = || {
        let items = lines.iter().rev().map(|line| &line["params"]["item"]);
        let mut texts = items
            .filter(|item| item["type"] == "agentMessage")
            .map(|item| item["text"].as_str().unwrap());
        texts.next().unwrap_or_default()
    };
    claude.unwrap_or_else(codex).to_owned()
}

/// The texts of all deltas of either protocol, put together.
pub(crate) fn deltas(lines: &[Value]) -> String {
    let text = |line: &Value| {
        line.pointer("/event/delta/text")
            .or_else(|| line.pointer("/params/delta"))
            .or_else(|| acp_text(line))
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    lines.iter().map(text).collect()
}

/// The text of a chunk that an ACP agent says.
fn acp_text(line: &Value) -> Option<&Value> {
    let update = line.pointer("/params/update")?;
    let said = update["sessionUpdate"] == "agent_message_chunk";
    update.pointer("/content/text").filter(|_| said)
}

pub(crate) fn types(lines: &[Value]) -> Vec<String> {
    let name = |line: &Value| {
        let kind = line["type"]
            .as_str()
            .or(line["method"].as_str())
            .unwrap_or("reply");
        let update = &line["params"]["update"]["sessionUpdate"];
        let sub = line["subtype"].as_str().or(line["event"]["type"].as_str());
        let sub = sub.or(update.as_str());
        sub.map_or_else(|| kind.to_owned(), |sub| format!("{kind}/{sub}"))
    };
    lines.iter().map(name).collect()
}
