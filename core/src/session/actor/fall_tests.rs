//! A session whose actor panics, and one whose host's wakers do.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Wake, Waker};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::sync::mpsc;

use super::super::Attached;
use super::*;
use crate::config::{Downgrade, Mode, SessionOptions, Timeouts};
use crate::event::TurnOrigin;
use crate::ids::ProcessId;
use crate::pool::lease::PoolLink;
use crate::pool::{Pool, PoolMessage};
use crate::process::{ProcessHandle, test_host::alone};
use crate::session::gate::Entry;
use crate::session::machine::ONLY;
use crate::session::{
    Approvals, AskError, Call, LiveOptions, Machine, OnBusy, Opening, Parts, Policy, Receipt,
    SendOptions, Sent, Session, Shared, Turn, run,
};
use crate::{ErrorKind, Events, Feature, Operation, PoolStats, SessionId};

/// A folder with an agent that never says anything.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let program = folder.path().join("claude");
    fs::write(&program, "#!/bin/sh\nexec sleep 1000\n").expect("a program");
    let executable = fs::Permissions::from_mode(0o700);
    fs::set_permissions(&program, executable).expect("it is ours");
    folder
}

fn open(pool: &Pool, folder: &TempDir) -> Session {
    let session = pool.open(SessionOptions {
        program: Some(folder.path().join("claude")),
        ..SessionOptions::new("claude", folder.path())
    });
    session.expect("open")
}

async fn queued(session: &Session) -> Turn {
    let options = SendOptions {
        on_busy: OnBusy::Queue,
        ..SendOptions::default()
    };
    match session.send_with("next", options).await {
        Ok(Sent::Queued { turn, .. }) => turn,
        other => panic!("{other:?}"),
    }
}

async fn become_so(pool: &Pool, wanted: impl Fn(PoolStats) -> bool) {
    while !wanted(pool.stats()) {
        tokio::task::yield_now().await;
    }
}

async fn all(mut events: Events) -> Vec<Body> {
    let mut all = Vec::new();
    while let Some(event) = events.next().await {
        all.push(event.body.clone());
    }
    all
}

struct Panics;

impl Wake for Panics {
    fn wake(self: Arc<Self>) {
        panic!("a waker of the host");
    }
}

/// Polls it once, with a waker that panics.
fn poll_badly<F: Future>(future: &mut Pin<Box<F>>) {
    let bad = Waker::from(Arc::new(Panics));
    let polled = future.as_mut().poll(&mut Context::from_waker(&bad));
    assert!(polled.is_pending());
}

#[test]
fn a_session_that_panics_has_every_end_kills_its_process_and_says_what_happened() {
    alone(|runtime| {
        runtime.block_on(async {
            let (folder, pool) = (folder(), Pool::new().expect("there are threads"));
            let session = open(&pool, &folder);
            let running = session.send("x").expect("it is accepted");
            become_so(&pool, |stats| stats.processes == 1).await;
            let waiting = queued(&session).await;
            assert!(session.inner.inbox.send(Call::Panic).is_ok());
            for turn in [running, waiting] {
                let end = turn.result().await.expect_err("the session is broken");
                assert_eq!(end.kind(), Some(ErrorKind::Internal));
            }
            let refused = session.send("y").expect_err("it is closed");
            assert_eq!(refused.kind(), ErrorKind::Closed);
            assert_eq!(session.closed().await, [0; 0], "it is proved gone");
            let bodies = all(session.events(1)).await;
            let ends = bodies.iter().filter(|b| b.kind().is_turn_end());
            assert_eq!(ends.count(), 2, "{bodies:?}");
            let closed = Body::SessionClosed {
                reason: CloseReason::Internal,
                left: Vec::new(),
            };
            assert_eq!(bodies.last(), Some(&closed));
            let report = pool.shutdown(Duration::from_secs(20)).await;
            assert_eq!((report.unfinished, report.left), (vec![], vec![]));
        });
    });
}

#[test]
fn a_session_that_panics_before_it_told_of_a_turn_tells_of_it_and_of_its_end() {
    alone(|runtime| {
        runtime.block_on(async {
            let (folder, pool) = (folder(), Pool::new().expect("there are threads"));
            let session = open(&pool, &folder);
            // Under the lock of the gate, so that the panic comes before the message.
            let entry = Entry {
                tag: Some(7),
                message: Arc::new("x".into()),
                budget: crate::Budget::default(),
            };
            let panics = |_, _| session.inner.inbox.send(Call::Panic).ok();
            let gate = &session.inner.shared.gate;
            gate.enter(entry, false, None, panics).expect("it is open");
            let bodies = all(session.events(1)).await;
            let begun = Body::TurnStarted {
                origin: TurnOrigin::Host,
                tag: Some(7),
            };
            assert_eq!(bodies[1], begun);
            assert!(matches!(bodies[2], Body::TurnFailed { .. }), "{bodies:?}");
            assert_eq!(bodies.len(), 4, "{bodies:?}");
            pool.shutdown(Duration::from_secs(20)).await;
        });
    });
}

