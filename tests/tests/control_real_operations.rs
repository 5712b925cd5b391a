//! Turn control, with the real agents: what can be done with a conversation beside talking.

use std::collections::BTreeMap;

use remuda::config::McpServer;
use remuda::event::{CompactionPhase, TurnOrigin};
use remuda::{Body, ErrorKind, EventKind, Feature, Operation, Pool, Session, SessionOptions};
use remuda_tests::{
    Agent, Real, answer, closed, look_for, model, pids_in, read_until, runs, started, wait_until,
    with_real_agents,
};
use serde_json::{Value, json};

const RECALL: &str = r#"MODEL:[{"recall":"marker-"}]"#;

with_real_agents! {
    a_conversation_is_compacted
    models_are_listed
    commands_are_listed
    mcp_servers_tell_their_state
    the_context_tells_how_full_it_is
    background_commands_are_listed_and_one_is_ended
    background_commands_are_all_ended
    a_conversation_goes_back
    a_conversation_does_not_go_back_to_where_it_never_was
    an_operation_needs_no_turn_before_it
    what_the_agent_cannot_do_is_refused;
    claude:
    a_conversation_that_went_back_is_there_in_every_later_process
    a_conversation_goes_back_behind_a_turn_that_was_interrupted;
    codex:
    a_conversation_goes_on_twice;
    one_shot_claude:
    what_the_agent_cannot_do_is_refused;
    one_shot_codex:
    what_the_agent_cannot_do_is_refused
}

/// Does it, and reads what it gives.
async fn operate(session: &Session, operation: Operation) -> Value {
    let given = session.operate(operation.clone()).await;
    let given = given.unwrap_or_else(|error| panic!("{operation:?}: {error}"));
    serde_json::from_str(given.get()).expect("JSON")
}

async fn a_conversation_is_compacted(real: Real) {
    let pool = Pool::new().expect("a pool");
    let session = pool.open(real.options()).expect("a session");
    answer(&session, "keep marker-red").await;
    operate(&session, Operation::Compact {}).await;
    let done = CompactionPhase::Completed;
    let compacted = look_for(
        &session,
        |body| matches!(body, Body::Compaction { phase, .. } if *phase == done),
    );
    compacted.await;
    answer(&session, "hello").await;
    let events = closed(&session).await;
    assert_eq!(started(&events).len(), 1, "the process is the same");
    if real.agent() == Agent::Codex {
        let own = |body: &Body| {
            let agent = TurnOrigin::Agent;
            matches!(body, Body::TurnStarted { origin, .. } if *origin == agent)
        };
        let own = events.iter().filter(|event| own(&event.body));
        assert_eq!(own.count(), 1, "it is a turn of the agent's own");
    }
}

async fn models_are_listed(real: Real) {
    let pool = Pool::new().expect("a pool");
    let session = pool.open(real.options()).expect("a session");
    let given = operate(&session, Operation::ListModels {}).await;
    let models = given["models"].as_array().expect("a list");
    assert!(!models.is_empty());
    for model in models {
        for member in ["id", "name", "description"] {
            assert!(model[member].is_string(), "{member}: {model}");
        }
    }
    closed(&session).await;
}

async fn commands_are_listed(real: Real) {
    let (folder, file) = match real.agent() {
        Agent::Claude => (".claude/commands", "greet.md"),
        Agent::Codex => (".agents/skills/greet", "SKILL.md"),
    };
    let folder = real.project().join(folder);
    std::fs::create_dir_all(&folder).expect("a folder");
    let text = "---\nname: greet\ndescription: Says hello\n---\nSay hello.\n";
    std::fs::write(folder.join(file), text).expect("a file");
    let pool = Pool::new().expect("a pool");
    let session = pool.open(real.options()).expect("a session");
    let given = operate(&session, Operation::ListCommands {}).await;
    let commands = given["commands"].as_array().expect("a list");
    let greet = commands.iter().find(|command| command["name"] == "greet");
    let greet = greet.unwrap_or_else(|| panic!("{commands:?}"));
    let description = greet["description"].as_str().expect("a text");
    assert!(description.starts_with("Says hello"), "{greet}");
    closed(&session).await;
}

async fn mcp_servers_tell_their_state(real: Real) {
    let pool = Pool::new().expect("a pool");
    let server = McpServer::Stdio {
        command: env!("CARGO_BIN_EXE_mcp-bytes").to_owned(),
        args: vec![],
        env: BTreeMap::new(),
    };
    let options = SessionOptions {
        mcp_servers: BTreeMap::from([("bytes".to_owned(), server)]),
        ..real.options()
    };
    let session = pool.open(options).expect("a session");
    answer(&session, "hello").await;
    let given = operate(&session, Operation::McpStatus {}).await;
    let servers = given["servers"].as_array().expect("a list");
    let [server] = &servers[..] else {
        panic!("one server: {servers:?}");
    };
    assert_eq!(server["name"], "bytes");
    assert!(server["status"].is_string(), "{server}");
    closed(&session).await;
}

