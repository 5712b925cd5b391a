//! Races between the host and the agent, each 1000 times with each protocol and random timing: one
//! outcome each, told to the caller, and the session goes on. One exception is named where it stands.
//! `REMUDA_TEST_QUICK` makes them 200, `REMUDA_TEST_SEED` repeats a run's choices.

use std::time::{Duration, Instant};

use remuda::config::Requests;
use remuda::event::{Changed, ResolvedBy};
use remuda::request::Scope;
use remuda::{
    AskError, Body, Change, ErrorKind, EventKind, Feature, OnBusy, Pool, Receipt, Sent, Session,
    Turn,
};
use remuda_tests::{
    Aim, Dice, Scene, Tape, bounded, can, each_protocol, end_of, no, on_busy, rounds, those_that,
    timeouts, yes,
};

/// A session that is warm, its events, and the moment to aim at.
struct Race {
    scene: Scene,
    session: Session,
    tape: Tape,
    aim: Aim,
}

impl Race {
    async fn new(protocol: &'static str, set: impl FnOnce(&mut remuda::SessionOptions)) -> Self {
        let scene = Scene::new(protocol, Pool::builder());
        let session = scene.open_with(set);
        let tape = Tape::of(&session);
        let mut race = Self {
            scene,
            session,
            tape,
            aim: Aim::new(Dice::new()),
        };
        race.aim_at("first").await;
        race
    }

    /// Finds out how long such a turn takes when nobody disturbs it.
    async fn aim_at(&mut self, prompt: &str) {
        for _ in 0..20 {
            let start = Instant::now();
            let end = bounded("a turn", self.session.ask(prompt)).await;
            end.expect("it goes well");
            self.aim.took(start.elapsed());
        }
        self.tape.catch_up();
    }

    /// A turn that nobody disturbs: whatever the race before left behind shows here.
    async fn undisturbed(&mut self, text: &str) {
        let said = bounded("a turn", self.session.ask(text)).await;
        assert_eq!(
            said.expect("it goes well").text,
            format!("You said: {text}")
        );
        self.tape.catch_up();
    }

    fn send(&self, text: &str) -> Turn {
        self.session.send(text).expect("nothing runs")
    }

    async fn queue(&self, text: &str) -> (Turn, bool) {
        let sent = self.session.send_with(text, on_busy(OnBusy::Queue)).await;
        match sent.expect("there is room") {
            Sent::Started(turn) => (turn, false),
            Sent::Queued {
                turn,
                position,
                why,
            } => {
                assert_eq!((position, why), (0, None));
                (turn, true)
            }
            Sent::Steered { .. } => panic!("that was not wanted"),
        }
    }

    /// Closes the session, and sees that its whole story was lawful and nothing is left.
    async fn end(self) -> Vec<std::sync::Arc<remuda::Event>> {
        let snapshot = self.session.snapshot();
        assert_eq!((snapshot.running, snapshot.queued.len()), (None, 0));
        assert_eq!(snapshot.requests, []);
        assert_eq!(bounded("the close", self.session.closed()).await, [0; 0]);
        let events = bounded("the events", self.tape.whole()).await;
        self.scene.end().await;
        events
    }
}

fn started(race: &Race) -> u64 {
    race.scene.pool.stats().processes_started
}

/// Both ways a race can go must have been seen, or it was none.
fn both_ways(first: u64, second: u64) {
    assert!(first > 0 && second > 0, "no race: {first} and {second}");
}

#[test]
fn an_interrupt_against_the_completion_has_one_outcome() {
    each_protocol(async |protocol| {
        let mut race = Race::new(protocol, |_| {}).await;
        // The agent is at it long enough that an interrupt can reach it.
        let prompt = "[[words 3]] [[sleep-ms 1]] [[say end]]";
        race.aim_at(prompt).await;
        let (mut completed, mut interrupted) = (0, 0);
        for round in 0..rounds() {
            let start = Instant::now();
            let turn = race.send(prompt);
            race.aim.wait(start).await;
            let receipt = bounded("the receipt", turn.interrupt()).await;
            let receipt = receipt.expect("the session is there");
            match end_of(turn).await {
                Ok(result) => {
                    assert_eq!(result.text, "word1 word2 word3 end");
                    completed += 1;
                }
                Err(AskError::Interrupted { .. }) => {
                    assert_eq!(receipt, Receipt::Delivered);
                    interrupted += 1;
                }
                Err(other) => panic!("round {round}: {other:?}"),
            }
            if round % 2 == 0 {
                race.undisturbed("after").await;
            }
        }
        both_ways(completed, interrupted);
        assert_eq!(started(&race), 1, "the process stays");
        race.end().await;
    });
}

