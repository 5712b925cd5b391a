//! The main promise, the same for every agent, scripted and real: what each can do is told by its
//! table of capabilities, and only what is missing there is passed over.
//!
//! `cargo xtask test --provider NAME` runs it with the real agent of that name alone.

use std::sync::Arc;
use std::time::Duration;

use remuda::config::{Downgrade, Mode, Sharing};
use remuda::event::{Resolution, StopReason, WarningCode};
use remuda::request::{Answer, Scope};
use remuda::{
    AskError, Body, ErrorKind, Event, EventKind, Feature, Pool, Receipt, Session, SessionOptions,
    Turn,
};
use remuda_tests::{
    Subject, answer, closed, count, first_pid, is_ended, isolated_async, kill, look_for,
    next_question, no, read_until, settled, started, stopped, yes,
};

/// A module for each agent, with a test for each property.
macro_rules! agents {
    ($group:ident: $($name:ident = $subject:expr;)*) => {
        mod $group {
            $(mod $name {
                use remuda_tests::Subject;

                agents!(@tests $subject;
                    turns_run_in_one_process_and_an_interrupt_ends_one_alone
                    an_evicted_session_goes_on_in_its_conversation
                    a_death_costs_one_turn_and_never_the_conversation
                    what_is_allowed_happens_and_what_is_denied_does_not
                    sessions_of_one_process_keep_apart_and_its_death_loses_no_conversation
                );
            })*
        }
    };
    (@tests $subject:expr; $($property:ident)*) => {
        $(#[test]
        fn $property() {
            remuda_tests::isolated_async(|| crate::$property($subject));
        })*
    };
}

agents! {
    scripted:
    claude = Subject::scripted("claude");
    codex = Subject::scripted("codex");
    acp = Subject::scripted("acp");
}

agents! {
    real:
    claude = Subject::real(remuda_tests::Installed::Claude);
    codex = Subject::real(remuda_tests::Installed::Codex);
    gemini = Subject::real(remuda_tests::Installed::Gemini);
    opencode = Subject::real(remuda_tests::Installed::OpenCode);
    kimi = Subject::real(remuda_tests::Installed::Kimi);
    claude_acp = Subject::real(remuda_tests::Installed::ClaudeAcp);
    codex_acp = Subject::real(remuda_tests::Installed::CodexAcp);
}

/// What an agent cannot, it says when it runs: then its process is kept, and its death is told.
#[test]
fn an_agent_that_goes_on_nowhere_else_keeps_its_process_and_begins_anew_after_its_death() {
    isolated_async(async || {
        let subject = Subject::scripted("acp");
        let mut options = subject.options();
        let cannot = (
            "SCRIPTED_AGENT_ACP".to_owned(),
            "no-load no-resume".to_owned(),
        );
        options.environment.set.extend([cannot]);
        let pool = Pool::builder().idle_timeout(Duration::from_millis(50));
        let pool = pool.max_warm(1).build().expect("a pool");
        let session = pool.open(options.clone()).expect("a session");
        answer(&session, "keep marker-red").await;
        let other = pool.open(subject.options()).expect("a session");
        answer(&other, "elsewhere").await;
        assert_eq!(pool.stats().spilled, 1, "the slot is not free");
        knows(&session, &subject, "marker-red").await;
        kill(first_pid(&session).await);
        look_for(&session, |body| matches!(body, Body::ProcessStopped { .. })).await;
        answer(&session, "anew").await;
        let events = closed(&session).await;
        let warned = |wanted| {
            let is =
                |e: &&Arc<Event>| matches!(&e.body, Body::Warning { code, .. } if *code == wanted);
            events.iter().filter(is).count()
        };
        assert_eq!(warned(WarningCode::ProcessKept), 1);
        assert_eq!(warned(WarningCode::NotResumed), 1);
        assert_eq!(count(&events, EventKind::Evicted), 0);

        options.resume = Some("earlier".to_owned());
        let session = pool.open(options).expect("a session");
        let refused = session.ask("go on").await.expect_err("it cannot");
        assert_eq!(refused.kind(), Some(ErrorKind::Unsupported));
        answer(&session, "then anew").await;
        closed(&session).await;
        closed(&other).await;
    });
}

