//! From the providers to the report.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::login::login;
use super::report::{AgentReport, Doctor, Login};
use super::version::version;
use crate::config::{Mode, SessionOptions, bounded};
use crate::process::environment::{self, Inherited};
use crate::process::tree::contained;
use crate::process::{Containment, Program};
use crate::provider::{self, LaunchPlan, Provider};

/// Says which agents are installed and where, which version, whether they stay warm, whether somebody is logged in, and what
/// ends their processes on this machine.
///
/// Programs are looked for, and started, with the environment that a session without options would give them. Each is run
/// once with `--version`, all at the same time, each in a tree of its own that is ended whole: nothing is left behind. One
/// that gives no version within `timeout` has a line about it in the report; nothing that a program does is an error of the
/// whole. With a `timeout` of zero no agent is started, and there are no versions. No request is sent anywhere by this library.
///
/// Blocks for about as long as the slowest program takes, so a host with an event loop calls it on another thread. It needs no
/// pool and no executor, and may be called inside of one.
#[must_use]
pub fn doctor(timeout: Duration) -> Doctor {
    let host = Inherited::of_host();
    // A thread of its own, because the caller's may belong to a runtime, where another must not wait.
    let thread = std::thread::Builder::new().name("remuda-doctor".to_owned());
    let report = thread.spawn(move || report(&host, bounded(timeout)));
    let report = report.map(std::thread::JoinHandle::join);
    match report {
        Ok(Ok(report)) => report,
        Ok(Err(_)) => nothing("the examination panicked"),
        Err(why) => nothing(&format!("no thread to examine it: {why}")),
    }
}

/// The report where nothing could be looked at.
fn nothing(why: &str) -> Doctor {
    let seen = named().map(|provider| Seen {
        problem: Some(why.to_owned()),
        ..Seen::of(provider)
    });
    Doctor {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        containment: Containment::ProcessGroup,
        containment_problem: Some(why.to_owned()),
        agents: seen.map(|seen| seen.told(None)).collect(),
    }
}

/// The report, for a host with this environment.
pub(super) fn report(host: &Inherited, timeout: Duration) -> Doctor {
    let mut seen: Vec<_> = named().map(|provider| look(provider, host)).collect();
    let versions = if timeout.is_zero() {
        Vec::new()
    } else {
        ask(&mut seen, timeout)
    };
    let (containment, containment_problem) = contained();
    let mut versions = versions.into_iter();
    Doctor {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        containment,
        containment_problem,
        agents: seen
            .into_iter()
            .map(|seen| seen.told(versions.next().flatten()))
            .collect(),
    }
}

fn named() -> impl Iterator<Item = &'static dyn Provider> {
    let all = provider::all().iter().copied();
    all.filter(|provider| !provider.program().is_empty())
}

/// What is known of an agent that was not started.
struct Seen {
    provider: &'static dyn Provider,
    program: Option<PathBuf>,
    env: Vec<(OsString, OsString)>,
    login: (Login, Option<String>),
    problem: Option<String>,
}

type Answer = Option<Result<String, String>>;

impl Seen {
    fn of(provider: &'static dyn Provider) -> Self {
        Self {
            provider,
            program: None,
            env: Vec::new(),
            login: (Login::Unknown, None),
            problem: None,
        }
    }

    fn told(self, answer: Answer) -> AgentReport {
        let (version, failure) = match answer {
            Some(Ok(version)) => (Some(version), None),
            Some(Err(why)) => (None, Some(why)),
            None => (None, None),
        };
        let (login, login_source) = self.login;
        AgentReport {
            provider: self.provider.name().to_owned(),
            program: self.program.map(|found| found.display().to_string()),
            version,
            mode: mode(self.provider),
            login,
            login_source,
            problem: self.problem.or(failure),
        }
    }
}

fn mode(provider: &dyn Provider) -> Mode {
    if provider.capabilities().warm {
        Mode::Warm
    } else {
        Mode::OneShot
    }
}

/// Looks for an agent's program and its login.
fn look(provider: &'static dyn Provider, host: &Inherited) -> Seen {
    let options = SessionOptions::default();
    let plan = LaunchPlan {
        mode: mode(provider),
        options: &options,
        resume: None,
        back_to: None,
        shared: false,
    };
    let mut seen = Seen::of(provider);
    let settings = match provider.launch(&plan) {
        Ok(launch) => launch.env,
        Err(why) => {
            seen.problem = Some(why.to_string());
            Vec::new()
        }
    };
    seen.env = environment::build(&options, provider.environment(), &settings, host.clone());
    let path = seen.env.iter().find(|(name, _)| name == "PATH");
    let program = Program {
        name: provider.program().into(),
        path: path.map(|(_, value)| value.clone()),
        // A launcher knows its version, too, and what a session starts may be a shell.
        native: Box::new(Path::to_owned),
    };
    match program.resolve(Path::new("/")) {
        Ok(found) => seen.program = Some(found),
        Err(why) => seen.problem = Some(why.message().to_owned()),
    }
    seen.login = login(provider.login(), &seen.env);
    seen
}

/// Asks all that are there, at the same time.
fn ask(seen: &mut [Seen], timeout: Duration) -> Vec<Answer> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(why) => {
            let why = format!("it cannot be asked: {why}");
            return seen.iter().map(|_| Some(Err(why.clone()))).collect();
        }
    };
    let asked: Vec<_> = seen
        .iter_mut()
        .map(|seen| {
            let env = std::mem::take(&mut seen.env);
            let program = seen.program.clone()?;
            Some(runtime.spawn(version(program, env, timeout)))
        })
        .collect();
    runtime.block_on(async {
        let mut answers = Vec::new();
        for asked in asked {
            answers.push(match asked {
                None => None,
                Some(asked) => Some(asked.await.unwrap_or_else(|_| Err(PANICKED.to_owned()))),
            });
        }
        answers
    })
}

const PANICKED: &str = "the question for its version panicked";
