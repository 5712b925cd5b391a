//! Windows: not written yet.
//!
//! A tree is to be a job object that is killed when its last handle is closed, with the agent put into it at creation;
//! no guard is needed. Until then [`Tree::spawn`](super::tree::Tree::spawn) fails, so a [`Control`] never exists.

use std::convert::Infallible;

use super::tree::{Signal, TreeEvent, TreeRecord};

/// A stream to or from an agent.
pub(crate) type Stdio = tokio::io::DuplexStream;

/// Signals, kills and watches one tree.
#[derive(Debug)]
pub(crate) struct Control(Infallible);

impl Control {
    pub(crate) fn record(&self) -> &TreeRecord {
        match self.0 {}
    }

    #[expect(clippy::unused_async, reason = "one signature for all systems")]
    pub(crate) async fn next(&mut self) -> TreeEvent {
        match self.0 {}
    }

    pub(crate) fn signal(&self, _signal: Signal) {
        match self.0 {}
    }

    pub(crate) fn kill(&self) {
        match self.0 {}
    }
}
