//! `OpenCode`.

use std::io;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::{Missing, base_env, entries, modules};
use crate::ModelApi;

/// Finds the native program; the launcher script is not needed.
pub fn opencode() -> Result<PathBuf, Missing> {
    entries(&modules(), "opencode-")
        .into_iter()
        .flat_map(|package| {
            [
                package.join("bin/opencode"),
                package.join("bin/opencode.exe"),
            ]
        })
        .find(|program| program.is_file())
        .ok_or(Missing {
            program: "opencode",
            searched: modules(),
        })
}

/// The model that `opencode_env` sets, as `opencode` names it.
pub const OPENCODE_MODEL: &str = "loopback/scripted";

/// The whole environment of an `opencode` that keeps to `home` and talks to `api` only. Start it with an
/// empty environment and these.
pub fn opencode_env(home: &Path, api: &ModelApi) -> io::Result<Vec<(String, String)>> {
    let config = json!({
        "model": OPENCODE_MODEL, "small_model": OPENCODE_MODEL,
        "autoupdate": false, "share": "disabled", "snapshot": false,
        "enabled_providers": ["loopback"],
        // It would ask the model for a title, with the script of the prompt.
        "agent": {"title": {"disable": true}},
        "provider": {"loopback": {
            "npm": "@ai-sdk/anthropic", "name": "loopback",
            "options": {"baseURL": format!("{}/v1", api.url()), "apiKey": "loopback"},
            "models": {"scripted": {"name": "scripted", "reasoning": true, "tool_call": true,
                "attachment": true, "limit": {"context": 200_000, "output": 8192}}},
        }},
    });
    let folder = |name: &str| home.join(name).display().to_string();
    let own = [
        ("OPENCODE_CONFIG_CONTENT", config.to_string()),
        // Without it every process of the machine can use the server that it opens.
        ("OPENCODE_SERVER_PASSWORD", "loopback".to_owned()),
        // It installs a package of its own at start, from the network.
        ("npm_config_offline", "true".to_owned()),
        ("OPENCODE_DISABLE_AUTOUPDATE", "1".to_owned()),
        ("OPENCODE_DISABLE_MODELS_FETCH", "1".to_owned()),
        ("OPENCODE_DISABLE_LSP_DOWNLOAD", "1".to_owned()),
        ("OPENCODE_DISABLE_DEFAULT_PLUGINS", "1".to_owned()),
        ("XDG_DATA_HOME", folder(".local/share")),
        ("XDG_CONFIG_HOME", folder(".config")),
        ("XDG_STATE_HOME", folder(".local/state")),
        ("XDG_CACHE_HOME", folder(".cache")),
    ];
    let mut env = base_env(home);
    env.extend(own.map(|(name, value)| (name.to_owned(), value)));
    Ok(env)
}
