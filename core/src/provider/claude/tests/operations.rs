//! What can be done with the conversation beside talking.

use serde_json::{Value, json};

use super::harness::{
    agent_lines, ask, capture, codec, hear, init, interrupt, lines, open, operate, options, result,
    running, said, success,
};
use crate::config::Mode;
use crate::operation::Operation;
use crate::provider::claude::Claude;
use crate::provider::claude::codec::ClaudeCodec;
use crate::provider::{Codec, LaunchPlan, Output, Provider, SignalBody};

/// A warm codec that the agent of the capture answered.
fn warm() -> ClaudeCodec {
    let mut codec = codec(Mode::Warm, None);
    codec.next_ids.push_back("r0".to_owned());
    codec.start(&mut Output::default());
    ask(&mut codec, open(None));
    let hello = json!({
        "models": [{"value": "opus", "displayName": "Opus", "description": "Best", "supportsEffort": true}],
        "commands": [{"name": "compact", "description": "Compact it", "argumentHint": ""}],
    });
    hear(&mut codec, &success("r0", hello));
    codec
}

/// The response to the first request of this kind in `control_all`.
fn captured(subtype: &str) -> Value {
    let capture = capture("2.1.327/control_all");
    let parse = |line: &str| serde_json::from_str::<Value>(line).expect("JSON");
    let asked = capture
        .lines()
        .filter_map(|line| line.strip_prefix("> "))
        .map(parse);
    let mut asked = asked.filter(|line| line["request"]["subtype"] == subtype);
    let id = asked.next().expect("it is asked")["request_id"].clone();
    let mut answers = agent_lines(&capture).map(parse);
    let answer = answers.find(|line| line["response"]["request_id"] == id);
    answer.expect("it is answered")["response"]["response"].clone()
}

fn outcomes(out: &Output) -> Vec<(u64, Result<Value, String>)> {
    let all = out.signals.iter().filter_map(|signal| match &signal.body {
        SignalBody::Operated { number, outcome } => {
            let outcome = outcome
                .as_ref()
                .map_err(|(code, why)| format!("{}: {why}", code.name()));
            let parse = |raw: &crate::event::RawJson| serde_json::from_str(raw.get());
            Some((*number, outcome.map(|raw| parse(raw).expect("JSON"))))
        }
        _ => None,
    });
    all.collect()
}

/// Asks, answers the one request of the codec, and gives the outcome.
fn run(operation: Operation, subtype: &str, answer: Value) -> Value {
    let mut codec = warm();
    codec.next_ids.push_back("a".to_owned());
    let out = ask(&mut codec, operate(5, operation));
    let request = json!({"type": "control_request", "request_id": "a",
        "request": {"subtype": subtype}});
    assert_eq!(lines(&out), [request]);
    let mut outcomes = outcomes(&hear(&mut codec, &success("a", answer)));
    let (number, outcome) = outcomes.pop().expect("it is done");
    assert_eq!((number, outcomes.len()), (5, 0));
    outcome.expect("it is fine")
}

#[test]
fn models_are_listed_from_the_handshake() {
    let out = ask(&mut warm(), operate(1, Operation::ListModels {}));
    let models = json!({"models": [{"id": "opus", "name": "Opus", "description": "Best",
        "supportsEffort": true}]});
    assert_eq!(outcomes(&out), [(1, Ok(models))]);
}

#[test]
fn commands_are_listed_from_the_handshake_and_from_news() {
    let mut codec = warm();
    let out = ask(&mut codec, operate(1, Operation::ListCommands {}));
    let first = json!({"name": "compact", "description": "Compact it", "argumentHint": ""});
    assert_eq!(outcomes(&out), [(1, Ok(json!({"commands": [first]})))]);
    hear(
        &mut codec,
        &json!({"type": "system", "subtype": "commands_changed",
        "commands": [{"name": "new", "description": ""}]}),
    );
    let out = ask(&mut codec, operate(2, Operation::ListCommands {}));
    let new = json!({"commands": [{"name": "new", "description": ""}]});
    assert_eq!(outcomes(&out), [(2, Ok(new))]);
}

#[test]
fn the_state_of_mcp_servers_is_told_without_their_settings() {
    let answer = json!({"mcpServers": [{"name": "x", "status": "connected",
        "config": {"env": {"TOKEN": "secret"}}}]});
    let told = run(Operation::McpStatus {}, "mcp_status", answer);
    assert_eq!(
        told,
        json!({"servers": [{"name": "x", "status": "connected"}]})
    );
}

#[test]
fn context_usage_is_told_in_the_common_words() {
    let answer = captured("get_context_usage");
    let told = run(
        Operation::ContextUsage {},
        "get_context_usage",
        answer.clone(),
    );
    assert_eq!(told["used_tokens"], answer["totalTokens"]);
    assert_eq!(told["window_tokens"], answer["maxTokens"]);
    assert_eq!(told["categories"], answer["categories"]);
    assert!(told["used_tokens"].is_u64() && told.get("gridRows").is_none());
}

