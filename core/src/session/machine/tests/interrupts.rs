//! Ends that the host wants.

use super::*;

#[test]
fn an_agents_turn_that_does_not_end_costs_the_hosts_turn_behind_it_nothing() {
    let mut bench = Bench::idle(POLICY);
    bench.says(TurnRef::Agent(1), SignalBody::AgentTurn);
    let agent = bench.shown.last().and_then(|(turn, _)| *turn);
    let (turn, _) = bench.send();
    bench.step(Input::Interrupt {
        turn: agent.expect("the agent's turn has an id"),
        keep_commands: false,
    });
    bench.now += POLICY.timeouts.interrupt_grace;
    assert_eq!(
        bench.step(Input::Tick),
        ["kill", "free slot", "acquire Warm"]
    );
    bench.gone();
    bench.step(Input::Granted(Given::Slot));
    bench.ready();
    assert_eq!(bench.ends(turn, Outcome::Completed), ["idle"]);
    assert_eq!(bench.last().kind(), EventKind::TurnCompleted);
    assert!(!bench.kinds().contains(&EventKind::Downgraded));
}

#[test]
fn an_agents_turn_ends_with_the_process_that_is_found_dead() {
    let mut bench = Bench::idle(POLICY);
    bench.says(TurnRef::Agent(1), SignalBody::AgentTurn);
    let exited = Report::Exited {
        exit: Exit::default(),
        stderr: String::new(),
    };
    bench.step(Input::Report(bench.current(), exited));
    assert_eq!(bench.send().1, ["stop", "free slot", "acquire Warm"]);
    let ends = bench.kinds().iter().filter(|k| k.is_turn_end()).count();
    assert_eq!(ends, 2, "the first turn and the agent's");
}

#[test]
fn an_interrupt_ends_the_turn_as_interrupted_and_the_process_stays() {
    let (mut bench, turn) = Bench::running(POLICY);
    assert_eq!(
        bench.step(Input::Interrupt {
            turn,
            keep_commands: false,
        }),
        ["Delivered", "ask interrupt"]
    );
    assert_eq!(
        bench.step(Input::Interrupt {
            turn,
            keep_commands: false,
        }),
        ["Delivered"],
        "sent once"
    );
    assert_eq!(bench.ends(turn, Outcome::Interrupted), ["idle"]);
    assert_eq!(bench.last().kind(), EventKind::TurnInterrupted);
    assert_eq!(
        bench.step(Input::Interrupt {
            turn,
            keep_commands: false,
        }),
        ["TooLate"]
    );
}

#[test]
fn an_interrupt_without_effect_replaces_the_process_after_the_grace_time() {
    let (mut bench, turn) = Bench::running(POLICY);
    bench.step(Input::Interrupt {
        turn,
        keep_commands: false,
    });
    bench.now += POLICY.timeouts.interrupt_grace;
    assert_eq!(bench.machine.deadline(), Some(bench.now));
    assert_eq!(bench.step(Input::Tick), ["kill", "free slot"]);
    assert_eq!(bench.last().kind(), EventKind::TurnInterrupted);
    assert_eq!(bench.send().1, ["acquire Warm"], "no downgrade");
}

#[test]
fn an_interrupt_before_the_process_has_the_turn_ends_it_at_once() {
    let mut bench = Bench::new(POLICY);
    let (turn, _) = bench.send();
    assert_eq!(
        bench.step(Input::Interrupt {
            turn,
            keep_commands: false,
        }),
        ["Delivered", "abandon"]
    );
    assert_eq!(bench.last().kind(), EventKind::TurnInterrupted);
    let (turn, _) = bench.send();
    bench.step(Input::Granted(Given::Slot));
    assert_eq!(
        bench.step(Input::Interrupt {
            turn,
            keep_commands: false,
        }),
        ["Delivered"]
    );
    assert_eq!(bench.last().kind(), EventKind::TurnInterrupted);
    assert_eq!(
        bench.ready(),
        ["start done", "idle"],
        "it serves the next turn"
    );
}

#[test]
fn death_after_an_interrupt_is_an_interrupted_turn_without_downgrade() {
    let (mut bench, turn) = Bench::running(POLICY);
    bench.step(Input::Interrupt {
        turn,
        keep_commands: false,
    });
    bench.dies();
    assert_eq!(bench.last().kind(), EventKind::TurnInterrupted);
    assert_eq!(bench.send().1, ["acquire Warm"]);
}
