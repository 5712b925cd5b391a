//! The server, from the outside: bytes on a socket.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use super::{CALLS, ToolServer};
use crate::config::{HostTool, McpServer};
use crate::event::RawJson;
use crate::ids::ProcessId;
use crate::session::Call;

struct Rig {
    server: ToolServer,
    session: mpsc::UnboundedReceiver<Call>,
    _open: mpsc::UnboundedSender<Call>,
}

/// The way in, as a process is told it.
struct Way {
    address: String,
    password: String,
}

fn rig() -> Rig {
    let tool = HostTool {
        name: "add".to_owned(),
        description: "Adds".to_owned(),
        input_schema: RawJson::from_text(r#"{"type":"object"}"#),
    };
    let (open, session) = mpsc::unbounded_channel();
    let server = ToolServer::start(&[tool], open.downgrade()).expect("a port");
    Rig {
        server,
        session,
        _open: open,
    }
}

impl Rig {
    fn admit(&self) -> (ProcessId, Way) {
        let process = ProcessId::next();
        let McpServer::Http { url, headers } = self.server.admit(process) else {
            panic!("it is a server over HTTP");
        };
        let rest = url.strip_prefix("http://127.0.0.1:").expect("loopback");
        let port = rest.strip_suffix("/mcp").expect("a port");
        let way = Way {
            address: format!("127.0.0.1:{port}"),
            password: headers["Authorization"].clone(),
        };
        (process, way)
    }

    async fn next(&mut self) -> Call {
        self.session.recv().await.expect("the session is told")
    }
}

impl Way {
    async fn send(&self, password: &str, body: &Value) -> TcpStream {
        let mut stream = TcpStream::connect(&self.address).await.expect("it listens");
        let body = body.to_string();
        let head = format!(
            "POST /mcp HTTP/1.1\r\nhost: {}\r\nauthorization: {password}\r\n\
             content-type: application/json\r\naccept: application/json, text/event-stream\r\n\
             connection: close\r\ncontent-length: {}\r\n\r\n",
            self.address,
            body.len()
        );
        stream
            .write_all((head + &body).as_bytes())
            .await
            .expect("it reads");
        stream
    }

    /// The status, and the one message of the answer.
    async fn ask(&self, password: &str, body: &Value) -> (u16, Value) {
        let mut stream = self.send(password, body).await;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("an answer");
        let status = answer[9..12].parse().expect("a status");
        let message = answer
            .lines()
            .filter_map(|line| serde_json::from_str(line.trim_start_matches("data: ")).ok())
            .find(Value::is_object);
        (status, message.unwrap_or_default())
    }

    async fn say(&self, body: &Value) -> Value {
        let (status, message) = self.ask(&self.password, body).await;
        assert_eq!(status, 200);
        message
    }
}

fn hello() -> Value {
    json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-06-18", "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"}}})
}

fn call(tool: &str) -> Value {
    json!({"jsonrpc": "2.0", "id": 2, "method": "tools/call",
        "params": {"name": tool, "arguments": {"a": 1}}})
}

#[tokio::test]
async fn the_tools_are_listed_as_the_host_named_them() {
    let rig = rig();
    let (_, way) = rig.admit();
    let hello = way.say(&hello()).await;
    assert_eq!(hello["result"]["serverInfo"]["name"], "host");
    let list = json!({"jsonrpc": "2.0", "id": 3, "method": "tools/list"});
    let tools = &way.say(&list).await["result"]["tools"];
    assert_eq!(tools[0]["name"], "add");
    assert_eq!(tools[0]["description"], "Adds");
    assert_eq!(tools[0]["inputSchema"], json!({"type": "object"}));
    assert_eq!(tools.as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn a_call_waits_for_the_session_and_gets_its_answer() {
    let mut rig = rig();
    let (process, way) = rig.admit();
    for failed in [false, true] {
        let body = call("add");
        let asked = way.say(&body);
        let session = async {
            let Call::Tool { call, reply } = rig.next().await else {
                panic!("that is no call");
            };
            assert_eq!((call.process, call.tool.as_str()), (process, "add"));
            assert_eq!(call.input.get(), r#"{"a":1}"#);
            reply.send(("two".to_owned(), failed)).expect("it waits");
        };
        let (answer, ()) = tokio::join!(asked, session);
        assert_eq!(answer["result"]["content"][0]["text"], "two");
        assert_eq!(answer["result"]["isError"], failed);
    }
}

#[tokio::test]
async fn nobody_without_the_processs_own_token_is_let_in() {
    let mut rig = rig();
    let (first, old) = rig.admit();
    let (_, new) = rig.admit();
    assert_ne!(old.password, new.password);
    let short = &old.password[..old.password.len() - 1];
    let long = format!("{}0", old.password);
    for wrong in ["", "Bearer ", "Bearer 0", short, &long] {
        assert_eq!(old.ask(wrong, &call("add")).await.0, 401, "{wrong:?}");
    }
    rig.server.dismiss(first);
    assert_eq!(old.ask(&old.password, &hello()).await.0, 401);
    assert_eq!(new.ask(&new.password, &hello()).await.0, 200);
    assert!(rig.session.try_recv().is_err(), "the session heard nothing");
}

#[tokio::test]
async fn a_tool_that_there_is_not_is_refused_without_asking() {
    let mut rig = rig();
    let (_, way) = rig.admit();
    let answer = way.say(&call("other")).await;
    assert_eq!(answer["error"]["code"], -32602);
    assert!(rig.session.try_recv().is_err());
}

#[tokio::test]
async fn a_client_that_leaves_takes_its_call_back() {
    let mut rig = rig();
    let (_, way) = rig.admit();
    let stream = way.send(&way.password, &call("add")).await;
    let Call::Tool { call, reply } = rig.next().await else {
        panic!("that is no call");
    };
    drop(stream);
    let Call::ToolLeft(number) = rig.next().await else {
        panic!("that is not the end of the call");
    };
    assert_eq!(number, call.number);
    assert!(reply.is_closed());
}

#[tokio::test]
async fn more_calls_than_may_wait_are_refused() {
    let mut rig = rig();
    let (_, way) = rig.admit();
    let mut waiting = Vec::new();
    for _ in 0..CALLS {
        waiting.push((
            way.send(&way.password, &call("add")).await,
            rig.next().await,
        ));
    }
    let answer = way.say(&call("add")).await;
    assert_eq!(answer["result"]["isError"], true);
    assert!(rig.session.try_recv().is_err());
}

#[tokio::test]
async fn the_end_of_the_server_ends_every_call() {
    let mut rig = rig();
    let (_, way) = rig.admit();
    let mut stream = way.send(&way.password, &call("add")).await;
    let waiting = rig.next().await;
    drop(rig.server);
    let mut rest = Vec::new();
    // The end, or a reset: whoever waits learns it.
    let _ = stream.read_to_end(&mut rest).await;
    assert!(matches!(waiting, Call::Tool { reply, .. } if reply.is_closed()));
    assert!(TcpStream::connect(&way.address).await.is_err());
}
