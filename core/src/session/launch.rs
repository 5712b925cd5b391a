//! From a session's options to a running process.

use std::ffi::OsString;
use std::path::Path;

use tokio::runtime::Handle;

use crate::config::{Mode, PoolOptions, SessionOptions};
use crate::error::Error;
use crate::ids::ProcessId;
use crate::pool::lease::ProcessLease;
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
