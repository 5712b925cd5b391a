//! The end of what a command wrote.

use std::collections::VecDeque;

/// The last bytes of an output, and whether there were more.
#[derive(Debug)]
pub(super) struct Output {
    bytes: VecDeque<u8>,
    limit: usize,
    truncated: bool,
}

impl Output {
    /// Keeps so many bytes.
    pub(super) fn new(limit: usize) -> Self {
        Self {
            bytes: VecDeque::new(),
            limit,
            truncated: false,
        }
    }

    /// Takes what was written, and drops from the front what is too much.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend(bytes);
        let over = self.bytes.len().saturating_sub(self.limit);
        if over > 0 {
            self.bytes.drain(..over);
            self.truncated = true;
        }
    }

    /// The text, never longer than the limit, and whether there was more before it. It begins with a
    /// whole character, and ends with one if more may come. What is no UTF-8 is replaced.
    pub(super) fn text(&mut self, over: bool) -> (String, bool) {
        let mut bytes: &[u8] = self.bytes.make_contiguous();
        if self.truncated {
            let is_rest = |byte: &&u8| **byte & 0b1100_0000 == 0b1000_0000;
            // A character has at most four bytes.
            let rest = bytes.iter().take(3).take_while(is_rest).count();
            bytes = &bytes[rest..];
        }
        if !over {
            bytes = whole(bytes);
        }
        let text = String::from_utf8_lossy(bytes);
        // What is put in the place of a byte is longer than that.
        let from = text.len().saturating_sub(self.limit);
        let from = (from..=text.len()).find(|at| text.is_char_boundary(*at));
        let from = from.unwrap_or(text.len());
        (text[from..].to_owned(), self.truncated || from > 0)
    }
}

/// Without the beginning of a character at the end.
fn whole(bytes: &[u8]) -> &[u8] {
    match std::str::from_utf8(&bytes[bytes.len().saturating_sub(3)..]) {
        Ok(_) => bytes,
        Err(error) => {
            let lead = bytes
                .iter()
                .rposition(|byte| byte & 0b1100_0000 != 0b1000_0000);
            match (lead, error.error_len()) {
                (Some(lead), _) if is_cut(&bytes[lead..]) => &bytes[..lead],
                _ => bytes,
            }
        }
    }
}

/// Whether these bytes are the beginning of one character.
fn is_cut(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes)
        .is_err_and(|error| error.valid_up_to() == 0 && error.error_len().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(limit: usize, pieces: &[&[u8]]) -> Output {
        let mut output = Output::new(limit);
        for piece in pieces {
            output.push(piece);
        }
        output
    }

    #[test]
    fn the_end_is_kept_from_a_whole_character_on() {
        assert_eq!(
            of(8, &[b"abc", b"def"]).text(true),
            ("abcdef".into(), false)
        );
        assert_eq!(of(4, &[b"abc", b"def"]).text(true), ("cdef".into(), true));
        assert_eq!(of(0, &[b"abc"]).text(true), (String::new(), true));
        let euro = "€uro".as_bytes();
        for limit in 3..6 {
            assert_eq!(of(limit, &[euro]).text(true), ("uro".into(), true));
        }
        assert_eq!(of(6, &[euro]).text(true), ("€uro".into(), false));
    }

    #[test]
    fn a_character_that_is_being_written_is_not_shown_before_it_is_whole() {
        let text = "a😀".as_bytes();
        for cut in 1..text.len() {
            let mut output = of(64, &[&text[..cut]]);
            assert_eq!(output.text(false), ("a".into(), false), "{cut}");
            output.push(&text[cut..]);
            assert_eq!(output.text(false), ("a😀".into(), false));
        }
        assert_eq!(
            of(64, &[&text[..3]]).text(true),
            ("a\u{fffd}".into(), false)
        );
    }

    #[test]
    fn what_is_no_text_never_makes_it_longer_than_its_limit() {
        let (text, truncated) = of(10, &[&[0xff; 10]]).text(true);
        assert_eq!(
            (text.as_str(), truncated),
            ("\u{fffd}\u{fffd}\u{fffd}", true)
        );
        assert_eq!(of(10, &[&[0x80; 10]]).text(false).0.chars().count(), 3);
    }
}
