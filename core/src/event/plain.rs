//! What an event says in plain fields, for surfaces that carry numbers and text.
//!
//! A new kind does not compile until someone has decided what it says here.

use crate::error::ErrorKind;
use crate::event::body::Body;
use crate::ids::RequestId;

impl Body {
    /// The text of it: the piece, the message, the reason. Empty where there is none.
    #[must_use]
    pub fn text(&self) -> &str {
        match self {
            Self::TextDelta { text, .. }
            | Self::ReasoningDelta { text, .. }
            | Self::Message { text, .. }
            | Self::ToolOutputDelta { text, .. }
            | Self::ToolResult { text, .. }
            | Self::Steered { text, .. } => text,
            Self::ToolUse { title, .. } | Self::RequestOpened { title, .. } => title,
            Self::Status { message, .. }
            | Self::Warning { message, .. }
            | Self::Downgraded { message, .. } => message,
            Self::TurnCompleted { result } | Self::TurnInterrupted { result } => &result.text,
            Self::TurnFailed { failure, .. } => &failure.message,
            Self::Recycled { reason } => reason,
            Self::SessionBound {
                provider_session_id,
                ..
            } => provider_session_id,
            Self::SessionOpened { provider } => provider,
            Self::TurnQueued { why, .. } => why.as_deref().unwrap_or_default(),
            Self::Plan { explanation, .. } => explanation.as_deref().unwrap_or_default(),
            Self::RateLimit { status, .. } => status.as_deref().unwrap_or_default(),
            Self::SessionClosed { .. }
            | Self::ProcessStarted { .. }
            | Self::ProcessStopped { .. }
            | Self::Evicted { .. }
            | Self::Spilled {}
            | Self::Restored {}
            | Self::SettingsChanged { .. }
            | Self::TurnStarted { .. }
            | Self::FileChange { .. }
            | Self::Usage { .. }
            | Self::ContextUsage { .. }
            | Self::Compaction { .. }
            | Self::RequestResolved { .. }
            | Self::Gap { .. }
            | Self::Unknown { .. } => "",
        }
    }

    /// Whether the kind and the text say all of it, so that nobody needs its JSON.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        match self {
            Self::TextDelta { parent, .. }
            | Self::ReasoningDelta { parent, .. }
            | Self::Message { parent, .. } => parent.is_none(),
            Self::SessionOpened { .. }
            | Self::Recycled { .. }
            | Self::Spilled {}
            | Self::Restored {} => true,
            Self::SessionBound { .. }
            | Self::SessionClosed { .. }
            | Self::ProcessStarted { .. }
            | Self::ProcessStopped { .. }
            | Self::Evicted { .. }
            | Self::Downgraded { .. }
            | Self::SettingsChanged { .. }
            | Self::TurnQueued { .. }
            | Self::Steered { .. }
            | Self::TurnStarted { .. }
            | Self::TurnCompleted { .. }
            | Self::TurnFailed { .. }
            | Self::TurnInterrupted { .. }
            | Self::ToolUse { .. }
            | Self::ToolOutputDelta { .. }
            | Self::ToolResult { .. }
            | Self::Plan { .. }
            | Self::FileChange { .. }
            | Self::Usage { .. }
            | Self::RateLimit { .. }
            | Self::ContextUsage { .. }
            | Self::Compaction { .. }
            | Self::Status { .. }
            | Self::Warning { .. }
            | Self::RequestOpened { .. }
            | Self::RequestResolved { .. }
            | Self::Gap { .. }
            | Self::Unknown { .. } => false,
        }
    }

    /// The host's own mark, in the events that tell what became of a message.
    #[must_use]
    #[expect(clippy::wildcard_enum_match_arm, reason = "these alone carry one")]
    pub const fn tag(&self) -> Option<u64> {
        match self {
            Self::TurnStarted { tag, .. }
            | Self::TurnQueued { tag, .. }
            | Self::Steered { tag, .. } => *tag,
            _ => None,
        }
    }

    /// The question that it is about.
    #[must_use]
    #[expect(clippy::wildcard_enum_match_arm, reason = "these alone are about one")]
    pub const fn request(&self) -> Option<RequestId> {
        match self {
            Self::RequestOpened { request, .. } | Self::RequestResolved { request, .. } => {
                Some(*request)
            }
            _ => None,
        }
    }

    /// Why it went wrong: of a failed turn, and of a downgrade.
    #[must_use]
    #[expect(clippy::wildcard_enum_match_arm, reason = "these alone went wrong")]
    pub fn error_kind(&self) -> Option<ErrorKind> {
        match self {
            Self::TurnFailed { failure, .. } => Some(failure.code),
            Self::Downgraded { reason, .. } => Some(*reason),
            _ => None,
        }
    }
}
