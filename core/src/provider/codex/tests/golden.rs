//! The exact signals of chosen captures, as whole values, beside this file in `golden/`.
//!
//! `REMUDA_UPDATE_GOLDEN=1` writes them anew; read the difference before you commit it.

use std::fmt::Write as _;
use std::path::PathBuf;

use super::play::{Player, play, play_exec};
use crate::provider::{SignalBody, TurnRef};

const PLAYED: &[&str] = &[
    "01-basic-turn",
    "02-reasoning-command",
    "03-command-approval-decline",
    "04-file-change-auto",
    "04-file-change-readonly-decline",
    "04-file-change-streaming",
    "04-file-move-delete",
    "05-two-threads-concurrent",
    "07-plan-mode-item",
    "07-request-user-input",
    "08-plan-update",
    "09-mcp",
    "10-dynamic-tools",
    "11-steer",
    "12-background-terminal",
    "12-interrupt-approval",
    "12-interrupt-command",
    "12-interrupt-command-then-background",
    "12-interrupt-retry-after-race",
    "12-interrupt-text",
    "13-error-drop",
    "13-error-e401",
    "13-error-e429",
    "13-error-ectx",
    "13-error-eusage",
    "13-error-then-recover",
    "17-resume-after-sigkill-2-after",
    "18-resume-second-process",
    "19-compact-manual",
    "20-code-mode",
    "21-item-types",
    "21-model-rerouted-and-rate-limits",
    "22-review-steer-and-interrupt",
    "23-subagents",
    "27-config-bad-toml",
    "30-exec-basic",
    "30-exec-error-400",
    "30-exec-error-drop",
    "30-exec-failed-command",
    "30-exec-mcp",
    "30-exec-patch-and-commands",
    "30-exec-plan",
    "30-exec-resume",
    "30-exec-resume-unknown",
    "30-exec-sigint",
    "30-exec-websearch",
];

/// Each signal on one line: conversation, turn, fact. Events stand as their JSON, which says all of
/// them; then what the codec wrote.
fn render(player: &Player) -> String {
    let mut text = String::new();
    for signal in &player.signals {
        let turn = match signal.turn {
            TurnRef::None => "-".to_owned(),
            TurnRef::Host(turn) => format!("host {turn}"),
            TurnRef::Agent(turn) => format!("agent {turn}"),
        };
        let body = match &signal.body {
            SignalBody::Show(body) => serde_json::to_string(body).expect("a body serializes"),
            other => format!("{other:?}"),
        };
        let _ = writeln!(text, "{} {turn}: {body}", signal.conversation.0);
    }
    for line in &player.written {
        let _ = writeln!(text, "> {line}");
    }
    text
}

#[test]
fn chosen_captures_give_exactly_these_signals() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/provider/codex/tests/golden");
    for name in PLAYED {
        let player = if name.starts_with("30-") {
            play_exec(name)
        } else {
            play(name)
        };
        let fresh = render(&player);
        let path = folder.join(format!("{name}.txt"));
        if std::env::var_os("REMUDA_UPDATE_GOLDEN").is_some() {
            std::fs::write(&path, &fresh).expect("the file is writable");
        }
        let known = std::fs::read_to_string(&path).unwrap_or_default();
        for (number, (fresh, known)) in fresh.lines().zip(known.lines()).enumerate() {
            assert_eq!(fresh, known, "{name}, line {}", number + 1);
        }
        assert_eq!(fresh, known, "{name}");
    }
}
