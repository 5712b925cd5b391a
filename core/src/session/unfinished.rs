//! What hosts were told has begun, and not that it ended.
//!
//! Kept beside the machine, so that everything has its end also when the machine cannot be trusted
//! any more.

use crate::event::{Body, Failure, Resolution, ResolvedBy, TurnOrigin, TurnResult};
use crate::ids::{RequestId, TurnId};

/// An event, and the turn it belongs to.
type Shown = (Option<TurnId>, Body);

/// The turns and questions without an end.
#[derive(Debug, Default)]
pub(super) struct Unfinished {
    turns: Vec<TurnId>,
    requests: Vec<(Option<TurnId>, RequestId)>,
}

impl Unfinished {
    /// Takes note of what hosts are about to be told.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "few kinds begin or end something"
    )]
    pub(super) fn note(&mut self, turn: Option<TurnId>, body: &Body) {
        match body {
            Body::TurnQueued { .. } | Body::TurnStarted { .. } => {
                self.turns
                    .extend(turn.filter(|turn| !self.turns.contains(turn)));
            }
            Body::TurnCompleted { .. } | Body::TurnFailed { .. } | Body::TurnInterrupted { .. } => {
                self.turns.retain(|begun| Some(*begun) != turn);
            }
            Body::RequestOpened { request, .. } => self.requests.push((turn, *request)),
            Body::RequestResolved { request, .. } => {
                self.requests.retain(|(_, open)| open != request);
            }
            _ => {}
        }
    }

    /// Everything ends: the events that say so. `accepted` are turns of hosts that have no end, with
    /// their marks, whether anything was told of them or not.
    pub(super) fn end(
        &mut self,
        accepted: impl IntoIterator<Item = (TurnId, Option<u64>)>,
        failure: &Failure,
    ) -> Vec<Shown> {
        let mut shown = Vec::new();
        for (turn, request) in self.requests.drain(..) {
            let body = Body::RequestResolved {
                request,
                resolution: Resolution::Withdrawn,
                by: ResolvedBy::TurnEnd,
                rule: None,
            };
            shown.push((turn, body));
        }
        for (turn, tag) in accepted {
            if !self.turns.contains(&turn) {
                let origin = TurnOrigin::Host;
                shown.push((Some(turn), Body::TurnStarted { origin, tag }));
                self.turns.push(turn);
            }
        }
        for turn in self.turns.drain(..) {
            let body = Body::TurnFailed {
                failure: failure.clone().into(),
                result: Box::<TurnResult>::default(),
            };
            shown.push((Some(turn), body));
        }
        shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    fn started(origin: TurnOrigin) -> Body {
        Body::TurnStarted { origin, tag: None }
    }

    #[test]
    fn whatever_has_begun_ends_once_and_what_has_ended_does_not_again() {
        let [over, running, unseen] = [(); 3].map(|()| TurnId::next());
        let result = Box::<TurnResult>::default;
        let failure = Failure::new(ErrorKind::Internal, "x");
        let mut unfinished = Unfinished::default();
        unfinished.note(Some(over), &started(TurnOrigin::Host));
        unfinished.note(Some(over), &Body::TurnCompleted { result: result() });
        unfinished.note(Some(running), &started(TurnOrigin::Agent));
        let failed = |turn| {
            let failure = failure.clone().into();
            let result = result();
            (Some(turn), Body::TurnFailed { failure, result })
        };
        assert_eq!(
            unfinished.end([(unseen, None)], &failure),
            [
                (Some(unseen), started(TurnOrigin::Host)),
                failed(running),
                failed(unseen),
            ]
        );
        assert_eq!(unfinished.end([], &failure), []);
    }
}
