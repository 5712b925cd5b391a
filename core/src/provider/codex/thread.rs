//! One conversation: a thread of the app-server, its turns, and its sub-agents.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::calls::{Call, Calls};
use super::failure::{one_line, start_kind};
use super::ledger::{Ledger, Scope};
use super::options::turn_params;
use super::turn::{HostTurn, Running, Stage, WireTurn, bare_end};
use super::usage::Meter;
use super::wire::RpcError;
use crate::config::PermissionMode;
use crate::error::ErrorKind;
use crate::event::Body;
use crate::ids::TurnId;
use crate::provider::{Conversation, Outcome, Output, SignalBody, TurnRef};

/// So many turns that are over are remembered, for what may still be said of them.
const REMEMBERED: usize = 32;
/// So often an interrupt is sent for one turn.
const INTERRUPT_TRIES: u8 = 3;

/// How far an interrupt is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Interrupt {
    None,
    /// Waits until the turn has started, or shows that it still runs.
    Wanted {
        tries: u8,
    },
    Sent {
        tries: u8,
    },
}

/// A sub-agent's thread.
#[derive(Debug)]
pub(super) struct Child {
    /// The tool call that started it.
    pub parent: Box<str>,
    /// The parent's turn that it works for.
    pub turn: TurnRef,
    pub ledger: Ledger,
    pub meter: Meter,
    /// Whether the tool call still waits for its result.
    pub open: bool,
    pub active: bool,
    /// The last that it said.
    pub said: String,
}

/// One conversation.
#[derive(Debug)]
pub(super) struct Thread {
    pub conversation: Conversation,
    pub id: Box<str>,
    pub model: Option<String>,
    mode: PermissionMode,
    host: Option<HostTurn>,
    pub running: Option<Running>,
    past: VecDeque<(Box<str>, TurnRef)>,
    agent_turns: u32,
    interrupt: Interrupt,
    pub ledger: Ledger,
    pub meter: Meter,
    pub children: HashMap<Box<str>, Child>,
    background: u32,
    /// The rate limits that were last shown.
    pub limits: String,
}

impl Thread {
    pub(super) fn new(
        conversation: Conversation,
        id: &str,
        mode: PermissionMode,
        model: Option<String>,
        meter: Meter,
    ) -> Self {
        Self {
            conversation,
            id: id.into(),
            model,
            mode,
            host: None,
            running: None,
            past: VecDeque::new(),
            agent_turns: 0,
            interrupt: Interrupt::None,
            ledger: Ledger::default(),
            meter,
            children: HashMap::new(),
            background: 0,
            limits: String::new(),
        }
    }

    /// The host wants a turn. Held while the agent has one of its own: sent then, it would only
    /// steer that one.
    pub(super) fn start(
        &mut self,
        turn: TurnId,
        text: Arc<str>,
        calls: &mut Calls,
        out: &mut Output,
    ) {
        let stage = Stage::Held(text);
        self.host = Some(HostTurn { turn, stage });
        self.send_held(calls, out);
    }

    fn send_held(&mut self, calls: &mut Calls, out: &mut Output) {
        if self.running.is_some() {
            return;
        }
        let Some(host) = &mut self.host else { return };
        let Stage::Held(text) = &host.stage else {
            return;
        };
        let text = Arc::clone(text);
        let params = turn_params(&self.id, &text, self.mode, self.model.as_deref());
        calls.write(
            Call::Turn(self.conversation, host.turn),
            "turn/start",
            &params,
            out,
        );
        host.stage = Stage::Sent(text);
    }

    /// `turn/start` was answered with a turn's id.
    pub(super) fn taken(&mut self, turn: TurnId, id: Option<&str>, out: &mut Output) {
        let over = id.is_some_and(|id| self.is_over(id));
        let Some(host) = self.host.as_mut().filter(|h| h.turn == turn) else {
            return;
        };
        if over {
            let message = "the message became part of a turn that was just over".to_owned();
            let code = ErrorKind::AgentError;
            self.host = None;
            self.end(TurnRef::Host(turn), Outcome::Failed { code, message }, out);
            return;
        }
        host.stage = Stage::Taken(id.map(Box::from));
        let joined = self
            .running
            .as_mut()
            .filter(|r| id.is_some_and(|id| r.is(id)));
        if let Some(running) = joined {
            // The agent had just begun a turn of its own, and the message became part of it: from
            // here on it is the host's.
            let own = std::mem::replace(&mut running.turn, TurnRef::Host(turn));
            self.host = None;
            self.end(own, Outcome::Completed, out);
        }
        self.say(TurnRef::Host(turn), SignalBody::Taken, out);
    }

