//! The tables of what the agents can do are true.

use std::collections::BTreeSet;

use crate::capabilities::Feature;
use crate::provider::{Provider, acp};

/// For each feature of a table, a test that drives it.
const TESTS: &[(Feature, &str)] = &[
    (
        Feature::Resume,
        "contract: nothing_is_asked_before_the_handshake",
    ),
    (
        Feature::Interrupt,
        "turns: an_interrupt_answers_what_is_open",
    ),
    (Feature::Steer, "turns: a_message_joins_a_turn"),
    (
        Feature::Images,
        "turns: attachments_go_as_the_agent_takes_them",
    ),
    (
        Feature::TextFiles,
        "turns: attachments_go_as_the_agent_takes_them",
    ),
    (Feature::Cost, "turns: tokens_and_money_are_counted"),
    (Feature::HostTools, "questions: a_tool_of_the_host_is_named"),
    (
        Feature::ClientFiles,
        "client: files_are_passed_on_and_answered",
    ),
    (
        Feature::ClientTerminals,
        "client: terminals_are_passed_on_and_answered",
    ),
    (
        Feature::CommandApproval,
        "questions: a_question_shows_what_rules_look_at",
    ),
    (
        Feature::FileChangeApproval,
        "questions: a_question_shows_what_rules_look_at",
    ),
    (
        Feature::PlanApproval,
        "questions: a_question_shows_what_rules_look_at",
    ),
    (Feature::UserQuestion, "questions: a_form_is_questions"),
    (
        Feature::AllowSession,
        "questions: every_answer_chooses_an_option",
    ),
    (
        Feature::AllowRemember,
        "questions: only_what_the_agent_offers",
    ),
    (
        Feature::DenyInterrupt,
        "questions: every_answer_chooses_an_option",
    ),
    (
        Feature::ChangeModel,
        "operations: model_effort_and_mode_change",
    ),
    (
        Feature::ChangeEffort,
        "operations: model_effort_and_mode_change",
    ),
    (
        Feature::ChangePermissionMode,
        "operations: model_effort_and_mode_change",
    ),
    (
        Feature::ListModels,
        "operations: models_commands_and_the_context",
    ),
    (
        Feature::ListCommands,
        "operations: models_commands_and_the_context",
    ),
    (
        Feature::ContextUsage,
        "operations: models_commands_and_the_context",
    ),
    (Feature::Fork, "operations: a_fork_is_made_and_left"),
];

const SOURCES: &[(&str, &str)] = &[
    ("client", include_str!("client.rs")),
    ("contract", include_str!("contract.rs")),
    ("turns", include_str!("turns.rs")),
    ("questions", include_str!("questions.rs")),
    ("operations", include_str!("operations.rs")),
];

#[test]
fn every_feature_of_a_table_has_a_test() {
    let agents = [
        &acp::GEMINI,
        &acp::OPENCODE,
        &acp::KIMI,
        &acp::CLAUDE_ACP,
        &acp::CODEX_ACP,
        &acp::ANY,
    ];
    let tables = agents.into_iter().flat_map(|a| a.capabilities().features);
    let table: BTreeSet<_> = tables.map(|(feature, _)| *feature).collect();
    let tested: BTreeSet<_> = TESTS.iter().map(|t| t.0).collect();
    assert_eq!(table, tested);
    for (feature, test) in TESTS {
        let (file, name) = test.split_once(": ").expect("a file and a name");
        let source = SOURCES.iter().find(|s| s.0 == file).expect("a source").1;
        let found = source.contains(&format!("#[test]\nfn {name}"));
        assert!(found, "{feature:?}: there is no test {test}");
    }
}
