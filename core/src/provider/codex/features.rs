//! What the agent can do.

use crate::capabilities::{Feature, Support};

/// What does not stand here it cannot do. `docs/providers/codex.md` says on what some of it depends.
pub(super) const FEATURES: &[(Feature, Support)] = &[
    (Feature::Resume, Support::BOTH),
    (Feature::Interrupt, Support::BOTH),
    (Feature::Steer, Support::WARM),
    (Feature::AgentTurns, Support::WARM),
    (Feature::Images, Support::WARM),
    (Feature::TextFiles, Support::BOTH),
    (Feature::OutputSchema, Support::WARM),
    (Feature::HostTools, Support::BOTH),
    (Feature::CommandApproval, Support::WARM),
    (Feature::FileChangeApproval, Support::WARM),
    (Feature::PermissionEscalation, Support::WARM),
    (Feature::UserQuestion, Support::WARM),
    (Feature::Elicitation, Support::WARM),
    (Feature::AllowSession, Support::WARM),
    (Feature::AllowRemember, Support::WARM),
    (Feature::DenyInterrupt, Support::WARM),
    (Feature::ChangeModel, Support::WARM),
    (Feature::ChangeEffort, Support::WARM),
    (Feature::ChangePermissionMode, Support::WARM),
    (Feature::Compact, Support::WARM),
    (Feature::ListModels, Support::WARM),
    (Feature::ListCommands, Support::WARM),
    (Feature::McpStatus, Support::WARM),
    (Feature::ContextUsage, Support::WARM),
    (Feature::Rewind, Support::WARM),
    (Feature::Fork, Support::WARM),
    (Feature::ListTasks, Support::WARM),
    (Feature::StopTasks, Support::WARM),
];
