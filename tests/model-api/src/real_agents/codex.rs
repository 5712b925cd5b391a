//! Codex.

use std::io;
use std::path::{Path, PathBuf};

use super::{Missing, base_env, entries, modules};
use crate::ModelApi;

/// Finds the native program. The launcher script would be one process more,
/// and a kill of it would leave the native one alive.
pub fn codex() -> Result<PathBuf, Missing> {
    let scope = modules().join("@openai");
    entries(&scope, "codex-")
        .into_iter()
        .flat_map(|package| entries(&package.join("vendor"), ""))
        .flat_map(|target| [target.join("bin/codex"), target.join("bin/codex.exe")])
        .find(|program| program.is_file())
        .ok_or(Missing {
            program: "codex",
            searched: scope,
        })
}

/// The `config.toml` of a `codex` that talks to `api` only.
#[must_use]
pub fn codex_config(api: &ModelApi) -> String {
    format!(
        r#"# A model that takes plain function tools; larger numbers use code mode.
model = "gpt-5.5"
model_provider = "loopback"
check_for_update_on_startup = false

[model_providers.loopback]
name = "loopback"
base_url = "{}/v1"
wire_api = "responses"
env_key = "LOOPBACK_API_KEY"
supports_websockets = false

[features]
# Fetches a catalogue at start.
plugins = false

[analytics]
enabled = false
"#,
        api.url()
    )
}

/// Writes the `config.toml` under `home`, and returns the whole environment
/// of a `codex` that keeps to `home` and talks to `api` only. Start it with
/// an empty environment and these.
pub fn codex_env(home: &Path, api: &ModelApi) -> io::Result<Vec<(String, String)>> {
    let codex_home = home.join(".codex");
    // It must exist, or the program ends at once.
    std::fs::create_dir_all(&codex_home)?;
    std::fs::write(codex_home.join("config.toml"), codex_config(api))?;
    let own = [
        ("CODEX_HOME", codex_home.display().to_string()),
        ("LOOPBACK_API_KEY", "loopback".to_owned()),
    ];
    let mut env = base_env(home);
    env.extend(own.map(|(name, value)| (name.to_owned(), value)));
    Ok(env)
}
