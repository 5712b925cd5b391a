//! The promises of the boundary: opening, resuming, settling, leaving, noise.

use serde_json::{Value, json};

use super::opened::{
    FIRST, bare_greeting, ends, greeted, greeting, methods, offers, old_offers, opened, opened_by,
    options, outcomes, refusal, refuse, reply, said, shown, warnings,
};
use super::play::Player;
use crate::config::{McpServer, Mode, PermissionMode, SessionOptions};
use crate::error::ErrorKind;
use crate::event::{Body, WarningCode};
use crate::provider::acp::{self, AcpAgent};
use crate::provider::{Conversation, Outcome, Request, SignalBody, TurnRef};

#[test]
fn nothing_is_asked_before_the_handshake_is_answered() {
    let mut player = Player::new(&acp::ANY, Mode::Warm);
    player.open(options(), None);
    player.open(options(), Some("R"));
    assert_eq!(methods(&player), ["initialize"]);
    let can = &player.written[0]["params"]["clientCapabilities"];
    assert_eq!(
        can["fs"],
        json!({"readTextFile": false, "writeTextFile": false})
    );
    assert_eq!(can["terminal"], false);
    player.line(&greeting().to_string());
    assert_eq!(
        methods(&player),
        ["initialize", "session/new", "session/resume"]
    );
    assert_eq!(player.written[1]["params"]["mcpServers"], json!([]));
    assert_eq!(player.written[2]["params"]["sessionId"], "R");
}

#[test]
fn an_agent_of_another_version_breaks_every_conversation_now_and_later() {
    for answer in [
        json!({"id": 1, "result": {"protocolVersion": 2}}),
        json!({"id": 1, "result": {"protocolVersion": "1"}}),
        json!({"id": 1, "result": {}}),
        json!({"id": 1, "error": {"code": -32022, "message": "no"}}),
    ] {
        let mut player = Player::new(&acp::ANY, Mode::Warm);
        player.open(options(), None);
        player.line(&answer.to_string());
        player.open(options(), None);
        let broken = |s: &&crate::provider::Signal| matches!(s.body, SignalBody::Broken { .. });
        assert_eq!(player.signals.iter().filter(broken).count(), 2, "{answer}");
        assert_eq!(methods(&player), ["initialize"]);
    }
}

#[test]
fn an_agent_that_cannot_resume_says_so_and_begins_nothing() {
    let mut player = Player::new(&acp::ANY, Mode::Warm);
    player.line(&bare_greeting().to_string());
    player.open(options(), Some("R"));
    let (code, message) = refusal(&player);
    assert_eq!(code, ErrorKind::Unsupported);
    assert!(message.starts_with("resume: "), "{message}");
    assert_eq!(methods(&player), ["initialize"]);
}

#[test]
fn a_conversation_that_the_agent_does_not_know_is_told_from_other_faults() {
    // Code, text and data as each agent has them.
    let cases = [
        (
            -32602,
            "Session not found: R",
            Value::Null,
            ErrorKind::ResumeFailed,
        ),
        (
            -32603,
            "Internal error",
            json!({"details": "No previous sessions found for this project."}),
            ErrorKind::ResumeFailed,
        ),
        (
            -32603,
            "Internal error: OpenCode service failure",
            json!({"service": "session"}),
            ErrorKind::ResumeFailed,
        ),
        (
            -32602,
            "Invalid params: Unknown sessionId: R",
            Value::Null,
            ErrorKind::ResumeFailed,
        ),
        (
            -32602,
            "Invalid params",
            json!({"session_id": "Session not found"}),
            ErrorKind::ResumeFailed,
        ),
        (
            -32002,
            "Resource not found",
            json!({"sessionId": "R"}),
            ErrorKind::ResumeFailed,
        ),
        (
            -32603,
            "Internal error",
            json!({"details": "invalid session id: invalid character"}),
            ErrorKind::ResumeFailed,
        ),
        (
            -32000,
            "Authentication required",
            Value::Null,
            ErrorKind::AccountError,
        ),
        (
            -32601,
            "\"Method not found\": session/resume",
            Value::Null,
            ErrorKind::Unsupported,
        ),
        (-32603, "Internal error", Value::Null, ErrorKind::AgentError),
    ];
    for (code, text, data, kind) in cases {
        let mut player = greeted(&acp::ANY);
        player.open(options(), Some("R"));
        refuse(&mut player, code, text, data);
        assert_eq!(refusal(&player).0, kind, "{text}");
    }
    let mut player = greeted(&acp::ANY);
    player.open(options(), None);
    refuse(&mut player, -32602, "cwd not found", Value::Null);
    assert_eq!(
        refusal(&player).0,
        ErrorKind::AgentError,
        "a new one is no lost one"
    );
}

