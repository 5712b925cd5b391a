//! The main promise, with the real agents: what the model or the account refuses costs the turn,
//! never the session, and never the warm process.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a test looks at few of many events"
)]

use remuda::config::Persistent;
use remuda::event::{RequestKind, Resolution, ResolvedBy};
use remuda::{AskError, Body, ErrorKind, Pool, Session, SessionOptions};
use remuda_tests::{Agent, Real, answer, closed, isolated_async, started, with_real_agents};

with_real_agents! {
    a_bad_request_fails_the_turn_alone
    a_refused_login_fails_the_turn_alone
    a_busy_model_is_asked_again
    a_limit_that_stays_fails_the_turn_alone
    a_broken_stream_is_asked_again
    an_unknown_conversation_is_not_resumed
    what_nobody_may_allow_is_denied_and_the_turn_goes_on
}

/// The session's turn fails in this way, and nothing else does.
async fn fails(session: &Session, prompt: &str, kind: ErrorKind) {
    let error = session.ask(prompt).await.expect_err("a failure");
    let AskError::Failed { failure, .. } = &error else {
        panic!("{error:?}");
    };
    assert_eq!(failure.code, kind, "{failure:?}");
    assert!(!failure.message.is_empty());
}

/// The session goes on as if nothing had been, in the process that it had.
async fn goes_on(session: &Session) {
    let said = answer(session, r#"MODEL:[{"recall":"marker-"}]"#).await;
    assert_eq!(said, "marker-red");
    let events = closed(session).await;
    assert_eq!(started(&events).len(), 1, "the process is the same");
    let downgraded = |body: &Body| matches!(body, Body::Downgraded { .. });
    assert!(!events.iter().any(|event| downgraded(&event.body)));
}

async fn a_bad_request_fails_the_turn_alone(real: Real) {
    let pool = Pool::new().expect("a pool");
    let session = pool.open(real.options()).expect("a session");
    answer(&session, "keep marker-red").await;
    let prompt = r#"MODEL:[{"error":400,"message":"no good"}]"#;
    fails(&session, prompt, ErrorKind::ModelError).await;
    goes_on(&session).await;
}

async fn a_refused_login_fails_the_turn_alone(real: Real) {
    let pool = Pool::new().expect("a pool");
    let session = pool.open(impatient(&real)).expect("a session");
    answer(&session, "keep marker-red").await;
    fails(
        &session,
        r#"MODEL:[{"error":401}]"#,
        ErrorKind::AccountError,
    )
    .await;
    goes_on(&session).await;
}

async fn a_busy_model_is_asked_again(real: Real) {
    let pool = Pool::new().expect("a pool");
    let session = pool.open(real.options()).expect("a session");
    answer(&session, "keep marker-red").await;
    let (status, times) = match real.agent() {
        Agent::Claude => (529, 2),
        Agent::Codex => (429, 2),
    };
    let prompt =
        format!(r#"MODEL:[{{"error":{status},"times":{times},"retry_after":0}},"back again"]"#);
    assert_eq!(answer(&session, &prompt).await, "back again");
    let mut reader = session.events(1);
    goes_on(&session).await;
    let mut retries = 0;
    while let Some(event) = reader.next().await {
        retries +=
            u32::from(matches!(&event.body, Body::Status { state, .. } if state == "retrying"));
    }
    assert!(retries >= 1, "the host is told");
}

async fn a_limit_that_stays_fails_the_turn_alone(real: Real) {
    let pool = Pool::new().expect("a pool");
    let session = pool.open(impatient(&real)).expect("a session");
    answer(&session, "keep marker-red").await;
    let prompt = match real.agent() {
        Agent::Claude => r#"MODEL:[{"error":429,"retry_after":0}]"#,
        Agent::Codex => r#"MODEL:[{"error":429,"kind":"usage_limit_reached"}]"#,
    };
    fails(&session, prompt, ErrorKind::RateLimited).await;
    goes_on(&session).await;
}

async fn a_broken_stream_is_asked_again(real: Real) {
    let pool = Pool::new().expect("a pool");
    let session = pool.open(real.options()).expect("a session");
    answer(&session, "keep marker-red").await;
    let prompt = r#"MODEL:[{"drop_after":3,"delay_ms":20,"times":1},"whole"]"#;
    assert_eq!(answer(&session, prompt).await, "whole");
    goes_on(&session).await;
}

/// Claude Code tries ten times for three minutes; here once is enough.
fn impatient(real: &Real) -> SessionOptions {
    let mut options = real.options();
    let name = "CLAUDE_CODE_MAX_RETRIES".to_owned();
    options.environment.set.insert(name, "1".to_owned());
    options
}

#[test]
fn a_used_up_subscription_fails_the_turn_alone() {
    isolated_async(|| async {
        let real = Real::claude();
        let mut options = real.options();
        let set = &mut options.environment.set;
        set.remove("ANTHROPIC_API_KEY");
        // A subscription's limits are told only to who logged in with one.
        set.insert("CLAUDE_CODE_OAUTH_TOKEN".to_owned(), "loopback".to_owned());
        let pool = Pool::new().expect("a pool");
        let session = pool.open(options).expect("a session");
        answer(&session, "keep marker-red").await;
        let prompt = r#"MODEL:[{"error":429,"headers":{
            "anthropic-ratelimit-unified-status":"rejected",
            "anthropic-ratelimit-unified-representative-claim":"five_hour",
            "anthropic-ratelimit-unified-reset":"4102444800"}}]"#;
        let mut reader = session.events(1);
        fails(&session, prompt, ErrorKind::RateLimited).await;
        goes_on(&session).await;
        let mut limits = Vec::new();
        while let Some(event) = reader.next().await {
            if let Body::RateLimit { status, .. } = &event.body {
                limits.extend(status.clone());
            }
        }
        assert!(limits.contains(&"rejected".to_owned()), "{limits:?}");
    });
}

