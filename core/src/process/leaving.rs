//! Conversations whose sessions have left, until the agent has let go of them.
//!
//! Values only: time comes in as a parameter.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::provider::Conversation;

/// How long the agent may take to let go of a conversation.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is waited for.
#[derive(Debug, Default)]
pub(super) struct Leaving(BTreeMap<Conversation, Instant>);

impl Leaving {
    /// A session leaves. `false`: that is known.
    pub(super) fn begin(&mut self, conversation: Conversation, now: Instant) -> bool {
        let known = self.0.contains_key(&conversation);
        if !known {
            self.0.insert(conversation, now + PATIENCE);
        }
        !known
    }

    /// The agent has let go. `false`: nobody waits for that.
    pub(super) fn end(&mut self, conversation: Conversation) -> bool {
        self.0.remove(&conversation).is_some()
    }

    /// When patience ends.
    pub(super) fn next(&self) -> Option<Instant> {
        self.0.values().min().copied()
    }

    /// Whether the agent held on to a conversation for too long. Said once.
    pub(super) fn take_overdue(&mut self, now: Instant) -> bool {
        let overdue = self.next().is_some_and(|at| at <= now);
        if overdue {
            self.0.clear();
        }
        overdue
    }
}
