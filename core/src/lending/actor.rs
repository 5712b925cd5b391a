//! Looks after one lent process: gets it from the pool, passes lines on, ends it.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::handle::Start::Started as Running;
use super::handle::{Inside, LentEnd, Order, Shared, State};
use super::plain::{END, ONLY, Plain, line, written};
use crate::error::Error;
use crate::ids::{ProcessId, SessionId};
use crate::pool::lease::{Grant, PoolLink, SlotLease, StartLease};
use crate::pool::slots::{Spill, Want};
use crate::pool::{self};
use crate::process::{
    self, Command, Limits, Plan, ProcessHandle, ProcessSpec, Report, Stop, survive,
};
use crate::provider::{AgentSignal, Request, StopLadder};
use crate::session::Call;

/// Reports that wait for the actor, and portions of lines that wait for the host.
const ROOM: usize = 8;

/// Lines of a process that is being ended: more are dropped.
const MOST: usize = 1024;

const GENTLY: Stop = Stop::Gently { by: None };

/// The only question to the pool.
const TICKET: u64 = 1;

/// A program that was not made to be stopped in any other way.
const LADDER: StopLadder = StopLadder {
    half_close: Duration::from_secs(5),
    signal: Some((AgentSignal::Terminate, Duration::from_secs(2))),
};

/// What a lent process is made of.
pub(crate) struct Parts {
    pub id: SessionId,
    pub plan: Plan,
    pub limits: Limits,
    pub pool: PoolLink,
    /// From the pool.
    pub calls: mpsc::UnboundedReceiver<Call>,
    pub spawned: Box<dyn FnOnce() + Send>,
}

type Reports = mpsc::Receiver<(ProcessId, Report)>;

/// How to start it.
struct Start {
    plan: Plan,
    limits: Limits,
    spawned: Box<dyn FnOnce() + Send>,
}

struct Actor {
    shared: Arc<Shared>,
    pool: PoolLink,
    /// Until the process is started.
    start: Option<Start>,
    reports: mpsc::Sender<(ProcessId, Report)>,
    handle: Option<ProcessHandle>,
    slot: Option<SlotLease>,
    starting: Option<StartLease>,
    /// What was to be written before there was a process.
    early: Vec<Request>,
    stop: Option<Stop>,
    /// Read, and not passed on: one portion.
    waiting: Vec<String>,
    end: LentEnd,
    over: bool,
}

/// Makes the handle, and the task behind it.
pub(crate) fn run(parts: Parts) -> (Inside, impl Future<Output = ()> + Send) {
    let shared = Shared::new();
    // Bounded by those who send: what is written by the writer's queue, the rest are single words.
    let (orders, orders_in) = mpsc::unbounded_channel();
    let (lines_out, lines) = mpsc::channel(ROOM);
    let (reports, reports_in) = mpsc::channel(ROOM);
    let inside = Inside {
        shared: Arc::clone(&shared),
        orders,
        lines,
        portion: Vec::new().into_iter(),
        pool: parts.pool.clone(),
        id: parts.id,
    };
    let actor = Actor {
        shared,
        pool: parts.pool,
        start: Some(Start {
            plan: parts.plan,
            limits: parts.limits,
            spawned: parts.spawned,
        }),
        reports,
        handle: None,
        slot: None,
        starting: None,
        early: Vec::new(),
        stop: None,
        waiting: Vec::new(),
        end: LentEnd::default(),
        over: false,
    };
    (
        inside,
        actor.run(parts.calls, orders_in, reports_in, lines_out),
    )
}

impl Actor {
    async fn run(
        mut self,
        calls: mpsc::UnboundedReceiver<Call>,
        orders: mpsc::UnboundedReceiver<Order>,
        reports: Reports,
        lines: mpsc::Sender<Vec<String>>,
    ) {
        if !self.pool.request(Want::Warm(Spill::Allowed), TICKET, None) {
            self.fail(pool::lost());
        }
        if survive(self.work(calls, orders, reports, &lines))
            .await
            .is_err()
        {
            tracing::error!("the actor of a lent process panicked");
        }
        // The process dies with its handle, and keeps its lease until its tree is gone.
        self.handle = None;
        *self.shared.state.lock() = State::Over;
        let left = self.end.left.clone();
        *self.shared.end.lock() = Some(std::mem::take(&mut self.end));
        (self.slot, self.starting) = (None, None);
        self.pool.closed(left);
        if !self.waiting.is_empty() {
            // Waits for the reader as long as there is one; nothing else waits for this.
            let _ = lines.send(std::mem::take(&mut self.waiting)).await;
        }
        // The host's reader hears of the end only now.
        drop(lines);
    }

