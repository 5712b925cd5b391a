//! The table of what the agent can do is true.

use crate::capabilities::Feature;
use crate::provider::Provider;
use crate::provider::codex::Codex;

/// For each feature of the table, tests that drive it.
const TESTS: &[(Feature, &str)] = &[
    (
        Feature::Resume,
        "contract: nothing_is_asked_before_the_handshake",
    ),
    (
        Feature::Interrupt,
        "turns: an_interrupt_waits_until_the_turn_has_started",
    ),
    (Feature::Steer, "steering: a_message_has_joined_when"),
    (
        Feature::AgentTurns,
        "turns: a_host_turn_waits_for_the_agents_own",
    ),
    (Feature::Images, "messages: images_go_as_data"),
    (
        Feature::TextFiles,
        "messages: a_one_shot_prompt_carries_text_files",
    ),
    (
        Feature::OutputSchema,
        "messages: an_answer_to_a_schema_is_read",
    ),
    (
        Feature::HostTools,
        "questions: a_host_tool_is_asked_for_by_its_name",
    ),
    (
        Feature::CommandApproval,
        "questions: a_command_shows_what_the_model_wrote",
    ),
    (
        Feature::FileChangeApproval,
        "questions: a_file_change_names_the_files",
    ),
    (
        Feature::PermissionEscalation,
        "questions: a_wish_for_more_than_files",
    ),
    (
        Feature::UserQuestion,
        "questions: a_question_to_the_user_has_its_choices",
    ),
    (
        Feature::Elicitation,
        "questions: an_mcp_tool_and_what_an_mcp_server_asks",
    ),
    (
        Feature::AllowSession,
        "questions: every_answer_of_the_captures",
    ),
    (
        Feature::AllowRemember,
        "questions: every_answer_of_the_captures",
    ),
    (
        Feature::DenyInterrupt,
        "questions: every_answer_of_the_captures",
    ),
    (
        Feature::ChangeModel,
        "control: model_and_effort_change_at_once",
    ),
    (
        Feature::ChangeEffort,
        "control: model_and_effort_change_at_once",
    ),
    (
        Feature::ChangePermissionMode,
        "control: a_mode_changes_with_its_sandbox",
    ),
    (
        Feature::Compact,
        "operations: each_operation_asks_by_its_method",
    ),
    (
        Feature::ListModels,
        "operations: each_operation_asks_by_its_method",
    ),
    (
        Feature::ListCommands,
        "operations: each_operation_asks_by_its_method",
    ),
    (
        Feature::McpStatus,
        "operations: each_operation_asks_by_its_method",
    ),
    (Feature::ContextUsage, "operations: the_context_is_told"),
    (
        Feature::Rewind,
        "operations: each_operation_asks_by_its_method",
    ),
    (
        Feature::Fork,
        "operations: each_operation_asks_by_its_method",
    ),
    (
        Feature::ListTasks,
        "operations: each_operation_asks_by_its_method",
    ),
    (
        Feature::StopTasks,
        "operations: each_operation_asks_by_its_method",
    ),
];

const SOURCES: &[(&str, &str)] = &[
    ("contract", include_str!("contract.rs")),
    ("turns", include_str!("turns.rs")),
    ("steering", include_str!("steering.rs")),
    ("control", include_str!("control.rs")),
    ("messages", include_str!("messages.rs")),
    ("questions", include_str!("questions.rs")),
    ("operations", include_str!("operations.rs")),
];

#[test]
fn every_feature_of_the_table_has_a_test() {
    let table: Vec<_> = Codex.capabilities().features.iter().map(|f| f.0).collect();
    let tested: Vec<_> = TESTS.iter().map(|t| t.0).collect();
    assert_eq!(table, tested);
    for (feature, test) in TESTS {
        let (file, name) = test.split_once(": ").expect("a file and a name");
        let source = SOURCES.iter().find(|s| s.0 == file).expect("a source").1;
        let found = source.contains(&format!("#[test]\nfn {name}"));
        assert!(found, "{feature:?}: there is no test {test}");
    }
}
