//! Messages for a session that is busy: refused, queued or steered, and what becomes of each.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a test looks for some kinds of events"
)]

use std::sync::Arc;
use std::time::Duration;

use remuda::config::{Downgrade, Mode, Persistent, WhenFull};
use remuda::{
    Body, ErrorKind, Event, EventKind, Feature, InterruptOptions, OnBusy, Pool, QueuedTurn,
    Receipt, SendOptions, Sent, Session, Turn, TurnId, capabilities_of,
};
use remuda_tests::{
    Scene, Tape, bounded, each_protocol, fails, finish, hanging, is_interrupted, isolated_async,
    kill, on_busy, says, those_that,
};
use scripted_agent::{Action, Script, Trigger};

/// Sends a message that is to wait, and gives its turn and how many wait before it.
async fn queue(session: &Session, text: &str) -> (Turn, usize) {
    let sent = session.send_with(text, on_busy(OnBusy::Queue)).await;
    match sent.expect("there is room") {
        Sent::Queued {
            turn,
            position,
            why: None,
        } => (turn, position),
        other => panic!("{other:?}"),
    }
}

/// The turns in the order in which they began.
fn began(events: &[Arc<Event>]) -> Vec<TurnId> {
    let starts = events.iter().filter(|e| e.kind() == EventKind::TurnStarted);
    starts.filter_map(|e| e.turn).collect()
}

fn kinds_of(events: &[Arc<Event>], turn: TurnId) -> Vec<EventKind> {
    let mine = events.iter().filter(|e| e.turn == Some(turn));
    mine.map(|e| e.kind()).collect()
}

#[test]
fn a_busy_session_refuses_what_is_not_to_wait_and_says_nothing_of_it() {
    each_protocol(async |protocol| {
        let scene = Scene::new(protocol, Pool::builder());
        let session = scene.open();
        let tape = Tape::of(&session);
        let running = hanging(&session).await;
        let before = session.snapshot();
        let refused = session.send_with("more", SendOptions::default()).await;
        assert_eq!(
            refused.expect_err("a turn runs").kind(),
            ErrorKind::TurnInProgress
        );
        assert_eq!(session.snapshot(), before);
        running.interrupt().await.expect("a receipt");
        is_interrupted(running).await;
        finish(scene, session, tape).await;
    });
}

#[test]
fn what_waits_is_listed_bounded_and_runs_in_order_with_its_tag() {
    each_protocol(async |protocol| {
        let scene = Scene::new(protocol, Pool::builder());
        let session = scene.open_with(|options| options.queue_limit = 3);
        let tape = Tape::of(&session);
        let running = hanging(&session).await;
        let mut turns = Vec::new();
        for (number, text) in ["a", "b", "c"].into_iter().enumerate() {
            let options = SendOptions {
                tag: Some(number as u64),
                ..on_busy(OnBusy::Queue)
            };
            let sent = session.send_with(text, options).await.expect("room");
            let Sent::Queued { turn, position, .. } = sent else {
                panic!("{sent:?}")
            };
            assert_eq!(position, number);
            turns.push(turn);
        }
        let full = session.send_with("d", on_busy(OnBusy::Queue)).await;
        assert_eq!(
            full.expect_err("it is full").kind(),
            ErrorKind::TurnInProgress
        );
        let listed = ["a", "b", "c"].into_iter().enumerate().map(|(n, text)| {
            let (turn, tag) = (turns[n].id(), Some(n as u64));
            let text = text.to_owned();
            QueuedTurn { turn, tag, text }
        });
        assert_eq!(session.snapshot().queued, listed.collect::<Vec<_>>());
        let ids: Vec<_> = turns.iter().map(Turn::id).collect();
        running.interrupt().await.expect("a receipt");
        is_interrupted(running).await;
        for (turn, text) in turns.into_iter().zip(["a", "b", "c"]) {
            says(turn, &format!("You said: {text}")).await;
        }
        assert_eq!(session.snapshot().queued, []);
        let events = finish(scene, session, tape).await;
        assert_eq!(began(&events)[1..], ids);
        for (number, id) in ids.into_iter().enumerate() {
            let wanted = Some(number as u64);
            let tags = events.iter().filter(|e| e.turn == Some(id));
            let tags = tags.filter_map(|e| match &e.body {
                Body::TurnQueued { tag, position, .. } => {
                    assert_eq!(*position, number);
                    Some(*tag)
                }
                Body::TurnStarted { tag, .. } => Some(*tag),
                _ => None,
            });
            assert_eq!(tags.collect::<Vec<_>>(), [wanted, wanted]);
        }
    });
}

