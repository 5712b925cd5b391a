//! What a host holds of a process that it borrowed.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::task::{Context, Poll};

use parking_lot::Mutex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use crate::config::{Environment, check_no_nul, check_text};
use crate::error::{Error, ErrorKind};
use crate::event::Exit;
use crate::ids::SessionId;
use crate::pool::PoolInner;
use crate::pool::lease::PoolLink;
use crate::process::tree::TreeSpec;
use crate::process::{Containment, Plan, Program, environment};

/// What may wait to be written, in bytes: of one text, and in all before the process runs.
const MOST: usize = 64 << 20;

/// What to run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LendOptions {
    /// The program, by path or by name. A relative path is taken from `cwd`, a name is looked for in
    /// the `PATH` of its environment. It is started as it is: wrappers are not followed.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
    /// The directory it works in. Must exist.
    pub cwd: PathBuf,
    /// Its environment.
    pub environment: Environment,
}

impl LendOptions {
    /// Checks what the types cannot say.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidArgument`], naming the option.
    fn check(&self) -> Result<(), Error> {
        check_text("program", &self.program.to_string_lossy())?;
        check_text("cwd", &self.cwd.to_string_lossy())?;
        for argument in &self.args {
            check_no_nul("args", argument)?;
        }
        self.environment.check()
    }

    /// How it is started, in a directory that is there. So is its program.
    ///
    /// # Errors
    ///
    /// Those of [`check`](Self::check); [`ErrorKind::ProgramNotFound`].
    pub(crate) fn plan(self, cwd: PathBuf, lowest: Containment) -> Result<Plan, Error> {
        self.check()?;
        let host = environment::Inherited::of_host();
        let env = environment::allowed(&self.environment, &[], &[], host);
        let path = env.iter().find(|(name, _)| name == "PATH");
        let program = Program {
            name: self.program,
            path: path.map(|(_, value)| value.clone()),
            native: Box::new(Path::to_owned),
        };
        let program = program.resolve(&cwd)?;
        let args = self.args.into_iter().map(Into::into).collect();
        Ok(Box::new(move || {
            Ok(TreeSpec {
                program,
                args,
                env,
                cwd,
                merged: false,
                lowest,
            })
        }))
    }
}

/// How a lent process ended.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LentEnd {
    /// How the program ended, where it ran and could be seen.
    pub exit: Option<Exit>,
    /// The last of what it wrote to stderr.
    pub stderr: String,
    /// Why it never ran, or had to be ended.
    pub error: Option<Error>,
    /// Processes of its tree that could not be ended, by pid.
    pub left: Vec<u32>,
}

/// What a host tells the actor.
#[derive(Debug)]
pub(super) enum Order {
    Write(String),
    EndInput,
    Kill,
}

/// Whether somebody has borrowed it.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum State {
    /// Somebody has.
    Lent,
    /// It is kept, and may be evicted.
    Kept,
    /// It is ending, or is gone.
    Over,
}

/// What handles and the actor both see.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(super) state: Mutex<State>,
    pub(super) end: Mutex<Option<LentEnd>>,
    pub(super) start: Mutex<Start>,
}

/// Whether it runs.
#[derive(Debug)]
pub(super) enum Start {
    /// Not yet, and so many bytes wait for it.
    Waits { bytes: usize },
    /// Under this pid, or it did.
    Started { pid: u32 },
}

impl Shared {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State::Lent),
            end: Mutex::new(None),
            start: Mutex::new(Start::Waits { bytes: 0 }),
        })
    }

    pub(super) fn is_over(&self) -> bool {
        *self.state.lock() == State::Over
    }

    /// From now on it may be evicted. `false`: it is over. The pool is told under the lock, so that it hears
    /// of changes in their order.
    pub(super) fn rest(&self, pool: &PoolLink) -> bool {
        let mut state = self.state.lock();
        if *state == State::Over {
            return false;
        }
        *state = State::Kept;
        pool.idle();
        true
    }

    /// From now on it may not. `false`: it is over.
    pub(super) fn work(&self, pool: &PoolLink) -> bool {
        let mut state = self.state.lock();
        if *state == State::Over {
            return false;
        }
        *state = State::Lent;
        pool.busy();
        true
    }

    /// The pool wants it back. `false`: it is in use.
    pub(super) fn give_up(&self) -> bool {
        let mut state = self.state.lock();
        let idle = *state == State::Kept;
        if idle {
            *state = State::Over;
        }
        idle
    }
}

/// A lent process, without the pool that lends it.
pub(crate) struct Inside {
    pub(super) shared: Arc<Shared>,
    pub(super) orders: mpsc::UnboundedSender<Order>,
    pub(super) lines: mpsc::Receiver<Vec<String>>,
    /// Taken from `lines`, and not by the host.
    pub(super) portion: std::vec::IntoIter<String>,
    pub(super) pool: PoolLink,
    pub(super) id: SessionId,
}

impl fmt::Debug for Inside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Inside").field(&self.id).finish()
    }
}

/// A process that the host borrowed: its lines, in and out.
///
/// Dropping it ends the process, as [`close`](Self::close) does. Nothing is lost by dropping a future of
/// it: a line that was not returned comes next time. The process counts as a busy session of the pool, and is never
/// evicted; its output waits in its pipe as long as nobody reads.
#[must_use = "dropping it ends the process"]
pub struct Lent {
    inside: Option<Inside>,
    pool: Arc<PoolInner>,
}