async fn the_context_tells_how_full_it_is(real: Real) {
    let pool = Pool::new().expect("a pool");
    let session = pool.open(real.options()).expect("a session");
    answer(&session, "hello").await;
    let given = operate(&session, Operation::ContextUsage {}).await;
    let tokens = |member: &str| given[member].as_u64().expect("a number");
    assert!(tokens("used_tokens") > 0, "{given}");
    assert!(tokens("window_tokens") > tokens("used_tokens"), "{given}");
    closed(&session).await;
}

/// The agent's id of the last turn.
async fn last_turn(session: &Session) -> String {
    let mut reader = session.events(1);
    let mut last = None;
    let end = session.snapshot().next_seq;
    while let Some(event) = reader.next().await {
        if let Body::Status { state, message } = &event.body
            && state == "turn_id"
        {
            last = Some(message.clone());
        }
        if event.seq + 1 == end {
            break;
        }
    }
    last.expect("it is told")
}

async fn a_conversation_goes_back(real: Real) {
    let pool = Pool::new().expect("a pool");
    let session = pool.open(real.options()).expect("a session");
    answer(&session, "keep marker-red").await;
    answer(&session, "keep marker-green").await;
    let before = last_turn(&session).await;
    assert_eq!(answer(&session, RECALL).await, "marker-red marker-green");
    operate(&session, Operation::Rewind { before }).await;
    assert_eq!(answer(&session, RECALL).await, "marker-red");
    let events = closed(&session).await;
    let processes = match real.agent() {
        Agent::Claude => 2,
        Agent::Codex => 1,
    };
    assert_eq!(started(&events).len(), processes);
}

async fn a_conversation_does_not_go_back_to_where_it_never_was(real: Real) {
    let pool = Pool::new().expect("a pool");
    let session = pool.open(real.options()).expect("a session");
    answer(&session, "keep marker-red").await;
    answer(&session, "keep marker-green").await;
    let before = "00000000-0000-4000-8000-000000000000".to_owned();
    let refused = session.operate(Operation::Rewind { before }).await;
    let refused = refused.expect_err("there is no such turn");
    assert_eq!(refused.kind(), ErrorKind::InvalidArgument, "{refused}");
    assert_eq!(answer(&session, RECALL).await, "marker-red marker-green");
    closed(&session).await;
}

/// Also when the process that went back is gone before anything was said in it.
async fn a_conversation_that_went_back_is_there_in_every_later_process(real: Real) {
    let idle = std::time::Duration::from_millis(100);
    let pool = Pool::builder().idle_timeout(idle).build().expect("a pool");
    let session = pool.open(real.options()).expect("a session");
    answer(&session, "keep marker-red").await;
    answer(&session, "keep marker-green").await;
    let before = last_turn(&session).await;
    operate(&session, Operation::Rewind { before }).await;
    let from = session.snapshot().next_seq;
    let mut reader = session.events(from);
    while let Some(event) = reader.next().await {
        if event.kind() == EventKind::ProcessStopped {
            break;
        }
    }
    assert_eq!(answer(&session, RECALL).await, "marker-red");
    let resume = session.snapshot().provider_session_id;
    closed(&session).await;
    let other = Pool::new().expect("a pool");
    let options = SessionOptions {
        resume,
        ..real.options()
    };
    let session = other.open(options).expect("a session");
    assert_eq!(answer(&session, RECALL).await, "marker-red");
    closed(&session).await;
}

async fn a_conversation_goes_back_behind_a_turn_that_was_interrupted(real: Real) {
    let pool = Pool::new().expect("a pool");
    let session = pool.open(real.options()).expect("a session");
    let prompt = model(&json!([{"shell": "echo on; sleep 1000"}, "never"]));
    let mut turn = session.send(prompt + " marker-red").expect("a turn");
    read_until(&mut turn, |body| matches!(body, Body::ToolUse { .. })).await;
    turn.interrupt().await.expect("a receipt");
    turn.result().await.expect_err("it was interrupted");
    answer(&session, "keep marker-green").await;
    let before = last_turn(&session).await;
    operate(&session, Operation::Rewind { before }).await;
    assert_eq!(answer(&session, RECALL).await, "marker-red");
    closed(&session).await;
}

