//! What a host holds of a session.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use tokio::sync::{mpsc, oneshot};

use crate::config::{Mode, SessionOptions};
use crate::delivery::Events;
use crate::error::{Error, ErrorKind};
use crate::event::CloseReason;
use crate::event::TurnResult;
use crate::ids::{SessionId, TurnId};
use crate::pool::PoolInner;
use crate::session::Receipt;
use crate::session::Shared;
use crate::session::actor::Message;
use crate::session::turn::{AskError, Turn};

/// One conversation with an agent. It outlives the agent's processes.
///
/// Clones are the same session. It is closed by [`close`](Self::close), or when the last clone and
/// the last [`Turn`] of it are dropped. Every method may be called from any thread; none waits for
/// the agent unless it is `async`.
#[derive(Clone)]
pub struct Session {
    pub(crate) inner: Arc<SessionInner>,
}

pub(crate) struct SessionInner {
    pub(crate) shared: Arc<Shared>,
    pub(crate) inbox: mpsc::UnboundedSender<Message>,
    pub(crate) options: Arc<SessionOptions>,
    pub(crate) limits: MessageLimits,
    /// The pool lives as long as its sessions.
    pub(crate) _pool: Arc<PoolInner>,
}

/// What a message may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MessageLimits {
    pub(crate) bytes: usize,
    pub(crate) chars: Option<usize>,
}

impl MessageLimits {
    fn check(self, text: &str) -> Result<(), Error> {
        if text.trim().is_empty() {
            return Err(Error::invalid("message", "it is empty"));
        }
        if text.len() > self.bytes {
            let (is, most) = (text.len(), self.bytes);
            let message = format!("message of {is} bytes; the most is {most} (max_message)");
            return Err(Error::new(ErrorKind::TooLarge, message));
        }
        if text.contains('\0') {
            return Err(Error::invalid("message", "it has a NUL character"));
        }
        if let Some(most) = self.chars
            // Bytes bound characters from above: counting is needed only near the limit.
            && text.len() > most
            && text.chars().nth(most).is_some()
        {
            let message = format!("message of more than {most} characters, the agent's limit");
            return Err(Error::new(ErrorKind::TooLarge, message));
        }
        Ok(())
    }
}

/// A session at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SessionSnapshot {
    /// The session.
    pub id: SessionId,
    /// The provider's name.
    pub provider: String,
    /// The agent's own id of the conversation, once it has one; resumes it in any pool.
    pub provider_session_id: Option<String>,
    /// Whether turns run in a warm process, or each in its own.
    pub mode: Mode,
    /// The host's turn that runs.
    pub running: Option<TurnId>,
    /// Whether it takes no turns any more.
    pub closed: bool,
    /// The `seq` that the next event will have.
    pub next_seq: u64,
}

impl Session {
    /// The session's number.
    #[must_use]
    pub fn id(&self) -> SessionId {
        self.inner.shared.id
    }

    /// The options it was opened with.
    #[must_use]
    pub fn options(&self) -> &SessionOptions {
        &self.inner.options
    }

    /// What the session is at this moment.
    #[must_use]
    pub fn snapshot(&self) -> SessionSnapshot {
        let shared = &self.inner.shared;
        SessionSnapshot {
            id: shared.id,
            provider: self.inner.options.provider.clone(),
            provider_session_id: shared.conversation(),
            mode: shared.mode(),
            running: shared.gate.running(),
            closed: shared.gate.is_closed(),
            next_seq: shared.log.next_seq(),
        }
    }

    /// Sends a message. Accepted or refused at once: an accepted turn gets exactly one end.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::TurnInProgress`], [`ErrorKind::Closed`], [`ErrorKind::TooLarge`], or
    /// [`ErrorKind::InvalidArgument`] for an empty message or one with a NUL character. A refused
    /// message causes no event.
    pub fn send(&self, text: impl Into<String>) -> Result<Turn, Error> {
        self.send_tagged(text, None)
    }