#[test]
fn what_waits_can_be_taken_out_and_changed_until_it_begins() {
    each_protocol(async |protocol| {
        let scene = Scene::new(protocol, Pool::builder());
        let session = scene.open();
        let tape = Tape::of(&session);
        let running = hanging(&session).await;
        let (first, _) = queue(&session, "a").await;
        let (second, _) = queue(&session, "b").await;
        let (third, _) = queue(&session, "c").await;
        let (gone, first_id) = (second.id(), first.id());
        session.cancel(gone).expect("it waits");
        session.edit(third.id(), "other").expect("it waits");
        let empty = session.edit(third.id(), " ").expect_err("it is empty");
        assert_eq!(empty.kind(), ErrorKind::InvalidArgument);
        is_interrupted(second).await;
        for turn in [gone, running.id()] {
            let stale = session.cancel(turn).expect_err("it does not wait");
            assert_eq!(stale.kind(), ErrorKind::Stale);
            let stale = session.edit(turn, "x").expect_err("it does not wait");
            assert_eq!(stale.kind(), ErrorKind::Stale);
        }
        let texts = session.snapshot().queued.into_iter().map(|q| q.text);
        assert_eq!(texts.collect::<Vec<_>>(), ["a", "other"]);
        running.interrupt().await.expect("a receipt");
        is_interrupted(running).await;
        says(first, "You said: a").await;
        says(third, "You said: other").await;
        let late = session.cancel(first_id).expect_err("it is over");
        assert_eq!(late.kind(), ErrorKind::Stale);
        let events = finish(scene, session, tape).await;
        let kinds = [EventKind::TurnQueued, EventKind::TurnInterrupted];
        assert_eq!(kinds_of(&events, gone), kinds);
    });
}

#[test]
fn an_interrupt_of_a_turn_that_waits_takes_it_out() {
    each_protocol(async |protocol| {
        let scene = Scene::new(protocol, Pool::builder());
        let session = scene.open();
        let tape = Tape::of(&session);
        let running = hanging(&session).await;
        let (waiting, _) = queue(&session, "never sent").await;
        let receipt = waiting.interrupt().await.expect("a receipt");
        assert_eq!(receipt, Receipt::Held);
        let id = waiting.id();
        is_interrupted(waiting).await;
        let again = session.interrupt(id).await.expect("a receipt");
        assert_eq!(again, Receipt::TooLate);
        assert_eq!(session.snapshot().running, Some(running.id()));
        running.interrupt().await.expect("a receipt");
        is_interrupted(running).await;
        let recalled = session.ask("[[recall]]").await.expect("an answer").text;
        assert!(!recalled.contains("never"), "{recalled}");
        finish(scene, session, tape).await;
    });
}

#[test]
fn an_interrupt_leaves_the_queue_or_takes_it_with_it_as_the_caller_says() {
    each_protocol(async |protocol| {
        let scene = Scene::new(protocol, Pool::builder());
        let session = scene.open();
        let tape = Tape::of(&session);
        let running = hanging(&session).await;
        let (next, _) = queue(&session, "[[say here]] [[hang]]").await;
        running.interrupt().await.expect("a receipt");
        is_interrupted(running).await;
        let mut next = next;
        bounded("the next begins", async {
            while let Some(event) = next.next().await {
                if event.kind() == EventKind::TextDelta {
                    return;
                }
            }
            panic!("it is over");
        })
        .await;
        let (one, _) = queue(&session, "one").await;
        let (two, _) = queue(&session, "two").await;
        let with_queue = InterruptOptions {
            drop_queue: true,
            ..InterruptOptions::default()
        };
        let receipt = session.interrupt_with(next.id(), with_queue).await;
        assert_eq!(receipt.expect("a receipt"), Receipt::Delivered);
        for turn in [next, one, two] {
            is_interrupted(turn).await;
        }
        session.ask("and on").await.expect("an answer");
        let events = finish(scene, session, tape).await;
        assert_eq!(began(&events).len(), 3);
    });
}

