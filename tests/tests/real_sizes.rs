//! The main promise, with the real agents: what is large arrives whole.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a test looks at few of many events"
)]

use std::collections::BTreeMap;

use remuda::config::{McpServer, Persistent};
use remuda::event::ToolKind;
use remuda::{Body, Pool, SessionOptions};
use remuda_tests::{Agent, Real, answer, closed, read_until, with_real_agents};
use serde_json::{Value, json};

const SIZE: usize = 10_000_000;

with_real_agents! {
    an_answer_of_ten_megabytes_arrives_whole
    a_slow_reader_loses_nothing
    a_message_of_a_megabyte_arrives_whole
    a_tool_result_of_ten_megabytes_arrives_whole
    tools_of_the_hosts_servers_work
}

async fn an_answer_of_ten_megabytes_arrives_whole(real: Real) {
    let prompt = format!(r#"MODEL:[{{"bytes":{SIZE}}}]"#);
    for persistent in [Persistent::Auto, Persistent::Never] {
        let pool = Pool::builder().log_bytes(64usize << 20);
        let pool = pool.build().expect("a pool");
        let options = SessionOptions {
            persistent,
            ..real.options()
        };
        let session = pool.open(options).expect("a session");
        let result = answer(&session, &prompt).await;
        assert_eq!(result.len(), SIZE);
        let events = closed(&session).await;
        let (mut pieces, mut messages) = (String::new(), Vec::new());
        for event in &events {
            match &event.body {
                Body::TextDelta { text, .. } => pieces.push_str(text),
                Body::Message { text, .. } => messages.push(text),
                _ => {}
            }
        }
        assert!(messages == [&result], "the message is the result");
        if persistent == Persistent::Auto {
            assert!(pieces == result, "the pieces are the result");
        }
    }
}

async fn a_slow_reader_loses_nothing(real: Real) {
    let pool = Pool::builder().log_bytes(64usize << 10);
    let pool = pool.build().expect("a pool");
    let session = pool.open(real.options()).expect("a session");
    let mut reader = session.events(1);
    let mut turn = session
        .send(r#"MODEL:[{"bytes":2000000}]"#)
        .expect("a turn");
    read_until(&mut turn, |body| matches!(body, Body::TextDelta { .. })).await;
    // Until it goes on, nobody reads, and the agent waits.
    let whole = async {
        let (mut pieces, mut message) = (0, 0);
        let mut seq = 0;
        while let Some(event) = reader.next().await {
            assert_eq!(event.seq, seq + 1, "{:?}", event.kind());
            seq = event.seq;
            match &event.body {
                Body::TextDelta { text, .. } => pieces += text.len(),
                Body::Message { text, .. } => message = text.len(),
                body if body.kind().is_turn_end() => break,
                _ => {}
            }
        }
        (pieces, message)
    };
    let (result, whole) = tokio::join!(turn.result(), whole);
    assert_eq!(whole, (2_000_000, 2_000_000));
    assert_eq!(result.expect("a good end").text.len(), 2_000_000);
    drop(reader);
    session.closed().await;
}

async fn a_message_of_a_megabyte_arrives_whole(real: Real) {
    let pool = Pool::new().expect("a pool");
    let session = pool.open(real.options()).expect("a session");
    let message = format!("{} marker-end", "word ".repeat(200_000));
    assert_eq!(answer(&session, &message).await, "turn 1");
    let recalled = answer(&session, r#"MODEL:[{"recall":"marker-"}]"#).await;
    assert_eq!(recalled, "marker-end");
    closed(&session).await;
}

async fn a_tool_result_of_ten_megabytes_arrives_whole(real: Real) {
    let pool = Pool::builder().log_bytes(128usize << 20);
    let pool = pool.build().expect("a pool");
    let session = pool.open(real.options()).expect("a session");
    let file = real.project().join("large.txt");
    let content = "0123456789abcdef\n".repeat(SIZE / 17) + "the end\n";
    std::fs::write(&file, &content).expect("a large file");
    // Commands' output is cut by both agents; what edits replaced is not.
    let script = match real.agent() {
        Agent::Claude => json!([
            {"tool": "Read", "input": {"file_path": file, "limit": 1}},
            {"tool": "Edit", "input": {"file_path": file, "old_string": "the end", "new_string": "over"}},
            "done",
        ]),
        Agent::Codex => {
            let patch = "*** Begin Patch\n*** Delete File: large.txt\n*** End Patch\n";
            json!([{"tool": "apply_patch", "input": patch}, "done"])
        }
    };
    assert_eq!(answer(&session, &format!("MODEL:{script}")).await, "done");
    let arrived = closed(&session)
        .await
        .iter()
        .any(|event| match (real.agent(), &event.body) {
            (Agent::Claude, Body::ToolResult { output, .. }) => {
                let output = output.as_ref().map_or("null", |output| output.get());
                let output: Value = serde_json::from_str(output).expect("it is JSON");
                output["originalFile"] == content
            }
            (Agent::Codex, Body::FileChange { changes, .. }) => changes[0].diff == content,
            _ => false,
        });
    assert!(arrived, "what was there before the edit");
}

async fn tools_of_the_hosts_servers_work(real: Real) {
    const BYTES: usize = 20_000;
    let server = McpServer::Stdio {
        command: env!("CARGO_BIN_EXE_mcp-bytes").to_owned(),
        args: vec![],
        env: BTreeMap::new(),
    };
    let mut options = real.options();
    options.mcp_servers.insert("bytes".to_owned(), server);
    if real.agent() == Agent::Codex {
        // With others, the model has to look for the tool first.
        options.model = Some("gpt-6.1-sol".to_owned());
    }
    let pool = Pool::new().expect("a pool");
    let session = pool.open(options).expect("a session");
    let prompt =
        format!(r#"MODEL:[{{"tool":"mcp__bytes__make","input":{{"bytes":{BYTES}}}}},"seen"]"#);
    assert_eq!(answer(&session, &prompt).await, "seen");
    let events = closed(&session).await;
    let mut call = None;
    let mut result = None;
    for event in &events {
        match &event.body {
            Body::ToolUse { id, kind, .. } => call = Some((id, *kind)),
            Body::ToolResult {
                id, is_error, text, ..
            } => result = Some((id, *is_error, text)),
            _ => {}
        }
    }
    let (id, kind) = call.expect("a call");
    assert_eq!(kind, ToolKind::Mcp);
    let text = "x".repeat(BYTES);
    assert!(result == Some((id, false, &text)), "{result:.200?}");
}
