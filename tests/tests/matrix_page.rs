//! `docs/providers/matrix.md` is made from the table that the code uses; this test fails when it is
//! stale. `REMUDA_UPDATE_DOCS=1 cargo test -p remuda-tests --test matrix_page` rewrites it.
//!
//! Every "yes" of it is driven by a test with the real agent: the table below names them. Agents that are
//! not installed here have captures instead, or a stand-in: the head of `stand_in_NAME.rs` names the tests with that.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use remuda::config::Mode;
use remuda::{Feature, Support, capabilities};
use remuda_tests::{StandIn, runs_of, stand_in};
use schemars::schema_for;

const INTRODUCTION: &str = "# What each provider can do

<!-- Made from the code. To rewrite it: REMUDA_UPDATE_DOCS=1 cargo test -p remuda-tests --test matrix_page -->

`remuda::capabilities()` gives this table. *Warm* is a process that stays for later turns, *one-shot* one that serves a single
turn. What an agent cannot do is refused with `unsupported` before anything is started. Settings that cannot be changed
without a new process are changed by replacing it between two turns.

Each \"yes\" is driven by a test with the real agent, which `tests/tests/matrix_page.rs` names; of the agents of the Agent Client
Protocol `resume`, `interrupt` and `command_approval` by `tests/tests/conformance.rs`, which runs with every real agent, and the rest by captures
of the real agent, where `core/src/provider/acp/tests/features.rs` names the test. What a version of those cannot do
it says when it starts, and is then refused with `unsupported` too. Of providers
marked * there is neither an agent nor a capture here: they were read, and are driven with a stand-in.

";

/// The tests that drive a feature in warm processes, and those that do in one-shot ones.
type Driven = (Feature, &'static [&'static str], &'static [&'static str]);

