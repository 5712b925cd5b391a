//! A call of the host that core has not answered yet.
//!
//! It has no task of its own: the reader of its session's events looks after it, so that its answer comes after the
//! events that belong to it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::error::Failure;

/// What a call gives.
#[derive(Debug, Default)]
pub(crate) struct Given {
    /// JSON, or nothing.
    pub(crate) json: Option<String>,
    /// The turn that begins with it: its first event comes before the answer.
    pub(crate) begins: Option<u64>,
}

/// What a call gives, or why it failed.
pub(crate) type Answer = Result<Given, Failure>;

/// What a call is about, for the event of its answer.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct About {
    pub(crate) tag: u64,
    pub(crate) turn: u64,
    pub(crate) request: u64,
}

/// The answer of a call.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) about: About,
    pub(crate) answer: Result<Option<String>, Failure>,
    /// The turn that begins with it.
    pub(crate) begins: Option<u64>,
}

/// A call under way.
pub(crate) struct InFlight {
    about: About,
    future: Pin<Box<dyn Future<Output = Answer> + Send>>,
}

impl InFlight {
    pub(crate) fn new(about: About, future: impl Future<Output = Answer> + Send + 'static) -> Self {
        let future = Box::pin(future);
        Self { about, future }
    }

    /// Looks whether it was answered.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Outcome> {
        let about = self.about;
        let answer = self.future.as_mut().poll(context);
        answer.map(|answer| {
            let begins = answer.as_ref().ok().and_then(|given| given.begins);
            let answer = answer.map(|given| given.json);
            Outcome {
                about,
                answer,
                begins,
            }
        })
    }
}

impl fmt::Debug for InFlight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("InFlight").field(&self.about).finish()
    }
}
