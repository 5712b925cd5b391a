//! Arguments, environment, programs.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use crate::config::{McpServer, Mode, PermissionMode, SessionOptions};
use crate::error::ErrorKind;
use crate::provider::claude::Claude;
use crate::provider::{Launch, LaunchPlan, Provider};

fn launch(options: &SessionOptions, resume: Option<&str>) -> Launch {
    let mode = Mode::Warm;
    let plan = LaunchPlan {
        mode,
        options,
        resume,
        back_to: None,
        shared: false,
    };
    Claude.launch(&plan).expect("the options are fine")
}

fn args(launch: &Launch) -> Vec<&str> {
    launch
        .args
        .iter()
        .skip(7)
        .filter_map(|arg| arg.to_str())
        .collect()
}

#[test]
fn a_plain_session_sets_nothing_but_the_protocol() {
    let options = SessionOptions::new("claude", "/project");
    let launch = launch(&options, None);
    assert_eq!(
        launch.args,
        [
            "-p",
            "--input-format=stream-json",
            "--output-format=stream-json",
            "--verbose",
            "--include-partial-messages",
            "--replay-user-messages",
            "--permission-prompt-tool=stdio",
        ]
    );
    let env: BTreeMap<_, _> = launch.env.into_iter().collect();
    assert_eq!(
        env[&std::ffi::OsString::from("CLAUDE_CODE_ENTRYPOINT")],
        "remuda"
    );
}

#[test]
fn options_become_flags_that_no_value_can_break() {
    let mut options = SessionOptions::new("claude", "/project");
    options.model = Some("--opus".to_owned());
    options.append_system_prompt = Some("-x\ny".to_owned());
    options.permission_mode = PermissionMode::AcceptEdits;
    options.extra_args = vec!["--effort".to_owned(), "low".to_owned()];
    assert_eq!(
        args(&launch(&options, Some("-id"))),
        [
            "--resume=-id",
            "--model=--opus",
            "--append-system-prompt=-x\ny",
            "--permission-mode=acceptEdits",
            "--effort",
            "low"
        ]
    );
}

#[test]
fn read_only_takes_away_every_tool_that_changes_something() {
    let mut options = SessionOptions::new("claude", "/project");
    options.permission_mode = PermissionMode::ReadOnly;
    let launch = launch(&options, None);
    let args = args(&launch);
    assert_eq!(args[0], "--permission-mode=default");
    let tools: Vec<_> = args[1]
        .trim_start_matches("--disallowedTools=")
        .split(',')
        .collect();
    for tool in ["Bash", "Write", "Edit", "NotebookEdit"] {
        assert!(tools.contains(&tool), "{tool}");
    }
    assert!(
        tools.iter().all(|tool| !tool.contains(char::is_whitespace)),
        "{tools:?}"
    );
}

#[test]
fn a_read_only_session_is_launched_like_the_mode_whatever_its_own_mode_is() {
    for (mode, word) in [
        (PermissionMode::Default, "default"),
        (PermissionMode::AcceptEdits, "default"),
        (PermissionMode::BypassPermissions, "default"),
        (PermissionMode::Plan, "plan"),
    ] {
        let mut options = SessionOptions::new("claude", "/project");
        options.permission_mode = mode;
        options.read_only = true;
        let launch = launch(&options, None);
        let args = args(&launch);
        assert_eq!(args[0], format!("--permission-mode={word}"));
        assert!(args[1].starts_with("--disallowedTools=Bash,"), "{args:?}");
    }
}

#[test]
fn effort_and_thinking_budget_are_flags() {
    let mut options = SessionOptions::new("claude", "/project");
    options.effort = Some("low".to_owned());
    options.thinking_budget = Some(2048);
    let flags = ["--effort=low", "--max-thinking-tokens=2048"];
    assert_eq!(args(&launch(&options, None)), flags);
}

