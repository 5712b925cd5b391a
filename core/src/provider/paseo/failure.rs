//! Why a command failed, in Paseo's words and in ours.

use serde::Deserialize;

use crate::error::ErrorKind;
use crate::provider::Outcome;
use crate::provider::lines::one_line;

/// What a command with `--json` writes to stderr before it ends with code 1.
#[derive(Deserialize)]
struct Said {
    error: CommandError,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct CommandError {
    code: String,
    message: String,
}

/// The failure that the commands told on stderr: the last one.
pub(super) fn told(stderr: &str, resuming: bool) -> Option<Outcome> {
    let lines: Vec<&str> = stderr.lines().collect();
    let json = lines.iter().rposition(|line| *line == "{");
    let plain = lines.iter().rposition(|line| plain(line).is_some());
    if plain > json {
        let message = plain.and_then(|place| self::plain(lines[place]))?;
        return Some(failed("", message, resuming));
    }
    let error = json_error(&lines[json?..])?;
    Some(failed(&error.code, &error.message, resuming))
}

/// The failed end of a turn.
pub(super) fn failed(code: &str, message: &str, resuming: bool) -> Outcome {
    Outcome::Failed {
        code: kind(code, message, resuming),
        message: one_line(message),
    }
}

/// An object over several lines: it begins and ends at the start of a line, and nothing in it does.
fn json_error(lines: &[&str]) -> Option<CommandError> {
    let end = lines.iter().position(|line| *line == "}")?;
    let said: Said = serde_json::from_str(&lines[..=end].join("\n")).ok()?;
    Some(said.error)
}

/// What the commands without `--json` write, and all of them where they do not understand a flag.
fn plain(line: &str) -> Option<&str> {
    let said = line.strip_prefix("Error: ");
    said.or_else(|| line.strip_prefix("error: "))
}

fn kind(code: &str, message: &str, resuming: bool) -> ErrorKind {
    let has = |part: &str| message.contains(part);
    let unknown = code == "AGENT_NOT_FOUND" || has("Agent not found") || has("No agent found");
    if resuming && (unknown || has("is ambiguous")) {
        ErrorKind::ResumeFailed
    } else if has("Password required") || has("Incorrect password") {
        ErrorKind::AccountError
    } else {
        ErrorKind::AgentError
    }
}
