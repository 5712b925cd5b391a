//! A loopback server of the model APIs, so that real agent programs can be
//! driven through every path offline.
//!
//! Prompts carry scripts which say what the model answers; see the README.
//!
//! | to change … | open |
//! |---|---|
//! | the instruction language | `script.rs` (from text), `plan.rs` (which step when) |
//! | what counts as a prompt | `conversation.rs`, `*/request.rs` |
//! | the events of an API | `anthropic/stream.rs`, `responses/stream.rs`, `gemini/stream.rs` |
//! | how a tool is called | `responses/call.rs`, `anthropic/stream.rs`, `gemini/stream.rs` |
//! | how an agent is started offline | `real_agents/` |

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::oneshot;

mod anthropic;
mod api;
mod conversation;
mod gemini;
mod out;
mod plan;
pub mod real_agents;
mod record;
mod responses;
mod script;
mod server;

pub use record::{ModelCall, Request};

use record::Record;
use server::Shared;

/// How a server behaves apart from scripts.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The port; 0 takes a free one.
    pub port: u16,
    /// Time before the first byte of every model answer.
    pub latency: Duration,
}

/// A running server. Dropping it stops it and closes all its connections.
///
/// It has a thread of its own, so it serves blocking tests as well as
/// asynchronous ones.
#[derive(Debug)]
pub struct ModelApi {
    address: SocketAddr,
    record: Arc<Record>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl ModelApi {
    /// Starts a server on a free loopback port, without any delay.
    pub fn start() -> io::Result<Self> {
        Self::start_with(&Options::default())
    }

    /// Starts a server. It listens when this returns.
    pub fn start_with(options: &Options) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, options.port))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let record = Arc::new(Record::default());
        let shared = Arc::new(Shared::new(Arc::clone(&record), options.latency));
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new()
            .name("model-api".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    // Fails only without a reactor; then no one connects.
                    if let Ok(listener) = TcpListener::from_std(listener) {
                        server::serve(listener, shared, stopped).await;
                    }
                });
            })?;
        Ok(Self {
            address,
            record,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// `http://127.0.0.1:PORT`, without a path.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The port it listens on.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// All requests so far, the oldest first. Only the last 10 000 are kept.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        self.record.all()
    }

    /// The model calls among the requests.
    #[must_use]
    pub fn calls(&self) -> Vec<ModelCall> {
        let requests = self.record.all();
        requests.into_iter().filter_map(|one| one.call).collect()
    }

    /// How many streamed answers are still open.
    #[must_use]
    pub fn open_streams(&self) -> usize {
        self.record.active()
    }

    /// Blocks until `holds` is true of the requests and the number of open
    /// streams; returns whether that happened within `limit`.
    ///
    /// `holds` runs with the record locked: it must not call this handle.
    pub fn wait_until(
        &self,
        limit: Duration,
        holds: impl FnMut(&[Request], usize) -> bool,
    ) -> bool {
        self.record.wait(limit, holds)
    }

    /// Blocks until the server ends by itself, which only a failure brings about.
    pub fn join(mut self) {
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for ModelApi {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic in the server has been reported by its thread.
            let _ = thread.join();
        }
    }
}
