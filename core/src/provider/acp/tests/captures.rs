//! Every capture plays through, whole.

use std::collections::HashSet;

use super::play::{Player, is_acp, lines, names, play, play_print};
use crate::event::Body;
use crate::provider::{Conversation, Signal, SignalBody, TurnRef};

/// Captures that stop in the middle of a turn.
fn stops_in_a_turn(name: &str) -> bool {
    name.ends_with("-resume-1") || matches!(name, "gemini-load-1" | "opencode-noauth")
}

fn ends(signals: &[Signal], turn: TurnRef, of: Conversation) -> usize {
    let ended = |s: &&Signal| {
        s.turn == turn && s.conversation == of && matches!(s.body, SignalBody::Ended(_))
    };
    signals.iter().filter(ended).count()
}

/// Every turn has one end.
fn check_turns(name: &str, player: &Player, whole: bool) {
    let last = player.host_turns.last();
    for turn in &player.host_turns {
        let ends = ends(&player.signals, TurnRef::Host(turn.1), turn.0);
        let cut = !whole && Some(turn) == last && ends == 0;
        assert!(ends == 1 || cut, "{name}: {turn:?} has {ends} ends");
    }
    for signal in &player.signals {
        assert!(
            !matches!(signal.turn, TurnRef::Agent(_)),
            "{name}: {signal:?}"
        );
    }
}

/// A tool is used once, before its one result; and a turn that is over leaves none open.
fn check_tools(name: &str, player: &Player, whole: bool) {
    let mut used = HashSet::new();
    let mut done = HashSet::new();
    for signal in &player.signals {
        let key = |id: &String| (signal.conversation, signal.turn_key(), id.clone());
        match &signal.body {
            SignalBody::Show(Body::ToolUse { id, .. }) => {
                assert!(used.insert(key(id)), "{name}: {id} used twice");
            }
            SignalBody::Show(Body::ToolResult { id, .. }) => {
                assert!(used.contains(&key(id)), "{name}: {id} was not used");
                assert!(done.insert(key(id)), "{name}: {id} has two results");
            }
            SignalBody::Show(Body::Unknown { raw }) => {
                panic!("{name}: not understood: {}", raw.get());
            }
            _ => {}
        }
    }
    if whole {
        assert_eq!(used, done, "{name}: every tool has its result");
    }
}

trait TurnKey {
    fn turn_key(&self) -> String;
}

impl TurnKey for Signal {
    fn turn_key(&self) -> String {
        format!("{:?}", self.turn)
    }
}

#[test]
fn every_capture_of_the_protocol_is_understood_and_every_turn_has_one_end() {
    let mut turns = 0;
    for name in names(is_acp) {
        let player = play(&name);
        let whole = !stops_in_a_turn(&name);
        check_turns(&name, &player, whole);
        check_tools(&name, &player, whole);
        turns += player.host_turns.len();
    }
    assert!(turns > 250, "{turns} turns were played");
}

#[test]
fn what_every_prompt_was_answered_with_was_seen() {
    for name in names(is_acp) {
        let prompts = lines(&name)
            .iter()
            .filter(|(d, l)| *d == '>' && l.contains("\"session/prompt\""))
            .count();
        let odd = [
            "busy",
            "malformed",
            "resume-3",
            "load-3",
            "noauth",
            "resume-2",
        ];
        if odd.iter().any(|part| name.ends_with(part)) {
            continue;
        }
        assert_eq!(play(&name).host_turns.len(), prompts, "{name}");
    }
}

#[test]
fn what_the_codec_answers_is_what_the_captures_client_answered() {
    let mut compared = 0;
    for name in names(is_acp) {
        for (theirs, ours) in play(&name).answers {
            assert_eq!(ours["id"], theirs["id"], "{name}");
            // Forms were accepted with content; a no is an option, not an error.
            assert_eq!(ours["result"], theirs["result"], "{name}");
            compared += 1;
        }
    }
    assert!(compared > 60, "{compared} answers were compared");
}

#[test]
fn every_capture_of_a_command_that_prints_is_understood() {
    let printed =
        |name: &str| name.starts_with("oneshot-gemini") || name.starts_with("oneshot-opencode");
    for name in names(printed) {
        let player = play_print(&name);
        check_turns(&name, &player, true);
        check_tools(&name, &player, true);
        assert!(player.out.close_stdin, "{name}: the prompt ends");
    }
}
