//! Lines that a host must survive: no protocol, or a protocol from nowhere.

use std::time::Instant;

use scripted_agent::NoiseKind;
use serde_json::{Value, json};

use crate::args::Role;
use crate::context::Agent;
use crate::faults::LONGEST;
use crate::{acp, lock};

/// Writes a message with invalid UTF-8 in it.
pub(crate) fn invalid_utf8(agent: &Agent) {
    agent.bytes_line(b"{\"type\":\"system\",\"subtype\":\"bad \xff\xfe\"}".to_vec());
}

/// Writes lines that are no protocol.
pub(crate) fn noise(agent: &Agent, kind: NoiseKind) {
    let lines: &[&[u8]] = match kind {
        NoiseKind::Banner => &[b"Update available! Run the updater."],
        NoiseKind::Bom => &[b"\xef\xbb\xbf{\"type\":\"keep_alive\"}"],
        NoiseKind::Nul => &[b"\0\0nul\0"],
        NoiseKind::Ansi => &[b"\x1b[31mred\x1b[0m\x1b]0;title\x07"],
        NoiseKind::Blank => &[b"", b"\r", b"   "],
        NoiseKind::All => {
            let all = [
                NoiseKind::Banner,
                NoiseKind::Bom,
                NoiseKind::Nul,
                NoiseKind::Ansi,
                NoiseKind::Blank,
            ];
            for kind in all {
                noise(agent, kind);
            }
            return;
        }
    };
    for line in lines {
        agent.bytes_line(line.to_vec());
    }
}

/// Makes a line of so many nested arrays.
pub(crate) fn deep(depth: u64) -> Vec<u8> {
    let depth = usize::try_from(depth).unwrap_or(0);
    let mut line =
        b"{\"type\":\"system\",\"subtype\":\"deep\",\"method\":\"deep/json\",\"params\":".to_vec();
    line.extend(std::iter::repeat_n(b'[', depth));
    line.extend(std::iter::repeat_n(b']', depth));
    line.push(b'}');
    line
}

fn is_acp(agent: &Agent) -> bool {
    matches!(agent.role, Role::Acp)
}

fn is_claude(agent: &Agent) -> bool {
    matches!(agent.role, Role::Claude(_))
}

/// Writes messages of kinds that nobody knows.
pub(crate) fn unknown(agent: &Agent) {
    let lines: [Value; 4] = if is_acp(agent) {
        acp::unknown(&lock(&agent.latest))
    } else if is_claude(agent) {
        [
            json!({"type": "from_the_future", "session_id": "x", "payload": {"a": [1, 2, null]}}),
            json!({"type": "system", "subtype": "from_the_future"}),
            json!({"type": "stream_event", "event": {"type": "from_the_future"}}),
            json!({"no_type": true}),
        ]
    } else {
        [
            json!({"method": "from/theFuture", "params": {"threadId": "x", "payload": {"a": [1, 2, null]}}}),
            json!({"method": "item/started", "params": {"threadId": "x", "turnId": "y", "item": {"type": "fromTheFuture", "id": "z"}}}),
            json!({"type": "item.future", "item": {"id": "item_0", "type": "from_the_future"}}),
            json!({"no_method": true}),
        ]
    };
    for line in &lines {
        agent.line(line);
    }
}

/// Writes messages whose members have wrong types.
pub(crate) fn wrong(agent: &Agent) {
    let lines: [Value; 5] = if is_acp(agent) {
        acp::wrong(&lock(&agent.latest))
    } else if is_claude(agent) {
        [
            json!({"type": 5}),
            json!({"type": "assistant", "message": "not an object"}),
            json!({"type": "stream_event", "event": {"type": "content_block_delta", "index": "zero", "delta": []}}),
            json!({"type": "control_response", "response": null}),
            json!(["not", "an", "object"]),
        ]
    } else {
        [
            json!({"method": 5, "params": []}),
            json!({"method": "item/agentMessage/delta", "params": {"threadId": 1, "delta": {}}}),
            json!({"method": "turn/started", "params": "not an object"}),
            json!({"type": "item.completed", "item": 7}),
            json!(["not", "an", "object"]),
        ]
    };
    for line in &lines {
        agent.line(line);
    }
}

/// Writes a line that never ends, up to a size.
pub(crate) fn endless(agent: &Agent, megabytes: u64) {
    let start = Instant::now();
    let block = vec![b'x'; 1 << 20];
    agent.block(b"{\"type\":\"assistant\",\"method\":\"x\",\"text\":\"", 0);
    for _ in 0..megabytes {
        if start.elapsed() > LONGEST {
            return;
        }
        agent.block(&block, 0);
    }
}
