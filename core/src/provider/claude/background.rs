//! The agent's background work: how much of it runs, and whether a turn is owed for it.
//!
//! Newer versions tell the whole set of tasks; for older ones the single reports are counted.

use std::collections::HashSet;

use crate::provider::claude::wire::{System, text};

#[derive(Debug, Default)]
pub(super) struct Background {
    /// The tasks by id, until their end is announced.
    open: HashSet<Box<str>>,
    told: Option<usize>,
    /// A task ended between turns: the agent will start a turn to look at it.
    owed: bool,
    reported: u32,
}

impl Background {
    /// Takes in a report about a task. `between`: no turn runs.
    pub(super) fn task(&mut self, subtype: &str, line: &System<'_>, between: bool) {
        let id = text(line.task_id.as_ref());
        match subtype {
            "background_tasks_changed" => {
                self.told = Some(line.tasks.as_ref().map_or(0, Vec::len));
            }
            // Older versions do not say whether it is in the background; what is not ends with
            // its turn.
            "task_started"
                if line.is_backgrounded != Some(false) && line.owned_by_subagent != Some(true) =>
            {
                self.open.insert(id.into());
            }
            "task_updated" => {
                let status = line.patch.as_ref().map_or("", |p| text(p.status.as_ref()));
                // The end of any other is yet to be announced, and a turn comes with it.
                if status == "killed" {
                    self.open.remove(id);
                }
            }
            "task_notification" => {
                let known = self.open.remove(id);
                let status = text(line.status.as_ref());
                self.owed |= known && between && status != "stopped";
            }
            _ => {}
        }
    }

    /// Whether a turn of the agent's own is due.
    pub(super) fn owed(&self) -> bool {
        self.owed
    }

    /// The owed turn began, or will not come.
    pub(super) fn settle(&mut self) {
        self.owed = false;
    }

    /// The number of tasks, if it is other than the last time. An owed turn counts as one: the
    /// process must not be taken away before it.
    pub(super) fn changed(&mut self) -> Option<u32> {
        let tasks = self.told.unwrap_or(self.open.len());
        let tasks = u32::try_from(tasks)
            .unwrap_or(u32::MAX)
            .max(self.owed.into());
        (tasks != self.reported).then(|| {
            self.reported = tasks;
            tasks
        })
    }
}
