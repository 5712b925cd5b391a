//! Steering, budgets, settings and operations.

use super::*;
use crate::budget::Budget;
use crate::event::{Changed, RawJson, Usage};
use crate::operation::Operation;
use crate::settings::Change;

impl Bench {
    fn send_with(&mut self, budget: Budget) -> TurnId {
        let turn = TurnId::next();
        let message = Arc::new("hello".into());
        self.step(Input::Send {
            turn,
            tag: None,
            message,
            budget,
        });
        turn
    }

    fn changes(&mut self, live: bool) -> Vec<String> {
        let change = Arc::new(Change {
            model: Some("other".into()),
            ..Change::default()
        });
        self.step(Input::Change {
            number: 1,
            change,
            live,
        })
    }

    fn operates(&mut self) -> Vec<String> {
        let operation = Arc::new(Operation::ListModels {});
        self.step(Input::Operate {
            number: 1,
            operation,
        })
    }

    fn steers(&mut self) -> Vec<String> {
        let message = Arc::new("faster".into());
        self.step(Input::Steer { steer: 1, message })
    }
}

fn used(output_tokens: u64) -> Body {
    Body::Usage {
        usage: Usage {
            output_tokens,
            ..Usage::default()
        },
        parent: None,
    }
}

#[test]
fn a_message_joins_the_running_turn_when_the_agent_says_so() {
    let (mut bench, turn) = Bench::running(POLICY);
    assert_eq!(bench.steers(), ["ask steer"]);
    let refused = None;
    let steered = SignalBody::Steered { steer: 1, refused };
    assert_eq!(bench.says(TurnRef::Host(turn), steered), ["steered"]);
}

#[test]
fn nobody_waits_for_ever_to_learn_whether_a_message_joined() {
    let (mut bench, turn) = Bench::running(POLICY);
    bench.steers();
    bench.ends(turn, Outcome::Completed);
    bench.now += POLICY.timeouts.first_sign;
    assert_eq!(bench.step(Input::Tick), ["steer lost"]);
    assert_eq!(bench.machine.deadline(), None);
}

#[test]
fn a_message_that_cannot_join_learns_why() {
    let mut bench = Bench::idle(POLICY);
    assert_eq!(bench.steers(), ["not steered: no turn runs"]);
    let (turn, _) = bench.send();
    bench.steers();
    let refused = Some("the turn is over".to_owned());
    let steered = SignalBody::Steered { steer: 1, refused };
    assert_eq!(
        bench.says(TurnRef::Host(turn), steered),
        ["not steered: the turn is over"]
    );
}

#[test]
fn a_message_that_a_process_took_with_it_is_lost_and_not_sent_again() {
    let (mut bench, _) = Bench::running(POLICY);
    bench.steers();
    let names = bench.dies();
    assert!(names.contains(&"steer lost".to_owned()), "{names:?}");

    let (mut bench, turn) = Bench::running(POLICY);
    bench.steers();
    let keep_commands = false;
    bench.step(Input::Interrupt {
        turn,
        keep_commands,
    });
    bench.now += POLICY.timeouts.interrupt_grace;
    let names = bench.step(Input::Tick);
    assert!(names.contains(&"steer lost".to_owned()), "{names:?}");
}

#[test]
fn a_message_that_joined_a_turn_that_is_over_is_told_outside_of_turns() {
    let (mut bench, turn) = Bench::running(POLICY);
    bench.steers();
    bench.ends(turn, Outcome::Completed);
    bench.send();
    let refused = None;
    let steered = SignalBody::Steered { steer: 1, refused };
    let names = bench.says(TurnRef::Host(turn), steered);
    assert_eq!(names, ["steered too late"]);
}

#[test]
fn an_agent_turn_more_than_allowed_is_seen_when_the_model_speaks_again() {
    let mut bench = Bench::idle(POLICY);
    let budget = Budget {
        max_agent_turns: Some(1),
        ..Budget::default()
    };
    let turn = bench.send_with(budget);
    bench.shows(turn, delta("all of it"));
    assert_eq!(bench.shows(turn, used(1)), [""; 0]);
    bench.ends(turn, Outcome::Completed);
    assert_eq!(bench.last().kind(), EventKind::TurnCompleted);

    let turn = bench.send_with(budget);
    bench.shows(turn, used(1));
    assert_eq!(bench.shows(turn, delta("again")), ["ask interrupt"]);
    bench.ends(turn, Outcome::Interrupted);
    assert_eq!(bench.last().kind(), EventKind::TurnFailed);
}

