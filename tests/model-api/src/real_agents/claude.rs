//! Claude Code.

use std::path::{Path, PathBuf};

use super::{Missing, base_env, entries, modules};
use crate::ModelApi;

/// Finds the native program; the launcher script is not needed.
pub fn claude() -> Result<PathBuf, Missing> {
    let scope = modules().join("@anthropic-ai");
    entries(&scope, "claude-code-")
        .into_iter()
        .flat_map(|package| [package.join("claude"), package.join("claude.exe")])
        .find(|program| program.is_file())
        .ok_or(Missing {
            program: "claude",
            searched: scope,
        })
}

/// The whole environment of a `claude` that keeps to `home` and talks to
/// `api` only. Start it with an empty environment and these.
#[must_use]
pub fn claude_env(home: &Path, api: &ModelApi) -> Vec<(String, String)> {
    let config = home.join(".claude").display().to_string();
    let url = api.url();
    let own = [
        ("CLAUDE_CONFIG_DIR", config.as_str()),
        ("ANTHROPIC_BASE_URL", &url),
        ("ANTHROPIC_API_KEY", "loopback"),
        ("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1"),
        ("DISABLE_TELEMETRY", "1"),
        ("DISABLE_ERROR_REPORTING", "1"),
        ("DISABLE_AUTOUPDATER", "1"),
        ("DISABLE_BUG_COMMAND", "1"),
        // Without it a root user may not bypass permissions.
        ("IS_SANDBOX", "1"),
    ];
    let mut env = base_env(home);
    env.extend(own.map(|(name, value)| (name.to_owned(), value.to_owned())));
    env
}