#[test]
fn a_close_ends_all_that_waits_as_failed() {
    each_protocol(async |protocol| {
        let scene = Scene::new(protocol, Pool::builder());
        let session = scene.open();
        let tape = Tape::of(&session);
        let running = hanging(&session).await;
        let (one, _) = queue(&session, "one").await;
        let (two, _) = queue(&session, "two").await;
        let id = two.id();
        session.close();
        for turn in [running, one, two] {
            fails(turn, ErrorKind::Closed).await;
        }
        let closed = session.cancel(id).expect_err("it is closed");
        assert_eq!(closed.kind(), ErrorKind::Closed);
        let closed = session.edit(id, "x").expect_err("it is closed");
        assert_eq!(closed.kind(), ErrorKind::Closed);
        let events = finish(scene, session, tape).await;
        assert_eq!(began(&events).len(), 1);
    });
}

#[test]
fn the_queue_is_kept_when_the_process_dies_and_when_the_session_is_downgraded() {
    each_protocol(async |protocol| {
        for downgrade in [Downgrade::Never, Downgrade::Sticky] {
            let scene = Scene::new(protocol, Pool::builder().downgrade(downgrade));
            let session = scene.open();
            let mut tape = Tape::of(&session);
            let first = hanging(&session).await;
            let started = tape.until_kind(EventKind::ProcessStarted).await;
            let Body::ProcessStarted { pid, .. } = started.body else {
                panic!("{started:?}")
            };
            let (one, _) = queue(&session, "one").await;
            let (two, _) = queue(&session, "two").await;
            let ids = [first.id(), one.id(), two.id()];
            kill(pid);
            fails(first, ErrorKind::ProcessExit).await;
            says(one, "You said: one").await;
            says(two, "You said: two").await;
            let mode = match downgrade {
                Downgrade::Never => Mode::Warm,
                Downgrade::Sticky | Downgrade::Probation { .. } => Mode::OneShot,
            };
            assert_eq!(session.snapshot().mode, mode);
            let events = finish(scene, session, tape).await;
            assert_eq!(began(&events), ids);
        }
    });
}

#[test]
fn the_queue_of_one_session_and_the_turn_of_another_share_a_slot() {
    each_protocol(async |protocol| {
        let when_full = WhenFull::Wait {
            timeout: Duration::from_mins(1),
        };
        let pool = Pool::builder()
            .max_warm(1)
            .max_processes(1_usize)
            .when_full(when_full);
        let scene = Scene::new(protocol, pool);
        let [busy, other] = [scene.open(), scene.open()];
        let tapes = [Tape::of(&busy), Tape::of(&other)];
        let running = hanging(&busy).await;
        let (one, _) = queue(&busy, "one").await;
        let (two, _) = queue(&busy, "two").await;
        let ids = [running.id(), one.id(), two.id()];
        let theirs = other.send("theirs").expect("a turn");
        let (last, _) = queue(&other, "last").await;
        running.interrupt().await.expect("a receipt");
        is_interrupted(running).await;
        says(one, "You said: one").await;
        says(two, "You said: two").await;
        says(theirs, "You said: theirs").await;
        says(last, "You said: last").await;
        busy.ask("again").await.expect("the slot comes back");
        drop((busy, other));
        let [first, second] = tapes;
        let events = bounded("the events", first.whole()).await;
        assert_eq!(began(&events)[..3], ids);
        bounded("the events", second.whole()).await;
        scene.end().await;
    });
}

