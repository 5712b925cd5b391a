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
        ["Held", "abandon"]
    );
    assert_eq!(bench.last().kind(), EventKind::TurnInterrupted);
    let (turn, _) = bench.send();
    bench.step(Input::Granted(Given::Slot));
    assert_eq!(
        bench.step(Input::Interrupt {
            turn,
            keep_commands: false,
        }),
        ["Held"]
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

/// An agent that no interrupt reaches while it works.
const DEAF: Policy = Policy {
    interrupt: crate::capabilities::Support {
        warm: false,
        one_shot: true,
    },
    ..POLICY
};

#[test]
fn the_turn_of_an_agent_that_cannot_be_interrupted_ends_at_once_with_its_process() {
    let (mut bench, turn) = Bench::running(DEAF);
    let interrupt = |bench: &mut Bench| {
        bench.step(Input::Interrupt {
            turn,
            keep_commands: false,
        })
    };
    assert_eq!(interrupt(&mut bench), ["Unsupported", "kill", "free slot"]);
    assert_eq!(bench.last().kind(), EventKind::TurnInterrupted);
    assert_eq!(interrupt(&mut bench), ["TooLate"]);
    assert_eq!(bench.send().1, ["acquire Warm"], "no downgrade");
    assert_eq!(bench.gone(), [""; 0]);
    assert_eq!(
        bench.step(Input::Granted(Given::OneShot)),
        ["start OneShot"]
    );
    assert_eq!(bench.resume.as_deref(), Some("conversation"));
}

#[test]
fn whether_an_agent_can_be_interrupted_depends_on_its_process() {
    let mut bench = Bench::new(DEAF);
    let (turn, _) = bench.send();
    bench.step(Input::Granted(Given::Spill));
    bench.ready();
    let keep_commands = false;
    let names = bench.step(Input::Interrupt {
        turn,
        keep_commands,
    });
    assert_eq!(names, ["Delivered", "ask interrupt"]);
}

#[test]
fn an_interrupt_of_the_agents_own_turn_that_cannot_be_costs_the_hosts_turn_behind_it_nothing() {
    let mut bench = Bench::idle(DEAF);
    bench.says(TurnRef::Agent(1), SignalBody::AgentTurn);
    let agent = bench.shown.last().and_then(|(turn, _)| *turn);
    let (turn, _) = bench.send();
    let names = bench.step(Input::Interrupt {
        turn: agent.expect("the agent's turn has an id"),
        keep_commands: false,
    });
    let retried = ["Unsupported", "kill", "free slot", "acquire Warm"];
    assert_eq!(names, retried);
    bench.gone();
    bench.step(Input::Granted(Given::Slot));
    bench.ready();
    assert_eq!(bench.ends(turn, Outcome::Completed), ["idle"]);
}

#[test]
fn an_agent_that_cannot_be_interrupted_is_not_asked_to_end_a_turn_for_the_close() {
    let (mut bench, _) = Bench::running(DEAF);
    let close = Input::Close {
        reason: CloseReason::Host,
        by: None,
    };
    assert_eq!(bench.step(close), ["stop", "free slot"]);
}

fn text_of(body: &Body) -> &str {
    match body {
        Body::TurnCompleted { result }
        | Body::TurnInterrupted { result }
        | Body::TurnFailed { result, .. } => &result.text,
        other => panic!("not an end: {other:?}"),
    }
}

#[test]
fn a_turn_that_ends_in_the_middle_of_a_message_tells_what_was_there_of_it() {
    let whole = Body::Message {
        text: "whole".into(),
        parent: None,
    };
    let (mut bench, turn) = Bench::running(POLICY);
    for body in [delta("wh"), delta("ole"), whole.clone()] {
        bench.shows(turn, body);
    }
    bench.shows(turn, delta("in the "));
    bench.shows(turn, delta("middle"));
    bench.ends(turn, Outcome::Interrupted);
    assert_eq!(text_of(bench.last()), "in the middle");

    let (turn, _) = bench.send();
    bench.shows(turn, delta("until it "));
    bench.shows(turn, delta("died"));
    bench.dies();
    assert_eq!(text_of(bench.last_end()), "until it died");

    let (mut bench, turn) = Bench::running(POLICY);
    bench.shows(turn, whole);
    bench.shows(turn, delta("beside"));
    bench.ends(turn, Outcome::Completed);
    assert_eq!(
        text_of(bench.last()),
        "whole",
        "of a good end the last whole one"
    );
}

#[test]
fn a_turn_is_being_interrupted_until_it_ends() {
    let (mut bench, turn) = Bench::running(POLICY);
    assert!(!bench.machine.is_interrupting());
    bench.step(Input::Interrupt {
        turn,
        keep_commands: false,
    });
    assert!(bench.machine.is_interrupting());
    bench.ends(turn, Outcome::Interrupted);
    assert!(!bench.machine.is_interrupting());
}

/// The agent's own turn runs, and the host's waits behind it.
fn behind(policy: Policy) -> (Bench, TurnId, TurnId) {
    let mut bench = Bench::idle(policy);
    bench.says(TurnRef::Agent(1), SignalBody::AgentTurn);
    let agent = bench.shown.last().and_then(|(turn, _)| *turn);
    let (turn, _) = bench.send();
    (bench, agent.expect("the agent's turn has an id"), turn)
}

#[test]
fn an_interrupt_names_the_turn_that_is_meant_and_no_other() {
    for named in [0, 1] {
        let (mut bench, agent, host) = behind(POLICY);
        let mut out = Vec::new();
        let turn = [agent, host][named];
        let keep_commands = false;
        let input = Input::Interrupt {
            turn,
            keep_commands,
        };
        bench.machine.step(bench.now, input, &mut out);
        let asked = out.iter().find_map(|effect| match effect {
            Effect::Ask(_, Request::Interrupt { turn, .. }) => Some(*turn),
            _ => None,
        });
        let meant = [TurnRef::Agent(1), TurnRef::Host(host)][named];
        assert_eq!(asked, Some(meant));
    }
}

#[test]
fn a_waiting_turn_that_cannot_be_taken_back_does_not_end_the_agents_own_as_interrupted() {
    let (mut bench, agent, turn) = behind(POLICY);
    bench.step(Input::Interrupt {
        turn,
        keep_commands: false,
    });
    bench.now += POLICY.timeouts.interrupt_grace;
    assert_eq!(bench.step(Input::Tick), ["kill", "free slot"]);
    let end = |turn| {
        let mut ends = bench.shown.iter().rev();
        let end = ends.find(|(of, body)| *of == Some(turn) && body.kind().is_turn_end());
        end.map(|(_, body)| body.kind())
    };
    assert_eq!(end(turn), Some(EventKind::TurnInterrupted));
    assert_eq!(end(agent), Some(EventKind::TurnFailed));
}
