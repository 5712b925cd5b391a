//! Tools of the host, as an MCP server on the control channel.

use serde_json::{Value, json};

use super::harness::{
    agent_lines, answer, ask, asked, capture, codec_of, hear, init, lines, open, options, said,
    success, tools, turn,
};
use crate::config::Mode;
use crate::event::{RawJson, RequestKind};
use crate::provider::claude::codec::ClaudeCodec;
use crate::provider::{Codec, Output};
use crate::request::{Answer, Decision};

fn host(mode: Mode) -> ClaudeCodec {
    let mut options = options();
    options.tools = tools();
    let mut codec = codec_of(mode, &options, None);
    codec.next_ids.push_back("r0".to_owned());
    let mut out = Output::default();
    codec.start(&mut out);
    if mode == Mode::Warm {
        let registered = json!({"subtype": "initialize", "sdkMcpServers": ["host"]});
        assert_eq!(lines(&out)[0]["request"], registered);
    } else {
        assert_eq!(out.bytes, b"", "the command line registers them");
        codec.next_ids.clear();
    }
    codec
}

/// A host codec with turn 1 running.
fn running() -> ClaudeCodec {
    let mut codec = host(Mode::Warm);
    ask(&mut codec, open(None));
    hear(&mut codec, &success("r0", json!({})));
    ask(&mut codec, turn(1, "hi"));
    hear(&mut codec, &init("s"));
    codec
}

fn message(id: &str, message: &Value) -> Value {
    json!({"type": "control_request", "request_id": id, "request":
        {"subtype": "mcp_message", "server_name": "host", "message": message}})
}

/// What the server answers.
fn response(out: &Output) -> Value {
    let out = lines(out);
    let [line] = &out[..] else {
        panic!("one answer: {out:?}");
    };
    assert_eq!(line["response"]["subtype"], "success");
    line["response"]["response"]["mcp_response"].clone()
}

fn call(number: u64) -> Value {
    let params = json!({"name": "add", "arguments": {"a": 2},
        "_meta": {"claudecode/toolUseId": "toolu_4", "progressToken": 2}});
    message(
        "q",
        &json!({"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params}),
    )
}

#[test]
fn handshakes_are_answered_before_initialize_and_as_often_as_they_come() {
    for scenario in ["2.1.327/sdk_mcp_flag", "2.1.327/sdk_mcp_init"] {
        let mut codec = host(Mode::Warm);
        let capture = capture(scenario).replace("\"calc\"", "\"host\"");
        let mut methods = Vec::new();
        for line in agent_lines(&capture) {
            let line: Value = serde_json::from_str(line).expect("JSON");
            let message = &line["request"]["message"];
            let method = message["method"].as_str().unwrap_or("").to_owned();
            if line["request"]["server_name"] != "host" || method == "tools/call" {
                continue;
            }
            let answer = response(&hear(&mut codec, &line));
            assert_eq!(answer.get("id"), message.get("id"), "{scenario}: {method}");
            assert!(answer["result"].is_object(), "{scenario}: {method}");
            methods.push(method);
        }
        let wanted = ["initialize", "notifications/initialized", "tools/list"];
        assert!(
            methods.starts_with(&wanted.map(str::to_owned)),
            "{scenario}: {methods:?}"
        );
    }
}

#[test]
fn the_server_says_what_it_is_and_what_it_has() {
    let mut codec = host(Mode::OneShot);
    let hello = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize",
        "params": {"protocolVersion": "2025-11-25", "capabilities": {}}});
    let expected = json!({"jsonrpc": "2.0", "id": 0, "result": {"protocolVersion": "2025-11-25",
        "capabilities": {"tools": {}},
        "serverInfo": {"name": "host", "version": env!("CARGO_PKG_VERSION")}}});
    assert_eq!(response(&hear(&mut codec, &message("a", &hello))), expected);
    let list = json!({"jsonrpc": "2.0", "id": "x", "method": "tools/list"});
    let tool = json!({"name": "add", "description": "Adds", "inputSchema": {"type": "object"},
        "_meta": {"anthropic/alwaysLoad": true}});
    let expected = json!({"jsonrpc": "2.0", "id": "x", "result": {"tools": [tool]}});
    assert_eq!(response(&hear(&mut codec, &message("b", &list))), expected);
    let ping = json!({"jsonrpc": "2.0", "id": 2, "method": "ping"});
    let expected = json!({"jsonrpc": "2.0", "id": 2, "result": {}});
    assert_eq!(response(&hear(&mut codec, &message("c", &ping))), expected);
    let other = json!({"jsonrpc": "2.0", "id": 3, "method": "resources/list"});
    let error = response(&hear(&mut codec, &message("d", &other)));
    assert_eq!(error["error"]["code"], -32601);
}

