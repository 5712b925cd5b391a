//! What a host holds of a pool.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Mutex, RwLock};
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, oneshot};

use crate::capabilities::Feature;
use crate::config::{
    Downgrade, Persistent, PoolOptions, SessionOptions, Sharing, Timeouts, WhenFull, bounded,
};
use crate::error::{Error, ErrorKind};
use crate::event::Body;
use crate::ids::SessionId;
use crate::lending::{self, Inside, LendOptions, Lent, Shelf};
use crate::metrics::{Counters, Gauges, PoolStats};
use crate::pool::actor::{PoolActor, PoolMessage, Shutdown};
use crate::pool::conversations::{Claim, Conversations};
use crate::pool::lease::PoolLink;
use crate::pool::members::lost;
use crate::pool::slots::{Bounds, Slots};
use crate::process::{Containment, Limits};
use crate::provider::{self, Provider};
use crate::session::{
    Approvals, LiveOptions, Machine, MessageLimits, Opening, Parts, Places, Policy, Session,
    SessionInner, Shared, asks_only_warm, find, run,
};

/// A bounded herd of warm agent processes, and the sessions that use them.
///
/// Clones are the same pool. The library runs on threads of its own, so a pool works under any
/// executor or none, and a host that blocks does not block the agents, unless it blocks in a waker:
/// wakers run on the library's threads, and one that blocks delays other sessions. When the last handle of the
/// pool, of its sessions and of their turns is dropped, everything it started is ended; so it is
/// when the host dies, however it dies. [`shutdown`](Self::shutdown) does the same in order, and
/// proves it.
#[derive(Clone)]
pub struct Pool {
    inner: Arc<PoolInner>,
}

pub(crate) struct PoolInner {
    runtime: Option<Runtime>,
    /// The process that made it. In a forked copy its threads are missing, and their locks may be
    /// held for ever.
    maker: u32,
    actor: mpsc::UnboundedSender<PoolMessage>,
    options: Arc<PoolOptions>,
    gauges: Arc<Gauges>,
    counters: Arc<Counters>,
    conversations: Arc<Conversations>,
    shelf: Shelf,
    /// Held while a session is told to the actor, so that a shutdown knows of each that was opened before it.
    shut: Mutex<bool>,
}

impl PoolInner {
    /// Whether this process made it, and is no forked copy of that one.
    pub(crate) fn is_ours(&self) -> bool {
        std::process::id() == self.maker
    }

    /// Keeps a lent process for later. After a shutdown nothing is kept.
    pub(crate) fn shelve(&self, name: String, inside: Inside) {
        self.shelf.put(name, inside);
        if *self.shut.lock() {
            self.shelf.clear();
        }
    }
}

impl Drop for PoolInner {
    fn drop(&mut self) {
        if !self.is_ours() {
            // In a forked copy nobody would hear it, and locks may be held for ever.
            std::mem::forget(std::mem::take(&mut self.shelf));
        }
        // Waits for nothing: the last handle may be dropped anywhere. The tasks end with the
        // runtime, their control sockets close, and the guards end the trees.
        if let Some(runtime) = self.runtime.take() {
            if self.is_ours() {
                runtime.shutdown_background();
            } else {
                std::mem::forget(runtime);
            }
        }
    }
}

impl Pool {
    /// A pool with the default options.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Internal`] if the system gives no threads.
    pub fn new() -> Result<Self, Error> {
        Self::with_options(PoolOptions::default())
    }

    /// Begins a pool, option by option.
    pub fn builder() -> PoolBuilder {
        PoolBuilder::default()
    }

