//! `cargo xtask demo`: the main job, shown on real processes.
//!
//! | to change … | open |
//! |---|---|
//! | which agents there are, what they are told | `cast.rs` |
//! | what happens in which order, and what must come of it | `story.rs` |
//! | what is counted | `tally.rs` |
//! | how it looks | `screen.rs` |

mod cast;
mod screen;
mod stage;
mod story;
mod tally;

use cast::{Cast, Choice};
use screen::Screen;

use crate::run::cargo;

pub(crate) fn run(arguments: &[String]) -> Result<(), String> {
    let choice = choice(arguments)?;
    if choice == Choice::Scripted {
        let status = cargo()
            .args(["build", "--quiet", "--package", "scripted-agent", "--bins"])
            .status()
            .map_err(|error| format!("cargo does not start: {error}"))?;
        if !status.success() {
            return Err(format!("building the scripted agent: {status}"));
        }
    }
    // What escapes from an agent's tree lands here, and is counted at the end.
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))
        .map_err(|error| format!("no subreaper: {error}"))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("no runtime: {error}"))?;
    let cast = Cast::new(choice)?;
    runtime.block_on(story::play(&cast, Screen::of_stdout()))
}

fn choice(arguments: &[String]) -> Result<Choice, String> {
    const USAGE: &str = "demo takes --agent claude|codex, and then --offline or nothing";
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let agent = |name: &str| match name {
        "claude" => Ok("claude"),
        "codex" => Ok("codex"),
        other => Err(format!("agent {other} is not known; {USAGE}")),
    };
    match words.as_slice() {
        [] => Ok(Choice::Scripted),
        ["--agent", name] => agent(name).map(Choice::Installed),
        ["--agent", name, "--offline"] | ["--offline", "--agent", name] => {
            agent(name).map(Choice::Offline)
        }
        _ => Err(USAGE.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(line: &str) -> Result<Choice, String> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        choice(&words)
    }

    #[test]
    fn the_command_line_decides_who_plays() {
        assert_eq!(chosen(""), Ok(Choice::Scripted));
        assert_eq!(chosen("--agent claude"), Ok(Choice::Installed("claude")));
        assert_eq!(
            chosen("--agent codex --offline"),
            Ok(Choice::Offline("codex"))
        );
        for wrong in ["--agent", "--agent gemini", "--offline", "now"] {
            assert!(chosen(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_story_with_scripted_agents_ends_as_told() {
        remuda_tests::isolated_async(|| async {
            let cast = Cast::new(Choice::Scripted).expect("a cast");
            let told = story::play(&cast, Screen::plain()).await;
            assert_eq!(told, Ok(()));
        });
    }
}
