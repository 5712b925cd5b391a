//! Runs the server until it is killed: `model-api --port N --latency-ms N`.
//!
//! With `--agent claude|codex --home DIR` it says, in a second line of JSON, which program that is and the whole environment
//! in which it keeps to that folder and talks to this server only. For tests in other languages.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use model_api::real_agents::{claude, claude_env, codex, codex_env};
use model_api::{ModelApi, Options};

const USAGE: &str =
    "usage: model-api [--port N] [--latency-ms N] [--agent claude|codex --home DIR]";

/// What is to be run.
#[derive(Default)]
struct Arguments {
    options: Options,
    agent: Option<String>,
    home: PathBuf,
}

fn main() -> ExitCode {
    match run(std::env::args().skip(1)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            // Nowhere else to say it.
            let _ = writeln!(std::io::stderr(), "{message}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: impl Iterator<Item = String>) -> Result<(), String> {
    let arguments = read(arguments)?;
    let server = ModelApi::start_with(&arguments.options).map_err(|error| error.to_string())?;
    let mut out = std::io::stdout();
    writeln!(out, "{}", server.url()).map_err(|error| error.to_string())?;
    if arguments.agent.is_some() {
        let line = agent(&arguments, &server)?;
        writeln!(out, "{line}").map_err(|error| error.to_string())?;
    }
    server.join();
    Ok(())
}

/// The agent's program and environment, as JSON.
fn agent(arguments: &Arguments, server: &ModelApi) -> Result<serde_json::Value, String> {
    let home = &arguments.home;
    let (program, env) = match arguments.agent.as_deref() {
        Some("claude") => (claude(), Ok(claude_env(home, server))),
        Some("codex") => (codex(), codex_env(home, server)),
        other => return Err(format!("no such agent: {other:?}\n{USAGE}")),
    };
    let program = program.map_err(|missing| missing.to_string())?;
    let env = env.map_err(|error| error.to_string())?;
    let env: BTreeMap<String, String> = env.into_iter().collect();
    Ok(serde_json::json!({ "program": program, "env": env }))
}

fn read(mut arguments: impl Iterator<Item = String>) -> Result<Arguments, String> {
    let mut read = Arguments::default();
    while let Some(name) = arguments.next() {
        let value = arguments.next().unwrap_or_default();
        let bad = |_| format!("{name} takes a number, not `{value}`\n{USAGE}");
        match name.as_str() {
            "--port" => read.options.port = value.parse().map_err(bad)?,
            "--latency-ms" => {
                read.options.latency = Duration::from_millis(value.parse().map_err(bad)?);
            }
            "--agent" => read.agent = Some(value),
            "--home" => read.home = value.into(),
            _ => return Err(format!("unknown argument `{name}`\n{USAGE}")),
        }
    }
    Ok(read)
}
