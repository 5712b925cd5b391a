//! A program that plays an agent program, well or badly, as its script says.
//!
//! One thread reads stdin, one per turn plays it, the main thread keeps the
//! protocol. Everything shared is in `agent::Agent`.

mod acp;
mod args;
mod capture;
mod children;
mod claude;
mod codex;
mod context;
mod control;
mod faults;
mod garbage;
mod ids;
mod input;
mod output;
mod player;
mod signals;
mod store;
mod sys;
mod voice;

use std::io::Write;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard};

use args::Role;
use context::Agent;
use scripted_agent::Trigger;

/// Exit code of a script that cannot be played. No real agent uses it.
const BAD_SCRIPT: i32 = 64;

fn main() {
    let arguments: Vec<String> = std::env::args_os()
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    if let Some(at) = arguments.iter().position(|word| word == children::FLAG) {
        children::play(&arguments[at + 1..]);
    }
    std::process::exit(run(&arguments));
}

fn run(arguments: &[String]) -> i32 {
    let program = arguments.first().map_or("", String::as_str);
    let arguments = arguments.get(1..).unwrap_or_default();
    let protocol = std::env::var("SCRIPTED_AGENT_PROTOCOL").ok();
    let role = args::parse(program, arguments, protocol.as_deref());
    if let Role::Version(agent) = role {
        say(&match agent {
            "codex" => format!("codex-cli {}", codex::version()),
            "acp" => acp::version(),
            _ => format!("{} (Claude Code)", claude::version()),
        });
        return 0;
    }
    let agent = match Agent::new(role, arguments) {
        Ok(agent) => agent,
        Err(why) => {
            complain(&why);
            return BAD_SCRIPT;
        }
    };
    signals::listen(&agent);
    agent.fire(&|trigger| *trigger == Trigger::Start);
    agent.start_timers();
    if let Some(path) = std::env::var_os("SCRIPTED_AGENT_CAPTURE") {
        return capture::play(&agent, &PathBuf::from(path));
    }
    match &agent.role {
        Role::Claude(args) => claude::run(&agent, args),
        Role::CodexServer => codex::serve(&agent),
        Role::CodexExec(args) => codex::exec(&agent, args),
        Role::Acp => acp::serve(&agent),
        Role::AcpPrint(args) => acp::print(&agent, args),
        Role::Version(_) => 0,
    }
}

/// Locks, also after another thread panicked: its state is still the best there is.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Writes a line to stderr; nobody can be told when that fails.
fn complain(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// Writes a line to stdout outside of any protocol.
fn say(text: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}
