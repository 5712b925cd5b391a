//! Turns with a budget: what is over it fails, and costs nothing else.

use std::time::Duration;

use remuda::{Budget, ErrorKind, Pool, SendOptions, Sent};
use remuda_tests::{Scene, Tape, each_protocol, fails, finish, isolated_async, says};

/// Runs a turn with a budget, which it uses up; the process stays.
async fn uses_up(protocol: &'static str, prompt: &str, budget: Budget) {
    let scene = Scene::new(protocol, Pool::builder());
    let session = scene.open();
    let tape = Tape::of(&session);
    session.ask("warm").await.expect("an answer");
    let options = SendOptions {
        budget,
        ..SendOptions::default()
    };
    let sent = session.send_with(prompt, options).await;
    let Ok(Sent::Started(turn)) = sent else {
        panic!("{sent:?}")
    };
    fails(turn, ErrorKind::BudgetExceeded).await;
    let next = session.ask("and on").await.expect("an answer");
    assert_eq!(next.text, "You said: and on");
    assert_eq!(scene.pool.stats().processes_started, 1);
    finish(scene, session, tape).await;
}

#[test]
fn a_turn_that_takes_too_long_fails_and_its_process_stays() {
    each_protocol(async |protocol| {
        let budget = Budget {
            max_duration: Some(Duration::from_millis(200)),
            ..Budget::default()
        };
        uses_up(protocol, "[[say x]] [[hang]]", budget).await;
    });
}

#[test]
fn a_turn_that_uses_too_many_tokens_fails_and_its_process_stays() {
    each_protocol(async |protocol| {
        let budget = Budget {
            max_tokens: Some(10),
            ..Budget::default()
        };
        uses_up(protocol, "[[say x]] [[tool Bash ls 0]] [[hang]]", budget).await;
    });
}

#[test]
fn a_turn_that_goes_to_the_model_too_often_fails_and_its_process_stays() {
    each_protocol(async |protocol| {
        let budget = Budget {
            max_agent_turns: Some(1),
            ..Budget::default()
        };
        let prompt = "[[say x]] [[tool Bash ls 0]] [[say y]] [[hang]]";
        uses_up(protocol, prompt, budget).await;
    });
}

#[test]
fn a_turn_within_its_budget_ends_well() {
    each_protocol(async |protocol| {
        let scene = Scene::new(protocol, Pool::builder());
        let session = scene.open();
        let tape = Tape::of(&session);
        let options = SendOptions {
            budget: Budget {
                max_agent_turns: Some(1),
                max_tokens: Some(1_000_000),
                max_cost_usd: Some(1.0),
                max_duration: Some(Duration::from_mins(5)),
            },
            ..SendOptions::default()
        };
        for _ in 0..3 {
            let sent = session.send_with("hello", options).await;
            let Ok(Sent::Started(turn)) = sent else {
                panic!("{sent:?}")
            };
            says(turn, "You said: hello").await;
        }
        finish(scene, session, tape).await;
    });
}

#[test]
fn a_turn_that_cost_too_much_fails_where_the_agent_tells_the_cost() {
    isolated_async(async || {
        let budget = Budget {
            max_cost_usd: Some(0.000_001),
            ..Budget::default()
        };
        uses_up("claude", "hello", budget).await;
    });
}