#[test]
fn history_is_not_shown_again() {
    let mut player = Player::new(&acp::ANY, Mode::Warm);
    let mut loads = greeting();
    loads["result"]["agentCapabilities"]["sessionCapabilities"] = json!({});
    player.line(&loads.to_string());
    player.open(options(), Some("S"));
    assert_eq!(methods(&player).last(), Some(&"session/load"));
    player.line(&said("old"));
    reply(&mut player, offers("S"));
    player.turn(FIRST, "go");
    player.line(&said("new"));
    let texts: Vec<_> = shown(&player);
    assert_eq!(texts.len(), 1, "{texts:?}");
    assert!(matches!(texts[0], Body::TextDelta { text, .. } if text == "new"));
}

#[test]
fn gemini_is_ready_when_the_history_that_follows_its_answer_is_over() {
    let mut player = Player::new(&acp::GEMINI, Mode::Warm);
    let mut loads = greeting();
    loads["result"]["agentCapabilities"]["sessionCapabilities"] = json!({});
    player.line(&loads.to_string());
    player.open(options(), Some("S"));
    reply(&mut player, old_offers("S"));
    player.line(&said("old"));
    assert!(player.signals.is_empty());
    let commands = super::opened::note(
        "available_commands_update",
        json!({"availableCommands": []}),
    );
    player.line(&commands);
    assert!(matches!(player.signals[1].body, SignalBody::Ready { .. }));
    assert_eq!(
        player.signals.len(),
        2,
        "and nothing of the history is shown"
    );
}

#[test]
fn a_login_that_is_there_is_asked_for_once_and_only_where_it_is_needed() {
    let login = |agent: &AcpAgent, resume: Option<&str>| {
        let mut player = greeted(agent);
        player.open(options(), resume);
        refuse(&mut player, -32000, "Authentication required", Value::Null);
        player
    };
    let mut player = login(&acp::CODEX_ACP, None);
    assert_eq!(player.written[2]["params"], json!({"methodId": "api-key"}));
    reply(&mut player, json!({}));
    assert_eq!(methods(&player).last(), Some(&"session/new"));
    refuse(&mut player, -32000, "Authentication required", Value::Null);
    assert_eq!(refusal(&player).0, ErrorKind::AccountError);

    let player = login(&acp::GEMINI, None);
    assert_eq!(
        refusal(&player).0,
        ErrorKind::AccountError,
        "it would write into the settings"
    );
    let mut player = login(&acp::GEMINI, Some("R"));
    reply(&mut player, json!({}));
    assert_eq!(methods(&player).last(), Some(&"session/resume"));
    assert_eq!(refusal(&login(&acp::ANY, None)).0, ErrorKind::AccountError);
}

#[test]
fn a_conversation_is_ready_when_its_settings_are_made() {
    let mut player = greeted(&acp::ANY);
    let wanted = SessionOptions {
        model: Some("large".into()),
        effort: Some("high".into()),
        permission_mode: PermissionMode::Plan,
        ..options()
    };
    player.open(wanted, None);
    reply(&mut player, offers("S"));
    for (id, value) in [("m", "large"), ("t", "high"), ("p", "plan")] {
        assert!(player.signals.is_empty());
        let step = json!({"sessionId": "S", "configId": id, "value": value});
        assert_eq!(player.written.last().expect("a step")["params"], step);
        reply(&mut player, json!({}));
    }
    let SignalBody::Bound { model, .. } = &player.signals[0].body else {
        panic!("{:?}", player.signals);
    };
    assert_eq!(model.as_deref(), Some("large"));
    assert!(matches!(player.signals[1].body, SignalBody::Ready { .. }));
}