    /// `turn/start` was refused.
    pub(super) fn not_taken(&mut self, turn: TurnId, error: &RpcError, out: &mut Output) {
        let Some(host) = self.host.as_mut().filter(|h| h.turn == turn) else {
            return;
        };
        if self.running.is_some()
            && error.message.contains("ActiveTurnNotSteerable")
            && let Stage::Sent(text) = &host.stage
        {
            host.stage = Stage::Held(Arc::clone(text));
            return;
        }
        self.host = None;
        self.interrupt = Interrupt::None;
        let code = start_kind(error.code);
        let message = one_line(&error.message);
        self.end(TurnRef::Host(turn), Outcome::Failed { code, message }, out);
    }

    /// A turn began.
    pub(super) fn started(&mut self, wire: &WireTurn<'_>, calls: &mut Calls, out: &mut Output) {
        let id = &*wire.id;
        if self.is_over(id) {
            return;
        }
        let root = wire.root_turn_id.as_deref();
        if let Some(running) = &mut self.running {
            if running.is(id) {
                return;
            }
            if root == Some(&*running.id) {
                running.inner = Some(id.into());
                self.resend_interrupt(calls, out);
                return;
            }
            let message = "the agent began another turn without ending this one".to_owned();
            let turn = running.turn;
            self.close(turn, out);
            let code = ErrorKind::AgentError;
            self.end(turn, Outcome::Failed { code, message }, out);
        }
        self.begin(id, out);
        self.resend_interrupt(calls, out);
    }

    /// Makes the turn of that id the running one: the host's if it is, else the agent's own.
    pub(super) fn begin(&mut self, id: &str, out: &mut Output) {
        let ours = match self.host.as_ref().map(|h| (&h.stage, h.turn)) {
            Some((Stage::Taken(Some(taken)), turn)) if **taken == *id => Some(turn),
            Some((Stage::Taken(None), turn)) => Some(turn),
            Some((Stage::Taken(Some(_)) | Stage::Held(_) | Stage::Sent(_), _)) | None => None,
        };
        let turn = if let Some(turn) = ours {
            self.host = None;
            TurnRef::Host(turn)
        } else {
            self.agent_turns += 1;
            TurnRef::Agent(self.agent_turns)
        };
        self.running = Some(Running::new(id, turn));
        if ours.is_none() {
            self.say(turn, SignalBody::AgentTurn, out);
        }
    }

    /// A turn is over, as the server says. Gives back which, so that its questions can be closed
    /// before [`Self::finish`] shows the end.
    pub(super) fn completing(&mut self, id: &str) -> Option<Running> {
        if self.running.as_ref().is_some_and(|r| r.is(id)) {
            return self.running.take();
        }
        let stage = self.host.as_ref().map(|h| (&h.stage, h.turn));
        let Some((Stage::Taken(Some(taken)), turn)) = stage else {
            return None;
        };
        if **taken != *id {
            return None;
        }
        self.host = None;
        Some(Running::new(id, TurnRef::Host(turn)))
    }

    /// Shows the end of a turn; then the host's waiting turn can go.
    pub(super) fn finish(
        &mut self,
        running: Running,
        wire: &WireTurn<'_>,
        calls: &mut Calls,
        out: &mut Output,
    ) {
        let turn = running.turn;
        self.past.push_back((running.id.clone(), turn));
        self.close(turn, out);
        let end = Box::new(running.end(wire, self.model.clone()));
        self.say(turn, SignalBody::Ended(end), out);
        self.send_held(calls, out);
    }

    /// What the end of a turn ends with it.
    fn close(&mut self, turn: TurnRef, out: &mut Output) {
        if let Some(running) = self.running.take() {
            self.past.push_back((running.id, running.turn));
        }
        while self.past.len() > REMEMBERED {
            self.past.pop_front();
        }
        self.interrupt = Interrupt::None;
        self.ledger.turn_over(turn);
        self.count_background(out);
    }

    /// The host wants the turn to end. A turn that waits for one of the agent's own was never sent
    /// and is over at once; the agent's own is interrupted too.
    pub(super) fn interrupt(&mut self, calls: &mut Calls, out: &mut Output) {
        if let Some(HostTurn {
            turn,
            stage: Stage::Held(_),
        }) = self.host
        {
            self.host = None;
            self.end(TurnRef::Host(turn), Outcome::Interrupted, out);
        }
        if self.running.is_none() && self.host.is_none() {
            return;
        }
        if self.interrupt == Interrupt::None {
            self.interrupt = Interrupt::Wanted { tries: 0 };
            self.resend_interrupt(calls, out);
        }
    }

