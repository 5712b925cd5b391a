//! Conversations that are closed, wherever they are.

use serde_json::json;

use super::control::{CLEAN, command};
use super::opened::{FIRST, GREETING, answer, completed, methods, note, opened, options, started};
use super::play::Player;
use crate::config::Mode;
use crate::provider::{Conversation, Request, SignalBody};

#[test]
fn a_conversation_that_is_closed_leaves_its_thread_and_is_forgotten() {
    let mut player = opened();
    player.line(&started("U"));
    player.line(&command("started", "inProgress"));
    player.request(Request::Close {
        conversation: FIRST,
    });
    assert_eq!(
        methods(&player),
        ["turn/interrupt", CLEAN, "thread/unsubscribe"]
    );
    let before = player.signals.len();
    player.line(&completed("U", "interrupted"));
    player.line(&command("completed", "failed"));
    assert_eq!(player.signals.len(), before, "nothing more is said of it");
    assert_eq!(player.out.left, [], "the thread is not closed");
    player.line(&note("thread/closed", &json!({"threadId": "T"})));
    assert_eq!(
        player.out.left,
        [FIRST],
        "another process may go on with it"
    );
}

#[test]
fn a_conversation_that_was_never_open_is_left_at_once() {
    for greeted in [false, true] {
        let mut player = Player::new(Mode::Warm);
        player.open(options(), Some("T"));
        if greeted {
            player.line(GREETING);
            let error = json!({"code": -32600, "message": "no rollout found for thread id T"});
            player.line(&json!({"id": 2, "error": error}).to_string());
        }
        player.request(Request::Close {
            conversation: FIRST,
        });
        assert_eq!(player.out.left, [FIRST], "greeted: {greeted}");
    }
}

#[test]
fn a_conversation_that_is_closed_while_it_is_opened_is_left_when_the_server_has_answered() {
    let mut player = Player::new(Mode::Warm);
    player.open(options(), Some("T"));
    player.line(GREETING);
    player.request(Request::Close {
        conversation: FIRST,
    });
    assert_eq!(player.out.left, []);
    let error = json!({"code": -32600, "message": "no rollout found for thread id T"});
    player.line(&json!({"id": 2, "error": error}).to_string());
    assert_eq!(player.out.left, [FIRST]);
}

#[test]
fn a_conversation_that_is_closed_while_its_turn_is_on_its_way_ends_the_turn_first() {
    let mut player = opened();
    player.turn(FIRST, "go");
    player.request(Request::Close {
        conversation: FIRST,
    });
    assert_eq!(methods(&player), ["turn/start"]);
    player.line(&answer(3, "U"));
    player.line(&started("U"));
    player.line(&completed("U", "interrupted"));
    let leave = ["turn/start", "turn/interrupt", CLEAN, "thread/unsubscribe"];
    assert_eq!(methods(&player), leave);
}

#[test]
fn a_thread_that_is_being_closed_is_resumed_as_soon_as_it_is_closed() {
    let mut player = opened();
    player.request(Request::Close {
        conversation: FIRST,
    });
    player.line(r#"{"id":3,"result":{"status":"unsubscribed"}}"#);
    player.open(options(), Some("T"));
    let closing = "thread T is closing; retry thread/resume after the thread is closed";
    player.line(&json!({"id": 4, "error": {"code": -32600, "message": closing}}).to_string());
    assert_eq!(methods(&player), ["thread/unsubscribe", "thread/resume"]);
    player.line(&note("thread/closed", &json!({"threadId": "T"})));
    assert_eq!(
        methods(&player),
        ["thread/unsubscribe", "thread/resume", "thread/resume"]
    );
    player.line(r#"{"id":5,"result":{"thread":{"id":"T"}}}"#);
    let ready = player.signals.iter().filter(|s| {
        s.conversation == Conversation(1) && matches!(s.body, SignalBody::Ready { .. })
    });
    assert_eq!(ready.count(), 1);
}

#[test]
fn a_conversation_that_is_closed_before_it_is_open_leaves_the_thread_that_it_gets() {
    let mut player = Player::new(Mode::Warm);
    player.open(options(), None);
    player.line(GREETING);
    player.request(Request::Close {
        conversation: FIRST,
    });
    player.line(r#"{"id":2,"result":{"thread":{"id":"T"}}}"#);
    assert_eq!(methods(&player)[3..], ["thread/unsubscribe"]);
    assert!(player.signals.is_empty());
    assert_eq!(player.out.left, []);
    player.line(r#"{"id":3,"result":{"status":"notLoaded"}}"#);
    assert_eq!(player.out.left, [FIRST]);
}
