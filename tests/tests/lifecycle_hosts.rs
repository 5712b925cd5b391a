//! Hosts of every kind: what they do to their signals, children and threads does not matter.

use std::pin::pin;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;

use remuda::{ErrorKind, EventKind, Pool, Session};
use remuda_tests::{PROTOCOLS, Scene, Tape, count, each_protocol, isolated, isolated_async};
use rustix::process::{WaitOptions, wait};
use tempfile::TempDir;

#[test]
fn a_host_that_ignores_sigchld_has_its_turns_and_its_ends() {
    isolated(|| {
        for protocol in PROTOCOLS {
            let folder = TempDir::new().expect("a folder");
            // What is ignored stays so in a new program.
            let status = Command::new("env")
                .arg("--ignore-signal=CHLD")
                .arg(env!("CARGO_BIN_EXE_test-host"))
                .args(["without-sigchld", protocol, "return"])
                .env("TMPDIR", folder.path())
                .status()
                .expect("a host");
            assert!(status.success(), "{protocol}: {status}");
        }
    });
}

#[test]
fn a_host_that_waits_for_every_child_takes_nothing_from_the_library() {
    isolated_async(async || {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thief = std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                let _ = wait(WaitOptions::NOHANG);
                std::thread::yield_now();
            }
        });
        for protocol in PROTOCOLS {
            let scene = Scene::new(protocol, Pool::builder());
            let session = scene.open();
            let tape = Tape::of(&session);
            session.ask("one").await.expect("an answer");
            let died = session.ask("[[exit 3]]").await.expect_err("it dies");
            assert_eq!(died.kind(), Some(ErrorKind::ProcessExit));
            assert!(died.to_string().contains("exit code 3"), "{died}");
            session.ask("three").await.expect("an answer");
            assert_eq!(session.closed().await, [0; 0]);
            let events = tape.whole().await;
            let started = count(&events, EventKind::ProcessStarted);
            assert_eq!(count(&events, EventKind::ProcessStopped), started);
            scene.end().await;
        }
        stop.store(true, Ordering::Relaxed);
        thief.join().expect("no panic");
    });
}

#[test]
fn a_host_that_blocks_its_only_thread_does_not_block_the_agents() {
    each_protocol(async |protocol| {
        let scene = Scene::new(protocol, Pool::builder());
        let session = scene.open();
        for _ in 0..5 {
            let turn = session.send("[[words 100]]").expect("accepted");
            // Nothing of this runtime runs meanwhile.
            while session.snapshot().running.is_some() {
                std::thread::yield_now();
            }
            turn.result().await.expect("an answer");
        }
        drop(session);
        scene.end().await;
    });
}

/// Wakes a thread that waits.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// The smallest executor.
fn run<T>(future: impl Future<Output = T>) -> T {
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(value) => return value,
            Poll::Pending => std::thread::park(),
        }
    }
}

#[test]
fn a_host_needs_no_runtime() {
    isolated(|| {
        for protocol in PROTOCOLS {
            let scene = Scene::new(protocol, Pool::builder());
            let session = scene.open();
            let mut turn = session.send("hello").expect("accepted");
            let mut last = None;
            while let Some(event) = run(turn.next()) {
                last = Some(event);
            }
            assert!(last.is_some_and(|e| e.is_turn_end()));
            run(session.ask("again")).expect("an answer");
            assert_eq!(run(session.closed()), [0; 0]);
            run(scene.pool.shutdown(std::time::Duration::from_secs(30)));
        }
    });
}

/// One step of a random walk over everything that a session can be asked.
fn call(session: &Session, step: u64, sent: &AtomicU64) {
    match step % 16 {
        0..=3 => {
            let prompt = [
                "hello",
                "[[words 20]]",
                "[[say here]] [[hang]]",
                "[[tool Bash ls]]",
            ];
            let place = usize::try_from(step / 16 % 4).expect("small");
            if let Ok(mut turn) = session.send(prompt[place]) {
                sent.fetch_add(1, Ordering::Relaxed);
                let mut context = Context::from_waker(Waker::noop());
                // Some look, some do not.
                if step.is_multiple_of(2) {
                    let _ = pin!(turn.next()).poll(&mut context);
                }
            }
        }
        4..=8 => {
            if let Some(turn) = session.snapshot().running {
                run(session.interrupt(turn)).expect("a receipt");
            }
        }
        9 => drop(session.hold()),
        10..=11 => {
            let mut events = session.events(step % 50);
            while events.try_next().is_some() {}
        }
        12 => drop(session.clone()),
        _ => {
            let snapshot = session.snapshot();
            assert!(snapshot.next_seq > 0 && !snapshot.closed);
        }
    }
}

#[test]
fn many_threads_may_call_everything_of_one_session_at_the_same_time() {
    isolated_async(async || {
        for protocol in PROTOCOLS {
            let scene = Scene::new(protocol, Pool::builder());
            let session = scene.open();
            let tape = Tape::of(&session);
            let reader = tokio::spawn(tape.whole());
            let sent = AtomicU64::new(0);
            std::thread::scope(|scope| {
                for thread in 0..8_u64 {
                    let (session, sent, pool) = (&session, &sent, &scene.pool);
                    scope.spawn(move || {
                        let mut step = thread + 1;
                        for _ in 0..600 {
                            // Marsaglia's xorshift.
                            step ^= step << 13;
                            step ^= step >> 7;
                            step ^= step << 17;
                            call(session, step, sent);
                            assert!(pool.stats().processes <= pool.stats().max_processes);
                        }
                    });
                }
            });
            std::thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| run(session.closed()));
                }
            });
            drop(session);
            let events = reader.await.expect("no panic");
            let started = count(&events, EventKind::TurnStarted) as u64;
            assert_eq!(started, sent.load(Ordering::Relaxed));
            scene.end().await;
        }
    });
}
