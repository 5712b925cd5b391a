//! What the server was asked, kept for the assertions of tests.
//!
//! Header names only, never their values: one of them is a credential.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How many requests are kept before the oldest is forgotten.
const KEPT: usize = 10_000;

/// One request, as far as tests may care.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// `GET`, `POST`, …
    pub method: String,
    /// Without the query.
    pub path: String,
    /// Names in lower case, in the order of arrival.
    pub header_names: Vec<String>,
    /// Size of the body in bytes.
    pub body_bytes: usize,
    /// What a model call asked for; nothing for any other request.
    pub call: Option<ModelCall>,
}

/// The part of a request that only model calls have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModelCall {
    /// The model's name.
    pub model: String,
    /// Whether the client wants events.
    pub stream: bool,
    /// How many things users said in the conversation.
    pub prompts: usize,
    /// The last of them, whole.
    pub prompt: String,
    /// How many answers of the model follow it.
    pub index: usize,
    /// Names of the tools on offer.
    pub tools: Vec<String>,
    /// How many images the whole conversation holds.
    pub images: usize,
    /// How many documents it holds.
    pub documents: usize,
    /// How hard the model shall think.
    pub effort: Option<String>,
    /// Tokens that it may think with.
    pub thinking_budget: Option<u64>,
    /// Whether its answer must fit a schema.
    pub output_schema: bool,
}

/// The record that the server writes and the handle reads.
#[derive(Debug, Default)]
pub(crate) struct Record {
    kept: Mutex<VecDeque<Request>>,
    changed: Condvar,
    active: AtomicUsize,
}

/// Counts as an open stream until it is dropped.
#[derive(Debug)]
pub(crate) struct Active(Arc<Record>);

impl Record {
    fn lock(&self) -> MutexGuard<'_, VecDeque<Request>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn add(&self, request: Request) {
        let mut kept = self.lock();
        if kept.len() == KEPT {
            kept.pop_front();
        }
        kept.push_back(request);
        self.changed.notify_all();
    }

    pub(crate) fn all(&self) -> Vec<Request> {
        self.lock().iter().cloned().collect()
    }

    pub(crate) fn activate(self: &Arc<Self>) -> Active {
        let _kept = self.lock();
        self.active.fetch_add(1, Ordering::Relaxed);
        self.changed.notify_all();
        Active(Arc::clone(self))
    }

    pub(crate) fn active(&self) -> usize {
        self.active.load(Ordering::Relaxed)
    }

    /// Blocks until `holds` is true of the record and the open streams.
    pub(crate) fn wait(
        &self,
        limit: Duration,
        mut holds: impl FnMut(&[Request], usize) -> bool,
    ) -> bool {
        let end = Instant::now() + limit;
        let mut kept = self.lock();
        loop {
            if holds(kept.make_contiguous(), self.active()) {
                return true;
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            kept = self
                .changed
                .wait_timeout(kept, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        let _kept = self.0.lock();
        self.0.active.fetch_sub(1, Ordering::Relaxed);
        self.0.changed.notify_all();
    }
}
