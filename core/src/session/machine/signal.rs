//! What the agent says, and to which turn it belongs.

use std::time::Instant;

use super::{AgentTurn, Asker, Effect, HostTurn, Machine, Stage, Tally, show};
use crate::error::ErrorKind;
use crate::event::{Body, Failure, TurnOrigin, WarningCode};
use crate::ids::{ProcessId, TurnId};
use crate::provider::{Outcome, Signal, SignalBody, TurnEnd, TurnRef};

impl Machine {
    pub(super) fn signal(
        &mut self,
        now: Instant,
        process: ProcessId,
        signal: Signal,
        out: &mut Vec<Effect>,
    ) {
        // An old generation: it has nothing to say to this session any more.
        if self.process.as_ref().is_none_or(|p| p.id != process) {
            return;
        }
        self.active = now;
        let turn = signal.turn;
        self.mark_sign(turn, out);
        match signal.body {
            SignalBody::Show(body) => self.show_body(now, turn, body, out),
            SignalBody::Ready { version } => self.ready(now, version, out),
            SignalBody::Forgets => self.forget(out),
            SignalBody::Refused { code, message } => self.refused(now, code, message, out),
            SignalBody::Bound {
                provider_session_id,
                model,
                resumed,
            } => {
                if !resumed {
                    self.note_other_conversation(out);
                }
                self.conversation = Some(provider_session_id.clone());
                self.rest_from(now);
                let body = Body::SessionBound {
                    provider_session_id,
                    model,
                    resumed,
                };
                show(out, None, body);
            }
            SignalBody::Version(version) => {
                let state = "agent_version".to_owned();
                let message = version;
                show(out, None, Body::Status { state, message });
            }
            SignalBody::AgentTurn => self.begin_agent_turn(now, turn, out),
            SignalBody::Asked(asked) => self.asked(now, turn, *asked, out),
            SignalBody::Withdrawn { request } => self.withdraw(Asker::Agent(request), out),
            SignalBody::Called(called) => self.client_called(now, turn, *called, out),
            SignalBody::Forgone { request } => self.client_forgoes(request, out),
            SignalBody::Steered { steer, refused } => self.steered(steer, refused, out),
            SignalBody::Changed(outcome) => self.changed(outcome, out),
            SignalBody::Point(point) => self.at_point(point),
            SignalBody::Operated { number, outcome } => self.operated(number, outcome, out),
            // A sign is all that it is.
            SignalBody::Taken => {}
            SignalBody::Background { tasks } => {
                if let Some(process) = &mut self.process {
                    process.background = tasks;
                }
            }
            SignalBody::Ended(end) => self.ended(now, turn, *end, out),
            SignalBody::Broken { message } => {
                let failure = Failure::new(ErrorKind::ProtocolError, message);
                self.process_failed(now, failure, out);
            }
        }
    }

    /// The process has a conversation, and not the one it was started for.
    fn note_other_conversation(&mut self, out: &mut Vec<Effect>) {
        let resumed = self.process.as_mut().map(|process| &mut process.resumed);
        if resumed.is_some_and(std::mem::take) {
            let message = "the agent goes on with another conversation than it was to resume";
            self.warn(out, WarningCode::NotResumed, message);
        }
    }

    /// Whatever belongs to the host's turn is a sign that the agent has it.
    fn mark_sign(&mut self, turn: TurnRef, out: &mut Vec<Effect>) {
        if let (TurnRef::Host(id), Some(host)) = (turn, &mut self.host)
            && host.tally.id == id
            && let Stage::Sent { signed, .. } = &mut host.stage
            && !std::mem::replace(signed, true)
        {
            self.tell_point(out);
        }
    }

    fn ready(&mut self, now: Instant, version: Option<String>, out: &mut Vec<Effect>) {
        let Some(process) = &mut self.process else {
            return;
        };
        if std::mem::replace(&mut process.ready, true) {
            return;
        }
        let turn = self.host.as_ref().map(|h| h.tally.id);
        let body = Body::ProcessStarted {
            process: process.id,
            pid: process.pid,
            version,
            mode: process.mode,
            resumed: process.resumed,
            containment: process.containment,
            shared: process.shared,
            start: now.saturating_duration_since(process.since),
        };
        show(out, turn, body);
        out.push(Effect::StartDone);
        if self.host.is_some() {
            self.ask(now, out);
        }
        self.run_errands(now, out);
    }

