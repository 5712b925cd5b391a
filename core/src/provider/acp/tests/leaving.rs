//! When a conversation is left, so that another process can go on with it.

use serde_json::json;

use super::opened::{FIRST, bare_greeting, greeted, methods, offers, opened, options, reply};
use super::play::Player;
use crate::config::Mode;
use crate::provider::{Request, acp};

fn leave(player: &mut Player) {
    player.request(Request::Close {
        conversation: FIRST,
    });
}

#[test]
fn a_conversation_is_left_when_the_agent_says_so() {
    let mut player = opened();
    leave(&mut player);
    assert_eq!(player.out.left, []);
    reply(&mut player, json!({}));
    assert_eq!(player.out.left, [FIRST]);
}

#[test]
fn a_conversation_is_not_left_before_its_turn_is_over() {
    let mut player = opened();
    player.turn(FIRST, "go");
    leave(&mut player);
    reply(&mut player, json!({}));
    assert_eq!(player.out.left, [], "the turn goes on");
    let prompt = &player
        .written
        .iter()
        .find(|w| w["method"] == "session/prompt");
    let id = prompt.expect("it was sent")["id"].clone();
    player.line(&json!({"id": id, "result": {"stopReason": "cancelled"}}).to_string());
    assert_eq!(player.out.left, [FIRST]);
}

#[test]
fn where_the_agent_says_nothing_a_conversation_is_left_with_the_end_of_its_turn() {
    for runs in [false, true] {
        let mut player = Player::new(&acp::ANY, Mode::Warm);
        player.line(&bare_greeting().to_string());
        player.open(options(), None);
        reply(&mut player, offers("S"));
        if runs {
            player.turn(FIRST, "go");
        }
        leave(&mut player);
        assert_eq!(player.out.left.is_empty(), runs);
        if runs {
            reply(&mut player, json!({"stopReason": "cancelled"}));
        }
        assert_eq!(player.out.left, [FIRST]);
    }
}

#[test]
fn a_conversation_that_is_being_gone_on_with_is_left_when_that_is_answered() {
    let mut player = greeted(&acp::ANY);
    player.open(options(), Some("S"));
    leave(&mut player);
    assert_eq!(player.out.left, []);
    reply(&mut player, offers("S"));
    assert_eq!(methods(&player).last(), Some(&"session/close"));
    assert_eq!(player.out.left, []);
    reply(&mut player, json!({}));
    assert_eq!(player.out.left, [FIRST]);

    let mut player = greeted(&acp::ANY);
    player.open(options(), None);
    leave(&mut player);
    assert_eq!(player.out.left, [FIRST], "nobody else can have it");
}
