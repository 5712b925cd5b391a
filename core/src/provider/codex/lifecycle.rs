//! Turns, items and sub-agents of the app-server, from their beginning to their end.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::item::{Item, Tool, read_item};
use super::ledger::{Ledger, Scope, tool_use};
use super::notification::show_unknown;
use super::server::{AppServer, Route};
use super::thread::Child;
use super::turn::WireTurn;
use super::usage::Meter;
use super::wire::{Delta, DeltaKind, Place, Text, read};
use crate::provider::{Conversation, Outcome, Output, TurnRef};

/// A stage of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Started,
    Completed,
}

impl AppServer {
    /// A delta whose line begins in another order than usual.
    pub(super) fn late_delta(
        &mut self,
        kind: DeltaKind,
        params: Option<&RawValue>,
        out: &mut Output,
    ) -> Option<()> {
        let delta: Delta<'_> = read(params)?;
        self.delta(kind, &delta, out);
        Some(())
    }

    pub(super) fn turn_started(
        &mut self,
        place: &Place<'_>,
        params: Option<&RawValue>,
        out: &mut Output,
    ) -> Option<()> {
        let turn = read::<Turn<'_>>(params)?.turn;
        let thread_id = place.thread_id.as_deref()?;
        self.adopt(thread_id, &turn);
        let Some((thread, route)) = self.at(thread_id, out) else {
            return Some(());
        };
        if !route.child {
            let (threads, calls) = (&mut self.threads, &mut self.calls);
            if let Some(thread) = threads.get_mut(&thread) {
                thread.started(&turn, calls, out);
                thread.count_background(out);
            }
        } else if let Some(thread) = self.threads.get_mut(&thread) {
            if let Some(child) = thread.children.get_mut(thread_id) {
                child.active = true;
                child.running = Some((&*turn.id).into());
            }
            thread.count_background(out);
        }
        Some(())
    }

    /// A thread that nobody opened begins a turn for a turn of ours: a sub-agent whose parent has
    /// not named it yet. Until it does, the thread's id stands for the tool call.
    fn adopt(&mut self, thread_id: &str, turn: &WireTurn<'_>) {
        if self.routes.contains_key(thread_id) {
            return;
        }
        let Some(root) = turn.root_turn_id.as_deref() else {
            return;
        };
        let parent = self
            .threads
            .values_mut()
            .find(|t| t.running.as_ref().is_some_and(|r| r.is(root)));
        let Some(parent) = parent else { return };
        let child = new_child(thread_id, parent.current(), false);
        parent.children.insert(thread_id.into(), child);
        let conversation = parent.conversation;
        self.routes.insert(
            thread_id.into(),
            Route {
                conversation,
                child: true,
            },
        );
    }

    pub(super) fn turn_completed(
        &mut self,
        place: &Place<'_>,
        params: Option<&RawValue>,
        out: &mut Output,
    ) -> Option<()> {
        let turn = read::<Turn<'_>>(params)?.turn;
        self.turn_over(place.thread_id.as_deref()?, &turn, out)
    }

    /// A turn of that thread is over.
    pub(super) fn turn_over(
        &mut self,
        thread_id: &str,
        turn: &WireTurn<'_>,
        out: &mut Output,
    ) -> Option<()> {
        let Some((conversation, route)) = self.at(thread_id, out) else {
            return Some(());
        };
        let thread = self.threads.get_mut(&conversation)?;
        if route.child {
            let failed = turn.outcome() != Outcome::Completed;
            thread.child_over(thread_id, failed, out);
        } else if let Some(running) = thread.completing(&turn.id) {
            self.questions.turn_over(conversation, running.turn, out);
            thread.finish(running, turn, &mut self.calls, out);
            self.close_if_left(conversation, out);
        }
        Some(())
    }

