//! From the machine's effects to the world.

use std::sync::Arc;
use std::time::Instant;

use super::{Actor, Running, STDERR_IN_FAILURE};
use crate::config::{Mode, SessionOptions};
use crate::error::Error;
use crate::event::Body;
use crate::host_tools::{self, ToolServer};
use crate::ids::{ProcessId, TurnId};
use crate::process::{Command, Report};
use crate::provider::Request;
use crate::session::launch::{self, Launching};
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
                self.orphaned = !self.parts.pool.request(want, self.ticket);
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
            Effect::StartDone => self.start = None,
            Effect::Ask(process, request) => self.tell(process, Command::Request(request)),
            Effect::Stop(process, stop) => self.tell(process, Command::Stop(stop)),
            Effect::FreeSlot => self.slot = None,
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
            && let Some(running) = self.current.and_then(|id| self.processes.get(&id))
        {
            let tail = running.handle.stderr.text(STDERR_IN_FAILURE);
            failure.stderr = (!tail.is_empty()).then_some(tail);
        }
        body
    }

    fn start(&mut self, id: ProcessId, mode: Mode, resume: Option<Resume>, cost_usd: f64) {
        let Some(grant) = self.grant.take() else {
            return;
        };
        let (process_lease, slot, start) = grant.split();
        self.slot = slot;
        self.start = Some(start);
        let options = match self.options_of(id, mode) {
            Ok(options) => options,
            Err(error) => return self.refuse_start(id, error),
        };
        let started = launch::start(Launching {
            id,
            mode,
            resume: resume.as_ref().map(|r| r.conversation.as_str()),
            back_to: resume.as_ref().and_then(|r| r.back_to.as_deref()),
            provider: self.parts.provider,
            options: &options,
            pool_options: &self.parts.pool_options,
            lease: process_lease,
        });
        let handle = match started {
            Ok(handle) => handle,
            Err(error) => return self.refuse_start(id, error),
        };
        let running = Running { handle, pid: None };
        self.processes.insert(id, running);
        self.current = Some(id);
        let reports = self.reports_in.clone();
        self.tell(
            id,
            Command::Attach {
                conversation: ONLY,
                reports,
            },
        );
        let open = Request::Open {
            conversation: ONLY,
            options,
            resume: resume.map(|r| r.conversation),
            cost_usd,
        };
        self.tell(id, Command::Request(open));
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
    fn refuse_start(&mut self, id: ProcessId, error: Error) {
        let now = Instant::now();
        let mut effects = Vec::new();
        let machine = &mut self.parts.machine;
        for report in [Report::SpawnFailed(error), Report::Gone { left: vec![] }] {
            machine.step(now, Input::Report(id, report), &mut effects);
        }
        for effect in effects {
            self.carry_out(effect);
        }
    }

    /// A process that takes no commands is gone, and the news of it is on its way.
    fn tell(&self, process: ProcessId, command: Command) {
        let Some(running) = self.processes.get(&process) else {
            return;
        };
        let _ = running.handle.commands.send(command);
    }
}