/// The way to the input of a lent process; clones are the same. It works as long as the [`Lent`] lives.
#[derive(Clone, Debug)]
pub struct LentInput {
    shared: Arc<Shared>,
    orders: mpsc::WeakUnboundedSender<Order>,
}

impl Lent {
    pub(crate) const fn new(inside: Inside, pool: Arc<PoolInner>) -> Self {
        Self {
            inside: Some(inside),
            pool,
        }
    }

    /// Its number among the sessions of the pool.
    #[must_use]
    pub fn id(&self) -> SessionId {
        self.inside
            .as_ref()
            .map_or(SessionId::from_raw(0), |inside| inside.id)
    }

    /// The operating system's number of the program, once it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        match *self.inside.as_ref()?.shared.start.lock() {
            Start::Waits { .. } => None,
            Start::Started { pid } => Some(pid),
        }
    }

    /// The way to its input; `None` never, as long as a host has it.
    #[must_use]
    pub fn input(&self) -> Option<LentInput> {
        let inside = self.inside.as_ref()?;
        Some(LentInput {
            shared: Arc::clone(&inside.shared),
            orders: inside.orders.downgrade(),
        })
    }

    /// The next line that it said, without its end: JSON as it came, or other text as a JSON string. Empty lines are
    /// passed over. `None` when its tree is gone.
    ///
    /// Cancel safe.
    pub async fn next(&mut self) -> Option<String> {
        std::future::poll_fn(|context| self.poll_next(context)).await
    }

    /// [`next`](Self::next), for those who poll.
    pub fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<String>> {
        let Some(inside) = &mut self.inside else {
            return Poll::Ready(None);
        };
        loop {
            if let Some(line) = inside.portion.next() {
                return Poll::Ready(Some(line));
            }
            match inside.lines.poll_recv(context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Ready(Some(lines)) => inside.portion = lines.into_iter(),
            }
        }
    }

    /// How it ended: after `next` gave `None`.
    #[must_use]
    pub fn end(&self) -> Option<LentEnd> {
        self.inside.as_ref()?.shared.end.lock().clone()
    }

    /// Gives it back for later: idle from now on, evicted like an idle session, and ended after the pool's
    /// `idle_timeout`. Several may be kept under one name. What it said and nobody read, the next borrower reads.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Closed`] when it is over.
    pub fn keep(mut self, name: impl Into<String>) -> Result<(), Error> {
        let Some(inside) = self.inside.take() else {
            return Err(over());
        };
        if inside.shared.is_over() {
            return Err(over());
        }
        self.pool.shelve(name.into(), inside);
        Ok(())
    }

    /// Ends it: its input ends, then it is signalled, then its whole tree is killed. Waits until the tree is gone. Lines
    /// that nobody read are dropped.
    pub async fn close(mut self) -> LentEnd {
        let Some(inside) = self.inside.take() else {
            return LentEnd::default();
        };
        let Inside {
            shared,
            orders,
            mut lines,
            ..
        } = inside;
        drop(orders);
        while lines.recv().await.is_some() {}
        let end = shared.end.lock().clone();
        end.unwrap_or_default()
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(inside) = self.inside.take()
            && !self.pool.is_ours()
        {
            // In a forked copy nobody would hear it, and locks may be held for ever.
            std::mem::forget(inside);
        }
    }
}

impl fmt::Debug for Lent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Lent").field(&self.id()).finish()
    }
}

impl LentInput {
    /// Writes text as it is: whole lines. Returns at once; before the process runs the text waits. A process that
    /// leaves more than 64 MiB unread is killed.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Closed`] when it is over; [`ErrorKind::TooLarge`] for more than 64 MiB in one text,
    /// [`ErrorKind::Backlog`] when so much waits for it to run.
    pub fn write(&self, text: impl Into<String>) -> Result<(), Error> {
        let text = text.into();
        if text.len() > MOST {
            let message = format!(
                "the text has {} bytes, {MOST} may be written at once",
                text.len()
            );
            return Err(Error::new(ErrorKind::TooLarge, message));
        }
        // Once it runs, the writer's queue bounds what waits.
        if let Start::Waits { bytes } = &mut *self.shared.start.lock() {
            let more = bytes.saturating_add(text.len());
            if more > MOST {
                let message = "the process does not run yet, and too much waits for it";
                return Err(Error::new(ErrorKind::Backlog, message));
            }
            *bytes = more;
        }
        self.order(Order::Write(text))
    }

    /// Ends its input, after what was written.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Closed`] when it is over.
    pub fn end(&self) -> Result<(), Error> {
        self.order(Order::EndInput)
    }

    /// Kills it with all that it started. Its lines end when that is proved.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Closed`] when it is over.
    pub fn kill(&self) -> Result<(), Error> {
        self.order(Order::Kill)
    }

    fn order(&self, order: Order) -> Result<(), Error> {
        if self.shared.is_over() {
            return Err(over());
        }
        let orders = self.orders.upgrade().ok_or_else(over)?;
        orders.send(order).map_err(|_| over())
    }
}

fn over() -> Error {
    Error::closed("process")
}
