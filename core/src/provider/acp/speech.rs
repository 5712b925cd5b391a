//! What the agent says: pieces of text, and the whole message when it is over.
//!
//! A message ends where another one begins, by its id or its kind, and where a tool is used.

use super::tool::Place;
use crate::event::Body;
use crate::provider::{Output, SignalBody};

/// A merged piece is not longer than this, so that no host waits for a huge one.
const LONGEST: usize = 16 * 1024;

/// What kind of text it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Voice {
    Answer,
    Thought,
}

/// The message that is being said.
#[derive(Debug, Default)]
pub(super) struct Speech {
    voice: Option<Voice>,
    id: Option<String>,
    text: String,
    /// The last whole message of the turn.
    last: Option<String>,
}

impl Speech {
    /// Shows a piece.
    pub(super) fn piece(
        &mut self,
        voice: Voice,
        id: Option<&str>,
        text: &str,
        place: Place,
        out: &mut Output,
    ) {
        if self.voice != Some(voice) || self.id.as_deref() != id {
            self.flush(place, out);
            self.voice = Some(voice);
            self.id = id.map(str::to_owned);
        } else if let Some(end) = open_end(voice, place, out)
            && end.len() + text.len() <= LONGEST
        {
            end.push_str(text);
            return self.keep(voice, text);
        }
        self.keep(voice, text);
        if text.is_empty() {
            return;
        }
        let (text, parent) = (text.to_owned(), None);
        let body = match voice {
            Voice::Answer => Body::TextDelta { text, parent },
            Voice::Thought => Body::ReasoningDelta { text, parent },
        };
        place.show(body, out);
    }

    fn keep(&mut self, voice: Voice, text: &str) {
        match voice {
            Voice::Answer => self.text.push_str(text),
            Voice::Thought => {}
        }
    }

    /// The message is over.
    pub(super) fn flush(&mut self, place: Place, out: &mut Output) {
        self.voice = None;
        self.id = None;
        let text = std::mem::take(&mut self.text);
        if !text.is_empty() {
            self.last = Some(text.clone());
            let parent = None;
            place.show(Body::Message { text, parent }, out);
        }
    }

    /// The turn is over: gives back its last message.
    pub(super) fn turn_over(&mut self, place: Place, out: &mut Output) -> Option<String> {
        self.flush(place, out);
        self.last.take()
    }

    /// A turn begins. What was said since the last one is no part of it.
    pub(super) fn turn_begins(&mut self, place: Place, out: &mut Output) {
        self.flush(place, out);
        self.last = None;
    }
}

/// The text of the last signal, if it is a piece of that voice and place.
fn open_end(voice: Voice, place: Place, out: &mut Output) -> Option<&mut String> {
    let last = out.signals.last_mut()?;
    if last.conversation != place.conversation || last.turn != place.turn {
        return None;
    }
    let SignalBody::Show(body) = &mut last.body else {
        return None;
    };
    if let (Voice::Answer, Body::TextDelta { text, .. })
    | (Voice::Thought, Body::ReasoningDelta { text, .. }) = (voice, body)
    {
        return Some(text);
    }
    None
}
