//! A real agent over the Agent Client Protocol, driven by raw lines.

use std::path::Path;

use serde_json::{Value, json};

use super::drive::{Agent, Place};

/// An agent with one session, ready for turns.
pub(crate) struct Acp {
    pub(crate) agent: Agent,
    pub(crate) session: String,
    /// What it has said of itself.
    pub(crate) capabilities: Value,
    /// The kind of option that answers its questions.
    pub(crate) answer: &'static str,
    next: u64,
}

impl Acp {
    /// Starts a program and greets it.
    pub(crate) fn launch(
        program: &Path,
        arguments: &[&str],
        env: Vec<(String, String)>,
        place: &Place,
    ) -> Self {
        let agent = Agent::start(program, arguments, env, &place.project);
        let mut acp = Self {
            agent,
            session: String::new(),
            capabilities: Value::Null,
            answer: "allow_once",
            next: 0,
        };
        let params = json!({"protocolVersion": 1, "clientCapabilities": {},
            "clientInfo": {"name": "model-api", "version": "1"}});
        let greeted = acp.call("initialize", &params);
        assert_eq!(greeted["protocolVersion"], 1, "{greeted}");
        acp.capabilities = greeted["agentCapabilities"].clone();
        acp
    }

    /// Opens a new session.
    pub(crate) fn open(mut self, place: &Place) -> Self {
        let opened = self.call("session/new", &opening(place));
        let session = opened["sessionId"].as_str().expect("an id");
        session.clone_into(&mut self.session);
        self
    }

    /// Opens a session of an earlier process, with a replay.
    pub(crate) fn load(mut self, place: &Place, session: &str) -> Self {
        let mut params = opening(place);
        params["sessionId"] = json!(session);
        self.call("session/load", &params);
        session.clone_into(&mut self.session);
        self
    }

    /// Sends a request; gives its id.
    fn send(&mut self, method: &str, params: &Value) -> u64 {
        self.next += 1;
        self.agent
            .send(&json!({"jsonrpc": "2.0", "id": self.next, "method": method, "params": params}));
        self.next
    }

    /// Reads up to the reply to a request, and answers what the agent asks meanwhile.
    fn reply(&mut self, id: u64) -> Value {
        loop {
            let line = self
                .agent
                .until(|line| line.get("id").is_some_and(|id| !id.is_null()));
            if line.get("method").is_some() {
                self.respond(&line);
            } else if line["id"] == id {
                return line;
            }
        }
    }

    fn respond(&mut self, request: &Value) {
        let (id, params) = (&request["id"], &request["params"]);
        let options = params["options"].as_array().into_iter().flatten();
        let mut fitting = options.filter(|option| option["kind"] == self.answer);
        let response = match fitting.next() {
            Some(option) => json!({"jsonrpc": "2.0", "id": id, "result":
                {"outcome": {"outcome": "selected", "optionId": option["optionId"]}}}),
            None => json!({"jsonrpc": "2.0", "id": id, "error":
                {"code": -32601, "message": "method not found"}}),
        };
        self.agent.send(&response);
    }

    /// Sends a request and returns its result.
    pub(crate) fn call(&mut self, method: &str, params: &Value) -> Value {
        let id = self.send(method, params);
        let reply = self.reply(id);
        assert!(reply["error"].is_null(), "{method}: {reply}");
        reply["result"].clone()
    }

    /// Says a prompt without waiting for the turn; gives the request's id.
    pub(crate) fn prompt(&mut self, text: &str) -> u64 {
        let prompt = json!([{"type": "text", "text": text}]);
        let params = json!({"sessionId": self.session, "prompt": prompt});
        self.send("session/prompt", &params)
    }

    /// Cancels the turn of a prompt and returns its stop reason.
    pub(crate) fn cancel(&mut self, prompt: u64) -> Value {
        self.agent
            .send(&json!({"jsonrpc": "2.0", "method": "session/cancel",
            "params": {"sessionId": self.session}}));
        self.reply(prompt)["result"]["stopReason"].clone()
    }

    /// Runs one turn and returns its reply.
    pub(crate) fn turn(&mut self, text: &str) -> Value {
        let id = self.prompt(text);
        self.reply(id)
    }

    /// Runs one turn and returns what the model said in it.
    pub(crate) fn said(&mut self, text: &str) -> String {
        let before = self.agent.seen.len();
        let reply = self.turn(text);
        assert_eq!(reply["result"]["stopReason"], "end_turn", "{reply}");
        texts(&self.agent.seen[before..], "agent_message_chunk")
    }

    /// What the agent has thought so far.
    pub(crate) fn thought(&self) -> String {
        texts(&self.agent.seen, "agent_thought_chunk")
    }

    /// Waits until the agent has said a text in one chunk.
    pub(crate) fn until_said(&mut self, text: &str) {
        self.agent.until(|line| {
            line["params"]["update"]["content"]["text"]
                .as_str()
                .is_some_and(|said| said.contains(text))
        });
    }

    /// The permission requests so far.
    pub(crate) fn questions(&self) -> usize {
        let lines = self.agent.seen.iter();
        lines
            .filter(|line| line["method"] == "session/request_permission")
            .count()
    }
}

fn opening(place: &Place) -> Value {
    json!({"cwd": place.project, "mcpServers": []})
}

fn texts(lines: &[Value], kind: &str) -> String {
    lines
        .iter()
        .map(|line| &line["params"]["update"])
        .filter(|update| update["sessionUpdate"] == kind)
        .filter_map(|update| update["content"]["text"].as_str())
        .collect()
}
