//! What agents have done by their client: begun here, done elsewhere, told from here.

use super::Actor;
use crate::client::{ClientCall, Desk, Outcome, Place};
use crate::config::SessionOptions;
use crate::ids::ProcessId;
use crate::process::Report;
use crate::process::environment::{self, Inherited};
use crate::provider::{AgentRequest, Request};
use crate::session::call::Call;
use crate::session::machine::ONLY;

impl Actor {
    /// Where the agent of a process has things done, if these options let it.
    pub(super) fn desk(&self, options: &SessionOptions) -> Option<Desk> {
        options.client.is_any().then(|| {
            Desk::new(Place {
                cwd: &options.cwd,
                // Without what is only for the agent: its login.
                env: environment::build(options, &[], &[], Inherited::of_host()),
                lowest: self.parts.pool_options.require_containment,
            })
        })
    }

    pub(super) fn serve(&mut self, process: ProcessId, request: AgentRequest, call: ClientCall) {
        let own = self.parts.own.clone();
        let attached = self.processes.get_mut(&process);
        // Without a desk nothing was offered, and the codec passes nothing on.
        let Some(desk) = attached.and_then(|attached| attached.desk.as_mut()) else {
            return;
        };
        desk.begin(request, call, move |outcome| {
            if let Some(session) = own.upgrade() {
                let served = Call::Served {
                    process,
                    request,
                    outcome,
                };
                // A session that is gone tells nobody.
                let _ = session.send(served);
            }
        });
    }

    pub(super) fn forgo(&mut self, process: ProcessId, request: AgentRequest) {
        let attached = self.processes.get_mut(&process);
        if let Some(desk) = attached.and_then(|attached| attached.desk.as_mut()) {
            desk.forgo(request);
        }
    }

    /// A call was done. Nobody is told of one of a process that is gone, or that was taken back.
    pub(super) fn served(&mut self, process: ProcessId, request: AgentRequest, outcome: Outcome) {
        let attached = self.processes.get_mut(&process);
        let desk = attached.and_then(|attached| attached.desk.as_mut());
        if desk.is_some_and(|desk| desk.done(request)) {
            let conversation = ONLY;
            let served = Request::Served {
                conversation,
                request,
                outcome,
            };
            self.ask(process, served);
        }
    }

    /// The end of a process is told when that of its commands is proved too.
    pub(super) fn hold_end(&mut self, process: ProcessId, report: Report) -> Option<Report> {
        if !matches!(report, Report::Gone { .. } | Report::Left) {
            return Some(report);
        }
        let attached = self.processes.get_mut(&process);
        let Some(desk) = attached.and_then(|attached| attached.desk.as_mut()) else {
            return Some(report);
        };
        desk.end();
        if let Some(rest) = desk.rest() {
            let reports = self.reports_in.clone();
            tokio::spawn(async move {
                rest.await;
                // A session that is gone is told nothing.
                let _ = reports.send((process, report)).await;
            });
            return None;
        }
        let more = desk.left();
        if let Report::Gone { mut left } = report {
            left.extend(more);
            return Some(Report::Gone { left });
        }
        self.left.extend(more);
        Some(report)
    }
}
