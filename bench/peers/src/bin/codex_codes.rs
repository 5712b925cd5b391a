//! The crate `codex-codes`, its asynchronous client, as its examples use it.

use std::process::Stdio;

use bench_peers::{Plan, Tally};
use codex_codes::{AsyncClient, Notification, ServerMessage};
use serde_json::{from_value, json};

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let plan = Plan::read(0);
    let mut warm = None;
    if plan.warm {
        let mut opened = open(&plan).await;
        turn(&mut opened, "hello", false, &mut Tally::start()).await;
        warm = Some(opened);
    }
    let mut tally = Tally::start();
    for _ in 0..plan.turns {
        match &mut warm {
            Some(opened) => turn(opened, &plan.prompt, plan.stamped(), &mut tally).await,
            None => {
                let mut opened = open(&plan).await;
                turn(&mut opened, &plan.prompt, plan.stamped(), &mut tally).await;
                opened.0.shutdown().await.expect("it ends");
            }
        }
    }
    tally.print();
}

async fn open(plan: &Plan) -> (AsyncClient, String) {
    let child = tokio::process::Command::new(&plan.agent)
        .arg("app-server")
        .current_dir(&plan.folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("the agent starts");
    let mut client = AsyncClient::new(child).expect("a client");
    let hello = json!({"clientInfo": {"name": "bench", "version": "1"}});
    client
        .initialize(&from_value(hello).expect("parameters"))
        .await
        .expect("it answers");
    let start = json!({"cwd": plan.folder, "approvalPolicy": "never"});
    let thread = client
        .thread_start(&from_value(start).expect("parameters"))
        .await
        .expect("it answers");
    let id = thread.thread.id.as_str().to_owned();
    (client, id)
}

async fn turn(
    (client, thread): &mut (AsyncClient, String),
    prompt: &str,
    stamped: bool,
    tally: &mut Tally,
) {
    tally.turn_begins();
    let start = json!({"threadId": thread, "input": [{"type": "text", "text": prompt}]});
    client
        .turn_start(&from_value(start).expect("parameters"))
        .await
        .expect("it answers");
    while let Some(message) = client.next_message().await.expect("a line") {
        match message {
            ServerMessage::Notification(Notification::AgentMessageDelta(piece)) => {
                tally.piece(&piece.delta, stamped);
            }
            ServerMessage::Notification(Notification::TurnCompleted(_)) => {
                return tally.turn_ends();
            }
            _ => {}
        }
    }
    panic!("the agent's output ended");
}
