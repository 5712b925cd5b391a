//! Any other agent that speaks the protocol: the session names its program, and its arguments in
//! `extra_args`.

use super::{Profile, Quirks, ladder};
use crate::capabilities::{Feature, Support};
use crate::config::{PermissionMode, Sharing};
use crate::provider::LoginSigns;
use crate::request::Decision;

/// The profile.
pub(crate) static ACP: Profile = Profile {
    name: "acp",
    program: "",
    arguments: &[],
    environment: &[],
    settings: &[],
    secrets: &[],
    permissions: &[],
    signs: &LoginSigns::NONE,
    login: None,
    modes: &[
        (PermissionMode::ReadOnly, &["read-only", "plan"]),
        (PermissionMode::Plan, &["plan"]),
        (
            PermissionMode::AcceptEdits,
            &["acceptEdits", "autoEdit", "workspace-write"],
        ),
        (
            PermissionMode::BypassPermissions,
            &["bypassPermissions", "yolo", "agent-full-access"],
        ),
    ],
    always: Decision::AllowSession,
    print: None,
    sharing: Some(Sharing::PerSession),
    stop: ladder(2, 2),
    features: &[
        (Feature::Resume, Support::BOTH),
        (Feature::Interrupt, Support::BOTH),
        (Feature::Steer, Support::BOTH),
        (Feature::Images, Support::BOTH),
        (Feature::TextFiles, Support::BOTH),
        (Feature::Cost, Support::BOTH),
        (Feature::HostTools, Support::BOTH),
        (Feature::ClientFiles, Support::BOTH),
        (Feature::ClientTerminals, Support::BOTH),
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
        // Who knows.
        always_for_all: true,
        ..Quirks::NONE
    },
};
