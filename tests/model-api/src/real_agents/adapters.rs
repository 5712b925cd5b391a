//! The ACP adapters of Claude and Codex.

use std::io;
use std::path::{Path, PathBuf};

use super::{Missing, claude_env, codex, codex_env, script, with_new_node};
use crate::ModelApi;

/// Finds the adapter of Claude: a script with a `node` line, for a Node of version 22 or later. It brings
/// a Claude Code of its own.
pub fn claude_acp() -> Result<PathBuf, Missing> {
    script(
        "claude-agent-acp",
        "@agentclientprotocol/claude-agent-acp/dist/index.js",
    )
}

/// The whole environment of a `claude-agent-acp` that keeps to `home` and talks to `api` only. Start it
/// with an empty environment and these: they also bring the Node that it needs.
#[must_use]
pub fn claude_acp_env(home: &Path, api: &ModelApi) -> Vec<(String, String)> {
    with_new_node(claude_env(home, api))
}

/// Finds the adapter of Codex: a script with a `node` line.
pub fn codex_acp() -> Result<PathBuf, Missing> {
    script("codex-acp", "@agentclientprotocol/codex-acp/dist/index.js")
}

/// Writes the `config.toml` of Codex under `home`, and returns the whole environment of a `codex-acp`
/// that keeps to `home`, asks its host before commands that write, and talks to `api` only. Start it
/// with an empty environment and these.
pub fn codex_acp_env(home: &Path, api: &ModelApi) -> io::Result<Vec<(String, String)>> {
    let mut env = with_new_node(codex_env(home, api)?);
    // The native program: its launcher script would be one process more.
    if let Ok(program) = codex() {
        env.push(("CODEX_PATH".to_owned(), program.display().to_string()));
    }
    let own = [
        // In the mode of its own choice another model answers the questions.
        ("INITIAL_AGENT_MODE", "workspace-write"),
        ("NO_BROWSER", "1"),
    ];
    env.extend(own.map(|(name, value)| (name.to_owned(), value.to_owned())));
    Ok(env)
}
