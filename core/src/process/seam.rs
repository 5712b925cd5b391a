//! What a process actor needs of the operating system: a started tree, and the say over it.
//!
//! A seam: the tests of the actor's policy stand behind it, without any process.

use tokio::net::UnixStream;

use crate::event::Exit;
use crate::process::Containment;
use crate::provider::AgentSignal;

/// What happened to a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TreeEvent {
    /// The agent's own process ended.
    Exited(Exit),
    /// These are still there.
    Left(Vec<u32>),
    /// Nothing is left. The last event.
    Gone,
}

/// The say over a tree. Dropping it ends the tree.
pub(super) trait Control: Send + 'static {
    /// Waits for the next event. Cancel safe. Not called after [`TreeEvent::Gone`].
    fn next(&mut self) -> impl Future<Output = TreeEvent> + Send;

    /// Signals the agent.
    fn signal(&self, signal: AgentSignal);

    /// Kills the tree, without waiting.
    fn kill(&self);

    /// Kills the tree without the help of its owner, who was told to and is not heard of.
    fn force(&mut self);
}

/// A tree that runs.
#[derive(Debug)]
pub(super) struct Started<C> {
    pub pid: u32,
    pub containment: Containment,
    pub stdin: UnixStream,
    pub stdout: UnixStream,
    pub stderr: UnixStream,
    pub control: C,
}
