//! Turn control, with the real agents: what they may do is asked, and answered once.

use std::time::Duration;

use remuda::config::{PermissionMode, Timeouts};
use remuda::event::{RawJson, RequestKind, Resolution, ResolvedBy, WarningCode};
use remuda::request::{Answer, Decision, Scope};
use remuda::{AskError, Body, ErrorKind, Pool, RequestId, Session, SessionOptions};
use remuda_tests::{
    Asked, Real, answer, answered, closed, first_pid, kill, look_for, model, next_question, no,
    questions, settled, started, with_real_agents, yes,
};
use serde_json::json;

with_real_agents! {
    a_command_runs_when_it_is_allowed
    a_command_does_not_run_when_it_is_denied
    a_denial_that_interrupts_ends_the_turn_alone
    a_yes_for_the_session_is_not_asked_again
    a_remembered_yes_is_not_asked_again_in_another_session
    a_file_changes_when_it_is_allowed
    a_file_does_not_change_when_it_is_denied
    a_question_is_answered_once
    every_question_of_one_answer_is_asked
    a_command_writes_nothing_to_its_agents_streams
    a_question_that_nobody_answers_in_time_is_denied
    without_a_handler_everything_is_denied_at_once
    a_question_outlives_the_reader_that_saw_it
    an_interrupt_takes_its_question_with_it
    a_death_takes_its_question_with_it;
    claude:
    why_it_is_denied_reaches_the_model
    another_command_runs_when_it_is_changed;
    codex:
    more_permissions_are_asked_for
    more_permissions_can_be_given_for_the_session;
    one_shot_claude:
    a_command_runs_when_it_is_allowed
    a_denial_that_interrupts_ends_the_turn_alone
    a_yes_for_the_session_is_not_asked_again
    a_remembered_yes_is_not_asked_again_in_another_session
    another_command_runs_when_it_is_changed
    a_file_changes_when_it_is_allowed
    a_question_outlives_the_reader_that_saw_it
}

async fn a_command_runs_when_it_is_allowed(real: Real) {
    let pool = Pool::new().expect("a pool");
    let session = pool.open(real.answering()).expect("a session");
    let prompt = model(&json!([real.risky("touch made.txt"), "done"]));
    let mut turn = session.send(prompt).expect("a turn");
    let asked = next_question(&mut turn).await;
    assert_eq!(asked.kind, RequestKind::CommandApproval);
    assert!(asked.title.contains("touch made.txt"), "{asked:?}");
    let open: Vec<_> = session
        .snapshot()
        .requests
        .iter()
        .map(|r| r.request)
        .collect();
    assert_eq!(open, [asked.id], "it stands in the snapshot");
    assert!(!real.project().join("made.txt").exists(), "it waits");
    session
        .answer(asked.id, yes(Scope::Once))
        .await
        .expect("it is taken");
    assert_eq!(turn.result().await.expect("a good end").text, "done");
    assert!(real.project().join("made.txt").exists());
    assert_eq!(session.snapshot().requests, []);
    let events = closed(&session).await;
    let allowed = (Resolution::Allowed, ResolvedBy::Host, None);
    assert_eq!(settled(&events, asked.id), Some(allowed));
}

async fn a_command_does_not_run_when_it_is_denied(real: Real) {
    let pool = Pool::new().expect("a pool");
    let session = pool.open(real.answering()).expect("a session");
    let prompt = model(&json!([real.risky("touch made.txt"), "as you wish"]));
    let (asked, turn) = answered(&session, &prompt, no("Not this one.")).await;
    assert_eq!(turn.result().await.expect("a good end").text, "as you wish");
    assert!(!real.project().join("made.txt").exists());
    let events = closed(&session).await;
    let denied = (Resolution::Denied, ResolvedBy::Host, None);
    assert_eq!(settled(&events, asked.id), Some(denied));
}

/// Codex is not told.
async fn why_it_is_denied_reaches_the_model(real: Real) {
    let pool = Pool::new().expect("a pool");
    let session = pool.open(real.answering()).expect("a session");
    let prompt = model(&json!([real.risky("touch made.txt"), {"echo": "result"}]));
    let (_, turn) = answered(&session, &prompt, no("Not this one.")).await;
    let said = turn.result().await.expect("a good end").text;
    assert!(said.contains("Not this one."), "{said}");
    closed(&session).await;
}

async fn another_command_runs_when_it_is_changed(real: Real) {
    let pool = Pool::new().expect("a pool");
    let session = pool.open(real.answering()).expect("a session");
    let prompt = model(&json!([real.risky("touch made.txt"), "done"]));
    let changed = Answer::Allow {
        scope: Scope::Once,
        input: Some(RawJson::from_text(
            r#"{"command":"touch other.txt","description":"changed"}"#,
        )),
    };
    let (asked, turn) = answered(&session, &prompt, changed).await;
    assert!(asked.decisions.contains(&Decision::AllowChanged));
    assert_eq!(turn.result().await.expect("a good end").text, "done");
    assert!(!real.project().join("made.txt").exists());
    assert!(real.project().join("other.txt").exists());
    closed(&session).await;
}

