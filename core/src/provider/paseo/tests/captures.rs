//! What becomes of every capture.

use super::play::{names, play};

const AGENT: &str = "5a1f0c9e-3b7d-4c52-9d6e-2f8b1a7c4e10";

/// What is said in each, but that the conversation is ready. `ID` is the agent's.
const SAID: [(&str, &[&str]); 13] = [
    (
        "answer-lost",
        &[
            "new ID codex/m",
            "turn: taken",
            "turn: Agent: the agent ended the turn well, but its answer could not be read",
            "turn: failed agent_error: Failed to get logs: Transport closed (code 1006)",
        ],
    ),
    (
        "daemon-lost",
        &[
            "new ID codex/m",
            "turn: taken",
            "turn: failed agent_error: Failed to wait for agent: Transport closed (code 1006)",
        ],
    ),
    (
        "first-turn",
        &[
            "new ID codex/m",
            "turn: taken",
            r#"turn: message "Hello.\n\nWhat now?""#,
            r#"turn: completed "Hello.\n\nWhat now?""#,
        ],
    ),
    (
        "interrupted",
        &[
            "new ID codex/m",
            "turn: taken",
            r#"turn: message "1, 2, 3""#,
            r#"turn: interrupted "1, 2, 3""#,
        ],
    ),
    (
        "later-turn",
        &[
            "resumed ID codex/m",
            "turn: taken",
            r#"turn: message "Again.""#,
            r#"turn: completed "Again.""#,
        ],
    ),
    (
        "markers-in-the-answer",
        &[
            "new ID codex/m",
            "turn: taken",
            r#"turn: message "end\n{\n}\ntext\nagent x\nend""#,
            r#"turn: completed "end\n{\n}\ntext\nagent x\nend""#,
        ],
    ),
    (
        "no-answer",
        &["new ID codex/m", "turn: taken", r#"turn: completed """#],
    ),
    (
        "no-daemon",
        &[
            "turn: failed agent_error: Cannot connect to daemon at localhost:6767: \
           connect ECONNREFUSED 127.0.0.1:6767",
        ],
    ),
    (
        "permission",
        &[
            "new ID codex/m",
            "turn: taken",
            "turn: Agent: Agent is waiting for permission: tool: it is denied",
            r#"turn: message "I may not.""#,
            r#"turn: completed "I may not.""#,
        ],
    ),
    (
        "turn-failed",
        &[
            "new ID codex/m",
            "turn: taken",
            "turn: failed agent_error: There is an issue with the selected model",
        ],
    ),
    (
        "unknown-agent",
        &["turn: failed resume_failed: Failed to send message: Agent not found: ID"],
    ),
    (
        "unknown-flag",
        &["turn: failed agent_error: unknown option '--frobnicate'"],
    ),
    (
        "wrong-password",
        &[
            "turn: failed account_error: Cannot connect to daemon at tcp://localhost:6767: \
           Incorrect password",
        ],
    ),
];

#[test]
fn every_capture_says_what_it_should() {
    assert_eq!(names(), SAID.map(|(name, _)| name));
    for (name, expected) in SAID {
        let said = play(name).said();
        assert_eq!(said[0], "ready None", "{name}");
        let expected: Vec<_> = expected.iter().map(|l| l.replace("ID", AGENT)).collect();
        assert_eq!(said[1..], expected, "{name}");
    }
}