#[test]
fn compaction_is_a_turn_of_the_agents_own() {
    let life = json!({"type": "command_lifecycle", "command_uuid": "k", "state": "started"});
    let compacting = json!({"type": "system", "subtype": "status", "status": "compacting"});
    for news in [vec![&life, &compacting], vec![&compacting]] {
        let mut codec = warm();
        codec.next_ids.push_back("k".to_owned());
        let out = ask(&mut codec, operate(3, Operation::Compact {}));
        assert_eq!(lines(&out)[0]["message"]["content"], "/compact");
        assert_eq!(
            said(&out),
            "- | Background { tasks: 1 }\n",
            "the process is needed"
        );
        let again = ask(&mut codec, operate(4, Operation::Compact {}));
        assert!(matches!(&outcomes(&again)[..], [(4, Err(_))]));
        let mut text = String::new();
        for line in news {
            text += &said(&hear(&mut codec, line));
        }
        let begun = "agent 1 | AgentTurn\n- | Operated { number: 3, outcome: Ok(RawJson(RawValue({}))) }\n\
            - | Background { tasks: 0 }\nagent 1 | {\"type\":\"compaction\",\"phase\":\"started\"";
        assert!(text.starts_with(begun), "{text}");
        hear(&mut codec, &init("s"));
        assert!(said(&hear(&mut codec, &result())).starts_with("agent 1 | Ended"));
    }
}

fn task(id: &str) -> Value {
    json!({"type": "system", "subtype": "task_started", "task_id": id, "task_type": "local_bash",
        "description": format!("task {id}"), "is_backgrounded": true})
}

#[test]
fn background_tasks_are_listed() {
    let mut codec = warm();
    let line = json!({"type": "system", "subtype": "background_tasks_changed",
        "tasks": [{"task_id": "a", "task_type": "local_bash", "description": "serve"}]});
    hear(&mut codec, &line);
    hear(&mut codec, &task("b"));
    let out = ask(&mut codec, operate(1, Operation::ListTasks {}));
    let tasks = json!({"tasks": [{"id": "a", "title": "serve"}, {"id": "b", "title": "task b"}]});
    assert_eq!(outcomes(&out), [(1, Ok(tasks))]);
}

#[test]
fn tasks_are_stopped_one_by_one_or_all() {
    let stop = |task: Option<&str>| Operation::StopTasks {
        task: task.map(str::to_owned),
    };
    let request = |id: &str, task: &str| {
        json!({"type": "control_request", "request_id": id,
            "request": {"subtype": "stop_task", "task_id": task}})
    };
    let mut codec = warm();
    assert_eq!(
        outcomes(&ask(&mut codec, operate(1, stop(None)))),
        [(1, Ok(json!({})))]
    );
    hear(&mut codec, &task("a"));
    hear(&mut codec, &task("b"));
    codec.next_ids.extend(["x", "y", "z"].map(str::to_owned));
    let out = ask(&mut codec, operate(2, stop(None)));
    assert_eq!(lines(&out), [request("x", "a"), request("y", "b")]);
    assert_eq!(outcomes(&hear(&mut codec, &success("x", json!({})))), []);
    assert_eq!(
        outcomes(&hear(&mut codec, &success("y", json!({})))),
        [(2, Ok(json!({})))]
    );
    let out = ask(&mut codec, operate(3, stop(Some("b"))));
    assert_eq!(lines(&out), [request("z", "b")]);
    let out = ask(&mut codec, operate(4, stop(Some("c"))));
    assert!(matches!(&outcomes(&out)[..], [(4, Err(why))] if why.starts_with("invalid_argument")));
}

#[test]
fn an_interrupt_ends_the_commands_that_the_turn_left_running_unless_told_not_to() {
    for keep in [true, false] {
        let mut codec = running();
        hear(&mut codec, &task("a"));
        let out = lines(&ask(&mut codec, interrupt(keep)));
        let subtypes: Vec<_> = out.iter().map(|line| &line["request"]["subtype"]).collect();
        let expected: &[&str] = if keep {
            &["interrupt"]
        } else {
            &["interrupt", "stop_task"]
        };
        assert_eq!(subtypes, expected);
    }
}

#[test]
fn what_needs_a_new_process_is_unsupported() {
    for operation in [
        Operation::Fork {},
        Operation::Rewind {
            before: "x".to_owned(),
        },
    ] {
        let out = ask(&mut warm(), operate(1, operation));
        assert!(matches!(&outcomes(&out)[..], [(1, Err(why))] if why.starts_with("unsupported")));
    }
}

#[test]
fn every_operation_is_answered_at_the_latest_at_the_end_of_the_output() {
    let mut codec = warm();
    hear(&mut codec, &task("a"));
    ask(&mut codec, operate(1, Operation::Compact {}));
    ask(&mut codec, operate(2, Operation::McpStatus {}));
    ask(&mut codec, operate(3, Operation::StopTasks { task: None }));
    let mut out = Output::default();
    codec.end_of_output(&mut out);
    let outcomes = outcomes(&out);
    let numbers: Vec<_> = outcomes.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, [1, 2, 3]);
    assert!(outcomes.iter().all(|(_, outcome)| {
        outcome
            .as_ref()
            .is_err_and(|why| why.starts_with("process_exit"))
    }));
}

#[test]
fn a_process_that_goes_back_is_told_where_and_lines_of_the_agent_itself_are_places() {
    let launch = Claude.launch(&LaunchPlan {
        mode: Mode::Warm,
        options: &options(),
        resume: Some("id"),
        back_to: Some("place"),
        shared: false,
    });
    let args = launch.expect("the options are fine").args;
    assert!(args.contains(&"--resume-session-at=place".into()));

    let mut codec = running();
    let line = |uuid: &str, parent: Option<&str>| {
        let message = json!({"role": "assistant", "content": [{"type": "text", "text": "x"}]});
        json!({"type": "assistant", "uuid": uuid, "parent_tool_use_id": parent, "message": message})
    };
    let own = said(&hear(&mut codec, &line("u", None)));
    assert!(own.contains("- | Point(\"u\")\n"), "{own}");
    let of_child = said(&hear(&mut codec, &line("v", Some("call"))));
    assert!(!of_child.contains("Point"), "{of_child}");
}
