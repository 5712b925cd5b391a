//! The crate `agent-client-protocol`, as its examples use it.

use std::sync::{Arc, Mutex};

use agent_client_protocol::schema::ProtocolVersion;
use agent_client_protocol::v1::ConnectionTo;
use agent_client_protocol::v1::schema::{
    ContentBlock, InitializeRequest, NewSessionRequest, PromptRequest, SessionNotification,
    SessionUpdate, TextContent,
};
use agent_client_protocol::{AcpAgent, Agent};
use bench_peers::{Plan, Tally};

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let plan = Arc::new(Plan::read(0));
    let tally = Arc::new(Mutex::new(Tally::start()));
    if plan.warm {
        connect(&plan, &tally, plan.turns, true).await;
    } else {
        for _ in 0..plan.turns {
            connect(&plan, &tally, 1, false).await;
        }
        tally.lock().expect("not poisoned").print();
    }
}

async fn connect(plan: &Arc<Plan>, tally: &Arc<Mutex<Tally>>, turns: usize, warm: bool) {
    let command = format!("{} acp", plan.agent.display());
    let agent: AcpAgent = command.parse().expect("a command");
    let (stamped, heard, told, plan) = (
        plan.stamped(),
        Arc::clone(tally),
        Arc::clone(tally),
        Arc::clone(plan),
    );
    agent_client_protocol::Client
        .v1()
        .on_receive_notification(
            async move |said: SessionNotification, _| {
                if let SessionUpdate::AgentMessageChunk(chunk) = said.update
                    && let ContentBlock::Text(text) = chunk.content
                {
                    heard
                        .lock()
                        .expect("not poisoned")
                        .piece(&text.text, stamped);
                }
                Ok(())
            },
            agent_client_protocol::on_receive_notification!(),
        )
        .connect_with(agent, |connection: ConnectionTo<Agent>| async move {
            connection
                .send_request(InitializeRequest::new(ProtocolVersion::V1))
                .block_task()
                .await?;
            let opened = connection.send_request(NewSessionRequest::new(plan.folder.clone()));
            let id = opened.block_task().await?.session_id;
            let turn = async |prompt: &str| {
                told.lock().expect("not poisoned").turn_begins();
                let text = ContentBlock::Text(TextContent::new(prompt));
                let asked = connection.send_request(PromptRequest::new(id.clone(), vec![text]));
                asked.block_task().await?;
                told.lock().expect("not poisoned").turn_ends();
                Ok::<_, agent_client_protocol::Error>(())
            };
            if warm {
                turn("hello").await?;
                *told.lock().expect("not poisoned") = Tally::start();
            }
            for _ in 0..turns {
                turn(&plan.prompt).await?;
            }
            if warm {
                told.lock().expect("not poisoned").print();
            }
            Ok(())
        })
        .await
        .expect("it goes well");
}
