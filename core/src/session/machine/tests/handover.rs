//! From one process of a conversation to the next.

use super::*;

fn evicted() -> Bench {
    let mut bench = Bench::idle(POLICY);
    bench.step(Input::Evict(EvictionReason::IdleTimeout));
    assert_eq!(bench.send().1, ["acquire Warm"]);
    bench
}

#[test]
fn a_conversation_goes_on_only_when_no_other_process_has_it() {
    let mut bench = evicted();
    assert_eq!(bench.step(Input::Granted(Given::Slot)), ["stop"]);
    assert_eq!(bench.gone(), ["start Warm"]);
    assert_eq!(bench.resume.as_deref(), Some("conversation"));
}

#[test]
fn an_interrupt_gives_back_what_was_granted_while_a_process_ends() {
    let mut bench = evicted();
    bench.step(Input::Granted(Given::Slot));
    let turn = bench
        .shown
        .last()
        .and_then(|(turn, _)| *turn)
        .expect("a turn");
    let names = bench.step(Input::Interrupt {
        turn,
        keep_commands: false,
    });
    assert_eq!(names, ["Held", "abandon"]);
    assert_eq!(bench.gone(), [""; 0], "nothing is started for it");
    assert_eq!(bench.send().1, ["acquire Warm"]);
}

#[test]
fn a_conversation_that_cannot_go_on_waits_for_nobody() {
    let policy = Policy {
        resume: false,
        ..POLICY
    };
    let (mut bench, turn) = Bench::running(policy);
    bench.ends(turn, Outcome::Completed);
    bench.dies();
    bench.send();
    assert_eq!(bench.step(Input::Granted(Given::Slot)), ["start Warm"]);
}

#[test]
fn a_turn_is_not_given_to_a_process_that_is_known_to_have_ended() {
    let output_closed = || Report::OutputClosed;
    let exited = || Report::Exited {
        exit: Exit::default(),
        stderr: String::new(),
    };
    for report in [output_closed(), exited()] {
        let mut bench = Bench::idle(POLICY);
        bench.step(Input::Report(bench.current(), report));
        assert_eq!(bench.send().1, ["stop", "free slot", "acquire Warm"]);
        assert!(!bench.kinds().contains(&EventKind::Downgraded));
    }
}

#[test]
fn a_close_hastens_the_process_that_was_ending_before() {
    let mut bench = Bench::idle(POLICY);
    bench.step(Input::Evict(EvictionReason::IdleTimeout));
    let close = Input::Close {
        reason: CloseReason::Shutdown,
        by: Some(bench.now),
    };
    assert_eq!(bench.step(close), ["stop"]);
    assert_eq!(bench.gone(), ["closed"]);
}

#[test]
fn an_agent_that_resumes_another_conversation_is_named_once() {
    let mut bench = evicted();
    bench.gone();
    bench.step(Input::Granted(Given::Slot));
    bench.ready();
    for id in ["other", "and another"] {
        bench.bound(id);
    }
    let named = |(_, body): &&(Option<TurnId>, Body)| {
        matches!(
            body,
            Body::Warning {
                code: WarningCode::NotResumed,
                ..
            }
        )
    };
    assert_eq!(bench.shown.iter().filter(named).count(), 1);
}
