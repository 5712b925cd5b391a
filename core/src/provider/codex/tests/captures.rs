//! Every capture plays through, whole.

use std::collections::HashSet;

use super::play::{Player, names, play, play_exec};
use crate::event::Body;
use crate::provider::{Signal, SignalBody, TurnRef};

/// Scenarios that stop in the middle of a turn, on purpose.
fn stops_in_a_turn(name: &str) -> bool {
    name.starts_with("16-")
        || (name.starts_with("17-") && name.ends_with("-1-before"))
        || name.starts_with("26-goal")
        // Its client takes itself off the list of those who hear of the thread.
        || name == "18-thread-management"
        // Leaves out the request and the end of its first turn.
        || name == "26-model-switch-triggers-compaction"
        // Its last turn waits behind one of the agent's own, and is sent when the capture is over.
        || name == "22-review-steer-and-interrupt"
}

fn ends(signals: &[Signal], turn: TurnRef, of: crate::provider::Conversation) -> usize {
    let ended = |s: &&Signal| {
        s.turn == turn && s.conversation == of && matches!(s.body, SignalBody::Ended(_))
    };
    signals.iter().filter(ended).count()
}

/// Every turn has one end, and an agent's own turn begins before all else of it.
fn check_turns(name: &str, player: &Player, whole: bool) {
    for (conversation, turn) in &player.host_turns {
        let ends = ends(&player.signals, TurnRef::Host(*turn), *conversation);
        assert!(
            ends == 1 || (!whole && ends == 0),
            "{name}: {turn:?} has {ends} ends"
        );
    }
    let mut begun = HashSet::new();
    for signal in &player.signals {
        if let TurnRef::Agent(number) = signal.turn {
            let key = (signal.conversation, number);
            if matches!(signal.body, SignalBody::AgentTurn) {
                assert!(
                    begun.insert(key),
                    "{name}: agent turn {number} begins twice"
                );
                let ends = ends(&player.signals, signal.turn, signal.conversation);
                assert!(
                    ends == 1 || (!whole && ends == 0),
                    "{name}: agent turn {number}: {ends} ends"
                );
            }
            assert!(begun.contains(&key), "{name}: {signal:?} before its turn");
        }
    }
}

/// A tool is used once, before its one result.
fn check_tools(name: &str, player: &Player) {
    let mut used = HashSet::new();
    let mut done = HashSet::new();
    for signal in &player.signals {
        match &signal.body {
            SignalBody::Show(Body::ToolUse { id, .. }) => {
                assert!(
                    used.insert((signal.conversation, id.clone())),
                    "{name}: {id} used twice"
                );
            }
            SignalBody::Show(Body::ToolResult { id, .. }) => {
                let key = (signal.conversation, id.clone());
                assert!(
                    used.contains(&key),
                    "{name}: result of {id}, which was not used"
                );
                assert!(done.insert(key), "{name}: {id} has two results");
            }
            SignalBody::Show(Body::Unknown { raw }) => {
                panic!("{name}: not understood: {}", raw.get());
            }
            _ => {}
        }
    }
}

#[test]
fn every_app_server_capture_is_understood_and_every_turn_has_one_end() {
    for name in names(|n| !n.starts_with("30-")) {
        let player = play(&name);
        check_turns(&name, &player, !stops_in_a_turn(&name));
        check_tools(&name, &player);
    }
}

#[test]
fn every_exec_capture_is_understood_and_every_turn_has_at_most_one_end() {
    for name in names(|n| n.starts_with("30-")) {
        let player = play_exec(&name);
        let whole = !matches!(name.as_str(), "30-exec-resume-unknown" | "30-exec-sigterm");
        check_turns(&name, &player, whole);
        check_tools(&name, &player);
        assert!(player.out.close_stdin, "{name}: the prompt ends");
    }
}
