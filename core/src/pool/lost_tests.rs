//! A pool whose actor panics.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use tempfile::TempDir;

use super::*;
use crate::pool::members::Members;
use crate::process::test_host::alone;
use crate::session::{AskError, Call};

/// A pool for one process at a time.
fn pool() -> Pool {
    let hour = Duration::from_hours(1);
    let pool = Pool::builder().max_warm(1).max_processes(1);
    let pool = pool.when_full(WhenFull::Wait { timeout: hour });
    pool.build().expect("there are threads")
}

/// A folder with an agent that never says anything.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let program = folder.path().join("claude");
    fs::write(&program, "#!/bin/sh\nexec sleep 1000\n").expect("a program");
    let executable = fs::Permissions::from_mode(0o700);
    fs::set_permissions(&program, executable).expect("it is ours");
    folder
}

fn open(pool: &Pool, folder: &TempDir) -> Result<Session, Error> {
    pool.open(SessionOptions {
        program: Some(folder.path().join("claude")),
        ..SessionOptions::new("claude", folder.path())
    })
}

async fn become_so(pool: &Pool, wanted: impl Fn(PoolStats) -> bool) {
    while !wanted(pool.stats()) {
        tokio::task::yield_now().await;
    }
}

fn panic(pool: &Pool) {
    let panic = pool.inner.actor.send(PoolMessage::Panic);
    assert!(panic.is_ok(), "the actor is there");
}

#[test]
fn a_pool_that_panics_refuses_who_waits_closes_the_rest_and_says_that_it_lost_count() {
    alone(|runtime| {
        runtime.block_on(async {
            let (folder, pool) = (folder(), pool());
            let [first, second] = [(); 2].map(|()| open(&pool, &folder).expect("open"));
            let running = first.send("x").expect("it is accepted");
            become_so(&pool, |stats| stats.processes == 1).await;
            let waiting = second.send("x").expect("it is accepted");
            become_so(&pool, |stats| stats.waiting == 1).await;
            assert!(!pool.stats().lost);
            panic(&pool);
            let end = waiting.result().await.expect_err("no process comes");
            assert_eq!(end.kind(), Some(ErrorKind::Internal));
            let end = second.ask("x").await.expect_err("no process comes");
            assert_eq!(end.kind(), Some(ErrorKind::Internal));
            let refused = open(&pool, &folder).expect_err("the pool is lost");
            assert_eq!(refused.kind(), ErrorKind::Internal);
            assert!(pool.stats().lost);
            let report = pool.shutdown(Duration::from_secs(20)).await;
            assert!(report.lost);
            assert_eq!((report.unfinished, report.left), (vec![], vec![]));
            let mut closed = report.closed;
            closed.sort_unstable();
            assert_eq!(closed, [first.id(), second.id()]);
            let end = running.result().await.expect_err("the session is closed");
            assert!(matches!(end, AskError::Failed { .. }), "{end:?}");
            assert_eq!(end.kind(), Some(ErrorKind::Closed), "{end:?}");
        });
    });
}

#[test]
fn a_pool_without_an_actor_is_told_as_such_and_its_sessions_still_end() {
    alone(|runtime| {
        runtime.block_on(async {
            let (folder, pool) = (folder(), pool());
            let session = open(&pool, &folder).expect("open");
            panic(&pool);
            panic(&pool);
            pool.inner.actor.closed().await;
            let end = session.ask("x").await.expect_err("no process comes");
            assert_eq!(end.kind(), Some(ErrorKind::Internal));
            let refused = open(&pool, &folder).expect_err("the pool is lost");
            assert_eq!(refused.kind(), ErrorKind::Internal);
            assert!(pool.stats().lost);
            let report = pool.shutdown(Duration::from_secs(20)).await;
            assert!(report.lost);
            assert_eq!(session.closed().await, [0; 0]);
        });
    });
}

#[test]
fn who_waits_for_a_pool_that_is_dropped_is_refused() {
    let (inbox, mut calls) = mpsc::unbounded_channel();
    let session = SessionId::next();
    let mut members = Members::default();
    members.add(session, inbox);
    assert!(members.asks(session, 7, None));
    drop(members);
    let call = calls.try_recv().expect("it is told");
    assert!(
        matches!(&call, Call::Denied { ticket: 7, error } if error.kind() == ErrorKind::Internal),
        "{call:?}"
    );
}

struct Panics;

impl std::task::Wake for Panics {
    fn wake(self: Arc<Self>) {
        panic!("a waker of the host");
    }
}

#[test]
fn a_waker_that_panics_over_the_report_of_a_shutdown_costs_the_pool_nothing() {
    alone(|runtime| {
        runtime.block_on(async {
            let pool = pool();
            let (reply, report) = oneshot::channel();
            let mut report = Box::pin(report);
            let bad = std::task::Waker::from(Arc::new(Panics));
            let mut context = std::task::Context::from_waker(&bad);
            assert!(report.as_mut().poll(&mut context).is_pending());
            let by = Instant::now() + Duration::from_secs(20);
            let shutdown = PoolMessage::Shutdown { by, reply };
            assert!(pool.inner.actor.send(shutdown).is_ok());
            report.await.expect("it is told");
            assert!(!pool.shutdown(Duration::from_secs(20)).await.lost);
        });
    });
}