async fn an_unknown_conversation_is_not_resumed(real: Real) {
    let pool = Pool::new().expect("a pool");
    let options = SessionOptions {
        resume: Some("01234567-89ab-4cde-8f01-23456789abcd".to_owned()),
        ..real.options()
    };
    let session = pool.open(options).expect("a session");
    fails(&session, "hello", ErrorKind::ResumeFailed).await;
    assert_eq!(real.api().calls().len(), 0, "no other conversation begins");
    let events = closed(&session).await;
    let downgraded = |body: &Body| matches!(body, Body::Downgraded { .. });
    assert!(!events.iter().any(|event| downgraded(&event.body)));
}

#[test]
fn a_thread_of_codex_has_one_writer() {
    isolated_async(|| async {
        let real = Real::codex();
        let pool = Pool::new().expect("a pool");
        let first = pool.open(real.options()).expect("a session");
        answer(&first, "keep marker-red").await;
        // One pool knows who has the conversation; what another does, only the agent can refuse.
        let other = Pool::new().expect("a pool");
        for persistent in [Persistent::Auto, Persistent::Never] {
            let options = SessionOptions {
                resume: first.snapshot().provider_session_id,
                persistent,
                ..real.options()
            };
            let second = other.open(options).expect("a session");
            fails(&second, "hello", ErrorKind::ResumeFailed).await;
            closed(&second).await;
        }
        goes_on(&first).await;
    });
}

async fn what_nobody_may_allow_is_denied_and_the_turn_goes_on(real: Real) {
    let pool = Pool::new().expect("a pool");
    let session = pool.open(real.asking()).expect("a session");
    answer(&session, "keep marker-red").await;
    let escalation =
        r#","with":{"sandbox_permissions":"require_escalated","justification":"May I?"}"#;
    let with = match real.agent() {
        Agent::Claude => "",
        Agent::Codex => escalation,
    };
    let prompt = format!(r#"MODEL:[{{"shell":"touch made.txt"{with}}},"I see"]"#);
    let mut reader = session.events(1);
    assert_eq!(answer(&session, &prompt).await, "I see");
    assert!(!real.project().join("made.txt").exists());
    goes_on(&session).await;
    let mut asked = Vec::new();
    let mut settled = Vec::new();
    while let Some(event) = reader.next().await {
        match &event.body {
            Body::RequestOpened { request, kind, .. } => asked.push((*request, *kind)),
            Body::RequestResolved {
                request,
                resolution,
                by,
                ..
            } => settled.push((*request, *resolution, *by)),
            _ => {}
        }
    }
    assert_eq!(asked.len(), 1, "{asked:?}");
    let (request, kind) = asked[0];
    assert_eq!(kind, RequestKind::CommandApproval);
    let denied = (request, Resolution::Denied, ResolvedBy::NoHandler);
    assert_eq!(settled, [denied]);
}
