//! Questions of the agent, and their answers.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::opened::{FIRST, greeting, methods, offers, opened_by, reply, shown};
use super::play::Player;
use crate::config::{HostTool, SessionOptions};
use crate::event::{Body, RawJson, RequestKind, ToolKind};
use crate::provider::acp::{self, AcpAgent};
use crate::provider::{Asked, SignalBody};
use crate::request::{Answer, Decision, Scope};

fn options(kinds: &[&str]) -> Value {
    let option =
        |kind: &&str| json!({"optionId": format!("id-{kind}"), "name": kind, "kind": kind});
    kinds.iter().map(option).collect()
}

fn permission(id: &Value, call: &Value, options: &Value) -> String {
    let params = json!({"sessionId": "S", "toolCall": call, "options": options});
    json!({"jsonrpc": "2.0", "id": id, "method": "session/request_permission", "params": params})
        .to_string()
}

fn asked(player: &Player) -> &Asked {
    let mut signals = player.signals.iter().rev();
    let found = signals.find_map(|s| match &s.body {
        SignalBody::Asked(asked) => Some(&**asked),
        _ => None,
    });
    found.expect("something is asked")
}

/// A question in a turn, by this agent.
fn ask(agent: &AcpAgent, call: &Value, kinds: &[&str]) -> Player {
    let mut player = opened_by(agent);
    player.turn(FIRST, "go");
    player.line(&permission(&json!(0), call, &options(kinds)));
    player
}

const ALL: &[&str] = &["allow_once", "allow_always", "reject_once", "reject_always"];

fn allow(scope: Scope) -> Answer {
    let input = None;
    Answer::Allow { scope, input }
}

fn deny(interrupt: bool) -> Answer {
    let message = "no".to_owned();
    Answer::Deny { message, interrupt }
}

#[test]
fn a_yes_that_would_hold_for_other_sessions_is_not_offered_among_them() {
    for (agent, offered) in [(&acp::OPENCODE, false), (&acp::GEMINI, true)] {
        let mut player = Player::shared(agent);
        player.line(&greeting().to_string());
        player.open(SessionOptions::new("acp", "/project"), None);
        reply(&mut player, offers("S"));
        player.turn(FIRST, "go");
        player.line(&permission(
            &json!(0),
            &json!({"toolCallId": "t"}),
            &options(ALL),
        ));
        let decisions = &asked(&player).decisions;
        assert_eq!(decisions.contains(&Decision::AllowSession), offered);
        assert!(decisions.contains(&Decision::AllowOnce));
    }
}

#[test]
fn every_answer_chooses_an_option_of_its_kind_and_keeps_the_type_of_the_id() {
    let cases = [
        (
            allow(Scope::Once),
            json!({"outcome": "selected", "optionId": "id-allow_once"}),
        ),
        (
            allow(Scope::Session),
            json!({"outcome": "selected", "optionId": "id-allow_always"}),
        ),
        (
            deny(false),
            json!({"outcome": "selected", "optionId": "id-reject_once"}),
        ),
        (deny(true), json!({"outcome": "cancelled"})),
    ];
    for id in [json!(0), json!("zero"), json!(-7)] {
        for (answer, outcome) in &cases {
            let mut player = opened_by(&acp::ANY);
            player.turn(FIRST, "go");
            player.line(&permission(&id, &json!({"toolCallId": "t"}), &options(ALL)));
            let number = asked(&player).request.0;
            player.written.clear();
            player.answer(FIRST, number, answer.clone());
            player.answer(FIRST, number, answer.clone());
            let line = json!({"jsonrpc": "2.0", "id": id, "result": {"outcome": outcome}});
            assert_eq!(player.written[0], line);
            let interrupt = matches!(
                answer,
                Answer::Deny {
                    interrupt: true,
                    ..
                }
            );
            assert_eq!(
                player.written.len(),
                1 + usize::from(interrupt),
                "answered once"
            );
            assert_eq!(methods(&player).contains(&"session/cancel"), interrupt);
        }
    }
}

