use std::sync::mpsc;

use runtime::{Pool, SessionOptions};

use super::*;
use crate::in_flight::Given;

/// A seat of a session that never starts a process.
fn seat(pool: &Pool) -> Arc<Seat> {
    let folder = std::env::temp_dir();
    let options = SessionOptions {
        program: Some(std::env::current_exe().expect("a program")),
        ..SessionOptions::new("claude", folder)
    };
    let session = pool.open(options).expect("a session");
    Seat::new(session, std::ptr::null_mut(), Arc::default())
}

#[test]
fn a_call_that_reads_files_first_does_not_keep_the_reader_waiting() {
    let pool = Pool::new().expect("a pool");
    let seat = seat(&pool);
    let (begins, begun) = mpsc::channel();
    let (go, gone) = mpsc::channel::<()>();
    std::thread::scope(|scope| {
        let calling = scope.spawn(|| {
            seat.call(About::default(), async move {
                begins.send(()).expect("the test waits");
                let _ = gone.recv();
                Ok(Given::default())
            })
        });
        begun.recv().expect("it begins");
        assert!(seat.state.try_lock().is_some(), "the call holds the lock");
        seat.session.close();
        let mut items = Vec::new();
        // Nothing tells the reader when a closed session has no more to say but the call that is being begun.
        while seat.state.lock().last.is_none() {
            assert_ne!(seat.look(&mut items, 8), Look::Over, "a call is under way");
        }
        go.send(()).expect("the call waits");
        let called = calling.join().expect("no panic");
        assert!(called.is_ok());
        items.clear();
        assert_eq!(seat.look(&mut items, 8), Look::Over);
        assert!(matches!(items[0], Item::Done(_)), "{items:?}");
        assert!(matches!(items[1], Item::Event(..)), "{items:?}");
    });
}

#[test]
fn what_fails_at_once_is_refused_where_that_is_promised_and_told_elsewhere() {
    let pool = Pool::new().expect("a pool");
    let seat = seat(&pool);
    let fails = || async { Err(Failure::null("it")) };
    assert!(seat.call_or_refuse(About::default(), fails()).is_err());
    assert!(seat.call(About::default(), fails()).is_ok());
    assert_eq!(seat.state.lock().answered.len(), 1);
}
