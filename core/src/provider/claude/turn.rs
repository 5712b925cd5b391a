//! Which turn a line belongs to.
//!
//! The host has at most one turn here at a time: *waiting* until the agent picks it up, then
//! *running*. The agent may run turns of its own before, between and after. Results are matched by
//! the uuid of the host's message where the agent repeats it, by the order of lines otherwise;
//! they are never counted.

use std::collections::{HashSet, VecDeque};

use crate::ids::TurnId;
use crate::provider::claude::wire::Text;
use crate::provider::{Conversation, Outcome, Output, SignalBody, TurnEnd, TurnRef};

/// How many ended host turns are remembered, to know their late results.
const REMEMBERED: usize = 8;

/// How far an interrupt of a turn is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Interrupt {
    #[default]
    No,
    Wanted,
    Sent,
}

/// A turn of the host.
#[derive(Debug)]
struct HostTurn {
    id: TurnId,
    uuid: String,
    taken: bool,
    interrupt: Interrupt,
}

/// The turn that the agent works on.
#[derive(Debug)]
struct Running {
    who: Who,
    /// The agent named the host's message, so it is that turn and no other.
    confirmed: bool,
    /// The agent began the work and not only announced it.
    working: bool,
    /// Its tool calls: sub-agents name one of them as their parent.
    tools: HashSet<Box<str>>,
    /// The agent itself said that it was interrupted.
    aborted: bool,
    interrupt: Interrupt,
}

#[derive(Debug)]
enum Who {
    Host(HostTurn),
    Agent(u32),
}

/// What a result ends.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The running turn.
    Running,
    /// Nothing: the turn is over, or never was.
    Nothing,
}

/// How a turn stood when it ended.
#[derive(Debug)]
pub(super) struct Ending {
    pub turn: TurnRef,
    /// The host or the agent interrupted it.
    pub interrupt_sent: bool,
    pub aborted: bool,
}

/// The turns of the one conversation.
#[derive(Debug)]
pub(super) struct Turns {
    conversation: Conversation,
    running: Option<Running>,
    waiting: Option<HostTurn>,
    last: TurnRef,
    /// The agent says which message it begins with, so that nothing else begins a turn.
    named: bool,
    /// The agent says which messages it put into its queue.
    queues: bool,
    over: VecDeque<String>,
    own_count: u32,
    /// The last interrupt leaves commands running.
    pub keep_commands: bool,
}

impl Turns {
    pub(super) fn new(conversation: Conversation) -> Self {
        Self {
            conversation,
            running: None,
            waiting: None,
            last: TurnRef::None,
            named: false,
            queues: false,
            over: VecDeque::new(),
            own_count: 0,
            keep_commands: false,
        }
    }

    pub(super) fn set_conversation(&mut self, conversation: Conversation) {
        self.conversation = conversation;
    }

    /// The host's turn is on its way.
    pub(super) fn send(&mut self, id: TurnId, uuid: String) {
        self.waiting = Some(HostTurn {
            id,
            uuid,
            taken: false,
            interrupt: Interrupt::No,
        });
    }

    /// The running turn, or none.
    pub(super) fn running(&self) -> TurnRef {
        self.running.as_ref().map_or(TurnRef::None, Running::turn)
    }

    /// The turn of what the agent itself says: the running one, or the last if it is over.
    pub(super) fn speaker(&self) -> TurnRef {
        self.running.as_ref().map_or(self.last, Running::turn)
    }

    /// The turn of what a sub-agent says: the running one if that started it. A sub-agent of an
    /// earlier turn speaks in none.
    pub(super) fn of_parent(&self, parent: &str) -> TurnRef {
        match &self.running {
            Some(running) if running.tools.contains(parent) => running.turn(),
            Some(_) | None => TurnRef::None,
        }
    }

    pub(super) fn add_tool(&mut self, turn: TurnRef, id: &str) {
        if let Some(running) = self.running.as_mut().filter(|r| r.turn() == turn) {
            running.tools.insert(id.into());
        }
    }

