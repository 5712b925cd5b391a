//! What the agent has done by its client: what is done at once, what is asked about, what is not done.

use super::*;
use crate::client::{ClientCall, NewTerminal};
use crate::event::{RawJson, RequestKind};
use crate::provider::Called;
use crate::request::{Action, Answer, Decision, Rule, Scope};

const NUMBER: AgentRequest = AgentRequest(9);

fn called(call: ClientCall) -> SignalBody {
    let raw = RawJson::from_text(r#"{"path":"/project/a"}"#);
    let request = NUMBER;
    SignalBody::Called(Box::new(Called { request, call, raw }))
}

fn read() -> SignalBody {
    called(ClientCall::Read {
        path: "/project/a".to_owned(),
        line: None,
        limit: None,
    })
}

fn write() -> SignalBody {
    called(ClientCall::Write {
        path: "/project/a".to_owned(),
        content: "new".to_owned(),
    })
}

fn command(command: &str) -> SignalBody {
    called(ClientCall::Create(NewTerminal {
        command: command.to_owned(),
        ..NewTerminal::default()
    }))
}

fn rule(action: Action, tool: Option<&str>, command: Option<&str>) -> Rule {
    Rule {
        name: "of the host".to_owned(),
        action,
        tool: tool.map(str::to_owned),
        command: command.map(str::to_owned),
        path: None,
        mcp_server: None,
    }
}

fn with(rules: Vec<Rule>, requests: Requests) -> (Bench, TurnId) {
    let options = SessionOptions {
        rules,
        requests,
        cwd: "/project".into(),
        ..SessionOptions::default()
    };
    Bench::asking(&options).run()
}

impl Bench {
    fn calls(&mut self, turn: TurnId, body: SignalBody) -> Vec<String> {
        self.says(TurnRef::Host(turn), body)
    }

    /// The last question, and what it takes.
    fn question(&self) -> (RequestId, Vec<Decision>) {
        let mut opened = self.shown.iter().rev().filter_map(|(_, body)| match body {
            Body::RequestOpened {
                request, decisions, ..
            } => Some((*request, decisions.clone())),
            _ => None,
        });
        opened.next().expect("something was asked")
    }
}

fn opened(bench: &Bench) -> Vec<RequestKind> {
    let kinds = bench.shown.iter().filter_map(|(_, body)| match body {
        Body::RequestOpened { kind, .. } => Some(*kind),
        _ => None,
    });
    kinds.collect()
}

#[test]
fn what_no_rule_has_a_word_in_is_done_without_a_question() {
    let (mut bench, turn) = with(Vec::new(), Requests::Deny);
    assert_eq!(bench.calls(turn, read()), ["serve /project/a"]);
    assert_eq!(bench.calls(turn, write()), ["serve /project/a"]);
    assert_eq!(bench.calls(turn, command("make")), ["serve make"]);
    assert_eq!(opened(&bench), []);
}

#[test]
fn a_session_that_only_reads_writes_nothing_and_runs_nothing() {
    let options = SessionOptions {
        read_only: true,
        ..SessionOptions::default()
    };
    let (mut bench, turn) = Bench::asking(&options).run();
    assert_eq!(bench.calls(turn, read()), ["serve /project/a"]);
    let no = "not served: This is not allowed here (rule: read_only).";
    assert_eq!(bench.calls(turn, write()), [no]);
    assert_eq!(bench.calls(turn, command("ls")), [no]);
    let both = [
        RequestKind::FileChangeApproval,
        RequestKind::CommandApproval,
    ];
    assert_eq!(opened(&bench), both, "it is told");
}

#[test]
fn a_rule_answers_and_is_named() {
    let rules = vec![
        rule(Action::Allow, Some("fs/*"), None),
        rule(Action::Deny, None, Some("rm *")),
    ];
    let (mut bench, turn) = with(rules, Requests::Deny);
    assert_eq!(bench.calls(turn, write()), ["serve /project/a"]);
    let no = "not served: This is not allowed here (rule: of the host).";
    assert_eq!(bench.calls(turn, command("cd x && rm -r y")), [no]);
    assert_eq!(bench.calls(turn, command("ls")), ["serve ls"]);
    let named = bench.shown.iter().filter(|(_, body)| {
        matches!(body, Body::RequestResolved { rule: Some(rule), .. } if rule == "of the host")
    });
    assert_eq!(named.count(), 2);
}

#[test]
fn where_a_rule_asks_the_host_says_whether_it_is_done_and_once() {
    let allow = Answer::Allow {
        scope: Scope::Once,
        input: None,
    };
    let deny = Answer::Deny {
        message: "not this".to_owned(),
        interrupt: false,
    };
    for (answer, then) in [(allow, "serve /project/a"), (deny, "not served: not this")] {
        let rules = vec![rule(Action::Ask, None, None)];
        let (mut bench, turn) = with(rules, Requests::Host);
        assert_eq!(bench.calls(turn, write()), [""; 0]);
        let (request, decisions) = bench.question();
        assert_eq!(decisions, [Decision::AllowOnce, Decision::Deny]);
        let input = |answer: &Answer| Input::Answer {
            request,
            answer: answer.clone(),
        };
        assert_eq!(bench.step(input(&answer)), [then, "answered"]);
        assert_eq!(bench.step(input(&answer)), ["refused already_answered"]);
    }
    let (mut bench, turn) = with(vec![rule(Action::Ask, None, None)], Requests::Deny);
    let no = "not served: No one is there to approve this. Go on without it.";
    assert_eq!(
        bench.calls(turn, write()),
        [no],
        "nobody is there to be asked"
    );
}

#[test]
fn outside_of_a_turn_nothing_is_changed_and_nothing_begins() {
    let (mut bench, turn) = with(Vec::new(), Requests::Deny);
    bench.ends(turn, Outcome::Completed);
    for body in [write(), command("ls")] {
        assert_eq!(bench.calls(turn, body), ["not served: no turn runs"]);
    }
    assert_eq!(bench.calls(turn, read()), ["serve /project/a"]);
    let wait = called(ClientCall::Wait {
        terminal: "1".to_owned(),
    });
    assert_eq!(bench.calls(turn, wait), ["serve 1"], "commands run on");
}

#[test]
fn a_call_that_nobody_waits_for_is_not_begun() {
    let forgone = || SignalBody::Forgone { request: NUMBER };
    let (mut bench, turn) = with(vec![rule(Action::Ask, None, None)], Requests::Host);
    bench.calls(turn, write());
    let (request, _) = bench.question();
    assert_eq!(bench.calls(turn, forgone()), [""; 0]);
    let answer = Answer::Allow {
        scope: Scope::Once,
        input: None,
    };
    let late = bench.step(Input::Answer { request, answer });
    assert_eq!(late, ["refused already_answered"]);
    assert_eq!(bench.calls(turn, read()), ["serve /project/a"]);
    assert_eq!(bench.calls(turn, forgone()), ["forgo"]);
}