#[test]
fn the_hosts_tools_are_a_server_of_the_command_line_only_in_a_one_shot_process() {
    let mut options = SessionOptions::new("claude", "/project");
    options.tools = super::harness::tools();
    assert_eq!(args(&launch(&options, None)), [] as [&str; 0]);
    let plan = LaunchPlan {
        mode: Mode::OneShot,
        options: &options,
        resume: None,
        back_to: None,
        shared: false,
    };
    let one_shot = Claude.launch(&plan).expect("the options are fine");
    let config = args(&one_shot)[0]
        .strip_prefix("--mcp-config=")
        .expect("the flag");
    let config: Value = serde_json::from_str(config).expect("JSON");
    assert_eq!(
        config,
        json!({"mcpServers": {"host": {"type": "sdk", "name": "host"}}})
    );
    let mut taken = options.clone();
    let server = McpServer::Http {
        url: "http://localhost".to_owned(),
        headers: BTreeMap::new(),
    };
    taken.mcp_servers.insert("host".to_owned(), server);
    let error = taken.check().expect_err("the name is taken");
    assert!(error.message().starts_with("mcp_servers"), "{error}");
}

#[test]
fn mcp_servers_are_given_in_the_agents_words() {
    let mut options = SessionOptions::new("claude", "/project");
    let map = |pairs: [(&str, &str); 1]| pairs.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
    options.mcp_servers = BTreeMap::from([
        (
            "files".to_owned(),
            McpServer::Stdio {
                command: "server".to_owned(),
                args: vec!["-v".to_owned()],
                env: map([("A", "b")]),
            },
        ),
        (
            "web".to_owned(),
            McpServer::Http {
                url: "http://localhost/mcp".to_owned(),
                headers: map([("Authorization", "x")]),
            },
        ),
    ]);
    let launch = launch(&options, None);
    let config = args(&launch)[0]
        .strip_prefix("--mcp-config=")
        .expect("the flag");
    let config: Value = serde_json::from_str(config).expect("JSON");
    assert_eq!(
        config,
        json!({"mcpServers": {
            "files": {"type": "stdio", "command": "server", "args": ["-v"], "env": {"A": "b"}},
            "web": {"type": "http", "url": "http://localhost/mcp", "headers": {"Authorization": "x"}},
        }})
    );
}

#[test]
fn what_no_command_line_can_hold_is_refused_by_name() {
    let mut options = SessionOptions::new("claude", "/project");
    options.append_system_prompt = Some("x".repeat(200_000));
    let plan = LaunchPlan {
        mode: Mode::OneShot,
        options: &options,
        resume: None,
        back_to: None,
        shared: false,
    };
    let error = Claude.launch(&plan).expect_err("it is too long");
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    assert!(
        error.message().starts_with("append_system_prompt"),
        "{error}"
    );
}

#[test]
fn the_mark_of_a_surrounding_agent_is_never_inherited() {
    for pattern in Claude.environment() {
        let matches = match pattern.strip_suffix('*') {
            Some(start) => "CLAUDECODE".starts_with(start),
            None => *pattern == "CLAUDECODE",
        };
        assert!(!matches, "{pattern}");
    }
}

#[test]
fn what_is_no_launcher_stays_as_it_was_found() {
    let missing = Path::new("/nowhere/claude");
    assert_eq!(Claude.native_program(missing), missing);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    assert_eq!(Claude.native_program(&script), script);
}

#[cfg(unix)]
#[test]
fn links_and_package_launchers_are_followed_to_the_native_program() {
    use std::fs;

    let root = std::env::temp_dir().join(format!("remuda-claude-{}", std::process::id()));
    let package = root.join("node_modules/@anthropic-ai/claude-code");
    fs::create_dir_all(package.join("bin")).expect("folders");
    fs::create_dir_all(root.join("node_modules/.bin")).expect("folders");
    let native = package.join("bin/claude.exe");
    fs::write(&native, b"\x7fELF\x02").expect("a program");
    fs::write(package.join("cli-wrapper.cjs"), b"#!/usr/bin/env node\n").expect("a launcher");
    let link = root.join("node_modules/.bin/claude");
    std::os::unix::fs::symlink("../@anthropic-ai/claude-code/bin/claude.exe", &link)
        .expect("a link");
    let real = native.canonicalize().expect("it exists");
    let followed = [
        Claude.native_program(&link),
        Claude.native_program(&package.join("cli-wrapper.cjs")),
    ];
    fs::remove_dir_all(&root).expect("it can go");
    let [by_link, by_wrapper] = followed;
    assert_eq!(by_link, real);
    assert!(
        by_wrapper.ends_with("claude-code/bin/claude.exe"),
        "{by_wrapper:?}"
    );
}