    /// The agent says that it works on `uuids`; none for a turn of its own or in old versions.
    /// `owed`: a turn of the agent's own is due.
    pub(super) fn init(&mut self, uuids: &[Text<'_>], owed: bool, out: &mut Output) {
        if self.waiting_is_in(uuids) {
            self.begin_waiting(true, out);
        } else if self.running.is_none() {
            // An agent that tells of its queue tells of each message before it begins with it. If it
            // has not, then it may not even have read the message.
            if self.waiting.is_some() && uuids.is_empty() && !owed && !self.queues {
                self.begin_waiting(false, out);
            } else {
                self.begin_agent(out);
            }
        }
        self.working();
    }

    /// Whether these messages are all of somebody else.
    pub(super) fn is_foreign(&self, uuids: &[Text<'_>]) -> bool {
        let running = self
            .running
            .as_ref()
            .and_then(|running| match &running.who {
                Who::Host(host) => Some(host),
                Who::Agent(_) => None,
            });
        let current = running.into_iter().chain(&self.waiting);
        let ours: Vec<_> = current.map(|host| &host.uuid).chain(&self.over).collect();
        let is_ours = |uuid: &Text<'_>| ours.iter().any(|known| ***known == **uuid);
        !uuids.is_empty() && !uuids.iter().any(is_ours)
    }

    /// Something happens that only happens in a turn.
    pub(super) fn sign(&mut self, out: &mut Output) {
        if self.running.is_none() && self.waiting.is_some() && !self.named {
            self.begin_waiting(false, out);
        }
        self.working();
    }

    fn working(&mut self) {
        if let Some(running) = &mut self.running {
            running.working = true;
        }
    }

    /// The agent has the host's message in its queue.
    pub(super) fn queued(&mut self, uuid: &str, out: &mut Output) {
        self.queues = true;
        // What began before was not this turn, then.
        let mistaken = matches!(&self.running,
            Some(Running { who: Who::Host(host), confirmed: false, .. }) if host.uuid == uuid);
        if mistaken {
            self.hand_back();
            self.begin_agent(out);
        }
        if let Some(host) = self.waiting.as_mut().filter(|host| host.uuid == uuid) {
            take(self.conversation, host, out);
        }
    }

    /// The agent reads the host's message: at the start of a turn, or in the middle of its own.
    pub(super) fn started(&mut self, uuid: &str, out: &mut Output) {
        self.named = true;
        if self.waiting.as_ref().is_some_and(|host| host.uuid == uuid) {
            self.begin_waiting(true, out);
        } else if let Some(running) = &mut self.running
            && matches!(&running.who, Who::Host(host) if host.uuid == uuid)
        {
            running.confirmed = true;
        }
    }

    /// The agent dropped the host's message.
    pub(super) fn cancelled(&mut self, uuid: &str, out: &mut Output) {
        if let Some(host) = self.waiting.take_if(|host| host.uuid == uuid) {
            self.remember(&host);
            let end = TurnEnd {
                outcome: Outcome::Interrupted,
                ..TurnEnd::default()
            };
            let body = SignalBody::Ended(Box::new(end));
            out.signal(self.conversation, TurnRef::Host(host.id), body);
        }
    }

    /// The agent's own note in the conversation that it was interrupted.
    pub(super) fn aborted(&mut self) {
        if let Some(running) = &mut self.running {
            running.aborted = true;
        }
    }

    /// What a result ends. `own`: the agent says that it started the turn itself.
    pub(super) fn judge(&mut self, uuids: &[Text<'_>], own: bool, out: &mut Output) -> Verdict {
        if self.waiting_is_in(uuids) {
            self.begin_waiting(true, out);
        }
        let Some(running) = &self.running else {
            return Verdict::Nothing;
        };
        match &running.who {
            Who::Host(_) if uuids.is_empty() && own && !running.confirmed => {
                self.hand_back();
                Verdict::Nothing
            }
            Who::Host(host) => {
                let named = uuids.is_empty() || uuids.iter().any(|uuid| **uuid == *host.uuid);
                if named {
                    Verdict::Running
                } else {
                    Verdict::Nothing
                }
            }
            Who::Agent(_) => {
                let late = uuids
                    .iter()
                    .any(|uuid| self.over.iter().any(|o| *o == **uuid));
                if late {
                    Verdict::Nothing
                } else {
                    Verdict::Running
                }
            }
        }
    }

    /// Ends the running turn and says how it stood.
    pub(super) fn end(&mut self) -> Option<Ending> {
        let running = self.running.take()?;
        let turn = running.turn();
        self.last = turn;
        if let Who::Host(host) = &running.who {
            self.remember(host);
        }
        Some(Ending {
            turn,
            interrupt_sent: running.interrupt == Interrupt::Sent,
            aborted: running.aborted,
        })
    }

    /// Takes the turn that the agent will never begin.
    pub(super) fn give_up_waiting(&mut self) -> Option<TurnRef> {
        let host = self.waiting.take()?;
        self.remember(&host);
        self.last = TurnRef::Host(host.id);
        Some(self.last)
    }

    /// The host wants that turn to end, and no other. Gives back the message that is to be taken out of
    /// the agent's queue, where it stands behind a turn of the agent's own; one that the agent takes
    /// up all the same is interrupted then.
    pub(super) fn want_interrupt(&mut self, turn: TurnRef, keep_commands: bool) -> Option<String> {
        let running = self.running.as_mut().filter(|r| r.turn() == turn);
        let waiting = self.waiting.as_mut();
        let waiting = waiting.filter(|host| TurnRef::Host(host.id) == turn);
        let uuid = waiting.as_ref().map(|host| host.uuid.clone());
        let interrupt = match (running, waiting) {
            (Some(running), _) => &mut running.interrupt,
            (None, Some(host)) => &mut host.interrupt,
            (None, None) => return None,
        };
        self.keep_commands = keep_commands;
        if *interrupt != Interrupt::No {
            return None;
        }
        *interrupt = Interrupt::Wanted;
        uuid.filter(|_| self.running.is_some())
    }

    /// Whether the host's turn is sent and not over.
    pub(super) fn is_open(&self, turn: TurnId) -> bool {
        let waits = self.waiting.as_ref().is_some_and(|host| host.id == turn);
        waits || self.running() == TurnRef::Host(turn)
    }

    /// Whether the running turn may get more messages.
    pub(super) fn takes_more(&self) -> bool {
        let running = self.running.as_ref();
        running.is_some_and(|running| running.interrupt == Interrupt::No)
    }

    /// A turn begins that this codec started for the host.
    pub(super) fn begin_own(&mut self, out: &mut Output) {
        if self.running.is_none() {
            self.begin_agent(out);
        }
    }

    /// Whether an interrupt is to be written now. Says so once for each turn.
    pub(super) fn take_interrupt(&mut self) -> bool {
        let Some(running) = &mut self.running else {
            return false;
        };
        let now = running.working && running.interrupt == Interrupt::Wanted;
        if now {
            running.interrupt = Interrupt::Sent;
        }
        now
    }

    fn waiting_is_in(&self, uuids: &[Text<'_>]) -> bool {
        self.waiting
            .as_ref()
            .is_some_and(|host| uuids.iter().any(|uuid| **uuid == *host.uuid))
    }

    fn begin_waiting(&mut self, confirmed: bool, out: &mut Output) {
        let Some(mut host) = self.waiting.take() else {
            return;
        };
        // The agent took the message into a turn of its own: from here on it is the host's, and
        // there will be one result for both.
        if let Some(ending) = self.end() {
            let body = SignalBody::Ended(Box::default());
            out.signal(self.conversation, ending.turn, body);
        }
        take(self.conversation, &mut host, out);
        self.running = Some(Running {
            interrupt: host.interrupt,
            who: Who::Host(host),
            confirmed,
            working: false,
            tools: HashSet::new(),
            aborted: false,
        });
    }

    fn begin_agent(&mut self, out: &mut Output) {
        self.own_count = self.own_count.saturating_add(1);
        let running = Running {
            who: Who::Agent(self.own_count),
            confirmed: true,
            working: true,
            tools: HashSet::new(),
            aborted: false,
            interrupt: Interrupt::No,
        };
        out.signal(self.conversation, running.turn(), SignalBody::AgentTurn);
        self.running = Some(running);
    }

    /// The running turn was not the host's after all: that still waits.
    fn hand_back(&mut self) {
        match self.running.take() {
            Some(Running {
                who: Who::Host(host),
                ..
            }) => self.waiting = Some(host),
            other => self.running = other,
        }
    }

    fn remember(&mut self, host: &HostTurn) {
        if self.over.len() == REMEMBERED {
            self.over.pop_front();
        }
        self.over.push_back(host.uuid.clone());
    }
}

impl Running {
    fn turn(&self) -> TurnRef {
        match &self.who {
            Who::Host(host) => TurnRef::Host(host.id),
            Who::Agent(number) => TurnRef::Agent(*number),
        }
    }
}

fn take(conversation: Conversation, host: &mut HostTurn, out: &mut Output) {
    if !host.taken {
        host.taken = true;
        out.signal(conversation, TurnRef::Host(host.id), SignalBody::Taken);
    }
}