#[test]
fn wakers_that_panic_cost_neither_the_session_nor_the_pool_anything() {
    alone(|runtime| {
        runtime.block_on(async {
            let (folder, pool) = (folder(), Pool::new().expect("there are threads"));
            let session = open(&pool, &folder);
            let turn = session.send("x").expect("it is accepted");
            become_so(&pool, |stats| stats.starting == 1).await;
            let (mut events, mut good) = (session.events(1), session.events(1));
            while events.try_next().is_some() {}
            let (id, compacted) = (turn.id(), session.clone());
            let mut next = Box::pin(async move { events.next().await });
            let mut result = Box::pin(turn.result());
            // The process is never ready, so that nothing of it comes before the close.
            let mut operation =
                Box::pin(async move { compacted.operate(Operation::Compact {}).await });
            poll_badly(&mut next);
            poll_badly(&mut result);
            poll_badly(&mut operation);
            assert_eq!(session.interrupt(id).await, Ok(Receipt::Held));
            while !good.next().await.expect("it has an end").is_turn_end() {}
            let end = result.await.expect_err("it was interrupted");
            assert!(matches!(end, AskError::Interrupted { .. }), "{end:?}");
            assert_eq!(session.closed().await, [0; 0]);
            let gone = operation.await.expect_err("the session is closed");
            assert_eq!(gone.kind(), ErrorKind::Closed);
            let last = all(session.events(1)).await.pop();
            let reason = CloseReason::Host;
            let left = Vec::new();
            assert_eq!(last, Some(Body::SessionClosed { reason, left }));
            pool.shutdown(Duration::from_secs(20)).await;
            drop((next, good));
        });
    });
}

#[test]
fn a_process_of_a_broken_session_that_is_not_proved_gone_is_named() {
    let shared = shared();
    let (pool, mut news) = mpsc::unbounded_channel();
    let mut parts = parts(&shared);
    parts.pool = PoolLink::new(shared.id, pool);
    let (mut actor, _reports) = Actor::new(parts);
    let handle = ProcessHandle {
        commands: mpsc::unbounded_channel().0,
        stderr: Arc::default(),
    };
    let attached = Attached {
        handle,
        conversation: ONLY,
        shared: false,
        pid: Some(77),
        desk: None,
    };
    actor.processes.insert(ProcessId::next(), attached);
    actor.break_off();
    drop(actor);
    let mut events = Events::new(Arc::clone(&shared.log), 1);
    let closed = Body::SessionClosed {
        reason: CloseReason::Internal,
        left: vec![77],
    };
    assert_eq!(events.try_next().map(|e| e.body.clone()), Some(closed));
    let told = std::iter::from_fn(|| news.try_recv().ok()).last();
    assert!(
        matches!(&told, Some(PoolMessage::Closed { left, .. }) if left == &[77]),
        "{told:?}"
    );
}

fn shared() -> Arc<Shared> {
    Arc::new(Shared::new(Opening {
        id: SessionId::next(),
        log_bytes: 1 << 20,
        mode: Mode::Warm,
        options: Arc::new(SessionOptions::new("claude", "/")),
    }))
}

/// What a session of Claude is made of, without a pool.
fn parts(shared: &Arc<Shared>) -> Parts {
    let (inbox, messages) = mpsc::unbounded_channel();
    let provider = crate::provider::find("claude").expect("there is one");
    let capabilities = provider.capabilities();
    let policy = Policy {
        timeouts: Timeouts::default(),
        downgrade: Downgrade::Sticky,
        warm: true,
        resume: true,
        resume_rest: std::time::Duration::ZERO,
        rewinds_with_process: false,
        first_sign: true,
        one_shot_deltas: true,
        steer: capabilities.support(Feature::Steer),
        interrupt: capabilities.support(Feature::Interrupt),
        features: capabilities.features,
        asks_only_warm: false,
    };
    let options = SessionOptions::new("claude", "/");
    let approvals = Approvals::new(&options).expect("the options are good");
    Parts {
        shared: Arc::clone(shared),
        machine: Machine::new(policy, approvals, None, Instant::now()),
        inbox: messages,
        own: inbox.downgrade(),
        pool: PoolLink::new(shared.id, mpsc::unbounded_channel().0),
        provider,
        options: LiveOptions::new(Arc::new(options)),
        pool_options: Arc::default(),
        counters: Arc::default(),
        common: None,
    }
}

#[test]
fn a_session_that_is_never_polled_ends_with_the_threads_of_the_library() {
    let shared = shared();
    drop(run(parts(&shared)));
    let mut events = Events::new(Arc::clone(&shared.log), 1);
    let closed = events.try_next().expect("an event");
    assert!(matches!(closed.body, Body::SessionClosed { .. }));
    let mut context = Context::from_waker(Waker::noop());
    assert!(pin!(events.next()).poll(&mut context).is_ready());
}
