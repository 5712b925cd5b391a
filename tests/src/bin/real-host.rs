//! A host that opens one session, sends one message, and waits to be killed.
//!
//! Its arguments are the session's options as JSON, and the message.

use remuda::{Pool, SessionOptions};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let options = arguments.next().expect("options");
    let options: SessionOptions = serde_json::from_str(&options).expect("options are JSON");
    let message = arguments.next().expect("a message");
    let pool = Pool::new().expect("a pool");
    let session = pool.open(options).expect("a session");
    let turn = session.send(message).expect("a turn");
    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }.build().expect("a runtime");
    let end = runtime.block_on(turn.result());
    panic!("the turn ended: {end:?}");
}
