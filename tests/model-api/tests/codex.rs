//! The real Codex, driven through the server by raw lines.

use model_api::ModelApi;
use model_api::real_agents::{codex, codex_env};
use serde_json::{Value, json};

mod drive;
use drive::{Agent, LIMIT, Place};

/// An app server with one thread, ready for turns.
struct Server {
    agent: Agent,
    thread: String,
    next: u64,
}

impl Server {
    fn launch(api: &ModelApi, place: &Place) -> Self {
        let program = codex().unwrap_or_else(|missing| panic!("{missing}"));
        let env = codex_env(&place.home, api).expect("a home");
        let agent = Agent::start(&program, &["app-server"], env, &place.project);
        let mut server = Self {
            agent,
            thread: String::new(),
            next: 0,
        };
        let client = json!({"name": "model-api", "version": "1"});
        server.call("initialize", &json!({"clientInfo": client}));
        server.agent.send(&json!({"method": "initialized"}));
        server
    }

    fn start(api: &ModelApi, place: &Place, params: Value) -> Self {
        let mut server = Self::launch(api, place);
        let mut given = params;
        given["cwd"] = json!(place.project);
        let result = server.call("thread/start", &given);
        server.thread = thread_id(&result);
        server
    }

    fn resume(api: &ModelApi, place: &Place, thread: &str) -> Self {
        let mut server = Self::launch(api, place);
        let result = server.call("thread/resume", &json!({"threadId": thread}));
        server.thread = thread_id(&result);
        server
    }

    /// Sends a request and returns its result.
    fn call(&mut self, method: &str, params: &Value) -> Value {
        self.next += 1;
        let id = self.next;
        self.agent
            .send(&json!({"id": id, "method": method, "params": params}));
        let answer = self
            .agent
            .until(|line| line["id"] == id && line["method"].is_null());
        assert!(answer["error"].is_null(), "{method}: {answer}");
        answer["result"].clone()
    }

    fn prompt(&mut self, text: &str) {
        let input = json!([{"type": "text", "text": text}]);
        self.call(
            "turn/start",
            &json!({"threadId": self.thread, "input": input}),
        );
    }

    /// Runs one turn and returns it, finished.
    fn turn(&mut self, text: &str) -> Value {
        self.prompt(text);
        self.completed()
    }

    fn completed(&mut self) -> Value {
        let line = self.agent.until(|line| line["method"] == "turn/completed");
        line["params"]["turn"].clone()
    }

    /// Runs one turn and returns what the model said in it.
    fn said(&mut self, text: &str) -> String {
        let before = self.agent.seen.len();
        let turn = self.turn(text);
        assert_eq!(turn["status"], "completed", "{turn}");
        let lines = self.agent.seen[before..].iter();
        lines
            .filter(|line| line["method"] == "item/agentMessage/delta")
            .filter_map(|line| line["params"]["delta"].as_str())
            .collect()
    }

    /// The finished items of a type.
    fn items(&self, kind: &str) -> Vec<Value> {
        let lines = self.agent.seen.iter();
        lines
            .filter(|line| line["method"] == "item/completed")
            .map(|line| line["params"]["item"].clone())
            .filter(|item| item["type"] == kind)
            .collect()
    }
}

fn thread_id(result: &Value) -> String {
    result["thread"]["id"].as_str().expect("an id").to_owned()
}

/// Commands run at once: no question, no sandbox.
fn free() -> Value {
    json!({"approvalPolicy": "never", "sandbox": "danger-full-access"})
}

