//! What the command line asks for, read as tolerantly as the real programs do.

use crate::ids;
use scripted_agent::Shape;

/// Which program is played, and how it was started.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Role {
    Claude(ClaudeArgs),
    CodexServer,
    CodexExec(ExecArgs),
    Acp,
    AcpPrint(PrintArgs),
    Version(&'static str),
}

/// The flags of Claude Code that change what is written.
#[derive(Debug, Clone, Default, PartialEq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of a command line"
)]
pub(crate) struct ClaudeArgs {
    pub(crate) stream_input: bool,
    pub(crate) output: String,
    pub(crate) verbose: bool,
    pub(crate) partials: bool,
    pub(crate) replay: bool,
    pub(crate) prompt_tool: bool,
    pub(crate) permission_mode: Option<String>,
    pub(crate) may_bypass: bool,
    pub(crate) model: Option<String>,
    pub(crate) resume: Option<String>,
    pub(crate) fork: bool,
    pub(crate) session_id: Option<String>,
    pub(crate) no_persistence: bool,
    pub(crate) prompt: Option<String>,
}

/// The arguments of `codex exec`.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct ExecArgs {
    pub(crate) json: bool,
    pub(crate) ephemeral: bool,
    pub(crate) resume: Option<String>,
    pub(crate) prompt: Option<String>,
}

/// Whose way to print one turn is played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    Gemini,
    OpenCode,
}

/// The arguments of a command that prints one turn.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PrintArgs {
    pub(crate) dialect: Dialect,
    pub(crate) resume: Option<String>,
    pub(crate) prompt: Option<String>,
    /// Thoughts are printed too.
    pub(crate) thinking: bool,
    /// Every tool may run.
    pub(crate) all_allowed: bool,
}

impl Role {
    pub(crate) fn shape(&self) -> Shape {
        match self {
            Self::Claude(args) if args.stream_input => Shape::Warm,
            Self::CodexServer | Self::Acp => Shape::Warm,
            Self::Claude(_) | Self::CodexExec(_) | Self::AcpPrint(_) | Self::Version(_) => {
                Shape::OneShot
            }
        }
    }
}

/// Decides the role. `protocol` is the value of `SCRIPTED_AGENT_PROTOCOL`.
pub(crate) fn parse(program: &str, arguments: &[String], protocol: Option<&str>) -> Role {
    let acp = match protocol {
        Some(protocol) => protocol == "acp",
        None => {
            program.ends_with("-acp")
                || arguments
                    .iter()
                    .any(|word| word == "--acp" || word == "acp")
        }
    };
    let codex = match protocol {
        Some(protocol) => protocol == "codex",
        None => {
            program
                .rsplit('/')
                .next()
                .is_some_and(|name| name.contains("codex"))
                || arguments
                    .iter()
                    .any(|word| word == "app-server" || word == "exec")
        }
    };
    if arguments
        .iter()
        .any(|word| word == "--version" || word == "-V")
    {
        return Role::Version(match (acp, codex) {
            (true, _) => "acp",
            (false, true) => "codex",
            (false, false) => "claude",
        });
    }
    if acp {
        return print(arguments).map_or(Role::Acp, Role::AcpPrint);
    }
    if !codex {
        return Role::Claude(claude(arguments));
    }
    match arguments.iter().position(|word| word == "exec") {
        Some(at) => Role::CodexExec(exec(&arguments[at + 1..])),
        None => Role::CodexServer,
    }
}

/// Flags of Claude Code that take a value which does not matter here.
const CLAUDE_VALUES: &[&str] = &[
    "--fallback-model",
    "--effort",
    "--thinking",
    "--max-thinking-tokens",
    "--max-turns",
    "--max-budget-usd",
    "--system-prompt",
    "--append-system-prompt",
    "--tools",
    "--allowedTools",
    "--allowed-tools",
    "--disallowedTools",
    "--disallowed-tools",
    "--mcp-config",
    "--settings",
    "--setting-sources",
    "--add-dir",
    "--plugin-dir",
    "--agents",
    "--agent",
    "--json-schema",
    "--permission-prompts",
    "--resume-session-at",
    "--betas",
];

fn claude(arguments: &[String]) -> ClaudeArgs {
    let mut found = ClaudeArgs {
        output: "text".to_owned(),
        ..ClaudeArgs::default()
    };
    let mut words = arguments.iter().peekable();
    while let Some(word) = words.next() {
        let (flag, joined) = match word.split_once('=') {
            Some((flag, value)) if flag.starts_with('-') => (flag, Some(value.to_owned())),
            _ => (word.as_str(), None),
        };
        let mut value = || joined.clone().or_else(|| words.next().cloned());
        match flag {
            "--input-format" => found.stream_input = value().as_deref() == Some("stream-json"),
            "--output-format" => found.output = value().unwrap_or_default(),
            "--permission-prompt-tool" => found.prompt_tool = value().as_deref() == Some("stdio"),
            "--permission-mode" => found.permission_mode = value(),
            "--model" => found.model = value(),
            "--session-id" => found.session_id = value(),
            "--resume" | "-r" => {
                let next_is_value =
                    joined.is_some() || words.peek().is_some_and(|next| !next.starts_with('-'));
                found.resume = if next_is_value {
                    joined.or_else(|| words.next().cloned())
                } else {
                    None
                };
            }
            "--verbose" => found.verbose = true,
            "--include-partial-messages" => found.partials = true,
            "--replay-user-messages" => found.replay = true,
            "--fork-session" => found.fork = true,
            "--no-session-persistence" => found.no_persistence = true,
            "--dangerously-skip-permissions" => {
                found.may_bypass = true;
                found.permission_mode = Some("bypassPermissions".to_owned());
            }
            "--allow-dangerously-skip-permissions" => found.may_bypass = true,
            known if CLAUDE_VALUES.contains(&known) => drop(value()),
            other if other.starts_with('-') => {}
            _ => found.prompt = found.prompt.or_else(|| Some(word.clone())),
        }
    }
    found
}