#[test]
fn settings_go_by_the_older_methods_where_an_agent_has_only_those() {
    let mut player = greeted(&acp::GEMINI);
    let wanted = SessionOptions {
        model: Some("large".into()),
        permission_mode: PermissionMode::BypassPermissions,
        ..options()
    };
    player.open(wanted, None);
    reply(&mut player, old_offers("S"));
    reply(&mut player, json!({}));
    reply(&mut player, json!({}));
    assert_eq!(
        player.written[2..]
            .iter()
            .map(|l| &l["params"])
            .collect::<Vec<_>>(),
        [
            &json!({"sessionId": "S", "modelId": "large"}),
            &json!({"sessionId": "S", "modeId": "yolo"})
        ]
    );
}

#[test]
fn what_an_agent_does_not_offer_is_refused_and_not_passed_over() {
    let cases = [
        SessionOptions {
            model: Some("x".into()),
            ..options()
        },
        SessionOptions {
            effort: Some("high".into()),
            ..options()
        },
        SessionOptions {
            permission_mode: PermissionMode::Plan,
            ..options()
        },
        SessionOptions {
            read_only: true,
            ..options()
        },
    ];
    for wanted in cases {
        let mut player = greeted(&acp::ANY);
        player.open(wanted.clone(), None);
        reply(&mut player, json!({"sessionId": "S"}));
        assert_eq!(refusal(&player).0, ErrorKind::Unsupported, "{wanted:?}");
        assert_eq!(methods(&player).last(), Some(&"session/close"));
    }
    let mut player = greeted(&acp::ANY);
    player.open(
        SessionOptions {
            model: Some("x".into()),
            ..options()
        },
        None,
    );
    reply(&mut player, offers("S"));
    refuse(&mut player, -32602, "Invalid value", Value::Null);
    assert_eq!(refusal(&player).0, ErrorKind::InvalidArgument);
}

#[test]
fn mcp_servers_go_as_lists_of_pairs_and_only_where_they_can_be_reached() {
    let http = McpServer::Http {
        url: "http://h".into(),
        headers: [("a".to_owned(), "b".to_owned())].into(),
    };
    let stdio = McpServer::Stdio {
        command: "/c".into(),
        args: vec!["x".into()],
        env: [("E".to_owned(), "v".to_owned())].into(),
    };
    let wanted = SessionOptions {
        mcp_servers: [("h".to_owned(), http), ("s".to_owned(), stdio)].into(),
        ..options()
    };
    let mut player = greeted(&acp::ANY);
    player.open(wanted.clone(), None);
    assert_eq!(
        player.written[1]["params"]["mcpServers"],
        json!([
            {"type": "http", "name": "h", "url": "http://h", "headers": [{"name": "a", "value": "b"}]},
            {"name": "s", "command": "/c", "args": ["x"], "env": [{"name": "E", "value": "v"}]},
        ])
    );
    let mut player = Player::new(&acp::ANY, Mode::Warm);
    player.line(&bare_greeting().to_string());
    player.open(wanted, None);
    assert_eq!(refusal(&player).0, ErrorKind::Unsupported);
}

#[test]
fn a_session_that_left_and_came_back_has_its_conversation() {
    let mut player = opened();
    player.request(Request::Close {
        conversation: FIRST,
    });
    assert_eq!(methods(&player), ["session/close"]);
    player.line(&said("late"));
    assert_eq!(
        warnings(&player),
        [],
        "a conversation that was left may still speak"
    );
    let again = player.open(options(), Some("S"));
    reply(&mut player, offers("S"));
    player.turn(again, "go");
    player.line(&said("x"));
    let last = player.signals.last().expect("a signal");
    assert_eq!(last.conversation, again);
}