const DRIVEN: &[Driven] = &[
    (
        Feature::Resume,
        &["real_turns::a_conversation_goes_on_in_another_pool"],
        &["real_turns::one_shot_turns_are_one_conversation"],
    ),
    (
        Feature::Interrupt,
        &["real_interrupts::an_interrupt_in_a_tool_ends_the_turn_alone"],
        &["real_interrupts::an_interrupt_in_a_tool_ends_the_turn_alone"],
    ),
    (
        Feature::Steer,
        &[
            "control_real_steering::a_message_joins_a_turn_in_its_tool",
            "control_real_steering::a_message_joins_a_turn_in_its_text",
        ],
        &["control_real_steering::a_message_joins_a_turn_in_its_tool"],
    ),
    (
        Feature::AgentTurns,
        &[
            "control_real_operations::a_conversation_is_compacted",
            "real_background::background_work_keeps_the_process_and_ends_with_a_turn_of_the_agents_own",
        ],
        &[],
    ),
    (
        Feature::Images,
        &["control_real_messages::an_image_reaches_the_model"],
        &["control_real_messages::an_image_reaches_the_model"],
    ),
    (
        Feature::Documents,
        &["control_real_messages::a_pdf_reaches_the_model"],
        &["control_real_messages::a_pdf_reaches_the_model"],
    ),
    (
        Feature::TextFiles,
        &["control_real_messages::a_text_file_reaches_the_model"],
        &["control_real_messages::a_text_file_reaches_the_model"],
    ),
    (
        Feature::OutputSchema,
        &["control_real_messages::an_answer_fits_its_schema"],
        &["control_real_messages::an_answer_fits_its_schema"],
    ),
    (
        Feature::Cost,
        &["control_real_messages::a_turn_may_cost_so_much"],
        &["control_real_messages::a_turn_may_cost_so_much"],
    ),
    (
        Feature::HostTools,
        &["control_real_tools::a_tool_of_the_host_gives_the_model_its_result"],
        &["control_real_tools::a_tool_of_the_host_gives_the_model_its_result"],
    ),
    // The agents that have something done by their client are driven by their captures.
    (Feature::ClientFiles, &[], &[]),
    (Feature::ClientTerminals, &[], &[]),
    (
        Feature::CommandApproval,
        &["control_real_approvals::a_command_runs_when_it_is_allowed"],
        &["control_real_approvals::a_command_runs_when_it_is_allowed"],
    ),
    (
        Feature::FileChangeApproval,
        &["control_real_approvals::a_file_changes_when_it_is_allowed"],
        &["control_real_approvals::a_file_changes_when_it_is_allowed"],
    ),
    (
        Feature::PermissionEscalation,
        &["control_real_approvals::more_permissions_are_asked_for"],
        &[],
    ),
    (
        Feature::PlanApproval,
        &["control_real_questions::a_plan_is_approved"],
        &["control_real_questions::a_plan_is_approved"],
    ),
    (
        Feature::UserQuestion,
        &["control_real_questions::the_user_chooses"],
        &["control_real_questions::the_user_chooses"],
    ),
    (
        Feature::Elicitation,
        &["control_real_questions::an_mcp_server_gets_what_it_asks_for"],
        &["control_real_questions::an_mcp_server_gets_what_it_asks_for"],
    ),
    (
        Feature::AllowSession,
        &["control_real_approvals::a_yes_for_the_session_is_not_asked_again"],
        &["control_real_approvals::a_yes_for_the_session_is_not_asked_again"],
    ),
    (
        Feature::AllowRemember,
        &["control_real_approvals::a_remembered_yes_is_not_asked_again_in_another_session"],
        &["control_real_approvals::a_remembered_yes_is_not_asked_again_in_another_session"],
    ),
    (
        Feature::AllowChanged,
        &["control_real_approvals::another_command_runs_when_it_is_changed"],
        &["control_real_approvals::another_command_runs_when_it_is_changed"],
    ),
    (
        Feature::DenyInterrupt,
        &["control_real_approvals::a_denial_that_interrupts_ends_the_turn_alone"],
        &["control_real_approvals::a_denial_that_interrupts_ends_the_turn_alone"],
    ),
    (
        Feature::ChangeModel,
        &["control_real_switches::another_model_answers_from_now_on"],
        &[],
    ),
    (
        Feature::ChangeEffort,
        &["control_real_switches::another_effort_holds_from_now_on"],
        &[],
    ),
    (
        Feature::ChangeThinkingBudget,
        &["control_real_switches::another_thinking_budget_holds_from_now_on"],
        &[],
    ),
    (
        Feature::ChangePermissionMode,
        &["control_real_switches::another_permission_mode_holds_from_now_on"],
        &[],
    ),
    (
        Feature::ChangeMcpServers,
        &["control_real_switches::other_mcp_servers_are_there_from_now_on"],
        &[],
    ),
    (
        Feature::Compact,
        &["control_real_operations::a_conversation_is_compacted"],
        &[],
    ),
    (
        Feature::ListModels,
        &["control_real_operations::models_are_listed"],
        &[],
    ),
    (
        Feature::ListCommands,
        &["control_real_operations::commands_are_listed"],
        &[],
    ),
    (
        Feature::McpStatus,
        &["control_real_operations::mcp_servers_tell_their_state"],
        &[],
    ),
    (
        Feature::ContextUsage,
        &["control_real_operations::the_context_tells_how_full_it_is"],
        &[],
    ),
    (
        Feature::Rewind,
        &["control_real_operations::a_conversation_goes_back"],
        &[],
    ),
    (
        Feature::Fork,
        &["control_real_operations::a_conversation_goes_on_twice"],
        &[],
    ),
    (
        Feature::ListTasks,
        &["control_real_operations::background_commands_are_listed_and_one_is_ended"],
        &[],
    ),
    (
        Feature::StopTasks,
        &[
            "control_real_operations::background_commands_are_listed_and_one_is_ended",
            "control_real_operations::background_commands_are_all_ended",
        ],
        &[],
    ),
];

/// Agents whose tables are driven by their captures: `core/src/provider/acp/tests/features.rs`.
const CAPTURED: &[&str] = &[
    "acp",
    "claude-acp",
    "codex-acp",
    "gemini",
    "kimi",
    "opencode",
];

