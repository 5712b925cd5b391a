//! The rest of a turn that another message began, for the message that joined it.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_core::Stream;
use remuda::{AskError, Body, Error, ErrorKind, Event, Events, Session, TurnId, TurnResult};

/// Its events, the end included.
pub(crate) struct Joined {
    session: Session,
    turn: TurnId,
    seq: u64,
    /// Not before somebody reads: a reader that does not read holds the session back.
    events: Option<Events>,
    /// Some were missed, and the turn is over: its end is in the log by now, or is one of them.
    missed: bool,
    over: bool,
}

impl Joined {
    /// The events of the turn from `seq` on, which is before its end.
    pub(crate) const fn new(session: Session, turn: TurnId, seq: u64) -> Self {
        Self {
            session,
            turn,
            seq,
            events: None,
            missed: false,
            over: false,
        }
    }

    /// Waits for the end beside whoever reads the turn.
    pub(crate) fn end(&self) -> impl Future<Output = Result<TurnResult, AskError>> + Send + use<> {
        let mut own = Self::new(self.session.clone(), self.turn, self.seq);
        async move {
            while let Some(event) = poll_fn(|context| own.poll(context)).await {
                if event.is_turn_end() {
                    return ended(&event.body);
                }
            }
            Err(lost())
        }
    }

    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Arc<Event>>> {
        while !self.over {
            let (session, seq) = (&self.session, self.seq);
            let events = self.events.get_or_insert_with(|| session.events(seq));
            match Pin::new(events).poll_next(context) {
                Poll::Pending if self.missed => self.over = true,
                Poll::Pending => return Poll::Pending,
                Poll::Ready(None) => self.over = true,
                Poll::Ready(Some(event)) => {
                    let ours = event.turn == Some(self.turn);
                    let gap = matches!(event.body, Body::Gap { .. });
                    self.missed |= gap && self.session.snapshot().running != Some(self.turn);
                    if ours && event.is_turn_end() {
                        self.over = true;
                        self.events = None;
                    }
                    if ours || gap {
                        return Poll::Ready(Some(event));
                    }
                }
            }
        }
        self.events = None;
        Poll::Ready(None)
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    clippy::result_large_err,
    reason = "no other event is an end; the error has the whole result, as core's own"
)]
fn ended(end: &Body) -> Result<TurnResult, AskError> {
    match end {
        Body::TurnCompleted { result } => Ok(TurnResult::clone(result)),
        Body::TurnFailed { failure, result } => Err(AskError::Failed {
            failure: (**failure).clone(),
            result: TurnResult::clone(result),
        }),
        Body::TurnInterrupted { result } => Err(AskError::Interrupted {
            result: TurnResult::clone(result),
        }),
        _ => Err(lost()),
    }
}

fn lost() -> AskError {
    let message = "the session is closed, or the end of the turn is in its log no more";
    AskError::Refused(Error::new(ErrorKind::Closed, message))
}
