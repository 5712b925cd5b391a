//! What an agent wants of its client, and what became of it.

use crate::event::RequestKind;
use crate::request::Subject;

/// Something to do for the agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ClientCall {
    /// Read a text file.
    Read {
        path: String,
        /// The first line that is wanted, from 1.
        line: Option<u64>,
        /// So many lines are.
        limit: Option<u64>,
    },
    /// Write one, in place of what was there.
    Write { path: String, content: String },
    /// Run a command.
    Create(NewTerminal),
    /// Say what a command has written.
    Output { terminal: String },
    /// Say how it ended, when it has.
    Wait { terminal: String },
    /// End it.
    Kill { terminal: String },
    /// End it and forget it.
    Release { terminal: String },
}

/// A command to run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct NewTerminal {
    /// The program; without arguments a line for the shell.
    pub command: String,
    pub args: Vec<String>,
    /// Variables beside the session's.
    pub env: Vec<(String, String)>,
    /// Where; the session's directory if it does not say.
    pub cwd: Option<String>,
    /// So many bytes of its output are wanted at most.
    pub output_limit: Option<u64>,
}

/// How a command ended. With neither nobody knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ended {
    pub code: Option<i32>,
    pub signal: Option<i32>,
}

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Done {
    /// There is nothing to say of it.
    Nothing,
    /// The text of a file.
    Text(String),
    /// A terminal, by its id.
    Terminal(String),
    /// What a command has written.
    Output {
        text: String,
        /// There was more before it.
        truncated: bool,
        ended: Option<Ended>,
    },
    /// How it ended.
    Ended(Ended),
}

/// Why a call was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// There is no such file.
    Missing,
    /// What is wanted cannot be had here.
    Refused,
    /// The session does not allow it.
    Denied,
    /// The system failed.
    Failed,
}

/// The same, for the agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub why: Why,
    pub message: String,
}

/// What became of a call.
pub(crate) type Outcome = Result<Done, Failure>;

impl Failure {
    pub(crate) fn new(why: Why, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { why, message }
    }

    pub(crate) fn refused(message: impl Into<String>) -> Self {
        Self::new(Why::Refused, message)
    }
}

impl ClientCall {
    /// What is asked about it where a rule has a word in it, and what rules look at. `None`: it changes
    /// nothing and runs nothing.
    pub(crate) fn subject(&self) -> Option<(RequestKind, Subject)> {
        match self {
            Self::Write { path, .. } => {
                let subject = Subject {
                    tool: "fs/write_text_file".to_owned(),
                    paths: vec![path.clone()],
                    writes: true,
                    ..Subject::default()
                };
                Some((RequestKind::FileChangeApproval, subject))
            }
            Self::Create(new) => {
                let subject = Subject {
                    tool: "terminal/create".to_owned(),
                    command: Some(new.line()),
                    writes: true,
                    ..Subject::default()
                };
                Some((RequestKind::CommandApproval, subject))
            }
            Self::Read { .. }
            | Self::Output { .. }
            | Self::Wait { .. }
            | Self::Kill { .. }
            | Self::Release { .. } => None,
        }
    }

    /// One line for people.
    pub(crate) fn title(&self) -> String {
        match self {
            Self::Read { path, .. } | Self::Write { path, .. } => path.clone(),
            Self::Create(new) => new.line(),
            Self::Output { terminal }
            | Self::Wait { terminal }
            | Self::Kill { terminal }
            | Self::Release { terminal } => terminal.clone(),
        }
    }

    /// Whether it is of no use after the turn in which it was wanted. Commands run on after it.
    pub(crate) const fn ends_with_turn(&self) -> bool {
        match self {
            Self::Read { .. } | Self::Write { .. } | Self::Create(_) => true,
            Self::Output { .. } | Self::Wait { .. } | Self::Kill { .. } | Self::Release { .. } => {
                false
            }
        }
    }
}

impl NewTerminal {
    /// The command as a line that a shell would read so.
    pub(crate) fn line(&self) -> String {
        if self.args.is_empty() {
            return self.command.clone();
        }
        let words = std::iter::once(&self.command).chain(&self.args);
        let words: Vec<_> = words.map(|word| quoted(word)).collect();
        words.join(" ")
    }
}

/// A word as a shell reads it whole.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:,+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(command: &str, args: &[&str]) -> String {
        let new = NewTerminal {
            command: command.to_owned(),
            args: args.iter().map(|arg| (*arg).to_owned()).collect(),
            ..NewTerminal::default()
        };
        new.line()
    }

    #[test]
    fn a_command_is_shown_as_a_shell_would_read_it() {
        assert_eq!(line("git log; rm x", &[]), "git log; rm x");
        assert_eq!(line("git", &["log", "-n", "1"]), "git log -n 1");
        assert_eq!(
            line("bash", &["-c", "cd 'a b' && ls", ""]),
            r"bash -c 'cd '\''a b'\'' && ls' ''"
        );
    }

    #[test]
    fn only_what_changes_or_runs_something_is_for_rules() {
        let terminal = || "1".to_owned();
        let path = || "/a".to_owned();
        let calls = [
            (
                ClientCall::Read {
                    path: path(),
                    line: None,
                    limit: None,
                },
                None,
            ),
            (
                ClientCall::Write {
                    path: path(),
                    content: String::new(),
                },
                Some(RequestKind::FileChangeApproval),
            ),
            (
                ClientCall::Create(NewTerminal::default()),
                Some(RequestKind::CommandApproval),
            ),
            (
                ClientCall::Output {
                    terminal: terminal(),
                },
                None,
            ),
            (
                ClientCall::Kill {
                    terminal: terminal(),
                },
                None,
            ),
        ];
        for (call, kind) in calls {
            let subject = call.subject();
            assert!(subject.iter().all(|(_, subject)| subject.writes));
            assert_eq!(subject.map(|(kind, _)| kind), kind, "{call:?}");
        }
    }
}
