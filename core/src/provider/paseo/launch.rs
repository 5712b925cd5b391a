//! Starting a turn: the shell, its script, and the session's options in Paseo's words.

use std::ffi::OsString;
use std::path::Path;

use crate::config::{PermissionMode, SessionOptions};
use crate::error::{Error, ErrorKind};
use crate::provider::{Launch, LaunchPlan, Provider};

use super::Paseo;

/// The commands of a turn.
const SCRIPT: &str = include_str!("turn.sh");

/// The arguments for a plan. A turn is started in the same way whatever its mode.
pub(super) fn launch(plan: &LaunchPlan<'_>) -> Result<Launch, Error> {
    check(plan.options)?;
    let (host, flags) = without_host(&plan.options.extra_args)?;
    let program = plan.options.program.as_deref();
    let program = program.unwrap_or_else(|| Path::new(Paseo.program()));
    let mut args: Vec<OsString> = vec!["-c".into(), SCRIPT.into(), "paseo-turn".into()];
    args.push(program.into());
    match plan.resume {
        Some(agent) if agent.starts_with('-') => {
            return Err(Error::invalid("resume", "it begins like an option"));
        }
        Some(agent) => args.push(agent.into()),
        None => {
            args.push("".into());
            new_agent(plan.options, &flags, &mut args)?;
        }
    }
    // Where every command finds it, and not every user of the machine: it may have a password.
    let host = host.map(|host| ("PASEO_HOST".into(), host.into()));
    Ok(Launch {
        args,
        env: host.into_iter().collect(),
    })
}

/// The flags of a new agent. One that there is keeps what it was made with.
fn new_agent(
    options: &SessionOptions,
    flags: &[&str],
    args: &mut Vec<OsString>,
) -> Result<(), Error> {
    let named = |flag: &&str| *flag == "--provider" || flag.starts_with("--provider=");
    if options.model.is_none() && !flags.iter().any(named) {
        let why = "a new agent needs one: PROVIDER or PROVIDER/MODEL, in Paseo's words";
        return Err(Error::invalid("model", why));
    }
    args.push("--cwd".into());
    args.push(options.cwd.clone().into_os_string());
    // The equals form: a value that begins with a dash is no flag.
    if let Some(model) = &options.model {
        args.push(format!("--provider={model}").into());
    }
    if let Some(effort) = &options.effort {
        args.push(format!("--thinking={effort}").into());
    }
    args.extend(flags.iter().map(OsString::from));
    Ok(())
}

/// Takes `--host` out of the arguments: it is meant for every command, the rest for that which
/// makes an agent. The last one counts.
fn without_host(extra: &[String]) -> Result<(Option<&str>, Vec<&str>), Error> {
    let (mut host, mut flags) = (None, Vec::new());
    let mut extra = extra.iter().map(String::as_str);
    while let Some(argument) = extra.next() {
        if argument == "--host" {
            let missing = || Error::invalid("extra_args", "--host has no value");
            host = Some(extra.next().ok_or_else(missing)?);
        } else if let Some(value) = argument.strip_prefix("--host=") {
            host = Some(value);
        } else {
            flags.push(argument);
        }
    }
    Ok((host, flags))
}

/// Refuses what could only be left out in silence.
fn check(options: &SessionOptions) -> Result<(), Error> {
    let asks_for_mode = options.permission_mode != PermissionMode::Default;
    let refused = [
        ("permission_mode", asks_for_mode, "say --mode in extra_args"),
        ("read_only", options.read_only, "say --mode in extra_args"),
        (
            "append_system_prompt",
            options.append_system_prompt.is_some(),
            "Paseo's program has no flag for it",
        ),
        (
            "thinking_budget",
            options.thinking_budget.is_some(),
            "Paseo's program has no flag for it",
        ),
        (
            "mcp_servers",
            !options.mcp_servers.is_empty(),
            "Paseo's daemon has its own",
        ),
        ("provider", cfg!(windows), "it needs a POSIX shell"),
    ];
    match refused.iter().find(|(_, is_asked, _)| *is_asked) {
        Some((option, _, why)) => Err(Error::new(
            ErrorKind::Unsupported,
            format!("{option}: {why}"),
        )),
        None => Ok(()),
    }
}
