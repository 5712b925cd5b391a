//! Exact signals of captures. `REMUDA_UPDATE_EXPECTED=1` writes them anew, to be reviewed.

use std::path::PathBuf;

use super::harness::{Player, written};

const SCENARIOS: &[&str] = &[
    "2.1.197/basic_text",
    "2.1.197/err_529_recover",
    "2.1.197/err_stream_cut",
    "2.1.197/interrupt_stream",
    "2.1.197/interrupt_tool",
    "2.1.197/queue_prio_now",
    "2.1.197/queue_stream",
    "2.1.197/queue_tool",
    "2.1.197/ratelimit_hdr",
    "2.1.197/resume_bad_uuid",
    "2.1.197/stop_max_tokens",
    "2.1.197/subagent_bg",
    "2.1.327/basic_text",
    "2.1.327/bash_bg",
    "2.1.327/compact",
    "2.1.327/elicitation",
    "2.1.327/err_400",
    "2.1.327/err_529_recover",
    "2.1.327/err_stream_cut",
    "2.1.327/interrupt_perm",
    "2.1.327/interrupt_stream",
    "2.1.327/interrupt_tool",
    "2.1.327/parallel_tools",
    "2.1.327/perm_deny",
    "2.1.327/queue_cancel",
    "2.1.327/queue_interrupt",
    "2.1.327/queue_noreplay",
    "2.1.327/queue_prio_stream_now",
    "2.1.327/queue_stream",
    "2.1.327/queue_tool",
    "2.1.327/resume_bad_uuid",
    "2.1.327/subagent_bg",
    "2.1.327/thinking_tool",
];

#[test]
fn captures_give_exactly_the_expected_signals() {
    let update = std::env::var_os("REMUDA_UPDATE_EXPECTED").is_some();
    for scenario in SCENARIOS {
        let name = scenario.replace('/', "-");
        let path = PathBuf::from(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/src/provider/claude/tests/expected"
        ))
        .join(format!("{name}.txt"));
        let actual = written(Player::play(scenario, true).signals());
        if update {
            std::fs::write(&path, &actual).expect("the expectation is writable");
        }
        let expected = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            actual == expected,
            "{scenario}: expected\n{expected}\nbut it is\n{actual}"
        );
    }
}
