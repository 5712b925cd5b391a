//! What agents and their processes say, as inputs.

use super::World;
use super::moves::Says;
use super::*;
use crate::client::ClientCall;
use crate::event::ToolKind;
use crate::provider::{ChangeOutcome, Outcome, SignalBody, TurnEnd, TurnRef};

impl World {
    pub(super) fn report(&mut self, process: ProcessId, report: u8) -> Report {
        match report {
            0 => Report::Spawned {
                pid: 1,
                containment: Containment::Guard,
            },
            1 => Report::SpawnFailed(Error::new(ErrorKind::SpawnFailed, "no")),
            2 => Report::WriteFailed {
                message: "no".into(),
            },
            3 => Report::OutputClosed,
            4 => Report::Exited {
                exit: Exit::default(),
                stderr: String::new(),
            },
            5 => {
                self.gone.insert(process);
                Report::Gone { left: vec![] }
            }
            // Only those who left are told that they are out.
            6 if self.stopped.contains(&process) => {
                self.gone.insert(process);
                Report::Left
            }
            n => Report::Held(n == 6),
        }
    }

    #[expect(
        clippy::too_many_lines,
        reason = "one arm for each thing that can be said"
    )]
    pub(super) fn signal(&mut self, says: &Says) -> Option<Signal> {
        let host = |n: usize| Self::back(&self.turns, n).map(TurnRef::Host);
        let text = || {
            SignalBody::Show(Body::TextDelta {
                text: "t".into(),
                parent: None,
            })
        };
        let (turn, body) = match says {
            Says::Ready => (TurnRef::None, SignalBody::Ready { version: None }),
            Says::Forgets => (TurnRef::None, SignalBody::Forgets),
            Says::Refused => {
                let code = ErrorKind::ResumeFailed;
                let message = "no".into();
                (TurnRef::None, SignalBody::Refused { code, message })
            }
            Says::Bound => {
                let body = SignalBody::Bound {
                    provider_session_id: "id".into(),
                    model: None,
                    resumed: false,
                };
                (TurnRef::None, body)
            }
            Says::Taken(n) => (host(*n)?, SignalBody::Taken),
            Says::Text(n) => (host(*n)?, text()),
            Says::Tool(n, tool) => {
                let body = Body::ToolUse {
                    id: tool.to_string(),
                    name: "x".into(),
                    kind: ToolKind::Other,
                    title: String::new(),
                    input: crate::event::RawJson::from_text("{}"),
                    parent: None,
                };
                (host(*n)?, SignalBody::Show(body))
            }
            Says::AgentTurn(n) => (TurnRef::Agent(*n), SignalBody::AgentTurn),
            Says::AgentText(n) => (TurnRef::Agent(*n), text()),
            Says::AgentEnds(n) => (TurnRef::Agent(*n), SignalBody::Ended(Box::default())),
            Says::Background(tasks) => (TurnRef::None, SignalBody::Background { tasks: *tasks }),
            Says::Asked(n) => {
                let body = SignalBody::Asked(Box::new(crate::provider::Asked {
                    request: crate::provider::AgentRequest(1),
                    kind: crate::event::RequestKind::ToolApproval,
                    tool: None,
                    title: String::new(),
                    subject: crate::request::Subject::default(),
                    decisions: vec![crate::request::Decision::Deny],
                    questions: Vec::new(),
                    input: None,
                    raw: crate::event::RawJson::from_text("{}"),
                }));
                (host(*n)?, body)
            }
            Says::Withdrawn => {
                let request = crate::provider::AgentRequest(1);
                (TurnRef::None, SignalBody::Withdrawn { request })
            }
            Says::Called(n, writes) => (host(*n)?, called(*writes)),
            Says::Forgone => {
                let request = crate::provider::AgentRequest(1);
                (TurnRef::None, SignalBody::Forgone { request })
            }
            Says::Steered(n, joined) => {
                let steer = self.steers.iter().copied().nth(*n)?;
                let refused = (!joined).then(|| "no".to_owned());
                (TurnRef::None, SignalBody::Steered { steer, refused })
            }
            Says::Changed(outcome) => {
                let message = "no".to_owned();
                let outcome = match outcome {
                    0 => ChangeOutcome::Live,
                    1 => ChangeOutcome::NeedsProcess,
                    n => ChangeOutcome::Refused {
                        message,
                        halfway: *n == 2,
                    },
                };
                (TurnRef::None, SignalBody::Changed(outcome))
            }
            Says::Operated(n) => {
                let number = self.operations.iter().copied().nth(*n)?;
                let outcome = Ok(crate::event::RawJson::from_text("{}"));
                (TurnRef::None, SignalBody::Operated { number, outcome })
            }
            Says::Used(n) => {
                let usage = crate::event::Usage::default();
                let parent = None;
                (host(*n)?, SignalBody::Show(Body::Usage { usage, parent }))
            }
            Says::Ends(n, outcome) => {
                let message = "no".to_owned();
                let outcome = match outcome {
                    0 => Outcome::Completed,
                    1 => Outcome::Interrupted,
                    2 => Outcome::Failed {
                        code: ErrorKind::ModelError,
                        message,
                    },
                    _ => Outcome::Failed {
                        code: ErrorKind::ResumeFailed,
                        message,
                    },
                };
                let end = TurnEnd {
                    outcome,
                    ..TurnEnd::default()
                };
                (host(*n)?, SignalBody::Ended(Box::new(end)))
            }
            Says::Point => (TurnRef::None, SignalBody::Point("here".into())),
            Says::Broken => {
                let message = "no".into();
                (TurnRef::None, SignalBody::Broken { message })
            }
        };
        Some(Signal {
            conversation: ONLY,
            turn,
            body,
        })
    }
}

/// Something that is to be done by the agent's client.
fn called(writes: bool) -> SignalBody {
    let path = "a".to_owned();
    let call = if writes {
        let content = String::new();
        ClientCall::Write { path, content }
    } else {
        let (line, limit) = (None, None);
        ClientCall::Read { path, line, limit }
    };
    SignalBody::Called(Box::new(crate::provider::Called {
        request: crate::provider::AgentRequest(1),
        call,
        raw: crate::event::RawJson::from_text("{}"),
    }))
}
