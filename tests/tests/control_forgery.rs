//! What a tool writes to its agent's descriptors is no line of the agent and no answer of the host.
#![cfg(target_os = "linux")]

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use remuda::config::Requests;
use remuda::event::{Resolution, ResolvedBy};
use remuda::request::Answer;
use remuda::{Body, EventKind, Feature, Pool};
use remuda_tests::{Scene, Tape, bounded, isolated_async, scripted_agent, those_that};

#[test]
fn a_tool_cannot_answer_its_own_question_or_end_the_turn() {
    isolated_async(async || {
        for protocol in those_that(Feature::CommandApproval) {
            let scene = Scene::new(protocol, Pool::builder());
            let session = scene.open_with(|options| options.requests = Requests::Host);
            let mut tape = Tape::of(&session);
            for _ in 0..5 {
                let turn = session.send("[[forge Bash rm]]").expect("a turn");
                let opened = tape.until_kind(EventKind::RequestOpened).await;
                let Body::RequestOpened { request, .. } = opened.body else {
                    panic!("{opened:?}")
                };
                let no = Answer::Deny {
                    message: "no".to_owned(),
                    interrupt: false,
                };
                session.answer(request, no).await.expect("it is open");
                let answer = bounded("the end", turn.result()).await;
                let answer = answer.expect("the turn goes on");
                assert_eq!(answer.text, r#"{"allowed":false,"written":0}"#);
            }
            drop(session);
            let events = tape.whole().await;
            for event in events {
                if let Body::RequestResolved { resolution, by, .. } = event.body {
                    let host = (Resolution::Denied, ResolvedBy::Host);
                    assert_eq!((resolution, by), host);
                }
            }
            scene.end().await;
        }
    });
}

#[test]
fn where_nobody_answers_a_forged_yes_changes_nothing() {
    isolated_async(async || {
        for protocol in remuda_tests::PROTOCOLS {
            let scene = Scene::new(protocol, Pool::builder());
            let session = scene.open();
            let answer = bounded("the end", session.ask("[[forge Bash rm]]")).await;
            let answer = answer.expect("the turn goes on");
            assert_eq!(answer.text, r#"{"allowed":false,"written":0}"#);
            drop(session);
            scene.end().await;
        }
    });
}

/// Over pipes the same tool succeeds: what the other tests look for can be seen.
#[test]
fn over_pipes_the_same_tool_forges_both() {
    let mut agent = Command::new(scripted_agent())
        .args(["-p", "--input-format", "stream-json", "--output-format"])
        .args([
            "stream-json",
            "--verbose",
            "--permission-prompt-tool",
            "stdio",
        ])
        .env("SCRIPTED_AGENT_PROTOCOL", "claude")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the agent starts");
    let mut input = agent.stdin.take().expect("a pipe");
    let prompt = r#"{"type":"user","message":{"role":"user","content":"[[forge Bash rm]]"}}"#;
    writeln!(input, "{prompt}").expect("it reads");
    let output = BufReader::new(agent.stdout.take().expect("a pipe"));
    let mut lines = output.lines().map(|line| line.expect("text"));
    assert!(lines.any(|line| line.contains(r#""result":"forged""#)));
    assert!(lines.any(|line| line.contains(r#"{\"allowed\":true"#)));
    drop(input);
    agent.wait().expect("it ends");
}
