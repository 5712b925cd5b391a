//! What a turn may use up, and what follows when it has.

use std::time::Duration;

use remuda::{Budget, ErrorKind, Feature, OnBusy, Pool, SendOptions, Sent};
use remuda_tests::{Scene, can, each_protocol, isolated_async};

/// Runs a turn with a budget, which it uses up; the process stays.
async fn uses_up(protocol: &'static str, prompt: &str, budget: Budget) {
    let scene = Scene::new(protocol, Pool::builder());
    let session = scene.open();
    session.ask("warm").await.expect("an answer");
    let options = SendOptions {
        budget,
        ..SendOptions::default()
    };
    let sent = session.send_with(prompt, options).await;
    let Ok(Sent::Started(turn)) = sent else {
        panic!("{sent:?}")
    };
    let failed = turn.result().await.expect_err("it used up its budget");
    assert_eq!(failed.kind(), Some(ErrorKind::BudgetExceeded), "{failed:?}");
    let next = session.ask("and on").await.expect("an answer");
    assert_eq!(next.text, "You said: and on");
    assert_eq!(scene.pool.stats().processes_started, 1);
    drop(session);
    scene.end().await;
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
        let options = SendOptions {
            budget: Budget {
                max_agent_turns: Some(1),
                max_tokens: Some(1_000_000),
                max_cost_usd: can(protocol, Feature::Cost).then_some(1.0),
                max_duration: Some(Duration::from_mins(5)),
            },
            ..SendOptions::default()
        };
        for _ in 0..3 {
            let sent = session.send_with("hello", options).await;
            let Ok(Sent::Started(turn)) = sent else {
                panic!("{sent:?}")
            };
            let result = turn.result().await.expect("a good end");
            assert_eq!(result.text, "You said: hello");
        }
        drop(session);
        scene.end().await;
    });
}

#[test]
fn a_budget_of_money_is_refused_where_the_agent_does_not_tell_the_cost() {
    each_protocol(async |protocol| {
        if can(protocol, Feature::Cost) {
            return;
        }
        let scene = Scene::new(protocol, Pool::builder());
        let session = scene.open();
        let before = session.snapshot();
        for on_busy in [OnBusy::Reject, OnBusy::Queue, OnBusy::Steer] {
            let options = SendOptions {
                on_busy,
                budget: Budget {
                    max_cost_usd: Some(1.0),
                    ..Budget::default()
                },
                ..SendOptions::default()
            };
            let refused = session.send_with("hello", options).await;
            assert_eq!(
                refused.map_err(|e| e.kind()).err(),
                Some(ErrorKind::Unsupported)
            );
        }
        assert_eq!(session.snapshot(), before);
        drop(session);
        scene.end().await;
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