    /// Like [`send`](Self::send), with a mark of the host's own that comes back in the turn's first
    /// event.
    ///
    /// # Errors
    ///
    /// Those of [`send`](Self::send).
    pub fn send_tagged(&self, text: impl Into<String>, tag: Option<u64>) -> Result<Turn, Error> {
        let text = text.into();
        self.inner.limits.check(&text)?;
        let shared = &self.inner.shared;
        let from_seq = shared.log.next_seq();
        let text: Arc<str> = text.into();
        let (turn, end) = shared.gate.enter(|turn| {
            self.inner
                .inbox
                .send(Message::Send { turn, tag, text })
                .is_ok()
        })?;
        Ok(Turn::new(Arc::clone(&self.inner), turn, from_seq, end))
    }

    /// Sends a message and waits for the result.
    ///
    /// # Errors
    ///
    /// Those of [`send`](Self::send), and the two ends that are not good ones.
    pub async fn ask(&self, text: impl Into<String>) -> Result<TurnResult, AskError> {
        self.send(text)?.result().await
    }

    /// The session's events from `seq` on (1 is the first), then live. Any number of readers may
    /// read. A reader holds the session back when it does not read; see [`Events`].
    #[must_use]
    pub fn events(&self, from_seq: u64) -> Events {
        Events::new(Arc::clone(&self.inner.shared.log), from_seq)
    }

    /// Ends the turn that runs, the host's or the agent's own. See [`Turn::interrupt`].
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Closed`] when the session is gone.
    pub async fn interrupt(&self, turn: TurnId) -> Result<Receipt, Error> {
        self.inner.interrupt(turn).await
    }

    /// Keeps the session's process from eviction while the guard lives.
    pub fn hold(&self) -> Hold {
        Hold::new(Arc::clone(&self.inner))
    }

    /// Closes the session: a running turn ends as failed with `closed`, the process is stopped, and
    /// when its whole tree is gone comes the last event, `session_closed`. Returns at once; a second
    /// call does nothing.
    pub fn close(&self) {
        self.inner.close();
    }

    /// Closes the session and waits until its tree is gone. The answer names processes that are
    /// left, by pid; it is empty where everything ended.
    pub async fn closed(&self) -> Vec<u32> {
        self.close();
        let shared = &self.inner.shared;
        let mut events = self.events(shared.log.next_seq().saturating_sub(1));
        let mut left = Vec::new();
        while let Some(event) = events.next().await {
            if let crate::Body::SessionClosed { left: pids, .. } = &event.body {
                left.clone_from(pids);
            }
        }
        left
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("id", &self.id())
            .finish_non_exhaustive()
    }
}

impl SessionInner {
    pub(crate) async fn interrupt(&self, turn: TurnId) -> Result<Receipt, Error> {
        let (reply, receipt) = oneshot::channel();
        self.inbox
            .send(Message::Interrupt { turn, reply })
            .map_err(|_| Error::closed("session"))?;
        receipt.await.map_err(|_| Error::closed("session"))
    }

    fn close(&self) {
        if self.shared.gate.close() {
            // A session that is gone is closed.
            let _ = self.inbox.send(Message::Close {
                reason: CloseReason::Host,
                by: None,
            });
        }
    }
}

impl Drop for SessionInner {
    fn drop(&mut self) {
        self.close();
    }
}

/// Keeps a session's process from eviction. Dropping it lets go.
#[must_use = "dropping it lets the session go"]
pub struct Hold {
    inner: Arc<SessionInner>,
}

impl Hold {
    fn new(inner: Arc<SessionInner>) -> Self {
        // A session that is gone needs no hold.
        let _ = inner.inbox.send(Message::Hold(true));
        Self { inner }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let _ = self.inner.inbox.send(Message::Hold(false));
    }
}

impl fmt::Debug for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Hold").field(&self.inner.shared.id).finish()
    }
}
