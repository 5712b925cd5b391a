//! What a process that serves one turn says to what it cannot take.

use crate::error::ErrorKind;
use crate::provider::{ChangeOutcome, Output, Request, SignalBody, TurnRef};

/// Why.
pub(crate) const ONE_TURN: &str = "a process of one turn does not take it";

/// Answers a request that only a process of several turns could take. Nobody waits for an answer to the
/// others.
pub(crate) fn decline(request: &Request, out: &mut Output) {
    let (conversation, turn, body) = match *request {
        Request::Steer {
            conversation,
            turn,
            steer,
            ..
        } => {
            let refused = Some(ONE_TURN.to_owned());
            let steered = SignalBody::Steered { steer, refused };
            (conversation, TurnRef::Host(turn), steered)
        }
        Request::Change { conversation, .. } => {
            let changed = SignalBody::Changed(ChangeOutcome::NeedsProcess);
            (conversation, TurnRef::None, changed)
        }
        Request::Operate {
            conversation,
            number,
            ..
        } => {
            let outcome = Err((ErrorKind::Unsupported, ONE_TURN.to_owned()));
            let operated = SignalBody::Operated { number, outcome };
            (conversation, TurnRef::None, operated)
        }
        Request::Open { .. }
        | Request::Turn { .. }
        | Request::Interrupt { .. }
        | Request::Answer { .. }
        | Request::Served { .. }
        | Request::Close { .. } => return,
    };
    out.signal(conversation, turn, body);
}
