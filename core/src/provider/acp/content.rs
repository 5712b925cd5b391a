//! The content of tool calls: text, and changes of files.

use std::fmt::Write as _;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::event::{FileChange, FileChangeKind};

/// So many lines around a change are repeated.
const AROUND: usize = 3;

/// A file before and after.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Diff {
    pub path: String,
    old_text: Option<String>,
    new_text: Option<String>,
    #[serde(rename = "_meta")]
    meta: Option<DiffMeta>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct DiffMeta {
    kind: Option<String>,
}

/// One item of a tool call's content.
#[derive(Deserialize)]
struct Item<'a> {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(borrow, default)]
    content: Option<&'a RawValue>,
}

/// The text of all text blocks, and all changes. What else there is belongs to the agent's own
/// display, or to the host's terminals, which there are none of.
pub(super) fn read(raw: &RawValue) -> (String, Vec<Diff>) {
    let items: Vec<&RawValue> = serde_json::from_str(raw.get()).unwrap_or_default();
    let (mut text, mut diffs) = (String::new(), Vec::new());
    for raw in items {
        let Ok(item) = serde_json::from_str::<Item<'_>>(raw.get()) else {
            continue;
        };
        match item.kind.as_str() {
            "content" => text.push_str(&super::tool::block_text(item.content).unwrap_or_default()),
            "diff" => diffs.extend(serde_json::from_str::<Diff>(raw.get()).ok()),
            _ => {}
        }
    }
    (text, diffs)
}

/// The paths of `locations`, each once.
pub(super) fn locations(raw: &RawValue) -> Vec<String> {
    #[derive(Deserialize)]
    struct Location {
        path: String,
    }
    let locations: Vec<Location> = serde_json::from_str(raw.get()).unwrap_or_default();
    let mut paths: Vec<String> = Vec::new();
    for location in locations {
        if !paths.contains(&location.path) {
            paths.push(location.path);
        }
    }
    paths
}

impl Diff {
    /// The same as an event has it.
    pub(super) fn change(&self) -> FileChange {
        let old = self.old_text.as_deref().unwrap_or_default();
        let new = self.new_text.as_deref().unwrap_or_default();
        let kind = match self.meta.as_ref().and_then(|m| m.kind.as_deref()) {
            Some("add") => FileChangeKind::Add,
            Some("delete") => FileChangeKind::Delete,
            None if old.is_empty() => FileChangeKind::Add,
            Some(_) | None => FileChangeKind::Update,
        };
        let diff = match kind {
            FileChangeKind::Add => new.to_owned(),
            FileChangeKind::Delete => old.to_owned(),
            FileChangeKind::Update | FileChangeKind::Move => hunk(old, new),
        };
        FileChange {
            path: self.path.clone(),
            kind,
            diff,
            moved_to: None,
        }
    }
}

/// One hunk from the first line that differs to the last.
fn hunk(old: &str, new: &str) -> String {
    let old: Vec<&str> = old.split_inclusive('\n').collect();
    let new: Vec<&str> = new.split_inclusive('\n').collect();
    let same = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let rest = old.len().min(new.len()) - same;
    let ends = old.iter().rev().zip(new.iter().rev());
    let tail = ends.take(rest).take_while(|(a, b)| a == b).count();
    if same == old.len() && same == new.len() {
        return String::new();
    }
    let first = same.saturating_sub(AROUND);
    let after = tail.min(AROUND);
    let (old_end, new_end) = (old.len() - tail, new.len() - tail);
    let (old_count, new_count) = (old_end + after - first, new_end + after - first);
    // An empty side has line 0.
    let line = |count: usize| if count == 0 { 0 } else { first + 1 };
    let mut text = format!(
        "@@ -{},{old_count} +{},{new_count} @@\n",
        line(old_count),
        line(new_count)
    );
    let parts = [
        (' ', &old[first..same]),
        ('-', &old[same..old_end]),
        ('+', &new[same..new_end]),
        (' ', &old[old_end..old_end + after]),
    ];
    for (mark, lines) in parts {
        for line in lines {
            let end = if line.ends_with('\n') {
                ""
            } else {
                "\n\\ No newline at end of file\n"
            };
            let _ = write!(text, "{mark}{line}{end}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::hunk;

    #[test]
    fn a_hunk_has_what_differs_and_three_lines_around() {
        let old = "1\n2\n3\n4\n5\n6\n7\n8\n9\n";
        let new = "1\n2\n3\n4\nfive\n6\n7\n8\n9\n";
        assert_eq!(
            hunk(old, new),
            "@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n"
        );
    }

    #[test]
    fn lines_without_an_end_and_empty_sides_are_told() {
        assert_eq!(
            hunk("a", "b\n"),
            "@@ -1,1 +1,1 @@\n-a\n\\ No newline at end of file\n+b\n"
        );
        assert_eq!(hunk("a\n", ""), "@@ -1,1 +0,0 @@\n-a\n");
        assert_eq!(hunk("a\na\n", "a\n"), "@@ -1,2 +1,1 @@\n a\n-a\n");
        assert_eq!(hunk("same\n", "same\n"), "");
    }
}
