//! What reaches a running turn from outside: interrupts, answers, more input.

use std::collections::{HashMap, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::lock;

/// Why a turn stops what it is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Break {
    Interrupted,
    Steered,
}

#[derive(Default)]
struct Inbox {
    interrupted: bool,
    /// Questions that were asked, and their answers once there are any.
    questions: HashMap<String, Option<Value>>,
    steered: VecDeque<Value>,
    /// A tool runs or is asked about.
    in_tool: bool,
    /// The turn takes no more input.
    closed: bool,
}

/// The line into one turn. Shared by the thread that plays the turn and the
/// one that reads stdin.
#[derive(Default)]
pub(crate) struct Control {
    inbox: Mutex<Inbox>,
    changed: Condvar,
}

impl Control {
    pub(crate) fn interrupt(&self) {
        lock(&self.inbox).interrupted = true;
        self.changed.notify_all();
    }

    /// Hands in more input for the running turn; false if it takes no more.
    pub(crate) fn steer(&self, input: Value) -> bool {
        let mut inbox = lock(&self.inbox);
        if !inbox.closed {
            inbox.steered.push_back(input);
        }
        self.changed.notify_all();
        !inbox.closed
    }

    /// Hands in more input only if a tool runs; false if not.
    pub(crate) fn steer_tool(&self, input: &Value) -> bool {
        let mut inbox = lock(&self.inbox);
        if inbox.in_tool {
            inbox.steered.push_back(input.clone());
        }
        inbox.in_tool
    }

    pub(crate) fn begin_tool(&self) {
        lock(&self.inbox).in_tool = true;
    }

    pub(crate) fn end_tool(&self) {
        lock(&self.inbox).in_tool = false;
    }

    pub(crate) fn take_steered(&self) -> Option<Value> {
        lock(&self.inbox).steered.pop_front()
    }

    /// Like `take_steered`; when there is none, the turn takes no more.
    pub(crate) fn take_steered_or_close(&self) -> Option<Value> {
        let mut inbox = lock(&self.inbox);
        inbox.closed = inbox.steered.is_empty();
        inbox.steered.pop_front()
    }

    /// Takes no more input; gives what is left.
    pub(crate) fn close(&self) -> Vec<Value> {
        let mut inbox = lock(&self.inbox);
        inbox.closed = true;
        inbox.steered.drain(..).collect()
    }

    pub(crate) fn ask(&self, question: &str) {
        lock(&self.inbox)
            .questions
            .insert(question.to_owned(), None);
    }

    /// Takes an answer. False if nobody asked, or it is answered already.
    pub(crate) fn answer(&self, question: &str, answer: Value) -> bool {
        let mut inbox = lock(&self.inbox);
        let open = match inbox.questions.get_mut(question) {
            Some(slot @ None) => {
                *slot = Some(answer);
                true
            }
            Some(Some(_)) | None => false,
        };
        self.changed.notify_all();
        open
    }

    /// Gives all open questions the same answer.
    pub(crate) fn answer_all(&self, answer: &Value) {
        for slot in lock(&self.inbox).questions.values_mut() {
            slot.get_or_insert_with(|| answer.clone());
        }
        self.changed.notify_all();
    }

    /// The questions without an answer; they are forgotten.
    pub(crate) fn withdraw(&self) -> Vec<String> {
        let mut inbox = lock(&self.inbox);
        let open: Vec<String> = inbox
            .questions
            .iter()
            .filter(|(_, answer)| answer.is_none())
            .map(|(question, _)| question.clone())
            .collect();
        inbox.questions.clear();
        open
    }

    pub(crate) fn wait_answer(&self, question: &str) -> Result<Value, Break> {
        let mut inbox = lock(&self.inbox);
        loop {
            if inbox.interrupted {
                return Err(Break::Interrupted);
            }
            if let Some(Some(answer)) = inbox.questions.get(question) {
                return Ok(answer.clone());
            }
            inbox = self.wait(inbox, None);
        }
    }

    /// Looks whether the turn may go on.
    pub(crate) fn check(&self) -> Result<(), Break> {
        Self::verdict(&lock(&self.inbox), true)
    }

    /// Waits, but not for steered input when a tool runs.
    pub(crate) fn pause(&self, duration: Duration, steerable: bool) -> Result<(), Break> {
        let end = Instant::now() + duration;
        let mut inbox = lock(&self.inbox);
        loop {
            Self::verdict(&inbox, steerable)?;
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            inbox = self.wait(inbox, Some(left));
        }
    }

    /// Waits until something breaks it.
    pub(crate) fn hang(&self) -> Break {
        let mut inbox = lock(&self.inbox);
        loop {
            if let Err(why) = Self::verdict(&inbox, true) {
                return why;
            }
            inbox = self.wait(inbox, None);
        }
    }

    fn verdict(inbox: &Inbox, steerable: bool) -> Result<(), Break> {
        if inbox.interrupted {
            Err(Break::Interrupted)
        } else if steerable && !inbox.steered.is_empty() {
            Err(Break::Steered)
        } else {
            Ok(())
        }
    }

    fn wait<'a>(
        &self,
        inbox: MutexGuard<'a, Inbox>,
        limit: Option<Duration>,
    ) -> MutexGuard<'a, Inbox> {
        match limit {
            None => self
                .changed
                .wait(inbox)
                .unwrap_or_else(std::sync::PoisonError::into_inner),
            Some(limit) => match self.changed.wait_timeout(inbox, limit) {
                Ok((inbox, _)) => inbox,
                Err(poisoned) => poisoned.into_inner().0,
            },
        }
    }
}