#[test]
fn a_message_joins_the_running_turn_where_the_agent_can() {
    isolated_async(async || {
        for protocol in those_that(Feature::Steer) {
            let scene = Scene::new(protocol, Pool::builder());
            let session = scene.open();
            let mut tape = Tape::of(&session);
            let prompt = "[[tool Bash make 2000]] [[say end]]";
            let running = session.send(prompt).expect("a turn");
            tape.until_kind(EventKind::ToolUse).await;
            let options = SendOptions {
                tag: Some(7),
                ..on_busy(OnBusy::Steer)
            };
            let sent = session.send_with("[[say joined]]", options);
            let sent = bounded("the receipt", sent).await.expect("it is taken");
            let Sent::Steered { into } = sent else {
                panic!("{sent:?}")
            };
            assert_eq!(into, running.id());
            let told = tape.until_kind(EventKind::Steered).await;
            let text = "[[say joined]]".to_owned();
            assert_eq!(told.turn, Some(into));
            assert_eq!(told.body, Body::Steered { text, tag: Some(7) });
            says(running, "end").await;
            let answer = tape.until_kind(EventKind::Message).await;
            assert_eq!(answer.turn, Some(into));
            assert!(matches!(&answer.body, Body::Message { text, .. } if text == "joined"));
            finish(scene, session, tape).await;
        }
    });
}

/// Sends a message that is to join, and gives its own turn and why it has one.
async fn does_not_join(session: &Session, text: &str) -> (Turn, String) {
    let sent = session.send_with(text, on_busy(OnBusy::Steer));
    match bounded("the receipt", sent).await.expect("it is taken") {
        Sent::Queued {
            turn,
            position: 0,
            why: Some(why),
        } => (turn, why),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_message_with_a_budget_of_its_own_does_not_join() {
    each_protocol(async |protocol| {
        let scene = Scene::new(protocol, Pool::builder());
        let session = scene.open();
        let tape = Tape::of(&session);
        let running = session.send("[[sleep-ms 60000]]").expect("a turn");
        let mut options = on_busy(OnBusy::Steer);
        options.budget.max_tokens = Some(1 << 40);
        let sent = session.send_with("later", options);
        let sent = bounded("the receipt", sent).await.expect("it is taken");
        let Sent::Queued { turn, why, .. } = sent else {
            panic!("{sent:?}")
        };
        assert!(why.is_some_and(|why| why.contains("budget")));
        running.interrupt().await.expect("a receipt");
        is_interrupted(running).await;
        says(turn, "You said: later").await;
        finish(scene, session, tape).await;
    });
}

#[test]
fn a_message_that_cannot_join_waits_and_it_is_said_why() {
    each_protocol(async |protocol| {
        let table = capabilities_of(protocol).expect("a provider");
        if table[&Feature::Steer].one_shot {
            return;
        }
        let scene = Scene::new(protocol, Pool::builder());
        let session = scene.open_with(|options| options.persistent = Persistent::Never);
        let mut tape = Tape::of(&session);
        let running = session.send("[[sleep-ms 60000]]").expect("a turn");
        tape.until_kind(EventKind::ProcessStarted).await;
        let (waiting, reason) = does_not_join(&session, "later").await;
        assert!(reason.contains("cannot take"), "{reason}");
        let told = tape.until_kind(EventKind::TurnQueued).await;
        let (position, tag) = (0, None);
        let why = Some(reason);
        assert_eq!(told.turn, Some(waiting.id()));
        assert_eq!(told.body, Body::TurnQueued { position, tag, why });
        running.interrupt().await.expect("a receipt");
        is_interrupted(running).await;
        says(waiting, "You said: later").await;
        finish(scene, session, tape).await;
    });
}

#[test]
fn a_message_that_is_to_join_an_idle_session_starts_a_turn() {
    each_protocol(async |protocol| {
        let scene = Scene::new(protocol, Pool::builder());
        let session = scene.open();
        let tape = Tape::of(&session);
        let sent = session.send_with("hello", on_busy(OnBusy::Steer)).await;
        let Ok(Sent::Started(turn)) = sent else {
            panic!("{sent:?}")
        };
        says(turn, "You said: hello").await;
        finish(scene, session, tape).await;
    });
}

#[test]
fn a_message_cannot_join_a_turn_that_has_not_begun() {
    each_protocol(async |protocol| {
        let slow = Script::new().on(Trigger::Start, [Action::SleepMs(200)]);
        let scene = Scene::scripted(protocol, Pool::builder(), &slow);
        let session = scene.open();
        let tape = Tape::of(&session);
        let first = session.send("first").expect("a turn");
        let (second, why) = does_not_join(&session, "second").await;
        assert!(why.contains("not reached the agent"), "{why}");
        says(first, "You said: first").await;
        says(second, "You said: second").await;
        finish(scene, session, tape).await;
    });
}
