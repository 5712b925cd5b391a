//! A pool, with all that JavaScript has numbers for.
//!
//! Numbers of readers, calls and holds are given by JavaScript; those of sessions, turns and questions are core's.

use std::cell::RefCell;
use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use napi::bindgen_prelude::ObjectFinalize;
use napi::{CleanupEnvHook, Env};
use napi_derive::napi;
use remuda::config::from_json;
use remuda::{Error, Hold, Pool, Session};
use serde::Serialize;

use crate::batch::Batch;
use crate::bell::{Ready, Signal, Source};
use crate::calls::{Answer, Answered, InFlight, Kept, apart, elsewhere};
use crate::failure::{Refused, gone, json, refused};
use crate::reader::{Origin, Reader};

/// Numbers of JavaScript's own, lent for one call.
pub(crate) type Numbers<'a> = &'a mut [f64];

/// A pool. Used on one thread of JavaScript alone.
#[napi(custom_finalize)]
pub struct NativePool {
    pub(crate) pool: Pool,
    pub(crate) ready: Arc<Ready>,
    pub(crate) held: RefCell<Held>,
    hook: CleanupEnvHook<Arc<Ready>>,
}

/// What JavaScript has numbers for.
#[derive(Default)]
pub(crate) struct Held {
    pub(crate) sessions: HashMap<u64, Session>,
    /// By session, what its messages that wait for a disk have a share of.
    pub(crate) reading: HashMap<u64, Arc<()>>,
    pub(crate) readers: HashMap<u32, Reader>,
    pub(crate) calls: HashMap<u32, InFlight>,
    pub(crate) holds: HashMap<u32, Hold>,
    /// The JSON of the last portion, until it is fetched.
    json: String,
}

#[derive(Serialize)]
struct Opened {
    session: u64,
}

impl ObjectFinalize for NativePool {
    fn finalize(self, env: Env) -> napi::Result<()> {
        // Where the thread of JavaScript ends, the hook has run before, and is gone.
        if self.ready.stop() {
            env.remove_env_cleanup_hook(self.hook)?;
        }
        Ok(())
    }
}

#[napi]
impl NativePool {
    /// Makes a pool. `signal` is called when something waits, once, until everything was taken.
    #[napi(constructor, catch_unwind)]
    pub fn new(env: Env, options: String, signal: Signal) -> Result<Self, Refused> {
        let options = from_json(&options).map_err(|error| refused(&error))?;
        let pool = Pool::with_options(options).map_err(|error| refused(&error))?;
        let ready = Ready::new(signal);
        let hook = env.add_env_cleanup_hook(Arc::clone(&ready), |ready| {
            ready.stop();
        });
        let hook = hook.map_err(|why| {
            let message = format!("no hook: {}", why.reason);
            refused(&Error::new(remuda::ErrorKind::Internal, message))
        })?;
        Ok(Self {
            pool,
            ready,
            held: RefCell::default(),
            hook,
        })
    }

    /// Takes a portion of what waits into `numbers`, and gives its text. `None`: nothing waits, and the signal tells
    /// of what comes. See `batch.rs` for the layout.
    #[napi(catch_unwind)]
    pub fn take(&self, numbers: Numbers<'_>) -> Option<String> {
        let mut batch = Batch::new(numbers);
        let mut more = true;
        while batch.has_room() {
            let Some(source) = self.ready.pop() else {
                more = false;
                break;
            };
            match source {
                Source::Reader(id) => {
                    if let Some(reader) = self.held.borrow_mut().readers.get_mut(&id) {
                        reader.fill(&mut batch);
                    }
                }
                Source::Call(id) => self.ask(id, &mut batch),
            }
        }
        if batch.is_empty() && !more {
            return None;
        }
        let (text, json) = batch.finish(more);
        self.held.borrow_mut().json = json;
        Some(text)
    }

    /// The JSON of the last portion.
    #[napi]
    pub fn take_json(&self) -> String {
        std::mem::take(&mut self.held.borrow_mut().json)
    }

    /// Asks a reader for its next portion. Whether there is one already: then nobody is woken for it.
    #[napi(catch_unwind)]
    pub fn want(&self, reader: u32) -> Result<bool, Refused> {
        let mut held = self.held.borrow_mut();
        let reader = held.readers.get_mut(&reader);
        Ok(reader.ok_or_else(|| gone("reader"))?.want())
    }

