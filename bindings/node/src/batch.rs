//! A portion on its way to JavaScript: rows of numbers, one text that holds every piece, one array of JSON.
//!
//! Pieces of text are most of what comes. They cost JavaScript a slice of one string each, and no JSON: measured with
//! Node 20, 18 ns for such an event against 430 ns for one that is parsed.

use remuda::{Body, Event, TurnId};
use serde::Serialize;

use crate::failure;

/// Numbers in a row: source, kind, seq, turn, time in milliseconds, length of the text in UTF-16 units.
pub(crate) const ROW: usize = 6;
/// Numbers before the rows: how many rows follow, whether there is JSON, whether more waits.
pub(crate) const HEAD: usize = 3;
/// A portion ends when it holds so many bytes.
const BYTES: usize = 256 << 10;

/// In the place of a kind: the event is in the JSON.
const IN_JSON: f64 = 0.0;
/// In the place of a kind: the reader has given its last event.
const END: f64 = -1.0;
/// In the place of a kind: a call gave what is in the JSON.
const ANSWER: f64 = -2.0;
/// In the place of a kind: a call failed; why is in the JSON.
const FAILURE: f64 = -3.0;

/// In the place of a kind: a line of a process that is lent.
const LINE: f64 = -4.0;

/// A portion in the making, in the numbers that JavaScript lends for it.
pub(crate) struct Batch<'a> {
    numbers: &'a mut [f64],
    rows: usize,
    text: String,
    json: String,
}

/// Why a call failed, as JSON.
#[derive(Serialize)]
struct Failed<'a> {
    kind: &'static str,
    message: &'a str,
}

#[expect(
    clippy::cast_precision_loss,
    reason = "numbers of sessions, turns and events stay below 2^53"
)]
const fn number(of: u64) -> f64 {
    of as f64
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a time is given in milliseconds; what is lost is less than a microsecond"
)]
fn milliseconds(unix_ns: i64) -> f64 {
    unix_ns as f64 / 1e6
}

impl<'a> Batch<'a> {
    pub(crate) fn new(numbers: &'a mut [f64]) -> Self {
        Self {
            numbers,
            rows: 0,
            text: String::new(),
            json: String::new(),
        }
    }

    pub(crate) fn has_room(&self) -> bool {
        let used = HEAD + (self.rows + 1) * ROW;
        used <= self.numbers.len() && self.text.len() + self.json.len() < BYTES
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Adds an event.
    pub(crate) fn event(&mut self, source: u32, event: &Event) {
        let turn = event.turn.map_or(0, TurnId::get);
        let mut row = [
            f64::from(source),
            IN_JSON,
            number(event.seq),
            number(turn),
            milliseconds(event.time_unix_ns),
            0.0,
        ];
        if let Body::TextDelta { text, parent: None }
        | Body::ReasoningDelta { text, parent: None }
        | Body::Message { text, parent: None } = &event.body
        {
            row[1] = f64::from(event.kind().number());
            row[5] = number(units(text) as u64);
            self.text.push_str(text);
        } else {
            let json = failure::json(&event.body).unwrap_or_else(|_| "{}".to_owned());
            self.append(&json);
        }
        self.push(row);
    }

    /// Adds a line.
    pub(crate) fn line(&mut self, source: u32, line: &str) {
        let length = number(units(line) as u64);
        self.text.push_str(line);
        self.push([f64::from(source), LINE, 0.0, 0.0, 0.0, length]);
    }

    /// The reader has given its last event.
    pub(crate) fn end(&mut self, source: u32) {
        self.push([f64::from(source), END, 0.0, 0.0, 0.0, 0.0]);
    }

    /// A call has its answer.
    pub(crate) fn answer(&mut self, call: u32, answer: Result<&str, &remuda::Error>) {
        let kind = match answer {
            Ok(json) => {
                self.append(json);
                ANSWER
            }
            Err(error) => {
                let failed = Failed {
                    kind: error.kind().name(),
                    message: error.message(),
                };
                let json = failure::json(&failed).unwrap_or_else(|_| "{}".to_owned());
                self.append(&json);
                FAILURE
            }
        };
        self.push([f64::from(call), kind, 0.0, 0.0, 0.0, 0.0]);
    }

    /// Ends it: the text, and the JSON or nothing.
    pub(crate) fn finish(mut self, more: bool) -> (String, String) {
        if !self.json.is_empty() {
            self.json.push(']');
        }
        let head = [
            number(self.rows as u64),
            f64::from(u8::from(!self.json.is_empty())),
            f64::from(u8::from(more)),
        ];
        if let Some(place) = self.numbers.get_mut(..HEAD) {
            place.copy_from_slice(&head);
        }
        (self.text, self.json)
    }

    fn append(&mut self, json: &str) {
        self.json.push(if self.json.is_empty() { '[' } else { ',' });
        self.json.push_str(json);
    }

    fn push(&mut self, row: [f64; ROW]) {
        let start = HEAD + self.rows * ROW;
        if let Some(place) = self.numbers.get_mut(start..start + ROW) {
            place.copy_from_slice(&row);
            self.rows += 1;
        }
    }
}

/// How long a text is in JavaScript.
fn units(text: &str) -> usize {
    if text.is_ascii() {
        return text.len();
    }
    text.encode_utf16().count()
}