#[test]
fn only_what_the_agent_offers_can_be_answered() {
    let call = json!({"toolCallId": "t", "kind": "execute", "rawInput": {"command": "ls"}});
    let of = |agent: &AcpAgent, kinds: &[&str]| asked(&ask(agent, &call, kinds)).decisions.clone();
    let no = [Decision::Deny, Decision::DenyInterrupt];
    assert_eq!(of(&acp::ANY, &["reject_once"]), no);
    assert_eq!(of(&acp::ANY, &[]), no);
    assert_eq!(
        of(&acp::ANY, &["allow_once"]),
        [Decision::AllowOnce, no[0], no[1]]
    );
    assert_eq!(of(&acp::CODEX_ACP, ALL)[1], Decision::AllowRemember);
    assert_eq!(of(&acp::KIMI, ALL)[1], Decision::AllowSession);
}

#[test]
fn a_question_shows_what_rules_look_at() {
    let command = json!({"toolCallId": "t", "kind": "execute", "rawInput": {"command": "git log"}});
    let player = ask(&acp::OPENCODE, &command, ALL);
    assert_eq!(asked(&player).kind, RequestKind::CommandApproval);
    assert_eq!(asked(&player).subject.command.as_deref(), Some("git log"));

    let edit = json!({"toolCallId": "t", "kind": "edit", "title": "Write",
        "locations": [{"path": "/a"}], "content": [{"type": "diff", "path": "/b", "newText": ""}]});
    let player = ask(&acp::CLAUDE_ACP, &edit, ALL);
    assert_eq!(asked(&player).kind, RequestKind::FileChangeApproval);
    assert_eq!(asked(&player).subject.paths, ["/a", "/b"]);

    let plan = json!({"toolCallId": "t", "kind": "switch_mode", "title": "Ready?"});
    assert_eq!(
        asked(&ask(&acp::CLAUDE_ACP, &plan, ALL)).kind,
        RequestKind::PlanApproval
    );

    let mcp = json!({"toolCallId": "t", "kind": "other", "name": "mcp__db__drop"});
    let player = ask(&acp::CLAUDE_ACP, &mcp, ALL);
    assert_eq!(asked(&player).subject.mcp_server.as_deref(), Some("db"));
    assert!(
        asked(&player).subject.writes,
        "an unknown tool could change anything"
    );

    let titled = json!({"toolCallId": "t", "kind": "execute", "title": "git log"});
    assert_eq!(
        asked(&ask(&acp::ANY, &titled, ALL)).subject.command,
        None,
        "a title is the command only where that was seen"
    );
    assert_eq!(
        asked(&ask(&acp::GEMINI, &titled, ALL))
            .subject
            .command
            .as_deref(),
        Some("git log")
    );
}

#[test]
fn a_tool_that_gemini_never_speaks_of_again_ends_with_the_denial() {
    let call =
        json!({"toolCallId": "ls__1", "kind": "execute", "title": "ls", "status": "pending"});
    let mut player = ask(&acp::GEMINI, &call, ALL);
    assert!(matches!(shown(&player)[0], Body::ToolUse { name, .. } if name == "ls"));
    player.answer(FIRST, 1, deny(false));
    assert!(matches!(
        shown(&player)[1],
        Body::ToolResult { is_error: true, .. }
    ));
}

