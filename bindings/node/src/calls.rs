//! Calls of JavaScript that core has not answered yet.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use remuda::{Error, ErrorKind, Session};
use tokio::sync::oneshot;

use crate::bell::{Bell, Ready, Source};
use crate::reader::Origin;
use crate::worker::{self, Job};

/// What a call gives: JSON, and what is kept here under a number.
pub(crate) struct Answer {
    pub(crate) json: String,
    pub(crate) kept: Kept,
}

/// What is kept.
pub(crate) enum Kept {
    /// Nothing.
    Nothing,
    /// A session, under its own number.
    Session(Session),
    /// What a reader of this number is to read.
    Reader(u32, Box<Origin>),
}

impl From<String> for Answer {
    fn from(json: String) -> Self {
        Self {
            json,
            kept: Kept::Nothing,
        }
    }
}

pub(crate) type Answered = Result<Answer, Error>;
type Pending = Pin<Box<dyn Future<Output = Answered> + Send>>;

/// A call under way.
pub(crate) struct InFlight {
    future: Pending,
    /// Its answer, where it was there at once.
    answered: Option<Answered>,
    bell: Arc<Bell>,
    waker: Waker,
}

impl InFlight {
    pub(crate) fn new(
        call: u32,
        future: impl Future<Output = Answered> + Send + 'static,
        ready: &Arc<Ready>,
    ) -> Self {
        let bell = Bell::new(Source::Call(call), ready);
        Self {
            future: Box::pin(future),
            answered: None,
            waker: Waker::from(Arc::clone(&bell)),
            bell,
        }
    }

    /// Begins it, so that calls reach a session in the order in which they are made. Its answer comes with a portion,
    /// also when it is there at once.
    pub(crate) fn begin(&mut self) {
        if let Poll::Ready(answered) = self.poll() {
            self.answered = Some(answered);
            self.bell.ring();
        }
    }

    pub(crate) fn poll(&mut self) -> Poll<Answered> {
        if let Some(answered) = self.answered.take() {
            return Poll::Ready(answered);
        }
        self.bell.still();
        let mut context = Context::from_waker(&self.waker);
        self.future.as_mut().poll(&mut context)
    }
}

/// What became of a call that was begun on the other thread.
enum Begun {
    Answered(Answered),
    Pending(Pending),
}

/// Begins a call on the thread that may wait for a disk, after those that came before.
pub(crate) fn elsewhere(
    future: impl Future<Output = Answered> + Send + 'static,
) -> impl Future<Output = Answered> + Send {
    begun_by(worker::run, future)
}

/// Begins a call on a thread of its own, because it takes so long that no other may wait behind it.
pub(crate) fn apart(
    future: impl Future<Output = Answered> + Send + 'static,
) -> impl Future<Output = Answered> + Send {
    begun_by(worker::run_apart, future)
}

fn begun_by(
    run: impl FnOnce(Job) -> Result<(), Error>,
    future: impl Future<Output = Answered> + Send + 'static,
) -> impl Future<Output = Answered> + Send {
    let (reply, begun) = oneshot::channel();
    let mut future: Pending = Box::pin(future);
    let job = move || {
        let polled = future
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()));
        let begun = match polled {
            Poll::Ready(answered) => Begun::Answered(answered),
            Poll::Pending => Begun::Pending(future),
        };
        // Nobody waits any more if the pool is gone.
        let _ = reply.send(begun);
    };
    let accepted = run(Box::new(job));
    async move {
        accepted?;
        let lost = |_| Error::new(ErrorKind::Internal, "the call was lost");
        match begun.await.map_err(lost)? {
            Begun::Answered(answered) => answered,
            Begun::Pending(future) => future.await,
        }
    }
}
