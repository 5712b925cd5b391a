//! Recorded conversations, played back, and the members that real lines have.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use support::{Setup, WARM, capture_path, is_result};

/// The messages of a capture in one direction.
fn recorded(name: &str, mark: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(capture_path(name)).unwrap();
    let lines = text.lines().filter_map(|line| line.strip_prefix(mark));
    lines
        .map(|line| serde_json::from_str(&line[line.find('{').unwrap()..]).unwrap())
        .collect()
}

/// Plays the recorded host against the recorded agent; gives what the agent says.
fn replay(
    name: &str,
    arguments: &[&str],
    change: impl Fn(&mut Value),
) -> (Vec<Value>, Option<i32>) {
    let setup = Setup::capture(name);
    let mut run = setup.start(arguments);
    for mut message in recorded(name, "> ") {
        change(&mut message);
        run.send(&message);
    }
    let (rest, _, status) = run.finish();
    let text = String::from_utf8(rest).unwrap();
    (
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect(),
        status.code(),
    )
}

#[test]
fn a_capture_is_played_word_for_word() {
    for name in [
        "claude/basic_text.jsonl",
        "claude/interrupt_stream.jsonl",
        "claude/perm_allow.jsonl",
    ] {
        assert_eq!(
            replay(name, WARM, |_| {}),
            (recorded(name, "< "), Some(0)),
            "{name}"
        );
    }
    for name in [
        "codex/01-basic-turn.jsonl",
        "codex/03-command-approval-accept.jsonl",
        "codex/12-interrupt-text.jsonl",
    ] {
        assert_eq!(
            replay(name, &["app-server"], |_| {}),
            (recorded(name, "< "), Some(0)),
            "{name}"
        );
    }
    for name in [
        "acp/gemini-basic.jsonl",
        "acp/kimi-code-perm-allow.jsonl",
        "acp/opencode-cancel-perm.jsonl",
    ] {
        assert_eq!(
            replay(name, &["acp"], |_| {}),
            (recorded(name, "< "), Some(0)),
            "{name}"
        );
    }
    let name = "codex/30-exec-basic.jsonl";
    assert_eq!(
        replay(name, &["exec", "--json", "x"], |_| {}),
        (recorded(name, "< "), Some(0))
    );
    let name = "claude/resume_bad_uuid.jsonl";
    assert_eq!(replay(name, WARM, |_| {}), (recorded(name, "< "), Some(1)));
}

#[test]
fn a_capture_waits_for_the_host() {
    let setup = Setup::capture("claude/interrupt_stream.jsonl");
    let mut run = setup.claude();
    run.prompt("anything");
    let mut lines = run.until(|line| line["event"]["delta"]["text"] == "s a long rep");
    run.send(&json!({"type": "control_request", "request_id": "mine", "request": {"subtype": "interrupt"}}));
    lines.extend(run.until(is_result));
    run.prompt("next");
    lines.extend(run.until(is_result));
    let reply = lines
        .iter()
        .find(|line| line["type"] == "control_response")
        .unwrap();
    assert_eq!(reply["response"]["request_id"], "mine");
}

#[test]
fn the_ids_of_this_host_take_the_place_of_the_recorded_ones() {
    let (lines, _) = replay("claude/basic_text.jsonl", WARM, |message| {
        if message.get("uuid").is_some() {
            message["uuid"] = json!("my-uuid");
        }
    });
    assert_eq!(lines[0]["command_uuid"], "my-uuid");
    assert!(
        lines
            .iter()
            .any(|line| line["user_message_uuids"] == json!(["my-uuid"]))
    );
    let (lines, _) = replay("codex/01-basic-turn.jsonl", &["app-server"], |message| {
        if let Some(id) = message.get_mut("id") {
            *id = json!(format!("string-{id}"));
        }
    });
    let replies = lines.iter().filter(|line| line.get("method").is_none());
    let ids: Vec<&Value> = replies.map(|line| &line["id"]).collect();
    assert_eq!(ids, ["string-1", "string-2", "string-3", "string-4"]);
}

