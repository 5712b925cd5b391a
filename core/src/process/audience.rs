//! The sessions that listen to one process, and what waits for room in their queues.
//!
//! Each session gets its reports in order. What finds no room is kept here, and as long as anything
//! is, the actor does not read: so this holds one read's worth for each session, plus the few
//! reports that no reading causes. Sessions that share a process may be some reads behind before
//! they hold up each other.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::sync::mpsc::error::{SendError, TrySendError};
use tokio::sync::mpsc::{OwnedPermit, Sender};

use crate::ids::ProcessId;
use crate::process::Report;
use crate::provider::{Conversation, Signal};

/// What a process says before its first session comes is kept up to this many signals.
const HELD: usize = 256;

/// So many reports one session may be behind before it holds up the others of a shared process.
const BEHIND: usize = 32;

type Message = (ProcessId, Report);
type Room = Pin<Box<dyn Future<Output = Result<OwnedPermit<Message>, SendError<()>>> + Send>>;

/// Everybody who listens.
#[derive(Debug)]
pub(super) struct Audience {
    id: ProcessId,
    members: Vec<Member>,
    /// What was said before anybody listened. `None` once somebody has.
    held: Option<Vec<Signal>>,
    /// How many reports may wait for one session while the agent is read.
    behind: usize,
}

struct Member {
    conversation: Conversation,
    reports: Sender<Message>,
    /// Reports that found no room, in order.
    waiting: VecDeque<Report>,
    /// The place in the queue for room. Kept, so that no poll loses it.
    room: Option<Room>,
    /// It knows that the agent is not read.
    held: bool,
    /// It has left: what waits is all that it hears.
    left: bool,
}

impl std::fmt::Debug for Member {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Member")
            .field("conversation", &self.conversation)
            .field("waiting", &self.waiting.len())
            .finish_non_exhaustive()
    }
}

/// Whether output that finds no room is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Overflow {
    /// It waits. Nothing is lost.
    Keep,
    /// It is dropped: the process is being stopped, and its session may not look any more.
    Drop,
}

impl Audience {
    pub(super) fn new(id: ProcessId, shared: bool) -> Self {
        Self {
            id,
            members: Vec::new(),
            held: Some(Vec::new()),
            behind: if shared { BEHIND } else { 0 },
        }
    }

    pub(super) fn id(&self) -> ProcessId {
        self.id
    }

    /// Adds a session. It gets the start of the process first, then, if it is the first session,
    /// what was said for its conversation before it came, then what happened since. A session that
    /// takes over a conversation replaces the one before, which hears no more.
    pub(super) fn attach(
        &mut self,
        conversation: Conversation,
        reports: Sender<Message>,
        start: Option<Report>,
        since: Vec<Report>,
    ) {
        let mut said = self.held.take().unwrap_or_default();
        said.retain(|s| s.conversation == conversation);
        let said = (!said.is_empty()).then_some(Report::Signals(said));
        let mut member = Member {
            conversation,
            reports,
            waiting: VecDeque::new(),
            room: None,
            held: false,
            left: false,
        };
        let mut news = start.into_iter().chain(said).chain(since);
        let open = news.all(|report| member.push(self.id, report));
        self.members.retain(|m| m.conversation != conversation);
        if open {
            self.members.push(member);
        }
    }

    /// Hands signals to their sessions, one report for each. Signals of a conversation that nobody
    /// listens to any more are dropped.
    pub(super) fn signals(&mut self, mut signals: Vec<Signal>, overflow: Overflow) {
        if let Some(held) = &mut self.held {
            signals.truncate(HELD.saturating_sub(held.len()));
            held.append(&mut signals);
            return;
        }
        while let Some(conversation) = signals.first().map(|s| s.conversation) {
            let rest;
            (signals, rest) = if signals.iter().all(|s| s.conversation == conversation) {
                (signals, Vec::new())
            } else {
                signals
                    .into_iter()
                    .partition(|s| s.conversation == conversation)
            };
            self.hand_over(conversation, signals, overflow);
            signals = rest;
        }
    }