    async fn work(
        &mut self,
        mut calls: mpsc::UnboundedReceiver<Call>,
        mut orders: mpsc::UnboundedReceiver<Order>,
        mut reports: Reports,
        lines: &mpsc::Sender<Vec<String>>,
    ) {
        let (mut wanted, mut member) = (true, true);
        while !self.over {
            // One that is being ended waits for no reader.
            let full = !self.waiting.is_empty() && self.stop.is_none();
            // Cancel safe: `recv` and `reserve` lose nothing.
            tokio::select! {
                biased;
                call = calls.recv(), if member => {
                    member = call.is_some();
                    if let Some(call) = call {
                        self.call(call);
                    } else {
                        self.stop(GENTLY);
                    }
                }
                order = orders.recv(), if wanted => {
                    wanted = order.is_some();
                    if let Some(order) = order {
                        self.order(order);
                    } else {
                        self.stop(GENTLY);
                    }
                }
                room = lines.reserve(), if full => match room {
                    Ok(room) => room.send(std::mem::take(&mut self.waiting)),
                    Err(_) => self.waiting.clear(),
                },
                Some((_, report)) = reports.recv(), if !full => self.report(report),
            }
        }
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the pool tells it what it tells sessions, and only this"
    )]
    fn call(&mut self, call: Call) {
        match call {
            Call::Granted {
                grant: Grant::Own(own),
                ..
            } if self.stop.is_none() => {
                let (lease, slot, starting) = own.split();
                (self.slot, self.starting) = (slot, Some(starting));
                self.begin(lease);
            }
            Call::Denied { error, .. } => self.fail(error),
            Call::Evict(_) => {
                if self.shared.give_up() {
                    self.slot = None;
                    self.stop(GENTLY);
                } else {
                    self.pool.refuse();
                }
            }
            Call::Close { by, .. } => self.stop(Stop::Gently { by }),
            // A grant that comes too late is dropped, and so goes back.
            _ => {}
        }
    }

    fn begin(&mut self, lease: pool::lease::ProcessLease) {
        let Some(start) = self.start.take() else {
            return;
        };
        let handle = process::start(ProcessSpec {
            id: ProcessId::next(),
            plan: start.plan,
            codec: Box::new(Plain),
            stop: LADDER,
            limits: start.limits,
            lease: Box::new(lease),
            shared: false,
            spawned: start.spawned,
            runtime: Handle::current(),
        });
        let attach = Command::Attach {
            conversation: ONLY,
            reports: self.reports.clone(),
        };
        let early = std::mem::take(&mut self.early)
            .into_iter()
            .map(Command::Request);
        for command in std::iter::once(attach).chain(early) {
            // One that is gone already says so in its reports.
            let _ = handle.commands.send(command);
        }
        self.handle = Some(handle);
    }

    fn order(&mut self, order: Order) {
        let request = match order {
            Order::Write(text) => written(text),
            Order::EndInput => END,
            Order::Kill => return self.stop(Stop::Kill),
        };
        if let Some(handle) = &self.handle {
            // One that is gone says so in its reports.
            let _ = handle.commands.send(Command::Request(request));
        } else {
            self.early.push(request);
        }
    }

    /// Ends it. What it says from now on is still passed on, as far as there is room.
    fn stop(&mut self, stop: Stop) {
        *self.shared.state.lock() = State::Over;
        self.stop = Some(stop);
        if let Some(handle) = &self.handle {
            // One that is gone is stopped.
            let _ = handle.commands.send(Command::Stop(stop));
        } else {
            self.pool.cancel();
            self.over = true;
        }
    }

    /// It will never run.
    fn fail(&mut self, error: Error) {
        self.end.error = Some(error);
        self.over = true;
    }

    fn report(&mut self, report: Report) {
        match report {
            Report::Spawned { pid, .. } => {
                self.starting = None;
                *self.shared.start.lock() = Running { pid };
            }
            Report::SpawnFailed(error) => self.end.error = Some(error),
            Report::Signals(signals) => {
                let lines = signals.iter().filter_map(|signal| line(&signal.body));
                if self.waiting.len() < MOST {
                    self.waiting.extend(lines.map(str::to_owned));
                }
            }
            Report::WriteFailed { message } => {
                let kind = crate::ErrorKind::WriteFailed;
                self.end.error = Some(Error::new(kind, message));
                self.stop(Stop::Kill);
            }
            Report::Exited { exit, stderr } => {
                *self.shared.state.lock() = State::Over;
                self.end.exit = Some(exit);
                self.end.stderr = stderr;
            }
            Report::Gone { left } => {
                self.end.left = left;
                self.over = true;
            }
            Report::Note { .. } | Report::OutputClosed | Report::Held(_) | Report::Left => {}
        }
    }
}