#[test]
fn a_request_that_the_capture_does_not_know_gets_an_empty_answer() {
    let setup = Setup::capture("claude/basic_text.jsonl");
    let mut run = setup.claude();
    assert_eq!(
        run.control(&json!({"subtype": "initialize"})),
        json!({"subtype": "success", "request_id": "r1", "response": {}})
    );
    assert_eq!(
        run.turn("hi").last().unwrap()["result"],
        "Hello world, this is a reply."
    );
}

type Members = BTreeMap<String, BTreeSet<String>>;

/// For each kind of line the paths of the members that all lines of the kind have.
fn members(lines: &[Value], kind: impl Fn(&Value) -> Option<String>) -> Members {
    let mut found = Members::new();
    for line in lines {
        let Some(kind) = kind(line) else { continue };
        let mut paths = BTreeSet::new();
        collect(line, "", 3, &mut paths);
        found
            .entry(kind)
            .and_modify(|known| known.retain(|path| paths.contains(path)))
            .or_insert(paths);
    }
    found
}

fn collect(value: &Value, path: &str, depth: usize, paths: &mut BTreeSet<String>) {
    for (name, member) in value.as_object().into_iter().flatten() {
        let path = format!("{path}/{name}");
        // These have members per model, tool or command.
        let open = [
            "modelUsage",
            "model_usage_since_last_result",
            "input",
            "tool_use_result",
            "sandbox",
        ];
        if depth > 1 && !open.contains(&name.as_str()) {
            collect(member, &path, depth - 1, paths);
        }
        paths.insert(path);
    }
}

/// Holds what the agent writes against what the real one always writes.
fn assert_covers(ours: &Members, real: &Members, kinds: &[&str], optional: &[&str]) {
    for kind in kinds {
        let (Some(ours), Some(real)) = (ours.get(*kind), real.get(*kind)) else {
            panic!(
                "no line of kind {kind}: ours {}, real {}",
                ours.contains_key(*kind),
                real.contains_key(*kind)
            )
        };
        let missing: Vec<&String> = real
            .difference(ours)
            .filter(|path| !optional.iter().any(|prefix| path.starts_with(prefix)))
            .collect();
        assert_eq!(missing, Vec::<&String>::new(), "members of {kind}");
    }
}