async fn knows(session: &Session, subject: &Subject, word: &str) {
    let said = answer(session, subject.recall()).await;
    assert!(said.contains(word), "the conversation goes on: {said:?}");
}

async fn interrupted(turn: Turn) {
    let receipt = turn.interrupt().await.expect("a receipt");
    assert_eq!(receipt, Receipt::Delivered);
    let end = turn.result().await;
    assert!(matches!(end, Err(AskError::Interrupted { .. })), "{end:?}");
}

async fn turns_run_in_one_process_and_an_interrupt_ends_one_alone(subject: Subject) {
    let pool = Pool::new().expect("a pool");
    let session = pool.open(subject.options()).expect("a session");
    answer(&session, "keep marker-red").await;
    knows(&session, &subject, "marker-red").await;
    let (mut interrupts, mut work) = (0, None);
    if subject.can(Feature::Interrupt) {
        let mut turn = session.send(subject.stalling()).expect("a turn");
        read_until(&mut turn, |body| matches!(body, Body::TextDelta { .. })).await;
        interrupted(turn).await;
        knows(&session, &subject, "marker-red").await;

        let mut turn = session.send(subject.working()).expect("a turn");
        read_until(&mut turn, |body| matches!(body, Body::ToolUse { .. })).await;
        let command = subject.command();
        interrupted(turn).await;
        if subject.ends_commands() {
            is_ended(command);
        }
        work = command;
        interrupts = 2;
    }
    knows(&session, &subject, "marker-red").await;
    let events = closed(&session).await;
    is_ended(work);
    assert_eq!(started(&events).len(), 1, "it stays");
    assert_eq!(stopped(&events), [StopReason::Closed]);
    assert_eq!(count(&events, EventKind::TurnInterrupted), interrupts);
    assert_eq!(count(&events, EventKind::TurnFailed), 0);
}

async fn an_evicted_session_goes_on_in_its_conversation(subject: Subject) {
    if !subject.can(Feature::Resume) {
        return;
    }
    let idle = Duration::from_millis(100);
    let pool = Pool::builder().idle_timeout(idle).build().expect("a pool");
    let session = pool.open(subject.options()).expect("a session");
    answer(&session, "keep marker-red").await;
    look_for(&session, |body| matches!(body, Body::ProcessStopped { .. })).await;
    knows(&session, &subject, "marker-red").await;
    let events = closed(&session).await;
    let resumed: Vec<_> = started(&events)
        .iter()
        .map(|p| (p.mode, p.resumed))
        .collect();
    assert_eq!(resumed, [(Mode::Warm, false), (Mode::Warm, true)]);
    assert_eq!(stopped(&events)[0], StopReason::Evicted);
}

async fn a_death_costs_one_turn_and_never_the_conversation(subject: Subject) {
    let pool = Pool::new().expect("a pool");
    let session = pool.open(subject.options()).expect("a session");
    answer(&session, "keep marker-red").await;
    let turn = {
        let mut turn = session.send(subject.stalling()).expect("a turn");
        read_until(&mut turn, |body| matches!(body, Body::TextDelta { .. })).await;
        turn
    };
    kill(first_pid(&session).await);
    let failure = turn.result().await.expect_err("its process is gone");
    assert_eq!(failure.kind(), Some(ErrorKind::ProcessExit));
    if subject.can(Feature::Resume) {
        knows(&session, &subject, "marker-red").await;
    }
    let events = closed(&session).await;
    assert_eq!(count(&events, EventKind::TurnFailed), 1);
    assert_eq!(count(&events, EventKind::Downgraded), 1);
    let modes: Vec<_> = started(&events)
        .iter()
        .map(|p| (p.mode, p.resumed))
        .collect();
    assert_eq!(modes, [(Mode::Warm, false), (Mode::OneShot, true)]);
}

