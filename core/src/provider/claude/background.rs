//! The agent's background work: what of it runs, and whether a turn is owed for it.
//!
//! Newer versions tell the whole set of tasks; for older ones the single reports are counted.

use std::collections::BTreeMap;

use crate::provider::TurnRef;
use crate::provider::claude::wire::{System, TaskInfo, Text, text};

/// A task in the background.
#[derive(Debug)]
pub(super) struct Task {
    pub title: String,
    shell: bool,
    /// The turn that runs when it is first heard of.
    turn: TurnRef,
}

#[derive(Debug, Default)]
pub(super) struct Background {
    /// The tasks by id, until their end is announced.
    open: BTreeMap<String, Task>,
    /// The agent tells the whole set.
    told: Option<usize>,
    /// A task ended between turns: the agent will start a turn to look at it.
    owed: bool,
    reported: u32,
}

impl Background {
    /// Takes in a report about a task. `turn`: the one that runs.
    pub(super) fn task(&mut self, subtype: &str, line: &System<'_>, turn: TurnRef) {
        let id = text(line.task_id.as_ref());
        match subtype {
            "background_tasks_changed" => self.tell(line.tasks.as_deref().unwrap_or(&[]), turn),
            // Older versions do not say whether it is in the background; what is not ends with
            // its turn.
            "task_started"
                if line.is_backgrounded != Some(false) && line.owned_by_subagent != Some(true) =>
            {
                self.add(id, line.description.as_ref(), line.task_type.as_ref(), turn);
            }
            "task_updated" => {
                let status = line.patch.as_ref().map_or("", |p| text(p.status.as_ref()));
                // The end of any other is yet to be announced, and a turn comes with it.
                if status == "killed" {
                    self.open.remove(id);
                }
            }
            "task_notification" => {
                let known = self.open.remove(id).is_some();
                let between = turn == TurnRef::None;
                let status = text(line.status.as_ref());
                self.owed |= known && between && status != "stopped";
            }
            _ => {}
        }
    }

    /// The whole set. What is missing in it stays known until its end is announced.
    fn tell(&mut self, tasks: &[TaskInfo<'_>], turn: TurnRef) {
        self.told = Some(tasks.len());
        for task in tasks {
            let id = text(task.task_id.as_ref());
            self.add(id, task.description.as_ref(), task.task_type.as_ref(), turn);
        }
    }

    fn add(&mut self, id: &str, title: Option<&Text<'_>>, kind: Option<&Text<'_>>, turn: TurnRef) {
        if !self.open.contains_key(id) {
            let task = Task {
                title: text(title).to_owned(),
                shell: text(kind) == "local_bash",
                turn,
            };
            self.open.insert(id.to_owned(), task);
        }
    }

    /// What runs, by id.
    pub(super) fn tasks(&self) -> impl Iterator<Item = (&str, &Task)> {
        self.open.iter().map(|(id, task)| (id.as_str(), task))
    }

    /// The commands that the turn left running.
    pub(super) fn commands_of(&self, turn: TurnRef) -> Vec<String> {
        let of = |task: &Task| task.shell && task.turn == turn;
        let ids = self.open.iter().filter(|(_, task)| of(task));
        ids.map(|(id, _)| id.clone()).collect()
    }

    /// Whether a turn of the agent's own is due.
    pub(super) fn owed(&self) -> bool {
        self.owed
    }

    /// The owed turn began, or will not come.
    pub(super) fn settle(&mut self) {
        self.owed = false;
    }

    /// The number of tasks, if it is other than the last time. An owed turn counts as one, and so
    /// does one that is `due` for another reason: the process must not be taken away before it.
    pub(super) fn changed(&mut self, due: bool) -> Option<u32> {
        let tasks = self.told.unwrap_or(self.open.len());
        let tasks = u32::try_from(tasks)
            .unwrap_or(u32::MAX)
            .max((self.owed || due).into());
        (tasks != self.reported).then(|| {
            self.reported = tasks;
            tasks
        })
    }
}
