//! Which items of a thread are open, and what was said of them.
//!
//! The agent may complete what it never started, start twice, and never complete what it started.
//! A host sees each tool used once and its result once.

use std::collections::HashMap;

use super::item::{Item, Progress, Tool};
use crate::event::{Body, CompactionPhase, WarningCode};
use crate::provider::cut::unread;
use crate::provider::{Conversation, Output, TurnRef};

/// Whose word an item is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scope<'a> {
    pub conversation: Conversation,
    pub turn: TurnRef,
    /// The tool call of the sub-agent that says it.
    pub parent: Option<&'a str>,
}

impl Scope<'_> {
    /// Shows an event of this scope.
    pub(super) fn show(&self, body: Body, out: &mut Output) {
        out.show(self.conversation, self.turn, body);
    }

    /// The owner as events carry it.
    pub(super) fn parent(&self) -> Option<Box<str>> {
        self.parent.map(Box::from)
    }
}

/// A whole message of the agent.
pub(super) struct Said {
    pub text: String,
    pub commentary: bool,
}

/// An item that was started and not completed.
#[derive(Debug)]
struct Open {
    turn: TurnRef,
    what: What,
    /// The files that it is about.
    paths: Vec<String>,
}

#[derive(Debug, PartialEq, Eq)]
enum What {
    /// A tool. Live: a process runs that the end of the turn does not end.
    Tool { live: bool },
    /// Reasoning, and whether pieces of it were shown.
    Reasoning { shown: bool },
    /// Anything else.
    Other,
}

/// The open items of one thread.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    open: HashMap<Box<str>, Open>,
}

impl Ledger {
    /// An item begins.
    pub(super) fn started(&mut self, scope: Scope<'_>, id: &str, item: Item, out: &mut Output) {
        if self.open.contains_key(id) {
            return;
        }
        let mut paths = Vec::new();
        let what = match item {
            Item::Tool(tool) => {
                let live = tool.live;
                for change in &tool.changes {
                    paths.push(change.path.clone());
                    paths.extend(change.moved_to.clone());
                }
                scope.show(tool_use(&scope, id, &tool), out);
                What::Tool { live }
            }
            Item::Reasoning { .. } => What::Reasoning { shown: false },
            Item::Compaction => {
                let phase = CompactionPhase::Started;
                scope.show(compaction(phase), out);
                What::Other
            }
            Item::Plan {
                entries,
                explanation,
            } if !entries.is_empty() => {
                scope.show(
                    Body::Plan {
                        entries,
                        explanation,
                    },
                    out,
                );
                What::Other
            }
            Item::Plan { .. } => {
                let state = "planning".to_owned();
                let message = String::new();
                scope.show(Body::Status { state, message }, out);
                What::Other
            }
            Item::Status { state, message } => {
                let state = state.to_owned();
                scope.show(Body::Status { state, message }, out);
                What::Other
            }
            Item::Silent
            | Item::User { .. }
            | Item::Message { .. }
            | Item::Warning(_)
            | Item::SubAgent { .. }
            | Item::Unknown => return,
        };
        let turn = scope.turn;
        self.open.insert(id.into(), Open { turn, what, paths });
    }

    /// An item is whole. Gives back what the agent said, if it is a message.
    pub(super) fn completed(
        &mut self,
        scope: Scope<'_>,
        id: &str,
        item: Item,
        out: &mut Output,
    ) -> Option<Said> {
        let open = self.open.remove(id);
        match item {
            Item::Message { text, commentary } => {
                let parent = scope.parent();
                let said = Said {
                    text: text.clone(),
                    commentary,
                };
                if !text.is_empty() {
                    scope.show(Body::Message { text, parent }, out);
                }
                return Some(said);
            }
            Item::Reasoning { text } => {
                let shown = open.is_some_and(|o| o.what == What::Reasoning { shown: true });
                if !shown && !text.is_empty() {
                    let parent = scope.parent();
                    scope.show(Body::ReasoningDelta { text, parent }, out);
                }
            }
            Item::Tool(tool) => {
                if open.is_none() {
                    scope.show(tool_use(&scope, id, &tool), out);
                }
                tool_result(&scope, id, *tool, out);
            }
            Item::Plan {
                entries,
                explanation,
            } => {
                scope.show(
                    Body::Plan {
                        entries,
                        explanation,
                    },
                    out,
                );
            }
            Item::Compaction => scope.show(compaction(CompactionPhase::Completed), out),
            Item::Warning(message) => {
                let code = WarningCode::Agent;
                scope.show(Body::Warning { code, message }, out);
            }
            Item::Status { state, message } if open.is_none() => {
                let state = state.to_owned();
                scope.show(Body::Status { state, message }, out);
            }
            Item::Status { .. }
            | Item::Silent
            | Item::User { .. }
            | Item::SubAgent { .. }
            | Item::Unknown => {}
        }
        None
    }

