//! Starts an agent without a guard, as the leader of a process group.

use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::{fs, io, thread};

use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::control::Owner;
use super::guarded::{Started, streams};
use super::os;
use super::tree::{Containment, Exit, SpawnError, TreeRecord, TreeSpec};

/// The leader as long as nobody has waited for it: until then its pid and group are not given to others.
pub(super) type Leader = Arc<Mutex<Option<rustix::process::Pid>>>;

/// Starts the agent, and a thread that waits for it.
pub(super) fn spawn(spec: &TreeSpec, cookie: &str) -> Result<Started, SpawnError> {
    let (ours, [stdin, stdout, stderr]) = streams(spec.merged)?;
    let given = |stream| Stdio::from(OwnedFd::from(stream));
    let mut command = Command::new(&spec.program);
    command
        .args(&spec.args)
        .env_clear()
        .envs(spec.env.iter().map(|(name, value)| (name, value)));
    command.current_dir(&spec.cwd).process_group(0);
    command
        .stdin(given(stdin))
        .stdout(given(stdout))
        .stderr(given(stderr));
    let child = command.spawn().map_err(|source| explain(spec, source))?;
    drop(command);
    let record = os::record(child.id(), cookie);
    let process = os::ChildProcess::new(child.id());
    let leader: Leader = Arc::new(Mutex::new(Some(process.pid())));
    let (exit_sender, exit) = oneshot::channel();
    let (gone_sender, gone) = oneshot::channel();
    let waiter = Waiter {
        process,
        leader: Arc::clone(&leader),
        record: record.clone(),
    };
    let thread = thread::Builder::new()
        .name("remuda-wait".to_owned())
        .spawn(move || {
            // Nobody may be listening any more.
            let _unheard = exit_sender.send(waiter.wait());
            waiter.clear_up();
            drop(gone_sender);
        });
    if let Err(source) = thread {
        os::kill_group(&leader);
        os::ChildProcess::new(record.agent.pid).wait();
        return Err(SpawnError::System {
            what: "a thread",
            source,
        });
    }
    let owner = Owner::Group { leader, exit, gone };
    Ok(Started {
        record,
        streams: ours,
        owner,
        containment: Containment::ProcessGroup,
    })
}

/// The system gives one error for several things that can go wrong.
fn explain(spec: &TreeSpec, source: io::Error) -> SpawnError {
    let entered = fs::metadata(&spec.cwd).and_then(|found| {
        let wrong = (!found.is_dir()).then(|| io::Error::from(io::ErrorKind::NotADirectory));
        let closed = rustix::fs::access(&spec.cwd, rustix::fs::Access::EXEC_OK)
            .err()
            .map(io::Error::from);
        wrong.or(closed).map_or(Ok(()), Err)
    });
    match entered {
        Err(error) => SpawnError::Directory {
            cwd: spec.cwd.clone(),
            source: error,
        },
        Ok(()) => SpawnError::from_exec(spec.program.clone(), source),
    }
}

struct Waiter {
    process: os::ChildProcess,
    leader: Leader,
    record: TreeRecord,
}

impl Waiter {
    /// Waits until the agent ends, and kills its group while its pid is still its own.
    fn wait(&self) -> Exit {
        let exit = self.process.await_exit();
        os::kill_group(&self.leader);
        *self.leader.lock() = None;
        self.process.wait();
        exit
    }

    /// Kills what left the group.
    fn clear_up(&self) {
        os::sweep(&self.record, &[]);
    }
}
