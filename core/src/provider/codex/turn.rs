//! One turn: what it has given so far, and its end.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::failure::TurnError;
use super::item::{Item, read_item};
use super::ledger::Said;
use super::usage::add;
use super::wire::Text;
use crate::error::ErrorKind;
use crate::event::{RawJson, Usage};
use crate::ids::TurnId;
use crate::message::Message;
use crate::provider::cut::unread;
use crate::provider::{Outcome, TurnEnd, TurnRef};

/// A turn as the server describes it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WireTurn<'a> {
    #[serde(borrow)]
    pub id: Text<'a>,
    /// The turn that this one serves: the outer one of a review, the parent's of a sub-agent.
    #[serde(borrow, default)]
    pub root_turn_id: Option<Text<'a>>,
    #[serde(borrow, default)]
    status: Option<Text<'a>>,
    #[serde(default)]
    error: Option<TurnError>,
    #[serde(default)]
    duration_ms: Option<u64>,
    #[serde(borrow, default)]
    items: Option<&'a RawValue>,
    /// The size of the line, if it was too long for more than the id.
    #[serde(skip)]
    lost: Option<usize>,
}

impl<'a> WireTurn<'a> {
    /// A turn of which nothing else could be read.
    pub(super) fn unread(id: &'a str, size: usize) -> Self {
        Self {
            id: Text(id.into()),
            root_turn_id: None,
            status: None,
            error: None,
            duration_ms: None,
            items: None,
            lost: Some(size),
        }
    }

    pub(super) fn outcome(&self) -> Outcome {
        if let Some(size) = self.lost {
            let code = ErrorKind::ProtocolError;
            let message = unread("the end of the turn", size);
            return Outcome::Failed { code, message };
        }
        match self.status.as_deref() {
            Some("completed") => Outcome::Completed,
            Some("interrupted") => Outcome::Interrupted,
            Some("failed") => self.error.as_ref().map_or_else(
                || Outcome::Failed {
                    code: ErrorKind::ModelError,
                    message: "the agent gave no reason".to_owned(),
                },
                TurnError::outcome,
            ),
            Some(_) | None => Outcome::Failed {
                code: ErrorKind::AgentError,
                message: "the agent ended the turn in a way that is not known".to_owned(),
            },
        }
    }

    /// The last message among the items that the server repeats.
    fn text(&self) -> Option<String> {
        let items: Vec<&RawValue> = serde_json::from_str(self.items?.get()).ok()?;
        items.iter().rev().find_map(|raw| match read_item(raw)?.1 {
            Item::Message { text, .. } => Some(text),
            Item::Silent
            | Item::User { .. }
            | Item::Reasoning { .. }
            | Item::Tool(_)
            | Item::Plan { .. }
            | Item::Compaction
            | Item::Status { .. }
            | Item::Warning(_)
            | Item::SubAgent { .. }
            | Item::Unknown => None,
        })
    }
}

/// A turn that runs.
#[derive(Debug)]
pub(super) struct Running {
    /// The id that items and the end of the turn carry.
    pub id: Box<str>,
    /// The id that an interrupt has to name, where it is another: in reviews.
    pub inner: Option<Box<str>>,
    pub turn: TurnRef,
    answer: Option<String>,
    commentary: Option<String>,
    pub usage: Option<Usage>,
    calls: u32,
    pub model: Option<String>,
    /// Whether the answer is to fit a schema.
    pub structured: bool,
}

impl Running {
    pub(super) fn new(id: &str, turn: TurnRef) -> Self {
        Self {
            id: id.into(),
            inner: None,
            turn,
            answer: None,
            commentary: None,
            usage: None,
            calls: 0,
            model: None,
            structured: false,
        }
    }

    pub(super) fn is(&self, id: &str) -> bool {
        *self.id == *id || self.inner.as_deref() == Some(id)
    }

    /// The agent itself said something whole.
    pub(super) fn said(&mut self, said: Said) {
        let slot = if said.commentary {
            &mut self.commentary
        } else {
            &mut self.answer
        };
        *slot = Some(said.text);
    }

    /// Tokens were used, in one call of the model.
    pub(super) fn used(&mut self, more: Usage) -> Usage {
        self.calls += 1;
        self.used_by_child(more)
    }

    /// Tokens were used by a sub-agent.
    pub(super) fn used_by_child(&mut self, more: Usage) -> Usage {
        let sum = self.usage.get_or_insert_default();
        add(sum, more);
        *sum
    }

    /// The end, where the server gives one.
    pub(super) fn end(self, wire: &WireTurn<'_>, model: Option<String>) -> TurnEnd {
        let outcome = wire.outcome();
        let text = self.answer.or_else(|| wire.text()).or(self.commentary);
        let answer = text.as_deref().filter(|_| self.structured);
        TurnEnd {
            structured: answer
                .filter(|_| outcome == Outcome::Completed)
                .and_then(|answer| serde_json::from_str::<Box<RawValue>>(answer).ok())
                .map(RawJson::from),
            outcome,
            text,
            stop_reason: wire
                .error
                .as_ref()
                .and_then(|e| e.word())
                .map(str::to_owned),
            usage: self.usage,
            cost_usd: None,
            model: self.model.or(model),
            agent_turns: (self.calls > 0).then_some(self.calls),
            duration: wire.duration_ms.map(Duration::from_millis),
        }
    }
}

/// The host's turn, from the request until it runs.
#[derive(Debug)]
pub(super) struct HostTurn {
    pub turn: TurnId,
    pub message: Arc<Message>,
    pub stage: Stage,
    /// Set when the host wants its end: whether its commands go on.
    pub interrupt: Option<bool>,
}

#[derive(Debug)]
pub(super) enum Stage {
    /// A turn of the agent's own runs: sent now, this one would become part of it.
    Held,
    /// Sent. It may have to be held after all.
    Sent,
    /// The server has it, under this id where it told one.
    Taken(Option<Box<str>>),
}

/// An end without any word of the server.
pub(super) fn bare_end(outcome: Outcome) -> Box<TurnEnd> {
    Box::new(TurnEnd {
        outcome,
        ..TurnEnd::default()
    })
}
