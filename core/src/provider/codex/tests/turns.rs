//! Turns of the host and of the agent: holds, interrupts, ends.

use serde_json::json;

use super::opened::{FIRST, answer, completed, ends, methods, note, opened, options, started};
use super::play::Player;
use crate::config::Mode;
use crate::error::ErrorKind;
use crate::ids::TurnId;
use crate::provider::{AgentSignal, Conversation, Outcome, Request, SignalBody, TurnRef};

#[test]
fn an_interrupt_waits_until_the_turn_has_started() {
    let mut player = opened();
    player.turn(FIRST, "go");
    player.request(Request::Interrupt {
        conversation: FIRST,
        turn: player.runs(FIRST),
        keep_commands: false,
    });
    player.line(&answer(3, "U"));
    assert_eq!(methods(&player), ["turn/start"]);
    player.line(&started("U"));
    assert_eq!(methods(&player), ["turn/start", "turn/interrupt"]);
    assert_eq!(
        player.written[1]["params"],
        json!({"threadId": "T", "turnId": "U"})
    );
}

#[test]
fn an_interrupt_that_came_too_early_all_the_same_is_sent_again() {
    let mut player = opened();
    player.turn(FIRST, "go");
    player.line(&answer(3, "U"));
    player.line(&started("U"));
    player.request(Request::Interrupt {
        conversation: FIRST,
        turn: player.runs(FIRST),
        keep_commands: false,
    });
    player.line(r#"{"id":4,"error":{"code":-32600,"message":"no active turn to interrupt"}}"#);
    let params = json!({"threadId": "T", "turnId": "U", "item": {"type": "reasoning", "id": "r"}});
    player.line(&note("item/started", &params));
    assert_eq!(
        methods(&player),
        ["turn/start", "turn/interrupt", "turn/interrupt"]
    );
    player.request(Request::Interrupt {
        conversation: FIRST,
        turn: player.runs(FIRST),
        keep_commands: false,
    });
    assert_eq!(methods(&player).len(), 3, "a second one adds nothing");
}

#[test]
fn an_interrupt_names_the_id_that_the_server_wants() {
    let mut player = opened();
    player.line(&started("U"));
    player.request(Request::Interrupt {
        conversation: FIRST,
        turn: player.runs(FIRST),
        keep_commands: false,
    });
    let text = "expected active turn id U but found V";
    player.line(&json!({"id": 3, "error": {"code": -32600, "message": text}}).to_string());
    assert_eq!(player.written[1]["params"]["turnId"], "V");
}

#[test]
fn an_interrupt_of_nothing_writes_nothing() {
    let mut player = opened();
    player.request(Request::Interrupt {
        conversation: FIRST,
        turn: player.runs(FIRST),
        keep_commands: false,
    });
    player.request(Request::Interrupt {
        conversation: Conversation(7),
        turn: TurnRef::Agent(1),
        keep_commands: false,
    });
    assert_eq!(methods(&player), [""; 0]);
}

#[test]
fn a_host_turn_waits_for_the_agents_own() {
    let mut player = opened();
    player.line(&started("A"));
    let turn = player.turn(FIRST, "go");
    assert_eq!(methods(&player), [""; 0]);
    player.line(&completed("A", "completed"));
    assert_eq!(methods(&player), ["turn/start"]);
    player.line(&answer(3, "U"));
    player.line(&started("U"));
    player.line(&completed("U", "completed"));
    assert_eq!(
        ends(&player),
        [
            (TurnRef::Agent(1), Outcome::Completed),
            (TurnRef::Host(turn), Outcome::Completed)
        ]
    );
}

fn interrupt(player: &mut Player, turn: TurnRef) {
    player.request(Request::Interrupt {
        conversation: FIRST,
        turn,
        keep_commands: false,
    });
}

#[test]
fn an_interrupt_of_a_waiting_turn_ends_it_at_once_and_leaves_the_agents_own() {
    let mut player = opened();
    player.line(&started("A"));
    let turn = TurnRef::Host(player.turn(FIRST, "go"));
    interrupt(&mut player, turn);
    assert_eq!(ends(&player), [(turn, Outcome::Interrupted)]);
    player.line(&completed("A", "completed"));
    let agent = (TurnRef::Agent(1), Outcome::Completed);
    assert_eq!(ends(&player), [(turn, Outcome::Interrupted), agent]);
    assert_eq!(methods(&player), [""; 0], "nothing is sent");
}

#[test]
fn an_interrupt_of_the_agents_own_turn_lets_the_waiting_one_go() {
    let mut player = opened();
    player.line(&started("A"));
    let turn = TurnRef::Host(player.turn(FIRST, "go"));
    interrupt(&mut player, TurnRef::Agent(1));
    assert_eq!(methods(&player), ["turn/interrupt"]);
    player.line(&completed("A", "interrupted"));
    player.line(&answer(5, "U"));
    player.line(&started("U"));
    player.line(&completed("U", "completed"));
    let agent = (TurnRef::Agent(1), Outcome::Interrupted);
    assert_eq!(ends(&player), [agent, (turn, Outcome::Completed)]);
    let interrupts = methods(&player);
    let interrupts = interrupts.iter().filter(|m| ***m == *"turn/interrupt");
    assert_eq!(interrupts.count(), 1);
}

#[test]
fn an_interrupt_of_a_turn_on_its_way_waits_for_the_agents_own_to_end() {
    let mut player = opened();
    let turn = TurnRef::Host(player.turn(FIRST, "go"));
    player.line(&started("A"));
    interrupt(&mut player, turn);
    assert_eq!(
        methods(&player),
        ["turn/start"],
        "the agent's own is not meant"
    );
    let error = json!({"code": -32600, "message": "ActiveTurnNotSteerable"});
    player.line(&json!({"id": 3, "error": error}).to_string());
    assert_eq!(
        ends(&player),
        [(turn, Outcome::Interrupted)],
        "it is not sent again"
    );
    player.line(&completed("A", "completed"));
    assert_eq!(methods(&player), ["turn/start"]);
}

#[test]
fn a_message_that_became_part_of_the_agents_turn_takes_it_over() {
    let mut player = opened();
    let turn = player.turn(FIRST, "go");
    player.line(&started("A"));
    player.line(&answer(3, "A"));
    player.line(&completed("A", "completed"));
    assert_eq!(
        ends(&player),
        [
            (TurnRef::Agent(1), Outcome::Completed),
            (TurnRef::Host(turn), Outcome::Completed)
        ]
    );
}

#[test]
fn a_refused_turn_ends_once_with_the_servers_words() {
    let mut player = opened();
    let turn = player.turn(FIRST, "go");
    let text = "Input exceeds the maximum length of 1048576 characters.";
    player.line(&json!({"id": 3, "error": {"code": -32602, "message": text}}).to_string());
    let message = text.to_owned();
    let code = ErrorKind::TooLarge;
    assert_eq!(
        ends(&player),
        [(TurnRef::Host(turn), Outcome::Failed { code, message })]
    );
}

#[test]
fn a_one_shot_turn_is_interrupted_by_a_signal_and_ends_with_its_output() {
    let mut player = Player::new(Mode::OneShot);
    let conversation = player.open(options(), None);
    player.request(Request::Interrupt {
        conversation,
        turn: player.runs(conversation),
        keep_commands: false,
    });
    assert_eq!(player.out.kill, None, "nothing runs");
    let turn = player.turn(conversation, "a prompt");
    assert_eq!(
        (player.out.bytes.as_slice(), player.out.close_stdin),
        (&b"a prompt"[..], true)
    );
    player.request(Request::Interrupt {
        conversation,
        turn: player.runs(conversation),
        keep_commands: false,
    });
    assert_eq!(player.out.kill, Some(AgentSignal::Interrupt));
    player.end_of_output();
    assert_eq!(ends(&player), [(TurnRef::Host(turn), Outcome::Interrupted)]);
}

#[test]
fn a_one_shot_process_that_says_nothing_leaves_its_end_to_core() {
    let mut player = Player::new(Mode::OneShot);
    let conversation = player.open(options(), Some("R"));
    player.turn(conversation, "go");
    player.end_of_output();
    player.last_words("Error: out of luck");
    assert_eq!(ends(&player), []);
}

#[test]
fn a_one_shot_process_that_lost_its_thread_before_it_had_the_turn_refuses() {
    let mut player = Player::new(Mode::OneShot);
    player.open(options(), Some("R"));
    player.end_of_output();
    player.last_words("Error: thread/resume failed: no rollout found for thread id R");
    let refused = player.signals.iter().any(|signal| {
        matches!(
            signal.body,
            SignalBody::Refused {
                code: ErrorKind::ResumeFailed,
                ..
            }
        )
    });
    assert!(refused);
}

#[test]
fn a_one_shot_process_says_on_stderr_that_its_thread_is_lost() {
    const LOST: &str = "thread/resume failed: no rollout found for thread id R (code -32600)";
    let stderr = format!("WARNING: proceeding\nError: {LOST}");
    let mut player = Player::new(Mode::OneShot);
    let conversation = player.open(options(), Some("R"));
    let turn = player.turn(conversation, "go");
    player.end_of_output();
    player.last_words(&stderr);
    let lost = Outcome::Failed {
        code: ErrorKind::ResumeFailed,
        message: LOST.to_owned(),
    };
    assert_eq!(ends(&player), [(TurnRef::Host(turn), lost)]);

    let mut player = Player::new(Mode::OneShot);
    let conversation = player.open(options(), Some("R"));
    player.turn(conversation, "go");
    player.line(r#"{"type":"thread.started","thread_id":"R"}"#);
    player.end_of_output();
    player.last_words(&stderr);
    assert_eq!(ends(&player), [], "the thread was there: this is another's");
}

#[test]
fn a_turn_for_a_conversation_that_is_not_open_fails_at_once() {
    let mut player = opened();
    let turn = TurnId::from_raw(9);
    let conversation = Conversation(3);
    player.request(Request::Turn {
        conversation,
        turn,
        message: std::sync::Arc::new("go".into()),
    });
    let code = ErrorKind::Internal;
    let message = "the conversation is not open".to_owned();
    assert_eq!(
        ends(&player),
        [(TurnRef::Host(turn), Outcome::Failed { code, message })]
    );
}
