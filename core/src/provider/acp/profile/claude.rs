//! The protocol's adapter for Claude Code. Seen: claude-agent-acp 0.100.0, which needs Node 22.

use super::{LiveContent, Profile, Quirks, ladder};
use crate::capabilities::{Feature, Support};
use crate::config::PermissionMode;
use crate::provider::claude::LOGIN;
use crate::request::Decision;

/// The profile.
pub(crate) static CLAUDE_ACP: Profile = Profile {
    name: "claude-acp",
    program: "claude-agent-acp",
    arguments: &[],
    environment: &["ANTHROPIC_*", "CLAUDE_*", "AWS_*", "CLOUD_ML_REGION"],
    settings: &[("DISABLE_AUTOUPDATER", "1")],
    secrets: &[],
    permissions: &[],
    signs: &LOGIN,
    login: None,
    modes: &[
        (PermissionMode::ReadOnly, &["plan"]),
        (PermissionMode::Plan, &["plan"]),
        (PermissionMode::AcceptEdits, &["acceptEdits"]),
        (PermissionMode::BypassPermissions, &["bypassPermissions"]),
    ],
    always: Decision::AllowSession,
    print: None,
    // Its children see the end of their input and clean up, if it is given the time.
    // Not seen to do it well.
    sharing: None,
    stop: ladder(2, 2),
    features: &[
        (Feature::Resume, Support::BOTH),
        (Feature::Interrupt, Support::BOTH),
        (Feature::Steer, Support::BOTH),
        (Feature::Images, Support::BOTH),
        (Feature::TextFiles, Support::BOTH),
        (Feature::Cost, Support::BOTH),
        (Feature::HostTools, Support::BOTH),
        (Feature::CommandApproval, Support::BOTH),
        (Feature::FileChangeApproval, Support::BOTH),
        (Feature::PlanApproval, Support::BOTH),
        (Feature::UserQuestion, Support::BOTH),
        (Feature::AllowSession, Support::BOTH),
        (Feature::DenyInterrupt, Support::BOTH),
        (Feature::ChangeModel, Support::WARM),
        (Feature::ChangeEffort, Support::WARM),
        (Feature::ChangePermissionMode, Support::WARM),
        (Feature::ListModels, Support::WARM),
        (Feature::ListCommands, Support::WARM),
        (Feature::ContextUsage, Support::WARM),
        (Feature::Fork, Support::WARM),
    ],
    max_prompt_chars: None,
    quirks: Quirks {
        input_grows: true,
        live_content: LiveContent::Description,
        ..Quirks::NONE
    },
};
