//! From the machine's effects to the world.

use std::sync::Arc;
use std::time::Instant;

use super::{Actor, Attached, STDERR_IN_FAILURE};
use crate::config::{Mode, SessionOptions};
use crate::error::Error;
use crate::event::Body;
use crate::host_tools::{self, ToolServer};
use crate::ids::{ProcessId, TurnId};
use crate::pool::Recipe;
use crate::pool::lease::{Grant, SeatLease};
use crate::pool::slots::{Spill, Want};
use crate::process::{Command, Report, Stop};
use crate::provider::Request;
use crate::session::launch::{self, Common, Launching, Prepared};
use crate::session::machine::{Effect, Input, ONLY, Resume};

impl Actor {
    pub(super) fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Show(turn, body) => {
                let body = self.with_stderr(body);
                self.shown.push((turn, body));
            }
            Effect::Acquire(want) => {
                self.ticket += 1;
                self.orphaned = !self.acquire(want);
            }
            Effect::Abandon => {
                self.ticket += 1;
                self.grant = None;
                self.parts.pool.cancel();
            }
            Effect::Start {
                process,
                mode,
                resume,
                cost_usd,
            } => self.start(process, mode, resume, cost_usd),
            Effect::StartDone => {
                self.start = None;
                self.seat.iter().for_each(SeatLease::ready);
            }
            Effect::Ask(process, request) => self.ask(process, request),
            Effect::Serve(process, request, call) => self.serve(process, request, call),
            Effect::Forgo(process, request) => self.forgo(process, request),
            Effect::Stop(process, stop) => self.stop(process, stop),
            Effect::FreeSlot => {
                self.slot = None;
                self.seat = None;
            }
            Effect::Idle => self.parts.pool.idle(),
            Effect::Busy => self.parts.pool.busy(),
            Effect::RefuseEviction => self.parts.pool.refuse(),
            Effect::Receipt(receipt) => self.replies.receipt(receipt),
            Effect::Answered(outcome) => self.replies.answered(outcome),
            Effect::ChangeDone { number, how } => {
                self.parts.options.settle(number);
                self.replies.changed(number, Ok(how));
            }
            Effect::ChangeRefused { number, error } => {
                self.parts.options.refuse(number);
                self.replies.changed(number, Err(error));
            }
            Effect::Operated { number, outcome } => {
                self.replies.operated(number, outcome);
            }
            Effect::ToolDone { number, result } => self.replies.called(number, result),
            Effect::SteerLost { steer } => drop(self.replies.steers.remove(&steer)),
            Effect::SteerDone {
                steer,
                outcome,
                over,
            } => self.steered(steer, outcome, over),
            // Its last turn has its end in this step; the door was closed before.
            Effect::Closed => {}
        }
    }

    fn steered(&mut self, steer: u64, outcome: Result<TurnId, String>, over: bool) {
        let Some(steering) = self.replies.steers.remove(&steer) else {
            return;
        };
        if let Ok(into) = &outcome {
            let (text, tag) = (steering.text.clone(), steering.tag);
            let turn = (!over).then_some(*into);
            self.shown.push((turn, Body::Steered { text, tag }));
        }
        self.replies.steered(steering, outcome);
    }

    /// A process that failed without having ended still left words on stderr.
    fn with_stderr(&self, mut body: Body) -> Body {
        if let Body::TurnFailed { failure, .. } = &mut body
            && failure.code.is_runtime()
            && failure.stderr.is_none()
            && let Some(process) = self.current.and_then(|id| self.processes.get(&id))
        {
            let tail = process.handle.stderr.text(STDERR_IN_FAILURE);
            failure.stderr = (!tail.is_empty()).then_some(tail);
        }
        body
    }

    /// Asks the pool. `false`: nobody is there to answer.
    fn acquire(&self, want: Want) -> bool {
        let (pool, ticket) = (&self.parts.pool, self.ticket);
        let common = self.parts.common.as_ref();
        let spill = match want {
            Want::Warm(spill) | Want::Shared(_, _, spill) => spill,
            Want::OneShot => Spill::Allowed,
        };
        let options = self.parts.options.current();
        let capabilities = self.parts.provider.capabilities();
        // Settings may have changed since it was opened.
        let shares = matches!(want, Want::Warm(_)) && capabilities.sharing_of(options).is_some();
        let common = common.filter(|_| shares);
        let prepared = common.map(|common| self.prepare(Mode::Warm, None, options, Some(common)));
        // What cannot be prepared fails when it is granted, as any other start.
        let Some(Ok(prepared)) = prepared else {
            return pool.request(want, ticket, None);
        };
        let want = match &prepared.key {
            Some(key) => Want::Shared(key.clone(), ProcessId::next(), spill),
            None => want,
        };
        let recipe = Recipe::new(move |id, lease| prepared.start(id, lease));
        pool.request(want, ticket, Some(recipe))
    }

    fn prepare(
        &self,
        mode: Mode,
        resume: Option<&Resume>,
        options: &SessionOptions,
        common: Option<&Common>,
    ) -> Result<Prepared, Error> {
        launch::prepare(&Launching {
            mode,
            resume: resume.map(|r| r.conversation.as_str()),
            back_to: resume.and_then(|r| r.back_to.as_deref()),
            provider: self.parts.provider,
            options,
            pool_options: &self.parts.pool_options,
            counters: &self.parts.counters,
            common,
        })
    }

    fn start(&mut self, id: ProcessId, mode: Mode, resume: Option<Resume>, cost_usd: f64) {
        let Some(grant) = self.grant.take() else {
            return;
        };
        let options = self.options_of(id, mode);
        let resuming = resume.as_ref();
        let attached = match (grant, &options) {
            (Grant::Seat(lease), _) => {
                let attached = Attached {
                    handle: lease.handle.clone(),
                    conversation: lease.seat.conversation,
                    shared: true,
                    pid: None,
                    desk: None,
                };
                self.seat = Some(lease);
                Ok(attached)
            }
            (Grant::Own(own), Ok(options)) => {
                let (lease, slot, start) = own.split();
                self.slot = slot;
                self.start = Some(start);
                let prepared = self.prepare(mode, resuming, options, None);
                prepared.map(|prepared| Attached {
                    handle: prepared.start(id, lease),
                    conversation: ONLY,
                    shared: false,
                    pid: None,
                    desk: None,
                })
            }
            (Grant::Own(_), Err(error)) => Err(error.clone()),
        };
        let (mut attached, options) = match (attached, options) {
            (Ok(attached), Ok(options)) => (attached, options),
            (Err(error), _) | (_, Err(error)) => {
                return self.refuse_start(id, vec![Report::SpawnFailed(error)]);
            }
        };
        let attach = Command::Attach {
            conversation: attached.conversation,
            reports: self.reports_in.clone(),
        };
        if attached.handle.commands.send(attach).is_err() {
            // It was gone before the session came.
            return self.refuse_start(id, Vec::new());
        }
        attached.desk = self.desk(&options);
        self.processes.insert(id, attached);
        self.current = Some(id);
        let open = Request::Open {
            conversation: ONLY,
            options,
            resume: resume.map(|r| r.conversation),
            cost_usd,
        };
        self.ask(id, open);
    }

    /// What a process gets: the session's options, and the way to the host's tools where the agent
    /// calls those over MCP.
    fn options_of(&mut self, id: ProcessId, mode: Mode) -> Result<Arc<SessionOptions>, Error> {
        let options = self.parts.options.current();
        let capabilities = self.parts.provider.capabilities();
        if options.tools.is_empty() || !capabilities.tools_over_mcp.in_mode(mode) {
            return Ok(Arc::clone(options));
        }
        let server = match &mut self.tool_server {
            Some(server) => server,
            none => {
                let own = self.parts.own.clone();
                none.insert(ToolServer::start(&options.tools, own)?)
            }
        };
        let mut options = SessionOptions::clone(options);
        options
            .mcp_servers
            .insert(host_tools::SERVER.to_owned(), server.admit(id));
        Ok(Arc::new(options))
    }

    /// The process cannot even be tried.
    fn refuse_start(&mut self, id: ProcessId, mut reports: Vec<Report>) {
        let now = Instant::now();
        let mut effects = Vec::new();
        let machine = &mut self.parts.machine;
        reports.push(Report::Gone { left: vec![] });
        for report in reports {
            machine.step(now, Input::Report(id, report), &mut effects);
        }
        for effect in effects {
            self.carry_out(effect);
        }
    }

    /// The machine knows one conversation, the process perhaps many.
    pub(super) fn ask(&self, id: ProcessId, request: Request) {
        if let Some(process) = self.processes.get(&id) {
            let request = request.readdressed(process.conversation);
            process.tell(Command::Request(request));
        }
    }

    /// A process that others may use is not ended but left. That it failed is for the pool to judge.
    fn stop(&mut self, id: ProcessId, stop: Stop) {
        let Some(process) = self.processes.get_mut(&id) else {
            return;
        };
        if let Some(desk) = &mut process.desk {
            desk.end();
        }
        if !process.shared {
            return process.tell(Command::Stop(stop));
        }
        let conversation = process.conversation;
        process.tell(Command::Leave { conversation, stop });
        if let (Stop::Kill, Some(seat)) = (stop, &mut self.seat)
            && seat.seat.process == id
        {
            seat.failed();
        }
    }
}

impl Attached {
    /// A process that takes no commands is gone, and the news of it is on its way.
    pub(super) fn tell(&self, command: Command) {
        let _ = self.handle.commands.send(command);
    }
}
