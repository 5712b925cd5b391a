//! What an agent has done by its client: passed on, and answered once.

use serde_json::{Value, json};

use super::opened::{FIRST, greeting, methods, offers, options};
use super::play::{Player, play_with};
use crate::client::{CALLS, ClientCall, Done, Ended, Failure, NewTerminal, Why};
use crate::config::{Client, ClientFiles, Mode};
use crate::provider::acp::{self, AcpAgent};
use crate::provider::{Request, SignalBody, TurnRef};

const ALL: Client = Client {
    files: ClientFiles::ReadWrite,
    terminals: true,
};

/// A conversation `S` in a process that was offered this.
fn opened_with(agent: &AcpAgent, client: Client) -> Player {
    let mut player = Player::serving(agent, client);
    player.line(&greeting().to_string());
    player.open(options(), None);
    player.line(&json!({"id": 2, "result": offers("S")}).to_string());
    player.signals.clear();
    player.written.clear();
    player
}

/// The same in a turn.
fn running() -> Player {
    let mut player = opened_with(&acp::ANY, ALL);
    player.turn(FIRST, "go");
    player.written.clear();
    player
}

fn asks(id: impl Into<Value>, method: &str, mut params: Value) -> String {
    params["sessionId"] = "S".into();
    json!({"jsonrpc": "2.0", "id": id.into(), "method": method, "params": params}).to_string()
}

fn reads(id: u64) -> String {
    asks(id, "fs/read_text_file", json!({"path": "/project/a"}))
}

/// What was passed on: the number and the call.
fn calls(player: &Player) -> Vec<(u64, &ClientCall)> {
    let calls = player.signals.iter().filter_map(|s| match &s.body {
        SignalBody::Called(called) => Some((called.request.0, &called.call)),
        _ => None,
    });
    calls.collect()
}

fn forgone(player: &Player) -> Vec<u64> {
    let gone = player.signals.iter().filter_map(|s| match &s.body {
        SignalBody::Forgone { request } => Some(request.0),
        _ => None,
    });
    gone.collect()
}

fn codes(player: &Player) -> Vec<(Value, i64)> {
    let lines = player.written.iter();
    let errors =
        lines.filter_map(|line| Some((line["id"].clone(), line["error"]["code"].as_i64()?)));
    errors.collect()
}

#[test]
fn only_what_the_session_lets_is_offered_and_passed_on() {
    let cases = [
        (ClientFiles::None, false),
        (ClientFiles::Read, false),
        (ClientFiles::ReadWrite, false),
        (ClientFiles::None, true),
    ];
    for (files, terminals) in cases {
        let client = Client { files, terminals };
        let player = Player::serving(&acp::ANY, client);
        let (reads_files, writes) = (files != ClientFiles::None, files == ClientFiles::ReadWrite);
        let told = &player.written[0]["params"]["clientCapabilities"];
        assert_eq!(told["fs"]["readTextFile"], reads_files);
        assert_eq!(told["fs"]["writeTextFile"], writes);
        assert_eq!(told["terminal"], terminals);

        let mut player = opened_with(&acp::ANY, client);
        let terminal = json!({"terminalId": "1"});
        let all = [
            ("fs/read_text_file", json!({"path": "/a"}), reads_files),
            (
                "fs/write_text_file",
                json!({"path": "/a", "content": ""}),
                writes,
            ),
            ("terminal/create", json!({"command": "ls"}), terminals),
            ("terminal/output", terminal.clone(), terminals),
            ("terminal/wait_for_exit", terminal.clone(), terminals),
            ("terminal/kill", terminal.clone(), terminals),
            ("terminal/release", terminal, terminals),
            ("fs/other", json!({}), false),
        ];
        for (method, params, offered) in all {
            player.signals.clear();
            player.written.clear();
            player.line(&asks(7, method, params));
            assert_eq!(calls(&player).len(), usize::from(offered), "{method}");
            let refused = vec![(json!(7), -32601)];
            assert_eq!(codes(&player), if offered { Vec::new() } else { refused });
        }
    }
}

