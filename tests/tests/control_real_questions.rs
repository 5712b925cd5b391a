//! Turn control, with the real agents: the user is asked, by the agent and by MCP servers.

use std::collections::BTreeMap;

use remuda::config::{McpServer, PermissionMode};
use remuda::event::{RawJson, RequestKind};
use remuda::request::{Action, Answer, Decision, Rule, Scope};
use remuda::{AskError, Pool, SessionOptions};
use remuda_tests::{
    Agent, Real, answered, closed, model, next_question, no, with_real_agents, yes,
};
use serde_json::{Value, json};

with_real_agents! {
    the_user_chooses
    the_user_says_something_else
    the_user_does_not_answer
    an_mcp_server_gets_what_it_asks_for
    an_mcp_server_is_refused
    a_tool_of_an_mcp_server_runs_when_it_is_allowed;
    claude:
    a_plan_is_approved
    a_plan_is_not_approved;
    one_shot_claude:
    the_user_chooses
    an_mcp_server_gets_what_it_asks_for
    a_plan_is_approved
}

/// The agent asks which database. Codex asks the user only while it plans.
fn which_database(real: &Real) -> (SessionOptions, String) {
    let options = json!([
        {"label": "SQLite", "description": "Simple"},
        {"label": "Postgres", "description": "Scales"},
    ]);
    let question = json!({"header": "Database", "question": "Which database?", "options": options});
    let (mode, tool, question) = match real.agent() {
        Agent::Claude => {
            let mut question = question;
            question["multiSelect"] = false.into();
            (PermissionMode::Default, "AskUserQuestion", question)
        }
        Agent::Codex => {
            let mut question = question;
            question["id"] = "db".into();
            (PermissionMode::Plan, "request_user_input", question)
        }
    };
    let call = json!({"tool": tool, "input": {"questions": [question]}});
    let prompt = model(&json!([call, {"echo": "result"}]));
    (real.answering_in(mode), prompt)
}

/// Answers the one question, and returns what the model was told.
async fn told(real: &Real, texts: &[&str]) -> String {
    let (options, prompt) = which_database(real);
    let pool = Pool::new().expect("a pool");
    let session = pool.open(options).expect("a session");
    let mut turn = session.send(prompt).expect("a turn");
    let asked = next_question(&mut turn).await;
    assert_eq!(asked.kind, RequestKind::UserQuestion);
    let [question] = &asked.questions[..] else {
        panic!("one question: {asked:?}");
    };
    assert_eq!(question.header, "Database");
    assert_eq!(question.text, "Which database?");
    let labels: Vec<_> = question.choices.iter().map(|c| c.label.as_str()).collect();
    assert_eq!(labels, ["SQLite", "Postgres"]);
    assert!(question.free_text && !question.several);
    let texts: Vec<_> = texts.iter().map(|text| (*text).to_owned()).collect();
    let answers = BTreeMap::from([(question.id.clone(), texts)]);
    let answer = session.answer(asked.id, Answer::Answers { answers }).await;
    answer.expect("it is taken");
    let text = turn.result().await.expect("a good end").text;
    closed(&session).await;
    text
}

async fn the_user_chooses(real: Real) {
    let said = told(&real, &["Postgres"]).await;
    assert!(
        said.contains("Postgres") && !said.contains("SQLite"),
        "{said}"
    );
}

async fn the_user_says_something_else(real: Real) {
    let said = told(&real, &["a plain file"]).await;
    assert!(said.contains("a plain file"), "{said}");
}

async fn the_user_does_not_answer(real: Real) {
    let (options, prompt) = which_database(&real);
    let pool = Pool::new().expect("a pool");
    let session = pool.open(options).expect("a session");
    let (_, turn) = answered(&session, &prompt, no("Not now.")).await;
    let said = turn.result().await.expect("a good end").text;
    assert!(!said.contains("Postgres"), "{said}");
    closed(&session).await;
}

/// A turn that plans, and then does what it planned. Codex asks nobody: its plan is an event.
fn planning(real: &Real) -> (SessionOptions, String) {
    let plan = json!({"plan": "1. Make a file"});
    let made = real.edit("made.txt", "made");
    let script = json!([{"tool": "ExitPlanMode", "input": plan}, made, "over"]);
    (real.answering_in(PermissionMode::Plan), model(&script))
}

