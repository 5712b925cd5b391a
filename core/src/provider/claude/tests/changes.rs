//! Live changes of settings.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::harness::{HERE, ask, codec_of, hear, lines, open, options, said, success, tools};
use crate::config::{McpServer, Mode, PermissionMode, SessionOptions};
use crate::provider::claude::codec::ClaudeCodec;
use crate::provider::{Codec, Output, Request};
use crate::settings::Change;

const DONE: &str = "- | Changed(Live)\n";
const NEEDS_PROCESS: &str = "- | Changed(NeedsProcess)\n";

fn warm(options: &SessionOptions) -> ClaudeCodec {
    let mut codec = codec_of(Mode::Warm, options, None);
    codec.next_ids.push_back("r0".to_owned());
    codec.start(&mut Output::default());
    ask(&mut codec, open(None));
    hear(&mut codec, &success("r0", json!({})));
    codec
}

fn change(codec: &mut ClaudeCodec, change: Change) -> Output {
    let change = Request::Change {
        conversation: HERE,
        change: change.into(),
    };
    ask(codec, change)
}

/// What the codec asks of the agent, each answered with success; and what it says then.
fn drive(codec: &mut ClaudeCodec, wanted: Change) -> (Vec<Value>, String) {
    let mut out = change(codec, wanted);
    let mut asked = Vec::new();
    let mut told = said(&out);
    while let [line] = &lines(&out)[..] {
        asked.push(line["request"].clone());
        let id = line["request_id"].as_str().expect("an id");
        out = hear(codec, &success(id, json!({})));
        told += &said(&out);
    }
    (asked, told)
}

#[test]
fn the_model_changes_live() {
    let model = Some("sonnet".to_owned());
    let (asked, told) = drive(
        &mut warm(&options()),
        Change {
            model,
            ..Change::default()
        },
    );
    assert_eq!(asked, [json!({"subtype": "set_model", "model": "sonnet"})]);
    assert_eq!(told, DONE);
}

#[test]
fn the_effort_changes_live() {
    let effort = Some("low".to_owned());
    let (asked, told) = drive(
        &mut warm(&options()),
        Change {
            effort,
            ..Change::default()
        },
    );
    let settings = json!({"effortLevel": "low"});
    assert_eq!(
        asked,
        [json!({"subtype": "apply_flag_settings", "settings": settings})]
    );
    assert_eq!(told, DONE);
}

#[test]
fn the_thinking_budget_changes_live() {
    let thinking_budget = Some(2048);
    let wanted = Change {
        thinking_budget,
        ..Change::default()
    };
    let (asked, told) = drive(&mut warm(&options()), wanted);
    let budget = json!({"subtype": "set_max_thinking_tokens", "max_thinking_tokens": 2048});
    assert_eq!(asked, [budget]);
    assert_eq!(told, DONE);
}

#[test]
fn the_permission_mode_changes_live_but_not_to_or_from_read_only() {
    let to = |mode| Change {
        permission_mode: Some(mode),
        ..Change::default()
    };
    for (mode, word) in [
        (PermissionMode::Default, "default"),
        (PermissionMode::Plan, "plan"),
        (PermissionMode::AcceptEdits, "acceptEdits"),
    ] {
        let (asked, told) = drive(&mut warm(&options()), to(mode));
        assert_eq!(
            asked,
            [json!({"subtype": "set_permission_mode", "mode": word})]
        );
        assert_eq!(told, DONE);
    }
    let (asked, told) = drive(&mut warm(&options()), to(PermissionMode::ReadOnly));
    assert_eq!((asked, told.as_str()), (vec![], NEEDS_PROCESS));
    let mut read_only = options();
    read_only.read_only = true;
    let (asked, told) = drive(&mut warm(&read_only), to(PermissionMode::AcceptEdits));
    assert_eq!((asked, told.as_str()), (vec![], NEEDS_PROCESS));
}

#[test]
fn everything_is_permitted_live_only_if_the_process_was_started_for_it() {
    let bypass = || Change {
        permission_mode: Some(PermissionMode::BypassPermissions),
        ..Change::default()
    };
    let (asked, told) = drive(&mut warm(&options()), bypass());
    assert_eq!((asked, told.as_str()), (vec![], NEEDS_PROCESS));
    let mut begun_so = options();
    begun_so.permission_mode = PermissionMode::BypassPermissions;
    let mut allowed = options();
    allowed.extra_args = vec!["--allow-dangerously-skip-permissions".to_owned()];
    for options in [begun_so, allowed] {
        let (asked, told) = drive(&mut warm(&options), bypass());
        let mode = json!({"subtype": "set_permission_mode", "mode": "bypassPermissions"});
        assert_eq!((asked, told.as_str()), (vec![mode], DONE));
    }
}