#[test]
fn claude_lines_have_all_members_of_the_real_ones() {
    let kind = |line: &Value| {
        let kind = line["type"].as_str()?;
        let sub = line["subtype"]
            .as_str()
            .or(line["event"]["type"].as_str())
            .unwrap_or_default();
        let request = line["request"]["subtype"].as_str().unwrap_or_default();
        let body = line["response"]["response"].as_object();
        let body = body
            .and_then(|body| body.keys().next())
            .map_or("", String::as_str);
        let shape = if line["isReplay"] == true {
            "echo"
        } else if line.get("tool_use_result").is_some() {
            "tool"
        } else {
            ""
        };
        Some(format!("{kind}/{sub}{request}{body}{shape}"))
    };
    let names = [
        "claude/basic_text.jsonl",
        "claude/interrupt_stream.jsonl",
        "claude/perm_allow.jsonl",
        "claude/control_bad.jsonl",
        "claude/init_basic.jsonl",
    ];
    let real: Vec<Value> = names.iter().flat_map(|name| recorded(name, "< ")).collect();
    let setup = Setup::new();
    let mut run = setup.claude();
    run.send(&json!({"type": "user", "uuid": "u", "message": {"role": "user", "content": "[[ask Bash ls]] [[say x]]"}}));
    let mut ours = run.until(|line| line["type"] == "control_request");
    let id = &ours.last().unwrap()["request_id"];
    run.send(&json!({"type": "control_response", "response": {"subtype": "success", "request_id": id, "response": {"behavior": "allow"}}}));
    ours.extend(run.until(|line| line["state"] == "completed"));
    run.prompt("[[say y]] [[hang]]");
    ours.extend(run.until(|line| line["event"]["delta"]["text"] == "y"));
    for subtype in ["initialize", "interrupt", "totally_unknown"] {
        run.send(&json!({"type": "control_request", "request_id": subtype, "request": {"subtype": subtype}}));
    }
    ours.extend(run.until(is_result));
    run.close();
    let (rest, _, _) = run.finish();
    ours.extend(
        String::from_utf8(rest)
            .unwrap()
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap()),
    );
    assert_covers(
        &members(&ours, kind),
        &members(&real, kind),
        &[
            "system/init",
            "system/status",
            "user/echo",
            "user/tool",
            "user/",
            "assistant/",
            "stream_event/message_start",
            "stream_event/content_block_start",
            "stream_event/content_block_delta",
            "stream_event/content_block_stop",
            "stream_event/message_delta",
            "stream_event/message_stop",
            "control_request/can_use_tool",
            "control_response/account",
            "control_response/still_queued",
            "control_response/",
            "result/success",
            "result/error_during_execution",
            "command_lifecycle/",
        ],
        // Timings, and members that only some of these conversations have.
        &[
            "/ttft",
            "/time_to_request",
            "/first_",
            "/request_sent",
            "/subagent_stats",
            "/model_usage_since",
            "/user_message_uuid",
            "/request/server_policy",
        ],
    );
}

#[test]
fn codex_lines_have_all_members_of_the_real_ones() {
    let kind = |line: &Value| {
        let method = line["method"].as_str().unwrap_or("reply");
        let item = line["params"]["item"]["type"].as_str().unwrap_or_default();
        let result = line["result"].as_object();
        let result = result.map_or("", |result| {
            if result.contains_key("thread") {
                "thread"
            } else {
                result.keys().next().map_or("", String::as_str)
            }
        });
        Some(format!("{method}/{item}{result}"))
    };
    let names = [
        "codex/01-basic-turn.jsonl",
        "codex/03-command-approval-accept.jsonl",
        "codex/12-interrupt-text.jsonl",
    ];
    let real: Vec<Value> = names.iter().flat_map(|name| recorded(name, "< ")).collect();
    let setup = Setup::new();
    let mut run = setup.start(&["app-server"]);
    run.send(&json!({"id": 1, "method": "initialize", "params": {"clientInfo": {"name": "t", "version": "1"}}}));
    run.send(&json!({"id": 2, "method": "thread/start", "params": {"sandbox": "workspace-write"}}));
    let mut ours = run.until(|line| line["method"] == "thread/started");
    let thread = ours.last().unwrap()["params"]["thread"]["id"].clone();
    let input = json!([{"type": "text", "text": "[[ask Bash ls]] [[say x]]"}]);
    run.send(
        &json!({"id": 3, "method": "turn/start", "params": {"threadId": thread, "input": input}}),
    );
    ours.extend(run.until(|line| line["method"] == "item/commandExecution/requestApproval"));
    run.send(&json!({"id": 0, "result": {"decision": "accept"}}));
    ours.extend(run.until(|line| line["method"] == "turn/completed"));
    run.send(&json!({"id": 4, "method": "turn/interrupt", "params": {"threadId": thread, "turnId": "x"}}));
    ours.push(run.next());
    let real = members(&real, kind);
    let kinds: Vec<&str> = real.keys().map(String::as_str).collect();
    assert_covers(
        &members(&ours, kind),
        &real,
        &kinds,
        &["/result/thread/gitInfo/", "/params/thread/gitInfo/"],
    );
}

