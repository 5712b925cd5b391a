//! The exact signals of chosen captures, as whole values, beside this file in `golden/`.
//!
//! `REMUDA_UPDATE_GOLDEN=1` writes them anew; read the difference before you commit it.

use std::fmt::Write as _;
use std::path::PathBuf;

use super::play::{Player, play, play_print};
use crate::provider::{SignalBody, TurnRef};

const PLAYED: &[&str] = &[
    "claude-acp-basic",
    "claude-acp-cancel-perm",
    "claude-acp-cancel-tool",
    "claude-acp-err-401",
    "claude-acp-err-429",
    "claude-acp-mcp",
    "claude-acp-perm-allow",
    "claude-acp-perm-reject",
    "claude-acp-question-elicitation",
    "claude-acp-resume-2",
    "claude-acp-steering",
    "codex-acp-basic",
    "codex-acp-cancel-perm",
    "codex-acp-cancel-tool",
    "codex-acp-default-mode-reviewer",
    "codex-acp-err-400",
    "codex-acp-err-500",
    "codex-acp-noauth",
    "codex-acp-perm-allow",
    "codex-acp-perm-reject",
    "codex-acp-steering",
    "gemini-allow-always",
    "gemini-basic",
    "gemini-cancel-perm",
    "gemini-cancel-tool",
    "gemini-err-400",
    "gemini-load-2",
    "gemini-load-3",
    "gemini-mcp",
    "gemini-modes",
    "gemini-perm-allow",
    "gemini-perm-reject",
    "kimi-cli-perm-allow",
    "kimi-code-basic",
    "kimi-code-cancel-tool",
    "kimi-code-err-400",
    "kimi-code-err-401",
    "kimi-code-mcp",
    "kimi-code-multi",
    "kimi-code-noauth",
    "kimi-code-perm-allow",
    "kimi-code-perm-reject",
    "kimi-code-plan",
    "kimi-code-question-as-permission",
    "kimi-code-question-elicitation",
    "kimi-code-resume-2",
    "kimi-code-resume-3",
    "oneshot-gemini-err400",
    "oneshot-gemini-resume",
    "oneshot-gemini-tools",
    "oneshot-opencode-ask",
    "oneshot-opencode-err400",
    "oneshot-opencode-tools",
    "opencode-basic",
    "opencode-cancel-tool",
    "opencode-err-429",
    "opencode-fs-terminal",
    "opencode-mcp",
    "opencode-perm-allow",
    "opencode-perm-reject",
    "opencode-resume-3",
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
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/provider/acp/tests/golden");
    for name in PLAYED {
        let player = if name.starts_with("oneshot-") {
            play_print(name)
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