async fn what_is_allowed_happens_and_what_is_denied_does_not(subject: Subject) {
    if !subject.can(Feature::CommandApproval) {
        return;
    }
    let pool = Pool::new().expect("a pool");
    let session = pool.open(subject.asking()).expect("a session");
    let mut asked = Vec::new();
    for (file, answer, made) in [
        ("allowed", yes(Scope::Once), true),
        ("denied", no("Not this one."), false),
    ] {
        asked.push((asks(&session, &subject, file, answer).await, made));
        assert!(subject.made(file).is_none_or(|is| is == made), "{file}");
    }
    // The session takes the next turn, whatever the agent did after the no.
    answer(&session, "and on").await;
    let events = closed(&session).await;
    for (request, made) in asked {
        let how = if made {
            Resolution::Allowed
        } else {
            Resolution::Denied
        };
        assert_eq!(settled(&events, request).map(|s| s.0), Some(how));
    }
    assert_eq!(started(&events).len(), 1, "it stays");
}

/// A turn whose one command is asked about.
async fn asks(
    session: &Session,
    subject: &Subject,
    file: &str,
    answer: Answer,
) -> remuda::RequestId {
    let allowed = matches!(answer, Answer::Allow { .. });
    let mut turn = session.send(subject.making(file)).expect("a turn");
    let asked = next_question(&mut turn).await;
    assert!(subject.made(file).is_none_or(|is| !is), "it waits");
    session.answer(asked.id, answer).await.expect("it is taken");
    match turn.result().await {
        // Some end the turn with a no, as if it had been interrupted.
        Err(AskError::Interrupted { .. }) if !allowed => {}
        end => drop(end.expect("a good end")),
    }
    asked.id
}

async fn sessions_of_one_process_keep_apart_and_its_death_loses_no_conversation(subject: Subject) {
    let pool = Pool::builder().downgrade(Downgrade::Never);
    let pool = pool.build().expect("a pool");
    let open = || {
        pool.open(SessionOptions {
            sharing: Some(Sharing::Shared),
            ..subject.options()
        })
    };
    let first = match open() {
        Ok(session) => session,
        Err(refused) => return assert_eq!(refused.kind(), ErrorKind::Unsupported),
    };
    let others = [open().expect("a session"), open().expect("a session")];
    let sessions = [&first, &others[0], &others[1]];
    for (n, session) in sessions.into_iter().enumerate() {
        answer(session, &format!("keep marker-{n}")).await;
    }
    let mut running = Vec::new();
    for session in sessions {
        let mut turn = session.send(subject.stalling()).expect("a turn");
        read_until(&mut turn, |body| matches!(body, Body::TextDelta { .. })).await;
        running.push(turn);
    }
    assert_eq!(pool.stats().processes, 1);
    interrupted(running.remove(0)).await;
    knows(&first, &subject, "marker-0").await;
    // It leaves in the middle of a turn, and the turns of the others go on.
    let mut turn = first.send(subject.stalling()).expect("a turn");
    read_until(&mut turn, |body| matches!(body, Body::TextDelta { .. })).await;
    first.close();
    let left = closed(&first).await;
    let out = |e: &Arc<Event>| matches!(e.body, Body::ProcessStopped { runs_on: true, .. });
    assert!(left.iter().any(out), "the process runs on");
    kill(first_pid(&others[0]).await);
    for turn in running {
        let failure = turn.result().await.expect_err("its process is gone");
        assert_eq!(failure.kind(), Some(ErrorKind::ProcessExit));
    }
    for (n, session) in (1..).zip(&others) {
        let said = answer(session, subject.recall()).await;
        let strange = (0..3).filter(|m| *m != n);
        for other in strange {
            assert!(!said.contains(&format!("marker-{other}")), "{said:?}");
        }
        assert!(said.contains(&format!("marker-{n}")), "{said:?}");
    }
    for session in &others {
        let events = closed(session).await;
        assert_eq!(count(&events, EventKind::TurnFailed), 1);
    }
    assert_eq!(pool.stats().processes_started, 2);
}