fn refusal(id: &str) -> Value {
    json!({"type": "control_response", "response": {"subtype": "error", "request_id": id,
        "error": "not here"}})
}

#[test]
fn a_refusal_of_the_agent_ends_the_change_and_the_next_one_goes_on() {
    let mut codec = warm(&options());
    let both = Change {
        permission_mode: Some(PermissionMode::Plan),
        model: Some("m".to_owned()),
        ..Change::default()
    };
    let next = ["a", "b"].map(str::to_owned);
    codec.next_ids.extend(next);
    change(&mut codec, both);
    let model = Some("n".to_owned());
    let out = change(
        &mut codec,
        Change {
            model,
            ..Change::default()
        },
    );
    assert_eq!(out.bytes, b"", "one after the other");
    let out = hear(&mut codec, &refusal("a"));
    assert_eq!(
        said(&out),
        "- | Changed(Refused { message: \"not here\", halfway: false })\n"
    );
    let asked = json!({"type": "control_request", "request_id": "b",
        "request": {"subtype": "set_model", "model": "n"}});
    assert_eq!(lines(&out), [asked]);
    assert_eq!(said(&hear(&mut codec, &success("b", json!({})))), DONE);
}

#[test]
fn a_refusal_says_whether_a_part_of_the_change_was_taken_before() {
    let mut codec = warm(&options());
    let both = Change {
        permission_mode: Some(PermissionMode::Plan),
        model: Some("m".to_owned()),
        ..Change::default()
    };
    let next = ["a", "b"].map(str::to_owned);
    codec.next_ids.extend(next);
    change(&mut codec, both);
    hear(&mut codec, &success("a", json!({})));
    assert_eq!(
        said(&hear(&mut codec, &refusal("b"))),
        "- | Changed(Refused { message: \"not here\", halfway: true })\n"
    );
}

fn server(command: &str) -> McpServer {
    McpServer::Stdio {
        command: command.to_owned(),
        args: Vec::new(),
        env: BTreeMap::new(),
    }
}

fn servers(all: &[(&str, &str)]) -> Change {
    let all = all
        .iter()
        .map(|(name, command)| ((*name).to_owned(), server(command)));
    Change {
        mcp_servers: Some(all.collect()),
        ..Change::default()
    }
}

#[test]
fn mcp_servers_are_added_and_taken_away_live_beside_those_of_the_start() {
    let mut with = options();
    with.mcp_servers = BTreeMap::from([("first".to_owned(), server("one"))]);
    with.tools = tools();
    let mut codec = warm(&with);
    let (asked, told) = drive(&mut codec, servers(&[("first", "one"), ("second", "two")]));
    let host = json!({"type": "sdk", "name": "host"});
    let second = json!({"type": "stdio", "command": "two", "args": [], "env": {}});
    let set = json!({"subtype": "mcp_set_servers", "servers": {"host": host, "second": second}});
    assert_eq!(asked, [set]);
    assert_eq!(told, DONE);
    let (asked, _) = drive(&mut codec, servers(&[("first", "one")]));
    assert_eq!(
        asked,
        [json!({"subtype": "mcp_set_servers", "servers": {"host": host}})]
    );
}

#[test]
fn mcp_servers_that_the_agent_cannot_change_live_need_a_new_process() {
    let mut with = options();
    with.mcp_servers = BTreeMap::from([("first".to_owned(), server("one"))]);
    let mut codec = warm(&with);
    drive(&mut codec, servers(&[("first", "one"), ("second", "two")]));
    for wanted in [
        servers(&[("second", "two")]),
        servers(&[("first", "other"), ("second", "two")]),
        servers(&[("first", "one"), ("second", "other")]),
    ] {
        let (asked, told) = drive(&mut codec, wanted);
        assert_eq!((asked, told.as_str()), (vec![], NEEDS_PROCESS));
    }
}

#[test]
fn a_server_that_does_not_start_is_a_warning() {
    let mut codec = warm(&options());
    codec.next_ids.push_back("a".to_owned());
    change(&mut codec, servers(&[("x", "nothing")]));
    let out = hear(
        &mut codec,
        &success("a", json!({"errors": {"x": "no such program"}})),
    );
    let told = said(&out);
    assert!(
        told.contains("MCP server x: no such program") && told.ends_with(DONE),
        "{told}"
    );
}
