//! A close in the middle of everything, 1000 times with each protocol and random timing.
//! `REMUDA_TEST_QUICK` makes it 200, `REMUDA_TEST_SEED` repeats a run's choices.

use std::time::{Duration, Instant};

use remuda::config::Requests;
use remuda::{AskError, Change, ErrorKind, EventKind, OnBusy, Pool, Sent, Session, Turn};
use remuda_tests::{Dice, Scene, Tape, bounded, each_protocol, end_of, no, on_busy, rounds};

/// What a host may do while its session is being closed.
async fn disturb(session: &Session, what: u64, turn: &Turn, waiting: remuda::TurnId) {
    let allowed = |kind: ErrorKind| {
        use ErrorKind as K;
        let kinds = [K::Closed, K::Stale, K::AlreadyAnswered, K::TurnInProgress];
        assert!(kinds.contains(&kind) || kind == K::ProcessExit, "{kind:?}");
    };
    let outcome = match what {
        0 => turn.interrupt().await.map(drop),
        1 => {
            let open = session.snapshot().requests;
            match open.first() {
                Some(open) => session.answer(open.request, no("no")).await,
                None => Ok(()),
            }
        }
        2 => {
            let sent = session.send_with("[[say x]]", on_busy(OnBusy::Steer)).await;
            sent.map(drop)
        }
        3 => session.cancel(waiting),
        4 => session.edit(waiting, "other"),
        5 => {
            let model = Some("other".to_owned());
            let change = Change {
                model,
                ..Change::default()
            };
            session.change(change).await.map(drop)
        }
        6 => {
            let drop_queue = true;
            let options = remuda::InterruptOptions {
                drop_queue,
                ..Default::default()
            };
            session.interrupt_with(turn.id(), options).await.map(drop)
        }
        _ => match session.operate(remuda::Operation::ListModels {}).await {
            Err(error) if error.kind() == ErrorKind::Unsupported => Ok(()),
            other => other.map(drop),
        },
    };
    if let Err(error) = outcome {
        allowed(error.kind());
    }
}

/// One session that is closed in the middle of everything.
async fn close_once(scene: &Scene, mut dice: Dice) {
    let session = scene.open_with(|options| options.requests = Requests::Host);
    let tape = Tape::of(&session);
    let prompts = [
        "[[words 3]]",
        "[[ask Bash ls]]",
        "[[say here]] [[hang]]",
        "[[say a]] [[sleep-ms 5]]",
    ];
    let prompt = dice.pick(&prompts);
    let mut turn = session.send(prompt).expect("nothing runs");
    if dice.roll(4) > 0 {
        // Mostly the agent has begun; it is a new process each time.
        bounded("an event", turn.next()).await;
        while turn
            .next()
            .await
            .is_some_and(|e| e.kind() == EventKind::ProcessStarted)
        {}
    }
    let sent = session.send_with("second", on_busy(OnBusy::Queue)).await;
    let (Sent::Started(waiting) | Sent::Queued { turn: waiting, .. }) = sent.expect("room") else {
        panic!("it was not to be steered")
    };
    let (what, other) = (dice.roll(8), dice.roll(8));
    let pauses = [dice.roll(400), dice.roll(400), dice.roll(400)];
    let pause = async |n: usize| {
        let start = Instant::now();
        while start.elapsed() < Duration::from_micros(pauses[n]) {
            tokio::task::yield_now().await;
        }
    };
    let everything = async {
        tokio::join!(
            async {
                pause(0).await;
                disturb(&session, what, &turn, waiting.id()).await;
            },
            async {
                pause(1).await;
                disturb(&session, other, &turn, waiting.id()).await;
            },
            async {
                pause(2).await;
                session.close();
            },
        )
    };
    bounded(&format!("close against {what} and {other}"), everything).await;
    assert_eq!(bounded("the close", session.closed()).await, [0; 0]);
    for turn in [turn, waiting] {
        match end_of(turn).await {
            Ok(_) | Err(AskError::Interrupted { .. }) => {}
            Err(AskError::Failed { failure, .. }) => assert_eq!(failure.code, ErrorKind::Closed),
            Err(other) => panic!("{prompt}, {what}, {other:?}"),
        }
    }
    let refused = session.send("more").expect_err("it is closed");
    assert_eq!(refused.kind(), ErrorKind::Closed);
    bounded("the events", tape.whole()).await;
}

/// How many sessions are closed at the same time.
const AT_ONCE: u64 = 4;

#[test]
fn a_close_against_everything_gives_each_turn_one_end_and_each_call_an_answer() {
    each_protocol(async |protocol| {
        let scene = Scene::new(protocol, Pool::builder().max_processes(16_usize));
        let mut dice = Dice::new();
        for _ in 0..rounds() / AT_ONCE {
            let [a, b, c, d] = [(); 4].map(|()| close_once(&scene, dice.split()));
            tokio::join!(a, b, c, d);
        }
        scene.end().await;
    });
}