#[test]
fn the_page_is_that_of_the_table() {
    let table = capabilities();
    let meanings = meanings();
    let mut page = INTRODUCTION.to_owned();
    page += "| feature | meaning |";
    for provider in table.keys() {
        let mark = if stand_in(provider).is_some() {
            "*"
        } else {
            ""
        };
        let provider = format!("{provider}{mark}");
        let _ = write!(page, " {provider}, warm | {provider}, one-shot |");
    }
    let _ = writeln!(page, "\n|---|---|{}", "---|".repeat(2 * table.len()));
    for feature in Feature::ALL {
        let word = word(*feature);
        let _ = write!(page, "| `{word}` | {} |", meanings[&word]);
        for features in table.values() {
            let Support { warm, one_shot } = features[feature];
            let _ = write!(page, " {} | {} |", yes(warm), yes(one_shot));
        }
        page.push('\n');
    }
    remuda_tests::is_current("docs/providers/matrix.md", &page, "REMUDA_UPDATE_DOCS");
}

#[test]
fn every_yes_is_driven_by_a_test_of_that_provider() {
    let mut missing = Vec::new();
    for (provider, features) in capabilities() {
        if CAPTURED.contains(&provider) {
            continue;
        }
        for (feature, support) in features {
            let (_, warm, one_shot) = driven(feature);
            for (mode, tests) in [(Mode::Warm, warm), (Mode::OneShot, one_shot)] {
                let drives = |test: &&str| runs_of(test).contains(&(provider, mode));
                let is_driven = match stand_in(provider) {
                    Some(tests) => tests.iter().any(|test| test.drives(feature, mode)),
                    None => tests.iter().any(drives),
                };
                if support.in_mode(mode) && !is_driven {
                    missing.push(format!("{provider}: {feature:?} in {mode:?}"));
                }
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

/// What keeps a conversation, ends a turn and asks is driven with each real agent.
#[test]
fn the_conformance_suite_runs_with_every_provider() {
    let suite = include_str!("conformance.rs");
    for provider in capabilities().into_keys() {
        if stand_in(provider).is_some() {
            continue;
        }
        // No agent has this name: it stands for those that nobody has seen.
        let played = if provider == "acp" {
            "scripted"
        } else {
            "real"
        };
        let line = format!("{} = Subject::{played}(", provider.replace('-', "_"));
        assert!(suite.contains(&line), "{provider} has no line");
    }
}

#[test]
fn every_test_that_is_named_drives_a_yes() {
    for (feature, warm, one_shot) in DRIVEN {
        for (mode, tests) in [(Mode::Warm, warm), (Mode::OneShot, one_shot)] {
            for test in *tests {
                let runs = runs_of(test);
                let drives = |(provider, features): (&str, BTreeMap<Feature, Support>)| {
                    features[feature].in_mode(mode) && runs.contains(&(provider, mode))
                };
                let any = capabilities().into_iter().any(drives);
                assert!(any, "{test} does not drive {feature:?} in {mode:?}");
            }
        }
    }
}

#[test]
fn every_test_with_a_stand_in_drives_a_yes() {
    let mut count = 0;
    for (provider, features) in capabilities() {
        for StandIn {
            feature,
            mode,
            test,
        } in stand_in(provider).unwrap_or_default()
        {
            assert!(features[&feature].in_mode(mode), "{provider}: {test}");
            count += 1;
        }
    }
    assert!(count > 0, "there is such a provider");
}

fn driven(feature: Feature) -> &'static Driven {
    let found = DRIVEN.iter().find(|(known, ..)| *known == feature);
    found.unwrap_or_else(|| panic!("{feature:?} has no tests"))
}

fn yes(is: bool) -> &'static str {
    if is { "yes" } else { "no" }
}

/// A feature's word in JSON.
fn word(feature: Feature) -> String {
    let value = serde_json::to_value(feature).expect("JSON");
    value.as_str().expect("a word").to_owned()
}

/// What each feature means.
fn meanings() -> BTreeMap<String, String> {
    let schema = schema_for!(Feature).to_value();
    let words = schema["oneOf"].as_array().expect("words");
    let meaning = |word: &serde_json::Value| {
        let text = |member: &str| word[member].as_str().unwrap_or_default().to_owned();
        (text("const"), text("description"))
    };
    words.iter().map(meaning).collect()
}
