//! Questions: what they say, and that each answer is written as the agent takes it.

use serde_json::{Value, json};

use super::opened::{FIRST, note, opened, started};
use super::play::{Player, names, play};
use crate::event::{RawJson, RequestKind};
use crate::provider::{Asked, Request, SignalBody};
use crate::request::{Answer, Choice, Decision, Question, Subject};

fn asked(player: &Player) -> Vec<&Asked> {
    let asked = player.signals.iter().filter_map(|s| match &s.body {
        SignalBody::Asked(asked) => Some(&**asked),
        _ => None,
    });
    asked.collect()
}

fn raw(value: &Value) -> RawJson {
    RawJson::from_text(&value.to_string())
}

/// Answers that the captures' client gave wrong, on purpose.
fn is_sound(name: &str, theirs: &Value) -> bool {
    name != "24-interrupt-other-requests"
        && theirs.get("error").is_none()
        && theirs["result"]["decision"] != "bogus"
}

#[test]
fn every_answer_of_the_captures_is_written_as_their_client_wrote_it() {
    let mut seen = 0;
    for name in names(|n| !n.starts_with("30-")) {
        let player = play(&name);
        for (theirs, mut ours) in player.answers {
            if !is_sound(&name, &theirs) {
                continue;
            }
            let mut theirs = theirs;
            // A part of what the agent proposed or asked for cannot be said.
            if name == "03-command-approval-amend" {
                let path = "/result/decision/acceptWithExecpolicyAmendment/execpolicy_amendment";
                assert!(ours.pointer(path).is_some_and(Value::is_array), "{ours}");
                ours["result"] = theirs["result"].clone();
            }
            if name == "06-permissions-approval" {
                assert_eq!(
                    ours["result"]["permissions"]["network"],
                    json!({"enabled": true})
                );
                ours["result"]["permissions"] = theirs["result"]["permissions"].clone();
            }
            if theirs["result"]["content"].is_null() && theirs["result"]["action"] == "accept" {
                theirs["result"]["content"] = json!({});
            }
            assert_eq!(ours, theirs, "{name}");
            seen += 1;
        }
    }
    assert!(seen > 20, "{seen} answers were compared");
}

#[test]
fn a_command_shows_what_the_model_wrote_and_can_be_allowed_for_ever_if_a_rule_is_proposed() {
    let player = play("03-command-approval-amend");
    let asked = asked(&player)[0];
    assert_eq!(asked.kind, RequestKind::CommandApproval);
    assert_eq!(
        asked.subject,
        Subject {
            tool: "commandExecution".into(),
            command: asked.subject.command.clone(),
            paths: Vec::new(),
            mcp_server: None,
            writes: true,
        }
    );
    let command = asked.subject.command.as_deref().expect("a command");
    assert!(command.starts_with("touch "), "{command}");
    assert_eq!(
        asked.decisions,
        [
            Decision::AllowOnce,
            Decision::AllowSession,
            Decision::AllowRemember,
            Decision::Deny,
            Decision::DenyInterrupt,
        ]
    );
    let mut plain = opened();
    ask(
        &mut plain,
        "item/commandExecution/requestApproval",
        &json!({"command": "ls"}),
    );
    let decisions = &super::questions::asked(&plain)[0].decisions;
    assert!(!decisions.contains(&Decision::AllowRemember));
}

#[test]
fn a_file_change_names_the_files_of_the_item_before_it() {
    let mut player = opened();
    player.line(&started("U"));
    let changes = json!([
        {"path": "/project/a", "kind": {"type": "add"}, "diff": "x"},
        {"path": "/project/b", "kind": {"type": "update", "move_path": "/etc/c"}, "diff": ""},
    ]);
    let item = json!({"type": "fileChange", "id": "f", "status": "inProgress", "changes": changes});
    let params = json!({"threadId": "T", "turnId": "U", "item": item});
    player.line(&note("item/started", &params));
    let params = json!({"itemId": "f", "reason": null, "grantRoot": "/srv"});
    ask(&mut player, "item/fileChange/requestApproval", &params);
    let asked = asked(&player)[0];
    assert_eq!(
        (asked.tool.as_deref(), asked.title.as_str()),
        (Some("f"), "/project/a, /project/b, /etc/c")
    );
    let paths = ["/project/a", "/project/b", "/etc/c", "/srv"];
    assert_eq!(
        asked.subject,
        Subject {
            tool: "fileChange".into(),
            paths: paths.map(str::to_owned).into(),
            writes: true,
            ..Subject::default()
        }
    );
}

