//! What the agent asks, in the words of every agent, and the answers in its own.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::harness::{
    agent_lines, answer, ask, asked, capture, codec_of, hear, lines, open, options, running, turn,
};
use crate::config::Mode;
use crate::event::{RawJson, RequestKind};
use crate::provider::claude::codec::ClaudeCodec;
use crate::request::{Answer, Choice, Decision, Question, Scope, Subject};

use Decision::{
    AllowChanged, AllowOnce, AllowRemember, AllowSession, Answers, Content, Deny, DenyInterrupt,
};

/// The questions of a capture.
fn captured(scenario: &str) -> Vec<Value> {
    let capture = capture(scenario);
    let all = agent_lines(&capture).map(|line| serde_json::from_str(line).expect("JSON"));
    let asks = |line: &Value| {
        let subtype = &line["request"]["subtype"];
        subtype == "can_use_tool" || subtype == "elicitation"
    };
    all.filter(asks).collect()
}

/// The question of this tool in a capture.
fn of_tool(scenario: &str, tool: &str) -> Value {
    let mut all = captured(scenario).into_iter();
    all.find(|line| line["request"]["tool_name"] == tool)
        .expect("it is asked")
}

/// Asks, answers, and gives what is written to the agent.
fn written(question: &Value, said: Answer) -> Value {
    let mut codec = running();
    hear(&mut codec, question);
    let out = lines(&ask(&mut codec, answer(1, said)));
    let [line] = &out[..] else {
        panic!("one answer: {out:?}");
    };
    assert_eq!(line["type"], "control_response");
    assert_eq!(line["response"]["subtype"], "success");
    assert_eq!(line["response"]["request_id"], question["request_id"]);
    line["response"]["response"].clone()
}

fn allow(scope: Scope) -> Answer {
    Answer::Allow { scope, input: None }
}

fn deny(interrupt: bool) -> Answer {
    let message = "Not so.".to_owned();
    Answer::Deny { message, interrupt }
}

#[derive(Debug, PartialEq)]
struct Seen {
    kind: RequestKind,
    title: String,
    subject: Subject,
    decisions: Vec<Decision>,
}

fn seen(question: &Value) -> Seen {
    let mut codec = running();
    let out = hear(&mut codec, question);
    let asked = asked(&out)[0];
    let input = asked.input.as_ref().map(|input| input.get().to_owned());
    let whole = question["request"].get("input").map(Value::to_string);
    assert_eq!(
        input.map(|input| serde_json::from_str::<Value>(&input)
            .expect("JSON")
            .to_string()),
        whole,
        "the input is whole"
    );
    Seen {
        kind: asked.kind,
        title: asked.title.clone(),
        subject: asked.subject.clone(),
        decisions: asked.decisions.clone(),
    }
}

const LASTING: &[Decision] = &[
    AllowOnce,
    AllowSession,
    AllowRemember,
    AllowChanged,
    Deny,
    DenyInterrupt,
];
const SESSION: &[Decision] = &[AllowOnce, AllowSession, AllowChanged, Deny, DenyInterrupt];

#[test]
fn a_command_is_asked_with_all_that_rules_look_at() {
    for scenario in ["2.1.197/perm_allow", "2.1.327/perm_allow"] {
        let expected = Seen {
            kind: RequestKind::CommandApproval,
            title: "touch b.txt".to_owned(),
            subject: Subject {
                tool: "Bash".to_owned(),
                command: Some("touch b.txt".to_owned()),
                writes: true,
                ..Subject::default()
            },
            decisions: LASTING.to_vec(),
        };
        assert_eq!(seen(&of_tool(scenario, "Bash")), expected, "{scenario}");
    }
}

#[test]
fn a_change_of_a_file_is_asked_with_its_path() {
    let expected = Seen {
        kind: RequestKind::FileChangeApproval,
        title: "/project/a.txt".to_owned(),
        subject: Subject {
            tool: "Write".to_owned(),
            paths: vec!["/project/a.txt".to_owned()],
            writes: true,
            ..Subject::default()
        },
        decisions: SESSION.to_vec(),
    };
    assert_eq!(seen(&of_tool("2.1.327/perm_allow", "Write")), expected);
}

