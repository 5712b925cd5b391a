//! Rules that answer approvals without asking.
//!
//! A subject goes in, a verdict comes out; only links are looked up. Rules judge what the agent asks about; what
//! the agent does without asking, because its own mode allows it, they never see.

use std::path::{Component, Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::Error;

/// A rule. Every member that is set must match; a rule without any matches everything.
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
    /// which nothing is quoted, expanded, redirected, chained or assigned. Another rule matches if
    /// any part of the command line does, quotes and assignments aside; it is a net with holes, and
    /// no sandbox.
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
                let plain: String = command.chars().filter(|c| !QUOTES.contains(c)).collect();
                let mut parts = plain.split(SEPARATORS);
                parts.any(|part| glob_words(pattern, without_prefix(part)))
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

/// What makes words of several, and is no part of them.
const QUOTES: [char; 3] = ['\'', '"', '\\'];

/// What separates the parts of a command line.
const SEPARATORS: [char; 12] = [';', '&', '|', '\n', '\r', '(', ')', '`', '{', '}', '<', '>'];

/// Words before a command that do not change which one it is.
const PREFIXES: [&str; 16] = [
    "!", "if", "then", "else", "elif", "do", "while", "until", "time", "exec", "command",
    "builtin", "env", "nohup", "nice", "sudo",
];

/// Whether a command is one program with its arguments, as any shell would see it: nothing in it is
/// quoted, expanded, redirected or commented out.
fn is_simple(command: &str) -> bool {
    command.chars().all(|c| {
        let special = QUOTES.contains(&c) || SEPARATORS.contains(&c) || "$#~[]?!=".contains(c);
        let odd_space = (c.is_whitespace() || c.is_control()) && c != ' ' && c != '\t';
        !special && !odd_space
    })
}

/// The words of a part of a command line, from its program on.
fn without_prefix(part: &str) -> impl Iterator<Item = &str> {
    let skipped = |word: &&str| PREFIXES.contains(word) || word.contains('=');
    part.split_whitespace().skip_while(skipped)
}

/// Whether a path stays beneath a folder, links followed as far as they are there. What a shell or an
/// agent would expand is taken to be outside.
fn is_beneath(folder: &Path, path: &str) -> bool {
    if path.starts_with('~') || path.contains('$') {
        return false;
    }
    let whole = folder.join(path);
    // From a link on, `..` means another folder than the one it stands in.
    if whole.components().any(|part| part == Component::ParentDir) {
        return lexical(&whole).starts_with(folder) && real(&whole).starts_with(real(folder));
    }
    real(&whole).starts_with(real(folder))
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

/// The path with the links of what is there followed; what is not there yet stays as written.
fn real(path: &Path) -> PathBuf {
    let there = path.ancestors().find_map(|above| {
        let real = std::fs::canonicalize(above).ok()?;
        Some((above, real))
    });
    match there {
        Some((above, real)) => match path.strip_prefix(above) {
            Ok(rest) => lexical(&real.join(rest)),
            Err(_) => lexical(path),
        },
        None => lexical(path),
    }
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
        ] {
            assert!(command(Action::Deny, "rm *", trick), "{trick}");
        }
        assert!(!command(Action::Deny, "rm *", "echo rm"));
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
