//! The promises of the boundary: opening, answers, routing, noise.

use std::sync::Arc;

use serde_json::json;

use super::opened::{
    FIRST, GREETING, completed, methods, note, opened, options, started, warnings,
};
use super::play::{Player, codec};
use crate::config::{Mode, PermissionMode, SessionOptions};
use crate::error::ErrorKind;
use crate::event::{Body, RawJson, RequestKind, WarningCode};
use crate::provider::{Conversation, Output, Request, SignalBody, TurnRef};
use crate::request::{Answer, Decision};

#[test]
fn nothing_is_asked_before_the_handshake_is_answered() {
    let mut player = Player::new(Mode::Warm);
    player.open(options(), None);
    player.open(options(), Some("R"));
    assert_eq!(methods(&player), ["initialize"]);
    player.line(GREETING);
    assert_eq!(
        methods(&player),
        ["initialize", "initialized", "thread/start", "thread/resume"]
    );
    assert_eq!(player.written[3]["params"]["threadId"], "R");
    assert_eq!(player.written[3]["params"]["excludeTurns"], true);
}

#[test]
fn a_refused_handshake_breaks_every_conversation_now_and_later() {
    let mut player = Player::new(Mode::Warm);
    player.open(options(), None);
    player.line(r#"{"error":{"code":-32600,"message":"no"},"id":1}"#);
    player.open(options(), None);
    let broken = player.signals.iter().filter(
        |s| matches!(&s.body, SignalBody::Broken { message } if message == "initialize: no"),
    );
    assert_eq!(broken.count(), 2);
}

#[test]
fn a_thread_that_cannot_be_resumed_is_told_from_other_faults() {
    let cases = [
        (
            Some("R"),
            "no rollout found for thread id R",
            ErrorKind::ResumeFailed,
        ),
        (
            Some("R"),
            "thread R already has an active writer",
            ErrorKind::ResumeFailed,
        ),
        (
            Some("R"),
            "failed to load configuration: x",
            ErrorKind::AgentError,
        ),
        (
            None,
            "failed to load configuration: x",
            ErrorKind::AgentError,
        ),
    ];
    for (resume, text, kind) in cases {
        let mut player = Player::new(Mode::Warm);
        player.open(options(), resume);
        player.line(GREETING);
        player.line(&json!({"id": 2, "error": {"code": -32600, "message": text}}).to_string());
        match &player.signals[0].body {
            SignalBody::Refused { code, message } => {
                assert_eq!((*code, message.as_str()), (kind, text));
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn every_question_has_its_own_shape_of_no_and_keeps_the_type_of_its_id() {
    let cases = [
        (
            "item/commandExecution/requestApproval",
            json!({"decision": "decline"}),
        ),
        (
            "item/fileChange/requestApproval",
            json!({"decision": "decline"}),
        ),
        (
            "item/permissions/requestApproval",
            json!({"permissions": {}}),
        ),
        ("item/tool/requestUserInput", json!({"answers": {}})),
        (
            "mcpServer/elicitation/request",
            json!({"action": "decline", "content": null, "_meta": null}),
        ),
        (
            "item/tool/call",
            json!({"contentItems": [{"type": "inputText", "text": "why"}], "success": false}),
        ),
    ];
    for id in [json!(0), json!("zero")] {
        for (method, no) in &cases {
            let mut player = opened();
            let params = json!({"threadId": "T", "turnId": "U", "itemId": "i"});
            player.line(&json!({"method": method, "id": id, "params": params}).to_string());
            let SignalBody::Asked(asked) = &player.signals[0].body else {
                panic!("{method} is asked");
            };
            let message = "why".to_owned();
            let request = asked.request;
            let answer = Answer::Deny {
                message,
                interrupt: false,
            };
            let conversation = FIRST;
            for _ in 0..2 {
                let answer = answer.clone();
                player.request(Request::Answer {
                    conversation,
                    request,
                    answer,
                });
            }
            assert_eq!(
                player.written,
                [json!({"id": id, "result": no})],
                "{method}"
            );
        }
    }
}

#[test]
fn an_approval_of_an_mcp_tool_is_told_from_an_elicitation() {
    let mut player = opened();
    let meta = json!({"codex_approval_kind": "mcp_tool_call"});
    for (id, meta) in [(0, meta), (1, json!({}))] {
        let params = json!({"threadId": "T", "turnId": null, "message": "m", "_meta": meta});
        let method = "mcpServer/elicitation/request";
        player.line(&json!({"method": method, "id": id, "params": params}).to_string());
    }
    let kinds: Vec<_> = player
        .signals
        .iter()
        .map(|s| match &s.body {
            SignalBody::Asked(asked) => (asked.kind, asked.title.clone()),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        kinds,
        [
            (RequestKind::ToolApproval, "m".to_owned()),
            (RequestKind::Elicitation, "m".to_owned())
        ]
    );
}

#[test]
fn a_page_to_visit_is_shown_and_agreed_to() {
    let mut player = opened();
    let params = json!({"threadId": "T", "turnId": "U", "serverName": "s", "mode": "url",
        "message": "Log in", "url": "https://example.com", "elicitationId": "e"});
    let method = "mcpServer/elicitation/request";
    player.line(&json!({"method": method, "id": 0, "params": params}).to_string());
    let SignalBody::Asked(asked) = &player.signals[0].body else {
        panic!("{:?}", player.signals);
    };
    assert_eq!(asked.decisions, [Decision::AllowOnce, Decision::Deny]);
    let page = asked.input.as_ref().map(RawJson::get);
    assert_eq!(page, Some(r#"{"url":"https://example.com"}"#));
}

#[test]
fn what_nobody_can_answer_is_refused_at_once() {
    let mut player = opened();
    for (method, thread) in [("no/such", "T"), ("item/tool/call", "elsewhere")] {
        let params = json!({"threadId": thread, "turnId": "U"});
        player.line(&json!({"method": method, "id": "a", "params": params}).to_string());
    }
    player.line(r#"{"method":"account/chatgptAuthTokens/refresh","id":"a","params":{}}"#);
    let no = json!({"id": "a", "error": {"code": -32601, "message": "not supported"}});
    assert_eq!(player.written, [no.clone(), no.clone(), no]);
}

#[test]
fn an_unanswered_question_is_withdrawn_when_it_is_settled_or_its_turn_ends() {
    let mut player = opened();
    player.line(&started("U"));
    for id in [0, 1] {
        let params = json!({"threadId": "T", "turnId": "U", "itemId": "i"});
        let method = "item/tool/call";
        player.line(&json!({"method": method, "id": id, "params": params}).to_string());
    }
    player.line(&note(
        "serverRequest/resolved",
        &json!({"threadId": "T", "requestId": 0}),
    ));
    player.line(&completed("U", "interrupted"));
    let gone: Vec<_> = player
        .signals
        .iter()
        .filter_map(|s| match s.body {
            SignalBody::Withdrawn { request } => Some(request.0),
            _ => None,
        })
        .collect();
    assert_eq!(gone, [1, 2]);
}

#[test]
fn pieces_of_one_item_in_one_read_are_one_event() {
    let mut codec = codec(Mode::Warm);
    let mut out = Output::default();
    codec.start(&mut out);
    let options = Arc::new(options());
    let (conversation, resume) = (FIRST, None);
    codec.request(
        Request::Open {
            conversation,
            options,
            resume,
            cost_usd: 0.0,
        },
        &mut out,
    );
    codec.line(GREETING.as_bytes(), &mut out);
    codec.line(br#"{"id":2,"result":{"thread":{"id":"T"}}}"#, &mut out);
    codec.line(started("U").as_bytes(), &mut out);
    let mut out = Output::default();
    let long = "x".repeat(16 * 1024);
    for (item, delta) in [("a", "1"), ("a", "2"), ("b", "3"), ("b", "4"), ("b", &long)] {
        let params = json!({"threadId": "T", "turnId": "U", "itemId": item, "delta": delta});
        codec.line(
            note("item/agentMessage/delta", &params).as_bytes(),
            &mut out,
        );
    }
    let texts: Vec<_> = out
        .signals
        .iter()
        .map(|s| match &s.body {
            SignalBody::Show(Body::TextDelta { text, .. }) => text.as_str(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(texts, ["12", "34", &long]);
}

#[test]
fn the_order_of_a_lines_members_does_not_matter() {
    let mut player = opened();
    player.line(&started("U"));
    player.signals.clear();
    let delta = r#""threadId":"T","turnId":"U","itemId":"a","delta":"\u00e9\n""#;
    player.line(&format!(
        r#"{{"method":"item/agentMessage/delta","params":{{{delta}}}}}"#
    ));
    player.line(&format!(
        r#"{{"params":{{{delta}}},"method":"item/agentMessage/delta"}}"#
    ));
    let shown: Vec<_> = player
        .signals
        .iter()
        .map(|s| format!("{:?}", s.body))
        .collect();
    assert_eq!(shown.len(), 2);
    assert_eq!(shown[0], shown[1]);
}

#[test]
fn noise_is_reported_ten_times() {
    let mut player = opened();
    for _ in 0..30 {
        player.line("npm warn something");
        player.line("{not json");
        player.line("");
    }
    let warnings = warnings(&player);
    assert_eq!(warnings.len(), 10);
    assert_eq!(
        warnings[0],
        (
            WarningCode::Noise,
            "not a protocol line: npm warn something".to_owned()
        )
    );
}

#[test]
fn a_byte_order_mark_and_a_carriage_return_do_not_matter() {
    let mut player = opened();
    player.line(&format!("\u{feff}{}\r", started("U")));
    assert!(matches!(player.signals[0].body, SignalBody::AgentTurn));
}

#[test]
fn what_has_a_wrong_type_is_shown_raw() {
    let mut player = opened();
    let lines = [
        note("turn/plan/updated", &json!({"threadId": "T", "plan": 5})),
        note(
            "item/started",
            &json!({"threadId": "T", "turnId": "U", "item": {"type": "x", "id": "i"}}),
        ),
        note("no/such", &json!({"threadId": "T"})),
        format!(
            r#"{{"method":"no/such","params":{}{}}}"#,
            "[".repeat(5000),
            "]".repeat(5000)
        ),
    ];
    for line in &lines {
        player.line(line);
    }
    let raws: Vec<_> = player
        .signals
        .iter()
        .map(|s| match &s.body {
            SignalBody::Show(Body::Unknown { raw }) => raw.get().to_owned(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(raws, lines);
}

#[test]
fn a_stray_answer_is_reported_once() {
    let mut player = opened();
    player.line(r#"{"id":99,"result":{}}"#);
    player.line(r#"{"id":"x","result":{}}"#);
    player.line(r#"{"id":2,"result":{"thread":{"id":"T"}}}"#);
    assert_eq!(warnings(&player).len(), 1);
    assert_eq!(player.signals.len(), 1);
}

#[test]
fn limits_without_a_state_are_not_shown_and_others_once() {
    let mut player = opened();
    player.line(&started("U"));
    player.signals.clear();
    let empty = json!({"rateLimits": {"limitId": "codex", "primary": null}});
    let full = json!({"rateLimits": {"primary": {"usedPercent": 43, "resetsAt": 19}}});
    for limits in [&empty, &full, &full] {
        player.line(&note("account/rateLimits/updated", limits));
    }
    let [signal] = player.signals.as_slice() else {
        panic!("one event: {:?}", player.signals);
    };
    let SignalBody::Show(Body::RateLimit {
        limit,
        used_percent,
        resets_at,
        ..
    }) = &signal.body
    else {
        panic!("{signal:?}");
    };
    let shown = (limit.as_deref(), *used_percent, *resets_at);
    assert_eq!(shown, (Some("primary"), Some(43.0), Some(19)));
}

#[test]
fn a_permission_mode_is_said_where_it_leaves_no_trace() {
    let sent = |mode| {
        let mut player = Player::new(Mode::Warm);
        let permission_mode = mode;
        player.open(
            SessionOptions {
                permission_mode,
                ..options()
            },
            None,
        );
        player.line(GREETING);
        player.line(r#"{"id":2,"result":{"thread":{"id":"T"},"model":"m"}}"#);
        player.turn(FIRST, "go");
        let open = player.written[2]["params"].clone();
        let turn = player.written[3]["params"].clone();
        (open, turn)
    };
    let (open, turn) = sent(PermissionMode::Default);
    let config = json!({"thread_unload_delay_secs": 0});
    assert_eq!(open, json!({"cwd": "/project", "config": config}));
    assert_eq!(
        turn,
        json!({"threadId": "T", "input": [{"type": "text", "text": "go"}]})
    );
    for mode in [
        PermissionMode::AcceptEdits,
        PermissionMode::BypassPermissions,
    ] {
        let (open, _) = sent(mode);
        assert_eq!(
            open.get("sandbox"),
            None,
            "it would trust the project for ever"
        );
    }
    let (open, turn) = sent(PermissionMode::Plan);
    assert_eq!(open["sandbox"], "read-only");
    assert_eq!(turn["collaborationMode"]["mode"], "plan");
    assert_eq!(turn["collaborationMode"]["settings"]["model"], "m");
    let (_, turn) = sent(PermissionMode::BypassPermissions);
    assert_eq!(turn["sandboxPolicy"], json!({"type": "dangerFullAccess"}));
    assert_eq!(turn["approvalPolicy"], "never");
}

#[test]
fn a_thread_that_is_opened_again_leaves_its_old_conversation_unless_a_turn_runs_there() {
    let mut player = opened();
    player.open(options(), Some("T"));
    player.line(r#"{"id":3,"result":{"thread":{"id":"T"}}}"#);
    player.line(&started("U"));
    let at: Vec<_> = player.signals.iter().map(|s| s.conversation.0).collect();
    assert_eq!(at, [1, 1, 1], "bound, ready, and the agent's turn");
    player.open(options(), Some("T"));
    player.line(r#"{"id":4,"result":{"thread":{"id":"T"}}}"#);
    let last = player.signals.last().expect("an answer");
    assert_eq!(last.conversation, Conversation(2));
    match &last.body {
        SignalBody::Refused { code, .. } => assert_eq!(*code, ErrorKind::ResumeFailed),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_sub_agent_that_its_parent_has_not_named_yet_is_found_by_its_root_turn() {
    let mut player = opened();
    player.line(&started("U"));
    let turn = json!({"id": "V", "rootTurnId": "U"});
    player.line(&note(
        "turn/started",
        &json!({"threadId": "C", "turn": turn}),
    ));
    player.signals.clear();
    let params = json!({"threadId": "C", "turnId": "V", "itemId": "a", "delta": "hi"});
    player.line(&note("item/agentMessage/delta", &params));
    let [signal] = player.signals.as_slice() else {
        panic!("one event: {:?}", player.signals);
    };
    assert_eq!(signal.turn, TurnRef::Agent(1));
    let SignalBody::Show(body) = &signal.body else {
        panic!("{signal:?}");
    };
    let (text, parent) = ("hi".to_owned(), Some("C".into()));
    assert_eq!(*body, Body::TextDelta { text, parent });
}
