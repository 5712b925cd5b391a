//! One conversation: a thread of the app-server, its turns, and its sub-agents.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use serde_json::{Map, Value};

use super::calls::{Call, Calls};
use super::failure::{one_line, start_kind};
use super::input::input;
use super::interrupt::Interrupt;
use super::ledger::{Ledger, Scope};
use super::settings::Settings;
use super::steer::Steers;
use super::turn::{HostTurn, Running, Stage, WireTurn, bare_end};
use super::usage::Meter;
use super::wire::RpcError;
use crate::config::SessionOptions;
use crate::error::ErrorKind;
use crate::event::Body;
use crate::ids::TurnId;
use crate::message::Message;
use crate::provider::{Conversation, Outcome, Output, SignalBody, TurnRef};

/// So many turns that are over are remembered, for what may still be said of them.
const REMEMBERED: usize = 32;
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
    /// Its own turn, while one runs.
    pub running: Option<Box<str>>,
    /// The last that it said.
    pub said: String,
}

/// One conversation.
#[derive(Debug)]
pub(super) struct Thread {
    pub conversation: Conversation,
    pub id: Box<str>,
    pub options: Arc<SessionOptions>,
    pub settings: Settings,
    pub(super) host: Option<HostTurn>,
    pub running: Option<Running>,
    past: VecDeque<(Box<str>, TurnRef)>,
    agent_turns: u32,
    pub(super) interrupt: Interrupt,
    pub steers: Steers,
    pub ledger: Ledger,
    pub meter: Meter,
    pub children: HashMap<Box<str>, Child>,
    background: u32,
    /// Whether the session has left, and the thread is to be left as soon as its turn is over.
    pub leaving: bool,
    /// Tokens in the context, and how many fit, as last told.
    pub context: (u64, Option<u64>),
    /// The rate limits that were last shown.
    pub limits: String,
}

impl Thread {
    pub(super) fn new(
        conversation: Conversation,
        id: &str,
        options: Arc<SessionOptions>,
        settings: Settings,
        meter: Meter,
    ) -> Self {
        Self {
            conversation,
            id: id.into(),
            options,
            settings,
            host: None,
            running: None,
            past: VecDeque::new(),
            agent_turns: 0,
            interrupt: Interrupt::default(),
            steers: Steers::default(),
            ledger: Ledger::default(),
            meter,
            children: HashMap::new(),
            background: 0,
            leaving: false,
            context: (0, None),
            limits: String::new(),
        }
    }

    /// The host wants a turn. Held while the agent has one of its own: sent then, it would only
    /// steer that one.
    pub(super) fn start(
        &mut self,
        turn: TurnId,
        message: Arc<Message>,
        calls: &mut Calls,
        out: &mut Output,
    ) {
        let stage = Stage::Held;
        self.host = Some(HostTurn {
            turn,
            message,
            stage,
            interrupt: None,
        });
        self.send_held(calls, out);
    }

    fn send_held(&mut self, calls: &mut Calls, out: &mut Output) {
        if self.running.is_some() {
            return;
        }
        let Some(host) = &mut self.host else { return };
        let Stage::Held = &host.stage else { return };
        let turn = host.turn;
        let input = match input(&host.message) {
            Ok(input) => input,
            Err(message) => {
                let code = ErrorKind::Unsupported;
                self.host = None;
                self.end(TurnRef::Host(turn), Outcome::Failed { code, message }, out);
                return;
            }
        };
        let mut params = Map::new();
        params.insert("threadId".into(), (&*self.id).into());
        params.insert("input".into(), input);
        if let Some(schema) = &host.message.output_schema {
            let schema: Value = serde_json::from_str(schema.get()).unwrap_or_default();
            params.insert("outputSchema".into(), schema);
        }
        self.settings.turn_members(&mut params);
        host.stage = Stage::Sent;
        let call = Call::Turn(self.conversation, turn);
        calls.write(call, "turn/start", &params, out);
    }

