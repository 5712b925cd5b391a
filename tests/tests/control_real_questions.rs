//! Turn control, with the real agents: the user is asked, by the agent and by MCP servers.

use std::collections::BTreeMap;

use std::time::Duration;

use remuda::config::{PermissionMode, Timeouts};
use remuda::event::{RawJson, RequestKind, Resolution, ResolvedBy};
use remuda::request::{Answer, Decision, Scope};
use remuda::{AskError, Pool, SessionOptions};
use remuda_tests::{
    Agent, Real, answer, answered, calling, closed, model, next_question, no, questions, settled,
    with_real_agents, yes,
};
use serde_json::{Value, json};

with_real_agents! {
    the_user_chooses
    the_user_says_something_else
    the_user_does_not_answer
    several_questions_are_answered_at_once
    an_mcp_server_gets_what_it_asks_for
    an_mcp_server_is_refused
    an_mcp_server_sends_the_user_to_a_page
    a_tool_of_an_mcp_server_runs_when_it_is_allowed
    what_the_user_is_asked_is_denied_when_nobody_answers_in_time
    what_an_mcp_server_asks_is_denied_when_nobody_answers_in_time;
    claude:
    the_user_chooses_several
    a_plan_is_approved
    a_plan_is_not_approved
    what_a_plan_lacks_reaches_the_model;
    codex:
    a_secret_is_marked_as_one;
    one_shot_claude:
    the_user_chooses
    an_mcp_server_gets_what_it_asks_for
    a_plan_is_approved
}

/// A question of the agent with these choices.
fn question(real: &Real, what: &str, labels: &[&str]) -> Value {
    let choice = |label: &&str| json!({"label": label, "description": "A choice"});
    let choices: Vec<_> = labels.iter().map(choice).collect();
    let text = format!("Which {what}?");
    let mut question = json!({"header": what, "question": text, "options": choices});
    match real.agent() {
        Agent::Claude => question["multiSelect"] = false.into(),
        Agent::Codex => question["id"] = what.into(),
    }
    question
}

/// A prompt that asks the user, and says what it got. Codex asks the user only while it plans.
fn asking_user(real: &Real, questions: &[Value]) -> (SessionOptions, String) {
    let (mode, tool) = match real.agent() {
        Agent::Claude => (PermissionMode::Default, "AskUserQuestion"),
        Agent::Codex => (PermissionMode::Plan, "request_user_input"),
    };
    let call = json!({"tool": tool, "input": {"questions": questions}});
    let prompt = model(&json!([call, {"echo": "result"}]));
    (real.answering_in(mode), prompt)
}

