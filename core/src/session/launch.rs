//! From a session's options to a running process.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::runtime::Handle;

use crate::capabilities::Feature;
use crate::config::{ClientFiles, Mode, PoolOptions, SessionOptions, Sharing};
use crate::error::{Error, ErrorKind};
use crate::ids::ProcessId;
use crate::metrics::Counters;
use crate::pool::lease::ProcessLease;
use crate::pool::{Facts, ShareKey, means_place};
use crate::process::arguments::{self, TooMuch};
use crate::process::environment::{self, Inherited};
use crate::process::tree::TreeSpec;
use crate::process::{self, Limits, Plan, ProcessHandle, ProcessSpec, Program};
use crate::provider::{Codec, LaunchPlan, Provider, StopLadder};

/// What is to be started.
pub(crate) struct Launching<'a> {
    pub mode: Mode,
    pub resume: Option<&'a str>,
    pub back_to: Option<&'a str>,
    pub provider: &'static dyn Provider,
    pub options: &'a SessionOptions,
    pub pool_options: &'a PoolOptions,
    pub counters: &'a Arc<Counters>,
    /// Set where sessions share the process.
    pub common: Option<&'a Common>,
}

/// What of a shared process is found once, when the session is opened.
#[derive(Clone, Debug)]
pub(crate) struct Common {
    /// The program's file.
    pub program: PathBuf,
    /// The session's directory, if what it starts would be something else elsewhere.
    pub place: Option<PathBuf>,
}

/// A process that can be started.
pub(crate) struct Prepared {
    plan: Plan,
    codec: Box<dyn Codec>,
    stop: StopLadder,
    limits: Limits,
    shared: bool,
    spawned: Box<dyn FnOnce() + Send>,
    /// Which processes are the same, where sessions share them.
    pub key: Option<ShareKey>,
}

/// Prepares a start. Only what the options rule out fails here; the rest comes as a report.
pub(crate) fn prepare(launching: &Launching<'_>) -> Result<Prepared, Error> {
    let Launching {
        mode,
        resume,
        back_to,
        provider,
        options,
        pool_options,
        counters,
        common,
    } = *launching;
    let plan = LaunchPlan {
        mode,
        options,
        resume,
        back_to,
        shared: common.is_some(),
    };
    let launch = provider.launch(&plan)?;
    let host = Inherited::of_host();
    let (names, mut set) = (provider.environment(), launch.env);
    let env = environment::build(options, names, &set, host.clone());
    let program = program(provider, options, &env);
    let lowest = pool_options.require_containment;
    let timeouts = options.timeouts.unwrap_or(pool_options.timeouts).bounded();
    let key = common.map(|common| {
        ShareKey::new(Facts {
            provider: provider.name(),
            program: common.program.clone(),
            args: launch.args.clone(),
            env: env.clone(),
            place: common.place.clone(),
            client: options.client,
            write: timeouts.write,
        })
    });
    set.extend(launch.secrets);
    let env = environment::build(options, names, &set, host);
    // A process of sessions in many directories is started in none of them, so that what lies in one
    // does not become the others'.
    let from = options.cwd.clone();
    let root = |common: &Common| common.place.is_none().then(|| from.ancestors().last());
    let cwd = common.and_then(root).flatten().unwrap_or(&from).to_owned();
    let counters = Arc::clone(counters);
    Ok(Prepared {
        plan: Box::new(move || {
            Ok(TreeSpec {
                program: program.resolve(&from)?,
                args: launch.args,
                env,
                cwd,
                merged: false,
                lowest,
            })
        }),
        codec: provider.codec(&plan),
        stop: provider.capabilities().stop,
        limits: Limits {
            max_line: pool_options.max_line,
            write: timeouts.write,
        },
        shared: common.is_some(),
        spawned: Box::new(move || counters.process_started()),
        key,
    })
}

impl Prepared {
    /// Starts it. Returns at once.
    pub(crate) fn start(self, id: ProcessId, lease: ProcessLease) -> ProcessHandle {
        process::start(ProcessSpec {
            id,
            plan: self.plan,
            codec: self.codec,
            stop: self.stop,
            limits: self.limits,
            lease: Box::new(lease),
            shared: self.shared,
            spawned: self.spawned,
            runtime: Handle::current(),
        })
    }
}

/// What of a shared process can be found before there is any, if this session is to share one.
///
/// # Errors
///
/// Those of finding the program and of [`check_size`]; [`ErrorKind::Unsupported`] if the session is to share a process and
/// the agent cannot, or if its client is to do for the agent what that has not done by it.
pub(crate) fn find(
    provider: &'static dyn Provider,
    options: &SessionOptions,
    pool: &PoolOptions,
) -> Result<Option<Common>, Error> {
    let launch = provider.launch(&LaunchPlan {
        mode: Mode::Warm,
        options,
        resume: options.resume.as_deref(),
        back_to: None,
        shared: false,
    })?;
    check_client(provider, options)?;
    let host = Inherited::of_host();
    let env = environment::build(options, provider.environment(), &launch.env, host);
    check_size(options, &launch.args, &env)?;
    let program = program(provider, options, &env).resolve(&options.cwd)?;
    let sharing = match (provider.capabilities().sharing_of(options), options.sharing) {
        (None, Some(Sharing::Shared)) => {
            let name = provider.name();
            let mut why = format!("sharing: {name} has one session per process");
            if provider.capabilities().sharing.is_some() {
                why.push_str(", where one has MCP servers or tools");
            }
            return Err(Error::new(ErrorKind::Unsupported, why));
        }
        (None, _) => Sharing::PerSession,
        (Some(_), Some(wanted)) => wanted,
        (Some(own), None) => pool.sharing.unwrap_or(own),
    };
    Ok(match sharing {
        Sharing::PerSession => None,
        Sharing::Shared => {
            let in_place = means_place(&options.cwd, &options.extra_args, &env);
            let place = in_place.then(|| options.cwd.clone());
            Some(Common { program, place })
        }
    })
}

/// Whether the agent has done by its client what the session wants it to.
fn check_client(provider: &dyn Provider, options: &SessionOptions) -> Result<(), Error> {
    let capabilities = provider.capabilities();
    let files = options.client.files != ClientFiles::None;
    let wanted = [
        (files, Feature::ClientFiles, "client.files"),
        (
            options.client.terminals,
            Feature::ClientTerminals,
            "client.terminals",
        ),
    ];
    for (wants, feature, option) in wanted {
        let support = capabilities.support(feature);
        if wants && !support.warm && !support.one_shot {
            let name = provider.name();
            let why = format!("{option}: {name} has nothing of that done by its client");
            return Err(Error::new(ErrorKind::Unsupported, why));
        }
    }
    Ok(())
}

/// How the agent's program is found.
fn program(
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
fn check_size(
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
