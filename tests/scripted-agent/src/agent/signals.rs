//! What signals do: what the rules say, or else what the real agents do.

use std::io::{self, Read};
use std::os::fd::IntoRawFd;
use std::sync::Arc;

use scripted_agent::{SignalName, Trigger};

use crate::args::Role;
use crate::context::{Agent, Incoming};
use crate::sys;

/// The number of a signal.
fn number(name: SignalName) -> i32 {
    match name {
        SignalName::Term => libc::SIGTERM,
        SignalName::Int => libc::SIGINT,
        SignalName::Hup => libc::SIGHUP,
        SignalName::Usr1 => libc::SIGUSR1,
    }
}

/// What the real agent does on a signal that no rule waits for.
#[derive(Debug, Clone, Copy)]
enum Reaction {
    Exit(i32),
    Abort,
}

fn reaction(role: &Role, name: SignalName) -> Option<Reaction> {
    match (role, name) {
        (Role::Claude(_), SignalName::Term) => Some(Reaction::Exit(143)),
        (Role::Claude(_), SignalName::Hup) => Some(Reaction::Exit(129)),
        (Role::Claude(_), SignalName::Int) => Some(Reaction::Abort),
        (Role::CodexServer, SignalName::Term) => Some(Reaction::Exit(0)),
        (Role::CodexExec(_), SignalName::Int) => Some(Reaction::Exit(1)),
        (
            Role::Claude(_)
            | Role::CodexServer
            | Role::CodexExec(_)
            | Role::Acp
            | Role::AcpPrint(_)
            | Role::Version(_),
            _,
        ) => None,
    }
}

/// Takes over the signals that are not left to their default.
pub(crate) fn listen(agent: &Arc<Agent>) {
    let all = [
        SignalName::Term,
        SignalName::Int,
        SignalName::Hup,
        SignalName::Usr1,
    ];
    let taken: Vec<SignalName> = all
        .into_iter()
        .filter(|name| {
            reaction(&agent.role, *name).is_some()
                || agent
                    .rules
                    .iter()
                    .any(|rule| rule.on == Trigger::Signal(*name))
        })
        .collect();
    if taken.is_empty() {
        return;
    }
    let Ok((mut notes, writer)) = io::pipe() else {
        return;
    };
    let numbers: Vec<i32> = taken.iter().map(|name| number(*name)).collect();
    // Never closed: a handler may use it at any time.
    sys::note_signals(&numbers, writer.into_raw_fd());
    let agent = Arc::clone(agent);
    std::thread::spawn(move || {
        let mut note = [0];
        while notes.read_exact(&mut note).is_ok() {
            if let Some(name) = taken
                .iter()
                .find(|name| number(**name) == i32::from(note[0]))
            {
                react(&agent, *name);
            }
        }
    });
}

fn react(agent: &Arc<Agent>, name: SignalName) {
    if agent.fire(&|trigger| *trigger == Trigger::Signal(name)) {
        return;
    }
    match reaction(&agent.role, name) {
        Some(Reaction::Exit(code)) => std::process::exit(code),
        // A main thread that is gone has nothing to abort.
        Some(Reaction::Abort) => drop(agent.inbox.send(Incoming::Abort)),
        None => {}
    }
}
