//! What a host holds of a turn.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_core::Stream;

use crate::delivery::{Events, Mark};
use crate::error::{Error, ErrorKind};
use crate::event::{Body, Event, Failure, TurnResult};
use crate::ids::TurnId;
use crate::session::Receipt;
use crate::session::gate::{End, EndReceiver};
use crate::session::handle::{InterruptOptions, SessionInner};

/// An accepted message and everything until its one end.
///
/// It is a stream of its events, the end included. Nothing is lost by dropping it or by not reading
/// it: the turn goes on, and the session's events hold it. It begins to hold the session back, as
/// every reader does, when it is first polled, and stops when the turn is over. What was not read by
/// then is kept for it: of the last turn all, of earlier ones at most `log_bytes` beside the log; the
/// oldest goes first, and a [`Body::Gap`] stands for it.
pub struct Turn {
    session: Arc<SessionInner>,
    id: TurnId,
    mark: Mark,
    end: EndReceiver,
    events: Option<Events>,
    over: bool,
}

impl Turn {
    pub(crate) fn new(
        session: Arc<SessionInner>,
        id: TurnId,
        mark: Mark,
        end: EndReceiver,
    ) -> Self {
        Self {
            session,
            id,
            mark,
            end,
            events: None,
            over: false,
        }
    }

    /// The turn's number.
    #[must_use]
    pub const fn id(&self) -> TurnId {
        self.id
    }

    /// The next event of this turn; `None` after its end. Events of the session that belong to no
    /// turn are not among them, but a [`Body::Gap`] is, if the poll came too late. It may stand for
    /// the end, too.
    ///
    /// Cancel safe.
    pub async fn next(&mut self) -> Option<Arc<Event>> {
        poll_fn(|context| self.poll(context)).await
    }

    /// Waits for the end.
    ///
    /// # Errors
    ///
    /// The two ends that are not good ones, with what the turn gave until then.
    pub async fn result(mut self) -> Result<TurnResult, AskError> {
        // Whoever only waits for the result holds nothing back.
        self.events = None;
        self.end().await
    }

    /// Waits for the end beside whoever reads the turn. Holds nothing back, and does not keep the turn.
    ///
    /// # Errors
    ///
    /// Those of [`result`](Self::result).
    pub fn end(&self) -> impl Future<Output = Result<TurnResult, AskError>> + Send + use<> {
        let mut end = self.end.clone();
        async move {
            let end = match end.wait_for(Option::is_some).await {
                Ok(end) => end.clone(),
                Err(_) => None,
            };
            match end {
                Some(End::Completed(result)) => Ok(result),
                Some(End::Failed(failure, result)) => Err(AskError::Failed { failure, result }),
                Some(End::Interrupted(result)) => Err(AskError::Interrupted { result }),
                None => Err(AskError::Refused(Error::closed("session"))),
            }
        }
    }

    /// Asks the agent to end the turn. The turn then ends as interrupted, at the latest after the
    /// grace time, unless it ended by itself before. One that no agent has yet ends at once; so does
    /// one of an agent that cannot be interrupted, with its process. The receipt says which.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Closed`] when the session is gone.
    pub async fn interrupt(&self) -> Result<Receipt, Error> {
        let options = InterruptOptions::default();
        self.session.interrupt(self.id, options).await
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Arc<Event>>> {
        while !self.over {
            let mark = &self.mark;
            let events = self.events.get_or_insert_with(|| mark.events());
            match events.poll(context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(None) => {
                    self.over = true;
                    self.events = None;
                }
                Poll::Ready(Some(event)) => {
                    let ours = event.turn == Some(self.id);
                    if ours && event.is_turn_end() {
                        self.over = true;
                        self.events = None;
                    }
                    if ours || matches!(event.body, Body::Gap { .. }) {
                        return Poll::Ready(Some(event));
                    }
                }
            }
        }
        Poll::Ready(None)
    }
}

impl Stream for Turn {
    type Item = Arc<Event>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Arc<Event>>> {
        self.poll(context)
    }
}

impl fmt::Debug for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Turn")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// Why there is no good result.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum AskError {
    /// The turn was not accepted.
    #[error(transparent)]
    Refused(#[from] Error),
    /// The turn failed.
    #[error("{}: {}", failure.code, failure.message)]
    Failed {
        /// Why.
        failure: Failure,
        /// What it gave until then: also of a message that was not whole.
        result: TurnResult,
    },
    /// The turn was interrupted.
    #[error("the turn was interrupted")]
    Interrupted {
        /// What it gave until then: also of a message that was not whole.
        result: TurnResult,
    },
}

impl AskError {
    /// The code to act on; `None` for an interrupted turn.
    #[must_use]
    pub fn kind(&self) -> Option<ErrorKind> {
        match self {
            Self::Refused(error) => Some(error.kind()),
            Self::Failed { failure, .. } => Some(failure.code),
            Self::Interrupted { .. } => None,
        }
    }
}
