//! What an event counts towards a log's bound: what it holds in memory.
//!
//! Every text, every raw JSON and every list counts with its length, the event itself with its size.
//! Left out is only what an allocator adds, and room that a text keeps to grow.

use crate::event::{Body, Event, Failure, FileChange, PlanEntry, RawJson, TurnResult};
use crate::request::{Choice, Question};

/// What an event weighs beside its texts, JSON and lists: itself, behind a counted pointer.
const ENVELOPE: usize = size_of::<Event>() + 2 * size_of::<usize>();

/// The weight of an event with this body, in bytes.
///
/// Every member is named, so that the compiler asks about each new one.
pub(super) fn weight(body: &Body) -> usize {
    ENVELOPE
        + match body {
            // The most of it by far.
            Body::TextDelta { text, parent }
            | Body::ReasoningDelta { text, parent }
            | Body::Message { text, parent } => text.len() + optional(parent.as_deref()),
            Body::ToolOutputDelta { id, text } => id.len() + text.len(),
            Body::ToolUse { .. }
            | Body::ToolResult { .. }
            | Body::Plan { .. }
            | Body::FileChange { .. } => of_tool(body),
            Body::RequestOpened { .. } | Body::RequestResolved { .. } => of_request(body),
            Body::TurnCompleted { result } | Body::TurnInterrupted { result } => of_result(result),
            Body::TurnFailed { failure, result } => of_failure(failure) + of_result(result),
            Body::TurnQueued {
                position: _,
                tag: _,
                why,
            } => optional(why.as_deref()),
            Body::Steered { text, tag: _ } => text.len(),
            Body::SessionOpened { .. }
            | Body::SessionBound { .. }
            | Body::SessionClosed { .. }
            | Body::ProcessStarted { .. }
            | Body::ProcessStopped { .. }
            | Body::SettingsChanged { .. }
            | Body::Recycled { .. }
            | Body::Downgraded { .. } => of_session(body),
            Body::Warning { code: _, message } => message.len(),
            Body::Status { state, message } => state.len() + message.len(),
            Body::RateLimit {
                limit,
                status,
                used_percent: _,
                resets_at: _,
                raw,
            } => optional(limit.as_deref()) + optional(status.as_deref()) + raw.get().len(),
            Body::Usage { usage: _, parent } => optional(parent.as_deref()),
            Body::Unknown { raw } => raw.get().len(),
            Body::Evicted { reason: _ }
            | Body::Spilled {}
            | Body::Restored {}
            | Body::TurnStarted { origin: _, tag: _ }
            | Body::ContextUsage {
                used_tokens: _,
                window_tokens: _,
            }
            | Body::Compaction {
                phase: _,
                tokens_before: _,
                tokens_after: _,
            }
            | Body::Gap { first: _, last: _ } => 0,
        }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the caller sorts")]
fn of_session(body: &Body) -> usize {
    match body {
        Body::SessionOpened { provider } => provider.len(),
        Body::SessionBound {
            provider_session_id,
            model,
            resumed: _,
        } => provider_session_id.len() + optional(model.as_deref()),
        Body::ProcessStarted {
            process: _,
            pid: _,
            version,
            mode: _,
            resumed: _,
            containment: _,
            shared: _,
            start: _,
        } => optional(version.as_deref()),
        Body::SessionClosed { reason: _, left }
        | Body::ProcessStopped {
            process: _,
            reason: _,
            exit: _,
            left,
            runs_on: _,
        } => size_of_val(left.as_slice()),
        Body::SettingsChanged { settings, how: _ } => size_of_val(settings.as_slice()),
        Body::Recycled { reason } => reason.len(),
        Body::Downgraded { reason: _, message } => message.len(),
        _ => 0,
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the caller sorts")]
fn of_tool(body: &Body) -> usize {
    match body {
        Body::ToolUse {
            id,
            name,
            kind: _,
            title,
            input,
            parent,
        } => id.len() + name.len() + title.len() + input.get().len() + optional(parent.as_deref()),
        Body::ToolResult {
            id,
            is_error: _,
            text,
            output,
            parent,
        } => id.len() + text.len() + raw(output.as_ref()) + optional(parent.as_deref()),
        Body::Plan {
            entries,
            explanation,
        } => {
            let texts = entries
                .iter()
                .map(|PlanEntry { text, status: _ }| text.len());
            size_of_val(entries.as_slice())
                + texts.sum::<usize>()
                + optional(explanation.as_deref())
        }
        Body::FileChange { id, changes } => {
            let texts = changes.iter().map(of_change);
            size_of_val(changes.as_slice()) + texts.sum::<usize>() + id.len()
        }
        _ => 0,
    }
}

fn of_change(change: &FileChange) -> usize {
    let FileChange {
        path,
        kind: _,
        diff,
        moved_to,
    } = change;
    path.len() + diff.len() + optional(moved_to.as_deref())
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the caller sorts")]
fn of_request(body: &Body) -> usize {
    match body {
        Body::RequestOpened {
            request: _,
            kind: _,
            tool,
            title,
            decisions,
            questions,
            input,
            deadline_unix_ms: _,
            raw: said,
        } => {
            let texts = questions.iter().map(of_question);
            optional(tool.as_deref())
                + title.len()
                + size_of_val(decisions.as_slice())
                + size_of_val(questions.as_slice())
                + texts.sum::<usize>()
                + raw(input.as_ref())
                + said.get().len()
        }
        Body::RequestResolved {
            request: _,
            resolution: _,
            by: _,
            rule,
        } => optional(rule.as_deref()),
        _ => 0,
    }
}

fn of_question(question: &Question) -> usize {
    let Question {
        id,
        header,
        text,
        choices,
        several: _,
        free_text: _,
        secret: _,
    } = question;
    let texts = choices
        .iter()
        .map(|Choice { label, description }| label.len() + description.len());
    id.len() + header.len() + text.len() + size_of_val(choices.as_slice()) + texts.sum::<usize>()
}

fn of_result(result: &TurnResult) -> usize {
    let TurnResult {
        text,
        stop_reason,
        usage: _,
        structured,
        cost: _,
        model,
        agent_turns: _,
        duration: _,
        time_to_first_output: _,
        agent_duration: _,
    } = result;
    size_of_val(result)
        + text.len()
        + optional(stop_reason.as_deref())
        + raw(structured.as_ref())
        + optional(model.as_deref())
}

fn of_failure(failure: &Failure) -> usize {
    let Failure {
        code: _,
        message,
        exit: _,
        stderr,
    } = failure;
    size_of_val(failure) + message.len() + optional(stderr.as_deref())
}

fn optional(text: Option<&str>) -> usize {
    text.map_or(0, str::len)
}

fn raw(json: Option<&RawJson>) -> usize {
    json.map_or(0, |json| json.get().len())
}

#[cfg(test)]
#[path = "weight_tests.rs"]
mod tests;
