//! Agents that go on with no conversation in another process, which they say only when they run.

use super::*;

/// The session between turns, and the agent has said it.
fn kept() -> Bench {
    let mut bench = Bench::new(POLICY);
    let (turn, _) = bench.send();
    bench.step(Input::Granted(Given::Slot));
    bench.says(TurnRef::None, SignalBody::Forgets);
    bench.bound("conversation");
    bench.ready();
    assert_eq!(bench.ends(turn, Outcome::Completed), [""; 0], "not idle");
    bench
}

fn warnings(bench: &Bench, code: WarningCode) -> usize {
    let meant =
        |(_, body): &&(_, Body)| matches!(body, Body::Warning { code: c, .. } if *c == code);
    bench.shown.iter().filter(meant).count()
}

#[test]
fn a_process_that_alone_has_the_conversation_is_not_evicted_and_the_host_is_told_once() {
    let mut bench = kept();
    let evict = Input::Evict(EvictionReason::LeastRecentlyUsed);
    assert_eq!(bench.step(evict), ["refuse"]);
    bench.says(TurnRef::None, SignalBody::Forgets);
    assert_eq!(warnings(&bench, WarningCode::ProcessKept), 1);
    let (turn, names) = bench.send();
    assert_eq!(names, ["ask turn"]);
    bench.ends(turn, Outcome::Completed);
    assert!(!bench.kinds().contains(&EventKind::Evicted));
}

#[test]
fn a_change_that_would_cost_the_conversation_is_refused() {
    let mut bench = kept();
    let change = |number, live| Input::Change {
        number,
        change: Arc::default(),
        live,
    };
    let refused = bench.step(change(1, false));
    assert!(refused[0].starts_with("not changed"), "{refused:?}");
    assert_eq!(bench.step(change(2, true)), ["ask change"]);
    let outcome = ChangeOutcome::NeedsProcess;
    let refused = bench.says(TurnRef::None, SignalBody::Changed(outcome));
    assert!(refused[0].starts_with("not changed"), "{refused:?}");
    assert!(!bench.kinds().contains(&EventKind::Recycled));
}

#[test]
fn after_its_death_a_new_conversation_begins_and_it_is_said() {
    let mut bench = kept();
    let (turn, _) = bench.send();
    bench.shows(turn, delta("word"));
    bench.dies();
    let kinds = bench.kinds();
    assert!(kinds.contains(&EventKind::TurnFailed));
    assert!(!kinds.contains(&EventKind::Downgraded), "it would forget");
    assert_eq!(bench.send().1, ["acquire Warm"]);
    assert_eq!(bench.step(Input::Granted(Given::Slot)), ["start Warm"]);
    assert_eq!(bench.resume, None);
    assert_eq!(warnings(&bench, WarningCode::NotResumed), 1);
}

#[test]
fn a_turn_that_the_agent_never_saw_is_sent_again_to_a_warm_process() {
    let mut bench = kept();
    bench.send();
    let names = bench.dies();
    assert!(names.ends_with(&["acquire Warm".to_owned()]), "{names:?}");
}

#[test]
fn a_conversation_of_the_host_is_refused_once_and_then_begun_anew() {
    let mut bench = Bench::new(POLICY);
    bench.machine = Machine::new(
        POLICY,
        approvals(Requests::Deny),
        Some("earlier".to_owned()),
        bench.now,
    );
    bench.send();
    bench.step(Input::Granted(Given::Slot));
    assert_eq!(bench.resume.as_deref(), Some("earlier"));
    bench.says(TurnRef::None, SignalBody::Forgets);
    let refused = SignalBody::Refused {
        code: ErrorKind::Unsupported,
        message: "no".to_owned(),
    };
    bench.says(TurnRef::None, refused);
    let Body::TurnFailed { failure, .. } = bench.last() else {
        panic!("{:?}", bench.last());
    };
    assert_eq!(failure.code, ErrorKind::Unsupported);
    bench.gone();
    bench.send();
    bench.step(Input::Granted(Given::Slot));
    assert_eq!(bench.resume, None);
    assert_eq!(warnings(&bench, WarningCode::NotResumed), 1);
}