    /// A pool with these options.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidArgument`], naming the option; [`ErrorKind::Internal`] if the system
    /// gives no threads.
    pub fn with_options(options: PoolOptions) -> Result<Self, Error> {
        options.check()?;
        let runtime = runtime(options.threads)?;
        // Bounded by those who send: see `PoolLink`.
        let (sender, inbox) = mpsc::unbounded_channel();
        let gauges = Arc::<Gauges>::default();
        let bounds = Bounds {
            max_warm: options.max_warm,
            max_processes: options.process_limit(),
            max_starting: options.max_starting,
            max_sessions: options.max_sessions_per_process,
            when_full: match options.when_full {
                WhenFull::Wait { timeout } => WhenFull::Wait {
                    timeout: bounded(timeout),
                },
                other @ (WhenFull::Spill | WhenFull::Fail) => other,
            },
            idle_timeout: bounded(options.idle_timeout),
        };
        let actor = PoolActor::new(
            Slots::new(bounds),
            options.when_full,
            Arc::clone(&gauges),
            sender.clone(),
        );
        runtime.spawn(actor.run(inbox));
        Ok(Self {
            inner: Arc::new(PoolInner {
                runtime: Some(runtime),
                maker: std::process::id(),
                actor: sender,
                options: Arc::new(options),
                gauges,
                counters: Arc::default(),
                conversations: Arc::default(),
                shelf: Shelf::default(),
                shut: Mutex::new(false),
            }),
        })
    }

    /// The options that are in force.
    #[must_use]
    pub fn options(&self) -> &PoolOptions {
        &self.inner.options
    }

    /// Opens a session. Starts no process: the first turn does.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidArgument`] naming the option, also when an open session of this pool has the
    /// conversation that is to be resumed; [`ErrorKind::CwdUnusable`],
    /// [`ErrorKind::ProgramNotFound`] saying where it was looked for, [`ErrorKind::Unsupported`] for
    /// what the agent cannot take, [`ErrorKind::Closed`] after a shutdown, [`ErrorKind::Internal`]
    /// when the pool is [lost](PoolStats::lost). A refused session causes no event.
    pub fn open(&self, options: SessionOptions) -> Result<Session, Error> {
        let inner = &self.inner;
        let Some(runtime) = inner.runtime.as_ref().filter(|_| !self.is_shut()) else {
            return Err(Error::closed("pool"));
        };
        if inner.gauges.is_lost() {
            return Err(lost());
        }
        options.check()?;
        let provider = provider::find(&options.provider)?;
        let options = check_place(options)?;
        // The agent takes these options, and its program is there now.
        let common = find(provider, &options, &inner.options)?;

        let id = SessionId::next();
        let policy = policy(provider, &options, &inner.options);
        let approvals = Approvals::new(&options)?;
        let mut machine = Machine::new(policy, approvals, options.resume.clone(), Instant::now());
        let begun = |id: &String| inner.conversations.begun(provider.name(), id);
        if let Some(begun) = options.resume.as_ref().and_then(begun) {
            machine.rest_from(begun);
        }
        let options = Arc::new(options);
        let shared = Arc::new(Shared::new(Opening {
            id,
            log_bytes: inner.options.log_bytes,
            mode: machine.mode(),
            options: Arc::clone(&options),
        }));
        let rest = provider.capabilities().resume_rest;
        let mut claim = Claim::new(&inner.conversations, provider.name(), rest, &shared);
        if let Some(id) = &options.resume {
            claim.take(id)?;
        }
        shared.hold(claim);
        let opened = Body::SessionOpened {
            provider: options.provider.clone(),
        };
        shared.log.append([(None, opened)]);
        // Bounded by those who send: see `Call`.
        let (inbox, messages) = mpsc::unbounded_channel();
        let opened = PoolMessage::Opened {
            session: id,
            inbox: inbox.clone(),
        };
        {
            let shut = inner.shut.lock();
            if *shut {
                return Err(Error::closed("pool"));
            }
            inner.actor.send(opened).map_err(|_| lost())?;
        }
        runtime.spawn(run(Parts {
            shared: Arc::clone(&shared),
            machine,
            inbox: messages,
            own: inbox.downgrade(),
            pool: PoolLink::new(id, inner.actor.clone()),
            provider,
            options: LiveOptions::new(Arc::clone(&options)),
            pool_options: Arc::clone(&inner.options),
            counters: Arc::clone(&inner.counters),
            common,
        }));
        Ok(Session {
            inner: Arc::new(SessionInner {
                shared,
                inbox,
                options,
                limits: MessageLimits {
                    bytes: inner.options.max_message,
                    capabilities: provider.capabilities(),
                },
                places: Places::default(),
                pool: Arc::clone(inner),
            }),
        })
    }

