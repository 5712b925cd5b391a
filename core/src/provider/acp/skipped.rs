//! What follows from lines that are too long to be read.

use serde_json::value::{RawValue, to_raw_value};

use super::calls::Call;
use super::codec::Acp;
use super::wire::{INTERNAL, Message, write_error};
use crate::error::ErrorKind;
use crate::provider::cut::{Cut, unread};
use crate::provider::{Outcome, Output};

impl Acp {
    /// A line is skipped that begins like this. What waits for what it said waits no longer.
    pub(super) fn skip(&mut self, head: &Cut, size: usize, out: &mut Output) {
        let id = head.get("id").and_then(|id| to_raw_value(id).ok());
        match (head.text("method"), id) {
            ("session/update", None) => self.update_skipped(head, size, out),
            (_, None) => {}
            ("", Some(id)) if head.has("result") || head.has("error") => {
                self.answer_skipped(&id, size, out);
            }
            // Where the method stands behind the rest, it is a question too.
            (_, Some(id)) => {
                write_error(&mut out.bytes, &id, INTERNAL, &unread("the question", size));
            }
        }
    }

    /// A tool may have ended with it, which says so before what it gave.
    fn update_skipped(&mut self, head: &Cut, size: usize, out: &mut Output) {
        let conversation = self.routes.get(head.text("params.sessionId"));
        let session = conversation.and_then(|c| self.sessions.get_mut(c));
        let tool = head.text("params.update.toolCallId");
        let status = head.text("params.update.status");
        if let Some(session) = session.filter(|s| s.is_ready())
            && !tool.is_empty()
            && matches!(status, "completed" | "failed")
        {
            let place = session.place();
            session
                .tools
                .unread(tool, place, &unread("the result", size), out);
        }
    }

    /// An answer that cannot be read is a refusal. Of a turn it is the end all the same.
    fn answer_skipped(&mut self, id: &RawValue, size: usize, out: &mut Output) {
        if let Some(Call::Prompt(conversation, turn)) = self.calls.of(id.get()) {
            let (conversation, turn) = (*conversation, *turn);
            self.calls.answered(id.get());
            let code = ErrorKind::ProtocolError;
            let message = unread("the end of the turn", size);
            let outcome = Outcome::Failed { code, message };
            return self.prompt_over(conversation, turn, outcome, out);
        }
        if self.calls.of(id.get()).is_none() {
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
