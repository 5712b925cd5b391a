//! Tools: one use, one result, and what comes between.

use serde_json::{Value, json};

use super::opened::{note, reply, shown};
use super::turns::{in_turn, text, tool};
use crate::event::{Body, FileChangeKind, ToolKind};
use crate::provider::acp;

#[test]
fn a_tool_is_shown_when_its_input_is_whole() {
    let mut player = in_turn(&acp::KIMI);
    player.line(&tool(
        "tool_call",
        &json!({"title": "Bash", "kind": "execute", "status": "pending", "content": text("")}),
    ));
    player.line(&tool(
        "tool_call_update",
        &json!({"status": "in_progress", "content": text("{\"command\": \"l")}),
    ));
    assert!(shown(&player).is_empty(), "arguments are no output");
    player.line(&tool(
        "tool_call_update",
        &json!({"title": "Running: ls", "rawInput": {"command": "ls"}}),
    ));
    player.line(&tool(
        "tool_call_update",
        &json!({"status": "completed", "content": text("a\n"), "rawOutput": "a\n"}),
    ));
    player.line(&tool("tool_call_update", &json!({"status": "failed"})));
    let bodies = shown(&player);
    let Body::ToolUse {
        name,
        kind,
        title,
        input,
        ..
    } = bodies[0]
    else {
        panic!("{bodies:?}");
    };
    assert_eq!(
        (name.as_str(), *kind, title.as_str()),
        ("Bash", ToolKind::Shell, "Running: ls")
    );
    assert_eq!(input.get(), r#"{"command":"ls"}"#);
    assert!(matches!(bodies[1], Body::ToolResult { is_error: false, text, .. } if text == "a\n"));
    assert_eq!(bodies.len(), 2, "one result, whatever the agent says later");
}

#[test]
fn repeated_output_is_shown_once() {
    let mut player = in_turn(&acp::OPENCODE);
    let update = |members: Value| tool("tool_call_update", &members);
    player.line(&tool("tool_call", &json!({"title": "bash", "kind": "execute", "status": "pending", "rawInput": {"cwd": "/project"}})));
    player.line(&update(
        json!({"status": "in_progress", "title": "make", "rawInput": {"command": "make"}}),
    ));
    for output in ["one\n", "one\ntwo\n", "other", "other thing"] {
        player.line(&update(
            json!({"status": "in_progress", "content": text(output)}),
        ));
    }
    player.line(&update(json!({"status": "completed", "content": text("end"), "rawOutput": {"output": "end", "metadata": {"exit": 3}}})));
    let pieces: Vec<_> = shown(&player)
        .into_iter()
        .filter_map(|body| match body {
            Body::ToolOutputDelta { text, .. } => Some(text.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(pieces, ["one\n", "two\n", " thing"]);
    let result = shown(&player).into_iter().last();
    assert!(
        matches!(result, Some(Body::ToolResult { is_error: true, text, .. }) if text == "end"),
        "an exit code tells what the status does not: {result:?}"
    );
}

#[test]
fn changes_of_files_come_with_the_result() {
    let mut player = in_turn(&acp::ANY);
    let diff = json!([
        {"type": "diff", "path": "/a", "oldText": "1\n", "newText": "2\n"},
        {"type": "diff", "path": "/b", "oldText": null, "newText": "n"},
        {"type": "diff", "path": "/c", "oldText": "o", "newText": "", "_meta": {"kind": "delete"}},
    ]);
    player.line(&tool(
        "tool_call",
        &json!({"title": "Edit", "kind": "edit", "status": "in_progress", "content": diff}),
    ));
    player.line(&tool("tool_call_update", &json!({"status": "completed"})));
    let bodies = shown(&player);
    let Body::FileChange { changes, .. } = bodies[1] else {
        panic!("{bodies:?}");
    };
    let seen: Vec<_> = changes
        .iter()
        .map(|c| (c.path.as_str(), c.kind, c.diff.as_str()))
        .collect();
    assert_eq!(
        seen,
        [
            ("/a", FileChangeKind::Update, "@@ -1,1 +1,1 @@\n-1\n+2\n"),
            ("/b", FileChangeKind::Add, "n"),
            ("/c", FileChangeKind::Delete, "o"),
        ]
    );
}

#[test]
fn the_end_of_a_turn_ends_its_tools() {
    let mut player = in_turn(&acp::CODEX_ACP);
    player.line(&tool("tool_call", &json!({"title": "sleep", "kind": "execute", "status": "in_progress", "rawInput": {"command": "sleep"}})));
    let meta = json!({"_meta": {"terminal_output_delta": {"data": "a\n", "terminal_id": "t"}}});
    player.line(&tool("tool_call_update", &meta));
    reply(&mut player, json!({"stopReason": "cancelled"}));
    let bodies = shown(&player);
    assert!(matches!(bodies[1], Body::ToolOutputDelta { text, .. } if text == "a\n"));
    assert!(matches!(bodies[2], Body::ToolResult { is_error: true, text, .. } if text == "a\n"));
}

#[test]
fn an_input_that_grows_is_shown_when_the_agent_speaks_of_something_else() {
    let mut player = in_turn(&acp::CLAUDE_ACP);
    player.line(&tool(
        "tool_call",
        &json!({"name": "Bash", "status": "pending", "rawInput": {}}),
    ));
    for input in [
        json!({"command": "l"}),
        json!({"command": "ls", "description": "d"}),
    ] {
        player.line(&tool("tool_call_update", &json!({"rawInput": input})));
        assert!(shown(&player).is_empty());
    }
    player.line(&note("usage_update", json!({"used": 1, "size": 2})));
    let Body::ToolUse { input, .. } = shown(&player)[0] else {
        panic!("{:?}", shown(&player));
    };
    assert_eq!(input.get(), r#"{"command":"ls","description":"d"}"#);
}
