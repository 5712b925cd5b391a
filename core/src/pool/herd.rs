//! Which sessions share which processes, and which of these processes have nothing to do.
//!
//! Bookkeeping only, a part of the slots: no clock, no task, no process.

use std::collections::{BTreeMap, HashMap};

use hashlink::LinkedHashSet;

use crate::ids::{ProcessId, SessionId};
use crate::pool::key::ShareKey;
use crate::provider::Conversation;

/// A session's place in a shared process. The number of the conversation is never used again there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Seat {
    pub process: ProcessId,
    pub conversation: Conversation,
}

/// How a session left its seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leaving {
    /// It does not need it any more.
    Well,
    /// The process failed it, or seems to have.
    Failed,
}

/// What a process is good for at this moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Somebody in it has something to do, or was asked to leave and has not answered.
    Busy,
    /// Nobody in it has anything to do, or nobody is in it.
    Idle,
    /// Nobody in it has anything to do, and nobody is to come.
    Unwanted,
    /// Nobody is in it, and nobody is to come.
    Over,
    /// It failed two of its sessions.
    Failed,
    /// It was ended, or was never known.
    Ended,
}

#[derive(Debug)]
struct Member {
    session: SessionId,
    idle: bool,
    /// It was asked to leave and has not answered.
    asked: bool,
}

/// A process that several sessions may use.
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts, each named"
)]
#[derive(Debug)]
struct Shared {
    key: ShareKey,
    members: BTreeMap<Conversation, Member>,
    /// Members that have nothing to do and were not asked to leave, longest idle first.
    idle: LinkedHashSet<Conversation>,
    busy: usize,
    asked: usize,
    /// The next conversation's number.
    next: u32,
    starting: bool,
    failures: u32,
    /// Nobody joins it any more.
    retired: bool,
    /// All members were asked to leave, so that it can be ended.
    evicting: bool,
    ended: bool,
}

/// What is left to count when a process is gone.
#[derive(Clone, Copy, Debug)]
pub(super) struct Remains {
    pub starting: bool,
    pub ended: bool,
}

/// All shared processes.
#[derive(Debug)]
pub(super) struct Herd {
    /// The most sessions in one process.
    max: usize,
    processes: HashMap<ProcessId, Shared>,
    /// The processes of each key that are not ended, oldest first.
    by_key: HashMap<ShareKey, LinkedHashSet<ProcessId>>,
    /// The last seat of each session that has one.
    seats: HashMap<SessionId, Seat>,
    /// How many processes are being evicted.
    evicting: usize,
    /// Nothing stays without a session.
    closing: bool,
}

impl Herd {
    pub(super) fn new(max: usize) -> Self {
        Self {
            max,
            processes: HashMap::new(),
            by_key: HashMap::new(),
            seats: HashMap::new(),
            evicting: 0,
            closing: false,
        }
    }

    /// How many processes make way at this moment.
    pub(super) const fn evicting(&self) -> usize {
        self.evicting
    }

    /// A process begins.
    pub(super) fn found(&mut self, process: ProcessId, key: ShareKey) {
        let of_key = self.by_key.entry(key.clone()).or_default();
        of_key.insert(process);
        let shared = Shared {
            key,
            members: BTreeMap::new(),
            idle: LinkedHashSet::new(),
            busy: 0,
            asked: 0,
            next: 0,
            starting: true,
            failures: 0,
            retired: self.closing,
            evicting: false,
            ended: false,
        };
        self.processes.insert(process, shared);
    }

    /// Whether anybody may find a seat, or somebody who can make way for it.
    pub(super) fn has_hope(&self) -> bool {
        self.processes.values().any(|shared| {
            shared.is_open() && (shared.members.len() < self.max || !shared.idle.is_empty())
        })
    }

    /// The oldest process of that key that takes one more.
    pub(super) fn with_room(&self, key: &ShareKey) -> Option<ProcessId> {
        let has_room = |shared: &Shared| shared.is_open() && shared.members.len() < self.max;
        self.of_key(key)
            .find(|(_, s)| has_room(s))
            .map(|(id, _)| id)
    }

