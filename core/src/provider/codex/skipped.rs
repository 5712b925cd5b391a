//! What follows from lines of the app-server that are too long to be read.

use serde_json::value::{RawValue, to_raw_value};

use super::calls::Call;
use super::ledger::Scope;
use super::server::AppServer;
use super::turn::WireTurn;
use super::wire::{Message, write_error};
use crate::provider::Output;
use crate::provider::cut::{Cut, unread};

/// JSON-RPC: a fault of whoever answers.
const INTERNAL: i64 = -32603;

impl AppServer {
    /// A line is skipped that begins like this. What waits for what it said waits no longer.
    pub(super) fn skip(&mut self, head: &Cut, size: usize, out: &mut Output) {
        match (head.text("method"), head.get("id")) {
            ("turn/completed", None) => {
                let turn = WireTurn::unread(head.text("params.turn.id"), size);
                // A thread that is nobody's has no turn to end.
                let _ = self.turn_over(head.text("params.threadId"), &turn, out);
            }
            ("item/completed", None) => self.item_skipped(head.text("params.item.id"), size, out),
            (_, None) => {}
            (method, Some(id)) => {
                let Ok(id) = to_raw_value(id) else { return };
                if method.is_empty() {
                    self.answer_skipped(&id, size, out);
                } else {
                    write_error(&mut out.bytes, &id, INTERNAL, &unread("the question", size));
                }
            }
        }
    }

    /// Whose item it is stands at the end of the line. Whoever has it open knows it.
    fn item_skipped(&mut self, id: &str, size: usize, out: &mut Output) {
        for thread in self.threads.values_mut() {
            if let Some(turn) = thread.ledger.turn_of(id) {
                let scope = thread.scope(turn);
                thread.ledger.unread(scope, id, size, out);
                thread.count_background(out);
                return;
            }
            for child in thread.children.values_mut() {
                if child.ledger.turn_of(id).is_some() {
                    let scope = Scope {
                        conversation: thread.conversation,
                        turn: child.turn,
                        parent: Some(&child.parent),
                    };
                    child.ledger.unread(scope, id, size, out);
                    return;
                }
            }
        }
    }

    /// An answer that cannot be read is a refusal, where somebody waits for what it says.
    fn answer_skipped(&mut self, id: &RawValue, size: usize, out: &mut Output) {
        let waits = matches!(
            self.calls.of(id.get()),
            Some(Call::Open(_) | Call::Operate(..) | Call::Configured(..))
        );
        if !waits {
            return;
        }
        let error = serde_json::json!({"code": INTERNAL, "message": unread("the answer", size)});
        if let Ok(error) = to_raw_value(&error) {
            let message = Message {
                method: None,
                id: Some(id),
                params: None,
                result: None,
                error: Some(&error),
            };
            self.response(id, &message, out);
        }
    }
}
