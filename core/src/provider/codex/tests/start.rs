//! How the agent is started, and how its program is found.

use std::path::PathBuf;

use crate::config::{HostTool, McpServer, Mode, PermissionMode, SessionOptions};
use crate::error::ErrorKind;
use crate::event::RawJson;
use crate::provider::codex::Codex;
use crate::provider::codex::launch::native_of;
use crate::provider::codex::options::open_params;
use crate::provider::codex::settings::Settings;
use crate::provider::{LaunchPlan, Provider};

fn args(mode: Mode, options: &SessionOptions, resume: Option<&str>) -> Vec<String> {
    let plan = LaunchPlan {
        mode,
        options,
        resume,
        back_to: None,
    };
    let launch = Codex.launch(&plan).expect("the options are good");
    let text = |a: std::ffi::OsString| a.into_string().expect("UTF-8");
    let env: Vec<_> = launch
        .env
        .into_iter()
        .map(|(k, v)| (text(k), text(v)))
        .collect();
    // Headers of MCP servers stand on no command line.
    let secret = ("REMUDA_MCP_TOKEN_0".to_owned(), "b".to_owned());
    let secrets = mode == Mode::OneShot && !options.mcp_servers.is_empty();
    assert_eq!(env, Vec::from_iter(secrets.then_some(secret)));
    launch.args.into_iter().map(text).collect()
}

fn full() -> SessionOptions {
    let mut options = SessionOptions::new("codex", "/project");
    options.model = Some("m".into());
    options.effort = Some("high".into());
    options.append_system_prompt = Some("be \"brief\"\n\u{7f}".into());
    options.permission_mode = PermissionMode::AcceptEdits;
    options.extra_args = vec!["--enable".into(), "plugins".into()];
    let stdio = McpServer::Stdio {
        command: "run".into(),
        args: vec!["x y".into()],
        env: [("K".to_owned(), "v".to_owned())].into(),
    };
    let http = McpServer::Http {
        url: "http://localhost/".into(),
        headers: [("X-A".to_owned(), "b".to_owned())].into(),
    };
    options.mcp_servers = [("a.b".to_owned(), stdio), ("h".to_owned(), http)].into();
    options
}

const OFF: [&str; 6] = [
    "-c",
    "features.unbounded_connection_retries=false",
    "-c",
    "features.goals=false",
    "-c",
    "features.plugins=false",
];

#[test]
fn a_warm_process_is_started_the_same_for_every_session_but_for_extra_args() {
    let expected = [&["app-server"][..], &OFF, &["--enable", "plugins"]].concat();
    assert_eq!(args(Mode::Warm, &full(), None), expected);
}

