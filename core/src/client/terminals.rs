//! The commands that run for the agent of one process.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::call::{Done, Failure, NewTerminal, Why};
use super::terminal::Terminal;
use super::{MAX_OUTPUT, TERMINALS, USUAL_OUTPUT};
use crate::process::Containment;
use crate::process::resolve::resolve;
use crate::process::tree::{Tree, TreeSpec};

/// The shell that takes a command without arguments.
const SHELL: &str = "/bin/sh";

/// What commands are started with.
#[derive(Debug)]
pub(super) struct Surroundings {
    pub env: Vec<(OsString, OsString)>,
    pub lowest: Containment,
}

/// The terminals of one process.
#[derive(Debug)]
pub(super) struct Terminals {
    around: Surroundings,
    known: Mutex<Known>,
    /// How many commands run or start.
    alive: watch::Sender<usize>,
    /// Those who did not die.
    left: Mutex<Vec<u32>>,
}

#[derive(Debug, Default)]
struct Known {
    last: u64,
    open: HashMap<String, Terminal>,
    /// No more are made.
    closed: bool,
}

/// A command that runs or starts, among all of them.
#[derive(Debug)]
struct Alive(Arc<Terminals>);

impl Alive {
    fn new(all: &Arc<Terminals>) -> Self {
        all.alive.send_modify(|count| *count += 1);
        Self(Arc::clone(all))
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.alive.send_modify(|count| *count -= 1);
    }
}

impl Terminals {
    pub(super) fn new(around: Surroundings) -> Self {
        Self {
            around,
            known: Mutex::default(),
            alive: watch::Sender::new(0),
            left: Mutex::default(),
        }
    }

    /// Starts a command in this folder. Blocks for about a millisecond.
    pub(super) fn create(
        self: &Arc<Self>,
        new: &NewTerminal,
        cwd: PathBuf,
        runtime: &Handle,
    ) -> Result<Done, Failure> {
        let spec = self.spec(new, cwd)?;
        let limit = new.output_limit.map_or(USUAL_OUTPUT, |limit| {
            usize::try_from(limit).unwrap_or(MAX_OUTPUT).min(MAX_OUTPUT)
        });
        let (terminal, keeper) = Terminal::new(limit);
        let (id, alive) = self.enter(terminal)?;
        let tree = Tree::spawn(spec, runtime).map_err(|error| {
            self.known.lock().open.remove(&id);
            Failure::new(Why::Failed, error.to_string())
        })?;
        runtime.spawn(async move {
            let left = keeper.keep(tree).await;
            alive.0.left.lock().extend(left);
        });
        Ok(Done::Terminal(id))
    }

    /// A place among the others, unless all are to end.
    fn enter(self: &Arc<Self>, terminal: Terminal) -> Result<(String, Alive), Failure> {
        let mut known = self.known.lock();
        if known.closed {
            return Err(Failure::refused("the session is over"));
        }
        if known.open.len() >= TERMINALS {
            let message = format!("{TERMINALS} terminals are open: release some");
            return Err(Failure::refused(message));
        }
        known.last += 1;
        let id = known.last.to_string();
        known.open.insert(id.clone(), terminal);
        Ok((id, Alive::new(self)))
    }

    fn spec(&self, new: &NewTerminal, cwd: PathBuf) -> Result<TreeSpec, Failure> {
        let mut env = self.around.env.clone();
        for (name, value) in &new.env {
            if name.is_empty() || name.contains(['=', '\0']) || value.contains('\0') {
                let message = format!("{name:?} cannot be a variable");
                return Err(Failure::refused(message));
            }
            env.retain(|(known, _)| known != name.as_str());
            env.push((name.into(), value.into()));
        }
        let (program, args) = if new.args.is_empty() {
            (SHELL, vec!["-c".to_owned(), new.command.clone()])
        } else {
            (new.command.as_str(), new.args.clone())
        };
        let path = env.iter().find(|(name, _)| name == "PATH");
        let path = path.map(|(_, value)| value.as_os_str());
        let program = resolve(program.as_ref(), path, &cwd).map_err(|_| {
            let message = format!("{program}: there is no such program");
            Failure::new(Why::Missing, message)
        })?;
        Ok(TreeSpec {
            program,
            args: args.into_iter().map(OsString::from).collect(),
            env,
            cwd,
            merged: true,
            lowest: self.around.lowest,
        })
    }

    /// A terminal by its id.
    pub(super) fn get(&self, id: &str) -> Result<Terminal, Failure> {
        let known = self.known.lock();
        let found = known.open.get(id).cloned();
        found.ok_or_else(|| Failure::new(Why::Missing, format!("there is no terminal {id:?}")))
    }

    /// Forgets a terminal, whose command ends.
    pub(super) fn release(&self, id: &str) -> Result<(), Failure> {
        let removed = self.known.lock().open.remove(id);
        let missing = || Failure::new(Why::Missing, format!("there is no terminal {id:?}"));
        // Others may still wait for its end.
        removed.ok_or_else(missing).map(|terminal| terminal.kill())
    }

    /// Ends all commands. No more are started.
    pub(super) fn end(&self) {
        let open = {
            let mut known = self.known.lock();
            known.closed = true;
            std::mem::take(&mut known.open)
        };
        open.values().for_each(Terminal::kill);
    }

    /// Whether no command runs or starts. After [`end`](Self::end) none will.
    pub(super) fn is_gone(&self) -> bool {
        *self.alive.borrow() == 0
    }

    /// Waits for that.
    pub(super) async fn gone(&self) {
        let mut alive = self.alive.subscribe();
        // The sender is in `self`.
        let _gone = alive.wait_for(|count| *count == 0).await;
    }

    /// Those who did not die.
    pub(super) fn left(&self) -> Vec<u32> {
        self.left.lock().clone()
    }
}
