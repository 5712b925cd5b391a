//! A session's options, and the changes of them that may still be refused.
//!
//! A change holds for the next process as soon as it is made, and no more when the agent refuses it.
//! Others that were made meanwhile stay, in their order.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::config::SessionOptions;
use crate::settings::Change;

/// The options of a session that is open.
#[derive(Debug)]
pub(crate) struct LiveOptions {
    /// With all the changes before the first that may be refused.
    settled: SessionOptions,
    changes: VecDeque<Made>,
    current: Arc<SessionOptions>,
}

#[derive(Debug)]
struct Made {
    number: u64,
    change: Arc<Change>,
    settled: bool,
}

impl LiveOptions {
    /// Options that nobody has changed.
    pub(crate) fn new(options: Arc<SessionOptions>) -> Self {
        Self {
            settled: SessionOptions::clone(&options),
            changes: VecDeque::new(),
            current: options,
        }
    }

    /// What the next process starts with.
    pub(super) const fn current(&self) -> &Arc<SessionOptions> {
        &self.current
    }

    /// What they would be with one more change.
    pub(super) fn with(&self, change: &Change) -> SessionOptions {
        let mut options = SessionOptions::clone(&self.current);
        change.apply(&mut options);
        options
    }

    /// Makes a change.
    pub(super) fn change(&mut self, number: u64, change: Arc<Change>) {
        self.current = Arc::new(self.with(&change));
        self.changes.push_back(Made {
            number,
            change,
            settled: false,
        });
    }

    /// The change will not be refused any more.
    pub(super) fn settle(&mut self, number: u64) {
        let made = self.changes.iter_mut().find(|made| made.number == number);
        if let Some(made) = made {
            made.settled = true;
        }
        while let Some(made) = self.changes.pop_front_if(|made| made.settled) {
            made.change.apply(&mut self.settled);
        }
    }

    /// The change is undone.
    pub(super) fn refuse(&mut self, number: u64) {
        self.changes.retain(|made| made.number != number);
        let mut options = self.settled.clone();
        for made in &self.changes {
            made.change.apply(&mut options);
        }
        self.current = Arc::new(options);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(model: Option<&str>, effort: Option<&str>) -> Arc<Change> {
        Arc::new(Change {
            model: model.map(str::to_owned),
            effort: effort.map(str::to_owned),
            ..Change::default()
        })
    }

    fn holds(options: &LiveOptions) -> (Option<&str>, Option<&str>) {
        let now = options.current();
        (now.model.as_deref(), now.effort.as_deref())
    }

    #[test]
    fn a_refused_change_leaves_what_was_before_and_what_came_after() {
        let mut options = LiveOptions::new(Arc::default());
        options.change(1, change(Some("a"), Some("low")));
        options.settle(1);
        options.change(2, change(Some("b"), Some("high")));
        options.change(3, change(Some("c"), None));
        assert_eq!(holds(&options), (Some("c"), Some("high")));
        options.refuse(2);
        assert_eq!(holds(&options), (Some("c"), Some("low")));
        options.refuse(3);
        assert_eq!(holds(&options), (Some("a"), Some("low")));
    }

    #[test]
    fn the_last_change_wins_in_whatever_order_they_are_settled() {
        let mut options = LiveOptions::new(Arc::default());
        options.change(1, change(Some("a"), None));
        options.change(2, change(Some("b"), None));
        options.settle(2);
        options.settle(1);
        assert_eq!(holds(&options), (Some("b"), None));
        options.change(3, change(Some("c"), None));
        options.refuse(3);
        assert_eq!(holds(&options), (Some("b"), None));
    }
}
