//! `OpenCode`. Seen: 1.18.33.

use super::{Permission, Print, Profile, Quirks, ladder};
use crate::capabilities::{Feature, Support};
use crate::config::{PermissionMode, Sharing};
use crate::provider::{AgentFile, LoginSigns};
use crate::request::Decision;

/// Permissions, as the agent's configuration has them.
const PERMISSION: &str = "OPENCODE_PERMISSION";
/// Nothing is changed, nothing runs.
const DENY: &str = r#"{"edit":"deny","bash":"deny","webfetch":"deny","external_directory":"deny"}"#;

/// Where the login is.
static SIGNS: LoginSigns = LoginSigns {
    variables: &[],
    files: &[AgentFile {
        variable: "XDG_DATA_HOME",
        below_home: ".local/share",
        path: "opencode/auth.json",
    }],
    other_variables: &[],
    other_files: &[],
    // Without one it takes free models; and keys of many services stand in its environment and its settings.
    hidden: true,
};

/// The profile.
pub(crate) static OPENCODE: Profile = Profile {
    name: "opencode",
    program: "opencode",
    arguments: &["acp"],
    environment: &[
        "OPENCODE_*",
        "ANTHROPIC_*",
        "OPENAI_*",
        "GEMINI_*",
        "GOOGLE_*",
        "OPENROUTER_*",
        "AWS_*",
    ],
    settings: &[("OPENCODE_DISABLE_AUTOUPDATE", "1")],
    // It serves its whole interface on a port of the loopback, to everybody if there is none.
    secrets: &["OPENCODE_SERVER_PASSWORD"],
    permissions: &[
        (Permission::Mode(PermissionMode::ReadOnly), PERMISSION, DENY),
        (Permission::Mode(PermissionMode::Plan), PERMISSION, DENY),
        (
            Permission::Mode(PermissionMode::AcceptEdits),
            PERMISSION,
            r#"{"edit":"allow","bash":"ask","webfetch":"ask","external_directory":"ask"}"#,
        ),
        (
            Permission::Mode(PermissionMode::BypassPermissions),
            PERMISSION,
            r#"{"edit":"allow","bash":"allow","webfetch":"allow","external_directory":"allow"}"#,
        ),
        // Asks, so that what is denied shows.
        (
            Permission::ReadOnly,
            PERMISSION,
            r#"{"edit":"ask","bash":"ask","webfetch":"ask","external_directory":"ask"}"#,
        ),
    ],
    signs: &SIGNS,
    login: None,
    modes: &[(PermissionMode::Plan, &["plan"])],
    always: Decision::AllowSession,
    print: Some(Print::OpenCode),
    sharing: Some(Sharing::PerSession),
    stop: ladder(2, 2),
    features: &[
        (Feature::Resume, Support::BOTH),
        (Feature::Interrupt, Support::BOTH),
        (Feature::Images, Support::WARM),
        (Feature::TextFiles, Support::BOTH),
        (Feature::Cost, Support::ONE_SHOT),
        (Feature::HostTools, Support::BOTH),
        (Feature::CommandApproval, Support::WARM),
        (Feature::FileChangeApproval, Support::WARM),
        (Feature::AllowSession, Support::WARM),
        (Feature::DenyInterrupt, Support::WARM),
        (Feature::ChangeModel, Support::WARM),
        (Feature::ChangeEffort, Support::WARM),
        (Feature::ListModels, Support::WARM),
        (Feature::ListCommands, Support::WARM),
        (Feature::Fork, Support::WARM),
    ],
    max_prompt_chars: None,
    quirks: Quirks {
        always_for_all: true,
        title_is_name: true,
        ..Quirks::NONE
    },
};
