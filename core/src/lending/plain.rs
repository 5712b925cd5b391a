//! The codec that passes lines on as they are, in both directions.

use crate::event::{Body, RawJson};
use crate::ids::TurnId;
use crate::message::Message;
use crate::provider::{Codec, Conversation, Output, Request, SignalBody, TurnRef};

/// The only conversation of a lent process.
pub(super) const ONLY: Conversation = Conversation(0);

/// What a host writes: as a message, because that is what a codec is given.
pub(super) fn written(text: String) -> Request {
    Request::Turn {
        conversation: ONLY,
        turn: TurnId::next(),
        message: Message::from(text).into(),
    }
}

/// The end of the agent's input.
pub(super) const END: Request = Request::Close { conversation: ONLY };

/// Knows no protocol.
pub(super) struct Plain;

impl Codec for Plain {
    fn start(&mut self, _out: &mut Output) {}

    fn request(&mut self, request: Request, out: &mut Output) {
        match request {
            Request::Turn { message, .. } => {
                out.bytes.extend_from_slice(message.text.as_bytes());
            }
            Request::Close { .. } => out.close_stdin = true,
            // Nobody asks for these: there is no session.
            Request::Open { .. }
            | Request::Steer { .. }
            | Request::Change { .. }
            | Request::Operate { .. }
            | Request::Interrupt { .. }
            | Request::Answer { .. }
            | Request::Served { .. } => {}
        }
    }

    fn line(&mut self, line: &[u8], out: &mut Output) {
        if line.is_empty() {
            return;
        }
        let raw = RawJson::from_text(&String::from_utf8_lossy(line));
        out.show(ONLY, TurnRef::None, Body::Unknown { raw });
    }

    fn end_of_output(&mut self, _out: &mut Output) {}
}

/// The line in what this codec said.
#[expect(clippy::wildcard_enum_match_arm, reason = "it says nothing else")]
pub(super) fn line(body: &SignalBody) -> Option<&str> {
    match body {
        SignalBody::Show(Body::Unknown { raw }) => Some(raw.get()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_go_through_as_they_are_in_both_directions() {
        let mut out = Output::default();
        Plain.request(written("{\"a\": 1}\n".to_owned()), &mut out);
        assert_eq!(out.bytes, b"{\"a\": 1}\n");
        assert!(!out.close_stdin);
        Plain.request(END, &mut out);
        assert!(out.close_stdin);
        for line in [&b"{\"b\" :2}"[..], b"", b"no json"] {
            Plain.line(line, &mut out);
        }
        let said = out.signals.iter().filter_map(|signal| line(&signal.body));
        assert_eq!(said.collect::<Vec<_>>(), ["{\"b\" :2}", "\"no json\""]);
    }
}
