//! Drives the slots: receives, steps, carries out. Nothing is decided here.
//!
//! If it panics, the count of slots and processes is lost. It then gives nothing any more, says so to
//! all who ask, and still closes the sessions.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep_until;

use crate::config::WhenFull;
use crate::error::{Error, ErrorKind};
use crate::host_code::fenced;
use crate::ids::{ProcessId, SessionId};
use crate::metrics::Gauges;
use crate::pool::founding::{Founded, News, Recipe};
use crate::pool::herd::Leaving;
use crate::pool::lease::{Grant, OwnGrant, SeatLease};
use crate::pool::members::{Members, kill_by};
use crate::pool::slots::{Effect, Given, Input, Slots, Want};
use crate::process::{Stop, survive};
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
        recipe: Option<Recipe>,
    },
    Slots(Input),
    Founded(ProcessId, News),
    Shutdown {
        by: Instant,
        reply: oneshot::Sender<Shutdown>,
    },
    #[cfg(test)]
    Panic,
}

/// What a shutdown came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
#[non_exhaustive]
pub struct Shutdown {
    /// Sessions that were closed, with proof that nothing of them is left.
    pub closed: Vec<SessionId>,
    /// Sessions that were not closed in time, or of which processes are left.
    pub unfinished: Vec<SessionId>,
    /// Processes that could not be ended, by pid.
    pub left: Vec<u32>,
    /// The pool lost count of its processes, by a fault of this library. What `closed` names is
    /// closed even so, but it cannot be said whether more is left than `unfinished` and `left` name.
    pub lost: bool,
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
    members: Members,
    founded: Founded,
    /// Processes that closed sessions could not end. They count as long as any process is not gone.
    left: Vec<u32>,
    closing: Option<Closing>,
    effects: Vec<Effect>,
    /// Whether it has panicked: the slots are not to be trusted.
    lost: bool,
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
            members: Members::default(),
            founded: Founded::default(),
            left: Vec::new(),
            closing: None,
            effects: Vec::new(),
            lost: false,
        }
    }

    pub(crate) async fn run(mut self, mut inbox: mpsc::UnboundedReceiver<PoolMessage>) {
        // After a panic the slots are not used; the rest holds only whole values.
        if survive(self.work(&mut inbox)).await.is_err() {
            tracing::error!("the pool's actor panicked");
            self.lose();
            // After a second panic there is nobody, and the closed channel says so.
            let _ = survive(self.work(&mut inbox)).await;
        }
    }

    async fn work(&mut self, inbox: &mut mpsc::UnboundedReceiver<PoolMessage>) {
        loop {
            self.finish_shutdown();
            self.publish();
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
        }
    }

    /// Nobody waits for what never comes.
    fn lose(&mut self) {
        self.lost = true;
        self.effects.clear();
        self.gauges.lose();
        self.founded.abandon();
        self.members.disappoint_all();
    }

    fn publish(&self) {
        if !self.lost {
            self.gauges.publish(&self.slots);
        }
        self.gauges.publish_sessions(self.members.len());
    }

    fn deadline(&self) -> Option<Instant> {
        let replies = self.closing.iter().flat_map(|c| &c.replies);
        let replies = replies.map(|(by, _)| *by);
        let slots = (!self.lost).then(|| self.slots.deadline()).flatten();
        slots.into_iter().chain(replies).min()
    }

    fn receive(&mut self, message: PoolMessage) {
        match message {
            PoolMessage::Opened { session, inbox } => {
                self.members.add(session, inbox);
                if let Some(closing) = &self.closing {
                    self.members.close(session, closing.by);
                }
            }
            PoolMessage::Closed { session, left } => self.closed(session, &left),
            PoolMessage::Request {
                session,
                want,
                ticket,
                recipe,
            } => {
                if !self.members.asks(session, ticket, recipe) {
                    return;
                }
                if self.lost {
                    self.members.disappoint(session);
                } else {
                    self.step(Input::Request(session, want));
                }
            }
            PoolMessage::Slots(input) => self.step(input),
            PoolMessage::Founded(process, news) => self.hear(process, news),
            PoolMessage::Shutdown { by, reply } => self.shut_down(by, reply),
            #[cfg(test)]
            PoolMessage::Panic => panic!("a test wants it"),
        }
    }

    fn step(&mut self, input: Input) {
        if self.lost {
            return;
        }
        let mut effects = std::mem::take(&mut self.effects);
        self.slots.step(Instant::now(), input, &mut effects);
        for effect in effects.drain(..) {
            self.carry_out(effect);
        }
        self.effects = effects;
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Found(process, session) => {
                if let Some(recipe) = self.members.take_recipe(session) {
                    self.founded.start(process, recipe, &self.own);
                } else {
                    // Nobody knows how: there will be none.
                    let gone = Input::SharedGone(process);
                    let _ = self.own.send(PoolMessage::Slots(gone));
                }
            }
            Effect::Grant(session, given) => self.grant(session, given),
            Effect::Refuse(session) => {
                let ticket = self.members.ticket(session);
                let error = Error::new(ErrorKind::PoolFull, self.refusal());
                self.members.tell(session, Call::Denied { ticket, error });
            }
            Effect::Evict(session, reason) => self.members.tell(session, Call::Evict(reason)),
            Effect::End(process, stop) => {
                let closing = self.closing.as_ref().map(|closing| kill_by(closing.by));
                let stop = match stop {
                    Stop::Gently { by } => Stop::Gently {
                        by: by.into_iter().chain(closing).min(),
                    },
                    Stop::Kill => Stop::Kill,
                };
                self.founded.stop(process, stop);
            }
        }
    }

    /// Whoever does not take it drops it, and it comes back.
    fn grant(&self, session: SessionId, given: Given) {
        let ticket = self.members.ticket(session);
        let grant = match given {
            Given::Slot | Given::OneShot | Given::Spill => {
                Ok(Grant::Own(OwnGrant::new(session, given, &self.own)))
            }
            Given::Seat(seat) => match self.founded.handle(seat.process) {
                Some(handle) => {
                    let lease = SeatLease::new(session, seat, handle, &self.own);
                    Ok(Grant::Seat(lease))
                }
                None => Err(seat),
            },
        };
        let call = match grant {
            Ok(grant) => Call::Granted { ticket, grant },
            Err(seat) => {
                let freed = Input::SeatFreed(session, seat, Leaving::Failed);
                let _ = self.own.send(PoolMessage::Slots(freed));
                let error = Error::new(ErrorKind::Internal, "the shared process is gone");
                Call::Denied { ticket, error }
            }
        };
        self.members.tell(session, call);
    }

    /// What a shared process says of itself.
    fn hear(&mut self, process: ProcessId, news: News) {
        match news {
            News::Spawned(pid) => self.founded.spawned(process, pid),
            News::Useless => self.step(Input::Useless(process)),
            News::Gone(left) => {
                self.founded.gone(process);
                self.left.extend(left);
            }
        }
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
        self.members.remove(session);
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
        self.members.close_all(by);
        // Those that are ending already have no more time than the rest.
        self.step(Input::Close);
        self.founded.hasten(kill_by(by));
    }

    fn finish_shutdown(&mut self) {
        let Some(closing) = &mut self.closing else {
            return;
        };
        // Whoever has lost count knows of no process that it is gone, but waits for none either.
        let gone = !self.lost && self.slots.processes() == 0;
        let done = self.members.is_empty() && (gone || self.lost);
        let now = Instant::now();
        let due = closing.replies.extract_if(.., |(by, _)| done || *by <= now);
        for (_, reply) in due {
            let mut report = closing.report.clone();
            report.lost = self.lost;
            if !gone {
                report.left.clone_from(&self.left);
                report.left.extend(self.founded.pids());
                // Sessions name them too.
                report.left.sort_unstable();
                report.left.dedup();
            }
            report.unfinished.extend(self.members.ids());
            // It wakes the host.
            fenced(|| drop(reply.send(report)));
        }
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}
