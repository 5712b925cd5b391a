//! From a session's options to a running process.

use std::ffi::OsString;
use std::path::Path;

use tokio::runtime::Handle;

use crate::config::{Mode, PoolOptions, SessionOptions};
use crate::error::Error;
use crate::ids::ProcessId;
use crate::pool::lease::ProcessLease;
use crate::process::arguments::{self, TooMuch};
use crate::process::environment::{self, Inherited};
use crate::process::tree::TreeSpec;
use crate::process::{self, Limits, ProcessHandle, ProcessSpec, Program};
use crate::provider::{LaunchPlan, Provider};

/// What is to be started.
pub(crate) struct Launching<'a> {
    pub id: ProcessId,
    pub mode: Mode,
    pub resume: Option<&'a str>,
    pub back_to: Option<&'a str>,
    pub provider: &'static dyn Provider,
    pub options: &'a SessionOptions,
    pub pool_options: &'a PoolOptions,
    pub lease: ProcessLease,
}

/// Starts it. Only what the options rule out fails here; the rest comes as a report.
pub(crate) fn start(launching: Launching<'_>) -> Result<ProcessHandle, Error> {
    let Launching {
        id,
        mode,
        resume,
        back_to,
        provider,
        options,
        pool_options,
        lease,
    } = launching;
    let plan = LaunchPlan {
        mode,
        options,
        resume,
        back_to,
    };
    let launch = provider.launch(&plan)?;
    let env = environment::build(
        options,
        provider.environment(),
        &launch.env,
        Inherited::of_host(),
    );
    let program = program(provider, options, &env);
    let cwd = options.cwd.clone();
    let lowest = pool_options.require_containment;
    let timeouts = options.timeouts.unwrap_or(pool_options.timeouts).bounded();
    Ok(process::start(ProcessSpec {
        id,
        plan: Box::new(move || {
            Ok(TreeSpec {
                program: program.resolve(&cwd)?,
                args: launch.args,
                env,
                cwd,
                lowest,
            })
        }),
        codec: provider.codec(&plan),
        stop: provider.capabilities().stop,
        limits: Limits {
            max_line: pool_options.max_line,
            write: timeouts.write,
        },
        lease: Box::new(lease),
        runtime: Handle::current(),
    }))
}

/// How the agent's program is found.
pub(crate) fn program(
    provider: &'static dyn Provider,
    options: &SessionOptions,
    env: &[(OsString, OsString)],
) -> Program {
    let name = options
        .program
        .as_deref()
        .unwrap_or_else(|| Path::new(provider.program()));
    let path = env.iter().find(|(name, _)| name == "PATH");
    Program {
        name: name.to_owned(),
        path: path.map(|(_, value)| value.clone()),
        native: Box::new(|found| provider.native_program(found)),
    }
}

/// Whether the system takes what the agent is to be started with.
///
/// # Errors
///
/// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument), naming the option that is to
/// blame: the longest of those that become arguments or variables.
pub(crate) fn check_size(
    options: &SessionOptions,
    args: &[OsString],
    env: &[(OsString, OsString)],
) -> Result<(), Error> {
    let Err(much) = arguments::check(args, env) else {
        return Ok(());
    };
    let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    let servers = serde_json::to_vec(&options.mcp_servers).map_or(0, |json| json.len());
    let set = options.environment.set.iter();
    let mut blamed = vec![
        (
            "extra_args",
            options.extra_args.iter().map(|a| a.len() + 1).sum(),
        ),
        ("append_system_prompt", text(&options.append_system_prompt)),
        ("mcp_servers", servers),
        ("model", text(&options.model)),
        ("effort", text(&options.effort)),
        ("resume", text(&options.resume)),
    ];
    let environment = ("environment", set.map(|(k, v)| k.len() + v.len() + 2).sum());
    let why = match much {
        TooMuch::Argument(size) => {
            format!("an argument of {size} bytes, more than the system takes")
        }
        TooMuch::Variable(size) => {
            blamed = vec![environment];
            format!("a variable of {size} bytes, more than the system takes")
        }
        TooMuch::All(size, most) => {
            blamed.push(environment);
            format!("arguments and variables of {size} bytes; the most is {most}")
        }
    };
    let name = blamed.iter().max_by_key(|(_, size): &&(&str, usize)| *size);
    Err(Error::invalid(
        name.map_or("extra_args", |(name, _)| name),
        why,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blamed(options: &SessionOptions, args: &[OsString], env: &[(OsString, OsString)]) -> String {
        let error = check_size(options, args, env).expect_err("it is too much");
        error
            .message()
            .split(':')
            .next()
            .unwrap_or_default()
            .to_owned()
    }

    #[test]
    fn the_option_that_is_too_long_is_named() {
        let long = "x".repeat(7 << 20);
        let mut options = SessionOptions {
            append_system_prompt: Some(long.clone()),
            extra_args: vec!["short".to_owned()],
            ..SessionOptions::default()
        };
        let args = [OsString::from(&long)];
        assert_eq!(blamed(&options, &args, &[]), "append_system_prompt");
        options.append_system_prompt = None;
        assert_eq!(blamed(&options, &args, &[]), "extra_args");
        options
            .environment
            .set
            .insert("BIG".to_owned(), long.clone());
        let env = [("BIG".into(), long.into())];
        assert_eq!(blamed(&options, &[], &env), "environment");
        assert_eq!(check_size(&options, &[], &[]), Ok(()));
    }
}