#[test]
fn options_stand_before_resume_and_the_prompt_comes_over_stdin() {
    let mut expected = [&["exec", "--json", "--skip-git-repo-check"][..], &OFF].concat();
    expected.extend(["-C", "/project", "-m", "m", "-s", "workspace-write"]);
    expected.extend(["-c", r#"model_reasoning_effort="high""#]);
    expected.extend(["-c", r#"developer_instructions="be \"brief\"\n\u007F""#]);
    let servers = concat!(
        r#"mcp_servers={"a.b"={"args"=["x y"],"command"="run","env"={"K"="v"}},"#,
        r#""h"={"env_http_headers"={"X-A"="REMUDA_MCP_TOKEN_0"},"url"="http://localhost/"}}"#
    );
    expected.extend(["-c", servers, "--enable", "plugins"]);
    // The commands that the agent runs do not see the header.
    let hidden = r#"shell_environment_policy.set.REMUDA_MCP_TOKEN_0="""#;
    expected.extend(["-c", hidden, "resume", "R", "-"]);
    assert_eq!(args(Mode::OneShot, &full(), Some("R")), expected);
}

#[test]
fn a_warm_conversation_gets_its_options_over_the_protocol() {
    let params = open_params(&full(), None);
    assert_eq!(
        params,
        serde_json::json!({
            "cwd": "/project",
            "model": "m",
            "developerInstructions": "be \"brief\"\n\u{7f}",
            "approvalPolicy": "on-request",
            "config": {
                "thread_unload_delay_secs": 0,
                "mcp_servers": {
                    "a.b": {"command": "run", "args": ["x y"], "env": {"K": "v"}},
                    "h": {"url": "http://localhost/", "http_headers": {"X-A": "b"}},
                },
            },
        })
    );
}

#[test]
fn a_session_that_only_reads_has_a_read_only_sandbox_in_every_mode() {
    for mode in [
        PermissionMode::Default,
        PermissionMode::ReadOnly,
        PermissionMode::Plan,
        PermissionMode::AcceptEdits,
        PermissionMode::BypassPermissions,
    ] {
        let mut options = SessionOptions::new("codex", "/project");
        options.permission_mode = mode;
        options.read_only = true;
        assert_eq!(
            open_params(&options, None)["sandbox"],
            "read-only",
            "{mode:?}"
        );
        let args = args(Mode::OneShot, &options, None).join(" ");
        assert!(args.contains(" -s read-only "), "{args}");
        let mut turn = serde_json::Map::new();
        Settings::new(&options, None).turn_members(&mut turn);
        assert_eq!(turn["sandboxPolicy"]["type"], "readOnly", "{mode:?}");
    }
}

#[test]
fn host_tools_are_told_to_a_new_thread_and_kept_by_one_that_is_resumed() {
    let mut options = SessionOptions::new("codex", "/project");
    options.tools = vec![HostTool {
        name: "look".into(),
        description: "looks".into(),
        input_schema: RawJson::from_text("{}"),
    }];
    assert_eq!(
        open_params(&options, None)["dynamicTools"],
        serde_json::json!([{
            "type": "function",
            "name": "look",
            "description": "looks",
            "inputSchema": {"type": "object"},
        }])
    );
    assert_eq!(open_params(&options, Some("R")).get("dynamicTools"), None);
}

#[test]
fn what_the_agent_cannot_take_is_refused_by_name() {
    let mut options = full();
    let server = options.mcp_servers["h"].clone();
    options.mcp_servers.insert("a b".into(), server);
    let plan = LaunchPlan {
        mode: Mode::Warm,
        options: &options,
        resume: None,
        back_to: None,
    };
    let error = Codex.launch(&plan).expect_err("a space is not possible");
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    assert!(
        error.message().starts_with("mcp_servers: \"a b\""),
        "{error}"
    );

    let options = SessionOptions::new("codex", "/project");
    let plan = LaunchPlan {
        mode: Mode::OneShot,
        options: &options,
        resume: Some("--last"),
        back_to: None,
    };
    let error = Codex.launch(&plan).expect_err("it is an option");
    assert_eq!(error.message(), "resume: it begins like an option");
}

/// Makes the script and the program of a layout; gives back both.
fn layout(root: &std::path::Path, package: &str, platform: &str) -> (PathBuf, PathBuf) {
    let script = root.join(package).join("bin/codex.js");
    let native = root
        .join(platform)
        .join("vendor/x86_64-unknown-linux-musl/bin/codex");
    for file in [&script, &native] {
        std::fs::create_dir_all(file.parent().expect("a parent")).expect("a folder");
        std::fs::write(file, "").expect("a file");
    }
    (script, native.canonicalize().expect("it is there"))
}

#[test]
fn the_native_program_is_found_in_every_layout_of_packages() {
    let layouts = [
        // Hoisted, nested, and linked from a store.
        (
            "node_modules/@openai/codex",
            "node_modules/@openai/codex-linux-x64",
        ),
        (
            "node_modules/@openai/codex",
            "node_modules/@openai/codex/node_modules/@openai/codex-linux-x64",
        ),
        (
            "store/c/node_modules/@openai/codex",
            "store/c/node_modules/@openai/codex-linux-x64",
        ),
        // Packed into the package itself, as older ones were.
        ("node_modules/@openai/codex", "node_modules/@openai/codex"),
    ];
    for (number, (package, platform)) in layouts.into_iter().enumerate() {
        let root = std::env::temp_dir().join(format!(
            "remuda-codex-layout-{}-{number}",
            std::process::id()
        ));
        let (script, native) = layout(&root, package, platform);
        let found = native_of(&script, "linux", "x86_64");
        let none = native_of(&script, "plan9", "x86_64");
        std::fs::remove_dir_all(&root).expect("the folder can go");
        assert_eq!(found, Some(native), "{package} and {platform}");
        assert_eq!(none, None);
    }
}

#[test]
fn a_program_that_is_no_script_is_taken_as_it_is() {
    let program = std::env::current_exe().expect("this test has a program");
    assert_eq!(Codex.native_program(&program), program);
}