#[test]
fn a_wish_for_more_than_files_names_no_paths_and_is_granted_whole_for_the_turn_or_the_session() {
    let player = play("06-permissions-approval");
    let asked = asked(&player)[0];
    assert_eq!(asked.kind, RequestKind::PermissionEscalation);
    // It wants the network too, so no rule about paths may grant it.
    assert_eq!(asked.subject.paths, [""; 0]);
    assert_eq!(
        asked.decisions,
        [Decision::AllowOnce, Decision::AllowSession, Decision::Deny]
    );
    assert_eq!(player.answers[0].1["result"]["scope"], "turn");
}

#[test]
fn a_question_to_the_user_has_its_choices() {
    let player = play("07-request-user-input");
    let asked = asked(&player)[0];
    let choice = |label: &str, description: &str| Choice {
        label: label.into(),
        description: description.into(),
    };
    assert_eq!(
        asked.questions,
        [Question {
            id: "db".into(),
            header: "Database".into(),
            text: "Which database?".into(),
            choices: vec![
                choice("SQLite (Recommended)", "Simple"),
                choice("Postgres", "Scales")
            ],
            several: false,
            free_text: true,
            secret: false,
        }]
    );
    assert_eq!(asked.title, "Which database?");
    assert_eq!(asked.decisions, [Decision::Answers, Decision::Deny]);
}

#[test]
fn an_mcp_tool_and_what_an_mcp_server_asks_are_told_apart() {
    let player = play("09-mcp-approval-variants");
    let shown: Vec<_> = asked(&player)
        .into_iter()
        .map(|a| {
            (
                a.kind,
                a.subject.clone(),
                a.decisions.clone(),
                a.input.clone(),
            )
        })
        .collect();
    let subject = |tool: &str, writes| Subject {
        tool: tool.into(),
        mcp_server: Some("demo".into()),
        writes,
        ..Subject::default()
    };
    let kind = RequestKind::ToolApproval;
    let all = vec![
        Decision::AllowOnce,
        Decision::AllowSession,
        Decision::AllowRemember,
        Decision::Deny,
    ];
    let danger = (
        kind,
        subject("demo.danger", true),
        all,
        Some(raw(&json!({}))),
    );
    let once = vec![Decision::AllowOnce, Decision::Deny];
    let echo = (
        kind,
        subject("demo.echo", false),
        once,
        Some(raw(&json!({"text": "hi"}))),
    );
    assert_eq!(shown[..4], [danger.clone(), danger.clone(), danger, echo]);

    let player = play("09-mcp");
    let form = asked(&player)[0];
    assert_eq!(form.kind, RequestKind::Elicitation);
    assert_eq!(form.subject, subject("", false));
    assert_eq!(form.decisions, [Decision::Content, Decision::Deny]);
    let schema: Value =
        serde_json::from_str(form.input.as_ref().expect("a schema").get()).expect("JSON");
    assert_eq!(schema["required"], json!(["colour"]));
}

#[test]
fn a_host_tool_is_asked_for_by_its_name_with_its_input() {
    let player = play("10-dynamic-tools");
    let shown: Vec<_> = asked(&player)
        .into_iter()
        .map(|a| {
            (
                a.subject.tool.as_str(),
                a.input.clone(),
                a.decisions.clone(),
            )
        })
        .collect();
    let input = Some(raw(&json!({"id": "ABC-1"})));
    let decisions = vec![Decision::Result, Decision::Deny];
    let ticket = ("lookup_ticket", input, decisions);
    assert_eq!(shown[..2], [ticket.clone(), ticket]);
    assert_eq!(shown[2].0, "tickets.lookup_ticket");
}

#[test]
fn nothing_is_allowed_that_was_not_offered() {
    let remember = Answer::Allow {
        scope: crate::request::Scope::Remember,
        input: None,
    };
    let mut player = opened();
    ask(
        &mut player,
        "item/commandExecution/requestApproval",
        &json!({"command": "ls"}),
    );
    let request = asked(&player)[0].request;
    player.request(Request::Answer {
        conversation: FIRST,
        request,
        answer: remember,
    });
    assert_eq!(player.written[0]["result"], json!({"decision": "accept"}));
}

/// A question in turn `U`, with these members beside.
fn ask(player: &mut Player, method: &str, members: &Value) {
    let mut params = json!({"threadId": "T", "turnId": "U", "itemId": "i"});
    for (name, value) in members.as_object().expect("an object") {
        params[name] = value.clone();
    }
    player.line(&json!({"method": method, "id": 0, "params": params}).to_string());
}