    /// A process of that key that is full, and in which a session has nothing to do.
    pub(super) fn with_idle_member(&self, key: &ShareKey) -> Option<ProcessId> {
        let has_idle = |shared: &Shared| shared.is_open() && !shared.idle.is_empty();
        self.of_key(key)
            .find(|(_, s)| has_idle(s))
            .map(|(id, _)| id)
    }

    /// In how many places of that key sessions are about to make way for others.
    pub(super) fn coming(&self, key: &ShareKey) -> usize {
        let open = self.of_key(key).filter(|(_, s)| s.is_open());
        open.map(|(_, s)| s.asked).sum()
    }

    fn of_key(&self, key: &ShareKey) -> impl Iterator<Item = (ProcessId, &Shared)> {
        let ids = self.by_key.get(key).into_iter().flatten();
        ids.filter_map(|id| Some((*id, self.processes.get(id)?)))
    }

    /// Gives a session a seat. Whoever comes has something to do.
    pub(super) fn sit(&mut self, session: SessionId, process: ProcessId) -> Option<Seat> {
        let shared = self.processes.get_mut(&process)?;
        let conversation = Conversation(shared.next);
        shared.next += 1;
        shared.busy += 1;
        let member = Member {
            session,
            idle: false,
            asked: false,
        };
        shared.members.insert(conversation, member);
        let seat = Seat {
            process,
            conversation,
        };
        self.seats.insert(session, seat);
        Some(seat)
    }

    /// The process that a session sits in.
    pub(super) fn process_of(&self, session: SessionId) -> Option<ProcessId> {
        self.seats.get(&session).map(|seat| seat.process)
    }

    /// A session has nothing to do, or has.
    pub(super) fn set_idle(&mut self, session: SessionId, idle: bool) {
        self.change(session, |shared, conversation| {
            let Some(member) = shared.members.get_mut(&conversation) else {
                return;
            };
            if std::mem::replace(&mut member.idle, idle) != idle {
                shared.busy = if idle {
                    shared.busy - 1
                } else {
                    shared.busy + 1
                };
            }
            let listed = idle && !member.asked;
            shared.list(conversation, listed);
        });
    }

    /// A session that was asked to leave stays.
    pub(super) fn refused(&mut self, session: SessionId) {
        self.change(session, |shared, conversation| {
            let Some(member) = shared.members.get_mut(&conversation) else {
                return;
            };
            if std::mem::take(&mut member.asked) {
                shared.asked -= 1;
                let listed = member.idle;
                shared.list(conversation, listed);
            }
        });
    }

    fn change(&mut self, session: SessionId, change: impl FnOnce(&mut Shared, Conversation)) {
        if let Some(seat) = self.seats.get(&session)
            && let Some(shared) = self.processes.get_mut(&seat.process)
        {
            change(shared, seat.conversation);
            self.see_eviction(seat.process);
        }
    }

    /// A session gave its seat back. `false`: nobody sits there any more.
    pub(super) fn leave(&mut self, session: SessionId, seat: Seat, how: Leaving) -> bool {
        if self.seats.get(&session) == Some(&seat) {
            self.seats.remove(&session);
        }
        let Some(shared) = self.processes.get_mut(&seat.process) else {
            return true;
        };
        if let Some(member) = shared.members.remove(&seat.conversation) {
            shared.idle.remove(&seat.conversation);
            shared.busy -= usize::from(!member.idle);
            shared.asked -= usize::from(member.asked);
        }
        match how {
            Leaving::Well => {}
            Leaving::Failed => {
                shared.failures += 1;
                shared.retired = true;
            }
        }
        let inhabited = !shared.members.is_empty();
        self.see_eviction(seat.process);
        inhabited
    }

    /// Asks the session that is idle longest in this process to make way for another one.
    pub(super) fn ask_one(&mut self, process: ProcessId) -> Option<SessionId> {
        let shared = self.processes.get_mut(&process)?;
        let conversation = shared.idle.pop_front()?;
        let member = shared.members.get_mut(&conversation)?;
        member.asked = true;
        shared.asked += 1;
        Some(member.session)
    }

