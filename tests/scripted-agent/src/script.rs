//! Scripts: rules of a trigger and what to do then.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::action::{Action, Place};
use crate::phrase::{text, texts};

/// When a rule acts. The text form is the name and its argument: `turn 2`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trigger {
    /// Before anything is read or written.
    Start,
    /// After the handshake was answered; where there is none, after the first line.
    Handshake,
    /// In the n-th turn of the process, counted from 1.
    Turn(u64),
    /// In every turn.
    EveryTurn,
    /// In every turn whose prompt contains this text.
    Prompt(String),
    /// After the n-th line of output, counted from 1.
    Event(u64),
    /// After the n-th byte of output.
    Byte(u64),
    /// So many milliseconds after the start.
    AfterMs(u64),
    /// At the end of stdin.
    Eof,
    /// When this signal comes. Without a rule the agent reacts as the real one.
    Signal(SignalName),
    /// When the host interrupts, before the interrupt is treated.
    Interrupt,
}

/// A signal that a rule can wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SignalName {
    /// SIGTERM.
    Term,
    /// SIGINT.
    Int,
    /// SIGHUP.
    Hup,
    /// SIGUSR1.
    Usr1,
}

/// How the agent was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shape {
    /// It takes many turns.
    Warm,
    /// It takes one prompt and exits.
    OneShot,
}

/// A trigger and what to do then, perhaps only in one process or shape.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// When to act.
    #[serde(with = "text")]
    pub on: Trigger,
    /// What to do, in order.
    #[serde(rename = "do", with = "texts")]
    pub actions: Vec<Action>,
    /// Only in the n-th process that was started with the same state directory, counted from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<u64>,
    /// Only in this shape.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shape: Option<Shape>,
}

impl Rule {
    /// Refuses an action that its trigger has no place for.
    pub fn check(&self) -> Result<(), String> {
        let room = match self.on {
            Trigger::Turn(_) | Trigger::EveryTurn | Trigger::Prompt(_) => Place::Turn,
            Trigger::Byte(_) => Place::Anywhere,
            Trigger::Start | Trigger::Handshake | Trigger::Event(_) | Trigger::AfterMs(_) => {
                Place::Line
            }
            Trigger::Eof | Trigger::Signal(_) | Trigger::Interrupt => Place::Line,
        };
        for action in &self.actions {
            let fits = match action.place() {
                Place::Turn => room == Place::Turn,
                Place::Line => room != Place::Anywhere,
                Place::Anywhere => true,
            };
            if !fits {
                return Err(format!("{action:?} has no place at {:?}", self.on));
            }
        }
        Ok(())
    }
}

/// A list of rules, built up by a test.
///
/// ```
/// use scripted_agent::{Action, Script, Shape, Trigger};
///
/// let script = Script::new()
///     .on(Trigger::Turn(2), [Action::Words(3, "word".to_owned()), Action::Exit(3)])
///     .in_process(1)
///     .in_shape(Shape::Warm);
/// assert_eq!(
///     script.to_json(),
///     r#"[{"on":"turn 2","do":["words 3 \"word\"","exit 3"],"process":1,"shape":"warm"}]"#
/// );
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Script {
    rules: Vec<Rule>,
}

impl Script {
    /// Makes a script without rules.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a rule.
    #[must_use]
    pub fn on(mut self, trigger: Trigger, actions: impl IntoIterator<Item = Action>) -> Self {
        self.rules.push(Rule {
            on: trigger,
            actions: actions.into_iter().collect(),
            process: None,
            shape: None,
        });
        self
    }

    /// Limits the last rule to the n-th process, counted from 1.
    #[must_use]
    pub fn in_process(mut self, number: u64) -> Self {
        if let Some(rule) = self.rules.last_mut() {
            rule.process = Some(number);
        }
        self
    }

    /// Limits the last rule to one shape.
    #[must_use]
    pub fn in_shape(mut self, shape: Shape) -> Self {
        if let Some(rule) = self.rules.last_mut() {
            rule.shape = Some(shape);
        }
        self
    }

    /// Gives the text of the script file.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Writes the script into a directory and gives its path, the value for `SCRIPTED_AGENT_SCRIPT`.
    pub fn write(&self, directory: &Path) -> io::Result<PathBuf> {
        for rule in &self.rules {
            rule.check()
                .map_err(|why| io::Error::new(io::ErrorKind::InvalidInput, why))?;
        }
        let path = directory.join("script.json");
        std::fs::write(&path, self.to_json())?;
        Ok(path)
    }

    /// Reads a script file.
    pub fn read(path: &Path) -> Result<Vec<Rule>, String> {
        let bytes = std::fs::read(path).map_err(|why| format!("{}: {why}", path.display()))?;
        let script: Self =
            serde_json::from_slice(&bytes).map_err(|why| format!("{}: {why}", path.display()))?;
        for rule in &script.rules {
            rule.check()?;
        }
        Ok(script.rules)
    }
}