    /// Lends a process of a program to the host, which speaks to it itself: see [`Lent`]. Returns at once; the process starts
    /// when the pool has a slot for it, or, where it spills, also without one. It counts as a session of the pool.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidArgument`] naming the option, [`ErrorKind::CwdUnusable`],
    /// [`ErrorKind::ProgramNotFound`], [`ErrorKind::Closed`] after a shutdown, [`ErrorKind::Internal`] when the pool
    /// is [lost](PoolStats::lost).
    pub fn lend(&self, options: LendOptions) -> Result<Lent, Error> {
        let inner = &self.inner;
        let Some(runtime) = inner.runtime.as_ref().filter(|_| !self.is_shut()) else {
            return Err(Error::closed("pool"));
        };
        let cwd = place(&options.cwd)?;
        let plan = options.plan(cwd, inner.options.require_containment)?;
        let id = SessionId::next();
        // Bounded by those who send: see `Call`.
        let (inbox, calls) = mpsc::unbounded_channel();
        {
            let shut = inner.shut.lock();
            if *shut {
                return Err(Error::closed("pool"));
            }
            let opened = PoolMessage::Opened { session: id, inbox };
            inner.actor.send(opened).map_err(|_| lost())?;
        }
        let counters = Arc::clone(&inner.counters);
        let (inside, actor) = lending::run(lending::Parts {
            id,
            plan,
            limits: Limits {
                max_line: inner.options.max_line,
                write: inner.options.timeouts.bounded().write,
            },
            pool: PoolLink::new(id, inner.actor.clone()),
            calls,
            spawned: Box::new(move || counters.process_started()),
        });
        runtime.spawn(actor);
        Ok(Lent::new(inside, Arc::clone(inner)))
    }

    /// Takes the lent process that was [kept](Lent::keep) last under this name, if one still runs.
    #[must_use]
    pub fn take(&self, name: &str) -> Option<Lent> {
        let inside = self.inner.shelf.take(name)?;
        Some(Lent::new(inside, Arc::clone(&self.inner)))
    }

    /// How many lent processes are [kept](Lent::keep) under this name.
    #[must_use]
    pub fn kept(&self, name: &str) -> usize {
        self.inner.shelf.count(name)
    }

    /// The pool's numbers at this moment.
    #[must_use]
    pub fn stats(&self) -> PoolStats {
        PoolStats::read(
            &self.inner.gauges,
            &self.inner.counters,
            &self.inner.options,
        )
    }

    /// Closes every session and ends every process, gently as long as there is time, then not. No
    /// session can be opened any more. Returns when nothing is left, or at the deadline; the answer
    /// names what is left. May be called again, also from elsewhere at the same time.
    pub async fn shutdown(&self, deadline: Duration) -> Shutdown {
        *self.inner.shut.lock() = true;
        self.inner.shelf.clear();
        let by = Instant::now() + bounded(deadline);
        // Asked again, because the actor may panic over the question, and closes even then.
        for _ in 0..2 {
            let (reply, report) = oneshot::channel();
            let shutdown = PoolMessage::Shutdown { by, reply };
            if self.inner.actor.send(shutdown).is_err() {
                break;
            }
            if let Ok(report) = report.await {
                return report;
            }
        }
        Shutdown {
            lost: true,
            ..Shutdown::default()
        }
    }

    fn is_shut(&self) -> bool {
        *self.inner.shut.lock()
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("stats", &self.stats())
            .finish()
    }
}

/// The library's own threads.
fn runtime(threads: usize) -> Result<Runtime, Error> {
    let fail =
        |why: &dyn fmt::Display| Error::new(ErrorKind::Internal, format!("no threads: {why}"));
    spare_threads(threads).map_err(|e| fail(&e))?;
    // It panics where the system gives no more threads.
    std::panic::catch_unwind(|| {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(threads)
            .thread_name("remuda")
            .enable_io()
            .enable_time()
            .build()
    })
    .map_err(|_| fail(&"the system gives none"))?
    .map_err(|e| fail(&e))
}

