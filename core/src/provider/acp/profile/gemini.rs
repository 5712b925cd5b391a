//! Gemini CLI. Seen: 0.61.0.

use std::time::Duration;

use super::{LiveContent, Login, Print, Profile, Quirks, ladder};
use crate::capabilities::{Feature, Support};
use crate::config::PermissionMode;
use crate::provider::{AgentFile, LoginSigns};
use crate::request::Decision;

/// Where the login is.
static SIGNS: LoginSigns = LoginSigns {
    variables: &["GEMINI_API_KEY", "GOOGLE_API_KEY"],
    files: &[
        in_home(".gemini/oauth_creds.json"),
        in_home(".gemini/gemini-credentials.json"),
    ],
    other_variables: &[
        "GOOGLE_GENAI_USE_VERTEXAI",
        "GOOGLE_GENAI_USE_GCA",
        "GOOGLE_APPLICATION_CREDENTIALS",
    ],
    // A file of variables; and the kind of login, of which some are kept by the system.
    other_files: &[in_home(".gemini/.env"), in_home(".gemini/settings.json")],
    hidden: false,
};

/// `GEMINI_CLI_HOME` stands for the user's home.
const fn in_home(path: &'static str) -> AgentFile {
    AgentFile {
        variable: "GEMINI_CLI_HOME",
        below_home: "",
        path,
    }
}

/// The profile.
pub(crate) static GEMINI: Profile = Profile {
    name: "gemini",
    program: "gemini",
    arguments: &["--acp"],
    environment: &["GEMINI_*", "GOOGLE_*", "CLOUD_ML_REGION"],
    settings: &[
        // Without it the program is a small parent that starts the real one and ignores signals.
        ("GEMINI_CLI_NO_RELAUNCH", "true"),
        // Without it a folder that the user never trusted takes no mode but the default. The host
        // chose the directory.
        ("GEMINI_CLI_TRUST_WORKSPACE", "true"),
    ],
    secrets: &[],
    permissions: &[],
    // A conversation that goes on needs a chosen login, which a key in the environment is not. Not
    // asked for otherwise: it writes the choice into the user's settings.
    signs: &SIGNS,
    login: Some(Login {
        method: "gemini-api-key",
        for_new: false,
    }),
    modes: &[
        (PermissionMode::ReadOnly, &["plan"]),
        (PermissionMode::Plan, &["plan"]),
        (PermissionMode::AcceptEdits, &["autoEdit"]),
        (PermissionMode::BypassPermissions, &["yolo"]),
    ],
    always: Decision::AllowSession,
    print: Some(Print::Gemini),
    // With an MCP server attached it does not end by itself, and in a turn not before its end.
    // A conversation is only freed by the end of the process.
    sharing: None,
    stop: ladder(2, 2),
    features: &[
        (Feature::Resume, Support::BOTH),
        (Feature::Interrupt, Support::BOTH),
        (Feature::Images, Support::WARM),
        (Feature::TextFiles, Support::BOTH),
        (Feature::HostTools, Support::WARM),
        (Feature::ClientFiles, Support::WARM),
        (Feature::CommandApproval, Support::WARM),
        (Feature::FileChangeApproval, Support::WARM),
        (Feature::AllowSession, Support::WARM),
        (Feature::DenyInterrupt, Support::WARM),
        (Feature::ChangeModel, Support::WARM),
        (Feature::ChangePermissionMode, Support::WARM),
        (Feature::ListModels, Support::WARM),
        (Feature::ListCommands, Support::WARM),
    ],
    max_prompt_chars: None,
    quirks: Quirks {
        mode_as_text: true,
        replay_after_answer: true,
        // Its files are named after the minute in which they were begun.
        resume_rest: Duration::from_secs(61),
        name_in_id: true,
        title_is_command: true,
        silent_denial: true,
        missing_is_empty: true,
        live_content: LiveContent::Description,
        ..Quirks::NONE
    },
};
