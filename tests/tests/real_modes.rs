//! The main promise, with the real agents: what options change, the same for both.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a test looks at few of many events"
)]

use std::path::Path;

use remuda::config::{PermissionMode, Persistent};
use remuda::event::{FileChangeKind, ToolKind};
use remuda::{Body, ErrorKind, Pool, SessionOptions};
use remuda_tests::{Agent, Real, answer, closed, look_for, with_real_agents};
use serde_json::json;

with_real_agents! {
    one_shot_turns_fail_as_warm_ones_do
    one_shot_turns_tell_of_tools_too
    a_reader_changes_nothing
    an_editor_edits_unasked
    a_turn_tells_of_everything_once_and_in_order
    any_text_comes_and_goes_unchanged
    a_tool_sees_the_project_and_not_the_host
}

async fn one_shot_turns_fail_as_warm_ones_do(real: Real) {
    let pool = Pool::new().expect("a pool");
    let mut options = SessionOptions {
        persistent: Persistent::Never,
        ..real.options()
    };
    let name = "CLAUDE_CODE_MAX_RETRIES".to_owned();
    options.environment.set.insert(name, "1".to_owned());
    let session = pool.open(options).expect("a session");
    answer(&session, "keep marker-red").await;
    let limit = match real.agent() {
        Agent::Claude => r#"MODEL:[{"error":429,"retry_after":0}]"#,
        Agent::Codex => r#"MODEL:[{"error":429,"kind":"usage_limit_reached"}]"#,
    };
    let failures = [
        (
            r#"MODEL:[{"error":400,"message":"no good"}]"#,
            ErrorKind::ModelError,
        ),
        (r#"MODEL:[{"error":401}]"#, ErrorKind::AccountError),
        (limit, ErrorKind::RateLimited),
    ];
    for (prompt, kind) in failures {
        let error = session.ask(prompt).await.expect_err("a failure");
        assert_eq!(error.kind(), Some(kind), "{error:?}");
    }
    let recalled = answer(&session, r#"MODEL:[{"recall":"marker-"}]"#).await;
    assert_eq!(recalled, "marker-red");
    closed(&session).await;

    let options = SessionOptions {
        resume: Some("01234567-89ab-4cde-8f01-23456789abcd".to_owned()),
        persistent: Persistent::Never,
        ..real.options()
    };
    let session = pool.open(options).expect("a session");
    let error = session.ask("hello").await.expect_err("no conversation");
    assert_eq!(error.kind(), Some(ErrorKind::ResumeFailed), "{error:?}");
    closed(&session).await;
}

async fn one_shot_turns_tell_of_tools_too(real: Real) {
    let pool = Pool::new().expect("a pool");
    let options = SessionOptions {
        persistent: Persistent::Never,
        ..real.options()
    };
    let session = pool.open(options).expect("a session");
    let said = answer(
        &session,
        r#"MODEL:[{"shell":"echo made-$((40+2))"},"seen"]"#,
    )
    .await;
    assert_eq!(said, "seen");
    let events = closed(&session).await;
    let mut calls = Vec::new();
    for event in &events {
        match &event.body {
            Body::ToolUse { id, kind, .. } => calls.push((id, *kind, String::new())),
            Body::ToolResult { id, text, .. } => {
                let call = calls.iter_mut().find(|call| call.0 == id);
                call.expect("its use came before").2.clone_from(text);
            }
            _ => {}
        }
    }
    assert_eq!(calls.len(), 1, "{calls:?}");
    assert_eq!(calls[0].1, ToolKind::Shell);
    assert!(calls[0].2.contains("made-42"), "{calls:?}");
}

/// A script that makes a file with the agent's own tool for that.
fn edit(agent: Agent, project: &Path) -> String {
    let script = match agent {
        Agent::Claude => {
            let input = json!({"file_path": project.join("made.txt"), "content": "made\n"});
            json!([{"tool": "Write", "input": input}, "done"])
        }
        Agent::Codex => {
            let patch = "*** Begin Patch\n*** Add File: made.txt\n+made\n*** End Patch\n";
            json!([{"tool": "apply_patch", "input": patch}, "done"])
        }
    };
    format!("MODEL:{script}")
}

async fn a_reader_changes_nothing(real: Real) {
    for mode in [PermissionMode::ReadOnly, PermissionMode::Plan] {
        for persistent in [Persistent::Auto, Persistent::Never] {
            let pool = Pool::new().expect("a pool");
            let options = SessionOptions {
                permission_mode: mode,
                persistent,
                ..real.asking()
            };
            let session = pool.open(options).expect("a session");
            let shell = r#"MODEL:[{"shell":"touch made.txt"},"done"]"#;
            assert_eq!(answer(&session, shell).await, "done");
            let edit = edit(real.agent(), &real.project());
            assert_eq!(answer(&session, &edit).await, "done");
            let made = real.project().join("made.txt").exists();
            assert!(!made, "{mode:?} {persistent:?}");
            closed(&session).await;
        }
    }
}

async fn an_editor_edits_unasked(real: Real) {
    let pool = Pool::new().expect("a pool");
    let options = SessionOptions {
        permission_mode: PermissionMode::AcceptEdits,
        ..real.asking()
    };
    let session = pool.open(options).expect("a session");
    let edit = edit(real.agent(), &real.project());
    assert_eq!(answer(&session, &edit).await, "done");
    let made = std::fs::read_to_string(real.project().join("made.txt"));
    assert_eq!(made.expect("it is made"), "made\n");
    let event = look_for(&session, |body| matches!(body, Body::FileChange { .. })).await;
    let Body::FileChange { changes, .. } = &event.body else {
        unreachable!("it was looked for");
    };
    assert_eq!(changes.len(), 1);
    assert!(changes[0].path.ends_with("made.txt"));
    assert_eq!(changes[0].kind, FileChangeKind::Add);
    assert!(changes[0].diff.contains("made"), "{changes:?}");
    let events = closed(&session).await;
    let asked = |body: &Body| matches!(body, Body::RequestOpened { .. });
    assert!(!events.iter().any(|event| asked(&event.body)));
}

async fn a_turn_tells_of_everything_once_and_in_order(real: Real) {
    let pool = Pool::new().expect("a pool");
    let session = pool.open(real.options()).expect("a session");
    let script = r#"MODEL:[
        [{"thinking":"let me see"},"I look.",{"shell":"echo one"},{"shell":"echo two"}],
        "Both are there."]"#;
    let mut turn = session.send_tagged(script, Some(7)).expect("a turn");
    let mut told = Vec::new();
    let (mut thought, mut pieces) = (String::new(), String::new());
    while let Some(event) = turn.next().await {
        match &event.body {
            Body::TurnStarted { tag, .. } => told.push(format!("start {tag:?}")),
            Body::ReasoningDelta { text, .. } => thought.push_str(text),
            Body::TextDelta { text, .. } => pieces.push_str(text),
            Body::Message { text, .. } => told.push(text.clone()),
            Body::ToolUse { title, .. } => {
                told.push(
                    if title.contains("one") {
                        "use one"
                    } else {
                        "use two"
                    }
                    .to_owned(),
                );
            }
            Body::ToolResult { text, is_error, .. } => {
                assert!(!is_error, "{text}");
                told.push(if text.contains("one") { "one" } else { "two" }.to_owned());
            }
            Body::TurnCompleted { .. } => told.push("end".to_owned()),
            _ => {}
        }
    }
    assert_eq!(thought.trim(), "let me see");
    assert_eq!(pieces, "I look.Both are there.");
    let tools = |told: &[String]| {
        let mut tools = told.to_vec();
        tools.sort();
        tools
    };
    // The two commands may run side by side.
    assert_eq!(told[..2], ["start Some(7)", "I look."]);
    assert_eq!(tools(&told[2..6]), ["one", "two", "use one", "use two"]);
    assert_eq!(told[6..], ["Both are there.", "end"]);
    closed(&session).await;
}

async fn any_text_comes_and_goes_unchanged(real: Real) {
    let pool = Pool::new().expect("a pool");
    let text = "häßlich 😀 👩‍👩‍👧 \u{2028}\u{2029}\u{85} \u{1}\u{7f} \\n \"quoted\" \r\n tab\t أهلا <b>&amp;</b> \u{feff}end";
    for persistent in [Persistent::Auto, Persistent::Never] {
        let options = SessionOptions {
            persistent,
            ..real.options()
        };
        let session = pool.open(options).expect("a session");
        let prompt = format!("MODEL:{}", json!([{"text": text, "chunk": 5}]));
        assert_eq!(answer(&session, &prompt).await, text);
        let prompt = "- marker-ä 😀 --help\n\u{2028}-x";
        answer(&session, prompt).await;
        let said = answer(&session, r#"MODEL:[{"recall":"marker-"}]"#).await;
        assert_eq!(said, "marker-ä");
        closed(&session).await;
    }
}

async fn a_tool_sees_the_project_and_not_the_host(real: Real) {
    let pool = Pool::new().expect("a pool");
    let session = pool.open(real.options()).expect("a session");
    let shell = "pwd -P > seen; env >> seen";
    let prompt = format!("MODEL:{}", json!([{"shell": shell}, "done"]));
    assert_eq!(answer(&session, &prompt).await, "done");
    let seen = std::fs::read_to_string(real.project().join("seen")).expect("a file");
    let project = real.project().canonicalize().expect("a folder");
    assert_eq!(seen.lines().next(), project.to_str());
    for leak in ["REMUDA_TEST", "CARGO"] {
        let leaks: Vec<_> = seen.lines().filter(|line| line.starts_with(leak)).collect();
        assert!(leaks.is_empty(), "{leaks:?}");
    }
    closed(&session).await;
}