    /// Lets a reader go. It holds nothing back any more.
    #[napi(catch_unwind)]
    pub fn drop_reader(&self, reader: u32) {
        let reader = self.held.borrow_mut().readers.remove(&reader);
        drop(reader);
    }

    /// Nobody waits for the answer of a call any more.
    #[napi(catch_unwind)]
    pub fn drop_call(&self, call: u32) {
        let call = self.held.borrow_mut().calls.remove(&call);
        drop(call);
    }

    /// Opens a session. Answered with its number.
    #[napi(catch_unwind)]
    pub fn open(&self, call: u32, options: String) {
        let pool = self.pool.clone();
        // It looks for programs and folders.
        self.call(
            call,
            elsewhere(async move {
                let session = pool.open(from_json(&options)?)?;
                let id = session.id().get();
                Ok(Answer {
                    json: json(&Opened { session: id })?,
                    kept: Kept::Session(session),
                })
            }),
        );
    }

    /// Ends everything. Answered with the report.
    #[napi(catch_unwind)]
    pub fn shutdown(&self, call: u32, deadline_ms: f64) {
        let pool = self.pool.clone();
        let deadline = Duration::try_from_secs_f64(deadline_ms / 1000.0).unwrap_or(Duration::MAX);
        self.call(call, async move {
            Ok(json(&pool.shutdown(deadline).await)?.into())
        });
    }

    /// What is installed on this machine and how well it works, as JSON. Needs nothing of the pool but its answer.
    #[napi(catch_unwind)]
    pub fn doctor(&self, call: u32, timeout_ms: f64) {
        let timeout = Duration::try_from_secs_f64(timeout_ms / 1000.0).unwrap_or_default();
        self.call(
            call,
            apart(async move { Ok(json(&remuda::doctor(timeout))?.into()) }),
        );
    }

    /// The numbers of the pool, as JSON.
    #[napi(catch_unwind)]
    pub fn stats(&self) -> Result<String, Refused> {
        json(&self.pool.stats()).map_err(|error| refused(&error))
    }

    /// The options in force, as JSON.
    #[napi(catch_unwind)]
    pub fn options(&self) -> Result<String, Refused> {
        json(self.pool.options()).map_err(|error| refused(&error))
    }
}

impl NativePool {
    /// Begins a call whose answer comes with a portion.
    pub(crate) fn call(&self, call: u32, future: impl Future<Output = Answered> + Send + 'static) {
        let mut flight = InFlight::new(call, future, &self.ready);
        flight.begin();
        self.held.borrow_mut().calls.insert(call, flight);
    }

    /// Adds what a reader is to read.
    pub(crate) fn add_reader(&self, id: u32, reader: Reader) {
        self.held.borrow_mut().readers.insert(id, reader);
    }

    pub(crate) fn session(&self, session: i64) -> Result<Session, Refused> {
        let held = self.held.borrow();
        let session = u64::try_from(session)
            .ok()
            .and_then(|id| held.sessions.get(&id));
        session.cloned().ok_or_else(|| gone("session"))
    }

    /// Looks whether a call was answered.
    fn ask(&self, call: u32, batch: &mut Batch<'_>) {
        let mut held = self.held.borrow_mut();
        let polled = held.calls.get_mut(&call).map(InFlight::poll);
        let Some(Poll::Ready(answered)) = polled else {
            return;
        };
        held.calls.remove(&call);
        match answered {
            Ok(answer) => {
                batch.answer(call, Ok(&answer.json));
                match answer.kept {
                    Kept::Nothing => {}
                    Kept::Session(session) => {
                        held.sessions.insert(session.id().get(), session);
                    }
                    Kept::Reader(id, origin) => {
                        let reader = Reader::new(id, *origin, None, &self.ready);
                        held.readers.insert(id, reader);
                    }
                }
            }
            Err(error) => batch.answer(call, Err(&error)),
        }
    }

    /// Keeps what a message began, for a reader of this number.
    pub(crate) fn keep(&self, id: u32, origin: Origin) {
        self.add_reader(id, Reader::new(id, origin, None, &self.ready));
    }
}
