//! Gemini CLI.

use std::io;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::{Missing, base_env, entries, script};
use crate::ModelApi;

/// Finds the program: a script with a `node` line, for a Node of version 20 or later.
pub fn gemini() -> Result<PathBuf, Missing> {
    script("gemini", "@google/gemini-cli/bundle/gemini.js")
}

/// The model that is always asked: with `auto`, each prompt costs a call more to choose one.
pub const GEMINI_MODEL: &str = "gemini-3-flash-preview";

/// Writes the settings under `home`, and returns the whole environment of a `gemini` that keeps to
/// `home` and talks to `api` only. Start it with an empty environment and these.
pub fn gemini_env(home: &Path, api: &ModelApi) -> io::Result<Vec<(String, String)>> {
    let folder = home.join(".gemini");
    std::fs::create_dir_all(&folder)?;
    let settings = json!({
        "general": {
            "enableAutoUpdate": false, "enableAutoUpdateNotification": false,
            // It deletes loaded sessions.
            "sessionRetention": {"enabled": false},
        },
        "privacy": {"usageStatisticsEnabled": false},
        "telemetry": {"enabled": false},
        "security": {"auth": {"selectedType": "gemini-api-key"}},
        "model": {"name": GEMINI_MODEL},
        // Its output is text, and not the picture of a terminal.
        "tools": {"shell": {"enableInteractiveShell": false}},
    });
    std::fs::write(folder.join("settings.json"), settings.to_string())?;
    let own = [
        ("GEMINI_CLI_HOME", home.display().to_string()),
        ("GEMINI_API_KEY", "loopback".to_owned()),
        ("GOOGLE_GEMINI_BASE_URL", api.url()),
        // The launcher would be one process more, and deaf to signals.
        ("GEMINI_CLI_NO_RELAUNCH", "true".to_owned()),
        ("GEMINI_CLI_TRUST_WORKSPACE", "true".to_owned()),
    ];
    let mut env = base_env(home);
    env.extend(own.map(|(name, value)| (name.to_owned(), value)));
    Ok(env)
}

/// Moves the sessions under `home` into an earlier minute, and returns how many there were.
///
/// The file of a session is named after the minute of its start, and a load within that minute
/// empties it. So a test need not wait for the next. No process may have the sessions open.
pub fn age_gemini_sessions(home: &Path) -> io::Result<usize> {
    let mut aged = 0;
    for project in entries(&home.join(".gemini/tmp"), "") {
        for file in entries(&project.join("chats"), "session-") {
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            // `session-2026-11-20T06-26-39b26dd3.jsonl`: the last part is of the id.
            if let Some((_, id)) = name.rsplit_once('-') {
                let old = format!("session-2020-01-01T00-{aged:02}-{id}");
                std::fs::rename(&file, file.with_file_name(old))?;
                aged += 1;
            }
        }
    }
    Ok(aged)
}
