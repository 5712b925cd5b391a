//! How the agents are started.

use std::ffi::OsString;

use super::play::play_print;
use crate::config::{McpServer, Mode, PermissionMode, SessionOptions};
use crate::error::ErrorKind;
use crate::provider::acp::{self, AcpAgent};
use crate::provider::{Launch, LaunchPlan, Outcome, Provider, SignalBody, all};

fn launch(agent: &AcpAgent, mode: Mode, options: &SessionOptions) -> Launch {
    let resume = None;
    let plan = LaunchPlan {
        mode,
        options,
        resume,
        back_to: None,
        shared: false,
    };
    agent.launch(&plan).expect("it can be started")
}

fn args(agent: &AcpAgent, mode: Mode, options: &SessionOptions) -> Vec<String> {
    let text = |arg: OsString| arg.into_string().expect("UTF-8");
    launch(agent, mode, options)
        .args
        .into_iter()
        .map(text)
        .collect()
}

fn variable(launch: &Launch, name: &str) -> Option<String> {
    let found = launch.env.iter().find(|(known, _)| known == name);
    found.map(|(_, value)| value.clone().into_string().expect("UTF-8"))
}

fn refused(agent: &AcpAgent, options: &SessionOptions) -> ErrorKind {
    let plan = LaunchPlan {
        mode: Mode::Warm,
        options,
        resume: None,
        back_to: None,
        shared: false,
    };
    agent
        .launch(&plan)
        .expect_err("it cannot be started")
        .kind()
}

fn options() -> SessionOptions {
    SessionOptions::new("acp", "/project")
}

#[test]
fn every_profile_is_a_provider_of_its_own_name() {
    let names: Vec<_> = all().iter().map(|p| p.name()).collect();
    for name in [
        "gemini",
        "opencode",
        "kimi",
        "claude-acp",
        "codex-acp",
        "acp",
    ] {
        assert_eq!(names.iter().filter(|n| **n == name).count(), 1, "{name}");
    }
}

#[test]
fn a_warm_process_speaks_the_protocol() {
    let extra = SessionOptions {
        extra_args: vec!["--x".into()],
        program: Some("/opt/agent".into()),
        ..options()
    };
    assert_eq!(args(&acp::GEMINI, Mode::Warm, &extra), ["--acp", "--x"]);
    assert_eq!(args(&acp::OPENCODE, Mode::Warm, &extra), ["acp", "--x"]);
    assert_eq!(args(&acp::KIMI, Mode::Warm, &extra), ["acp", "--x"]);
    assert_eq!(args(&acp::ANY, Mode::Warm, &extra), ["--x"]);
    assert_eq!(args(&acp::ANY, Mode::OneShot, &extra), ["--x"]);
}

#[test]
fn an_agent_without_a_name_needs_its_program() {
    assert_eq!(refused(&acp::ANY, &options()), ErrorKind::InvalidArgument);
}

#[test]
fn gemini_is_started_so_that_it_hears_signals() {
    let launch = launch(&acp::GEMINI, Mode::Warm, &options());
    let set = variable(&launch, "GEMINI_CLI_NO_RELAUNCH");
    assert_eq!(set.as_deref(), Some("true"));
}

#[test]
fn opencode_never_serves_its_port_without_a_password() {
    for mode in [Mode::Warm, Mode::OneShot] {
        let password = || {
            let launch = launch(&acp::OPENCODE, mode, &options());
            let known = variable(&launch, "OPENCODE_SERVER_PASSWORD");
            assert_eq!(known, None, "it tells no launches apart");
            let [(name, password)] = &launch.secrets[..] else {
                panic!("{launch:?}");
            };
            assert_eq!(name, "OPENCODE_SERVER_PASSWORD");
            password.clone()
        };
        let (one, two) = (password(), password());
        assert!(one.len() >= 32);
        assert_ne!(one, two, "each process has its own");
    }
}

#[test]
fn what_opencode_may_do_stands_in_a_variable() {
    let permission = |options: &SessionOptions| {
        let launch = launch(&acp::OPENCODE, Mode::Warm, options);
        variable(&launch, "OPENCODE_PERMISSION")
    };
    assert_eq!(
        permission(&options()),
        None,
        "what the user has configured holds"
    );
    let mode = |permission_mode| SessionOptions {
        permission_mode,
        ..options()
    };
    let cases = [
        (mode(PermissionMode::ReadOnly), "deny", "deny"),
        (mode(PermissionMode::Plan), "deny", "deny"),
        (mode(PermissionMode::AcceptEdits), "allow", "ask"),
        (mode(PermissionMode::BypassPermissions), "allow", "allow"),
        (
            SessionOptions {
                read_only: true,
                ..mode(PermissionMode::BypassPermissions)
            },
            "ask",
            "ask",
        ),
    ];
    for (options, edit, bash) in cases {
        let set = permission(&options).expect("a permission");
        let set: serde_json::Value = serde_json::from_str(&set).expect("JSON");
        assert_eq!((&set["edit"], &set["bash"]), (&edit.into(), &bash.into()));
    }
}

