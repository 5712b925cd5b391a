//! How fast the real agents are: numbers to read, nothing to pass.

use std::time::Duration;

use remuda::config::Persistent;
use remuda::{Pool, Session, SessionOptions};
use remuda_tests::{Real, isolated_async};

const ROUNDS: usize = 10;

#[test]
#[ignore = "a measurement"]
fn claudes_first_output() {
    isolated_async(|| measure(Real::claude()));
}

#[test]
#[ignore = "a measurement"]
fn codexs_first_output() {
    isolated_async(|| measure(Real::codex()));
}

#[expect(clippy::print_stdout, reason = "the numbers are its only result")]
async fn measure(real: Real) {
    let pool = Pool::new().expect("a pool");
    let (mut cold, mut warm, mut one_shot) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let session = pool.open(real.options()).expect("a session");
        cold.push(first_output(&session).await);
        for _ in 0..2 {
            warm.push(first_output(&session).await);
        }
        session.closed().await;
        let options = SessionOptions {
            persistent: Persistent::Never,
            ..real.options()
        };
        let session = pool.open(options).expect("a session");
        first_output(&session).await;
        one_shot.push(first_output(&session).await);
        session.closed().await;
    }
    println!(
        "{:?}, first output, medians: cold {:?}, warm {:?}, one-shot, resumed {:?}",
        real.agent(),
        median(cold),
        median(warm),
        median(one_shot)
    );
}

async fn first_output(session: &Session) -> Duration {
    let result = session.ask("hello").await.expect("a good end");
    result.time_to_first_output.expect("there was output")
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}
