//! Who plays: the agents, how they are started and how they are spoken to.

use std::any::Any;
use std::path::{Path, PathBuf};

use model_api::{ModelApi, real_agents};
use remuda::SessionOptions;
use remuda::config::Environment;
use remuda_tests::Scripted;
use tempfile::TempDir;

use crate::test;

/// What the command line asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Choice {
    /// The project's own agent, which plays Claude Code.
    Scripted,
    /// The agent of this name that is installed, with its account.
    Installed(&'static str),
    /// The agent of this name at the version of the tests, with a model on loopback.
    Offline(&'static str),
}

/// The agents of one demo. Their folders and their model end with it.
pub(crate) struct Cast {
    choice: Choice,
    options: SessionOptions,
    /// What has to live as long as the agents: folders, the model.
    _kept: Box<dyn Any>,
}

impl Cast {
    pub(crate) fn new(choice: Choice) -> Result<Self, String> {
        let (options, kept): (_, Box<dyn Any>) = match choice {
            Choice::Scripted => {
                let scripted = Scripted::claude();
                (scripted.options(), Box::new(scripted))
            }
            Choice::Installed(provider) => {
                let folder = folder()?;
                let options = SessionOptions::new(provider, folder.path());
                (options, Box::new(folder))
            }
            Choice::Offline(provider) => offline(provider)?,
        };
        Ok(Self {
            choice,
            options,
            _kept: kept,
        })
    }

    /// Options of each of the sessions.
    pub(crate) fn options(&self) -> SessionOptions {
        self.options.clone()
    }

    /// A sentence for people.
    pub(crate) fn describe(&self) -> String {
        match self.choice {
            Choice::Scripted => {
                "They are scripted and speak Claude Code's protocol: no account, no network."
                    .to_owned()
            }
            Choice::Installed(name) => {
                format!("They are the installed {name} with its account, for 12 small turns.")
            }
            Choice::Offline(name) => {
                format!(
                    "They are the real {name} with a model on loopback: no account, no network."
                )
            }
        }
    }

    /// Asks the agent to remember a word.
    pub(crate) fn remember(&self, word: &str) -> String {
        match self.choice {
            Choice::Scripted => format!("Remember {word}. [[say I keep {word}.]]"),
            Choice::Installed(_) => {
                format!("Remember this word: {word}. Answer with: I keep {word}.")
            }
            Choice::Offline(_) => format!(r#"Remember {word}. MODEL:["I keep it."]"#),
        }
    }

    /// A message that says nothing to remember.
    pub(crate) fn chat(&self) -> String {
        match self.choice {
            Choice::Scripted => "Are you there? [[say Still here.]]".to_owned(),
            Choice::Installed(_) => "Are you there? Answer with: Still here.".to_owned(),
            Choice::Offline(_) => r#"Are you there? MODEL:["Still here."]"#.to_owned(),
        }
    }

    /// Asks for the word again. The answer has it only if the agent still has the conversation.
    pub(crate) fn recall(&self) -> String {
        match self.choice {
            Choice::Scripted => "Which word? [[recall]]".to_owned(),
            Choice::Installed(_) => {
                "Which word did I ask you to remember? Answer with the word alone.".to_owned()
            }
            Choice::Offline(_) => r#"Which word? MODEL:[{"recall":"word-"}]"#.to_owned(),
        }
    }

    /// Asks for an answer that goes on for long.
    pub(crate) fn count(&self) -> String {
        match self.choice {
            Choice::Scripted => "Count. [[paced 25 per second 2000]]".to_owned(),
            Choice::Installed(_) => {
                "Count from 1 to 400 in words, one number per line, without any tool.".to_owned()
            }
            Choice::Offline(_) => r#"Count. MODEL:[{"words":2000,"delay_ms":40}]"#.to_owned(),
        }
    }
}

/// A real agent at the version of the tests, which knows no model but ours.
fn offline(provider: &'static str) -> Result<(SessionOptions, Box<dyn Any>), String> {
    let program = if let Ok(program) = pinned(provider) {
        program
    } else {
        test::agents()?;
        pinned(provider)?
    };
    let api = ModelApi::start().map_err(|error| format!("no model on loopback: {error}"))?;
    let folder = folder()?;
    let env = environment(provider, folder.path(), &api)?;
    let options = SessionOptions {
        program: Some(program),
        environment: Environment {
            inherit: Vec::new(),
            set: env.into_iter().collect(),
            clear: true,
        },
        ..SessionOptions::new(provider, folder.path())
    };
    Ok((options, Box::new((folder, api))))
}

fn pinned(provider: &str) -> Result<PathBuf, String> {
    let found = match provider {
        "codex" => real_agents::codex(),
        _ => real_agents::claude(),
    };
    found.map_err(|missing| missing.to_string())
}

fn environment(
    provider: &str,
    home: &Path,
    api: &ModelApi,
) -> Result<Vec<(String, String)>, String> {
    match provider {
        "codex" => real_agents::codex_env(home, api)
            .map_err(|error| format!("{}: {error}", home.display())),
        _ => Ok(real_agents::claude_env(home, api)),
    }
}

fn folder() -> Result<TempDir, String> {
    TempDir::new().map_err(|error| format!("no temporary folder: {error}"))
}
