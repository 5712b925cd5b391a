//! Asks a program for its version. The program may be anything: it may hang, flood, fork or die.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::runtime::Handle;
use tokio::time::{Instant, timeout_at};

use crate::process::tree::{Exit, Tree, TreeEvent, TreeSpec};
use crate::process::{Containment, Control};

/// What every agent prints its version for.
const QUESTION: &str = "--version";
/// How much of what it prints is looked at. The rest is read, so that it can end, and dropped.
const ENOUGH: usize = 16 * 1024;
/// The longest complaint of a program that is passed on, in characters.
const COMPLAINT: usize = 200;
/// How long a tree that was killed may take to be gone. One that is stuck in the system never is.
const BURIAL: Duration = Duration::from_secs(5);

/// Starts the program in the root directory, where no project is, and waits until nothing of it is left.
///
/// # Errors
///
/// Why there is no version, as a line for people.
pub(super) async fn version(
    program: PathBuf,
    env: Vec<(OsString, OsString)>,
    timeout: Duration,
) -> Result<String, String> {
    let deadline = Instant::now() + timeout;
    let shown = program.display().to_string();
    let tree = start(program, env).await?;
    // Without input there is nothing that it could wait for.
    drop(tree.stdin);
    let mut control = tree.control;
    let said = async {
        tokio::join!(
            beginning(tree.stdout),
            beginning(tree.stderr),
            exit(&mut control)
        )
    };
    let said = timeout_at(deadline, said).await;
    if said.is_err() {
        control.kill();
    }
    let left = bury(&mut control).await;
    if !left.is_empty() {
        let pids: Vec<_> = left.iter().map(u32::to_string).collect();
        return Err(format!(
            "{shown} {QUESTION}: it cannot be ended; left: {}",
            pids.join(", ")
        ));
    }
    let (output, errors, exit) = said.map_err(|_| {
        let seconds = timeout.as_secs_f64();
        format!("{shown} {QUESTION}: no end within {seconds} s")
    })?;
    number(&output, &errors, &exit).map_err(|why| format!("{shown} {QUESTION}: {why}"))
}

async fn start(program: PathBuf, env: Vec<(OsString, OsString)>) -> Result<Tree, String> {
    let spec = TreeSpec {
        cwd: root(&program),
        program,
        args: vec![QUESTION.into()],
        env,
        merged: false,
        lowest: Containment::ProcessGroup,
    };
    let handle = Handle::current();
    let started = tokio::task::spawn_blocking(move || {
        Tree::spawn(spec, &handle).map_err(|why| match std::error::Error::source(&why) {
            Some(source) => format!("{why}: {source}"),
            None => why.to_string(),
        })
    });
    started
        .await
        .unwrap_or_else(|_| Err("the start panicked".to_owned()))
}

/// The root of the file system that the program is on.
fn root(program: &Path) -> PathBuf {
    program.ancestors().last().unwrap_or(program).to_owned()
}

/// The first bytes of a stream, once it has ended.
async fn beginning(mut stream: impl AsyncRead + Unpin) -> Vec<u8> {
    let mut kept = Vec::new();
    let mut piece = [0; 4096];
    // An error is an end, too.
    while let Ok(len @ 1..) = stream.read(&mut piece).await {
        let room = ENOUGH - kept.len();
        kept.extend_from_slice(&piece[..len.min(room)]);
    }
    kept
}

/// How the program itself ended.
async fn exit(control: &mut Control) -> Exit {
    loop {
        match control.next().await {
            TreeEvent::Exited(exit) => return exit,
            TreeEvent::Left(_) => {}
            TreeEvent::Gone => return Exit::default(),
        }
    }
}

/// Waits until the whole tree is gone. The answer names what cannot be ended.
async fn bury(control: &mut Control) -> Vec<u32> {
    let deadline = Instant::now() + BURIAL;
    let mut left = Vec::new();
    loop {
        match timeout_at(deadline, control.next()).await {
            Ok(TreeEvent::Gone) => return Vec::new(),
            Ok(TreeEvent::Left(pids)) => left = pids,
            Ok(TreeEvent::Exited(_)) => {}
            Err(_) => return left,
        }
    }
}

/// The version in what was printed: the first word that begins with a digit, or with a `v` before one, and has a dot.
fn number(output: &[u8], errors: &[u8], exit: &Exit) -> Result<String, String> {
    if exit.code.unwrap_or(0) != 0 || exit.signal.is_some() {
        let how = match (exit.code, exit.signal) {
            (Some(code), _) => format!("it ended with code {code}"),
            (None, Some(signal)) => format!("it ended by signal {signal}"),
            (None, None) => "it ended".to_owned(),
        };
        return Err(match first_line(errors) {
            None => how,
            Some(line) => format!("{how}: {line}"),
        });
    }
    let text = String::from_utf8_lossy(output);
    let words = text.split(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | '(' | ')'));
    let bare = words.map(|word| word.strip_prefix('v').unwrap_or(word));
    let found = bare.into_iter().find(|word| {
        word.starts_with(|c: char| c.is_ascii_digit()) && word.contains('.') && word.len() < 64
    });
    let none = || match first_line(output) {
        None => "it printed nothing".to_owned(),
        Some(line) => format!("no version in {line:?}"),
    };
    found.map(str::to_owned).ok_or_else(none)
}

/// The first line with anything on it, as far as it is passed on.
fn first_line(printed: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(printed);
    let line = text.lines().map(str::trim).find(|line| !line.is_empty())?;
    let shown = line.chars().filter(|c| !c.is_control());
    Some(shown.take(COMPLAINT).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(output: &str) -> Result<String, String> {
        let exit = Exit {
            code: Some(0),
            ..Exit::default()
        };
        number(output.as_bytes(), b"", &exit)
    }

    #[test]
    fn the_number_is_found_in_what_agents_print() {
        for (printed, version) in [
            ("2.1.327 (Claude Code)\n", "2.1.327"),
            ("codex-cli 0.169.0\n", "0.169.0"),
            ("0.61.0", "0.61.0"),
            ("kimi, version 1.50.0\n", "1.50.0"),
            ("warning: old\nv2.6.0-rc.1\n", "2.6.0-rc.1"),
        ] {
            assert_eq!(read(printed).as_deref(), Ok(version), "{printed:?}");
        }
    }

    #[test]
    fn what_is_no_version_is_shown() {
        let cases = [("", "nothing"), ("Usage: it\n", "\"Usage: it\"")];
        for (printed, why) in cases {
            let problem = read(printed).expect_err("no version");
            assert!(problem.contains(why), "{problem}");
        }
    }
}
