//! The main promise, with the real agents: interrupts, deaths and closings at every point of a turn.

use remuda::config::{Downgrade, Persistent};
use remuda::{AskError, Body, ErrorKind, Pool, Session, SessionOptions, Turn};
use remuda_tests::{Real, answer, closed, descendants, first_pid, kill, started, with_real_agents};

const RECALL: &str = r#"MODEL:[{"recall":"marker-"}]"#;
/// A turn with all that turns have: reasoning, text, a tool, text in pieces.
const BUSY: &str = r#"MODEL:[[{"thinking":"hm"},"I look.",{"shell":"echo looked"}],
    {"words":20,"delay_ms":2}]"#;

with_real_agents! {
    an_interrupt_at_any_point_ends_the_turn_alone
    an_interrupt_at_any_point_of_a_one_shot_turn_ends_the_turn_alone
    a_death_at_any_point_costs_the_turn_alone
    a_death_at_any_point_of_the_first_turn_leaves_a_session
    an_interrupt_at_any_point_of_the_first_turn_leaves_a_session
    a_session_closes_at_any_point
    a_shutdown_ends_what_runs
}

/// Reads so many events of a turn, or all if it has less.
async fn read_some(turn: &mut Turn, count: usize) {
    for _ in 0..count {
        if turn.next().await.is_none() {
            return;
        }
    }
}

/// How a turn that was disturbed may end: well if it was faster, or so.
async fn ends(turn: Turn, so: impl Fn(&AskError) -> bool) -> bool {
    match turn.result().await {
        Ok(result) => {
            assert!(result.text.ends_with("word19"), "{result:?}");
            false
        }
        Err(error) => {
            assert!(so(&error), "{error:?}");
            true
        }
    }
}

async fn is_unharmed(session: &Session) {
    assert_eq!(answer(session, RECALL).await, "marker-red");
}

async fn an_interrupt_at_any_point_ends_the_turn_alone(real: Real) {
    let pool = Pool::new().expect("a pool");
    let session = pool.open(real.options()).expect("a session");
    answer(&session, "keep marker-red").await;
    let mut interrupted = 0;
    for point in 0..20 {
        let mut turn = session.send(BUSY).expect("a turn");
        read_some(&mut turn, point).await;
        turn.interrupt().await.expect("a receipt");
        let stopped = ends(turn, |error| matches!(error, AskError::Interrupted { .. })).await;
        interrupted += u32::from(stopped);
        is_unharmed(&session).await;
    }
    assert!(interrupted > 5, "{interrupted}");
    let events = closed(&session).await;
    assert_eq!(started(&events).len(), 1, "the process is the same");
}

async fn an_interrupt_at_any_point_of_a_one_shot_turn_ends_the_turn_alone(real: Real) {
    let pool = Pool::new().expect("a pool");
    let options = SessionOptions {
        persistent: Persistent::Never,
        ..real.options()
    };
    let session = pool.open(options).expect("a session");
    answer(&session, "keep marker-red").await;
    for point in 0..8 {
        let mut turn = session.send(BUSY).expect("a turn");
        read_some(&mut turn, point).await;
        turn.interrupt().await.expect("a receipt");
        ends(turn, |error| matches!(error, AskError::Interrupted { .. })).await;
        is_unharmed(&session).await;
    }
    closed(&session).await;
}

async fn a_death_at_any_point_costs_the_turn_alone(real: Real) {
    let pool = Pool::builder().downgrade(Downgrade::Never);
    let pool = pool.build().expect("a pool");
    for point in [0, 1, 2, 4, 7, 12] {
        let session = pool.open(real.options()).expect("a session");
        answer(&session, "keep marker-red").await;
        let pid = first_pid(&session).await;
        let mut turn = session.send(BUSY).expect("a turn");
        read_some(&mut turn, point).await;
        kill(pid);
        let exit = ErrorKind::ProcessExit;
        ends(turn, |error| error.kind() == Some(exit)).await;
        is_unharmed(&session).await;
        closed(&session).await;
    }
}

async fn a_death_at_any_point_of_the_first_turn_leaves_a_session(real: Real) {
    let pool = Pool::new().expect("a pool");
    for persistent in [Persistent::Auto, Persistent::Never] {
        for point in [0, 2, 5] {
            let options = SessionOptions {
                persistent,
                ..real.options()
            };
            let session = pool.open(options).expect("a session");
            let mut turn = session.send(BUSY).expect("a turn");
            let pid = first_pid(&session).await;
            read_some(&mut turn, point).await;
            kill(pid);
            let exit = ErrorKind::ProcessExit;
            ends(turn, |error| error.kind() == Some(exit)).await;
            // Whether the agent had kept the conversation by then is its affair.
            assert!(answer(&session, "hello").await.starts_with("turn "));
            closed(&session).await;
        }
    }
}

async fn an_interrupt_at_any_point_of_the_first_turn_leaves_a_session(real: Real) {
    let pool = Pool::new().expect("a pool");
    for persistent in [Persistent::Auto, Persistent::Never] {
        for point in [0, 2, 5] {
            let options = SessionOptions {
                persistent,
                ..real.options()
            };
            let session = pool.open(options).expect("a session");
            let mut turn = session.send(BUSY).expect("a turn");
            read_some(&mut turn, point).await;
            turn.interrupt().await.expect("a receipt");
            ends(turn, |error| matches!(error, AskError::Interrupted { .. })).await;
            assert!(answer(&session, "hello").await.starts_with("turn "));
            closed(&session).await;
        }
    }
}

async fn a_session_closes_at_any_point(real: Real) {
    let pool = Pool::new().expect("a pool");
    for point in [0, 1, 2, 4, 7, 12] {
        let session = pool.open(real.options()).expect("a session");
        let mut turn = session.send(BUSY).expect("a turn");
        read_some(&mut turn, point).await;
        closed(&session).await;
        ends(turn, |error| error.kind() == Some(ErrorKind::Closed)).await;
        assert_eq!(descendants(std::process::id()), []);
    }
}

async fn a_shutdown_ends_what_runs(real: Real) {
    let pool = Pool::new().expect("a pool");
    let sessions = [0, 1, 2].map(|_| pool.open(real.options()).expect("a session"));
    let mut turns = Vec::new();
    for session in &sessions {
        let mut turn = session
            .send(r#"MODEL:[{"shell":"trap '' TERM; setsid sleep 1000 & sleep 1000"},"done"]"#)
            .expect("a turn");
        remuda_tests::read_until(&mut turn, |body| matches!(body, Body::ToolUse { .. })).await;
        turns.push(turn);
    }
    let report = pool.shutdown(std::time::Duration::from_secs(20)).await;
    assert_eq!(descendants(std::process::id()), [], "{report:?}");
    for turn in turns {
        let closed = Some(ErrorKind::Closed);
        assert!(ends(turn, |error| error.kind() == closed).await);
    }
}