#[test]
fn one_process_runs_many_turns() {
    let (api, place) = (ModelApi::start().expect("a server"), Place::new());
    let mut server = Server::start(&api, &place, free());
    assert_eq!(server.said(r#"MODEL:["hello there"]"#), "hello there");
    assert_eq!(server.said("and now?"), "turn 2");
    let history = "user: \nmodel: hello there\nuser: and now?\nmodel: turn 2";
    assert_eq!(server.said(r#"MODEL:[{"echo":"history"}]"#), history);
    assert!(server.agent.finish().success());
    assert_eq!(api.calls().len(), 3, "no other model calls");
    let all_model = api.requests().iter().all(|one| one.call.is_some());
    assert!(all_model, "{:?}", api.requests());
}

#[test]
fn thinking_reaches_the_host() {
    let (api, place) = (ModelApi::start().expect("a server"), Place::new());
    let mut server = Server::start(&api, &place, free());
    assert_eq!(
        server.said(r#"MODEL:[[{"thinking":"let me see"},"seen"]]"#),
        "seen"
    );
    assert_eq!(
        server.items("reasoning")[0]["summary"],
        json!(["let me see"])
    );
}

#[test]
fn a_shell_step_runs_a_command() {
    let (api, place) = (ModelApi::start().expect("a server"), Place::new());
    let mut server = Server::start(&api, &place, free());
    let script =
        r#"MODEL:[["look",{"shell":"echo made-$((40+2)) | tee made.txt"}],{"echo":"result"}]"#;
    let said = server.said(script);
    assert!(said.contains("made-42"), "{said}");
    let commands = server.items("commandExecution");
    assert_eq!(commands[0]["aggregatedOutput"], "made-42\n");
    let made = std::fs::read_to_string(place.project.join("made.txt")).expect("a file");
    assert_eq!(made, "made-42\n");
}

#[test]
fn a_shell_step_runs_a_command_in_code_mode_too() {
    let (api, place) = (ModelApi::start().expect("a server"), Place::new());
    let mut params = free();
    params["model"] = json!("gpt-6.1-sol");
    let mut server = Server::start(&api, &place, params);
    let said = server.said(r#"MODEL:[{"shell":"echo made-$((40+2))"},{"echo":"result"}]"#);
    assert!(said.contains("made-42"), "{said}");
    assert!(api.calls()[0].tools.contains(&"exec".to_owned()));
    assert_eq!(
        server.items("commandExecution")[0]["aggregatedOutput"],
        "made-42\n"
    );
}

#[test]
fn two_tools_in_one_answer_both_run() {
    let (api, place) = (ModelApi::start().expect("a server"), Place::new());
    let mut server = Server::start(&api, &place, free());
    let patch = "*** Begin Patch\n*** Add File: a.txt\n+content\n*** End Patch\n";
    let script = json!([
        [{"shell": "echo one"}, {"tool": "apply_patch", "input": patch}],
        "done"
    ]);
    assert_eq!(server.said(&format!("MODEL:{script}")), "done");
    let made = std::fs::read_to_string(place.project.join("a.txt")).expect("a file");
    assert_eq!(
        (made.as_str(), server.items("commandExecution").len()),
        ("content\n", 1)
    );
}

#[test]
fn ten_megabytes_arrive_whole() {
    let (api, place) = (ModelApi::start().expect("a server"), Place::new());
    let mut server = Server::start(&api, &place, free());
    assert_eq!(
        server.said(r#"MODEL:[{"bytes":10000000}]"#).len(),
        10_000_000
    );
}

#[test]
fn a_rate_limit_is_waited_for() {
    let (api, place) = (ModelApi::start().expect("a server"), Place::new());
    let mut server = Server::start(&api, &place, free());
    let script = r#"MODEL:[{"error":429,"times":1,"retry_after":0},"back"]"#;
    assert_eq!(server.said(script), "back");
    assert_eq!(api.calls().len(), 2);
}

#[test]
fn a_server_error_is_asked_again() {
    let (api, place) = (ModelApi::start().expect("a server"), Place::new());
    let mut server = Server::start(&api, &place, free());
    assert_eq!(
        server.said(r#"MODEL:[{"error":500,"times":1},"back"]"#),
        "back"
    );
    assert_eq!(api.calls().len(), 2);
}

#[test]
fn a_used_up_limit_and_a_bad_request_fail_the_turn_and_not_the_process() {
    let (api, place) = (ModelApi::start().expect("a server"), Place::new());
    let mut server = Server::start(&api, &place, free());
    let limited = server.turn(r#"MODEL:[{"error":429,"kind":"usage_limit_reached"}]"#);
    assert_eq!(limited["error"]["codexErrorInfo"], "usageLimitExceeded");
    let bad = server.turn(r#"MODEL:[{"error":400,"message":"no good"}]"#);
    assert!(
        bad["error"]["message"].to_string().contains("no good"),
        "{bad}"
    );
    assert_eq!(server.said(r#"MODEL:["fine"]"#), "fine");
}

#[test]
fn a_failure_in_the_stream_has_its_code() {
    let (api, place) = (ModelApi::start().expect("a server"), Place::new());
    let mut server = Server::start(&api, &place, free());
    let failed = server.turn(r#"MODEL:[{"fail":"server_is_overloaded","after":2}]"#);
    assert_eq!(failed["error"]["codexErrorInfo"], "serverOverloaded");
    let cut = server.turn(r#"MODEL:[{"text":"half","stop":"max_tokens"}]"#);
    assert_eq!(cut["status"], "failed");
}

#[test]
fn a_dropped_stream_is_asked_again() {
    let (api, place) = (ModelApi::start().expect("a server"), Place::new());
    let mut server = Server::start(&api, &place, free());
    // Whether the words before the cut are shown is up to the agent.
    let said = server.said(r#"MODEL:[{"drop_after":3,"times":1},"whole"]"#);
    assert!(said.ends_with("whole"), "{said}");
    assert_eq!(api.calls().len(), 2);
}

#[test]
fn an_interrupt_ends_the_turn_and_the_stream() {
    let (api, place) = (ModelApi::start().expect("a server"), Place::new());
    let mut server = Server::start(&api, &place, free());
    server.prompt(r#"MODEL:[{"stall_after":3}]"#);
    let line = server
        .agent
        .until(|line| line["params"]["delta"] == "word2");
    let turn = &line["params"]["turnId"];
    let params = json!({"threadId": server.thread, "turnId": turn});
    server.call("turn/interrupt", &params);
    assert_eq!(server.completed()["status"], "interrupted");
    assert!(
        api.wait_until(LIMIT, |_, open| open == 0),
        "the agent hangs up"
    );
    assert_eq!(server.said(r#"MODEL:["on we go"]"#), "on we go");
}

#[test]
fn a_fresh_process_sends_the_old_conversation_to_a_new_server() {
    let place = Place::new();
    let thread = {
        let api = ModelApi::start().expect("a server");
        let mut server = Server::start(&api, &place, free());
        let script = r#"keep marker-red MODEL:[{"shell":"echo marker-blue"},"ok marker-green"]"#;
        server.said(script);
        server.agent.finish();
        server.thread
    };
    let api = ModelApi::start().expect("a server");
    let mut server = Server::resume(&api, &place, &thread);
    let said = server.said(r#"MODEL:[{"recall":"marker-"}]"#);
    assert_eq!(said, "marker-red marker-blue marker-green");
    assert_eq!(server.thread, thread);
}

#[test]
fn an_escalated_command_asks_first() {
    let (api, place) = (ModelApi::start().expect("a server"), Place::new());
    let params = json!({"approvalPolicy": "on-request", "sandbox": "read-only"});
    let mut server = Server::start(&api, &place, params);
    let script = json!([
        {"shell": "touch made.txt", "with": {
            "sandbox_permissions": "require_escalated", "justification": "May I?"}},
        "done"
    ]);
    server.prompt(&format!("MODEL:{script}"));
    let method = "item/commandExecution/requestApproval";
    let ask = server.agent.until(|line| line["method"] == method);
    let answer = json!({"id": ask["id"], "result": {"decision": "accept"}});
    server.agent.send(&answer);
    assert_eq!(server.completed()["status"], "completed");
    assert!(place.project.join("made.txt").exists());
}

#[test]
fn a_prompt_on_the_command_line_runs_one_turn() {
    let (api, place) = (ModelApi::start().expect("a server"), Place::new());
    let program = codex().unwrap_or_else(|missing| panic!("{missing}"));
    let script = r#"MODEL:[{"shell":"echo made-$((40+2))"},"done"]"#;
    let arguments = [
        "exec",
        "--json",
        "--skip-git-repo-check",
        "--dangerously-bypass-approvals-and-sandbox",
        script,
    ];
    let env = codex_env(&place.home, &api).expect("a home");
    let mut agent = Agent::start(&program, &arguments, env, &place.project);
    assert!(agent.finish().success());
    let items: Vec<&Value> = agent
        .seen
        .iter()
        .filter(|line| line["type"] == "item.completed")
        .map(|line| &line["item"])
        .collect();
    assert_eq!(items[0]["aggregated_output"], "made-42\n");
    assert_eq!(items[1]["text"], "done");
}
