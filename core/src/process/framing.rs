//! Where lines begin and end in an agent's output.
//!
//! No I/O. A line that lies whole in a chunk is given out from there; only the piece of a line that
//! a chunk ends in is copied.

/// A buffer for pieces keeps no more than this after a long line.
const KEPT: usize = 64 << 10;

/// So much is given of a line that is skipped.
const HEAD: usize = 1 << 10;

/// What stands in the output.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Frame<'a> {
    /// A line without its end, be that LF or CR LF. May be empty.
    Line(&'a [u8]),
    /// A line has grown beyond the limit: how it begins, and its size so far. Said once; the rest
    /// of it is skipped.
    TooLong(&'a [u8], usize),
}

/// Cuts chunks into lines.
#[derive(Debug)]
pub(crate) struct Framer {
    /// The longest line, a CR at its end included.
    max_line: usize,
    /// The beginning of a line whose end has not come.
    piece: Vec<u8>,
    /// Whether the line under way was too long.
    skipping: bool,
}

impl Framer {
    pub(crate) fn new(max_line: usize) -> Self {
        Self {
            max_line,
            piece: Vec::new(),
            skipping: false,
        }
    }

    /// Takes the next bytes and gives out what they complete, in order. How the bytes are cut into
    /// chunks changes nothing but the size that [`Frame::TooLong`] tells.
    pub(crate) fn feed(&mut self, chunk: &[u8], mut sink: impl FnMut(Frame<'_>)) {
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', chunk) {
            self.end_line(&chunk[start..end], &mut sink);
            start = end + 1;
        }
        self.begin_line(&chunk[start..], &mut sink);
    }

    /// Gives what stands after the last line end, if there is anything.
    pub(crate) fn finish(&mut self) -> Option<Vec<u8>> {
        self.skipping = false;
        let piece = std::mem::take(&mut self.piece);
        (!piece.is_empty()).then_some(piece)
    }

    fn end_line(&mut self, rest: &[u8], sink: &mut impl FnMut(Frame<'_>)) {
        if self.skipping {
            self.skipping = false;
            return;
        }
        let size = self.piece.len() + rest.len();
        if size > self.max_line {
            self.skip(rest, sink);
        } else if self.piece.is_empty() {
            sink(Frame::Line(without_cr(rest)));
        } else {
            self.extend_piece(rest);
            sink(Frame::Line(without_cr(&self.piece)));
            self.drop_piece();
        }
    }

    fn begin_line(&mut self, bytes: &[u8], sink: &mut impl FnMut(Frame<'_>)) {
        if self.skipping || bytes.is_empty() {
            return;
        }
        let size = self.piece.len() + bytes.len();
        if size > self.max_line {
            self.skip(bytes, sink);
            self.skipping = true;
        } else {
            self.extend_piece(bytes);
        }
    }

    /// Says that the piece and these bytes are more than a line may have.
    fn skip(&mut self, bytes: &[u8], sink: &mut impl FnMut(Frame<'_>)) {
        let size = self.piece.len() + bytes.len();
        // Together they are longer than any line, so that no cut of the chunks changes this.
        let most = HEAD.min(self.max_line);
        let rest = most.saturating_sub(self.piece.len()).min(bytes.len());
        self.extend_piece(&bytes[..rest]);
        let head = &self.piece[..most.min(self.piece.len())];
        sink(Frame::TooLong(head, size));
        self.drop_piece();
    }

    /// Doubles like `Vec` does, but never beyond what a line may have.
    fn extend_piece(&mut self, bytes: &[u8]) {
        let needed = self.piece.len() + bytes.len();
        let capacity = self.piece.capacity();
        if needed > capacity {
            let target = needed.max((capacity * 2).min(self.max_line));
            self.piece.reserve_exact(target - self.piece.len());
        }
        self.piece.extend_from_slice(bytes);
    }

    fn drop_piece(&mut self) {
        if self.piece.capacity() > KEPT {
            self.piece = Vec::new();
        } else {
            self.piece.clear();
        }
    }
}

fn without_cr(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What stands for a line that is too long.
    fn long(head: &[u8]) -> Vec<u8> {
        [b"<too long>", head].concat()
    }

    /// What comes out of chunks: lines, with a mark for each that was too long, and the tail.
    fn frames(max_line: usize, chunks: &[&[u8]]) -> (Vec<Vec<u8>>, Option<Vec<u8>>) {
        let mut framer = Framer::new(max_line);
        let mut lines = Vec::new();
        for chunk in chunks {
            framer.feed(chunk, |frame| {
                lines.push(match frame {
                    Frame::Line(line) => line.to_vec(),
                    Frame::TooLong(head, size) => {
                        assert!(size > max_line);
                        long(head)
                    }
                });
            });
            assert!(framer.piece.len() <= max_line);
            assert!(framer.piece.capacity() <= max_line.max(8));
        }
        (lines, framer.finish())
    }

    /// The same, said another way: by splitting the whole.
    fn expected(max_line: usize, bytes: &[u8]) -> (Vec<Vec<u8>>, Option<Vec<u8>>) {
        let mut lines: Vec<_> = bytes.split(|b| *b == b'\n').map(<[u8]>::to_vec).collect();
        let tail = lines.pop().filter(|t| !t.is_empty());
        for line in &mut lines {
            if line.len() > max_line {
                *line = long(&line[..max_line.min(HEAD)]);
            } else if line.last() == Some(&b'\r') {
                line.pop();
            }
        }
        match tail {
            Some(tail) if tail.len() > max_line => {
                lines.push(long(&tail[..max_line.min(HEAD)]));
                (lines, None)
            }
            tail => (lines, tail),
        }
    }

    proptest! {
        #[test]
        fn any_cut_of_any_bytes_gives_the_same_lines(
            bytes in prop::collection::vec(
                prop_oneof![Just(b'\n'), Just(b'\r'), Just(b'x'), any::<u8>()], 0..200),
            cuts in prop::collection::vec(0_usize..200, 0..20),
            max_line in 8_usize..40,
        ) {
            let mut cuts: Vec<_> = cuts.into_iter().map(|c| c.min(bytes.len())).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let chunks: Vec<_> = cuts.windows(2).map(|w| &bytes[w[0]..w[1]]).collect();
            prop_assert_eq!(frames(max_line, &chunks), expected(max_line, &bytes));
        }
    }

    #[test]
    fn a_line_end_may_lie_between_chunks() {
        let (lines, tail) = frames(9, &[b"a\r", b"\nb", b"c\n", b"\n", b"end"]);
        assert_eq!(lines, [b"a".to_vec(), b"bc".to_vec(), Vec::new()]);
        assert_eq!(tail, Some(b"end".to_vec()));
    }

    #[test]
    fn a_line_that_is_too_long_is_said_once_and_the_next_one_lives() {
        let chunks: &[&[u8]] = &[b"12345", b"67890", b"12345678901234567890", b"x\nok\n"];
        assert_eq!(frames(9, chunks).0, [long(b"123456789"), b"ok".to_vec()]);
    }

    #[test]
    fn of_a_line_that_is_too_long_only_the_beginning_is_given() {
        let line = vec![b'x'; 5000];
        let (lines, _) = frames(3000, &[&line[..2500], &line[2500..]]);
        assert_eq!(lines, [long(&line[..HEAD])]);
    }

    #[test]
    fn a_long_line_leaves_no_large_buffer_behind() {
        let mut framer = Framer::new(1 << 20);
        let half = vec![b'x'; 400 << 10];
        let mut sizes = Vec::new();
        for chunk in [&half[..], &half[..], b"\n"] {
            framer.feed(chunk, |frame| {
                if let Frame::Line(line) = frame {
                    sizes.push(line.len());
                }
            });
        }
        assert_eq!(sizes, [800 << 10]);
        assert_eq!(framer.piece.capacity(), 0);
    }
}