    pub(super) fn item(
        &mut self,
        stage: Stage,
        place: &Place<'_>,
        params: Option<&RawValue>,
        line: &str,
        out: &mut Output,
    ) -> Option<()> {
        #[derive(Deserialize)]
        struct Params<'a> {
            #[serde(borrow)]
            item: &'a RawValue,
        }
        let raw = read::<Params<'_>>(params)?.item;
        let (id, item) = read_item(raw)?;
        let thread_id = place.thread_id.as_deref()?;
        let turn_id = place.turn_id.as_deref()?;
        let Some((conversation, route)) = self.at(thread_id, out) else {
            return Some(());
        };
        self.cut_deltas();
        let thread = self.threads.get_mut(&conversation)?;
        let news = News {
            stage,
            id,
            item,
            line,
        };
        if route.child {
            let child = thread.children.get_mut(thread_id)?;
            child_item(conversation, child, news, out);
        } else {
            self.own_item(conversation, turn_id, news, out);
        }
        Some(())
    }

    /// An item of the agent itself.
    fn own_item(
        &mut self,
        conversation: Conversation,
        turn_id: &str,
        news: News<'_>,
        out: &mut Output,
    ) {
        let Some(thread) = self.threads.get_mut(&conversation) else {
            return;
        };
        let News {
            stage,
            id,
            item,
            line,
        } = news;
        // A review says this before it says that its turn has started.
        let reviewing = matches!(&item, Item::Status { state, .. } if *state == "reviewing");
        if reviewing && thread.running.is_none() {
            thread.begin(turn_id, out);
        }
        let open = thread.ledger.turn_of(&id);
        let turn = open.unwrap_or_else(|| thread.turn_of(turn_id));
        let scope = thread.scope(turn);
        match (stage, item) {
            (_, Item::Unknown) => show_unknown(scope, line, out),
            (Stage::Started, Item::User { mark: Some(mark) }) => thread.joined(turn, &mark, out),
            (
                _,
                Item::SubAgent {
                    activity,
                    thread: child,
                    tool,
                },
            ) => {
                self.sub_agent(scope, &id, &activity, &child, &tool, out);
                return;
            }
            (Stage::Started, item) => thread.ledger.started(scope, &id, item, out),
            (Stage::Completed, item) => {
                let said = thread.ledger.completed(scope, &id, item, out);
                if let (Some(said), Some(running)) = (said, &mut thread.running)
                    && running.turn == turn
                {
                    running.said(said);
                }
                thread.count_background(out);
            }
        }
        thread.resend_interrupt(&mut self.calls, out);
    }

    /// The parent tells of a sub-agent. Each word comes twice, as a start and as an end.
    fn sub_agent(
        &mut self,
        scope: Scope<'_>,
        id: &str,
        activity: &str,
        child_id: &str,
        tool: &Tool,
        out: &mut Output,
    ) {
        let Some(thread) = self.threads.get_mut(&scope.conversation) else {
            return;
        };
        match activity {
            "started" => {
                let known = thread
                    .children
                    .get(child_id)
                    .is_some_and(|c| *c.parent == *id);
                if known {
                    return;
                }
                scope.show(tool_use(&scope, id, tool), out);
                let child = thread.children.entry(child_id.into());
                let child = child.or_insert_with(|| new_child(id, scope.turn, true));
                child.parent = id.into();
                child.open = true;
                let conversation = scope.conversation;
                self.routes.insert(
                    child_id.into(),
                    Route {
                        conversation,
                        child: true,
                    },
                );
            }
            "interacted" => {
                if let Some(child) = thread.children.get_mut(child_id) {
                    child.turn = scope.turn;
                }
            }
            "interrupted" => thread.child_over(child_id, true, out),
            _ => thread.child_over(child_id, false, out),
        }
    }

    pub(super) fn reasoning_part(
        &mut self,
        params: Option<&RawValue>,
        out: &mut Output,
    ) -> Option<()> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Part<'a> {
            #[serde(borrow)]
            thread_id: Text<'a>,
            #[serde(borrow)]
            turn_id: Text<'a>,
            #[serde(borrow)]
            item_id: Text<'a>,
            #[serde(default)]
            summary_index: u64,
        }
        let part: Part<'_> = read(params)?;
        if part.summary_index > 0 {
            let delta = Delta {
                thread_id: part.thread_id,
                turn_id: part.turn_id,
                item_id: part.item_id,
                text: Text("\n\n".into()),
            };
            self.delta(DeltaKind::Reasoning, &delta, out);
        }
        Some(())
    }
}

/// The member of `turn/started` and `turn/completed`.
#[derive(Deserialize)]
struct Turn<'a> {
    #[serde(borrow)]
    turn: WireTurn<'a>,
}

fn new_child(parent: &str, turn: TurnRef, open: bool) -> Child {
    Child {
        parent: parent.into(),
        turn,
        ledger: Ledger::default(),
        meter: Meter::from_zero(),
        open,
        active: false,
        running: None,
        said: String::new(),
    }
}

/// What an item's notification says.
struct News<'a> {
    stage: Stage,
    id: String,
    item: Item,
    line: &'a str,
}

/// An item of a sub-agent.
fn child_item(conversation: Conversation, child: &mut Child, news: News<'_>, out: &mut Output) {
    let scope = Scope {
        conversation,
        turn: child.turn,
        parent: Some(&child.parent),
    };
    match (news.stage, news.item) {
        (_, Item::Unknown) => show_unknown(scope, news.line, out),
        (Stage::Started, item) => child.ledger.started(scope, &news.id, item, out),
        (Stage::Completed, item) => {
            if let Some(said) = child.ledger.completed(scope, &news.id, item, out) {
                child.said = said.text;
            }
        }
    }
}
