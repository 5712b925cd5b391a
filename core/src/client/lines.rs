//! A part of a text, by its lines.

/// The lines from `first`, counted from 1, at most `limit` of them, with their ends. What lies behind the
/// text is empty.
pub(super) fn part(text: &str, first: Option<u64>, limit: Option<u64>) -> &str {
    let from = first.map_or(0, |first| start_of(text, first.saturating_sub(1)));
    let rest = &text[from..];
    match limit {
        Some(limit) => &rest[..start_of(rest, limit)],
        None => rest,
    }
}

/// Where the line begins before which there are so many; the end of the text, if there are fewer.
fn start_of(text: &str, before: u64) -> usize {
    let Some(last) = before.checked_sub(1) else {
        return 0;
    };
    let last = usize::try_from(last).unwrap_or(usize::MAX);
    let mut ends = memchr::memchr_iter(b'\n', text.as_bytes());
    ends.nth(last).map_or(text.len(), |end| end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_from_one_and_keep_their_ends() {
        let text = "one\ntwo\r\nthree";
        let cases = [
            (None, None, text),
            (Some(1), None, text),
            (Some(0), None, text),
            (Some(2), None, "two\r\nthree"),
            (Some(2), Some(1), "two\r\n"),
            (None, Some(2), "one\ntwo\r\n"),
            (Some(3), Some(9), "three"),
            (Some(4), None, ""),
            (Some(u64::MAX), Some(u64::MAX), ""),
            (Some(1), Some(0), ""),
        ];
        for (first, limit, wanted) in cases {
            assert_eq!(part(text, first, limit), wanted, "{first:?} {limit:?}");
        }
        assert_eq!(part("", Some(1), Some(1)), "");
        assert_eq!(part("a\n", Some(2), None), "");
    }
}
