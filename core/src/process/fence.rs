//! Fences against panics: one in a codec costs the process, and nothing else.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Poll;

use crate::provider::{Codec, Output};

/// What a codec said since the actor last looked.
#[derive(Debug, Default)]
pub(super) struct Said {
    pub output: Output,
    /// Sizes of lines that were too long for it.
    pub too_long: Vec<usize>,
}

/// A codec that is never called again after it has panicked.
pub(super) struct Fence {
    codec: Option<Box<dyn Codec>>,
    said: Said,
}

impl std::fmt::Debug for Fence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fence")
            .field("works", &self.works())
            .finish_non_exhaustive()
    }
}

impl Fence {
    pub(super) fn new(codec: Box<dyn Codec>) -> Self {
        Self {
            codec: Some(codec),
            said: Said::default(),
        }
    }

    /// Calls the codec. What it said before a panic stays.
    pub(super) fn call(&mut self, call: impl FnOnce(&mut dyn Codec, &mut Said)) {
        let Some(codec) = &mut self.codec else { return };
        let said = &mut self.said;
        // Unwind safe because a codec that panicked is dropped, and `said` holds only whole values.
        let outcome = catch_unwind(AssertUnwindSafe(|| call(codec.as_mut(), said)));
        if outcome.is_err() {
            let broken = self.codec.take();
            // Its drop may panic as well.
            drop(catch_unwind(AssertUnwindSafe(|| drop(broken))));
        }
    }

    /// Takes what was said.
    pub(super) fn take(&mut self) -> Said {
        std::mem::take(&mut self.said)
    }

    /// Whether the codec has not panicked.
    pub(super) fn works(&self) -> bool {
        self.codec.is_some()
    }
}

/// Runs a future to its end or its panic. What it borrows must still make sense after a panic.
pub(crate) async fn survive<F: Future>(future: F) -> Result<F::Output, ()> {
    let mut future = std::pin::pin!(future);
    std::future::poll_fn(|cx| {
        // Unwind safe because after a panic the future is not polled again, and the caller answers
        // for what it lent.
        match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(output)) => Poll::Ready(Ok(output)),
            Err(_) => Poll::Ready(Err(())),
        }
    })
    .await
}
