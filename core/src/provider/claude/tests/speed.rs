//! How long a piece of text takes. Run by hand, in a release build:
//! `cargo test --release -p remuda --lib claude::tests::speed -- --ignored --nocapture`.

use std::time::Instant;

use super::harness::{agent_lines, capture, one_shot, turn};
use crate::provider::{Codec, Output};

#[test]
#[ignore = "a measurement, not a test"]
#[expect(clippy::print_stdout, reason = "the number is its result")]
fn a_piece_of_text() {
    let capture = capture("2.1.327/basic_text");
    let line = agent_lines(&capture).find(|line| line.contains("text_delta"));
    let line = line.expect("a piece of text").as_bytes();
    let mut codec = one_shot();
    codec.request(turn(1, "hi"), &mut Output::default());
    let count = 1_000_000;
    let start = Instant::now();
    let mut signals = 0;
    for _ in 0..count / 100 {
        let mut out = Output::default();
        for _ in 0..100 {
            codec.line(line, &mut out);
        }
        signals += out.signals.len();
    }
    let each = start.elapsed() / count;
    println!("{} bytes: {each:?} ({signals} signals)", line.len());
}