    /// `turn/start` was answered with a turn's id.
    pub(super) fn taken(
        &mut self,
        turn: TurnId,
        id: Option<&str>,
        calls: &mut Calls,
        out: &mut Output,
    ) {
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
        let structured = host.message.output_schema.is_some();
        let interrupt = host.interrupt;
        host.stage = Stage::Taken(id.map(Box::from));
        let joined = self
            .running
            .as_mut()
            .filter(|r| id.is_some_and(|id| r.is(id)));
        if let Some(running) = joined {
            // The agent had just begun a turn of its own, and the message became part of it: from
            // here on it is the host's.
            let own = std::mem::replace(&mut running.turn, TurnRef::Host(turn));
            running.structured = structured;
            self.host = None;
            self.interrupt = Interrupt::wanted(interrupt);
            self.end(own, Outcome::Completed, out);
        }
        self.say(TurnRef::Host(turn), SignalBody::Taken, out);
        if let Some(id) = id {
            self.send_steers(id, calls, out);
        }
    }

    /// Tells the host the agent's id of a turn, by which it can be taken back. Not before its end:
    /// until the model speaks, nothing of a turn is shown.
    fn name_turn(&self, turn: TurnRef, id: &str, out: &mut Output) {
        let (state, message) = ("turn_id".to_owned(), id.to_owned());
        out.show(self.conversation, turn, Body::Status { state, message });
    }

    /// `turn/start` was refused.
    pub(super) fn not_taken(&mut self, turn: TurnId, error: &RpcError, out: &mut Output) {
        let Some(host) = self.host.as_mut().filter(|h| h.turn == turn) else {
            return;
        };
        // A review or a compaction runs, or is just about to: this turn goes when that is over.
        if error.message.contains("ActiveTurnNotSteerable") {
            host.stage = Stage::Held;
            self.end_if_held(out);
            return;
        }
        self.host = None;
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
        if matches!(self.current(), TurnRef::Host(_)) {
            self.send_steers(id, calls, out);
        }
        self.resend_interrupt(calls, out);
    }

    /// Makes the turn of that id the running one: the host's if it is, else the agent's own.
    pub(super) fn begin(&mut self, id: &str, out: &mut Output) {
        let host = self.host.take_if(|host| match &host.stage {
            Stage::Taken(Some(taken)) => **taken == *id,
            Stage::Taken(None) => true,
            Stage::Held | Stage::Sent => false,
        });
        let Some(host) = host else {
            self.agent_turns += 1;
            let turn = TurnRef::Agent(self.agent_turns);
            self.running = Some(Running::new(id, turn));
            self.say(turn, SignalBody::AgentTurn, out);
            return;
        };
        let turn = TurnRef::Host(host.turn);
        let mut running = Running::new(id, turn);
        running.structured = host.message.output_schema.is_some();
        self.running = Some(running);
        self.interrupt = Interrupt::wanted(host.interrupt);
    }

    /// A turn is over, as the server says. Gives back which, so that its questions can be closed
    /// before [`Self::finish`] shows the end.
    pub(super) fn completing(&mut self, id: &str) -> Option<Running> {
        if self.running.as_ref().is_some_and(|r| r.is(id)) {
            return self.running.take();
        }
        let is_it = |host: &mut HostTurn| match &host.stage {
            Stage::Taken(Some(taken)) => **taken == *id,
            Stage::Taken(None) | Stage::Held | Stage::Sent => false,
        };
        let host = self.host.take_if(is_it)?;
        self.interrupt = Interrupt::wanted(host.interrupt);
        let mut running = Running::new(id, TurnRef::Host(host.turn));
        running.structured = host.message.output_schema.is_some();
        Some(running)
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
        let stop = self.interrupt.stops_commands(&wire.outcome());
        self.close(turn, out);
        if stop {
            self.stop_commands(calls, out);
        }
        self.refuse_steers(turn, out);
        self.name_turn(turn, &running.id, out);
        let end = Box::new(running.end(wire, self.settings.model.clone()));
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
        self.interrupt = Interrupt::default();
        self.ledger.turn_over(turn);
        self.count_background(out);
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
                ..
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

    /// Whether anything runs on outside of the running turn.
    pub(super) fn has_background(&self) -> bool {
        self.background > 0
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
        child.running = None;
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

    pub(super) fn end(&mut self, turn: TurnRef, outcome: Outcome, out: &mut Output) {
        self.refuse_steers(turn, out);
        self.say(turn, SignalBody::Ended(bare_end(outcome)), out);
    }

    pub(super) fn say(&self, turn: TurnRef, body: SignalBody, out: &mut Output) {
        out.signal(self.conversation, turn, body);
    }
}
