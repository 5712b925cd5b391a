//! From calls to the machine's inputs.

use std::sync::Arc;
use std::time::Instant;

use super::Actor;
use crate::error::Error;
use crate::event::{Body, Changed, Failure, TurnResult};
use crate::ids::TurnId;
use crate::pool::lease::Grant;
use crate::provider::LaunchPlan;
use crate::session::call::Call;
use crate::session::gate::{End, Entry, Waiting};
use crate::session::machine::Input;
use crate::session::replies::{Reply, Steering};
use crate::settings::Change;

impl Actor {
    pub(super) fn call(&mut self, call: Call) -> bool {
        match call {
            Call::Send { turn, entry } => {
                self.begin(turn, entry);
                self.flush()
            }
            Call::Queued(turn) => {
                self.announce(turn);
                self.flush()
            }
            Call::Cancelled(turn) => {
                if let Some(waiting) = self.parts.shared.gate.collect(turn) {
                    self.end_waiting(waiting, None);
                }
                self.flush()
            }
            Call::Steer {
                message,
                tag,
                reply,
            } => {
                let steer = self.replies.number();
                let text = message.text.clone();
                let steering = Steering { text, tag, reply };
                self.replies.steers.insert(steer, steering);
                self.step(Input::Steer { steer, message })
            }
            Call::Interrupt {
                turn,
                keep_commands,
                drop_queue,
                reply,
            } => {
                self.replies.receipt = Some(reply);
                let input = Input::Interrupt {
                    turn,
                    keep_commands,
                };
                self.advance(Instant::now(), input);
                // Before the end of the turn lets the next one begin.
                if drop_queue && self.replies.has_hit() {
                    self.clear_queue(None);
                }
                self.flush()
            }
            Call::Answer {
                request,
                answer,
                reply,
            } => {
                self.replies.answered = Some(reply);
                self.step(Input::Answer { request, answer })
            }
            Call::Change { change, reply } => self.change(change, reply),
            Call::Operate { operation, reply } => {
                let number = self.replies.number();
                self.replies.operations.insert(number, reply);
                let operation = Arc::new(operation);
                self.step(Input::Operate { number, operation })
            }
            Call::Tool { call, reply } => {
                self.replies.tools.insert(call.number, reply);
                self.step(Input::ToolCalled(call))
            }
            Call::ToolLeft(number) => {
                self.replies.tools.remove(&number);
                self.step(Input::ToolLeft(number))
            }
            Call::Served {
                process,
                request,
                outcome,
            } => {
                self.served(process, request, outcome);
                true
            }
            Call::Held => {
                let held = self.parts.shared.holds.look();
                let news = std::mem::replace(&mut self.holding, held) != held;
                !news || self.step(Input::Hold(held))
            }
            Call::Close { reason, by } => self.close(reason, by),
            Call::Granted { ticket, grant } => self.granted(ticket, grant),
            Call::Denied { ticket, error } => self.denied(ticket, error),
            Call::Evict(reason) => self.step(Input::Evict(reason)),
            #[cfg(test)]
            Call::Panic => panic!("a test wants it"),
        }
    }

    fn granted(&mut self, ticket: u64, grant: Grant) -> bool {
        // An answer to an old question: dropping a grant gives it back.
        if ticket != self.ticket {
            return true;
        }
        let given = grant.given();
        self.grant = Some(grant);
        self.step(Input::Granted(given))
    }

    fn denied(&mut self, ticket: u64, error: Error) -> bool {
        // A pool that is lost refuses also what it gave just before.
        if ticket != self.ticket || self.grant.is_some() {
            return true;
        }
        self.step(Input::Denied(error))
    }

    pub(super) fn begin(&mut self, turn: TurnId, entry: Entry) {
        let input = Input::Send {
            turn,
            tag: entry.tag,
            message: entry.message,
            budget: entry.budget,
        };
        self.advance(Instant::now(), input);
    }

    /// Tells the host of a message that waits, once.
    pub(super) fn announce(&mut self, turn: TurnId) {
        if let Some((position, tag, why)) = self.parts.shared.gate.announce(turn) {
            let body = Body::TurnQueued { position, tag, why };
            self.shown.push((Some(turn), body));
        }
    }

    /// Tells the host of a message that has left the queue before it was told of.
    pub(super) fn announce_late(&mut self, waiting: &Waiting) {
        if !waiting.announced {
            let (position, tag) = (0, waiting.entry.tag);
            let why = waiting.why.clone();
            let body = Body::TurnQueued { position, tag, why };
            self.shown.push((Some(waiting.turn), body));
        }
    }

    /// A message that waited ends without having begun.
    pub(super) fn end_waiting(&mut self, waiting: Waiting, failure: Option<Failure>) {
        let turn = waiting.turn;
        self.announce_late(&waiting);
        let result = Box::<TurnResult>::default();
        let (body, end) = match failure {
            Some(failure) => (
                Body::TurnFailed {
                    failure: failure.clone().into(),
                    result,
                },
                End::Failed(failure, TurnResult::default()),
            ),
            None => (
                Body::TurnInterrupted { result },
                End::Interrupted(TurnResult::default()),
            ),
        };
        self.shown.push((Some(turn), body));
        self.farewells.push(waiting.farewell(end));
    }

    /// Changes the options, of which the next process is made, and the running one if it can.
    fn change(&mut self, change: Change, reply: Reply<Result<Changed, Error>>) -> bool {
        if self.parts.shared.gate.is_closed() {
            self.replies.not_changed(reply, Error::closed("session"));
            return self.flush();
        }
        let options = self.parts.options.with(&change);
        let provider = self.parts.provider;
        let mode = self.parts.machine.mode();
        let plan = LaunchPlan {
            mode,
            options: &options,
            resume: None,
            back_to: None,
            shared: false,
        };
        let capabilities = provider.capabilities();
        let checked = change.check(&capabilities).and_then(|()| options.check());
        if let Err(error) = checked.and_then(|()| provider.launch(&plan)) {
            self.replies.not_changed(reply, error);
            return self.flush();
        }
        let mut settings = change.settings().into_iter();
        let live = settings.all(|setting| capabilities.can(setting.into(), mode));
        let number = self.replies.number();
        self.replies.changes.insert(number, reply);
        let change = Arc::new(change);
        self.parts.options.change(number, Arc::clone(&change));
        self.step(Input::Change {
            number,
            change,
            live,
        })
    }
}
