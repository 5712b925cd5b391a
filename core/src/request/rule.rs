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
mod tests {
    use super::*;

    fn rule(action: Action) -> Rule {
        Rule {
            name: format!("{action:?}"),
            action,
            tool: None,
            command: None,
            path: None,
            mcp_server: None,
        }
    }

    fn command(action: Action, pattern: &str, command: &str) -> bool {
        let rule = Rule {
            command: Some(pattern.into()),
            ..rule(action)
        };
        let subject = Subject {
            command: Some(command.into()),
            ..Subject::default()
        };
        decide(&[rule], false, Path::new("/w"), &subject).is_some()
    }

    #[test]
    fn a_rule_has_a_name_of_its_own_on_one_line() {
        let named = |name: &str| Rule {
            name: name.into(),
            action: Action::Ask,
            tool: None,
            command: None,
            path: None,
            mcp_server: None,
        };
        for bad in ["", "  ", "two\nlines", READ_ONLY] {
            assert!(named(bad).check().is_err(), "{bad:?}");
        }
        assert!(named("no shell").check().is_ok());
    }

    #[test]
    fn commands_match_word_by_word() {
        use Action::Allow;
        assert!(command(Allow, "git log *", "git log --oneline -3"));
        assert!(command(Allow, "git log *", "git log"));
        assert!(!command(Allow, "git log", "git log --oneline"));
        assert!(!command(Allow, "git log *", "gitlog"));
        assert!(command(Allow, "npm run test:*", "npm run test:unit"));
        assert!(!command(Allow, "npm run test:*", "npm run build"));
        assert!(!command(Allow, "ls *", ""));
    }

    #[test]
    fn a_command_of_several_parts_is_never_allowed_by_one_of_them() {
        for trick in [
            "git log; rm -rf /",
            "git log && rm x",
            "git log | sh",
            "git log $(rm x)",
            "git log `rm x`",
            "git log > /etc/passwd",
            "git log\nrm x",
            "git log & rm x",
            "git log # x",
            "git log 'a b'",
            "git log \u{a0}x",
            "git log ~/x",
            "git log *",
            "git log a*",
            "git log a?",
            "git log [ab]",
            "git log {a,b}",
            "git log !!",
        ] {
            assert!(!command(Action::Allow, "git log *", trick), "{trick}");
        }
    }

    #[test]
    fn a_command_is_denied_by_any_of_its_parts() {
        for trick in [
            "ls; rm -rf /",
            "true && rm x",
            "echo $(rm x)",
            "rm x",
            "'rm' -rf x",
            "\\rm x",
            "{ rm x; }",
            "if true; then rm x; fi",
            "X=1 rm x",
            "! rm x",
            "sudo rm x",
            "/bin/rm x",
            "../bin/rm x",
            "env -i rm x",
            "env -u A B=1 rm x",
            "nice -n 5 rm x",
            "nice -5 rm x",
            "timeout -k 1 5s rm x",
            "sudo -u root -- rm x",
            "xargs -0 rm",
            "bash -c 'rm x'",
            "sh -ec \"rm x\"",
            "/bin/bash -lc 'cd /; rm x'",
            "bash -c 'sh -c \"rm x\"'",
            "sudo bash -c 'rm x'",
        ] {
            assert!(command(Action::Deny, "rm *", trick), "{trick}");
        }
        for other in [
            "echo rm",
            "echo /bin/rm",
            "bash rm",
            "sh -c 'echo rm'",
            "nice echo rm",
        ] {
            assert!(!command(Action::Deny, "rm *", other), "{other}");
        }
        assert!(
            command(Action::Deny, "/opt/*/rm *", "/opt/x/rm y"),
            "as it is written"
        );
    }