    /// Sends an interrupt that waits, if a turn runs that can take it.
    pub(super) fn resend_interrupt(&mut self, calls: &mut Calls, out: &mut Output) {
        let Interrupt::Wanted { tries } = self.interrupt else {
            return;
        };
        let Some(running) = &self.running else { return };
        // While the host's turn is on its way, it is the one that is meant.
        if self.host.is_some() || tries >= INTERRUPT_TRIES {
            return;
        }
        let id = running.inner.as_ref().unwrap_or(&running.id);
        let params = serde_json::json!({"threadId": &*self.id, "turnId": &**id});
        calls.write(
            Call::Interrupt(self.conversation),
            "turn/interrupt",
            &params,
            out,
        );
        self.interrupt = Interrupt::Sent { tries: tries + 1 };
    }

    /// An interrupt was refused. Either the server names the id it wants, or it does not see the
    /// turn as running yet; then the next word of the turn shows that it does.
    pub(super) fn interrupt_refused(
        &mut self,
        error: &RpcError,
        calls: &mut Calls,
        out: &mut Output,
    ) {
        let Interrupt::Sent { tries } = self.interrupt else {
            return;
        };
        let Some(running) = &mut self.running else {
            self.interrupt = Interrupt::None;
            return;
        };
        self.interrupt = Interrupt::Wanted { tries };
        if let Some((_, found)) = error.message.split_once("but found ") {
            let found = found.trim_matches(|c: char| c == '`' || c.is_whitespace());
            running.inner = Some(found.into());
            self.resend_interrupt(calls, out);
        }
    }

    /// The turn of that id, running or over.
    pub(super) fn turn_of(&self, id: &str) -> TurnRef {
        if let Some(running) = self.running.as_ref().filter(|r| r.is(id)) {
            return running.turn;
        }
        if let Some((_, turn)) = self.past.iter().rev().find(|(past, _)| **past == *id) {
            return *turn;
        }
        match &self.host {
            Some(HostTurn {
                turn,
                stage: Stage::Taken(Some(taken)),
            }) if **taken == *id => TurnRef::Host(*turn),
            Some(_) | None => TurnRef::None,
        }
    }

    /// The agent itself, in a turn.
    pub(super) fn scope(&self, turn: TurnRef) -> Scope<'static> {
        Scope {
            conversation: self.conversation,
            turn,
            parent: None,
        }
    }

    fn is_over(&self, id: &str) -> bool {
        self.past.iter().any(|(past, _)| **past == *id)
    }

    /// Whether a turn runs, or is about to.
    pub(super) fn is_busy(&self) -> bool {
        self.running.is_some() || self.host.is_some()
    }

    /// The turn that runs.
    pub(super) fn current(&self) -> TurnRef {
        self.running.as_ref().map_or(TurnRef::None, |r| r.turn)
    }

    /// Says how much runs on outside of the running turn, if that changed.
    pub(super) fn count_background(&mut self, out: &mut Output) {
        let running = self.running.as_ref().map(|r| r.turn);
        let children = self.children.values();
        let children = children
            .filter(|c| c.active && Some(c.turn) != running)
            .count();
        let tasks = self.ledger.background(running) + children;
        let tasks = u32::try_from(tasks).unwrap_or(u32::MAX);
        if tasks != self.background {
            self.background = tasks;
            self.say(TurnRef::None, SignalBody::Background { tasks }, out);
        }
    }

    /// The result of the tool call that a sub-agent is, once.
    pub(super) fn child_over(&mut self, thread: &str, is_error: bool, out: &mut Output) {
        let Some(child) = self.children.get_mut(thread) else {
            return;
        };
        child.active = false;
        child.ledger.turn_over(child.turn);
        let turn = child.turn;
        if std::mem::replace(&mut child.open, false) {
            let result = Body::ToolResult {
                id: child.parent.to_string(),
                is_error,
                text: std::mem::take(&mut child.said),
                output: None,
                parent: None,
            };
            out.show(self.conversation, turn, result);
        }
        self.count_background(out);
    }

    fn end(&self, turn: TurnRef, outcome: Outcome, out: &mut Output) {
        self.say(turn, SignalBody::Ended(bare_end(outcome)), out);
    }

    fn say(&self, turn: TurnRef, body: SignalBody, out: &mut Output) {
        out.signal(self.conversation, turn, body);
    }
}
