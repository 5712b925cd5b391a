//! Agents that lose a conversation which is gone on with too early.

use super::*;

const REST: Duration = Duration::from_secs(61);

/// Evicted three seconds after its conversation began.
fn evicted() -> Bench {
    let mut bench = Bench::idle(Policy {
        resume_rest: REST,
        ..POLICY
    });
    bench.now += Duration::from_secs(3);
    bench.step(Input::Evict(EvictionReason::IdleTimeout));
    bench.gone();
    bench
}

fn resting(bench: &Bench) -> usize {
    let said =
        |(_, body): &&(_, Body)| matches!(body, Body::Status { state, .. } if state == "resting");
    bench.shown.iter().filter(said).count()
}

#[test]
fn a_turn_that_comes_too_early_waits_without_a_slot_and_says_so() {
    let mut bench = evicted();
    assert_eq!(bench.send().1, [""; 0]);
    assert_eq!(resting(&bench), 1);
    let until = bench.machine.deadline().expect("it waits for something");
    assert_eq!(until - bench.now + Duration::from_secs(3), REST);
    bench.now = until;
    assert_eq!(bench.step(Input::Tick), ["acquire Warm"]);
    assert_eq!(bench.step(Input::Granted(Given::Slot)), ["start Warm"]);
    assert_eq!(bench.resume.as_deref(), Some("conversation"));
}

#[test]
fn a_turn_that_comes_late_enough_does_not_wait() {
    let mut bench = evicted();
    bench.now += REST;
    assert_eq!(bench.send().1, ["acquire Warm"]);
    assert_eq!(resting(&bench), 0);
}

#[test]
fn a_turn_that_waits_can_be_interrupted_and_nothing_is_started_for_it() {
    let mut bench = evicted();
    let (turn, _) = bench.send();
    let names = bench.step(Input::Interrupt {
        turn,
        keep_commands: false,
    });
    assert_eq!(names, ["Held"]);
    assert_eq!(bench.machine.deadline(), None);
    bench.now += REST;
    assert_eq!(bench.step(Input::Tick), [""; 0]);
}

#[test]
fn a_close_does_not_wait() {
    let mut bench = evicted();
    bench.send();
    let close = Input::Close {
        reason: CloseReason::Host,
        by: None,
    };
    assert_eq!(bench.step(close), ["closed"]);
}

#[test]
fn a_process_of_one_turn_does_not_wait() {
    let (mut bench, _) = Bench::running(Policy {
        resume_rest: REST,
        ..POLICY
    });
    bench.dies();
    bench.gone();
    bench.send();
    let names = bench.step(Input::Granted(Given::OneShot));
    assert_eq!(names, ["start OneShot"]);
    assert_eq!(bench.resume.as_deref(), Some("conversation"));
}

#[test]
fn a_session_that_goes_on_with_what_another_one_began_waits_as_long() {
    let policy = Policy {
        resume_rest: REST,
        ..POLICY
    };
    for (before, names) in [
        (Duration::from_secs(3), &[][..]),
        (REST, &["acquire Warm"][..]),
    ] {
        let mut bench = Bench::new(policy);
        let resume = Some("conversation".to_owned());
        bench.machine = Machine::new(policy, approvals(Requests::Deny), resume, bench.now);
        bench.machine.rest_from(bench.now);
        bench.now += before;
        assert_eq!(bench.send().1, names);
    }
}