#[test]
fn an_answer_against_the_deadline_has_one_winner() {
    const DEADLINE: Duration = Duration::from_millis(4);
    remuda_tests::isolated_async(async || {
        for protocol in those_that(Feature::CommandApproval) {
            answers_race_the_deadline(protocol, DEADLINE).await;
        }
    });
}

async fn answers_race_the_deadline(protocol: &'static str, deadline: Duration) {
    let mut race = Race::new(protocol, |options| {
        options.requests = Requests::Host;
        options.timeouts = Some(timeouts(|t| t.request = deadline));
    })
    .await;
    let mut dice = Dice::new();
    let (mut host, mut late) = (0, 0);
    for _ in 0..rounds() {
        let turn = race.send("[[ask Bash ls]] [[say done]]");
        let opened = race.tape.until_kind(EventKind::RequestOpened).await;
        let opened_at = Instant::now();
        let Body::RequestOpened { request, .. } = opened.body else {
            panic!("{opened:?}")
        };
        let pause = Duration::from_micros(dice.roll(2 * 4000));
        while opened_at.elapsed() < pause {
            tokio::task::yield_now().await;
        }
        let answer = if dice.roll(2) == 0 {
            yes(Scope::Once)
        } else {
            no("no")
        };
        let answered = bounded("the answer", race.session.answer(request, answer)).await;
        let winner = match answered {
            Ok(()) => {
                host += 1;
                ResolvedBy::Host
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::AlreadyAnswered);
                assert!(error.message().contains("deadline"), "{error}");
                late += 1;
                ResolvedBy::Deadline
            }
        };
        let resolved = race.tape.until_kind(EventKind::RequestResolved).await;
        assert!(
            matches!(resolved.body, Body::RequestResolved { request: r, by, .. } if r == request && by == winner),
            "{resolved:?}"
        );
        assert_eq!(end_of(turn).await.expect("it goes on").text, "done");
    }
    both_ways(host, late);
    race.end().await;
}

#[test]
fn a_message_against_the_end_of_the_turn_is_seen_by_the_agent_once() {
    remuda_tests::isolated_async(async || {
        for protocol in those_that(Feature::Steer) {
            messages_race_the_end(protocol).await;
        }
    });
}

async fn messages_race_the_end(protocol: &'static str) {
    // Some agents take messages only while a tool runs.
    let prompt = "[[words 2]] [[tool Bash ls 1]] [[words 3]]";
    let mut race = Race::new(protocol, |_| {}).await;
    race.aim_at(prompt).await;
    let (mut joined, mut own) = (0, 0);
    for round in 0..rounds() {
        let start = Instant::now();
        let turn = race.send(prompt);
        let first = turn.id();
        race.aim.wait(start).await;
        let text = format!("[[say joined {round}.]]");
        let sent = race
            .session
            .send_with(text.as_str(), on_busy(OnBusy::Steer));
        let sent = bounded("the receipt", sent).await.expect("it is taken");
        end_of(turn).await.expect("it goes well");
        let said = format!("joined {round}.");
        match sent {
            Sent::Steered { into } => {
                assert_eq!(into, first);
                joined += 1;
            }
            Sent::Started(turn) => {
                assert_eq!(end_of(turn).await.expect("it goes well").text, said);
                own += 1;
            }
            Sent::Queued { turn, why, .. } => {
                assert!(why.is_some(), "it is said why");
                assert_eq!(end_of(turn).await.expect("it goes well").text, said);
                own += 1;
            }
        }
        if round % 10 == 0 {
            race.undisturbed("after").await;
        }
        race.tape.catch_up();
    }
    // What the last one left to a turn of the agent's own has come when this is answered.
    race.undisturbed("after all").await;
    both_ways(joined, own);
    assert_eq!(started(&race), 1);
    let events = race.end().await;
    let told = remuda_tests::count(&events, EventKind::Steered);
    assert_eq!(told as u64, joined, "each is told once");
    for round in 0..rounds() {
        let said = format!("joined {round}.");
        let answers = events.iter().filter(
            |event| matches!(&event.body, Body::Message { text, .. } if text.contains(&said)),
        );
        assert_eq!(answers.count(), 1, "{said} was seen once");
    }
}