#[test]
fn what_only_reads_is_asked_so() {
    let read = Seen {
        kind: RequestKind::ToolApproval,
        title: "/data/outside.txt".to_owned(),
        subject: Subject {
            tool: "Read".to_owned(),
            paths: vec!["/data/outside.txt".to_owned()],
            ..Subject::default()
        },
        decisions: SESSION.to_vec(),
    };
    assert_eq!(seen(&of_tool("2.1.327/perm_variety", "Read")), read);
    let fetch = seen(&of_tool("2.1.327/perm_variety", "WebFetch"));
    assert!(!fetch.subject.writes);
    assert_eq!(fetch.decisions, LASTING);
}

#[test]
fn a_tool_of_an_mcp_server_is_asked_with_the_server() {
    let mut question = of_tool("2.1.327/elicitation", "mcp__ext__ask");
    let expected = Seen {
        kind: RequestKind::ToolApproval,
        title: "mcp__ext__ask".to_owned(),
        subject: Subject {
            tool: "mcp__ext__ask".to_owned(),
            mcp_server: Some("ext".to_owned()),
            writes: true,
            ..Subject::default()
        },
        decisions: LASTING.to_vec(),
    };
    assert_eq!(seen(&question), expected);
    let request = question["request"].as_object_mut().expect("an object");
    request.remove("mcp_server");
    assert_eq!(
        seen(&question),
        expected,
        "an older version does not say it"
    );
}

#[test]
fn a_pattern_that_leads_out_of_its_folder_counts_as_a_path() {
    let paths = |input: Value| {
        let question = json!({"type": "control_request", "request_id": "q", "request":
            {"subtype": "can_use_tool", "tool_name": "Glob", "input": input}});
        seen(&question).subject.paths
    };
    assert_eq!(paths(json!({"pattern": "**/*.rs"})), ["."]);
    assert_eq!(paths(json!({"pattern": "/etc/*"})), [".", "/etc/*"]);
    assert_eq!(
        paths(json!({"pattern": "../x", "path": "a"})),
        ["a", "a/../x"]
    );
}

#[test]
fn an_allowance_once_repeats_the_input_and_changes_no_rule() {
    let question = of_tool("2.1.327/perm_allow", "Bash");
    let expected = json!({"behavior": "allow", "toolUseID": "toolu_mock_000016_0",
        "updatedInput": {"command": "touch b.txt", "description": "make b"}});
    assert_eq!(written(&question, allow(Scope::Once)), expected);
}

#[test]
fn an_allowance_for_the_session_carries_the_narrow_proposals_to_the_session() {
    let bash = written(
        &of_tool("2.1.327/perm_allow", "Bash"),
        allow(Scope::Session),
    );
    let rule = json!({"type": "addRules", "behavior": "allow", "destination": "session",
        "rules": [{"toolName": "Bash", "ruleContent": "touch b.txt"}]});
    let folder = json!({"type": "addDirectories", "directories": ["/project"],
        "destination": "session"});
    assert_eq!(bash["updatedPermissions"], json!([rule, folder]));
    let write = written(
        &of_tool("2.1.327/perm_allow", "Write"),
        allow(Scope::Session),
    );
    let mode = json!({"type": "setMode", "mode": "acceptEdits", "destination": "session"});
    assert_eq!(
        write["updatedPermissions"],
        json!([mode]),
        "there is nothing narrower"
    );
}

#[test]
fn an_allowance_for_ever_carries_the_rules_where_the_agent_proposed() {
    let question = of_tool("2.1.327/perm_variety", "WebFetch");
    let rule = json!({"type": "addRules", "behavior": "allow", "destination": "localSettings",
        "rules": [{"toolName": "WebFetch", "ruleContent": "domain:example.com"}]});
    let allowed = written(&question, allow(Scope::Remember));
    assert_eq!(allowed["updatedPermissions"], json!([rule]));
}

