//! From the bytes of a line to its JSON text, or to a warning that it is none.

use std::borrow::Cow;

use crate::event::{Body, WarningCode};

/// So many lines that are not JSON are reported per process; then there is silence.
const REPORTED: u32 = 10;
/// So many characters of such a line are shown.
const SHOWN: usize = 200;

/// What a line is.
pub(crate) enum Line<'a> {
    /// An object, as far as its first byte says.
    Object(Cow<'a, str>),
    /// Nothing to pass on.
    Nothing,
    /// Not the protocol.
    Noise(Box<Body>),
}

/// Counts the noise of one process.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    noise: u32,
}

impl Lines {
    /// Looks at a line. Bytes that are not UTF-8 are replaced, and only where there are any.
    pub(crate) fn look<'a>(&mut self, line: &'a [u8]) -> Line<'a> {
        let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
        let line = line.trim_ascii();
        match line.first() {
            None => Line::Nothing,
            Some(b'{') => Line::Object(String::from_utf8_lossy(line)),
            Some(_) => self.noise(&String::from_utf8_lossy(line)),
        }
    }

    /// Reports a line that is not the protocol, as long as there were few.
    pub(crate) fn noise<'a>(&mut self, line: &str) -> Line<'a> {
        self.noise = self.noise.saturating_add(1);
        if self.noise > REPORTED {
            return Line::Nothing;
        }
        let shown: String = line.chars().take(SHOWN).collect();
        Line::Noise(Box::new(Body::Warning {
            code: WarningCode::Noise,
            message: format!("not a protocol line: {shown}"),
        }))
    }
}

/// A text as one line for people, cut where it gets long.
pub(crate) fn one_line(text: &str) -> String {
    const LONGEST: usize = 500;
    let mut line = String::new();
    for (index, c) in text.trim().chars().enumerate() {
        if index == LONGEST {
            line.push('…');
            break;
        }
        line.push(if c.is_control() { ' ' } else { c });
    }
    line
}