#[test]
fn files_are_passed_on_and_answered() {
    let mut player = running();
    let part = json!({"path": "/project/a", "line": 3, "limit": 2, "_meta": {}});
    player.line(&asks("r", "fs/read_text_file", part));
    let new = json!({"path": "/project/b", "content": "text\n"});
    player.line(&asks(-1, "fs/write_text_file", new));
    let path = |path: &str| format!("/project/{path}");
    let read = ClientCall::Read {
        path: path("a"),
        line: Some(3),
        limit: Some(2),
    };
    let write = ClientCall::Write {
        path: path("b"),
        content: "text\n".to_owned(),
    };
    assert_eq!(calls(&player), [(1, &read), (2, &write)]);
    assert!(
        player
            .signals
            .iter()
            .all(|s| matches!(s.turn, TurnRef::Host(_)))
    );
    player.served(FIRST, 2, Ok(Done::Nothing));
    player.served(FIRST, 1, Ok(Done::Text("one\n\"two\"\u{1}".to_owned())));
    player.served(FIRST, 1, Ok(Done::Text("again".to_owned())));
    let wanted = [
        json!({"jsonrpc": "2.0", "id": -1, "result": {}}),
        json!({"jsonrpc": "2.0", "id": "r", "result": {"content": "one\n\"two\"\u{1}"}}),
    ];
    assert_eq!(player.written, wanted);
}

#[test]
fn terminals_are_passed_on_and_answered() {
    let mut player = running();
    let create = json!({"command": "sh", "args": ["-c", "ls"], "cwd": "/project/b",
        "env": [{"name": "A", "value": "1"}], "outputByteLimit": 9});
    player.line(&asks(0, "terminal/create", create));
    player.line(&asks(
        1,
        "terminal/create",
        json!({"command": "ls", "args": null}),
    ));
    for (id, method) in [
        (2, "output"),
        (3, "wait_for_exit"),
        (4, "kill"),
        (5, "release"),
    ] {
        let method = format!("terminal/{method}");
        player.line(&asks(id, &method, json!({"terminalId": "t"})));
    }
    let terminal = || "t".to_owned();
    let wanted = [
        ClientCall::Create(NewTerminal {
            command: "sh".to_owned(),
            args: vec!["-c".to_owned(), "ls".to_owned()],
            env: vec![("A".to_owned(), "1".to_owned())],
            cwd: Some("/project/b".to_owned()),
            output_limit: Some(9),
        }),
        ClientCall::Create(NewTerminal {
            command: "ls".to_owned(),
            ..NewTerminal::default()
        }),
        ClientCall::Output {
            terminal: terminal(),
        },
        ClientCall::Wait {
            terminal: terminal(),
        },
        ClientCall::Kill {
            terminal: terminal(),
        },
        ClientCall::Release {
            terminal: terminal(),
        },
    ];
    let passed: Vec<_> = calls(&player).into_iter().map(|(_, call)| call).collect();
    assert_eq!(passed, wanted.iter().collect::<Vec<_>>());
    let ended = |code, signal| Ended { code, signal };
    let output = |ended| Done::Output {
        text: "x".to_owned(),
        truncated: true,
        ended,
    };
    let outcomes = [
        (1, Done::Terminal(terminal()), json!({"terminalId": "t"})),
        (3, output(None), json!({"output": "x", "truncated": true})),
        (
            4,
            Done::Ended(ended(None, Some(9))),
            json!({"signal": "SIGKILL"}),
        ),
        (5, Done::Nothing, json!({})),
    ];
    for (number, done, result) in outcomes {
        player.served(FIRST, number, Ok(done));
        assert_eq!(player.written.last().expect("an answer")["result"], result);
    }
    player.line(&asks(6, "terminal/output", json!({"terminalId": "t"})));
    player.served(FIRST, 7, Ok(output(Some(ended(Some(3), None)))));
    let last = &player.written.last().expect("an answer")["result"];
    assert_eq!(last["exitStatus"], json!({"exitCode": 3}));
}

#[test]
fn what_is_not_done_is_told_with_a_reason() {
    let cases = [
        (Why::Missing, -32002, json!({"uri": "/project/a"})),
        (Why::Refused, -32602, Value::Null),
        (Why::Denied, -32602, Value::Null),
        (Why::Failed, -32603, Value::Null),
    ];
    let mut player = running();
    for (number, (why, code, data)) in (1..).zip(cases) {
        player.line(&reads(number));
        player.served(FIRST, number, Err(Failure::new(why, "so it is")));
        let error = &player.written.last().expect("an answer")["error"];
        assert_eq!(
            (&error["code"], &error["message"]),
            (&json!(code), &json!("so it is"))
        );
        assert_eq!(error["data"], data);
    }
}

#[test]
fn gemini_is_told_of_an_empty_file_where_there_is_none_and_of_nothing_else() {
    let mut player = opened_with(&acp::GEMINI, ALL);
    player.turn(FIRST, "go");
    player.written.clear();
    for (number, why) in [(1, Why::Missing), (2, Why::Refused)] {
        player.line(&reads(number));
        player.served(FIRST, number, Err(Failure::new(why, "no")));
    }
    let write = json!({"path": "/project/none/a", "content": ""});
    player.line(&asks(3, "fs/write_text_file", write));
    player.served(FIRST, 3, Err(Failure::new(Why::Missing, "no")));
    assert_eq!(player.written[0]["result"], json!({"content": ""}));
    assert_eq!(codes(&player), [(json!(2), -32602), (json!(3), -32002)]);
}

