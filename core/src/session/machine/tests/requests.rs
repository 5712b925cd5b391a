//! Questions of the agent: who answers, and how often.

use super::*;
use crate::config::HostTool;
use crate::event::{RawJson, RequestKind};
use crate::provider::Asked;
use crate::request::{Action, Answer, Decision, Rule, Scope, Subject};

const NUMBER: AgentRequest = AgentRequest(7);

fn asked(kind: RequestKind, subject: Subject) -> SignalBody {
    SignalBody::Asked(Box::new(Asked {
        request: NUMBER,
        kind,
        tool: None,
        title: "rm -rf /".into(),
        subject,
        decisions: vec![Decision::AllowOnce, Decision::Deny],
        questions: Vec::new(),
        input: None,
        raw: RawJson::from_text("{}"),
    }))
}

fn command(command: &str) -> SignalBody {
    let subject = Subject {
        tool: "Bash".into(),
        command: Some(command.into()),
        writes: true,
        ..Subject::default()
    };
    asked(RequestKind::CommandApproval, subject)
}

fn allow() -> Answer {
    Answer::Allow {
        scope: Scope::Once,
        input: None,
    }
}

impl Bench {
    fn host() -> (Self, TurnId) {
        let options = SessionOptions {
            requests: Requests::Host,
            ..SessionOptions::default()
        };
        Self::asking(&options).run()
    }

    fn last_request(&self) -> RequestId {
        let mut opened = self.shown.iter().rev().filter_map(|(_, body)| match body {
            Body::RequestOpened { request, .. } => Some(*request),
            _ => None,
        });
        opened.next().expect("something was asked")
    }

    fn answers(&mut self, answer: Answer) -> Vec<String> {
        let request = self.last_request();
        self.step(Input::Answer { request, answer })
    }

    fn resolved(&self) -> (Resolution, ResolvedBy, Option<&str>) {
        let mut resolved = self.shown.iter().rev().filter_map(|(_, body)| match body {
            Body::RequestResolved {
                resolution,
                by,
                rule,
                ..
            } => Some((*resolution, *by, rule.as_deref())),
            _ => None,
        });
        resolved.next().expect("something was settled")
    }
}

#[test]
fn a_question_is_denied_at_once_when_nobody_is_there_to_answer() {
    let (mut bench, turn) = Bench::running(POLICY);
    assert_eq!(bench.says(TurnRef::Host(turn), command("ls")), ["answer"]);
    assert_eq!(
        bench.resolved(),
        (Resolution::Denied, ResolvedBy::NoHandler, None)
    );
}

#[test]
fn a_question_is_answered_once_and_the_second_learns_who_was_faster() {
    let (mut bench, turn) = Bench::host();
    assert_eq!(bench.says(TurnRef::Host(turn), command("ls")), [""; 0]);
    assert_eq!(bench.answers(allow()), ["answer", "answered"]);
    assert_eq!(
        bench.resolved(),
        (Resolution::Allowed, ResolvedBy::Host, None)
    );
    assert_eq!(bench.answers(allow()), ["refused already_answered"]);
    let request = RequestId::from_raw(u64::MAX);
    let answer = allow();
    assert_eq!(
        bench.step(Input::Answer { request, answer }),
        ["refused stale"]
    );
}

#[test]
fn an_answer_that_the_question_does_not_take_leaves_it_open() {
    let (mut bench, turn) = Bench::host();
    bench.says(TurnRef::Host(turn), command("ls"));
    let answer = Answer::Allow {
        scope: Scope::Remember,
        input: None,
    };
    assert_eq!(bench.answers(answer), ["refused invalid_argument"]);
    assert_eq!(bench.answers(allow()), ["answer", "answered"]);
}

#[test]
fn while_a_question_is_open_the_agent_may_be_silent_and_then_it_is_denied() {
    let (mut bench, turn) = Bench::host();
    bench.shows(turn, delta("x"));
    bench.says(TurnRef::Host(turn), command("ls"));
    bench.now += POLICY.timeouts.silence;
    assert_eq!(bench.step(Input::Tick), [""; 0]);
    bench.now += POLICY.timeouts.request;
    assert_eq!(bench.step(Input::Tick), ["answer"]);
    assert_eq!(
        bench.resolved(),
        (Resolution::Denied, ResolvedBy::Deadline, None)
    );
    assert_eq!(bench.answers(allow()), ["refused already_answered"]);
    bench.ends(turn, Outcome::Completed);
    assert_eq!(bench.last().kind(), EventKind::TurnCompleted);
}