/// Real agents differ, so each line of ours must have what all of theirs share.
#[test]
fn acp_lines_have_all_members_of_the_real_ones() {
    let kind = |line: &Value| {
        let method = line["method"].as_str().unwrap_or("reply");
        let update = line["params"]["update"]["sessionUpdate"].as_str();
        let result = ["agentInfo", "sessionId", "stopReason"]
            .into_iter()
            .find(|member| line["result"].get(member).is_some());
        Some(format!(
            "{method}/{}{}",
            update.unwrap_or_default(),
            result.unwrap_or_default()
        ))
    };
    let names = [
        "acp/gemini-basic.jsonl",
        "acp/kimi-code-perm-allow.jsonl",
        "acp/opencode-cancel-perm.jsonl",
    ];
    let real: Vec<Value> = names.iter().flat_map(|name| recorded(name, "< ")).collect();
    let setup = Setup::new();
    let mut run = setup.start(&["--acp"]);
    for (id, method, params) in [
        (1, "initialize", json!({"protocolVersion": 1})),
        (5, "authenticate", json!({"methodId": "api-key"})),
        (
            2,
            "session/new",
            json!({"cwd": "/project", "mcpServers": []}),
        ),
    ] {
        run.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
    }
    let mut ours = run.until(|line| line["id"] == 2);
    let session = ours.last().unwrap()["result"]["sessionId"].as_str();
    let session = session.unwrap().to_owned();
    run.acp_prompt(3, &session, "[[think hm]] [[ask Bash ls]] [[say x]]");
    ours.extend(run.until(|line| line["method"] == "session/request_permission"));
    run.send(&json!({"jsonrpc": "2.0", "id": 0, "result":
        {"outcome": {"outcome": "selected", "optionId": "allow-once"}}}));
    ours.extend(run.acp_end(3));
    let real = members(&real, kind);
    let kinds: Vec<&str> = real.keys().map(String::as_str).collect();
    assert_covers(&members(&ours, kind), &real, &kinds, &[]);
}

#[test]
fn printed_lines_have_all_members_of_the_real_ones() {
    let kind = |line: &Value| {
        let status = line["part"]["state"]["status"].as_str();
        let role = line["role"].as_str().or(line["status"].as_str());
        Some(format!(
            "{}/{}",
            line["type"].as_str()?,
            status.or(role).unwrap_or_default()
        ))
    };
    let gemini: &[&str] = &["--output-format", "stream-json"];
    let opencode: &[&str] = &["run", "--format", "json", "--thinking"];
    for (name, arguments) in [
        ("acp/oneshot-gemini-tools.jsonl", gemini),
        ("acp/oneshot-opencode-tools.jsonl", opencode),
    ] {
        let turn = |script: &str| {
            let ask = r#"{"bash":"ask"}"#;
            Setup::new().acp_print(arguments, script, ask).rest()
        };
        let mut ours = turn("[[think hm]] [[tool Bash ls]] [[say x]]");
        ours.extend(turn("[[ask Bash ls]]"));
        let real = members(&recorded(name, "< "), kind);
        let kinds: Vec<&str> = real.keys().map(String::as_str).collect();
        // Timings, and members per model.
        let open = ["/part/time", "/part/state/time", "/stats/models/"];
        assert_covers(&members(&ours, kind), &real, &kinds, &open);
    }
}

#[test]
fn exec_lines_have_all_members_of_the_real_ones() {
    let kind = |line: &Value| {
        Some(format!(
            "{}{}",
            line["type"].as_str()?,
            line["item"]["type"].as_str().unwrap_or_default()
        ))
    };
    let real = members(&recorded("codex/30-exec-basic.jsonl", "< "), kind);
    let setup = Setup::new();
    let mut run = setup.start(&["exec", "--json", "[[think hm]] [[tool Bash ls]] [[say x]]"]);
    run.close();
    let ours = run.until(|line| line["type"] == "turn.completed");
    let kinds: Vec<&str> = real.keys().map(String::as_str).collect();
    assert_covers(&members(&ours, kind), &real, &kinds, &[]);
}
