//! Wakers are code of the host: they may do anything, also ask the session that touches them.

use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::task::{Context, Waker};
use std::time::Duration;

use remuda::{Pool, Session};
use remuda_tests::{Scene, Touch, each_protocol, touchy};

/// How long a session may take to answer. One whose lock is held never does.
const PATIENCE: Duration = Duration::from_secs(20);

/// How often wakers were touched, and how often the session could not be asked then.
#[derive(Debug, Default)]
struct Touches {
    clones: AtomicUsize,
    wakes: AtomicUsize,
    drops: AtomicUsize,
    stuck: AtomicUsize,
}

impl Touches {
    /// A waker that asks the session whenever it is touched.
    fn waker(self: &Arc<Self>, session: &Session) -> Waker {
        let (touches, session) = (Arc::clone(self), session.clone());
        touchy(move |touch| {
            let count = match touch {
                Touch::Clone => &touches.clones,
                Touch::Wake => &touches.wakes,
                Touch::Drop => &touches.drops,
            };
            count.fetch_add(1, Ordering::SeqCst);
            if !answers(&session) {
                touches.stuck.fetch_add(1, Ordering::SeqCst);
            }
        })
    }
}

/// Whether nobody holds a lock of the session. Asked on another thread, so that the test fails and
/// does not hang where the one that touches the waker holds it.
fn answers(session: &Session) -> bool {
    let (answered, answer) = mpsc::channel();
    let session = session.clone();
    std::thread::spawn(move || {
        let seq = session.snapshot().next_seq;
        session.events(seq).try_next();
        drop(session);
        answered.send(()).unwrap_or_default();
    });
    answer.recv_timeout(PATIENCE).is_ok()
}

#[test]
fn a_session_can_be_asked_whenever_a_waker_is_cloned_called_or_dropped() {
    each_protocol(async |protocol| {
        let scene = Scene::new(protocol, Pool::builder());
        let session = scene.open();
        let touches = Arc::<Touches>::default();
        let (one, other) = (touches.waker(&session), touches.waker(&session));
        let mut events = session.events(1);
        let mut leaving = session.events(2);
        events.next().await.expect("the session is opened");
        {
            let mut context = Context::from_waker(&one);
            assert!(pin!(events.next()).poll(&mut context).is_pending());
            assert!(pin!(leaving.next()).poll(&mut context).is_pending());
            // Another one takes its place.
            let mut context = Context::from_waker(&other);
            assert!(pin!(events.next()).poll(&mut context).is_pending());
        }
        drop(leaving);
        let turn = session.send("[[say x]] [[hang]]").expect("accepted");
        let mut result = Box::pin(turn.result());
        let mut context = Context::from_waker(&other);
        assert!(result.as_mut().poll(&mut context).is_pending());
        session.close();
        while events.next().await.is_some() {}
        // The end is told after the last event.
        while touches.wakes.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
        let end = result.as_mut().await;
        end.expect_err("the session is closed");
        drop((result, events, one, other));
        for count in [&touches.clones, &touches.wakes, &touches.drops] {
            assert!(count.load(Ordering::SeqCst) > 0, "{touches:?}");
        }
        assert_eq!(touches.stuck.load(Ordering::SeqCst), 0, "{touches:?}");
        drop(session);
        scene.end().await;
    });
}
