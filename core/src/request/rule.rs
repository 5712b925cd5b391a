//! Rules that answer approvals without asking.
//!
//! A subject goes in, a verdict comes out; only links are looked up. Rules judge what the agent asks about; what
//! the agent does without asking, because its own mode allows it, they never see. What a command line runs is read
//! in `shell.rs`.

use std::path::{Component, Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::shell::{is_simple, programs};
use crate::error::Error;

/// A rule. Every member that is set must match; a rule without any matches everything.
///
/// Calls of the host's own tools can be denied by a rule too: `tool` is the name that the host gave
/// the tool, `mcp_server` is `host`, and they have neither command nor path. A rule that allows or asks
/// changes nothing about them, since only the host can give their result, and
/// [`read_only`](crate::SessionOptions::read_only) does not concern them.
///
/// What an agent has written or run by its [`client`](crate::SessionOptions::client) is judged too: as calls
/// of `fs/write_text_file` and `terminal/create`. What no rule matches of that is not asked but done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Named in the event of what it decided.
    pub name: String,
    /// What follows.
    pub action: Action,
    /// The agent's name of the tool; `*` stands for any run of characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    /// The command, word by word: `git log *`. `*` within a word stands for any characters of that
    /// word, a last word `*` for any further words. A rule that allows matches only a command in
    /// which nothing is quoted, expanded (`*`, `?`, `[`, `{`, `~`, `$`, …), redirected, chained or
    /// assigned. Another rule matches if any part of the command line does: quotes, assignments, the
    /// folder of the program and programs that run another one (`sudo`, `env -i`, `nice -n 5`,
    /// `bash -c '…'`, …) aside. It is a net with holes, and no sandbox: what a script, an
    /// interpreter, an alias or a variable runs is not seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// Where the files are that it is about, links followed. A rule that allows must match every one
    /// of them, another rule any, or a change of files that the agent does not name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<Place>,
    /// The MCP server whose tool it is; `*` stands for any run of characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mcp_server: Option<String>,
}

impl Rule {
    /// Checks what the types cannot say.
    ///
    /// # Errors
    ///
    /// [`crate::ErrorKind::InvalidArgument`] for a name that would not tell which rule it was.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let name = &self.name;
        let why = if name.trim().is_empty() {
            "a rule has no name".to_owned()
        } else if name.contains(char::is_control) {
            format!("{name:?} is not one line")
        } else if name == READ_ONLY {
            format!("{name:?} is the name of a rule of its own")
        } else {
            return Ok(());
        };
        Err(Error::invalid("rules", why))
    }
}

/// What a rule does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Yes, this once.
    Allow,
    /// Ask the host.
    Ask,
    /// No.
    Deny,
}

/// Where files are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// Beneath the session's directory.
    InsideCwd,
    /// Anywhere else.
    OutsideCwd,
}

/// What is asked about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Subject {
    /// The agent's name of the tool.
    pub tool: String,
    /// The command line, if it is a command.
    pub command: Option<String>,
    /// The files, as the agent names them.
    pub paths: Vec<String>,
    /// The MCP server, if it is one's tool.
    pub mcp_server: Option<String>,
    /// Whether it could change anything. Commands and unknown tools could.
    pub writes: bool,
}

/// What the rules say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub action: Action,
    /// The rule's name.
    pub rule: String,
}

/// The name of the rule that `read_only` is.
pub(crate) const READ_ONLY: &str = "read_only";

/// The first rule that matches decides. `None`: none does.
pub(crate) fn decide(
    rules: &[Rule],
    read_only: bool,
    cwd: &Path,
    subject: &Subject,
) -> Option<Verdict> {
    if read_only && subject.writes {
        return Some(Verdict {
            action: Action::Deny,
            rule: READ_ONLY.to_owned(),
        });
    }
    let rule = rules.iter().find(|rule| rule.matches(cwd, subject))?;
    Some(Verdict {
        action: rule.action,
        rule: rule.name.clone(),
    })
}

impl Rule {
    fn matches(&self, cwd: &Path, subject: &Subject) -> bool {
        let tool = self.tool.as_ref().is_none_or(|t| glob(t, &subject.tool));
        let server = self.mcp_server.as_ref().is_none_or(|wanted| {
            let server = subject.mcp_server.as_deref();
            server.is_some_and(|server| glob(wanted, server))
        });
        let command = self.command.as_ref().is_none_or(|pattern| {
            let command = subject.command.as_deref();
            command.is_some_and(|command| self.matches_command(pattern, command))
        });
        let place = self
            .path
            .is_none_or(|place| self.matches_place(place, cwd, subject));
        tool && server && command && place
    }