    fn show_body(&mut self, now: Instant, turn: TurnRef, body: Body, out: &mut Vec<Effect>) {
        if let TurnRef::Host(id) = turn
            && self.has_sent(id)
        {
            self.check_going_on(now, &body, out);
        }
        let tally = match turn {
            TurnRef::None => return show(out, None, body),
            TurnRef::Host(id) => match &mut self.host {
                Some(HostTurn {
                    tally,
                    stage: Stage::Sent { .. },
                    ..
                }) if tally.id == id => tally,
                Some(_) | None => return self.show_late(Some(id), body, out),
            },
            TurnRef::Agent(n) => match &mut self.agent {
                Some(AgentTurn { number, tally }) if *number == n => tally,
                Some(_) | None => return self.show_late(None, body, out),
            },
        };
        let id = tally.id;
        let counts = matches!(body, Body::Usage { .. });
        if tally.note(now, &body) {
            out.push(Effect::Show(Some(id), body));
        }
        if counts {
            self.check_budget(now, out);
        }
    }

    /// Output of a turn that is over. Pieces of text would read as another turn's; the rest stands
    /// for itself outside of any turn.
    #[expect(clippy::wildcard_enum_match_arm, reason = "only text is special here")]
    fn show_late(&mut self, turn: Option<TurnId>, body: Body, out: &mut Vec<Effect>) {
        match body {
            Body::TextDelta { text, .. }
            | Body::ReasoningDelta { text, .. }
            | Body::Message { text, .. } => {
                self.note_late(
                    turn,
                    &format!("output after the end of its turn: {text}"),
                    out,
                );
            }
            other => show(out, None, other),
        }
    }

    /// Says once per turn that something came too late.
    fn note_late(&mut self, turn: Option<TurnId>, message: &str, out: &mut Vec<Effect>) {
        if turn.is_some() && self.late == turn {
            return;
        }
        self.late = turn;
        let message = message.to_owned();
        let code = WarningCode::LateOutput;
        show(out, None, Body::Warning { code, message });
    }

    fn begin_agent_turn(&mut self, now: Instant, turn: TurnRef, out: &mut Vec<Effect>) {
        let TurnRef::Agent(number) = turn else {
            return;
        };
        if let Some(agent) = &self.agent
            && agent.number == number
        {
            return;
        }
        // The agent began anew without an end: the turn before had one all the same.
        self.end_agent(now, TurnEnd::default(), out);
        let tally = Tally::new(TurnId::next(), now);
        let body = Body::TurnStarted {
            origin: TurnOrigin::Agent,
            tag: None,
        };
        show(out, Some(tally.id), body);
        self.agent = Some(AgentTurn { number, tally });
    }

    /// Whether the process has that turn.
    pub(super) fn has_sent(&self, turn: TurnId) -> bool {
        self.host
            .as_ref()
            .is_some_and(|h| h.tally.id == turn && matches!(h.stage, Stage::Sent { .. }))
    }

    fn ended(&mut self, now: Instant, turn: TurnRef, end: TurnEnd, out: &mut Vec<Effect>) {
        match turn {
            TurnRef::Host(id) if self.has_sent(id) => match end.outcome {
                Outcome::Failed { code, message } if code == ErrorKind::ResumeFailed => {
                    self.refused(now, code, message, out);
                }
                Outcome::Failed { code, .. } => {
                    if self.host.as_ref().is_some_and(|h| !h.tally.shown) {
                        self.forget_place(code, out);
                    }
                    self.end_host(now, end, out);
                }
                Outcome::Completed | Outcome::Interrupted => {
                    self.end_host(now, end, out);
                }
            },
            TurnRef::Agent(n) if self.agent.as_ref().is_some_and(|a| a.number == n) => {
                self.end_agent(now, end, out);
            }
            TurnRef::Host(id) => self.note_late(Some(id), "a second end of a turn", out),
            TurnRef::Agent(_) | TurnRef::None => {}
        }
    }
}