#[test]
fn sub_agents_use_tokens_of_the_turn_and_none_of_its_agent_turns() {
    let mut bench = Bench::idle(POLICY);
    let turn = bench.send_with(Budget {
        max_agent_turns: Some(1),
        max_tokens: Some(100),
        ..Budget::default()
    });
    let of_child = |output_tokens| Body::Usage {
        usage: Usage {
            output_tokens,
            ..Usage::default()
        },
        parent: Some("task".into()),
    };
    bench.shows(turn, used(1));
    for tokens in [50, 99] {
        assert_eq!(bench.shows(turn, of_child(tokens)), [""; 0]);
    }
    assert_eq!(bench.shows(turn, of_child(100)), ["ask interrupt"]);
}

#[test]
fn a_turn_that_the_host_interrupted_does_not_fail_for_its_budget() {
    let mut bench = Bench::idle(POLICY);
    let turn = bench.send_with(Budget {
        max_duration: Some(Duration::from_secs(3)),
        ..Budget::default()
    });
    bench.shows(turn, delta("x"));
    let keep_commands = false;
    bench.step(Input::Interrupt {
        turn,
        keep_commands,
    });
    bench.now += Duration::from_secs(3);
    assert_eq!(bench.step(Input::Tick), [""; 0]);
    bench.ends(turn, Outcome::Interrupted);
    assert_eq!(bench.last().kind(), EventKind::TurnInterrupted);
}

#[test]
fn a_change_that_the_agent_does_not_answer_replaces_its_process() {
    let mut bench = Bench::idle(POLICY);
    bench.changes(true);
    bench.now += POLICY.timeouts.first_sign;
    let names = ["changed Recycled", "stop", "free slot"];
    assert_eq!(bench.step(Input::Tick), names);
}

#[test]
fn a_change_does_not_wait_for_a_host_that_is_behind() {
    let mut bench = Bench::idle(POLICY);
    bench.changes(true);
    bench.step(Input::Paused(true));
    bench.now += POLICY.timeouts.first_sign;
    assert_eq!(bench.machine.deadline(), Some(bench.now));
    let names = ["changed Recycled", "stop", "free slot"];
    assert_eq!(bench.step(Input::Tick), names);
}

#[test]
fn an_operation_that_the_agent_does_not_answer_fails() {
    let mut bench = Bench::idle(POLICY);
    bench.operates();
    bench.now += POLICY.timeouts.first_output;
    let names = ["not operated: first_output_timeout", "idle"];
    assert_eq!(bench.step(Input::Tick), names);
}

#[test]
fn a_turn_that_used_up_its_budget_fails_and_its_process_stays() {
    let mut bench = Bench::idle(POLICY);
    let turn = bench.send_with(Budget {
        max_tokens: Some(100),
        ..Budget::default()
    });
    assert_eq!(bench.shows(turn, used(99)), [""; 0]);
    assert_eq!(bench.shows(turn, used(100)), ["ask interrupt"]);
    assert_eq!(bench.ends(turn, Outcome::Interrupted), ["idle"]);
    let Body::TurnFailed { failure, .. } = bench.last() else {
        panic!("expected a failure, got {:?}", bench.last());
    };
    assert_eq!(failure.code, ErrorKind::BudgetExceeded);
    assert!(!bench.kinds().contains(&EventKind::Downgraded));
}

#[test]
fn a_turn_that_used_up_its_budget_and_cannot_be_interrupted_fails_with_its_process() {
    let mut bench = Bench::idle(Policy {
        interrupt: crate::capabilities::Support::default(),
        ..POLICY
    });
    let turn = bench.send_with(Budget {
        max_tokens: Some(1),
        ..Budget::default()
    });
    assert_eq!(bench.shows(turn, used(1)), ["kill", "free slot"]);
    let Body::TurnFailed { failure, .. } = bench.last() else {
        panic!("expected a failure, got {:?}", bench.last());
    };
    assert_eq!(failure.code, ErrorKind::BudgetExceeded);
    assert!(!bench.kinds().contains(&EventKind::Downgraded));
}

#[test]
fn a_turn_that_takes_too_long_is_ended_in_every_stage() {
    let limit = Duration::from_secs(3);
    let budget = Budget {
        max_duration: Some(limit),
        ..Budget::default()
    };
    let mut bench = Bench::new(POLICY);
    bench.send_with(budget);
    bench.now += limit;
    assert_eq!(bench.step(Input::Tick), ["abandon"]);
    assert_eq!(bench.last().kind(), EventKind::TurnFailed);

    let mut bench = Bench::idle(POLICY);
    let turn = bench.send_with(budget);
    bench.shows(turn, delta("x"));
    bench.now += limit;
    assert_eq!(bench.step(Input::Tick), ["ask interrupt"]);
    bench.ends(turn, Outcome::Interrupted);
    assert_eq!(bench.last().kind(), EventKind::TurnFailed);
}

