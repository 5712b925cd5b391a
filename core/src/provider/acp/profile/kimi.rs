//! Kimi Code CLI. Seen: 2.1.0. The archived Python program of the same name, up to 1.50, speaks the
//! protocol too; later versions of that one only print a notice.

use super::{LiveContent, Profile, Quirks, ladder};
use crate::capabilities::{Feature, Support};
use crate::config::PermissionMode;
use crate::provider::{AgentFile, LoginSigns};
use crate::request::Decision;

/// Where the login is.
static SIGNS: LoginSigns = LoginSigns {
    variables: &["KIMI_MODEL_API_KEY"],
    files: &[],
    other_variables: &[],
    // What is in them, and whether all of it counts, was not seen.
    other_files: &[in_home("credentials"), in_home("config.toml")],
    hidden: false,
};

const fn in_home(path: &'static str) -> AgentFile {
    AgentFile {
        variable: "KIMI_CODE_HOME",
        below_home: ".kimi-code",
        path,
    }
}

/// The profile.
pub(crate) static KIMI: Profile = Profile {
    name: "kimi",
    program: "kimi",
    arguments: &["acp"],
    environment: &["KIMI_*", "MOONSHOT_*"],
    settings: &[
        ("KIMI_CODE_NO_AUTO_UPDATE", "1"),
        ("KIMI_DISABLE_TELEMETRY", "1"),
    ],
    secrets: &[],
    permissions: &[],
    signs: &SIGNS,
    login: None,
    modes: &[
        (PermissionMode::ReadOnly, &["plan"]),
        (PermissionMode::Plan, &["plan"]),
        // Files beneath the directory are changed without a question.
        (PermissionMode::AcceptEdits, &["default"]),
        (PermissionMode::BypassPermissions, &["yolo"]),
    ],
    always: Decision::AllowSession,
    print: None,
    // Not seen to do it well.
    sharing: None,
    stop: ladder(2, 2),
    features: &[
        (Feature::Resume, Support::BOTH),
        (Feature::Interrupt, Support::BOTH),
        (Feature::Images, Support::BOTH),
        (Feature::TextFiles, Support::BOTH),
        (Feature::HostTools, Support::BOTH),
        (Feature::ClientFiles, Support::BOTH),
        (Feature::ClientTerminals, Support::BOTH),
        (Feature::CommandApproval, Support::BOTH),
        (Feature::FileChangeApproval, Support::BOTH),
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
        title_is_name: true,
        live_content: LiveContent::Arguments,
        ..Quirks::NONE
    },
};