/// Flags of `codex exec` that take a value which does not matter here.
const EXEC_VALUES: &[&str] = &[
    "-m",
    "--model",
    "-s",
    "--sandbox",
    "-C",
    "--cd",
    "-c",
    "--config",
    "-o",
    "--output-schema",
    "--output-last-message",
    "--enable",
    "--disable",
    "-i",
    "--image",
    "-p",
    "--profile",
    "--add-dir",
    "--color",
];

fn exec(arguments: &[String]) -> ExecArgs {
    let mut found = ExecArgs::default();
    let mut resuming = false;
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--json" | "--experimental-json" => found.json = true,
            "--ephemeral" => found.ephemeral = true,
            "resume" if !resuming && found.prompt.is_none() => resuming = true,
            flag if EXEC_VALUES.contains(&flag) => drop(words.next()),
            flag if flag.starts_with('-') && flag != "-" => {}
            _ if resuming && found.resume.is_none() => found.resume = Some(word.clone()),
            _ => found.prompt = found.prompt.or_else(|| Some(word.clone())),
        }
    }
    found
}

/// Flags of the printing commands that take a value which does not matter here.
const PRINT_VALUES: &[&str] = &["-m", "--model", "--format", "--output-format", "--agent"];

/// Reads the command line of an ACP agent that is to print one turn; nothing for all others.
fn print(arguments: &[String]) -> Option<PrintArgs> {
    let has = |wanted: &str| arguments.iter().any(|word| word == wanted);
    if has("--acp") || has("acp") {
        return None;
    }
    let opencode = arguments.first().is_some_and(|word| word == "run");
    if !opencode && !has("--output-format") {
        return None;
    }
    let mut found = PrintArgs {
        dialect: if opencode {
            Dialect::OpenCode
        } else {
            Dialect::Gemini
        },
        resume: None,
        prompt: None,
        thinking: false,
        all_allowed: false,
    };
    let mut words = arguments.iter().skip(usize::from(opencode));
    while let Some(word) = words.next() {
        match word.as_str() {
            "--resume" | "-r" | "--session" | "-s" => found.resume = words.next().cloned(),
            "-p" | "--prompt" if !opencode => found.prompt = words.next().cloned(),
            "--approval-mode" => {
                found.all_allowed = words.next().is_some_and(|mode| mode == "yolo");
            }
            "--yolo" | "--auto" => found.all_allowed = true,
            "--thinking" => found.thinking = true,
            flag if PRINT_VALUES.contains(&flag) => drop(words.next()),
            flag if flag.starts_with('-') => {}
            _ => found.prompt = found.prompt.or_else(|| Some(word.clone())),
        }
    }
    Some(found)
}

/// Reports what the real Claude Code refuses at start.
pub(crate) fn refusal(args: &ClaudeArgs) -> Option<String> {
    if args.stream_input && args.output != "stream-json" {
        return Some(
            "Error: --input-format=stream-json requires output-format=stream-json.".to_owned(),
        );
    }
    if args.output == "stream-json" && !args.verbose {
        return Some(
            "Error: When using --print, --output-format=stream-json requires --verbose".to_owned(),
        );
    }
    if args.resume.is_some() && args.session_id.is_some() && !args.fork {
        return Some("Error: --session-id can only be used with --resume if --fork-session is also specified.".to_owned());
    }
    match &args.session_id {
        Some(id) if !ids::is_uuid(id) => {
            Some("Error: Invalid session ID. Must be a valid UUID.".to_owned())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn unknown_flags_are_passed_over() {
        let role = parse(
            "claude",
            &words("-p --no-such-flag --output-format text --effort low hello"),
            None,
        );
        let Role::Claude(args) = role else {
            panic!("{role:?}")
        };
        assert_eq!(args.prompt.as_deref(), Some("hello"));
    }

    #[test]
    fn the_argument_shape_decides_the_program() {
        assert_eq!(
            parse("x", &words("app-server -c a=b --new-flag"), None),
            Role::CodexServer
        );
        assert_eq!(
            parse("x", &words("--version"), Some("codex")),
            Role::Version("codex")
        );
        assert_eq!(parse("gemini", &words("--acp -m x"), None), Role::Acp);
        assert_eq!(parse("opencode", &words("acp"), None), Role::Acp);
        assert_eq!(parse("x", &[], Some("acp")), Role::Acp);
        let printed = parse(
            "x",
            &words("run --format json -s ID --thinking"),
            Some("acp"),
        );
        assert_eq!(
            printed,
            Role::AcpPrint(PrintArgs {
                dialect: Dialect::OpenCode,
                resume: Some("ID".to_owned()),
                prompt: None,
                thinking: true,
                all_allowed: false,
            })
        );
        assert_eq!(parse("/bin/codex-acp", &[], None), Role::Acp);
        let resumed = parse("x", &words("exec -s read-only resume T --json go"), None);
        assert_eq!(
            resumed,
            Role::CodexExec(ExecArgs {
                json: true,
                ephemeral: false,
                resume: Some("T".to_owned()),
                prompt: Some("go".to_owned()),
            })
        );
    }
}