    /// What completes an item is too long to be read.
    pub(super) fn unread(&mut self, scope: Scope<'_>, id: &str, size: usize, out: &mut Output) {
        let open = self.open.remove(id);
        if matches!(
            open,
            Some(Open {
                what: What::Tool { .. },
                ..
            })
        ) {
            let result = Body::ToolResult {
                id: id.to_owned(),
                is_error: false,
                text: unread("the result", size),
                output: None,
                parent: scope.parent(),
            };
            scope.show(result, out);
        }
    }

    /// An item changed. Only plans do, in `codex exec`.
    pub(super) fn updated(scope: Scope<'_>, item: Item, out: &mut Output) {
        if let Item::Plan {
            entries,
            explanation,
        } = item
        {
            scope.show(
                Body::Plan {
                    entries,
                    explanation,
                },
                out,
            );
        }
    }

    /// Pieces of this reasoning item were shown.
    pub(super) fn reasoning_shown(&mut self, id: &str) {
        if let Some(open) = self.open.get_mut(id)
            && let What::Reasoning { shown } = &mut open.what
        {
            *shown = true;
        }
    }

    /// A tool gave output: its process runs.
    pub(super) fn output_shown(&mut self, id: &str) {
        if let Some(open) = self.open.get_mut(id)
            && let What::Tool { live } = &mut open.what
        {
            *live = true;
        }
    }

    /// The turn is over: forgets its open items but those that run on.
    pub(super) fn turn_over(&mut self, turn: TurnRef) {
        self.open
            .retain(|_, open| open.turn != turn || open.what == What::Tool { live: true });
    }

    /// How many tools run that do not belong to this turn.
    pub(super) fn background(&self, running: Option<TurnRef>) -> usize {
        let live = |open: &&Open| open.what == What::Tool { live: true };
        let old = |open: &&Open| Some(open.turn) != running;
        self.open.values().filter(live).filter(old).count()
    }

    /// The agent told which tools still run. Those of turns that are over and that it does not
    /// name do not run any more, even if it never says so.
    pub(super) fn run_on(&mut self, running: Option<TurnRef>, listed: &[&str]) {
        for (id, open) in &mut self.open {
            if let What::Tool { live } = &mut open.what
                && Some(open.turn) != running
                && !listed.contains(&&**id)
            {
                *live = false;
            }
        }
    }

    /// The files that an open item is about.
    pub(super) fn paths_of(&self, id: &str) -> Vec<String> {
        self.open
            .get(id)
            .map(|o| o.paths.clone())
            .unwrap_or_default()
    }

    /// The turn in which an open item was started.
    pub(super) fn turn_of(&self, id: &str) -> Option<TurnRef> {
        self.open.get(id).map(|open| open.turn)
    }
}

/// The use of a tool as an event.
pub(super) fn tool_use(scope: &Scope<'_>, id: &str, tool: &Tool) -> Body {
    Body::ToolUse {
        id: id.to_owned(),
        name: tool.name.clone(),
        kind: tool.kind,
        title: tool.title.clone(),
        input: tool.input.clone(),
        parent: scope.parent(),
    }
}

/// Shows the end of a tool, and before it what it changed.
fn tool_result(scope: &Scope<'_>, id: &str, tool: Tool, out: &mut Output) {
    let id = id.to_owned();
    if tool.progress == Progress::Done && !tool.changes.is_empty() {
        let id = id.clone();
        let changes = tool.changes;
        scope.show(Body::FileChange { id, changes }, out);
    }
    let result = Body::ToolResult {
        id,
        is_error: tool.progress == Progress::Failed,
        text: tool.text,
        output: tool.output,
        parent: scope.parent(),
    };
    scope.show(result, out);
}

fn compaction(phase: CompactionPhase) -> Body {
    Body::Compaction {
        phase,
        tokens_before: None,
        tokens_after: None,
    }
}
