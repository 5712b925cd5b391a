//! A host application for the tests: it brings sessions into a state, says `ready`, and lives on
//! until it is killed, or ends in one of the ways in which hosts end.
//!
//! `test-host STATE PROTOCOL END`. It never shuts its pool down in order.

use std::io::Write;
use std::time::Duration;

use remuda::config::Persistent;
use remuda::{Body, EventKind, Pool, Session, Turn};
use remuda_tests::{Scene, Tape};
use scripted_agent::{Action, ChildKind, Script, Trigger};

/// What each agent starts: a process of every kind that gets away from something.
const CHILDREN: [ChildKind; 6] = [
    ChildKind::Plain,
    ChildKind::Pgrp,
    ChildKind::Setsid,
    ChildKind::DoubleFork,
    ChildKind::CleanEnv,
    ChildKind::TermProof,
];

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [state, protocol, end] = words.as_slice() else {
        panic!("test-host STATE PROTOCOL END");
    };
    let protocol = remuda_tests::PROTOCOLS
        .into_iter()
        .chain(["acp"])
        .find(|known| known == protocol)
        .expect("a protocol");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let held = runtime.block_on(bring_into(state, protocol));
    say("ready");
    match end.as_str() {
        "live" => loop {
            std::thread::park();
        },
        "return" => drop(runtime),
        "return-holding" => std::mem::forget(held),
        "exit" => std::process::exit(0),
        "abort" => std::process::abort(),
        "panic" => panic!("as asked"),
        "panic-in-thread" => {
            let thread = std::thread::spawn(move || {
                let _held = held;
                panic!("as asked");
            });
            assert!(thread.join().is_err());
            say("panicked");
            loop {
                std::thread::park();
            }
        }
        other => panic!("unknown end: {other}"),
    }
}

/// Tells the test, which reads line by line.
fn say(word: &str) {
    let mut out = std::io::stdout();
    writeln!(out, "{word}")
        .and_then(|()| out.flush())
        .expect("somebody reads");
}

/// What a host holds of the library.
struct Held {
    _turns: Vec<Turn>,
    _sessions: Vec<Session>,
    scene: Scene,
}

/// Instructions by which an agent starts the children and then does not go by itself.
fn stubborn() -> String {
    let children = CHILDREN.map(|kind| format!("[[children {}]]", name(kind)));
    format!("[[ignore-signals]] [[ignore-eof]] {}", children.concat())
}

fn name(kind: ChildKind) -> &'static str {
    match kind {
        ChildKind::Plain => "plain",
        ChildKind::Pgrp => "pgrp",
        ChildKind::Setsid => "setsid",
        ChildKind::DoubleFork => "double-fork",
        ChildKind::CleanEnv => "clean-env",
        ChildKind::TermProof => "term-proof",
    }
}

/// Waits until the agent uses a tool, which it does after all instructions before it.
async fn in_tool(mut turn: Turn) -> Turn {
    loop {
        let event = turn.next().await.expect("the turn goes on");
        if event.kind() == EventKind::ToolUse {
            return turn;
        }
    }
}

/// Waits until the agent has said this.
async fn saying(mut turn: Turn, words: &str) -> Turn {
    let mut said = String::new();
    while !said.contains(words) {
        let event = turn.next().await.expect("the turn goes on");
        if let Body::TextDelta { text, .. } = &event.body {
            said.push_str(text);
        }
    }
    turn
}

/// Sends a turn that starts children and goes on as told.
fn hanging(session: &Session, tail: &str) -> Turn {
    let prompt = format!("{} {tail}", stubborn());
    session.send(prompt).expect("accepted")
}