async fn a_plan_is_approved(real: Real) {
    let (options, prompt) = planning(&real);
    let pool = Pool::new().expect("a pool");
    let session = pool.open(options).expect("a session");
    let (asked, mut turn) = answered(&session, &prompt, yes(Scope::Once)).await;
    assert_eq!(asked.kind, RequestKind::PlanApproval);
    assert!(asked.decisions.contains(&Decision::AllowOnce), "{asked:?}");
    // What the plan needs is still asked for.
    let asked = next_question(&mut turn).await;
    assert_eq!(asked.kind, RequestKind::FileChangeApproval);
    let taken = session.answer(asked.id, yes(Scope::Once)).await;
    taken.expect("it is taken");
    assert_eq!(turn.result().await.expect("a good end").text, "over");
    assert!(real.project().join("made.txt").exists());
    closed(&session).await;
}

async fn a_plan_is_not_approved(real: Real) {
    let (options, prompt) = planning(&real);
    let pool = Pool::new().expect("a pool");
    let session = pool.open(options).expect("a session");
    let stop = Answer::Deny {
        message: "Not like this.".to_owned(),
        interrupt: true,
    };
    let (_, turn) = answered(&session, &prompt, stop).await;
    let end = turn.result().await;
    assert!(matches!(end, Err(AskError::Interrupted { .. })), "{end:?}");
    assert!(!real.project().join("made.txt").exists());
    closed(&session).await;
}

/// A session with an MCP server that has tools, one of which asks the user.
fn with_server(real: &Real) -> SessionOptions {
    let server = McpServer::Stdio {
        command: env!("CARGO_BIN_EXE_mcp-bytes").to_owned(),
        args: vec![],
        env: BTreeMap::new(),
    };
    let mut options = real.answering_in(PermissionMode::AcceptEdits);
    // Claude Code asks about every tool of a server.
    options.rules.push(Rule {
        name: "asking".to_owned(),
        action: Action::Allow,
        tool: Some("mcp__bytes__ask".to_owned()),
        command: None,
        path: None,
        mcp_server: None,
    });
    options.mcp_servers.insert("bytes".to_owned(), server);
    if real.agent() == Agent::Codex {
        // With others, the model has to look for the tool first.
        options.model = Some("gpt-6.1-sol".to_owned());
    }
    options
}

fn calling(tool: &str) -> String {
    let call = json!({"tool": format!("mcp__bytes__{tool}"), "input": {}});
    model(&json!([call, {"echo": "result"}]))
}

async fn an_mcp_server_gets_what_it_asks_for(real: Real) {
    let pool = Pool::new().expect("a pool");
    let session = pool.open(with_server(&real)).expect("a session");
    let content = RawJson::from_text(r#"{"colour":"blue"}"#);
    let (asked, turn) = answered(&session, &calling("ask"), Answer::Content { content }).await;
    assert_eq!(asked.kind, RequestKind::Elicitation);
    assert!(asked.title.ends_with("Pick a colour"), "{asked:?}");
    assert_eq!(asked.input["required"], Value::from(vec!["colour"]));
    let said = turn.result().await.expect("a good end").text;
    assert!(said.contains("accept") && said.contains("blue"), "{said}");
    closed(&session).await;
}

async fn an_mcp_server_is_refused(real: Real) {
    let pool = Pool::new().expect("a pool");
    let session = pool.open(with_server(&real)).expect("a session");
    let (asked, turn) = answered(&session, &calling("ask"), no("")).await;
    assert!(asked.decisions.contains(&Decision::Content));
    let said = turn.result().await.expect("a good end").text;
    assert!(said.contains("decline"), "{said}");
    closed(&session).await;
}

async fn a_tool_of_an_mcp_server_runs_when_it_is_allowed(real: Real) {
    let pool = Pool::new().expect("a pool");
    let session = pool.open(with_server(&real)).expect("a session");
    let (asked, turn) = answered(&session, &calling("erase"), yes(Scope::Once)).await;
    assert_eq!(asked.kind, RequestKind::ToolApproval);
    let said = turn.result().await.expect("a good end").text;
    assert!(said.contains("all erased"), "{said}");
    let (_, turn) = answered(&session, &calling("erase"), no("")).await;
    let said = turn.result().await.expect("a good end").text;
    assert!(!said.contains("all erased"), "{said}");
    closed(&session).await;
}