    fn hand_over(&mut self, conversation: Conversation, own: Vec<Signal>, overflow: Overflow) {
        let members = &mut self.members;
        let is_it = |m: &Member| m.conversation == conversation && !m.left;
        let Some(index) = members.iter().position(is_it) else {
            return;
        };
        let member = &mut members[index];
        if overflow == Overflow::Drop && !member.has_room() {
            return;
        }
        if !member.push(self.id, Report::Signals(own)) {
            members.swap_remove(index);
        }
    }

    /// Hands a report to every session.
    pub(super) fn all(&mut self, overflow: Overflow, report: impl Fn(Conversation) -> Report) {
        let id = self.id;
        self.members.retain_mut(|member| {
            let lost = overflow == Overflow::Drop && !member.has_room();
            lost || member.left || member.push(id, report(member.conversation))
        });
    }

    /// A session has left, and the agent has let go of its conversation. It hears no more.
    pub(super) fn dismiss(&mut self, conversation: Conversation) {
        let id = self.id;
        self.members.retain_mut(|member| {
            if member.conversation != conversation || member.left {
                return true;
            }
            member.left = true;
            member.push(id, Report::Left) && !member.waiting.is_empty()
        });
    }

    /// Tells those who have room that the agent is not read because others have none; or that it is
    /// again.
    pub(super) fn hold(&mut self, held: bool) {
        let id = self.id;
        if self.behind == 0 {
            return;
        }
        self.members.retain_mut(|member| {
            if member.left || member.held == held || (held && !member.waiting.is_empty()) {
                return true;
            }
            member.held = held;
            member.push(id, Report::Held(held))
        });
    }

    /// Whether the agent may be read: no session is too far behind.
    pub(super) fn may_read(&self) -> bool {
        self.members.iter().all(|m| m.waiting.len() <= self.behind)
    }

    /// Whether nothing waits for room.
    pub(super) fn is_clear(&self) -> bool {
        self.members.iter().all(|m| m.waiting.is_empty())
    }

    /// Waits until something that waited is delivered, or its session is gone; for ever if nothing
    /// waits. Cancel safe because places in queues are kept, and a report leaves only into a place
    /// that it has.
    pub(super) async fn progress(&mut self) {
        std::future::poll_fn(|cx| self.poll_progress(cx)).await;
    }

    fn poll_progress(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let id = self.id;
        let mut progress = false;
        self.members.retain_mut(|member| {
            let before = member.waiting.len();
            let open = member.flush(id, cx);
            progress |= !open || member.waiting.len() < before;
            open
        });
        if progress {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}

impl Member {
    fn has_room(&self) -> bool {
        self.waiting.is_empty() && self.reports.capacity() > 0
    }

    /// Delivers, or keeps. False if nobody listens any more.
    fn push(&mut self, id: ProcessId, report: Report) -> bool {
        if !self.waiting.is_empty() {
            self.waiting.push_back(report);
            return true;
        }
        match self.reports.try_send((id, report)) {
            Ok(()) => true,
            Err(TrySendError::Full((_, report))) => {
                self.waiting.push_back(report);
                true
            }
            Err(TrySendError::Closed(_)) => false,
        }
    }

    /// Delivers what has room by now. False if nobody listens any more.
    fn flush(&mut self, id: ProcessId, cx: &mut Context<'_>) -> bool {
        while let Some(report) = self.waiting.pop_front() {
            let reports = &self.reports;
            let room = self
                .room
                .get_or_insert_with(|| Box::pin(reports.clone().reserve_owned()));
            match room.as_mut().poll(cx) {
                Poll::Pending => {
                    self.waiting.push_front(report);
                    return true;
                }
                Poll::Ready(Err(_)) => return false,
                Poll::Ready(Ok(place)) => {
                    self.room = None;
                    place.send((id, report));
                }
            }
        }
        !self.left
    }
}
