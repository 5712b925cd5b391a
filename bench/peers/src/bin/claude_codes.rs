//! The crate `claude-codes`, its asynchronous client, as its examples use it.

use bench_peers::{Plan, Tally};
use claude_codes::{AsyncClient, ClaudeInput, ClaudeOutput};
use std::process::Stdio;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let plan = Plan::read(0);
    let mut warm = None;
    if plan.warm {
        let mut client = start(&plan);
        turn(&mut client, "hello", false, &mut Tally::start()).await;
        warm = Some(client);
    }
    let mut tally = Tally::start();
    for _ in 0..plan.turns {
        match &mut warm {
            Some(client) => turn(client, &plan.prompt, plan.stamped(), &mut tally).await,
            None => {
                let mut client = start(&plan);
                turn(&mut client, &plan.prompt, plan.stamped(), &mut tally).await;
                client.shutdown().await.expect("it ends");
            }
        }
    }
    tally.print();
}

fn start(plan: &Plan) -> AsyncClient {
    let child = tokio::process::Command::new(&plan.agent)
        .args([
            "-p",
            "--input-format=stream-json",
            "--output-format=stream-json",
            "--verbose",
        ])
        .args(["--include-partial-messages", "--replay-user-messages"])
        .current_dir(&plan.folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("the agent starts");
    AsyncClient::new(child).expect("a client")
}

async fn turn(client: &mut AsyncClient, prompt: &str, stamped: bool, tally: &mut Tally) {
    tally.turn_begins();
    client
        .send(&ClaudeInput::user_message_without_session(prompt))
        .await
        .expect("it reads");
    loop {
        match client.receive().await.expect("a line") {
            ClaudeOutput::StreamEvent(line) => {
                if let Some(text) = line.event.get("delta").and_then(|delta| delta.get("text")) {
                    tally.piece(text.as_str().unwrap_or_default(), stamped);
                }
            }
            ClaudeOutput::Result(_) => return tally.turn_ends(),
            _ => {}
        }
    }
}