#[test]
fn several_ways_to_say_yes_are_a_question_to_the_user() {
    let call = json!({"toolCallId": "t", "title": "AskUserQuestion", "rawInput":
        {"questions": [{"question": "Which?", "header": "Pick"}]}});
    let mut player = opened_by(&acp::KIMI);
    player.turn(FIRST, "go");
    let options = json!([
        {"optionId": "q0_opt_0", "name": "A", "kind": "allow_once"},
        {"optionId": "q0_opt_1", "name": "B", "kind": "allow_once"},
        {"optionId": "q0_skip", "name": "Skip", "kind": "reject_once"},
    ]);
    for id in 0..3 {
        player.line(&permission(&json!(id), &call, &options));
    }
    let question = asked(&player);
    assert_eq!(question.kind, RequestKind::UserQuestion);
    assert!(
        !question.decisions.contains(&Decision::AllowOnce),
        "a yes would choose A"
    );
    assert_eq!(question.questions[0].text, "Which?");
    player.written.clear();
    let answers = |label: &str| Answer::Answers {
        answers: [("choice".to_owned(), vec![label.to_owned()])].into(),
    };
    player.answer(FIRST, 1, answers("B"));
    player.answer(FIRST, 2, answers("C"));
    player.answer(FIRST, 3, deny(false));
    let chosen: Vec<_> = player
        .written
        .iter()
        .map(|l| l["result"]["outcome"]["optionId"].clone())
        .collect();
    assert_eq!(chosen, ["q0_opt_1", "q0_skip", "q0_skip"]);
}

fn elicitation(schema: &Value, tool: Option<&str>) -> String {
    json!({"jsonrpc": "2.0", "id": "e", "method": "elicitation/create", "params": {
        "sessionId": "S", "toolCallId": tool, "mode": "form", "message": "Which?",
        "requestedSchema": schema}})
    .to_string()
}

#[test]
fn a_form_is_questions_and_the_answers_are_its_content() {
    let schema = json!({"type": "object", "properties": {
        "one": {"type": "string", "title": "Pick", "oneOf": [
            {"const": "a", "title": "The A", "description": "first"}, {"const": "b", "title": "The B"}]},
        "many": {"type": "array", "items": {"type": "string", "enum": ["x", "y"]}},
        "count": {"type": "integer"},
        "sure": {"type": "boolean"},
        "why": {"type": "string", "description": "Say why"},
    }});
    let mut player = opened_by(&acp::KIMI);
    player.turn(FIRST, "go");
    player.line(&elicitation(&schema, Some("t")));
    let question = asked(&player);
    assert_eq!(question.kind, RequestKind::UserQuestion);
    let by_id: BTreeMap<_, _> = question
        .questions
        .iter()
        .map(|q| (q.id.as_str(), q))
        .collect();
    assert_eq!(by_id["one"].choices[0].description, "first");
    assert!(by_id["many"].several && !by_id["many"].free_text);
    assert_eq!(by_id["why"].text, "Say why");
    assert!(by_id["count"].free_text);
    let said = [
        ("one", &["The B"][..]),
        ("many", &["x", "y"][..]),
        ("count", &["3"][..]),
        ("sure", &["true"][..]),
        ("why", &["so"][..]),
        ("other", &["?"][..]),
    ];
    let answers = said.map(|(id, texts)| {
        (
            id.to_owned(),
            texts.iter().map(|t| (*t).to_owned()).collect(),
        )
    });
    player.answer(
        FIRST,
        1,
        Answer::Answers {
            answers: answers.into(),
        },
    );
    let content = json!({"one": "b", "many": ["x", "y"], "count": 3, "sure": true, "why": "so"});
    assert_eq!(
        player.written.last().expect("an answer")["result"],
        json!({"action": "accept", "content": content})
    );
}

#[test]
fn a_form_of_an_mcp_server_takes_content_or_a_no() {
    let cases = [
        (
            Answer::Content {
                content: RawJson::from_text("{\"a\":1}"),
            },
            json!({"action": "accept", "content": {"a": 1}}),
        ),
        (deny(false), json!({"action": "decline"})),
        (deny(true), json!({"action": "cancel"})),
    ];
    for (answer, result) in cases {
        let mut player = opened_by(&acp::ANY);
        player.turn(FIRST, "go");
        player.line(&elicitation(&json!({"properties": {}}), None));
        assert_eq!(asked(&player).kind, RequestKind::Elicitation);
        player.written.clear();
        player.answer(FIRST, 1, answer);
        assert_eq!(player.written[0]["result"], result);
    }
}