    fn matches_command(&self, pattern: &str, command: &str) -> bool {
        match self.action {
            Action::Allow => is_simple(command) && glob_words(pattern, command.split([' ', '\t'])),
            Action::Ask | Action::Deny => {
                let mut runs = programs(command).into_iter();
                runs.any(|words| glob_words(pattern, words.iter().map(String::as_str)))
                    || glob_words(pattern, command.split_whitespace())
            }
        }
    }

    fn matches_place(&self, place: Place, cwd: &Path, subject: &Subject) -> bool {
        let is_there = |path: &String| is_beneath(cwd, path) == (place == Place::InsideCwd);
        match self.action {
            Action::Allow => !subject.paths.is_empty() && subject.paths.iter().all(is_there),
            // What changes files that nobody can name could be there.
            Action::Ask | Action::Deny if subject.paths.is_empty() => {
                subject.writes && subject.command.is_none()
            }
            Action::Ask | Action::Deny => subject.paths.iter().any(is_there),
        }
    }
}

/// Whether a path stays beneath a folder, links followed as far as they are there. What a shell or an
/// agent would expand is taken to be outside.
fn is_beneath(folder: &Path, path: &str) -> bool {
    if path.starts_with('~') || path.contains('$') {
        return false;
    }
    let whole = folder.join(path);
    let (Some(place), Some(real_folder)) = (real(&whole), real(folder)) else {
        return false;
    };
    // From a link on, `..` means another folder than the one it stands in.
    let climbs = whole.components().any(|part| part == Component::ParentDir);
    place.starts_with(real_folder) && (!climbs || lexical(&whole).starts_with(folder))
}

/// The path without `.` and `..`, as written.
fn lexical(path: &Path) -> PathBuf {
    let mut whole = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                whole.pop();
            }
            Component::CurDir => {}
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => whole.push(part),
        }
    }
    whole
}

/// How many links are followed on the way to a file; as many as Linux follows.
const MAX_LINKS: usize = 40;

/// The path with its links followed, also those to what is not there: who writes through such a link
/// makes the file that it names. What is not there stays as written. `None`: it has
/// more links than a system follows, and leads nowhere.
fn real(path: &Path) -> Option<PathBuf> {
    let mut real = PathBuf::new();
    let mut links = 0;
    // What is still to be walked, the next part last.
    let mut rest: Vec<PathBuf> = parts(path);
    while let Some(part) = rest.pop() {
        match part.components().next() {
            Some(Component::ParentDir) => {
                real.pop();
            }
            Some(Component::Normal(_)) => {
                real.push(&part);
                let Ok(target) = std::fs::read_link(&real) else {
                    continue;
                };
                links += 1;
                if links > MAX_LINKS {
                    return None;
                }
                real.pop();
                rest.extend(parts(&target));
            }
            // A root or a prefix begins anew.
            Some(Component::RootDir | Component::Prefix(_) | Component::CurDir) | None => {
                real.push(&part);
            }
        }
    }
    Some(real)
}

/// The parts of a path, the first one last.
fn parts(path: &Path) -> Vec<PathBuf> {
    let parts = path.components().rev();
    parts
        .filter(|part| *part != Component::CurDir)
        .map(|part| PathBuf::from(part.as_os_str()))
        .collect()
}

/// Matches word by word; a last word `*` stands for any further words, none included.
fn glob_words<'a>(pattern: &str, words: impl IntoIterator<Item = &'a str>) -> bool {
    let mut words = words.into_iter().filter(|word| !word.is_empty());
    let mut patterns = pattern.split_whitespace().peekable();
    while let Some(pattern) = patterns.next() {
        if pattern == "*" && patterns.peek().is_none() {
            return true;
        }
        if !words.next().is_some_and(|word| glob(pattern, word)) {
            return false;
        }
    }
    words.next().is_none()
}

/// Matches a text against a pattern in which `*` stands for any run of characters. Linear in the
/// product of the lengths at the worst.
fn glob(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    let mut star = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(byte) if *byte == text[t] => {
                p += 1;
                t += 1;
            }
            Some(_) | None => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    p = at + 1;
                    t = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
#[path = "rule_tests.rs"]
mod tests;
