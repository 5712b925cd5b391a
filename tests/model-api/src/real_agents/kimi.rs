//! Kimi Code.

use std::path::{Path, PathBuf};

use super::{Missing, base_env, script, with_new_node};
use crate::ModelApi;

/// Finds the program: a script with a `node` line, for a Node of version 22.19 or later. With an older
/// one it ends with a syntax error.
pub fn kimi() -> Result<PathBuf, Missing> {
    script("kimi", "@moonshot-ai/kimi-code/dist/main.mjs")
}

/// The whole environment of a `kimi` that keeps to `home` and talks to `api` only. Start it with an
/// empty environment and these: they also bring the Node that it needs.
#[must_use]
pub fn kimi_env(home: &Path, api: &ModelApi) -> Vec<(String, String)> {
    let url = api.url();
    let folder = home.join(".kimi-code").display().to_string();
    let own = [
        ("KIMI_CODE_HOME", folder.as_str()),
        ("KIMI_CODE_NO_AUTO_UPDATE", "1"),
        ("KIMI_DISABLE_TELEMETRY", "1"),
        // A model without an account and without a file.
        ("KIMI_MODEL_PROVIDER_TYPE", "anthropic"),
        ("KIMI_MODEL_NAME", "scripted"),
        ("KIMI_MODEL_API_KEY", "loopback"),
        ("KIMI_MODEL_BASE_URL", &url),
    ];
    let mut env = with_new_node(base_env(home));
    env.extend(own.map(|(name, value)| (name.to_owned(), value.to_owned())));
    env
}
