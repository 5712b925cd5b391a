//! Starting the agent: arguments and variables, and which of its two ways serves a turn.

use std::ffi::OsString;

use super::profile::{Permission, Print, Profile};
use super::settings::{effective, permissions};
use crate::config::{Mode, PermissionMode, SessionOptions};
use crate::error::{Error, ErrorKind};
use crate::provider::{Launch, LaunchPlan};

/// The command that prints, where the plan wants nothing that only the protocol can carry.
pub(super) fn print(profile: &Profile, plan: &LaunchPlan<'_>) -> Option<Print> {
    let options = plan.options;
    let simple = options.mcp_servers.is_empty() && options.effort.is_none();
    let known = match profile.print? {
        Print::Gemini => true,
        Print::OpenCode => effective(options) != PermissionMode::Plan,
    };
    profile
        .print
        .filter(|_| plan.mode == Mode::OneShot && simple && known)
}

/// How to start it.
pub(super) fn launch(profile: &Profile, plan: &LaunchPlan<'_>) -> Result<Launch, Error> {
    check(profile, plan.options)?;
    let options = plan.options;
    let print = print(profile, plan);
    if plan.mode == Mode::OneShot && print.is_none() && !profile.quirks.resume_rest.is_zero() {
        let why =
            "mcp_servers, effort: not in a process of one turn, which could lose the conversation";
        return Err(Error::new(ErrorKind::Unsupported, why));
    }
    let mut args: Vec<OsString> = match print {
        Some(Print::Gemini) => gemini(plan)?,
        Some(Print::OpenCode) => opencode(plan)?,
        None => profile.arguments.iter().map(OsString::from).collect(),
    };
    args.extend(options.extra_args.iter().map(OsString::from));
    Ok(Launch {
        args,
        env: environment(profile, options),
        secrets: secrets(profile),
    })
}

/// Checks what the agent could not take.
fn check(profile: &Profile, options: &SessionOptions) -> Result<(), Error> {
    let unsupported = |why: &str| Err(Error::new(ErrorKind::Unsupported, why));
    if profile.program.is_empty() && options.program.is_none() {
        let why = format!(
            "it is missing, and {:?} has no program of its own",
            profile.name
        );
        return Err(Error::invalid("program", why));
    }
    if options.cwd.to_str().is_none() {
        return unsupported("cwd: the agent takes only UTF-8 paths");
    }
    if options.append_system_prompt.is_some() {
        return unsupported("append_system_prompt: the protocol has no word for it");
    }
    let mode = effective(options);
    let told = permissions(options).any(|p| profile.variables(p).next().is_some());
    if mode != PermissionMode::Default && profile.words(mode).is_empty() && !told {
        return unsupported("permission_mode: the agent has no such mode");
    }
    Ok(())
}

fn environment(profile: &Profile, options: &SessionOptions) -> Vec<(OsString, OsString)> {
    let set = |(name, value): (&'static str, &'static str)| (name.into(), value.into());
    let first = permissions(options).find(|p| profile.variables(*p).next().is_some());
    let permission = first.unwrap_or(Permission::Mode(options.permission_mode));
    let settings = profile.settings.iter().copied().map(set);
    let permissions = profile.variables(permission).map(set);
    settings.chain(permissions).collect()
}

fn secrets(profile: &Profile) -> Vec<(OsString, OsString)> {
    let secret = || uuid::Uuid::new_v4().to_string().into();
    let names = profile.secrets.iter();
    names.map(|name| (name.into(), secret())).collect()
}

/// The prompt comes over stdin.
fn gemini(plan: &LaunchPlan<'_>) -> Result<Vec<OsString>, Error> {
    let mut args: Vec<OsString> = vec!["--output-format".into(), "stream-json".into()];
    let mut flag = |name: &str, value: &str| -> Result<(), Error> {
        args.push(name.into());
        args.push(word(name, value)?);
        Ok(())
    };
    if let Some(model) = &plan.options.model {
        flag("--model", model)?;
    }
    let mode = match effective(plan.options) {
        PermissionMode::Default => None,
        PermissionMode::ReadOnly | PermissionMode::Plan => Some("plan"),
        PermissionMode::AcceptEdits => Some("auto_edit"),
        PermissionMode::BypassPermissions => Some("yolo"),
    };
    if let Some(mode) = mode {
        flag("--approval-mode", mode)?;
    }
    if let Some(id) = plan.resume {
        flag("--resume", id)?;
    }
    Ok(args)
}

/// The prompt comes over stdin. What is not allowed is denied: nobody could be asked.
fn opencode(plan: &LaunchPlan<'_>) -> Result<Vec<OsString>, Error> {
    let mut args: Vec<OsString> = ["run", "--format", "json", "--thinking"]
        .map(OsString::from)
        .into();
    if let Some(model) = &plan.options.model {
        args.push("--model".into());
        args.push(word("model", model)?);
    }
    if let Some(id) = plan.resume {
        args.push("--session".into());
        args.push(word("resume", id)?);
    }
    Ok(args)
}

/// A value that cannot be read as an option.
fn word(name: &str, value: &str) -> Result<OsString, Error> {
    if value.starts_with('-') {
        let name = name.trim_start_matches('-');
        return Err(Error::invalid(name, "it begins like an option"));
    }
    Ok(value.into())
}
