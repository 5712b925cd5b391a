//! No bytes make the codec panic, and no bytes make it end a turn twice.

use proptest::prelude::*;

use super::play::{Player, capture, names};

/// Every line of every capture.
fn known_lines() -> Vec<Vec<u8>> {
    let lines = names().into_iter().flat_map(|name| capture(&name));
    let lines = lines.filter(|(mark, _)| *mark == '<' || *mark == '!');
    lines.map(|(_, line)| line.into_bytes()).collect()
}

fn line() -> impl Strategy<Value = Vec<u8>> {
    let known = prop::sample::select(known_lines());
    let changed = (known.clone(), any::<prop::sample::Index>(), any::<u8>());
    prop_oneof![
        8 => known,
        1 => changed.prop_map(|(mut line, at, byte)| {
            let at = at.index(line.len() + 1);
            line.insert(at, byte);
            line
        }),
        1 => prop::collection::vec(any::<u8>(), 0..40),
    ]
}

proptest! {
    #[test]
    fn a_turn_ends_at_most_once_whatever_is_said(
        said in prop::collection::vec(line(), 0..40),
        stderr in prop::collection::vec(line(), 0..12),
        interrupt in prop::option::of(0..40_usize),
        resumed: bool,
    ) {
        let mut player = Player::open(resumed.then_some("a"));
        player.send("x");
        for (place, line) in said.iter().enumerate() {
            if interrupt == Some(place) {
                player.interrupt();
            }
            player.codec.line(line, &mut player.out);
        }
        player.end(&String::from_utf8_lossy(&stderr.join(&b'\n')));
        let ends = ["turn: completed", "turn: interrupted", "turn: failed"];
        let is_end = |said: &&String| ends.iter().any(|end| said.starts_with(end));
        prop_assert!(player.said().iter().filter(is_end).count() <= 1);
    }
}