#[test]
fn taking_a_message_out_of_the_queue_against_its_start_has_one_outcome() {
    each_protocol(async |protocol| {
        let mut race = Race::new(protocol, |_| {}).await;
        let (mut cancelled, mut ran) = (0, 0);
        for round in 0..rounds() {
            let start = Instant::now();
            let first = race.send("first");
            let (second, _) = race.queue(&format!("second {round}")).await;
            race.aim.wait(start).await;
            let taken = race.session.cancel(second.id());
            let id = second.id();
            match (taken, end_of(second).await) {
                (Ok(()), Err(AskError::Interrupted { .. })) => {
                    race.tape.catch_up();
                    let mine = race.tape.seen().iter().filter(|e| e.turn == Some(id));
                    let kinds: Vec<_> = mine.map(|e| e.kind()).collect();
                    assert_eq!(kinds, [EventKind::TurnQueued, EventKind::TurnInterrupted]);
                    cancelled += 1;
                }
                (Err(error), Ok(result)) => {
                    assert_eq!(error.kind(), ErrorKind::Stale);
                    assert_eq!(result.text, format!("You said: second {round}"));
                    ran += 1;
                }
                other => panic!("round {round}: {other:?}"),
            }
            end_of(first).await.expect("it goes well");
            if round % 10 == 0 {
                race.undisturbed("after").await;
            }
        }
        both_ways(cancelled, ran);
        assert_eq!(started(&race), 1);
        race.end().await;
    });
}

#[test]
fn another_message_against_the_start_of_the_waiting_one_has_one_outcome() {
    each_protocol(async |protocol| {
        let mut race = Race::new(protocol, |_| {}).await;
        let (mut changed, mut stale) = (0, 0);
        for round in 0..rounds() {
            let start = Instant::now();
            let first = race.send("first");
            let (second, _) = race.queue(&format!("old {round}")).await;
            race.aim.wait(start).await;
            let edited = race.session.edit(second.id(), format!("new {round}"));
            let text = end_of(second).await.expect("it goes well").text;
            match edited {
                Ok(()) => {
                    assert_eq!(text, format!("You said: new {round}"));
                    changed += 1;
                }
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Stale);
                    assert_eq!(text, format!("You said: old {round}"));
                    stale += 1;
                }
            }
            end_of(first).await.expect("it goes well");
            if round % 10 == 0 {
                race.undisturbed("after").await;
            }
        }
        both_ways(changed, stale);
        race.end().await;
    });
}

#[test]
#[expect(clippy::wildcard_enum_match_arm, reason = "a test looks for one thing")]
fn a_change_of_settings_against_the_end_of_a_turn_is_answered_once_and_truly() {
    each_protocol(async |protocol| {
        let live = can(protocol, Feature::ChangeModel);
        let mut race = Race::new(protocol, |_| {}).await;
        // The exception: 100 times where the agent takes no change while it runs. Each of those starts a
        // process anew, and with that both sides of the race are decided by us and not by the agent.
        let rounds = if live { rounds() } else { rounds() / 10 };
        let mut told = Vec::new();
        for round in 0..rounds {
            let start = Instant::now();
            let turn = race.send("first");
            race.aim.wait(start).await;
            let change = Change {
                model: Some(format!("model-{round}")),
                ..Change::default()
            };
            let how = bounded("the change", race.session.change(change)).await;
            told.push(how.expect("it is taken"));
            end_of(turn).await.expect("it goes well");
            let next = bounded("a turn", race.session.ask("next")).await;
            assert_eq!(next.expect("it goes well").text, "You said: next");
            race.tape.catch_up();
        }
        if live {
            assert!(told.iter().all(|how| *how == Changed::Live));
            assert_eq!(started(&race), 1);
        }
        let events = race.end().await;
        let shown = events.iter().filter_map(|e| match e.body {
            Body::SettingsChanged { how, .. } => Some(how),
            _ => None,
        });
        assert_eq!(shown.collect::<Vec<_>>(), told);
    });
}