#[test]
fn what_nobody_can_answer_is_refused_at_once() {
    let mut player = opened_by(&acp::OPENCODE);
    let lines = [
        r#"{"id":0,"method":"fs/write_text_file","params":{"sessionId":"S","path":"/etc/passwd","content":""}}"#,
        r#"{"id":"a","method":"terminal/create","params":{"sessionId":"S","command":"sh"}}"#,
        r#"{"id":2,"method":"brand/new"}"#,
        r#"{"id":3,"method":"session/request_permission","params":{"sessionId":"other","toolCall":{"toolCallId":"t"},"options":[]}}"#,
        r#"{"id":4,"method":"session/request_permission","params":{}}"#,
        r#"{"id":5,"method":"elicitation/create","params":{"sessionId":"S","mode":"url","message":"m"}}"#,
    ];
    for line in lines {
        player.line(line);
    }
    let codes: Vec<_> = player
        .written
        .iter()
        .map(|l| l["error"]["code"].clone())
        .collect();
    assert_eq!(codes, vec![json!(-32601); lines.len()]);
    assert!(player.signals.is_empty());
}

#[test]
fn a_question_that_the_agent_takes_back_is_answered_and_gone() {
    let mut player = ask(&acp::CODEX_ACP, &json!({"toolCallId": "t"}), ALL);
    player.written.clear();
    player.line(r#"{"method":"$/cancel_request","params":{"requestId":0}}"#);
    assert_eq!(
        player.written[0]["result"],
        json!({"outcome": {"outcome": "cancelled"}})
    );
    let last = player.signals.last().expect("a signal");
    assert!(matches!(last.body, SignalBody::Withdrawn { .. }));
    player.answer(FIRST, 1, allow(Scope::Once));
    assert_eq!(player.written.len(), 1);
}

#[test]
fn a_tool_of_the_host_is_named_as_the_host_does_and_needs_no_permission() {
    let named = |agent: &AcpAgent, call: Value| {
        let mut player = super::opened::greeted(agent);
        let tool = HostTool {
            name: "look_up".into(),
            description: String::new(),
            input_schema: RawJson::from_text("{}"),
        };
        let options = SessionOptions {
            tools: vec![tool],
            ..super::opened::options()
        };
        player.open(options, None);
        super::opened::reply(&mut player, super::opened::offers("S"));
        player.turn(FIRST, "go");
        player.signals.clear();
        player.written.clear();
        player.line(&permission(&json!(0), &call, &options_of_all()));
        player
    };
    let cases = [
        (
            &acp::CLAUDE_ACP,
            json!({"toolCallId": "t", "name": "mcp__host__look_up"}),
        ),
        (
            &acp::KIMI,
            json!({"toolCallId": "t", "title": "mcp__host__look_up"}),
        ),
        (&acp::GEMINI, json!({"toolCallId": "mcp_host_look_up__1"})),
        (
            &acp::OPENCODE,
            json!({"toolCallId": "t", "title": "host_look_up"}),
        ),
    ];
    for (agent, call) in cases {
        let player = named(agent, call.clone());
        let Body::ToolUse { name, kind, .. } = shown(&player)[0] else {
            panic!("{call}");
        };
        assert_eq!((name.as_str(), *kind), ("look_up", ToolKind::Host));
        let outcome = json!({"outcome": "selected", "optionId": "id-allow_once"});
        assert_eq!(player.written[0]["result"]["outcome"], outcome);
    }
    for other in ["mcp__host__other", "mcp__db__look_up", "look_up"] {
        let player = named(&acp::CLAUDE_ACP, json!({"toolCallId": "t", "name": other}));
        assert_eq!(asked(&player).kind, RequestKind::ToolApproval, "{other}");
    }
}

fn options_of_all() -> Value {
    options(ALL)
}
