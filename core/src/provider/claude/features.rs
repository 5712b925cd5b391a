//! What Claude Code can do, in a warm process and in one that serves a single turn.

use crate::capabilities::{Feature, Support};

/// In a process of its own only: the agent reads the schema once, when it starts.
const ONE_SHOT: Support = Support {
    warm: false,
    one_shot: true,
};

/// What does not stand here it cannot do. `Fork` is a flag of a new process, which makes the second
/// conversation only with a message.
pub(super) const FEATURES: &[(Feature, Support)] = &[
    (Feature::Resume, Support::BOTH),
    (Feature::Interrupt, Support::BOTH),
    (Feature::Steer, Support::BOTH),
    (Feature::AgentTurns, Support::WARM),
    (Feature::Images, Support::BOTH),
    (Feature::Documents, Support::BOTH),
    (Feature::TextFiles, Support::BOTH),
    (Feature::OutputSchema, ONE_SHOT),
    (Feature::Cost, Support::BOTH),
    (Feature::HostTools, Support::BOTH),
    (Feature::CommandApproval, Support::BOTH),
    (Feature::FileChangeApproval, Support::BOTH),
    (Feature::PlanApproval, Support::BOTH),
    (Feature::UserQuestion, Support::BOTH),
    (Feature::Elicitation, Support::BOTH),
    (Feature::AllowSession, Support::BOTH),
    (Feature::AllowRemember, Support::BOTH),
    (Feature::AllowChanged, Support::BOTH),
    (Feature::DenyInterrupt, Support::BOTH),
    (Feature::ChangeModel, Support::WARM),
    (Feature::ChangeEffort, Support::WARM),
    (Feature::ChangeThinkingBudget, Support::WARM),
    (Feature::ChangePermissionMode, Support::WARM),
    (Feature::ChangeMcpServers, Support::WARM),
    (Feature::Compact, Support::WARM),
    (Feature::ListModels, Support::WARM),
    (Feature::ListCommands, Support::WARM),
    (Feature::McpStatus, Support::WARM),
    (Feature::ContextUsage, Support::WARM),
    (Feature::Rewind, Support::WARM),
    (Feature::ListTasks, Support::WARM),
    (Feature::StopTasks, Support::WARM),
];
