//! Turn control, with the real agents: tools of the host, which the agent calls.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a test looks at few of many events"
)]

use std::time::Duration;

use remuda::config::{HostTool, McpServer, Mode, PermissionMode, Timeouts};
use remuda::event::{RawJson, RequestKind, Resolution, ResolvedBy, ToolKind};
use remuda::request::Answer;
use remuda::{Body, Pool, SessionOptions};
use remuda_tests::{
    Agent, Real, answer, answered, closed, model, no, questions, settled, with_real_agents,
};
use serde_json::{Value, json};

with_real_agents! {
    a_tool_of_the_host_gives_the_model_its_result
    an_error_of_the_hosts_tool_reaches_the_model
    input_that_does_not_fit_never_reaches_the_host
    a_tool_of_the_host_that_takes_too_long_is_an_error
    a_tool_of_the_host_that_is_denied_is_an_error
    a_tool_whose_schema_says_little_does_not_hide_the_others
    tools_of_the_host_need_no_permission;
    one_shot_claude:
    a_tool_of_the_host_gives_the_model_its_result
    a_tool_whose_schema_says_little_does_not_hide_the_others
    tools_of_the_host_need_no_permission;
    one_shot_codex:
    a_tool_of_the_host_gives_the_model_its_result
    an_error_of_the_hosts_tool_reaches_the_model
    input_that_does_not_fit_never_reaches_the_host
    a_tool_of_the_host_that_takes_too_long_is_an_error
    a_tool_of_the_host_that_is_denied_is_an_error
    a_tool_whose_schema_says_little_does_not_hide_the_others
    tools_of_the_host_need_no_permission
    headers_of_mcp_servers_are_hidden_from_the_agents_commands
}

/// Options of a session with one tool.
fn with_tool(real: &Real) -> SessionOptions {
    let schema = json!({
        "type": "object",
        "properties": {"id": {"type": "string"}},
        "required": ["id"],
        "additionalProperties": false,
    });
    let over_mcp = (real.agent(), real.mode()) == (Agent::Codex, Mode::OneShot);
    SessionOptions {
        // Others have to look for a tool of an MCP server first.
        model: over_mcp.then(|| "gpt-6.1-sol".to_owned()),
        tools: vec![HostTool {
            name: "lookup_ticket".to_owned(),
            description: "Fetches a ticket.".to_owned(),
            input_schema: RawJson::from_text(&schema.to_string()),
        }],
        ..real.answering()
    }
}

/// The model calls the tool, and says what it got.
fn calling(real: &Real, input: &Value) -> String {
    let name = match (real.agent(), real.mode()) {
        (Agent::Codex, Mode::Warm) => "lookup_ticket",
        (Agent::Claude, _) | (Agent::Codex, Mode::OneShot) => "mcp__host__lookup_ticket",
    };
    model(&json!([{"tool": name, "input": input}, {"echo": "result"}]))
}

fn result(text: &str, is_error: bool) -> Answer {
    Answer::Result {
        text: text.to_owned(),
        is_error,
    }
}

async fn a_tool_of_the_host_gives_the_model_its_result(real: Real) {
    let pool = Pool::new().expect("a pool");
    let session = pool.open(with_tool(&real)).expect("a session");
    let prompt = calling(&real, &json!({"id": "ABC-1"}));
    let (asked, turn) = answered(&session, &prompt, result("it is open", false)).await;
    assert_eq!(asked.kind, RequestKind::HostTool);
    assert_eq!(asked.input, json!({"id": "ABC-1"}));
    let said = turn.result().await.expect("a good end").text;
    assert!(said.contains("it is open"), "{said}");
    let events = closed(&session).await;
    let calls: Vec<_> = events
        .iter()
        .filter_map(|event| match &event.body {
            Body::ToolUse { kind, .. } => Some(format!("{kind:?}")),
            Body::ToolResult { is_error, .. } => Some(format!("error: {is_error}")),
            _ => None,
        })
        .collect();
    assert_eq!(
        calls,
        [format!("{:?}", ToolKind::Host), "error: false".to_owned()]
    );
}

/// Claude Code leaves out all tools of a server that has one with a schema it does not know.
async fn a_tool_whose_schema_says_little_does_not_hide_the_others(real: Real) {
    let pool = Pool::new().expect("a pool");
    let mut options = with_tool(&real);
    for (name, schema) in [
        ("any", json!({})),
        ("odd", json!({"properties": {"a": true, "b": false}})),
    ] {
        options.tools.push(HostTool {
            name: name.to_owned(),
            description: "Does something.".to_owned(),
            input_schema: RawJson::from_text(&schema.to_string()),
        });
    }
    let session = pool.open(options).expect("a session");
    let prompt = calling(&real, &json!({"id": "ABC-1"}));
    let (asked, turn) = answered(&session, &prompt, result("it is open", false)).await;
    assert_eq!(asked.kind, RequestKind::HostTool);
    let said = turn.result().await.expect("a good end").text;
    assert!(said.contains("it is open"), "{said}");
    closed(&session).await;
}

