//! What the app-server's answers to our requests mean.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::calls::{Call, Calls};
use super::server::AppServer;
use super::turn::WireTurn;
use super::wire::{Message, RpcError, read};
use crate::event::WarningCode;
use crate::ids::TurnId;
use crate::provider::{Conversation, Output};

impl AppServer {
    pub(super) fn response(&mut self, id: &RawValue, message: &Message<'_>, out: &mut Output) {
        let error = message.error.map(RpcError::read);
        let result = message.result;
        let Some(call) = self.calls.answered(id.get()) else {
            if !std::mem::replace(&mut self.said_stray_response, true) {
                let message = format!("an answer to a request that is not open: {}", id.get());
                self.warn(WarningCode::Agent, &message, out);
            }
            return;
        };
        match call {
            Call::Initialize => self.greeted(result, error, out),
            Call::Open(conversation) => self.opened(conversation, result, error, out),
            Call::Turn(conversation, turn) => {
                self.turn_answered(conversation, turn, result, error, out);
            }
            Call::Interrupt(conversation) => {
                if let (Some(thread), Some(error)) = (self.threads.get_mut(&conversation), error) {
                    thread.interrupt_refused(&error, &mut self.calls, out);
                }
            }
            Call::Steer(conversation, steer) => {
                if let (Some(thread), Some(error)) = (self.threads.get_mut(&conversation), error) {
                    thread.steer_refused(steer, &error.message, out);
                }
            }
            Call::Change(conversation, changing) => {
                self.change_answered(conversation, changing, error.as_ref(), out);
            }
            Call::Configured(conversation, change) => {
                self.configured(conversation, change, result, out);
            }
            Call::Operate(conversation, operating) => {
                self.operation_answered(conversation, operating, result, error, out);
            }
            Call::Clean(conversation, thread) => {
                ask_what_runs(&mut self.calls, conversation, thread, error.is_none(), out);
            }
            Call::Running(conversation, thread) => {
                self.what_runs(conversation, &thread, result, out);
            }
            Call::Leave(thread) => {
                let status: Value = read(result).unwrap_or_default();
                if status["status"] != "unsubscribed" {
                    self.closed(&thread, out);
                }
            }
            Call::Aside => {}
        }
    }

    /// `turn/start` was answered.
    fn turn_answered(
        &mut self,
        conversation: Conversation,
        turn: TurnId,
        result: Option<&RawValue>,
        error: Option<RpcError>,
        out: &mut Output,
    ) {
        let Some(thread) = self.threads.get_mut(&conversation) else {
            return;
        };
        if let Some(error) = error {
            thread.not_taken(turn, &error, out);
            self.close_if_left(conversation, out);
        } else {
            let started: Option<Started<'_>> = read(result);
            let id = started.as_ref().map(|s| &*s.turn.id);
            thread.taken(turn, id, &mut self.calls, out);
            thread.resend_interrupt(&mut self.calls, out);
        }
    }

    /// The agent lists what still runs in a thread.
    fn what_runs(
        &mut self,
        conversation: Conversation,
        thread_id: &str,
        result: Option<&RawValue>,
        out: &mut Output,
    ) {
        let list: Value = read(result).unwrap_or_default();
        let (Some(tasks), Some(thread)) =
            (list["data"].as_array(), self.threads.get_mut(&conversation))
        else {
            return;
        };
        let listed: Vec<_> = tasks.iter().filter_map(|t| t["itemId"].as_str()).collect();
        thread.commands_run_on(thread_id, &listed, out);
    }
}

/// Commands were ended. That they are over the agent says of each; should it forget one, the list
/// of those that still run shows it.
fn ask_what_runs(
    calls: &mut Calls,
    conversation: Conversation,
    thread: Box<str>,
    cleaned: bool,
    out: &mut Output,
) {
    if cleaned {
        let params = serde_json::json!({"threadId": &*thread});
        let call = Call::Running(conversation, thread);
        calls.write(call, "thread/backgroundTerminals/list", &params, out);
    }
}

/// The answer to `turn/start`.
#[derive(Deserialize)]
struct Started<'a> {
    #[serde(borrow)]
    turn: WireTurn<'a>,
}