#[test]
fn what_cannot_be_a_call_is_refused_and_not_passed_on() {
    let mut player = running();
    let lines = [
        asks(1, "fs/read_text_file", json!({})),
        asks(2, "fs/read_text_file", json!({"path": "/a", "line": -1})),
        asks(3, "fs/write_text_file", json!({"path": "/a"})),
        asks(4, "terminal/create", json!({"command": "a", "env": ["A=1"]})),
        asks(5, "terminal/kill", json!({"terminalId": 1})),
        json!({"id": 6, "method": "fs/read_text_file"}).to_string(),
        json!({"id": 7, "method": "fs/read_text_file", "params": {"path": "/a", "sessionId": "other"}})
            .to_string(),
    ];
    for line in &lines {
        player.line(line);
    }
    let refused: Vec<_> = (1..8).map(|id| (json!(id), -32602)).collect();
    assert_eq!(codes(&player), refused);
    assert!(calls(&player).is_empty());
}

#[test]
fn so_many_calls_wait_and_no_more() {
    let mut player = running();
    let most = CALLS as u64;
    for id in 0..most + 2 {
        player.line(&reads(id));
    }
    assert_eq!(calls(&player).len(), CALLS);
    assert_eq!(
        codes(&player),
        [(json!(most), -32603), (json!(most + 1), -32603)]
    );
    player.served(FIRST, 1, Ok(Done::Text(String::new())));
    player.line(&reads(99));
    assert_eq!(calls(&player).len(), CALLS + 1);
}

#[test]
fn a_call_ends_with_its_turn_and_is_not_answered_again() {
    type End = fn(&mut Player);
    let answered: End = |player| {
        player.line(&json!({"id": 3, "result": {"stopReason": "end_turn"}}).to_string());
    };
    let left: End = |player| {
        let conversation = FIRST;
        player.request(Request::Close { conversation });
    };
    let interrupted: End = |player| player.interrupt(FIRST);
    let ends = [(interrupted, true), (answered, true), (left, false)];
    for (end, commands_stay) in ends {
        let mut player = running();
        player.line(&reads(7));
        player.line(&asks(
            8,
            "terminal/wait_for_exit",
            json!({"terminalId": "t"}),
        ));
        end(&mut player);
        let cancelled = [(json!(7), -32800), (json!(8), -32800)];
        let gone = if commands_stay { 1 } else { 2 };
        assert_eq!(codes(&player), cancelled[..gone]);
        assert_eq!(forgone(&player).len(), gone);
        player.written.clear();
        player.served(FIRST, 1, Ok(Done::Text("late".to_owned())));
        assert!(player.written.is_empty(), "it is dropped");
        player.served(FIRST, 2, Ok(Done::Ended(Ended::default())));
        assert_eq!(player.written.len(), 2 - gone);
    }
}

#[test]
fn a_call_that_the_agent_takes_back_is_cancelled() {
    let mut player = running();
    player.line(&reads(7));
    let taken = json!({"method": "$/cancel_request", "params": {"requestId": 7}}).to_string();
    player.line(&taken);
    player.line(&taken);
    assert_eq!(codes(&player), [(json!(7), -32800)]);
    assert_eq!(forgone(&player), [1]);
}

#[test]
fn what_real_agents_have_done_is_answered_as_their_captures_client_did() {
    let mut compared = 0;
    for name in [
        "kimi-code-fs-terminal",
        "kimi-cli-fs-terminal",
        "gemini-fs-new-file-empty",
    ] {
        let player = play_with(name, ALL);
        for (theirs, ours) in &player.answers {
            assert_eq!(ours["id"], theirs["id"], "{name}");
            assert_eq!(ours["result"], theirs["result"], "{name}");
            assert_eq!(ours["error"]["code"], theirs["error"]["code"], "{name}");
            assert_eq!(ours["error"]["data"], theirs["error"]["data"], "{name}");
            compared += 1;
        }
        assert!(!methods(&player).is_empty());
    }
    assert!(compared > 30, "{compared} answers were compared");
}

#[test]
fn agents_that_call_unasked_are_refused_as_ever() {
    let mut player = Player::new(&acp::OPENCODE, Mode::Warm);
    player.line(&greeting().to_string());
    player.line(&asks(
        1,
        "fs/write_text_file",
        json!({"path": "/a", "content": ""}),
    ));
    assert_eq!(codes(&player), [(json!(1), -32601)]);
}