/// The token of the host's own tools among them. What the user has set for commands still holds.
async fn headers_of_mcp_servers_are_hidden_from_the_agents_commands(real: Real) {
    let policy = "\n[shell_environment_policy]\nexclude = [\"OUT_*\"]\nset = { MINE = \"yes\" }\n";
    real.configure(policy);
    let mut options = with_tool(&real);
    options.permission_mode = PermissionMode::BypassPermissions;
    let set = &mut options.environment.set;
    set.insert("OUT_1".to_owned(), "left-out".to_owned());
    set.insert("PLAIN".to_owned(), "seen".to_owned());
    options.mcp_servers.insert(
        "corp".to_owned(),
        McpServer::Http {
            url: "http://127.0.0.1:9/mcp".to_owned(),
            headers: [("X-Api-Key".to_owned(), "secret-123".to_owned())].into(),
        },
    );
    let pool = Pool::new().expect("a pool");
    let session = pool.open(options).expect("a session");
    let shell = model(
        &json!([{"shell": "env > seen.txt; grep -rl secret-12[3] \"$HOME\" > kept.txt"}, "done"]),
    );
    answer(&session, &shell).await;
    let seen = std::fs::read_to_string(real.project().join("seen.txt")).expect("it ran");
    assert!(!seen.contains("secret-123"), "{seen}");
    let kept = std::fs::read_to_string(real.project().join("kept.txt")).expect("it ran");
    assert_eq!(kept, "", "the agent wrote it into its own files");
    assert!(!seen.contains("Bearer"), "{seen}");
    let variables: Vec<_> = seen
        .lines()
        .filter(|l| l.starts_with("REMUDA_MCP_"))
        .collect();
    assert_eq!(variables.len(), 2, "the session gave two: {variables:?}");
    assert!(
        variables.iter().all(|line| line.ends_with('=')),
        "{variables:?}"
    );
    assert!(
        seen.contains("MINE=yes") && seen.contains("PLAIN=seen"),
        "{seen}"
    );
    assert!(!seen.contains("OUT_1"), "{seen}");
    closed(&session).await;
}

async fn an_error_of_the_hosts_tool_reaches_the_model(real: Real) {
    let pool = Pool::new().expect("a pool");
    let session = pool.open(with_tool(&real)).expect("a session");
    let prompt = calling(&real, &json!({"id": "ABC-1"}));
    let (_, turn) = answered(&session, &prompt, result("no such ticket", true)).await;
    let said = turn.result().await.expect("a good end").text;
    assert!(said.contains("no such ticket"), "{said}");
    let events = closed(&session).await;
    let failed = |body: &Body| matches!(body, Body::ToolResult { is_error: true, .. });
    assert!(events.iter().any(|event| failed(&event.body)));
}

async fn input_that_does_not_fit_never_reaches_the_host(real: Real) {
    let pool = Pool::new().expect("a pool");
    let session = pool.open(with_tool(&real)).expect("a session");
    let said = answer(&session, &calling(&real, &json!({"id": 7}))).await;
    assert!(said.contains("does not fit"), "{said}");
    let events = closed(&session).await;
    let by_schema = (Resolution::Answered, ResolvedBy::Schema, None);
    assert_eq!(settled(&events, questions(&events)[0].id), Some(by_schema));
}

async fn a_tool_of_the_host_that_takes_too_long_is_an_error(real: Real) {
    let pool = Pool::new().expect("a pool");
    let timeouts = Timeouts {
        request: Duration::from_millis(100),
        ..Timeouts::default()
    };
    let options = SessionOptions {
        timeouts: Some(timeouts),
        ..with_tool(&real)
    };
    let session = pool.open(options).expect("a session");
    let said = answer(&session, &calling(&real, &json!({"id": "ABC-1"}))).await;
    assert!(said.contains("did not answer in time"), "{said}");
    let events = closed(&session).await;
    let late = (Resolution::Answered, ResolvedBy::Deadline, None);
    assert_eq!(settled(&events, questions(&events)[0].id), Some(late));
}

async fn a_tool_of_the_host_that_is_denied_is_an_error(real: Real) {
    let pool = Pool::new().expect("a pool");
    let session = pool.open(with_tool(&real)).expect("a session");
    let prompt = calling(&real, &json!({"id": "ABC-1"}));
    let (_, turn) = answered(&session, &prompt, no("not for you")).await;
    let said = turn.result().await.expect("a good end").text;
    assert!(said.contains("not for you"), "{said}");
    closed(&session).await;
}

/// What the host's own tools may do is the host's to judge.
async fn tools_of_the_host_need_no_permission(real: Real) {
    let pool = Pool::new().expect("a pool");
    let options = SessionOptions {
        read_only: true,
        ..with_tool(&real)
    };
    let session = pool.open(options).expect("a session");
    let prompt = calling(&real, &json!({"id": "ABC-1"}));
    let (_, turn) = answered(&session, &prompt, result("it is open", false)).await;
    let said = turn.result().await.expect("a good end").text;
    assert!(said.contains("it is open"), "{said}");
    let events = closed(&session).await;
    assert_eq!(questions(&events).len(), 1);
}