async fn a_denial_that_interrupts_ends_the_turn_alone(real: Real) {
    let pool = Pool::new().expect("a pool");
    let session = pool.open(real.answering()).expect("a session");
    let prompt = model(&json!([real.risky("touch made.txt"), "never said"]));
    let stop = Answer::Deny {
        message: "Stop.".to_owned(),
        interrupt: true,
    };
    let (_, turn) = answered(&session, &prompt, stop).await;
    let end = turn.result().await;
    assert!(matches!(end, Err(AskError::Interrupted { .. })), "{end:?}");
    assert!(!real.project().join("made.txt").exists());
    assert_eq!(answer(&session, r#"MODEL:["on we go"]"#).await, "on we go");
    let events = closed(&session).await;
    assert_eq!(started(&events).len(), real.processes(2), "it stays");
}

async fn a_yes_for_the_session_is_not_asked_again(real: Real) {
    let pool = Pool::new().expect("a pool");
    let session = pool.open(real.answering()).expect("a session");
    let command = real.risky("touch made.txt");
    let prompt = model(&json!([command, command, "done"]));
    let (asked, turn) = answered(&session, &prompt, yes(Scope::Session)).await;
    assert!(asked.decisions.contains(&Decision::AllowSession));
    assert_eq!(turn.result().await.expect("a good end").text, "done");
    assert!(real.project().join("made.txt").exists());
    let events = closed(&session).await;
    assert_eq!(questions(&events).len(), 1);
    let good = |body: &Body| {
        matches!(
            body,
            Body::ToolResult {
                is_error: false,
                ..
            }
        )
    };
    let good = events.iter().filter(|event| good(&event.body));
    assert_eq!(good.count(), 2, "both ran");
}

async fn a_remembered_yes_is_not_asked_again_in_another_session(real: Real) {
    let pool = Pool::new().expect("a pool");
    let prompt = model(&json!([real.risky("touch made.txt"), "done"]));
    let session = pool.open(real.answering()).expect("a session");
    let (asked, turn) = answered(&session, &prompt, yes(Scope::Remember)).await;
    assert!(asked.decisions.contains(&Decision::AllowRemember));
    turn.result().await.expect("a good end");
    closed(&session).await;
    std::fs::remove_file(real.project().join("made.txt")).expect("it was made");

    let session = pool.open(real.answering()).expect("a session");
    assert_eq!(answer(&session, &prompt).await, "done");
    assert!(real.project().join("made.txt").exists());
    let events = closed(&session).await;
    assert_eq!(questions(&events).len(), 0);
}

async fn a_file_changes_when_it_is_allowed(real: Real) {
    let pool = Pool::new().expect("a pool");
    let session = pool.open(real.answering()).expect("a session");
    let prompt = model(&json!([real.edit("made.txt", "made"), "done"]));
    let (asked, turn) = answered(&session, &prompt, yes(Scope::Once)).await;
    assert_eq!(asked.kind, RequestKind::FileChangeApproval);
    assert!(asked.title.contains("made.txt"), "{asked:?}");
    assert_eq!(turn.result().await.expect("a good end").text, "done");
    let made = std::fs::read_to_string(real.project().join("made.txt"));
    assert_eq!(made.expect("it is made").trim(), "made");
    closed(&session).await;
}

async fn a_file_does_not_change_when_it_is_denied(real: Real) {
    let pool = Pool::new().expect("a pool");
    let session = pool.open(real.answering()).expect("a session");
    let prompt = model(&json!([real.edit("made.txt", "made"), "as you wish"]));
    let (_, turn) = answered(&session, &prompt, no("Leave it.")).await;
    assert_eq!(turn.result().await.expect("a good end").text, "as you wish");
    assert!(!real.project().join("made.txt").exists());
    closed(&session).await;
}

async fn a_question_is_answered_once(real: Real) {
    let pool = Pool::new().expect("a pool");
    let session = pool.open(real.answering()).expect("a session");
    let prompt = model(&json!([real.risky("touch made.txt"), "done"]));
    let mut turn = session.send(prompt).expect("a turn");
    let asked = next_question(&mut turn).await;
    // What the question does not take leaves it open.
    let result = Answer::Result {
        text: String::new(),
        is_error: false,
    };
    let refused = session.answer(asked.id, result).await.expect_err("a no");
    assert_eq!(refused.kind(), ErrorKind::InvalidArgument, "{refused}");
    let first = session.answer(asked.id, yes(Scope::Once)).await;
    first.expect("the first is taken");
    let second = session.answer(asked.id, no("")).await.expect_err("late");
    assert_eq!(second.kind(), ErrorKind::AlreadyAnswered);
    assert!(second.to_string().contains("host"), "{second}");
    assert_eq!(turn.result().await.expect("a good end").text, "done");
    assert!(real.project().join("made.txt").exists());

    let other = pool.open(real.answering()).expect("a session");
    let stale = other.answer(asked.id, no("")).await.expect_err("not its");
    assert_eq!(stale.kind(), ErrorKind::Stale);
    closed(&other).await;
    closed(&session).await;
}

/// So it can neither answer in the host's place nor end the turn in the agent's.
async fn a_command_writes_nothing_to_its_agents_streams(real: Real) {
    let pool = Pool::new().expect("a pool");
    let session = pool.open(real.options()).expect("a session");
    answer(&session, "hello").await;
    let streams = format!("/proc/{}/fd", first_pid(&session).await);
    let command = format!(
        "for fd in 0 1 2; do [ -e {streams}/$fd ] && echo there; \
         echo forged > {streams}/$fd && echo written; done; echo tried"
    );
    let prompt = model(&json!([{"shell": command}, {"echo": "result"}]));
    let said = answer(&session, &prompt).await;
    // The shell says of each stream why it cannot be opened.
    let lines: Vec<_> = said.lines().map(str::trim).collect();
    let count = |word: &str| lines.iter().filter(|line| **line == word).count();
    let counts = ["there", "written", "tried"].map(count);
    assert_eq!(counts, [3, 0, 1], "{said}");
    let events = closed(&session).await;
    let noise = |body: &Body| {
        let code = WarningCode::Noise;
        matches!(body, Body::Warning { code: c, .. } if *c == code)
    };
    assert!(!events.iter().any(|event| noise(&event.body)));
}

/// The model calls two tools in one answer; whether the agent asks at once or one after the other is its
/// own choice.
async fn every_question_of_one_answer_is_asked(real: Real) {
    let pool = Pool::new().expect("a pool");
    let session = pool.open(real.answering()).expect("a session");
    let calls = [real.risky("touch red.txt"), real.risky("touch blue.txt")];
    let prompt = model(&json!([calls, "done"]));
    let mut turn = session.send(prompt).expect("a turn");
    for _ in 0..2 {
        let asked = next_question(&mut turn).await;
        let answer = if asked.title.contains("red") {
            no("")
        } else {
            yes(Scope::Once)
        };
        let taken = session.answer(asked.id, answer).await;
        taken.expect("it is taken");
    }
    assert_eq!(turn.result().await.expect("a good end").text, "done");
    let made = ["red.txt", "blue.txt"].map(|file| real.project().join(file).exists());
    assert_eq!(made, [false, true]);
    closed(&session).await;
}

async fn a_question_that_nobody_answers_in_time_is_denied(real: Real) {
    let pool = Pool::new().expect("a pool");
    let timeouts = Timeouts {
        request: Duration::from_millis(100),
        ..Timeouts::default()
    };
    let options = SessionOptions {
        timeouts: Some(timeouts),
        ..real.answering()
    };
    let session = pool.open(options).expect("a session");
    let prompt = model(&json!([real.risky("touch made.txt"), "as you wish"]));
    assert_eq!(answer(&session, &prompt).await, "as you wish");
    assert!(!real.project().join("made.txt").exists());
    let events = closed(&session).await;
    let denied = (Resolution::Denied, ResolvedBy::Deadline, None);
    assert_eq!(settled(&events, questions(&events)[0].id), Some(denied));
}

async fn without_a_handler_everything_is_denied_at_once(real: Real) {
    let pool = Pool::new().expect("a pool");
    let session = pool.open(real.asking()).expect("a session");
    let prompt = model(&json!([real.risky("touch made.txt"), "as you wish"]));
    assert_eq!(answer(&session, &prompt).await, "as you wish");
    assert!(!real.project().join("made.txt").exists());
    let events = closed(&session).await;
    let denied = (Resolution::Denied, ResolvedBy::NoHandler, None);
    assert_eq!(settled(&events, questions(&events)[0].id), Some(denied));
}

async fn a_question_outlives_the_reader_that_saw_it(real: Real) {
    let pool = Pool::new().expect("a pool");
    let session = pool.open(real.answering()).expect("a session");
    let prompt = model(&json!([real.risky("touch made.txt"), "done"]));
    let mut reader = session.send(prompt).expect("a turn");
    let (id, seen) = (reader.id(), next_question(&mut reader).await);
    drop(reader);
    let snapshot = session.snapshot();
    let open: Vec<_> = snapshot.requests.iter().map(|r| r.request).collect();
    assert_eq!(open, [seen.id], "the snapshot has it");
    let opened = look_for(&session, |body| Asked::by(body).is_some()).await;
    let found = Asked::by(&opened.body).expect("a new reader finds it");
    assert_eq!((found.id, opened.turn), (seen.id, Some(id)));
    let taken = session.answer(found.id, yes(Scope::Once)).await;
    taken.expect("it is taken");
    look_for(&session, |body| body.kind().is_turn_end()).await;
    assert!(real.project().join("made.txt").exists());
    let events = closed(&session).await;
    let allowed = (Resolution::Allowed, ResolvedBy::Host, None);
    assert_eq!(settled(&events, seen.id), Some(allowed));
}

/// What nobody answers any more, and who comes too late is told so.
async fn is_withdrawn(session: &Session, request: RequestId, by: ResolvedBy) {
    assert_eq!(session.snapshot().requests, []);
    let late = session.answer(request, yes(Scope::Once)).await;
    let late = late.expect_err("it is too late");
    assert_eq!(late.kind(), ErrorKind::AlreadyAnswered, "{late}");
    assert_eq!(answer(session, r#"MODEL:["on we go"]"#).await, "on we go");
    let events = closed(session).await;
    let withdrawn = (Resolution::Withdrawn, by, None);
    assert_eq!(settled(&events, request), Some(withdrawn));
}

async fn an_interrupt_takes_its_question_with_it(real: Real) {
    let pool = Pool::new().expect("a pool");
    let session = pool.open(real.answering()).expect("a session");
    let prompt = model(&json!([real.risky("touch made.txt"), "never said"]));
    let mut turn = session.send(prompt).expect("a turn");
    let asked = next_question(&mut turn).await;
    turn.interrupt().await.expect("a receipt");
    let end = turn.result().await;
    assert!(matches!(end, Err(AskError::Interrupted { .. })), "{end:?}");
    // Both agents take it back before they end the turn.
    is_withdrawn(&session, asked.id, ResolvedBy::Agent).await;
    assert!(!real.project().join("made.txt").exists());
}

async fn a_death_takes_its_question_with_it(real: Real) {
    let pool = Pool::new().expect("a pool");
    let session = pool.open(real.answering()).expect("a session");
    let prompt = model(&json!([real.risky("touch made.txt"), "never said"]));
    let mut turn = session.send(prompt).expect("a turn");
    let asked = next_question(&mut turn).await;
    kill(first_pid(&session).await);
    let failed = turn.result().await.expect_err("its process is gone");
    assert_eq!(failed.kind(), Some(ErrorKind::ProcessExit));
    is_withdrawn(&session, asked.id, ResolvedBy::TurnEnd).await;
    assert!(!real.project().join("made.txt").exists());
}

/// A session of Codex that may ask for more permissions, a folder outside of its project, and a prompt that
/// asks for that. Codex alone has a tool for this, which its settings switch on.
fn asking_for_more(real: &Real) -> (SessionOptions, String) {
    let switch = ["--enable", "request_permissions_tool"];
    let options = SessionOptions {
        extra_args: switch.map(str::to_owned).to_vec(),
        ..real.answering_in(PermissionMode::AcceptEdits)
    };
    let place = real.project().join("../elsewhere");
    std::fs::create_dir(&place).expect("a folder");
    let place = place.canonicalize().expect("a folder");
    let wish = json!({
        "reason": "Need to write there",
        "permissions": {"file_system": {"write": [place]}},
    });
    let prompt = model(&json!([
        {"tool": "request_permissions", "input": wish},
        {"echo": "result"},
    ]));
    (options, prompt)
}

async fn more_permissions_are_asked_for(real: Real) {
    let (options, prompt) = asking_for_more(&real);
    let pool = Pool::new().expect("a pool");
    let session = pool.open(options).expect("a session");
    for (answer, granted) in [(no(""), false), (yes(Scope::Once), true)] {
        let (asked, turn) = answered(&session, &prompt, answer).await;
        assert_eq!(asked.kind, RequestKind::PermissionEscalation);
        assert!(asked.input.to_string().contains("elsewhere"), "{asked:?}");
        let result = turn.result().await.expect("a good end").text;
        assert_eq!(result.contains("elsewhere"), granted, "{result}");
    }
    closed(&session).await;
}

async fn more_permissions_can_be_given_for_the_session(real: Real) {
    let (options, prompt) = asking_for_more(&real);
    let pool = Pool::new().expect("a pool");
    let session = pool.open(options).expect("a session");
    let (_, turn) = answered(&session, &prompt, yes(Scope::Session)).await;
    let result = turn.result().await.expect("a good end").text;
    assert!(result.contains("elsewhere"), "{result}");
    assert!(result.contains("session"), "{result}");
    closed(&session).await;
}
