//! Those who wait for a process, in order, and when the patience of each one ends.

use std::collections::BTreeSet;
use std::time::Instant;

use hashlink::LinkedHashMap;

use super::Want;
use crate::ids::SessionId;

/// One who waits.
#[derive(Clone, Debug)]
pub(super) struct Waiter {
    pub(super) want: Want,
    /// Until when it waits for a slot.
    pub(super) until: Option<Instant>,
}

/// How many wait, by what they want.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Kinds {
    pub(super) warm: usize,
    pub(super) shared: usize,
    pub(super) one_shot: usize,
}

impl Kinds {
    pub(super) fn of(&mut self, want: &Want) -> &mut usize {
        match want {
            Want::Warm(_) => &mut self.warm,
            Want::Shared(..) => &mut self.shared,
            Want::OneShot => &mut self.one_shot,
        }
    }
}

/// All who wait.
#[derive(Debug, Default)]
pub(super) struct Queue {
    order: LinkedHashMap<SessionId, Waiter>,
    /// The same, of those whose patience ends, soonest first.
    patience: BTreeSet<(Instant, SessionId)>,
    kinds: Kinds,
}

impl Queue {
    pub(super) fn len(&self) -> usize {
        self.order.len()
    }

    pub(super) fn kinds(&self) -> Kinds {
        self.kinds
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&SessionId, &Waiter)> {
        self.order.iter()
    }

    /// Puts it at the end.
    pub(super) fn push(&mut self, session: SessionId, waiter: Waiter) {
        self.remove(session);
        *self.kinds.of(&waiter.want) += 1;
        self.patience
            .extend(waiter.until.map(|until| (until, session)));
        self.order.insert(session, waiter);
    }

    pub(super) fn remove(&mut self, session: SessionId) {
        let Some(waiter) = self.order.remove(&session) else {
            return;
        };
        *self.kinds.of(&waiter.want) -= 1;
        if let Some(until) = waiter.until {
            self.patience.remove(&(until, session));
        }
    }

    /// Whose patience ends first, and when.
    pub(super) fn soonest(&self) -> Option<(Instant, SessionId)> {
        self.patience.first().copied()
    }

    /// Its patience, if it has an end, ends then. It keeps its place.
    pub(super) fn wait_until(&mut self, session: SessionId, until: Instant) {
        let old = self
            .order
            .get_mut(&session)
            .and_then(|w| w.until.replace(until));
        if let Some(old) = old {
            self.patience.remove(&(old, session));
            self.patience.insert((until, session));
        }
    }
}
