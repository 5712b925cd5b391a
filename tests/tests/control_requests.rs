//! Questions of agents: shown, answered once, and never left open.

use std::slice::from_ref;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use remuda::config::Requests;
use remuda::event::{RequestKind, Resolution, ResolvedBy};
use remuda::request::{Answer, Decision, Scope};
use remuda::{
    Body, ErrorKind, EventKind, Feature, OpenRequest, Pool, RequestId, Session, SessionOptions,
    Turn,
};
use remuda_tests::{Scene, Tape, count, each_that, finish, is_interrupted, says, timeouts, yes};

/// Runs a scenario once for each protocol whose agents ask.
fn each_asker(scenario: impl AsyncFn(&'static str)) {
    each_that(Feature::CommandApproval, scenario);
}

fn asks_the_host(options: &mut SessionOptions) {
    options.requests = Requests::Host;
}

fn no(interrupt: bool) -> Answer {
    Answer::Deny {
        message: "not that".to_owned(),
        interrupt,
    }
}

/// A session whose questions the host answers, and its events.
fn asking(protocol: &'static str) -> (Scene, Session, Tape) {
    let scene = Scene::new(protocol, Pool::builder());
    let session = scene.open_with(asks_the_host);
    let tape = Tape::of(&session);
    (scene, session, tape)
}

/// Sends a turn that asks something before it says `done`, and gives the question.
async fn asked(session: &Session, tape: &mut Tape) -> (Turn, OpenRequest) {
    let turn = session.send("[[ask Bash ls]] [[say done]]");
    (turn.expect("a turn"), opened(tape).await)
}

/// The next question, as its event shows it.
async fn opened(tape: &mut Tape) -> OpenRequest {
    let event = tape.until_kind(EventKind::RequestOpened).await;
    let Body::RequestOpened {
        request,
        kind,
        tool,
        title,
        decisions,
        questions,
        input,
        deadline_unix_ms,
        raw,
    } = &event.body
    else {
        panic!("{event:?}")
    };
    OpenRequest {
        request: *request,
        turn: event.turn,
        kind: *kind,
        tool: tool.clone(),
        title: title.clone(),
        decisions: decisions.clone(),
        questions: questions.clone(),
        input: input.clone(),
        deadline_unix_ms: deadline_unix_ms.expect("it waits for the host"),
        raw: raw.clone(),
    }
}

/// Looks at a session again and again until `over`, and fails when a question that events before
/// `next_seq` opened is not there while none is answered. `answered` grows before each answer.
fn watch(session: &Session, opened: &Mutex<Vec<u64>>, answered: &AtomicUsize, over: &AtomicBool) {
    let mut seen = Vec::new();
    while !over.load(SeqCst) {
        let before = answered.load(SeqCst);
        let snapshot = session.snapshot();
        if answered.load(SeqCst) == before {
            seen.push((before, snapshot.next_seq, snapshot.requests.len()));
        }
    }
    let opened = opened.lock().expect("nobody panicked");
    for (answered, next_seq, open) in seen {
        let told = opened.iter().filter(|seq| **seq < next_seq).count();
        assert!(told <= answered + open, "event {next_seq} comes next");
    }
}

#[test]
fn what_events_told_before_the_next_one_stands_in_the_snapshot() {
    each_asker(async |protocol| {
        let (scene, session, mut tape) = asking(protocol);
        let shared = Arc::new((
            Mutex::default(),
            AtomicUsize::new(0),
            AtomicBool::new(false),
        ));
        let watcher = std::thread::spawn({
            let (session, shared) = (session.clone(), Arc::clone(&shared));
            move || watch(&session, &shared.0, &shared.1, &shared.2)
        });
        for _ in 0..40 {
            let turn = session.send("[[ask Bash ls]]").expect("a turn");
            let event = tape.until_kind(EventKind::RequestOpened).await;
            let Body::RequestOpened { request, .. } = event.body else {
                panic!("{event:?}")
            };
            shared.0.lock().expect("nobody panicked").push(event.seq);
            shared.1.fetch_add(1, SeqCst);
            let answer = session.answer(request, yes(Scope::Once)).await;
            answer.expect("it is open");
            turn.result().await.expect("an answer");
        }
        shared.2.store(true, SeqCst);
        watcher.join().expect("every snapshot was whole");
        session.closed().await;
        drop(tape);
        drop(session);
        scene.end().await;
    });
}

/// How the next question that is settled was.
async fn resolved(tape: &mut Tape) -> (Resolution, ResolvedBy, Option<String>) {
    let event = tape.until_kind(EventKind::RequestResolved).await;
    let Body::RequestResolved {
        resolution,
        by,
        rule,
        ..
    } = &event.body
    else {
        panic!("{event:?}")
    };
    (*resolution, *by, rule.clone())
}

/// Whether the tool that was asked about failed.
async fn tool_failed(tape: &mut Tape) -> bool {
    let event = tape.until_kind(EventKind::ToolResult).await;
    matches!(event.body, Body::ToolResult { is_error, .. } if is_error)
}

/// An answer that comes after the question was settled, by somebody who is named.
async fn comes_too_late(session: &Session, request: RequestId, by: &str) {
    let late = session.answer(request, yes(Scope::Once)).await;
    let late = late.expect_err("it is settled");
    assert_eq!(late.kind(), ErrorKind::AlreadyAnswered);
    assert!(late.message().contains(by), "{late}");
}

#[test]
fn a_question_is_shown_stands_in_the_snapshot_and_is_answered_once() {
    each_asker(async |protocol| {
        let (scene, session, mut tape) = asking(protocol);
        let (turn, question) = asked(&session, &mut tape).await;
        assert_eq!(question.kind, RequestKind::CommandApproval);
        assert!(question.title.contains("ls"), "{question:?}");
        for decision in [Decision::AllowOnce, Decision::Deny] {
            assert!(question.decisions.contains(&decision), "{question:?}");
        }
        assert_eq!(session.snapshot().requests, from_ref(&question));
        session
            .answer(question.request, yes(Scope::Once))
            .await
            .expect("open");
        let settled = resolved(&mut tape).await;
        assert_eq!(settled, (Resolution::Allowed, ResolvedBy::Host, None));
        assert_eq!(session.snapshot().requests, []);
        comes_too_late(&session, question.request, "host").await;
        assert!(!tool_failed(&mut tape).await);
        says(turn, "done").await;
        comes_too_late(&session, question.request, "host").await;
        finish(scene, session, tape).await;
    });
}

#[test]
fn a_no_costs_the_tool_and_not_the_turn() {
    each_asker(async |protocol| {
        let (scene, session, mut tape) = asking(protocol);
        let (turn, question) = asked(&session, &mut tape).await;
        let answered = session.answer(question.request, no(false)).await;
        answered.expect("it is open");
        let settled = resolved(&mut tape).await;
        assert_eq!(settled, (Resolution::Denied, ResolvedBy::Host, None));
        assert!(tool_failed(&mut tape).await);
        says(turn, "done").await;
        finish(scene, session, tape).await;
    });
}

#[test]
fn a_no_can_end_the_turn_and_the_process_stays() {
    each_that(Feature::DenyInterrupt, async |protocol| {
        let (scene, session, mut tape) = asking(protocol);
        let (turn, question) = asked(&session, &mut tape).await;
        let answered = session.answer(question.request, no(true)).await;
        answered.expect("it is open");
        is_interrupted(turn).await;
        session.ask("and on").await.expect("an answer");
        assert_eq!(scene.pool.stats().processes_started, 1);
        finish(scene, session, tape).await;
    });
}

#[test]
fn an_answer_to_no_question_is_stale_and_one_of_the_wrong_kind_leaves_it_open() {
    each_asker(async |protocol| {
        let scene = Scene::new(protocol, Pool::builder());
        let session = scene.open_with(asks_the_host);
        let other = scene.open_with(asks_the_host);
        let mut tape = Tape::of(&session);
        let (turn, question) = asked(&session, &mut tape).await;
        let elsewhere = other.answer(question.request, yes(Scope::Once)).await;
        assert_eq!(elsewhere.map_err(|e| e.kind()), Err(ErrorKind::Stale));
        let result = Answer::Result {
            text: "x".to_owned(),
            is_error: false,
        };
        let wrong = session.answer(question.request, result).await;
        assert_eq!(wrong.map_err(|e| e.kind()), Err(ErrorKind::InvalidArgument));
        assert_eq!(session.snapshot().requests, from_ref(&question));
        session
            .answer(question.request, yes(Scope::Once))
            .await
            .expect("open");
        turn.result().await.expect("it goes on");
        drop(other);
        finish(scene, session, tape).await;
    });
}

#[test]
fn a_question_that_nobody_answers_in_time_is_denied_and_that_is_said() {
    each_asker(async |protocol| {
        let scene = Scene::new(protocol, Pool::builder());
        let session = scene.open_with(|options| {
            asks_the_host(options);
            let soon = Duration::from_millis(100);
            options.timeouts = Some(timeouts(|t| t.request = soon));
        });
        let mut tape = Tape::of(&session);
        let (turn, question) = asked(&session, &mut tape).await;
        let settled = resolved(&mut tape).await;
        assert_eq!(settled, (Resolution::Denied, ResolvedBy::Deadline, None));
        comes_too_late(&session, question.request, "deadline").await;
        assert!(tool_failed(&mut tape).await);
        says(turn, "done").await;
        finish(scene, session, tape).await;
    });
}

#[test]
fn a_question_that_nobody_is_there_for_is_denied_at_once() {
    each_asker(async |protocol| {
        let scene = Scene::new(protocol, Pool::builder());
        let session = scene.open();
        let mut tape = Tape::of(&session);
        let answer = session.ask("[[ask Bash ls]] [[say done]]").await;
        assert_eq!(answer.expect("it goes on").text, "done");
        let event = tape.until_kind(EventKind::RequestOpened).await;
        let Body::RequestOpened {
            request,
            deadline_unix_ms,
            ..
        } = event.body
        else {
            panic!("{event:?}")
        };
        assert_eq!(deadline_unix_ms, None, "it waits for nobody");
        let settled = resolved(&mut tape).await;
        assert_eq!(settled, (Resolution::Denied, ResolvedBy::NoHandler, None));
        comes_too_late(&session, request, "no_handler").await;
        finish(scene, session, tape).await;
    });
}

#[test]
fn several_questions_wait_at_the_same_time_and_are_answered_in_any_order() {
    each_asker(async |protocol| {
        let (scene, session, mut tape) = asking(protocol);
        let turn = session.send("[[ask-flood 5]] [[hang]]").expect("a turn");
        let mut questions = Vec::new();
        for _ in 0..5 {
            questions.push(opened(&mut tape).await);
        }
        assert_eq!(session.snapshot().requests, questions);
        while let Some(question) = questions.pop() {
            session
                .answer(question.request, yes(Scope::Once))
                .await
                .expect("open");
            assert_eq!(resolved(&mut tape).await.1, ResolvedBy::Host);
            assert_eq!(session.snapshot().requests, questions);
        }
        turn.interrupt().await.expect("a receipt");
        is_interrupted(turn).await;
        finish(scene, session, tape).await;
    });
}

#[test]
fn a_question_outlives_the_reader_that_saw_it() {
    each_asker(async |protocol| {
        let scene = Scene::new(protocol, Pool::builder());
        let session = scene.open_with(asks_the_host);
        let mut first = Tape::of(&session);
        let turn = session
            .send("[[ask Bash ls]] [[say done]]")
            .expect("a turn");
        let seen = opened(&mut first).await;
        drop(first);
        assert_eq!(session.snapshot().requests, from_ref(&seen));
        let mut second = Tape::of(&session);
        assert_eq!(opened(&mut second).await, seen);
        session
            .answer(seen.request, yes(Scope::Once))
            .await
            .expect("open");
        says(turn, "done").await;
        finish(scene, session, second).await;
    });
}

#[test]
fn questions_end_with_the_process_that_asked_them() {
    each_asker(async |protocol| {
        let (scene, session, mut tape) = asking(protocol);
        let turn = session.send("[[ask-flood 3]] [[hang]]").expect("a turn");
        let started = tape.until_kind(EventKind::ProcessStarted).await;
        let mut questions = Vec::new();
        for _ in 0..3 {
            questions.push(opened(&mut tape).await.request);
        }
        let Body::ProcessStarted { pid, .. } = started.body else {
            panic!("{started:?}")
        };
        remuda_tests::kill(pid);
        let failed = turn.result().await.expect_err("its process is gone");
        assert_eq!(failed.kind(), Some(ErrorKind::ProcessExit));
        assert_eq!(session.snapshot().requests, []);
        let withdrawn = (Resolution::Withdrawn, ResolvedBy::TurnEnd, None);
        for request in questions {
            assert_eq!(resolved(&mut tape).await, withdrawn);
            comes_too_late(&session, request, "turn_end").await;
        }
        session.ask("and on").await.expect("another process");
        finish(scene, session, tape).await;
    });
}

#[test]
fn an_interrupt_takes_the_questions_of_its_turn_with_it() {
    each_asker(async |protocol| {
        let (scene, session, mut tape) = asking(protocol);
        let (turn, question) = asked(&session, &mut tape).await;
        turn.interrupt().await.expect("a receipt");
        is_interrupted(turn).await;
        assert_eq!(resolved(&mut tape).await.0, Resolution::Withdrawn);
        let late = session.answer(question.request, yes(Scope::Once)).await;
        assert_eq!(late.map_err(|e| e.kind()), Err(ErrorKind::AlreadyAnswered));
        session.ask("and on").await.expect("an answer");
        finish(scene, session, tape).await;
    });
}

#[test]
fn a_question_that_the_agent_takes_back_is_withdrawn() {
    each_asker(async |protocol| {
        let (scene, session, mut tape) = asking(protocol);
        let turn = session.send("[[ask-stale]] [[hang]]").expect("a turn");
        let question = opened(&mut tape).await;
        let settled = resolved(&mut tape).await;
        assert_eq!(settled, (Resolution::Withdrawn, ResolvedBy::Agent, None));
        comes_too_late(&session, question.request, "agent").await;
        turn.interrupt().await.expect("a receipt");
        is_interrupted(turn).await;
        finish(scene, session, tape).await;
    });
}

#[test]
fn a_flood_of_questions_is_held_answered_and_forgotten() {
    const FLOOD: usize = 1000;
    each_asker(async |protocol| {
        let (scene, session, mut tape) = asking(protocol);
        let prompt = format!("[[ask-flood {FLOOD}]] [[hang]]");
        let turn = session.send(prompt).expect("a turn");
        let mut questions = Vec::new();
        for _ in 0..FLOOD {
            questions.push(opened(&mut tape).await.request);
        }
        assert_eq!(session.snapshot().requests.len(), FLOOD);
        let (answered, left) = questions.split_at(FLOOD / 2);
        for request in answered {
            session.answer(*request, no(false)).await.expect("open");
        }
        assert_eq!(session.snapshot().requests.len(), left.len());
        // What was settled long ago is forgotten, and still no question that is open.
        let long_ago = session.answer(answered[0], yes(Scope::Once)).await;
        assert_eq!(long_ago.map_err(|e| e.kind()), Err(ErrorKind::Stale));
        comes_too_late(&session, answered[answered.len() - 1], "host").await;
        turn.interrupt().await.expect("a receipt");
        is_interrupted(turn).await;
        let events = finish(scene, session, tape).await;
        assert_eq!(count(&events, EventKind::RequestResolved), FLOOD);
    });
}

#[test]
fn a_close_withdraws_what_is_open() {
    each_asker(async |protocol| {
        let (scene, session, mut tape) = asking(protocol);
        let turn = session.send("[[ask Bash ls]]").expect("a turn");
        let question = opened(&mut tape).await;
        assert_eq!(session.closed().await, [0; 0]);
        let failed = turn.result().await.expect_err("it was closed");
        assert_eq!(failed.kind(), Some(ErrorKind::Closed));
        let late = session.answer(question.request, yes(Scope::Once)).await;
        assert_eq!(late.map_err(|e| e.kind()), Err(ErrorKind::Closed));
        assert_eq!(resolved(&mut tape).await.0, Resolution::Withdrawn);
        finish(scene, session, tape).await;
    });
}
