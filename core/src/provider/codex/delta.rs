//! Pieces of text, merged where many come in one read.

use super::ledger::Scope;
use super::wire::DeltaKind;
use crate::event::Body;
use crate::provider::{Output, Signal, SignalBody};

/// A merged piece is not longer than this, so that no host waits for a huge one.
const LONGEST: usize = 16 * 1024;

/// Remembers of which item the last piece was.
#[derive(Debug, Default)]
pub(super) struct Deltas {
    item: String,
}

impl Deltas {
    /// Shows a piece, as part of the one before it where nothing else was said in between.
    pub(super) fn show(
        &mut self,
        kind: DeltaKind,
        scope: Scope<'_>,
        item: &str,
        piece: &str,
        out: &mut Output,
    ) {
        if piece.is_empty() {
            return;
        }
        // The last piece in any output is the last one that came through here: if it is still the
        // last signal, `item` tells whose it is.
        if self.item == item
            && let Some(text) = open_end(kind, scope, out)
            && text.len() + piece.len() <= LONGEST
        {
            text.push_str(piece);
            return;
        }
        item.clone_into(&mut self.item);
        let text = piece.to_owned();
        let parent = scope.parent();
        let body = match kind {
            DeltaKind::Message => Body::TextDelta { text, parent },
            DeltaKind::Reasoning => Body::ReasoningDelta { text, parent },
            DeltaKind::ToolOutput => Body::ToolOutputDelta {
                id: item.to_owned(),
                text,
            },
        };
        scope.show(body, out);
    }

    /// The next piece starts a new one.
    pub(super) fn cut(&mut self) {
        self.item.clear();
    }
}

/// The text of the last signal, if it is a piece of that kind and scope.
fn open_end<'o>(kind: DeltaKind, scope: Scope<'_>, out: &'o mut Output) -> Option<&'o mut String> {
    let last: &mut Signal = out.signals.last_mut()?;
    if last.conversation != scope.conversation || last.turn != scope.turn {
        return None;
    }
    let SignalBody::Show(body) = &mut last.body else {
        return None;
    };
    let (found, text, parent) = if let Body::TextDelta { text, parent } = body {
        (DeltaKind::Message, text, parent.as_deref())
    } else if let Body::ReasoningDelta { text, parent } = body {
        (DeltaKind::Reasoning, text, parent.as_deref())
    } else if let Body::ToolOutputDelta { text, .. } = body {
        (DeltaKind::ToolOutput, text, scope.parent) // Its id says whose it is.
    } else {
        return None;
    };
    (found == kind && parent == scope.parent).then_some(text)
}