#[test]
fn a_question_that_is_taken_back_or_outlived_by_its_turn_is_settled_before_the_end() {
    let (mut bench, turn) = Bench::host();
    bench.says(TurnRef::Host(turn), command("ls"));
    let withdrawn = SignalBody::Withdrawn { request: NUMBER };
    bench.says(TurnRef::Host(turn), withdrawn);
    assert_eq!(
        bench.resolved(),
        (Resolution::Withdrawn, ResolvedBy::Agent, None)
    );
    bench.says(TurnRef::Host(turn), command("ls"));
    bench.ends(turn, Outcome::Completed);
    assert_eq!(
        bench.resolved(),
        (Resolution::Withdrawn, ResolvedBy::TurnEnd, None)
    );
    assert_eq!(bench.last().kind(), EventKind::TurnCompleted);
    assert_eq!(bench.answers(allow()), ["refused already_answered"]);
}

#[test]
fn the_death_of_the_process_settles_what_it_asked() {
    let (mut bench, turn) = Bench::host();
    bench.says(TurnRef::Host(turn), command("ls"));
    bench.dies();
    assert_eq!(
        bench.resolved(),
        (Resolution::Withdrawn, ResolvedBy::TurnEnd, None)
    );
    assert_eq!(bench.last().kind(), EventKind::TurnFailed);
}

#[test]
fn a_rule_decides_before_the_host_and_is_named() {
    let rule = |name: &str, action, command: &str| Rule {
        name: name.into(),
        action,
        tool: None,
        command: Some(command.into()),
        path: None,
        mcp_server: None,
    };
    let options = SessionOptions {
        requests: Requests::Host,
        rules: vec![
            rule("no rm", Action::Deny, "rm *"),
            rule("look", Action::Allow, "ls *"),
        ],
        ..SessionOptions::default()
    };
    let (mut bench, turn) = Bench::asking(&options).run();
    assert_eq!(
        bench.says(TurnRef::Host(turn), command("ls -l")),
        ["answer"]
    );
    let look = Some("look");
    assert_eq!(
        bench.resolved(),
        (Resolution::Allowed, ResolvedBy::Rule, look)
    );
    assert_eq!(bench.says(TurnRef::Host(turn), command("rm x")), ["answer"]);
    let no = Some("no rm");
    assert_eq!(bench.resolved(), (Resolution::Denied, ResolvedBy::Rule, no));
    assert_eq!(bench.says(TurnRef::Host(turn), command("make")), [""; 0]);
}

#[test]
fn read_only_denies_whatever_writes() {
    let options = SessionOptions {
        requests: Requests::Host,
        read_only: true,
        ..SessionOptions::default()
    };
    let (mut bench, turn) = Bench::asking(&options).run();
    assert_eq!(bench.says(TurnRef::Host(turn), command("ls")), ["answer"]);
    let rule = Some("read_only");
    assert_eq!(
        bench.resolved(),
        (Resolution::Denied, ResolvedBy::Rule, rule)
    );
}

