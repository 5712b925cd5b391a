//! The protocol's adapter for Codex. Seen: codex-acp 2.6.0.

use super::{Login, Profile, Quirks, ladder};
use crate::capabilities::{Feature, Support};
use crate::config::PermissionMode;
use crate::provider::{LoginSigns, codex};
use crate::request::Decision;

/// Where the login is: as for Codex itself, and keys, which it is told to use.
static SIGNS: LoginSigns = LoginSigns {
    variables: &["CODEX_API_KEY", "OPENAI_API_KEY"],
    ..codex::LOGIN
};

/// The profile.
pub(crate) static CODEX_ACP: Profile = Profile {
    name: "codex-acp",
    program: "codex-acp",
    arguments: &[],
    environment: &["OPENAI_*", "CODEX_*", "AZURE_OPENAI_*"],
    // In its own default mode a reviewer of its own decides, and the host is never asked.
    settings: &[("INITIAL_AGENT_MODE", "workspace-write")],
    secrets: &[],
    permissions: &[],
    signs: &SIGNS,
    login: Some(Login {
        method: "api-key",
        for_new: true,
    }),
    modes: &[
        (PermissionMode::ReadOnly, &["read-only"]),
        (PermissionMode::Plan, &["read-only"]),
        (PermissionMode::AcceptEdits, &["workspace-write"]),
        (PermissionMode::BypassPermissions, &["agent-full-access"]),
    ],
    // It is written to the disk and holds in later processes.
    always: Decision::AllowRemember,
    print: None,
    // It takes 2 to 7 s to end after its input has.
    // Not seen to do it well.
    sharing: None,
    stop: ladder(8, 4),
    features: &[
        (Feature::Resume, Support::BOTH),
        (Feature::Interrupt, Support::BOTH),
        (Feature::Steer, Support::BOTH),
        (Feature::Images, Support::BOTH),
        (Feature::TextFiles, Support::BOTH),
        (Feature::CommandApproval, Support::BOTH),
        (Feature::FileChangeApproval, Support::BOTH),
        (Feature::AllowRemember, Support::BOTH),
        (Feature::DenyInterrupt, Support::BOTH),
        (Feature::ChangeModel, Support::WARM),
        (Feature::ChangeEffort, Support::WARM),
        (Feature::ChangePermissionMode, Support::WARM),
        (Feature::ListModels, Support::WARM),
        (Feature::ListCommands, Support::WARM),
        (Feature::ContextUsage, Support::WARM),
        (Feature::Fork, Support::WARM),
    ],
    max_prompt_chars: Some(1_048_576),
    quirks: Quirks {
        warning: Some("Warning: "),
        ..Quirks::NONE
    },
};