#[test]
fn no_lasting_allowance_is_offered_where_the_agent_forbids_it() {
    let mut question = of_tool("2.1.327/perm_allow", "Bash");
    question["request"]["suppress_always_allow_rule"] = json!(true);
    assert_eq!(
        seen(&question).decisions,
        [AllowOnce, AllowChanged, Deny, DenyInterrupt]
    );
}

#[test]
fn an_allowance_with_another_input_replaces_it_whole() {
    let question = of_tool("2.1.327/perm_allow", "Write");
    let changed = Answer::Allow {
        scope: Scope::Once,
        input: Some(RawJson::from_text(r#"{"file_path":"/x","content":""}"#)),
    };
    let expected = json!({"behavior": "allow", "toolUseID": "toolu_mock_000015_0",
        "updatedInput": {"file_path": "/x", "content": ""}});
    assert_eq!(written(&question, changed), expected);
}

#[test]
fn a_denial_tells_why_and_can_end_the_turn() {
    let question = of_tool("2.1.327/perm_allow", "Bash");
    let denied = json!({"behavior": "deny", "message": "Not so."});
    assert_eq!(written(&question, deny(false)), denied);
    let ended = json!({"behavior": "deny", "message": "Not so.", "interrupt": true});
    assert_eq!(written(&question, deny(true)), ended);
}

#[test]
fn a_plan_is_approved_or_sent_back() {
    for scenario in [
        "2.1.197/plan_file",
        "2.1.327/plan_file",
        "2.1.327/plan_mode",
    ] {
        let question = of_tool(scenario, "ExitPlanMode");
        let plan = seen(&question);
        assert_eq!(plan.kind, RequestKind::PlanApproval, "{scenario}");
        assert_eq!(
            plan.decisions,
            [AllowOnce, AllowChanged, Deny, DenyInterrupt]
        );
        let expected = json!({"behavior": "allow", "updatedInput": question["request"]["input"],
            "toolUseID": question["request"]["tool_use_id"]});
        assert_eq!(written(&question, allow(Scope::Once)), expected);
        assert_eq!(written(&question, deny(false))["behavior"], "deny");
    }
}

#[test]
fn the_users_answers_go_to_the_questions_by_their_text() {
    let question = of_tool("2.1.327/ask_user", "AskUserQuestion");
    let mut codec = running();
    let out = hear(&mut codec, &question);
    let asked = asked(&out)[0];
    assert_eq!(asked.kind, RequestKind::UserQuestion);
    assert_eq!(asked.decisions, [Answers, Deny, DenyInterrupt]);
    let choice = |label: &str, description: &str| Choice {
        label: label.to_owned(),
        description: description.to_owned(),
    };
    let expected = [
        Question {
            id: "Which color?".to_owned(),
            header: "Color".to_owned(),
            text: "Which color?".to_owned(),
            choices: vec![choice("Red", "warm"), choice("Blue", "cool")],
            free_text: true,
            ..Question::default()
        },
        Question {
            id: "Which sizes?".to_owned(),
            header: "Size".to_owned(),
            text: "Which sizes?".to_owned(),
            choices: vec![choice("S", "small"), choice("L", "large")],
            several: true,
            free_text: true,
            ..Question::default()
        },
    ];
    assert_eq!(asked.questions, expected);
    let said = |all: &[&str]| all.iter().map(|text| (*text).to_owned()).collect();
    let answers = BTreeMap::from([
        ("Which color?".to_owned(), said(&["Blue"])),
        ("Which sizes?".to_owned(), said(&["S", "L"])),
    ]);
    let mut input = question["request"]["input"].clone();
    input["answers"] = json!({"Which color?": "Blue", "Which sizes?": "S, L"});
    let expected = json!({"behavior": "allow", "updatedInput": input,
        "toolUseID": "toolu_mock_000028_0"});
    assert_eq!(written(&question, Answer::Answers { answers }), expected);
}

#[test]
fn an_elicitation_takes_content_or_a_denial() {
    let all = captured("2.1.327/elicitation");
    let question = all
        .iter()
        .find(|line| line["request"]["subtype"] == "elicitation");
    let question = question.expect("it is asked");
    let mut codec = running();
    let out = hear(&mut codec, question);
    let asked = asked(&out)[0];
    assert_eq!(asked.kind, RequestKind::Elicitation);
    assert_eq!(asked.decisions, [Content, Deny]);
    assert_eq!(asked.subject.mcp_server.as_deref(), Some("ext"));
    let schema = asked.input.as_ref().map(|schema| schema.get().to_owned());
    let schema: Value = serde_json::from_str(&schema.expect("a schema")).expect("JSON");
    assert_eq!(schema, question["request"]["requested_schema"]);
    let content = RawJson::from_text(r#"{"name":"x"}"#);
    let accepted = json!({"action": "accept", "content": {"name": "x"}});
    assert_eq!(written(question, Answer::Content { content }), accepted);
    assert_eq!(written(question, deny(false)), json!({"action": "decline"}));
}

#[test]
fn a_page_to_visit_is_agreed_to_without_content() {
    let question = json!({"type": "control_request", "request_id": "q", "request":
        {"subtype": "elicitation", "mcp_server_name": "x", "message": "Log in", "mode": "url",
        "url": "https://example.com"}});
    let mut codec = running();
    let out = hear(&mut codec, &question);
    let asked = asked(&out)[0];
    assert_eq!(asked.decisions, [AllowOnce, Deny]);
    let page = asked.input.as_ref().map(RawJson::get);
    assert_eq!(page, Some(r#"{"url":"https://example.com"}"#));
    let accepted = json!({"action": "accept", "content": {}});
    assert_eq!(written(&question, allow(Scope::Once)), accepted);
}

#[test]
fn an_answer_that_does_not_fit_is_a_denial() {
    let tool = of_tool("2.1.327/perm_allow", "Bash");
    let user = of_tool("2.1.327/ask_user", "AskUserQuestion");
    let answers = Answer::Answers {
        answers: BTreeMap::new(),
    };
    assert_eq!(written(&tool, answers)["behavior"], "deny");
    assert_eq!(written(&user, allow(Scope::Once))["behavior"], "deny");
}

/// A codec of a session that may only read.
fn read_only(mode: Mode) -> ClaudeCodec {
    let mut options = options();
    options.read_only = true;
    codec_of(mode, &options, None)
}

#[test]
fn a_read_only_session_makes_the_agent_ask_before_everything_that_writes() {
    let mut codec = read_only(Mode::OneShot);
    ask(&mut codec, open(None));
    let out = lines(&ask(&mut codec, turn(1, "hi")));
    let hooks = json!({"PreToolUse": [{"hookCallbackIds": ["read_only"]}]});
    assert_eq!(
        out[0]["request"],
        json!({"subtype": "initialize", "hooks": hooks})
    );
    assert_eq!(out[1]["type"], "user", "there is nothing to wait for");
    let mut decide = |tool: &str| {
        let hook = json!({"type": "control_request", "request_id": "h", "request":
            {"subtype": "hook_callback", "callback_id": "read_only",
            "input": {"hook_event_name": "PreToolUse", "tool_name": tool}}});
        let out = lines(&hear(&mut codec, &hook));
        let decided = out[0]["response"]["response"]["hookSpecificOutput"].clone();
        decided["permissionDecision"].as_str().map(str::to_owned)
    };
    for tool in ["Bash", "Write", "Edit", "mcp__x__y", "SomethingNew"] {
        assert_eq!(decide(tool).as_deref(), Some("ask"), "{tool}");
    }
    for tool in [
        "Read",
        "Grep",
        "WebFetch",
        "AskUserQuestion",
        "Agent",
        "TodoWrite",
    ] {
        assert_eq!(decide(tool), None, "{tool}");
    }
}

#[test]
fn a_question_before_the_conversation_is_open_is_an_error() {
    let mut codec = codec_of(Mode::Warm, &options(), None);
    let out = hear(&mut codec, &of_tool("2.1.327/perm_allow", "Bash"));
    assert_eq!(lines(&out)[0]["response"]["subtype"], "error");
}