#[test]
fn options_without_a_word_in_the_protocol_are_refused() {
    let prompt = SessionOptions {
        append_system_prompt: Some("x".into()),
        ..options()
    };
    assert_eq!(refused(&acp::GEMINI, &prompt), ErrorKind::Unsupported);
}

#[test]
fn a_turn_is_printed_by_the_agents_that_can() {
    let wanted = SessionOptions {
        model: Some("m".into()),
        permission_mode: PermissionMode::AcceptEdits,
        ..options()
    };
    assert_eq!(
        args(&acp::GEMINI, Mode::OneShot, &wanted),
        [
            "--output-format",
            "stream-json",
            "--model",
            "m",
            "--approval-mode",
            "auto_edit"
        ]
    );
    assert_eq!(
        args(&acp::OPENCODE, Mode::OneShot, &wanted),
        ["run", "--format", "json", "--thinking", "--model", "m"]
    );
    let read_only = SessionOptions {
        read_only: true,
        ..wanted
    };
    let gemini = args(&acp::GEMINI, Mode::OneShot, &read_only);
    assert_eq!(gemini.last().map(String::as_str), Some("plan"));
}

#[test]
fn what_a_printing_command_cannot_carry_goes_by_the_protocol() {
    let server = McpServer::Http {
        url: "http://h".into(),
        headers: [].into(),
    };
    let with_server = SessionOptions {
        mcp_servers: [("h".to_owned(), server)].into(),
        ..options()
    };
    let planning = SessionOptions {
        permission_mode: PermissionMode::Plan,
        ..options()
    };
    let plan = LaunchPlan {
        mode: Mode::OneShot,
        options: &with_server,
        resume: None,
        back_to: None,
        shared: false,
    };
    let error = acp::GEMINI
        .launch(&plan)
        .expect_err("it could lose the conversation");
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert_eq!(args(&acp::OPENCODE, Mode::OneShot, &with_server), ["acp"]);
    assert_eq!(args(&acp::OPENCODE, Mode::OneShot, &planning), ["acp"]);
    // Its printing command takes the prompt only as an argument, and never asks.
    assert_eq!(args(&acp::KIMI, Mode::OneShot, &options()), ["acp"]);
}

#[test]
fn values_that_look_like_options_are_refused() {
    let dash = SessionOptions {
        model: Some("-m".into()),
        ..options()
    };
    for agent in [&acp::GEMINI, &acp::OPENCODE] {
        for resume in [None, Some("--yolo")] {
            let without = options();
            let options = if resume.is_some() { &without } else { &dash };
            let plan = LaunchPlan {
                mode: Mode::OneShot,
                options,
                resume,
                back_to: None,
                shared: false,
            };
            let error = agent.launch(&plan).expect_err("it cannot be started");
            assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        }
    }
}

#[test]
fn a_printing_command_that_does_not_know_the_conversation_says_so_on_stderr() {
    let mut player = super::play::Player::new(&acp::GEMINI, Mode::OneShot);
    let conversation = player.open(options(), Some("R"));
    player.turn(conversation, "go");
    player.end_of_output();
    player.last_words("x\nError resuming session: No previous sessions found for this project.\n");
    let SignalBody::Ended(end) = &player.signals.last().expect("an end").body else {
        panic!("{:?}", player.signals);
    };
    assert!(matches!(
        end.outcome,
        Outcome::Failed {
            code: ErrorKind::ResumeFailed,
            ..
        }
    ));
    let known = play_print("oneshot-gemini-resume");
    assert!(
        known
            .signals
            .iter()
            .any(|s| matches!(s.body, SignalBody::Bound { resumed: true, .. }))
    );
}

#[test]
fn an_interrupt_of_a_printing_command_is_a_signal_and_its_end_is_no_failure() {
    let mut player = super::play::Player::new(&acp::OPENCODE, Mode::OneShot);
    let conversation = player.open(options(), None);
    player.interrupt(conversation);
    assert_eq!(player.out.kill, None, "nothing runs");
    player.turn(conversation, "go");
    player.interrupt(conversation);
    assert!(player.out.kill.is_some());
    player.end_of_output();
    let SignalBody::Ended(end) = &player.signals.last().expect("an end").body else {
        panic!("{:?}", player.signals);
    };
    assert_eq!(end.outcome, Outcome::Interrupted);
}
