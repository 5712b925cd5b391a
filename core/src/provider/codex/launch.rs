//! Starting the agent: arguments, and the way from the npm script to the native program.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::options::{check, hidden, mcp_servers_override, toml};
use super::settings::sandbox_mode;
use crate::config::Mode;
use crate::error::Error;
use crate::provider::{Launch, LaunchPlan};

/// What is set unless the host's `extra_args`, which come later, set it otherwise.
///
/// - `unbounded_connection_retries`: with it, a turn without a network never ends.
/// - `goals`: with it, the model can make the agent start turn after turn by itself.
/// - `plugins`: with it, every start asks a public server for a catalogue.
///
/// By `-c` and not by `--disable`, which nothing that comes later can undo.
const FEATURES_OFF: [&str; 3] = [
    "features.unbounded_connection_retries=false",
    "features.goals=false",
    "features.plugins=false",
];

/// The arguments for a plan.
pub(super) fn launch(plan: &LaunchPlan<'_>) -> Result<Launch, Error> {
    check(plan.options)?;
    match plan.mode {
        Mode::Warm => Ok(Launch {
            args: warm_args(plan),
            env: Vec::new(),
        }),
        Mode::OneShot => one_shot(plan),
    }
}

/// All that a session sets is said over the protocol, for several sessions may share the process.
fn warm_args(plan: &LaunchPlan<'_>) -> Vec<OsString> {
    let mut args: Vec<OsString> = vec!["app-server".into()];
    push_features(&mut args);
    args.extend(plan.options.extra_args.iter().map(OsString::from));
    args
}

/// Options stand before `resume`: after it, `-s` and `-C` are not known. The prompt comes over
/// stdin.
fn one_shot(plan: &LaunchPlan<'_>) -> Result<Launch, Error> {
    let options = plan.options;
    let mut env = Vec::new();
    let mut args: Vec<OsString> = vec![
        "exec".into(),
        "--json".into(),
        "--skip-git-repo-check".into(),
    ];
    push_features(&mut args);
    args.push("-C".into());
    args.push(options.cwd.clone().into_os_string());
    if let Some(model) = &options.model {
        args.push("-m".into());
        args.push(model.into());
    }
    if let Some(sandbox) = sandbox_mode(options.permission_mode, options.read_only) {
        args.push("-s".into());
        args.push(sandbox.into());
    }
    if let Some(effort) = &options.effort {
        let effort = toml(&Value::String(effort.clone()));
        push_config(&mut args, &format!("model_reasoning_effort={effort}"));
    }
    if let Some(text) = &options.append_system_prompt {
        let text = toml(&Value::String(text.clone()));
        push_config(&mut args, &format!("developer_instructions={text}"));
    }
    if !options.mcp_servers.is_empty() {
        let (servers, secrets) = mcp_servers_override(options);
        push_config(&mut args, &servers);
        env = secrets;
    }
    args.extend(options.extra_args.iter().map(OsString::from));
    // After the host's, which could set the whole table.
    for setting in hidden(&env) {
        push_config(&mut args, &setting);
    }
    if let Some(thread) = plan.resume {
        if thread.starts_with('-') {
            return Err(Error::invalid("resume", "it begins like an option"));
        }
        args.push("resume".into());
        args.push(thread.into());
    }
    args.push("-".into());
    Ok(Launch { args, env })
}

fn push_features(args: &mut Vec<OsString>) {
    for feature in FEATURES_OFF {
        push_config(args, feature);
    }
}

fn push_config(args: &mut Vec<OsString>, setting: &str) {
    args.push("-c".into());
    args.push(setting.into());
}

/// The npm package for a platform, its target's name, and the program's.
const PLATFORMS: [(&str, &str, &str, &str, &str); 6] = [
    (
        "linux",
        "x86_64",
        "codex-linux-x64",
        "x86_64-unknown-linux-musl",
        "codex",
    ),
    (
        "linux",
        "aarch64",
        "codex-linux-arm64",
        "aarch64-unknown-linux-musl",
        "codex",
    ),
    (
        "macos",
        "x86_64",
        "codex-darwin-x64",
        "x86_64-apple-darwin",
        "codex",
    ),
    (
        "macos",
        "aarch64",
        "codex-darwin-arm64",
        "aarch64-apple-darwin",
        "codex",
    ),
    (
        "windows",
        "x86_64",
        "codex-win32-x64",
        "x86_64-pc-windows-msvc",
        "codex.exe",
    ),
    (
        "windows",
        "aarch64",
        "codex-win32-arm64",
        "aarch64-pc-windows-msvc",
        "codex.exe",
    ),
];

/// Follows the npm package's script to the native program, where `found` is that script or a link
/// to it.
pub(super) fn native_program(found: &Path) -> PathBuf {
    native_of(found, std::env::consts::OS, std::env::consts::ARCH)
        .unwrap_or_else(|| found.to_owned())
}

/// The same for any platform.
pub(super) fn native_of(found: &Path, os: &str, arch: &str) -> Option<PathBuf> {
    let (_, _, package, target, program) = PLATFORMS.iter().find(|p| p.0 == os && p.1 == arch)?;
    let script = script_of(found, os)?;
    let root = script.parent()?.parent()?;
    let inside = Path::new("vendor").join(target).join("bin").join(program);
    // As Node looks for a package: beside the script's own dependencies, then further and further
    // out. This finds nested, hoisted and linked layouts.
    let beside = root.ancestors().map(|directory| {
        let modules = directory.join("node_modules").join("@openai");
        modules.join(package).join(&inside)
    });
    let bundled = std::iter::once(root.join(&inside));
    beside.chain(bundled).find(|path| path.is_file())
}

/// The package's script, behind links. On Windows `found` is a shim beside the packages.
fn script_of(found: &Path, os: &str) -> Option<PathBuf> {
    let real = found.canonicalize().ok()?;
    if real.file_name()? == "codex.js" {
        return Some(real);
    }
    if os != "windows" {
        return None;
    }
    let packages = real.parent()?.join("node_modules");
    let script = packages
        .join("@openai")
        .join("codex")
        .join("bin")
        .join("codex.js");
    script.is_file().then_some(script)
}
