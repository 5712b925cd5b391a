//! When a session has a process, and when not.

use super::*;

#[test]
fn a_warm_process_answers_turn_after_turn() {
    let mut bench = Bench::idle(POLICY);
    for _ in 0..3 {
        let (turn, names) = bench.send();
        assert_eq!(names, ["ask turn", "busy"]);
        bench.shows(turn, delta("hi"));
        assert_eq!(bench.ends(turn, Outcome::Completed), ["idle"]);
    }
}

#[test]
fn eviction_takes_the_process_and_leaves_the_session() {
    let (mut bench, turn) = Bench::running(POLICY);
    let evict = || Input::Evict(EvictionReason::LeastRecentlyUsed);
    assert_eq!(bench.step(evict()), ["refuse"], "a busy session stays");
    bench.ends(turn, Outcome::Completed);
    assert_eq!(bench.step(evict()), ["stop", "free slot"]);
    bench.gone();
    let (_, names) = bench.send();
    assert_eq!(names, ["acquire Warm"]);
    bench.step(Input::Granted(Given::Slot));
    assert_eq!(bench.resume.as_deref(), Some("conversation"));
}

#[test]
fn what_an_old_process_says_is_dropped() {
    let (mut bench, turn) = Bench::running(POLICY);
    let old = bench.current();
    bench.dies();
    bench.step(Input::Granted(Given::OneShot));
    bench.ready();
    bench.shown.clear();
    let signal = Signal {
        conversation: ONLY,
        turn: TurnRef::Host(turn),
        body: SignalBody::Ended(Box::default()),
    };
    bench.step(Input::Signal(old, signal));
    assert_eq!(bench.shown, []);
}

#[test]
fn a_held_session_is_not_evicted() {
    let mut bench = Bench::idle(POLICY);
    assert_eq!(bench.step(Input::Hold(true)), ["busy"]);
    assert_eq!(
        bench.step(Input::Evict(EvictionReason::IdleTimeout)),
        ["refuse"]
    );
    assert_eq!(bench.step(Input::Hold(false)), ["idle"]);
}

#[test]
fn closing_ends_the_turn_first_and_is_over_when_the_tree_is_gone() {
    let (mut bench, _) = Bench::running(POLICY);
    let close = || Input::Close {
        reason: CloseReason::Host,
        by: None,
    };
    assert_eq!(bench.step(close()), ["ask interrupt", "stop", "free slot"]);
    assert_eq!(bench.last().kind(), EventKind::TurnFailed);
    let gone = Report::Gone { left: vec![77] };
    assert_eq!(bench.step(Input::Report(bench.current(), gone)), ["closed"]);
    let Body::SessionClosed { left, .. } = bench.last() else {
        panic!("expected the close, got {:?}", bench.last());
    };
    assert_eq!(left, &[77]);
    let count = bench.shown.len();
    bench.send();
    bench.step(close());
    assert_eq!(bench.shown.len(), count, "nothing follows");
}