    /// Asks all sessions of a process to leave it. Gives back those that had not been asked.
    pub(super) fn ask_all(&mut self, process: ProcessId) -> Vec<SessionId> {
        let Some(shared) = self.processes.get_mut(&process) else {
            return Vec::new();
        };
        let mut asked = Vec::new();
        while let Some(conversation) = shared.idle.pop_front() {
            if let Some(member) = shared.members.get_mut(&conversation) {
                member.asked = true;
                shared.asked += 1;
                asked.push(member.session);
            }
        }
        if shared.asked > 0 && !std::mem::replace(&mut shared.evicting, true) {
            self.evicting += 1;
        }
        asked
    }

    /// An eviction is over when everybody has answered.
    fn see_eviction(&mut self, process: ProcessId) {
        if let Some(shared) = self.processes.get_mut(&process)
            && shared.asked == 0
            && std::mem::take(&mut shared.evicting)
        {
            self.evicting -= 1;
            // All have left: it was to be ended, and not to be joined again.
            shared.retired |= shared.members.is_empty();
        }
    }

    /// A conversation of the process takes turns. `false`: that is no news.
    pub(super) fn ready(&mut self, process: ProcessId) -> bool {
        let shared = self.processes.get_mut(&process);
        shared.is_some_and(|s| std::mem::take(&mut s.starting))
    }

    /// Nobody joins it any more.
    pub(super) fn retire(&mut self, process: ProcessId) {
        if let Some(shared) = self.processes.get_mut(&process) {
            shared.retired = true;
        }
    }

    /// From now on nobody joins any process. Gives back all.
    pub(super) fn close(&mut self) -> Vec<ProcessId> {
        self.closing = true;
        for shared in self.processes.values_mut() {
            shared.retired = true;
        }
        self.processes.keys().copied().collect()
    }

    pub(super) fn standing(&self, process: ProcessId) -> Standing {
        let Some(shared) = self.processes.get(&process).filter(|s| !s.ended) else {
            return Standing::Ended;
        };
        if shared.failures > 1 {
            return Standing::Failed;
        }
        // One that is not ready cannot become so without a session.
        if shared.members.is_empty() && (shared.retired || shared.starting) {
            return Standing::Over;
        }
        match (shared.busy + shared.asked, shared.retired) {
            (0, false) => Standing::Idle,
            (0, true) => Standing::Unwanted,
            (1.., _) => Standing::Busy,
        }
    }

    /// Whether the process failed a session.
    pub(super) fn has_failed(&self, process: ProcessId) -> bool {
        self.processes.get(&process).is_some_and(|s| s.failures > 0)
    }

    /// The process is being ended. Gives back whether it was still starting.
    pub(super) fn end(&mut self, process: ProcessId) -> bool {
        let Some(shared) = self.processes.get_mut(&process) else {
            return false;
        };
        shared.ended = true;
        let starting = std::mem::take(&mut shared.starting);
        if std::mem::take(&mut shared.evicting) {
            self.evicting -= 1;
        }
        self.unlist(process);
        starting
    }

    /// Its tree is gone. Sessions that have not noticed give their seats back later.
    pub(super) fn gone(&mut self, process: ProcessId) -> Option<Remains> {
        self.unlist(process);
        let shared = self.processes.remove(&process)?;
        self.evicting -= usize::from(shared.evicting);
        Some(Remains {
            starting: shared.starting,
            ended: shared.ended,
        })
    }

    fn unlist(&mut self, process: ProcessId) {
        let Some(shared) = self.processes.get(&process) else {
            return;
        };
        if let Some(of_key) = self.by_key.get_mut(&shared.key) {
            of_key.remove(&process);
            if of_key.is_empty() {
                self.by_key.remove(&shared.key);
            }
        }
    }
}

impl Shared {
    /// Whether sessions may join it, as far as there is room.
    fn is_open(&self) -> bool {
        !self.retired && !self.evicting && !self.ended
    }

    fn list(&mut self, conversation: Conversation, idle: bool) {
        self.idle.remove(&conversation);
        if idle {
            self.idle.insert(conversation);
        }
    }
}