#[test]
fn a_call_is_asked_and_its_result_given() {
    for (said, text, is_error) in [
        (
            Answer::Result {
                text: "5".to_owned(),
                is_error: false,
            },
            "5",
            false,
        ),
        (
            Answer::Result {
                text: "no".to_owned(),
                is_error: true,
            },
            "no",
            true,
        ),
        (
            Answer::Deny {
                message: "late".to_owned(),
                interrupt: false,
            },
            "late",
            true,
        ),
    ] {
        let mut codec = running();
        let out = hear(&mut codec, &call(2));
        let asked = asked(&out)[0];
        assert_eq!(asked.kind, RequestKind::HostTool);
        assert_eq!(asked.title, "add");
        assert_eq!(asked.subject.tool, "add");
        assert_eq!(asked.tool.as_deref(), Some("toolu_4"));
        assert_eq!(asked.decisions, [Decision::Result, Decision::Deny]);
        assert_eq!(asked.input.as_ref().map(RawJson::get), Some("{\"a\":2}"));
        let expected = json!({"jsonrpc": "2.0", "id": 2, "result":
            {"content": [{"type": "text", "text": text}], "isError": is_error}});
        assert_eq!(response(&ask(&mut codec, answer(1, said))), expected);
    }
}

#[test]
fn a_call_that_the_agent_gives_up_is_withdrawn() {
    let mut codec = running();
    hear(&mut codec, &call(2));
    let cancel = json!({"jsonrpc": "2.0", "method": "notifications/cancelled",
        "params": {"requestId": 2, "reason": "interrupted"}});
    let out = hear(&mut codec, &message("n", &cancel));
    assert_eq!(
        said(&out),
        "host 1 | Withdrawn { request: AgentRequest(1) }\n"
    );
    let ids: Vec<_> = lines(&out)
        .iter()
        .map(|l| l["response"]["request_id"].clone())
        .collect();
    assert_eq!(ids, ["q", "n"], "nothing waits for an answer");
    let late = Answer::Result {
        text: String::new(),
        is_error: false,
    };
    assert_eq!(ask(&mut codec, answer(1, late)).bytes, b"");
}

#[test]
fn the_agents_own_question_about_a_tool_of_the_host_is_no_question() {
    let mut codec = running();
    let question = |name: &str| {
        json!({"type": "control_request", "request_id": "q", "request":
            {"subtype": "can_use_tool", "tool_name": name, "input": {"a": 2}, "tool_use_id": "t"}})
    };
    let out = hear(&mut codec, &question("mcp__host__add"));
    assert_eq!(said(&out), "");
    let allowed = json!({"behavior": "allow", "updatedInput": {"a": 2}, "toolUseID": "t"});
    assert_eq!(lines(&out)[0]["response"]["response"], allowed);
    let other = hear(&mut codec, &question("mcp__host__unknown"));
    assert_eq!(
        asked(&other).len(),
        1,
        "what the host did not register is asked"
    );
}

#[test]
fn uses_of_a_tool_of_the_host_are_of_its_kind() {
    let mut codec = running();
    let block = json!({"type": "tool_use", "id": "t", "name": "mcp__host__add", "input": {}});
    let line = json!({"type": "assistant", "message": {"id": "m", "content": [block]}});
    assert!(said(&hear(&mut codec, &line)).contains("\"kind\":\"host\""));
}

#[test]
fn a_server_that_is_not_the_hosts_is_an_error() {
    let mut codec = codec_of(Mode::Warm, &options(), None);
    let list = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"});
    assert_eq!(
        response(&hear(&mut codec, &message("a", &list)))["error"]["code"],
        -32601
    );
}
