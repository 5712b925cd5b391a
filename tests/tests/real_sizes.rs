//! The main promise, with the real agents: what is large arrives whole.

use std::collections::BTreeMap;

use remuda::config::{McpServer, Persistent};
use remuda::event::ToolKind;
use remuda::{Body, Pool, SessionOptions};
use remuda_tests::{Real, answer, closed, with_real_agents};

const SIZE: usize = 10_000_000;

with_real_agents! {
    an_answer_of_ten_megabytes_arrives_whole
    a_message_of_a_megabyte_arrives_whole
    a_tool_result_of_ten_megabytes_arrives_whole
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
    let server = McpServer::Stdio {
        command: env!("CARGO_BIN_EXE_mcp-bytes").to_owned(),
        args: vec![],
        env: BTreeMap::new(),
    };
    let mut options = real.options();
    options.mcp_servers.insert("bytes".to_owned(), server);
    // Claude Code cuts what a tool gives, unless it is allowed more.
    let name = "MAX_MCP_OUTPUT_TOKENS".to_owned();
    options.environment.set.insert(name, "100000000".to_owned());
    let session = pool.open(options).expect("a session");
    println!("{}", answer(&session, r#"MODEL:[{"echo":"tools"}]"#).await);
    let prompt =
        format!(r#"MODEL:[{{"tool":"mcp__bytes__make","input":{{"bytes":{SIZE}}}}},"seen"]"#);
    assert_eq!(answer(&session, &prompt).await, "seen");
    let events = closed(&session).await;
    let mut calls = Vec::new();
    let mut results = Vec::new();
    for event in &events {
        match &event.body {
            Body::ToolUse { id, kind, .. } => calls.push((id.clone(), *kind)),
            Body::ToolResult {
                id,
                is_error,
                text,
                output,
                ..
            } => {
                println!(
                    "{is_error} text {} output {:?} {:.500}",
                    text.len(),
                    output.as_ref().map(|o| o.get().len()),
                    text
                );
                results.push((id.clone(), text.len()));
            }
            _ => {}
        }
    }
    assert_eq!(calls.len(), 1, "{calls:?}");
    assert_eq!(calls[0].1, ToolKind::Mcp);
    assert_eq!(results, [(calls[0].0.clone(), SIZE)]);
}