async fn bring_into(state: &str, protocol: &'static str) -> Held {
    let tool = "[[tool Bash make 100000]]";
    let pool = Pool::builder();
    let (scene, sessions, turns) = match state {
        "starting" => {
            let children = CHILDREN.map(|kind| Action::Children(kind, 1));
            let script = Script::new()
                .on(Trigger::Start, [Action::IgnoreSignals, Action::IgnoreEof])
                .on(Trigger::Start, children)
                .on(Trigger::Start, [Action::Freeze]);
            let scene = Scene::scripted(protocol, pool, &script);
            let sessions = vec![scene.open(), scene.open()];
            let turns = sessions.iter().map(|s| s.send("hello").expect("accepted"));
            let turns = turns.collect();
            (scene, sessions, turns)
        }
        "idle" => {
            let scene = Scene::new(protocol, pool);
            let session = scene.open();
            session.ask(stubborn()).await.expect("an answer");
            (scene, vec![session], vec![])
        }
        "mid-text" => {
            let scene = Scene::new(protocol, pool);
            let session = scene.open();
            let turn = hanging(&session, "[[say begun]] [[paced 500 per second 100000]]");
            let turn = saying(turn, "begun").await;
            (scene, vec![session], vec![turn])
        }
        "mid-tool" => {
            let scene = Scene::new(protocol, pool);
            let session = scene.open();
            let turn = hanging(&session, &format!("[[hopper 200 60]] {tool}"));
            let turn = in_tool(turn).await;
            (scene, vec![session], vec![turn])
        }
        "one-shot" => {
            let scene = Scene::new(protocol, pool);
            let session = scene.open_with(|o| o.persistent = Persistent::Never);
            let turn = in_tool(hanging(&session, tool)).await;
            (scene, vec![session], vec![turn])
        }
        "command" => command(protocol).await,
        "many" => many(protocol, tool).await,
        "without-sigchld" => without_sigchld(protocol).await,
        "shutdown" => {
            let (scene, sessions, turns) = many(protocol, tool).await;
            let pool = scene.pool.clone();
            tokio::spawn(async move { pool.shutdown(Duration::from_mins(1)).await });
            tokio::task::yield_now().await;
            (scene, sessions, turns)
        }
        "evicting" => {
            let scene = Scene::new(protocol, pool.max_warm(1));
            let [old, new] = [scene.open(), scene.open()];
            old.ask(stubborn()).await.expect("an answer");
            let turn = in_tool(hanging(&new, tool)).await;
            assert_eq!(scene.pool.stats().evicted, 1);
            (scene, vec![old, new], vec![turn])
        }
        other => panic!("unknown state: {other}"),
    };
    Held {
        scene,
        _sessions: sessions,
        _turns: turns,
    }
}

/// A command that the library runs for the agent, with descendants that got away from it.
async fn command(protocol: &'static str) -> (Scene, Vec<Session>, Vec<Turn>) {
    let scene = Scene::new(protocol, Pool::builder());
    let cwd = scene.options().cwd;
    let session = scene.open_with(|options| options.client.terminals = true);
    // Each says that it is there before all of it is.
    let line = r#"
        trap '' TERM INT HUP
        waits='touch "$0"; exec sleep 1000'
        setsid sh -c "$waits" session &
        (setsid sh -c "$waits" daemon &)
        env -i /bin/sh -c "$waits" cleared &
        until [ -e session ] && [ -e daemon ] && [ -e cleared ]; do sleep 0.01; done
        touch begun
        exec sleep 1000
    "#;
    let params = serde_json::json!({ "command": line }).to_string();
    let params = serde_json::Value::from(params);
    let prompt = format!("[[request terminal/create {params}]] [[hang]]");
    let turn = session.send(prompt).expect("accepted");
    while !cwd.join("begun").exists() {
        assert!(session.snapshot().running.is_some(), "the turn is over");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    (scene, vec![session], vec![turn])
}

/// Sees that turns, deaths and ends are told in a host whose children leave no status.
async fn without_sigchld(protocol: &'static str) -> (Scene, Vec<Session>, Vec<Turn>) {
    let status = std::fs::read_to_string("/proc/self/status").expect("/proc is there");
    let ignored = status.lines().find_map(|l| l.strip_prefix("SigIgn:\t"));
    let ignored = u64::from_str_radix(ignored.expect("a mask"), 16).expect("a mask");
    assert_ne!(ignored & (1 << 16), 0, "SIGCHLD is ignored");
    let scene = Scene::new(protocol, Pool::builder());
    let session = scene.open();
    let tape = Tape::of(&session);
    session.ask("one").await.expect("an answer");
    let died = session.ask("[[exit 3]]").await.expect_err("it dies");
    assert!(died.to_string().contains("exit code 3"), "{died}");
    session.ask("three").await.expect("an answer");
    assert_eq!(session.closed().await, [0; 0]);
    tape.whole().await;
    (scene, vec![session], vec![])
}

/// More sessions than slots, all in the middle of a tool.
async fn many(protocol: &'static str, tool: &str) -> (Scene, Vec<Session>, Vec<Turn>) {
    let pool = Pool::builder().max_warm(4).max_processes(6_usize);
    let scene = Scene::new(protocol, pool);
    let sessions: Vec<_> = (0..6).map(|_| scene.open()).collect();
    let mut turns = Vec::new();
    for session in &sessions {
        turns.push(hanging(session, tool));
    }
    let mut running = Vec::new();
    for turn in turns {
        running.push(in_tool(turn).await);
    }
    (scene, sessions, running)
}

impl Drop for Held {
    /// Only says that the pool is seen to.
    fn drop(&mut self) {
        let _ = self.scene.pool.stats();
    }
}