/// Fails if the system does not give the workers and one thread more, all at the same time.
///
/// Asked before, because a runtime that gets only some of its workers waits for ever for those to end. Not a scope of
/// threads: that would leave a handle of the standard library behind on the host's thread.
fn spare_threads(workers: usize) -> std::io::Result<()> {
    let gate = Arc::new(RwLock::new(()));
    let closed = gate.write();
    let mut started = Vec::new();
    let mut refused = None;
    for _ in 0..=workers {
        let gate = Arc::clone(&gate);
        let thread = std::thread::Builder::new().name("remuda".to_owned());
        match thread.spawn(move || drop(gate.read())) {
            Ok(thread) => started.push(thread),
            Err(why) => {
                refused = Some(why);
                break;
            }
        }
    }
    // Also those that were started before one was refused end.
    drop(closed);
    for thread in started {
        // It cannot panic: it reads a lock that cannot be poisoned.
        let _ = thread.join();
    }
    refused.map_or(Ok(()), Err)
}

/// The directory is there, and its name means the same wherever the host goes.
fn check_place(mut options: SessionOptions) -> Result<SessionOptions, Error> {
    options.cwd = place(&options.cwd)?;
    Ok(options)
}

fn place(cwd: &Path) -> Result<PathBuf, Error> {
    let unusable = |why: &dyn fmt::Display| {
        let cwd = cwd.display();
        Error::new(ErrorKind::CwdUnusable, format!("cwd {cwd}: {why}"))
    };
    let cwd = std::path::absolute(cwd).map_err(|e| unusable(&e))?;
    let facts = std::fs::metadata(&cwd).map_err(|e| unusable(&e))?;
    if !facts.is_dir() {
        return Err(unusable(&"it is not a directory"));
    }
    Ok(cwd)
}

pub(crate) fn policy(
    provider: &dyn Provider,
    options: &SessionOptions,
    pool: &PoolOptions,
) -> Policy {
    let capabilities = provider.capabilities();
    Policy {
        timeouts: options.timeouts.unwrap_or(pool.timeouts).bounded(),
        downgrade: pool.downgrade,
        warm: capabilities.warm && options.persistent == Persistent::Auto,
        resume: capabilities.resume,
        resume_rest: capabilities.resume_rest,
        rewinds_with_process: capabilities.rewinds_with_process,
        first_sign: capabilities.first_sign,
        one_shot_deltas: capabilities.one_shot_deltas,
        features: capabilities.features,
        asks_only_warm: asks_only_warm(options, &capabilities),
        steer: capabilities.support(Feature::Steer),
        interrupt: capabilities.support(Feature::Interrupt),
    }
}

/// A pool in the making. Every setting has the default of [`PoolOptions`].
#[derive(Clone, Debug, Default)]
#[must_use = "a builder does nothing until it is built"]
pub struct PoolBuilder {
    options: PoolOptions,
}

macro_rules! settings {
    ($($name:ident: $type:ty;)*) => {
        impl PoolBuilder {
            $(
                #[doc = concat!("Sets [`PoolOptions::", stringify!($name), "`].")]
                pub fn $name(mut self, $name: $type) -> Self {
                    self.options.$name = $name.into();
                    self
                }
            )*
        }
    };
}

settings! {
    max_warm: usize;
    max_processes: usize;
    max_starting: usize;
    when_full: WhenFull;
    idle_timeout: Duration;
    sharing: Sharing;
    max_sessions_per_process: usize;
    downgrade: Downgrade;
    timeouts: Timeouts;
    max_line: usize;
    max_message: usize;
    log_bytes: usize;
    require_containment: Containment;
    threads: usize;
}

impl PoolBuilder {
    /// Makes the pool.
    ///
    /// # Errors
    ///
    /// Those of [`Pool::with_options`].
    pub fn build(self) -> Result<Pool, Error> {
        Pool::with_options(self.options)
    }
}

#[cfg(all(test, target_os = "linux"))]
#[path = "lost_tests.rs"]
mod tests;