#[test]
fn settings_change_in_the_running_process_where_the_agent_can() {
    let (mut bench, _) = Bench::running(POLICY);
    assert_eq!(bench.changes(true), ["ask change"]);
    let changed = SignalBody::Changed(ChangeOutcome::Live);
    assert_eq!(bench.says(TurnRef::None, changed), ["changed Live"]);
    assert_eq!(bench.last().kind(), EventKind::SettingsChanged);
}

#[test]
fn settings_that_need_a_new_process_replace_it_between_turns_and_say_so() {
    let mut bench = Bench::idle(POLICY);
    assert_eq!(
        bench.changes(false),
        ["changed Recycled", "stop", "free slot"]
    );
    assert!(bench.kinds().contains(&EventKind::Recycled));

    let (mut bench, turn) = Bench::running(POLICY);
    assert_eq!(bench.changes(false), ["changed AfterTurn"]);
    assert!(matches!(
        bench.last(),
        Body::SettingsChanged {
            how: Changed::AfterTurn,
            ..
        }
    ));
    assert_eq!(bench.ends(turn, Outcome::Completed), ["stop", "free slot"]);
    assert_eq!(bench.send().1, ["acquire Warm"]);

    let mut bench = Bench::new(POLICY);
    assert_eq!(bench.changes(true), ["changed NextProcess"]);
}

#[test]
fn settings_of_which_the_codec_knows_that_they_need_a_new_process_get_one() {
    let mut bench = Bench::idle(POLICY);
    bench.changes(true);
    assert_eq!(
        bench.says(
            TurnRef::None,
            SignalBody::Changed(ChangeOutcome::NeedsProcess)
        ),
        ["changed Recycled", "stop", "free slot"]
    );
}

fn refused(halfway: bool) -> SignalBody {
    let message = "the agent's words".to_owned();
    SignalBody::Changed(ChangeOutcome::Refused { message, halfway })
}

#[test]
fn settings_that_the_agent_refuses_are_an_error_in_its_words_and_replace_nothing() {
    let mut bench = Bench::idle(POLICY);
    bench.changes(true);
    let told = bench.shown.len();
    assert_eq!(
        bench.says(TurnRef::None, refused(false)),
        ["not changed: agent_error: the agent's words"]
    );
    assert_eq!(bench.shown.len(), told, "nothing changed");
    assert_eq!(bench.send().1, ["ask turn", "busy"]);
}

#[test]
fn a_process_that_took_a_part_of_what_it_refused_is_replaced_between_turns() {
    let (mut bench, turn) = Bench::running(POLICY);
    bench.changes(true);
    assert_eq!(
        bench.says(TurnRef::None, refused(true)),
        ["not changed: agent_error: the agent's words"]
    );
    assert_eq!(bench.ends(turn, Outcome::Completed), ["stop", "free slot"]);
}

#[test]
fn an_operation_starts_a_process_and_keeps_the_session_busy() {
    let mut bench = Bench::new(POLICY);
    assert_eq!(bench.operates(), ["acquire Warm"]);
    assert_eq!(bench.step(Input::Granted(Given::Slot)), ["start Warm"]);
    assert_eq!(bench.ready(), ["start done", "ask operate"]);
    assert_eq!(
        bench.step(Input::Evict(EvictionReason::IdleTimeout)),
        ["refuse"]
    );
    let outcome = Ok(RawJson::from_text("{}"));
    let operated = SignalBody::Operated { number: 1, outcome };
    assert_eq!(bench.says(TurnRef::None, operated), ["operated", "idle"]);
}

#[test]
fn an_operation_is_answered_when_its_process_dies_and_when_there_is_none() {
    let mut bench = Bench::idle(POLICY);
    assert_eq!(bench.operates(), ["ask operate", "busy"]);
    assert_eq!(
        bench.dies(),
        ["not operated: process_exit", "kill", "free slot"]
    );
    bench.gone();
    bench.operates();
    let full = Error::new(ErrorKind::PoolFull, "full");
    assert_eq!(bench.step(Input::Denied(full)), ["not operated: pool_full"]);
}

#[test]
fn a_turn_takes_the_process_that_an_operation_asked_for() {
    let mut bench = Bench::new(POLICY);
    bench.operates();
    assert_eq!(
        bench.send().1,
        [""; 0],
        "one question to the pool is enough"
    );
    bench.step(Input::Granted(Given::Slot));
    assert_eq!(bench.ready(), ["start done", "ask turn", "ask operate"]);
}