    #[test]
    fn places_are_judged_by_the_path_as_written() {
        let decide_place = |action, place, paths: &[&str]| {
            let rule = Rule {
                path: Some(place),
                ..rule(action)
            };
            let subject = Subject {
                paths: paths.iter().map(|p| (*p).to_owned()).collect(),
                ..Subject::default()
            };
            decide(&[rule], false, Path::new("/w/p"), &subject).is_some()
        };
        let inside = Place::InsideCwd;
        assert!(decide_place(
            Action::Allow,
            inside,
            &["a", "/w/p/b", "./c/../d"]
        ));
        assert!(!decide_place(Action::Allow, inside, &["a", "../x"]));
        assert!(!decide_place(Action::Allow, inside, &["/w/pp/a"]));
        assert!(
            !decide_place(Action::Allow, inside, &[]),
            "nothing is known of it"
        );
        assert!(decide_place(
            Action::Deny,
            Place::OutsideCwd,
            &["a", "/etc/passwd"]
        ));
        assert!(!decide_place(Action::Deny, Place::OutsideCwd, &["a"]));
        assert!(!decide_place(Action::Allow, inside, &["~/x"]));
    }

    #[test]
    fn a_link_out_of_the_folder_leads_out_of_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let inside = folder.path().join("cwd");
        std::fs::create_dir(&inside).expect("a folder");
        #[cfg(unix)]
        std::os::unix::fs::symlink(folder.path(), inside.join("link")).expect("a link");
        assert!(is_beneath(&inside, "new/file"));
        assert!(!is_beneath(&inside, "../file"));
        #[cfg(unix)]
        for out in ["link/file", "link/new/file", "link/../file"] {
            assert!(!is_beneath(&inside, out), "{out}");
        }
    }

    #[test]
    #[cfg(unix)]
    fn a_link_to_what_is_not_there_leads_where_it_points() {
        use std::os::unix::fs::symlink;
        let folder = tempfile::tempdir().expect("a folder");
        let inside = folder.path().join("cwd");
        std::fs::create_dir(&inside).expect("a folder");
        for (name, target) in [
            ("out", "../new"),
            ("away", "/nowhere/at/all"),
            ("chain", "out"),
            ("loop", "loop"),
            ("in", "new/folder"),
        ] {
            symlink(target, inside.join(name)).expect("a link");
        }
        for out in [
            "out",
            "out/file",
            "away",
            "chain",
            "chain/file",
            "loop",
            "loop/file",
        ] {
            assert!(!is_beneath(&inside, out), "{out}");
        }
        assert!(is_beneath(&inside, "in"));
        assert!(is_beneath(&inside, "in/file"));
    }

    #[test]
    fn a_change_of_files_that_nobody_names_is_denied_wherever_it_may_be() {
        let deny = Rule {
            path: Some(Place::OutsideCwd),
            ..rule(Action::Deny)
        };
        let subject = Subject {
            writes: true,
            ..Subject::default()
        };
        assert!(decide(&[deny], false, Path::new("/w"), &subject).is_some());
    }

    #[test]
    fn the_first_rule_that_matches_decides_and_read_only_comes_before_all() {
        let tool = |name: &str, action| Rule {
            tool: Some(name.into()),
            ..rule(action)
        };
        let rules = [tool("Ba*", Action::Ask), tool("*", Action::Allow)];
        let subject = |tool: &str| Subject {
            tool: tool.into(),
            writes: true,
            ..Subject::default()
        };
        let decided = |read_only, tool| {
            let cwd = Path::new("/");
            decide(&rules, read_only, cwd, &subject(tool)).map(|v| v.action)
        };
        assert_eq!(decided(false, "Bash"), Some(Action::Ask));
        assert_eq!(decided(false, "Write"), Some(Action::Allow));
        assert_eq!(decided(true, "Write"), Some(Action::Deny));
    }

    #[test]
    fn stars_stand_for_any_run() {
        for (pattern, text, matches) in [
            ("", "", true),
            ("*", "", true),
            ("a*c", "abbc", true),
            ("a*b*c", "axxbyyc", true),
            ("a*b", "ac", false),
            ("*ab", "aab", true),
        ] {
            assert_eq!(glob(pattern, text), matches, "{pattern} {text}");
        }
    }
}
