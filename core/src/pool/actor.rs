//! Drives the slots: receives, steps, carries out. Nothing is decided here.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep_until;

use crate::config::WhenFull;
use crate::error::{Error, ErrorKind};
use crate::event::CloseReason;
use crate::ids::SessionId;
use crate::metrics::Gauges;
use crate::pool::lease::Grant;
use crate::pool::slots::{Effect, Input, Slots, Want};
use crate::session::Call;

/// What sessions and hosts tell the pool.
#[derive(Debug)]
pub(crate) enum PoolMessage {
    Opened {
        session: SessionId,
        inbox: mpsc::UnboundedSender<Call>,
    },
    Closed {
        session: SessionId,
        left: Vec<u32>,
    },
    Request {
        session: SessionId,
        want: Want,
        ticket: u64,
    },
    Slots(Input),
    Shutdown {
        by: Instant,
        reply: oneshot::Sender<Shutdown>,
    },
}

/// What a shutdown came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct Shutdown {
    /// Sessions that were closed, with proof that nothing of them is left.
    pub closed: Vec<SessionId>,
    /// Sessions that were not closed in time, or of which processes are left.
    pub unfinished: Vec<SessionId>,
    /// Processes that could not be ended, by pid.
    pub left: Vec<u32>,
}

struct Member {
    inbox: mpsc::UnboundedSender<Call>,
    ticket: u64,
}

struct Closing {
    /// The earliest deadline: sessions have ended by then.
    by: Instant,
    /// Those who wait, each until its own deadline.
    replies: Vec<(Instant, oneshot::Sender<Shutdown>)>,
    report: Shutdown,
}

/// Runs a pool until every handle of it is gone.
pub(crate) struct PoolActor {
    pub(crate) slots: Slots,
    pub(crate) when_full: WhenFull,
    pub(crate) gauges: Arc<Gauges>,
    /// For leases, which tell the pool when they end.
    pub(crate) own: mpsc::UnboundedSender<PoolMessage>,
    members: HashMap<SessionId, Member>,
    /// Processes that closed sessions could not end. They count as long as any process is not gone.
    left: Vec<u32>,
    closing: Option<Closing>,
    effects: Vec<Effect>,
}

impl PoolActor {
    pub(crate) fn new(
        slots: Slots,
        when_full: WhenFull,
        gauges: Arc<Gauges>,
        own: mpsc::UnboundedSender<PoolMessage>,
    ) -> Self {
        Self {
            slots,
            when_full,
            gauges,
            own,
            members: HashMap::new(),
            left: Vec::new(),
            closing: None,
            effects: Vec::new(),
        }
    }

    pub(crate) async fn run(mut self, mut inbox: mpsc::UnboundedReceiver<PoolMessage>) {
        loop {
            let deadline = self.deadline();
            // Cancel safe: `recv` loses nothing, the timer is made anew.
            tokio::select! {
                biased;
                message = inbox.recv() => match message {
                    Some(message) => self.receive(message),
                    None => return,
                },
                () = until(deadline) => self.step(Input::Tick),
            }
            self.finish_shutdown();
            self.gauges.publish(&self.slots, self.members.len());
        }
    }

    fn deadline(&self) -> Option<Instant> {
        let replies = self.closing.iter().flat_map(|c| &c.replies);
        let replies = replies.map(|(by, _)| *by);
        self.slots.deadline().into_iter().chain(replies).min()
    }

    fn receive(&mut self, message: PoolMessage) {
        match message {
            PoolMessage::Opened { session, inbox } => {
                let ticket = 0;
                self.members.insert(session, Member { inbox, ticket });
                if let Some(closing) = &self.closing {
                    let by = closing.by;
                    self.close(session, by);
                }
            }
            PoolMessage::Closed { session, left } => self.closed(session, &left),
            PoolMessage::Request {
                session,
                want,
                ticket,
            } => {
                if let Some(member) = self.members.get_mut(&session) {
                    member.ticket = ticket;
                    self.step(Input::Request(session, want));
                }
            }
            PoolMessage::Slots(input) => self.step(input),
            PoolMessage::Shutdown { by, reply } => self.shut_down(by, reply),
        }
    }

    fn step(&mut self, input: Input) {
        let mut effects = std::mem::take(&mut self.effects);
        self.slots.step(Instant::now(), input, &mut effects);
        for effect in effects.drain(..) {
            self.carry_out(effect);
        }
        self.effects = effects;
    }

    fn carry_out(&self, effect: Effect) {
        let (session, message) = match effect {
            Effect::Grant(session, given) => {
                // Whoever does not take it drops it, and it comes back.
                let grant = Grant::new(session, given, &self.own);
                let ticket = self.ticket(session);
                (session, Call::Granted { ticket, grant })
            }
            Effect::Refuse(session) => {
                let ticket = self.ticket(session);
                let error = Error::new(ErrorKind::PoolFull, self.refusal());
                (session, Call::Denied { ticket, error })
            }
            Effect::Evict(session, reason) => (session, Call::Evict(reason)),
        };
        if let Some(member) = self.members.get(&session) {
            let _ = member.inbox.send(message);
        }
    }

    fn ticket(&self, session: SessionId) -> u64 {
        self.members.get(&session).map_or(0, |m| m.ticket)
    }

    fn refusal(&self) -> String {
        match self.when_full {
            WhenFull::Wait { timeout } => {
                let waited = timeout.as_millis();
                format!("no slot became free within {waited} ms")
            }
            WhenFull::Fail | WhenFull::Spill => "all slots are busy".to_owned(),
        }
    }

    fn closed(&mut self, session: SessionId, left: &[u32]) {
        self.members.remove(&session);
        self.step(Input::Cancel(session));
        self.left.extend_from_slice(left);
        if let Some(closing) = &mut self.closing {
            if left.is_empty() {
                closing.report.closed.push(session);
            } else {
                closing.report.unfinished.push(session);
            }
        }
    }

    fn shut_down(&mut self, by: Instant, reply: oneshot::Sender<Shutdown>) {
        let closing = self.closing.get_or_insert_with(|| Closing {
            by,
            replies: Vec::new(),
            report: Shutdown::default(),
        });
        closing.by = closing.by.min(by);
        closing.replies.push((by, reply));
        let by = closing.by;
        let sessions: Vec<_> = self.members.keys().copied().collect();
        for session in sessions {
            self.close(session, by);
        }
    }

    /// The kill comes some time before the deadline, so that its effect can be seen.
    fn close(&self, session: SessionId, by: Instant) {
        let now = Instant::now();
        let time = by.saturating_duration_since(now);
        let proof = (time / 3).min(std::time::Duration::from_secs(1));
        if let Some(member) = self.members.get(&session) {
            let _ = member.inbox.send(Call::Close {
                reason: CloseReason::Shutdown,
                by: Some(by.checked_sub(proof).unwrap_or(now)),
            });
        }
    }

    fn finish_shutdown(&mut self) {
        let Some(closing) = &mut self.closing else {
            return;
        };
        let gone = self.slots.processes() == 0;
        let (done, now) = (self.members.is_empty() && gone, Instant::now());
        let due = closing.replies.extract_if(.., |(by, _)| done || *by <= now);
        for (_, reply) in due {
            let mut report = closing.report.clone();
            if !gone {
                report.left.clone_from(&self.left);
            }
            report.unfinished.extend(self.members.keys().copied());
            let _ = reply.send(report);
        }
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}
