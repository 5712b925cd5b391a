//! Every event that a host can see.
//!
//! [`Event`] is the envelope, [`Body`] what happened, [`EventKind`] its stable number and name.

mod body;
mod kind;
mod outcome;
mod plain;
mod raw;
mod words;

pub use body::{Body, FileChange, PlanEntry};
pub use kind::EventKind;
pub use outcome::{Cost, Exit, Failure, TurnResult, Usage};
pub use raw::RawJson;
pub use words::{
    Changed, CloseReason, CompactionPhase, EvictionReason, FileChangeKind, PlanStatus, RequestKind,
    Resolution, ResolvedBy, StopReason, ToolKind, TurnOrigin, WarningCode,
};

use std::time::{SystemTime, UNIX_EPOCH};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ids::{SessionId, TurnId};

/// One thing that happened in a session.
///
/// As JSON the envelope and the body are one flat object whose `type` is the name of the kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Event {
    /// The session it happened in.
    pub session: SessionId,
    /// 1, 2, 3 … within the session, without a gap. 0 only for [`Body::Gap`], which stands in a
    /// reader's stream and not in the session's log.
    pub seq: u64,
    /// The turn it belongs to, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn: Option<TurnId>,
    /// When it was recorded: nanoseconds since the Unix epoch, by the wall clock.
    pub time_unix_ns: i64,
    /// What happened.
    #[serde(flatten)]
    pub body: Body,
}

impl Event {
    /// The stable kind of this event.
    #[must_use]
    pub fn kind(&self) -> EventKind {
        self.body.kind()
    }

    /// Whether this is the one end of its turn.
    #[must_use]
    pub fn is_turn_end(&self) -> bool {
        self.kind().is_turn_end()
    }

    /// The event as one JSON object.
    ///
    /// # Errors
    ///
    /// Never for events of this library: every body has a JSON form.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self)
    }
}

/// Nanoseconds since the Unix epoch. A clock before 1970 counts as 1970.
pub(crate) fn unix_now() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}
