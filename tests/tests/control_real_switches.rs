//! Turn control, with the real agents: what is changed while the session is open holds from the next
//! call of the model on, and the answer says how.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a test looks at few of many events"
)]

use std::collections::BTreeMap;

use remuda::config::{McpServer, PermissionMode};
use remuda::event::Changed;
use remuda::request::Scope;
use remuda::{Body, Change, Feature, Pool, Session, SessionOptions};
use remuda_tests::{
    Agent, Real, answer, answered, closed, model, questions, read_until, started, with_real_agents,
    yes,
};
use serde_json::json;

with_real_agents! {
    another_model_answers_from_now_on
    another_effort_holds_from_now_on
    another_permission_mode_holds_from_now_on
    everything_can_be_permitted
    a_mode_that_allows_less_holds_from_now_on
    other_mcp_servers_are_there_from_now_on
    a_change_in_a_turn_holds_for_the_next_one
    without_a_process_a_change_holds_for_the_next_one_that_starts;
    claude:
    another_thinking_budget_holds_from_now_on;
    one_shot_claude:
    one_shot_turns_take_changes_too;
    one_shot_codex:
    one_shot_turns_take_changes_too
}

/// How a change is made while no turn runs.
fn expected(real: &Real, feature: Feature) -> Changed {
    if real.can(feature) {
        Changed::Live
    } else {
        Changed::Recycled
    }
}

/// Another model that the agent knows.
fn other_model(real: &Real) -> &'static str {
    match real.agent() {
        Agent::Claude => "claude-opus-4-6",
        Agent::Codex => "gpt-5.4",
    }
}

/// Checks after a change how many processes there were.
async fn check_processes(session: &Session, how: Changed) {
    let processes = if how == Changed::Live { 1 } else { 2 };
    let events = closed(session).await;
    assert_eq!(started(&events).len(), processes, "{how:?}");
    let told: Vec<_> = events
        .iter()
        .filter_map(|event| match &event.body {
            Body::SettingsChanged { how, .. } => Some(*how),
            _ => None,
        })
        .collect();
    assert_eq!(told, [how]);
}

