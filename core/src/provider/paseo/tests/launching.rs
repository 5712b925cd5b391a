//! How a turn is started.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use crate::config::{McpServer, Mode, PermissionMode, SessionOptions};
use crate::error::{Error, ErrorKind};
use crate::provider::paseo::Paseo;
use crate::provider::{Launch, LaunchPlan, Provider};

fn options() -> SessionOptions {
    let mut options = SessionOptions::new("paseo", "/project");
    options.model = Some("codex/m".to_owned());
    options
}

fn launch(options: &SessionOptions, resume: Option<&str>) -> Result<Launch, Error> {
    Paseo.launch(&LaunchPlan {
        mode: Mode::OneShot,
        options,
        resume,
        back_to: None,
    })
}

/// What the script is given.
fn args(options: &SessionOptions, resume: Option<&str>) -> Vec<OsString> {
    let args = launch(options, resume).expect("the options are good").args;
    assert_eq!(args[0], "-c");
    assert_eq!(args[2], "paseo-turn");
    args[3..].to_vec()
}

#[test]
fn the_first_turn_makes_an_agent_by_the_options() {
    let mut options = options();
    options.effort = Some("-high".to_owned());
    options.extra_args = vec!["--mode".to_owned(), "plan".to_owned()];
    let expected = [
        "paseo",
        "",
        "--cwd",
        "/project",
        "--provider=codex/m",
        "--thinking=-high",
        "--mode",
        "plan",
    ];
    assert_eq!(args(&options, None), expected);
}

#[test]
fn a_later_turn_names_the_agent_and_nothing_else() {
    let mut options = options();
    options.program = Some("/opt/paseo".into());
    options.extra_args = vec!["--mode".to_owned(), "plan".to_owned()];
    assert_eq!(args(&options, Some("id")), ["/opt/paseo", "id"]);
    options.model = None;
    assert_eq!(args(&options, Some("id")), ["/opt/paseo", "id"]);
    let refused = launch(&options, Some("-id")).expect_err("it is an option");
    assert_eq!(refused.kind(), ErrorKind::InvalidArgument);
}

#[test]
fn the_host_is_for_every_command_and_on_no_command_line() {
    for given in [vec!["--host", "a:1"], vec!["--host=b:2", "--host", "a:1"]] {
        let mut options = options();
        options.extra_args = given.into_iter().map(str::to_owned).collect();
        options.extra_args.push("--title=t".to_owned());
        let launch = launch(&options, None).expect("the options are good");
        assert_eq!(launch.env, [("PASEO_HOST".into(), "a:1".into())]);
        assert_eq!(launch.args.last().expect("arguments"), "--title=t");
        assert!(!launch.args[3..].iter().any(|arg| arg == "a:1"));
    }
    let mut options = options();
    options.extra_args = vec!["--host".to_owned()];
    let refused = launch(&options, None).expect_err("it has no value");
    assert_eq!(refused.kind(), ErrorKind::InvalidArgument);
}

#[test]
fn a_new_agent_needs_to_be_told_which() {
    let mut options = options();
    options.model = None;
    let refused = launch(&options, None).expect_err("which agent?");
    assert_eq!(refused.kind(), ErrorKind::InvalidArgument);
    assert!(refused.message().starts_with("model: "), "{refused}");
    for flag in [vec!["--provider", "codex"], vec!["--provider=codex"]] {
        options.extra_args = flag.into_iter().map(str::to_owned).collect();
        launch(&options, None).expect("it was told");
    }
}

#[test]
fn what_could_only_be_left_out_is_refused_by_name() {
    type Set = fn(&mut SessionOptions);
    let refused: [(&str, Set); 5] = [
        ("permission_mode", |o| {
            o.permission_mode = PermissionMode::Plan;
        }),
        ("read_only", |o| {
            o.read_only = true;
        }),
        ("append_system_prompt", |o| {
            o.append_system_prompt = Some("x".to_owned());
        }),
        ("thinking_budget", |o| {
            o.thinking_budget = Some(1);
        }),
        ("mcp_servers", |o| {
            let (url, headers) = ("http://localhost".to_owned(), BTreeMap::new());
            let server = McpServer::Http { url, headers };
            o.mcp_servers.insert("s".to_owned(), server);
        }),
    ];
    for (option, set) in refused {
        let mut options = options();
        set(&mut options);
        for resume in [None, Some("id")] {
            let refused = launch(&options, resume).expect_err(option);
            assert_eq!(refused.kind(), ErrorKind::Unsupported);
            assert!(refused.message().starts_with(option), "{refused}");
        }
    }
}

#[test]
fn the_shell_is_what_runs() {
    assert_eq!(
        Paseo.native_program(Path::new("/opt/paseo")),
        Path::new("/bin/sh")
    );
}
