//! Every feature of the table has a test.

use std::collections::{BTreeMap, BTreeSet};

use crate::capabilities::Feature;
use crate::provider::Provider;
use crate::provider::claude::Claude;

/// The test that shows the feature.
const SHOWN_BY: &[(Feature, &str)] = &[
    (
        Feature::Resume,
        "options_become_flags_that_no_value_can_break",
    ),
    (
        Feature::Interrupt,
        "an_interrupt_waits_for_the_turn_and_is_written_once",
    ),
    (
        Feature::Steer,
        "a_steer_is_written_while_a_call_runs_and_joins_the_turn_at_its_end",
    ),
    (
        Feature::AgentTurns,
        "a_turn_that_nobody_asked_for_is_the_agents_own",
    ),
    (Feature::Images, "images_are_sent_as_base64"),
    (
        Feature::Documents,
        "documents_are_sent_as_base64_with_their_name",
    ),
    (Feature::TextFiles, "text_files_are_sent_as_text"),
    (
        Feature::OutputSchema,
        "a_schema_is_given_to_a_process_of_its_own_and_the_answer_taken_from_the_end",
    ),
    (
        Feature::Cost,
        "the_first_turn_of_a_foreign_conversation_costs_an_unknown_sum",
    ),
    (Feature::HostTools, "a_call_is_asked_and_its_result_given"),
    (
        Feature::CommandApproval,
        "a_command_is_asked_with_all_that_rules_look_at",
    ),
    (
        Feature::FileChangeApproval,
        "a_change_of_a_file_is_asked_with_its_path",
    ),
    (Feature::PlanApproval, "a_plan_is_approved_or_sent_back"),
    (
        Feature::UserQuestion,
        "the_users_answers_go_to_the_questions_by_their_text",
    ),
    (
        Feature::Elicitation,
        "an_elicitation_takes_content_or_a_denial",
    ),
    (
        Feature::AllowSession,
        "an_allowance_for_the_session_carries_the_narrow_proposals_to_the_session",
    ),
    (
        Feature::AllowRemember,
        "an_allowance_for_ever_carries_the_rules_where_the_agent_proposed",
    ),
    (
        Feature::AllowChanged,
        "an_allowance_with_another_input_replaces_it_whole",
    ),
    (
        Feature::DenyInterrupt,
        "a_denial_tells_why_and_can_end_the_turn",
    ),
    (Feature::ChangeModel, "the_model_changes_live"),
    (Feature::ChangeEffort, "the_effort_changes_live"),
    (
        Feature::ChangeThinkingBudget,
        "the_thinking_budget_changes_live",
    ),
    (
        Feature::ChangePermissionMode,
        "the_permission_mode_changes_live_but_not_to_or_from_read_only",
    ),
    (
        Feature::ChangeMcpServers,
        "mcp_servers_are_added_and_taken_away_live_beside_those_of_the_start",
    ),
    (Feature::Compact, "compaction_is_a_turn_of_the_agents_own"),
    (Feature::ListModels, "models_are_listed_from_the_handshake"),
    (
        Feature::ListCommands,
        "commands_are_listed_from_the_handshake_and_from_news",
    ),
    (
        Feature::McpStatus,
        "the_state_of_mcp_servers_is_told_without_their_settings",
    ),
    (
        Feature::ContextUsage,
        "context_usage_is_told_in_the_common_words",
    ),
    (
        Feature::Rewind,
        "a_process_that_goes_back_is_told_where_and_lines_of_the_agent_itself_are_places",
    ),
    (Feature::ListTasks, "background_tasks_are_listed"),
    (Feature::StopTasks, "tasks_are_stopped_one_by_one_or_all"),
];

#[test]
fn every_feature_in_the_table_has_a_test_and_no_other_has() {
    let sources = [
        include_str!("../cost.rs"),
        include_str!("changes.rs"),
        include_str!("host_tools.rs"),
        include_str!("launching.rs"),
        include_str!("messages.rs"),
        include_str!("operations.rs"),
        include_str!("questions.rs"),
        include_str!("requests.rs"),
        include_str!("steers.rs"),
    ];
    let table: BTreeMap<_, _> = Claude.capabilities().features.iter().copied().collect();
    let shown: BTreeSet<_> = SHOWN_BY.iter().map(|(feature, _)| *feature).collect();
    assert_eq!(table.keys().copied().collect::<BTreeSet<_>>(), shown);
    for (feature, test) in SHOWN_BY {
        // Those beside their code are indented.
        let defined = format!("#[test]\nfn {test}() {{");
        let beside = format!("    #[test]\n    fn {test}() {{");
        assert!(
            sources
                .iter()
                .any(|s| s.contains(&defined) || s.contains(&beside)),
            "{feature:?}: {test}"
        );
    }
    assert!(
        table
            .values()
            .all(|support| support.warm || support.one_shot)
    );
}