async fn another_model_answers_from_now_on(real: Real) {
    let pool = Pool::new().expect("a pool");
    let session = pool.open(real.options()).expect("a session");
    answer(&session, "keep marker-red").await;
    let change = Change {
        model: Some(other_model(&real).to_owned()),
        ..Change::default()
    };
    let how = session.change(change).await.expect("it is changed");
    assert_eq!(how, expected(&real, Feature::ChangeModel));
    let said = answer(&session, r#"MODEL:[{"recall":"marker-"}]"#).await;
    assert_eq!(said, "marker-red");
    let calls = real.api().calls();
    let last = calls.last().expect("a call");
    assert_eq!(last.model, other_model(&real));
    assert_ne!(calls[0].model, last.model);
    check_processes(&session, how).await;
}

async fn another_effort_holds_from_now_on(real: Real) {
    let pool = Pool::new().expect("a pool");
    let options = SessionOptions {
        effort: Some("low".to_owned()),
        ..real.options()
    };
    let session = pool.open(options).expect("a session");
    answer(&session, "hello").await;
    let change = Change {
        effort: Some("high".to_owned()),
        ..Change::default()
    };
    let how = session.change(change).await.expect("it is changed");
    assert_eq!(how, expected(&real, Feature::ChangeEffort));
    answer(&session, "hello").await;
    let efforts: Vec<_> = real.api().calls().into_iter().map(|c| c.effort).collect();
    assert_eq!(efforts, [Some("low".to_owned()), Some("high".to_owned())]);
    check_processes(&session, how).await;
}

/// Codex has none.
async fn another_thinking_budget_holds_from_now_on(real: Real) {
    let pool = Pool::new().expect("a pool");
    let options = SessionOptions {
        model: Some("claude-haiku-4-5".to_owned()),
        thinking_budget: Some(2000),
        ..real.options()
    };
    let session = pool.open(options).expect("a session");
    answer(&session, "hello").await;
    let change = Change {
        thinking_budget: Some(4000),
        ..Change::default()
    };
    let how = session.change(change).await.expect("it is changed");
    assert_eq!(how, expected(&real, Feature::ChangeThinkingBudget));
    answer(&session, "hello").await;
    let calls = real.api().calls();
    let budgets: Vec<_> = calls.iter().map(|call| call.thinking_budget).collect();
    assert_eq!(budgets, [Some(2000), Some(4000)]);
    check_processes(&session, how).await;
}

async fn another_permission_mode_holds_from_now_on(real: Real) {
    let pool = Pool::new().expect("a pool");
    let session = pool.open(real.answering()).expect("a session");
    let prompt = |name: &str| model(&json!([real.edit(name, "made"), "done"]));
    let (_, turn) = answered(&session, &prompt("asked.txt"), yes(Scope::Once)).await;
    turn.result().await.expect("a good end");
    let change = Change {
        permission_mode: Some(PermissionMode::AcceptEdits),
        ..Change::default()
    };
    let how = session.change(change).await.expect("it is changed");
    assert_eq!(how, expected(&real, Feature::ChangePermissionMode));
    assert_eq!(answer(&session, &prompt("unasked.txt")).await, "done");
    assert!(real.project().join("unasked.txt").exists());
    check_processes(&session, how).await;
    let mut reader = session.events(1);
    let mut events = Vec::new();
    while let Some(event) = reader.next().await {
        events.push(event);
    }
    assert_eq!(questions(&events).len(), 1);
}

/// Claude Code takes this mode only when it starts: then the process is replaced.
async fn everything_can_be_permitted(real: Real) {
    let pool = Pool::new().expect("a pool");
    let session = pool.open(real.asking()).expect("a session");
    answer(&session, "keep marker-red").await;
    let change = Change {
        permission_mode: Some(PermissionMode::BypassPermissions),
        ..Change::default()
    };
    let how = session.change(change).await.expect("it is changed");
    let runs = r#"MODEL:[{"shell":"touch made.txt"},{"recall":"marker-"}]"#;
    assert_eq!(answer(&session, runs).await, "marker-red");
    assert!(real.project().join("made.txt").exists());
    check_processes(&session, how).await;
}

async fn a_mode_that_allows_less_holds_from_now_on(real: Real) {
    let pool = Pool::new().expect("a pool");
    let session = pool.open(real.options()).expect("a session");
    let prompt = model(&json!([{"shell": "touch made.txt"}, "done"]));
    assert_eq!(answer(&session, &prompt).await, "done");
    let made = real.project().join("made.txt");
    std::fs::remove_file(&made).expect("it was made");
    for mode in [PermissionMode::Plan, PermissionMode::ReadOnly] {
        let change = Change {
            permission_mode: Some(mode),
            ..Change::default()
        };
        session.change(change).await.expect("it is changed");
        assert_eq!(answer(&session, &prompt).await, "done");
        assert!(!made.exists(), "{mode:?}");
    }
    closed(&session).await;
}

async fn other_mcp_servers_are_there_from_now_on(real: Real) {
    let pool = Pool::new().expect("a pool");
    let mut options = real.options();
    if real.agent() == Agent::Codex {
        // With others, the model has to look for the tool first.
        options.model = Some("gpt-6.1-sol".to_owned());
    }
    let session = pool.open(options).expect("a session");
    answer(&session, "keep marker-red").await;
    let server = McpServer::Stdio {
        command: env!("CARGO_BIN_EXE_mcp-bytes").to_owned(),
        args: vec![],
        env: BTreeMap::new(),
    };
    let change = Change {
        mcp_servers: Some(BTreeMap::from([("bytes".to_owned(), server)])),
        ..Change::default()
    };
    let how = session.change(change).await.expect("it is changed");
    assert_eq!(how, expected(&real, Feature::ChangeMcpServers));
    let call = json!({"tool": "mcp__bytes__make", "input": {"bytes": 5}});
    let said = answer(&session, &model(&json!([call, {"echo": "result"}]))).await;
    assert!(said.contains("xxxxx"), "{said}");
    let said = answer(&session, r#"MODEL:[{"recall":"marker-"}]"#).await;
    assert_eq!(said, "marker-red");
    check_processes(&session, how).await;
}

async fn a_change_in_a_turn_holds_for_the_next_one(real: Real) {
    let pool = Pool::new().expect("a pool");
    let session = pool.open(real.options()).expect("a session");
    let prompt = r#"MODEL:[{"shell":"until [ -e go ]; do sleep 0.05; done"},"done"]"#;
    let mut turn = session.send(prompt).expect("a turn");
    read_until(&mut turn, |body| matches!(body, Body::ToolUse { .. })).await;
    let change = Change {
        model: Some(other_model(&real).to_owned()),
        mcp_servers: Some(BTreeMap::new()),
        ..Change::default()
    };
    let how = session.change(change).await.expect("it is changed");
    let mcp = expected(&real, Feature::ChangeMcpServers);
    let live = mcp == Changed::Live && expected(&real, Feature::ChangeModel) == Changed::Live;
    assert_eq!(
        how,
        if live {
            Changed::Live
        } else {
            Changed::AfterTurn
        }
    );
    std::fs::write(real.project().join("go"), "").expect("a file");
    assert_eq!(turn.result().await.expect("a good end").text, "done");
    answer(&session, "hello").await;
    let calls = real.api().calls();
    assert_eq!(calls.last().expect("a call").model, other_model(&real));
    check_processes(&session, how).await;
}

async fn without_a_process_a_change_holds_for_the_next_one_that_starts(real: Real) {
    let pool = Pool::new().expect("a pool");
    let session = pool.open(real.options()).expect("a session");
    let change = Change {
        model: Some(other_model(&real).to_owned()),
        ..Change::default()
    };
    let how = session.change(change).await.expect("it is changed");
    assert_eq!(how, Changed::NextProcess);
    answer(&session, "hello").await;
    assert_eq!(real.api().calls()[0].model, other_model(&real));
    closed(&session).await;
}

async fn one_shot_turns_take_changes_too(real: Real) {
    let pool = Pool::new().expect("a pool");
    let session = pool.open(real.options()).expect("a session");
    answer(&session, "hello").await;
    let change = Change {
        model: Some(other_model(&real).to_owned()),
        effort: Some("high".to_owned()),
        ..Change::default()
    };
    let how = session.change(change).await.expect("it is changed");
    assert_eq!(how, Changed::NextProcess);
    answer(&session, "hello").await;
    let calls = real.api().calls();
    let last = calls.last().expect("a call");
    assert_eq!(last.model, other_model(&real));
    assert_eq!(last.effort.as_deref(), Some("high"));
    closed(&session).await;
}