/// The agent asks which database.
fn which_database(real: &Real) -> (SessionOptions, String) {
    asking_user(real, &[question(real, "database", &["SQLite", "Postgres"])])
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
    assert_eq!(question.header, "database");
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

/// Codex has no questions of this kind.
async fn the_user_chooses_several(real: Real) {
    let choice = |label: &str| json!({"label": label, "description": "A language"});
    let question = json!({
        "header": "Languages", "question": "Which languages?", "multiSelect": true,
        "options": [choice("Rust"), choice("Python"), choice("Go")],
    });
    let call = json!({"tool": "AskUserQuestion", "input": {"questions": [question]}});
    let prompt = model(&json!([call, {"echo": "result"}]));
    let pool = Pool::new().expect("a pool");
    let session = pool.open(real.answering()).expect("a session");
    let mut turn = session.send(prompt).expect("a turn");
    let asked = next_question(&mut turn).await;
    assert!(asked.questions[0].several, "{asked:?}");
    let id = asked.questions[0].id.clone();
    // Two of the choices, and one of the user's own.
    let texts = ["Rust", "Go", "Zig"].map(str::to_owned).to_vec();
    let answers = BTreeMap::from([(id, texts)]);
    let taken = session.answer(asked.id, Answer::Answers { answers }).await;
    taken.expect("it is taken");
    let said = turn.result().await.expect("a good end").text;
    assert!(said.contains("Rust, Go, Zig"), "{said}");
    assert!(!said.contains("Python"), "{said}");
    closed(&session).await;
}

async fn several_questions_are_answered_at_once(real: Real) {
    let questions = ["colour", "size"].map(|what| question(&real, what, &["red", "big"]));
    let (options, prompt) = asking_user(&real, &questions);
    let pool = Pool::new().expect("a pool");
    let session = pool.open(options).expect("a session");
    let mut turn = session.send(prompt).expect("a turn");
    let asked = next_question(&mut turn).await;
    let texts: Vec<_> = asked.questions.iter().map(|q| q.text.as_str()).collect();
    assert_eq!(texts, ["Which colour?", "Which size?"]);
    let ids = asked.questions.iter().map(|question| question.id.clone());
    let said = [["red"], ["enormous"]].map(|texts| texts.map(str::to_owned).to_vec());
    let answers: BTreeMap<_, _> = ids.zip(said).collect();
    let taken = session.answer(asked.id, Answer::Answers { answers }).await;
    taken.expect("it is taken");
    let said = turn.result().await.expect("a good end").text;
    assert!(said.contains("red") && said.contains("enormous"), "{said}");
    closed(&session).await;
}

/// The model of Claude Code cannot ask for one.
async fn a_secret_is_marked_as_one(real: Real) {
    let mut question = question(&real, "password", &["the old one", "none"]);
    question["isSecret"] = true.into();
    let (options, prompt) = asking_user(&real, &[question]);
    let pool = Pool::new().expect("a pool");
    let session = pool.open(options).expect("a session");
    let mut turn = session.send(prompt).expect("a turn");
    let asked = next_question(&mut turn).await;
    assert!(asked.questions[0].secret, "{asked:?}");
    let answers = BTreeMap::from([(asked.questions[0].id.clone(), vec!["hunter2".to_owned()])]);
    let taken = session.answer(asked.id, Answer::Answers { answers }).await;
    taken.expect("it is taken");
    let said = turn.result().await.expect("a good end").text;
    assert!(said.contains("hunter2"), "{said}");
    closed(&session).await;
}

/// Nobody answers the prompt's question in time, and the turn goes on with what this gives.
async fn times_out(mut options: SessionOptions, prompt: &str) -> String {
    options.timeouts = Some(Timeouts {
        request: Duration::from_millis(100),
        ..Timeouts::default()
    });
    let pool = Pool::new().expect("a pool");
    let session = pool.open(options).expect("a session");
    let said = answer(&session, prompt).await;
    let events = closed(&session).await;
    let asked = questions(&events);
    let asked = asked.last().expect("a question");
    let late = (Resolution::Denied, ResolvedBy::Deadline, None);
    assert_eq!(settled(&events, asked.id), Some(late), "{asked:?}");
    said
}

async fn what_the_user_is_asked_is_denied_when_nobody_answers_in_time(real: Real) {
    let (options, prompt) = which_database(&real);
    let said = times_out(options, &prompt).await;
    assert!(!said.contains("Postgres"), "{said}");
}

async fn what_an_mcp_server_asks_is_denied_when_nobody_answers_in_time(real: Real) {
    let said = times_out(real.with_server(SERVER), &calling("ask")).await;
    assert!(said.contains("decline"), "{said}");
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

async fn what_a_plan_lacks_reaches_the_model(real: Real) {
    let plan = json!({"tool": "ExitPlanMode", "input": {"plan": "1. Make a file"}});
    let prompt = model(&json!([plan, {"echo": "result"}]));
    let pool = Pool::new().expect("a pool");
    let options = real.answering_in(PermissionMode::Plan);
    let session = pool.open(options).expect("a session");
    let (_, turn) = answered(&session, &prompt, no("It has no tests.")).await;
    let said = turn.result().await.expect("a good end").text;
    assert!(said.contains("It has no tests."), "{said}");
    closed(&session).await;
}

/// The MCP server whose tools ask the user.
const SERVER: &str = env!("CARGO_BIN_EXE_mcp-bytes");

async fn an_mcp_server_gets_what_it_asks_for(real: Real) {
    let pool = Pool::new().expect("a pool");
    let session = pool.open(real.with_server(SERVER)).expect("a session");
    let content = RawJson::from_text(r#"{"colour":"blue"}"#);
    let (asked, turn) = answered(&session, &calling("ask"), Answer::Content { content }).await;
    assert_eq!(asked.kind, RequestKind::Elicitation);
    assert!(asked.title.ends_with("Pick a colour"), "{asked:?}");
    assert_eq!(asked.input["required"], Value::from(vec!["colour"]));
    let said = turn.result().await.expect("a good end").text;
    assert!(said.contains("accept") && said.contains("blue"), "{said}");
    closed(&session).await;
}

async fn an_mcp_server_sends_the_user_to_a_page(real: Real) {
    let pool = Pool::new().expect("a pool");
    let session = pool.open(real.with_server(SERVER)).expect("a session");
    for (answer, word) in [(yes(Scope::Once), "accept"), (no(""), "decline")] {
        let (asked, turn) = answered(&session, &calling("visit"), answer).await;
        assert_eq!(asked.kind, RequestKind::Elicitation);
        assert!(asked.title.ends_with("Log in there"), "{asked:?}");
        assert_eq!(asked.input, json!({"url": "https://example.com/login"}));
        assert_eq!(asked.decisions, [Decision::AllowOnce, Decision::Deny]);
        let said = turn.result().await.expect("a good end").text;
        assert!(said.contains(word), "{said}");
    }
    closed(&session).await;
}

async fn an_mcp_server_is_refused(real: Real) {
    let pool = Pool::new().expect("a pool");
    let session = pool.open(real.with_server(SERVER)).expect("a session");
    let (asked, turn) = answered(&session, &calling("ask"), no("")).await;
    assert!(asked.decisions.contains(&Decision::Content));
    let said = turn.result().await.expect("a good end").text;
    assert!(said.contains("decline"), "{said}");
    closed(&session).await;
}

async fn a_tool_of_an_mcp_server_runs_when_it_is_allowed(real: Real) {
    let pool = Pool::new().expect("a pool");
    let session = pool.open(real.with_server(SERVER)).expect("a session");
    let (asked, turn) = answered(&session, &calling("erase"), yes(Scope::Once)).await;
    assert_eq!(asked.kind, RequestKind::ToolApproval);
    let said = turn.result().await.expect("a good end").text;
    assert!(said.contains("all erased"), "{said}");
    let (_, turn) = answered(&session, &calling("erase"), no("")).await;
    let said = turn.result().await.expect("a good end").text;
    assert!(!said.contains("all erased"), "{said}");
    closed(&session).await;
}