#[test]
fn a_conversation_that_runs_a_turn_is_not_given_to_another_session() {
    let mut player = opened();
    player.turn(FIRST, "go");
    player.open(options(), Some("S"));
    assert_eq!(refusal(&player).0, ErrorKind::ResumeFailed);
    reply(&mut player, json!({"stopReason": "end_turn"}));
    assert_eq!(ends(&player).len(), 1, "and the turn goes on");
}

#[test]
fn a_session_that_leaves_in_a_turn_ends_it_first() {
    let mut player = opened();
    player.turn(FIRST, "go");
    player.request(Request::Close {
        conversation: FIRST,
    });
    assert_eq!(
        methods(&player),
        ["session/prompt", "session/cancel", "session/close"]
    );
    reply(&mut player, json!({"stopReason": "cancelled"}));
    assert_eq!(ends(&player).len(), 0, "nobody is there to be told");
}

#[test]
fn turns_of_several_conversations_keep_apart() {
    let mut player = opened();
    let second = player.open(options(), None);
    reply(&mut player, offers("T"));
    let (one, two) = (player.turn(FIRST, "a"), player.turn(second, "b"));
    player.signals.clear();
    for (session, text) in [("S", "s1"), ("T", "t1"), ("S", "s2")] {
        player.line(&said(text).replace("\"S\"", &format!("\"{session}\"")));
    }
    let turns: Vec<_> = player.signals.iter().map(|s| s.turn).collect();
    assert_eq!(
        turns,
        [one, two, one].map(TurnRef::Host),
        "each piece belongs to the turn of its session"
    );
    reply(&mut player, json!({"stopReason": "end_turn"}));
    assert_eq!(outcomes(&player), [&Outcome::Completed]);
    assert_eq!(player.signals.last().expect("an end").conversation, second);
}

#[test]
fn what_is_no_protocol_is_told_a_few_times() {
    let mut player = opened();
    for _ in 0..50 {
        player.line("npm warn something");
        player.line("{broken");
        player.line("[]");
    }
    let warned = warnings(&player);
    assert_eq!(warned.len(), 10);
    assert!(warned.iter().all(|(code, _)| *code == WarningCode::Noise));
}

#[test]
fn what_is_not_understood_is_shown_raw_and_extensions_are_passed_over() {
    let mut player = opened();
    player.line(&super::opened::note("brand_new", json!({"x": 1})));
    player.line(r#"{"method":"session/other","params":{"sessionId":"S"}}"#);
    player.line(r#"{"method":"_vendor/thing","params":{}}"#);
    player.line(r#"{"method":"$/progress","params":{}}"#);
    let unknown = shown(&player);
    assert_eq!(unknown.len(), 2);
    assert!(unknown.iter().all(|b| matches!(b, Body::Unknown { .. })));
}

#[test]
fn an_answer_that_nobody_asked_for_is_told_once() {
    let mut player = opened();
    for id in ["99", "\"x\"", "null", "2"] {
        player.line(&format!(r#"{{"id":{id},"result":{{}}}}"#));
    }
    player.line(r#"{"error":{"code":-32700,"message":"Parse error"}}"#);
    assert_eq!(warnings(&player).len(), 1);
}

#[test]
fn a_process_of_one_turn_ends_after_it() {
    let mut player = Player::new(&acp::CLAUDE_ACP, Mode::OneShot);
    player.line(&greeting().to_string());
    player.open(options(), Some("S"));
    reply(&mut player, offers("S"));
    player.turn(FIRST, "go");
    player.line(&said("x"));
    assert!(!player.out.close_stdin);
    reply(&mut player, json!({"stopReason": "end_turn"}));
    assert_eq!(outcomes(&player), [&Outcome::Completed]);
    assert_eq!(methods(&player).last(), Some(&"session/close"));
    assert!(player.out.close_stdin);
}

#[test]
fn a_turn_without_a_conversation_fails() {
    let mut player = opened_by(&acp::KIMI);
    player.turn(Conversation(9), "go");
    assert!(matches!(
        outcomes(&player)[..],
        [Outcome::Failed {
            code: ErrorKind::Internal,
            ..
        }]
    ));
}