async fn a_conversation_goes_on_twice(real: Real) {
    let pool = Pool::new().expect("a pool");
    let session = pool.open(real.options()).expect("a session");
    answer(&session, "keep marker-red").await;
    let given = operate(&session, Operation::Fork {}).await;
    let fork = given["provider_session_id"].as_str().expect("an id");
    assert_ne!(
        session.snapshot().provider_session_id.as_deref(),
        Some(fork)
    );
    let options = SessionOptions {
        resume: Some(fork.to_owned()),
        ..real.options()
    };
    let other = pool.open(options).expect("a session");
    answer(&other, "keep marker-blue").await;
    answer(&session, "keep marker-green").await;
    assert_eq!(answer(&other, RECALL).await, "marker-red marker-blue");
    assert_eq!(answer(&session, RECALL).await, "marker-red marker-green");
    closed(&other).await;
    closed(&session).await;
}

/// Starts commands that outlive their turn, and returns their pids.
async fn background(real: &Real, session: &Session, count: usize) -> Vec<u32> {
    for _ in 0..count {
        let with = match real.agent() {
            Agent::Claude => json!({"run_in_background": true}),
            Agent::Codex => json!({"yield_time_ms": 250}),
        };
        let command = "echo $$ >> pids; sleep 1000";
        let prompt = model(&json!([{"shell": command, "with": with}, "it runs"]));
        assert_eq!(answer(session, &prompt).await, "it runs");
    }
    let file = real.project().join("pids");
    wait_until("they run", || pids_in(&file).len() == count);
    pids_in(&file)
}

async fn tasks(session: &Session) -> Vec<Value> {
    let given = operate(session, Operation::ListTasks {}).await;
    given["tasks"].as_array().expect("a list").clone()
}

async fn background_commands_are_listed_and_one_is_ended(real: Real) {
    let pool = Pool::new().expect("a pool");
    let session = pool.open(real.options()).expect("a session");
    let pids = background(&real, &session, 2).await;
    let listed = tasks(&session).await;
    assert_eq!(listed.len(), 2, "{listed:?}");
    for task in &listed {
        let title = task["title"].as_str().expect("a title");
        match real.agent() {
            // The model's words for it.
            Agent::Claude => assert_eq!(title, "Run a scripted command"),
            Agent::Codex => assert!(title.contains("sleep 1000"), "{task}"),
        }
    }
    let task = listed[0]["id"].as_str().map(str::to_owned);
    operate(&session, Operation::StopTasks { task }).await;
    let count = || pids.iter().filter(|pid| runs(**pid)).count();
    wait_until("one is ended", || count() == 1);
    let left = tasks(&session).await;
    assert_eq!(left.len(), 1, "{left:?}");
    assert_eq!(left[0]["id"], listed[1]["id"]);
    assert_eq!(count(), 1, "the other goes on");
    closed(&session).await;
}

async fn background_commands_are_all_ended(real: Real) {
    let pool = Pool::new().expect("a pool");
    let session = pool.open(real.options()).expect("a session");
    let pids = background(&real, &session, 2).await;
    operate(&session, Operation::StopTasks { task: None }).await;
    wait_until("all are ended", || !pids.iter().any(|pid| runs(*pid)));
    assert_eq!(tasks(&session).await, [] as [Value; 0]);
    closed(&session).await;
}

async fn an_operation_needs_no_turn_before_it(real: Real) {
    let pool = Pool::new().expect("a pool");
    let session = pool.open(real.options()).expect("a session");
    operate(&session, Operation::ListModels {}).await;
    assert_eq!(answer(&session, "hello").await, "turn 1");
    let events = closed(&session).await;
    assert_eq!(started(&events).len(), 1, "the process is the same");
}

async fn what_the_agent_cannot_do_is_refused(real: Real) {
    let operations = [
        Operation::Compact {},
        Operation::ListModels {},
        Operation::ListCommands {},
        Operation::McpStatus {},
        Operation::ContextUsage {},
        Operation::Rewind {
            before: "nothing".to_owned(),
        },
        Operation::Fork {},
        Operation::ListTasks {},
        Operation::StopTasks { task: None },
    ];
    let pool = Pool::new().expect("a pool");
    let session = pool.open(real.options()).expect("a session");
    for operation in operations {
        if real.can(Feature::from(operation.kind())) {
            continue;
        }
        let what = format!("{operation:?}");
        let refused = session.operate(operation).await.expect_err("a no");
        assert_eq!(refused.kind(), ErrorKind::Unsupported, "{what}");
    }
    let events = closed(&session).await;
    assert_eq!(started(&events), [], "nothing was started for it");
}