#[test]
fn what_does_not_fit_a_tools_schema_never_reaches_the_host() {
    let options = SessionOptions {
        requests: Requests::Host,
        tools: vec![HostTool {
            name: "add".into(),
            description: String::new(),
            input_schema: RawJson::from_text(
                r#"{"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}"#,
            ),
        }],
        ..SessionOptions::default()
    };
    let (mut bench, turn) = Bench::asking(&options).run();
    let call = |input: &str| {
        SignalBody::Asked(Box::new(Asked {
            request: NUMBER,
            kind: RequestKind::HostTool,
            tool: None,
            title: "a line of the agent's".into(),
            subject: Subject {
                tool: "add".into(),
                ..Subject::default()
            },
            decisions: vec![Decision::Result, Decision::Deny],
            questions: Vec::new(),
            input: Some(RawJson::from_text(input)),
            raw: RawJson::from_text("{}"),
        }))
    };
    assert_eq!(
        bench.says(TurnRef::Host(turn), call(r#"{"a": "x"}"#)),
        ["answer"]
    );
    assert_eq!(
        bench.resolved(),
        (Resolution::Answered, ResolvedBy::Schema, None)
    );
    assert_eq!(
        bench.says(TurnRef::Host(turn), call(r#"{"a": 1}"#)),
        [""; 0]
    );
    let named = |body: &Body| matches!(body, Body::RequestOpened { title, .. } if title == "add");
    assert!(named(bench.last()), "by its name, and not by its line");
    let (text, is_error) = ("2".to_owned(), false);
    assert_eq!(
        bench.answers(Answer::Result { text, is_error }),
        ["answer", "answered"]
    );
}

/// A call over our own server.
fn tool_call(process: ProcessId) -> Input {
    Input::ToolCalled(ToolCall {
        process,
        number: 3,
        tool: "add".into(),
        input: RawJson::from_text(r#"{"a":1}"#),
    })
}

fn with_tool() -> SessionOptions {
    SessionOptions {
        requests: Requests::Host,
        tools: vec![HostTool {
            name: "add".into(),
            description: String::new(),
            input_schema: RawJson::from_text(r#"{"type":"object","required":["a"]}"#),
        }],
        ..SessionOptions::default()
    }
}

#[test]
fn a_rule_can_deny_a_tool_of_the_host_and_nothing_else_of_them_is_decided_here() {
    let rule = |action, tool: Option<&str>, server: Option<&str>| Rule {
        name: "mine".into(),
        action,
        tool: tool.map(str::to_owned),
        command: None,
        path: None,
        mcp_server: server.map(str::to_owned),
    };
    for (rule, denied) in [
        (rule(Action::Deny, Some("add"), None), true),
        (rule(Action::Deny, None, Some("host")), true),
        (rule(Action::Deny, Some("sub"), None), false),
        (rule(Action::Deny, None, Some("other")), false),
        (rule(Action::Allow, None, None), false),
        (rule(Action::Ask, None, None), false),
    ] {
        let options = SessionOptions {
            rules: vec![rule.clone()],
            read_only: true,
            ..with_tool()
        };
        let (mut bench, _) = Bench::asking(&options).run();
        let process = bench.current();
        let told = bench.step(tool_call(process));
        assert_eq!(!told.is_empty(), denied, "{rule:?}: {told:?}");
        if denied {
            let by_rule = (Resolution::Denied, ResolvedBy::Rule, Some("mine"));
            assert_eq!(bench.resolved(), by_rule);
        }
    }
}

#[test]
fn a_call_over_our_own_server_is_answered_there_and_not_to_the_agent() {
    let (mut bench, turn) = Bench::asking(&with_tool()).run();
    let process = bench.current();
    assert!(bench.step(tool_call(process)).is_empty());
    assert_eq!(bench.shown.last().map(|(turn, _)| *turn), Some(Some(turn)));
    let text = "two".to_owned();
    let names = bench.answers(Answer::Result {
        text,
        is_error: false,
    });
    assert_eq!(names, ["tool: two", "answered"]);
}

#[test]
fn a_call_over_our_own_server_is_over_with_its_turn() {
    let (mut bench, turn) = Bench::asking(&with_tool()).run();
    let process = bench.current();
    bench.step(tool_call(process));
    let names = bench.says(TurnRef::Host(turn), SignalBody::Ended(Box::default()));
    assert_eq!(names, ["tool: the turn is over", "idle"]);
    assert_eq!(bench.step(tool_call(process)), ["tool: no turn runs"]);
}

#[test]
fn a_call_of_an_earlier_process_changes_nothing() {
    let (mut bench, _) = Bench::asking(&with_tool()).run();
    let before = bench.shown.len();
    let names = bench.step(tool_call(ProcessId::next()));
    assert_eq!(names, ["tool: no turn runs"]);
    assert_eq!(bench.shown.len(), before);
}

#[test]
fn a_call_that_nobody_waits_for_any_more_is_withdrawn() {
    let (mut bench, _) = Bench::asking(&with_tool()).run();
    let process = bench.current();
    bench.step(tool_call(process));
    bench.step(Input::ToolLeft(3));
    let resolved = bench.resolved();
    assert_eq!(resolved, (Resolution::Withdrawn, ResolvedBy::Agent, None));
}

#[test]
fn an_answer_that_does_not_fit_leaves_its_question_open() {
    let (mut bench, turn) = Bench::host();
    let SignalBody::Asked(mut asked) = asked(RequestKind::UserQuestion, Subject::default()) else {
        panic!("it is one");
    };
    asked.decisions = vec![Decision::Answers];
    asked.questions = vec![crate::request::Question {
        id: "db".into(),
        free_text: true,
        ..crate::request::Question::default()
    }];
    bench.says(TurnRef::Host(turn), SignalBody::Asked(asked));
    let answers = |id: &str| Answer::Answers {
        answers: BTreeMap::from([(id.to_owned(), vec!["one".to_owned()])]),
    };
    assert_eq!(
        bench.answers(answers("other")),
        ["refused invalid_argument"]
    );
    assert_eq!(bench.answers(answers("db")), ["answer", "answered"]);
}

#[test]
fn a_rule_is_not_remembered_for_an_input_that_was_replaced() {
    let (mut bench, turn) = Bench::host();
    let SignalBody::Asked(mut asked) = command("touch a") else {
        panic!("it is one");
    };
    asked.decisions = vec![Decision::AllowRemember, Decision::AllowChanged];
    bench.says(TurnRef::Host(turn), SignalBody::Asked(asked));
    let allow = |scope| Answer::Allow {
        scope,
        input: Some(RawJson::from_text("{}")),
    };
    let refused = bench.answers(allow(Scope::Remember));
    assert_eq!(refused, ["refused invalid_argument"]);
    assert_eq!(bench.answers(allow(Scope::Once)), ["answer", "answered"]);
}
