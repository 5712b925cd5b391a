//! The host's tools, for agents that have no way of their own to call them: an MCP server of ours
//! over streamable HTTP.
//!
//! It listens on loopback while the session lives, and lets in only who shows a token. Each process
//! of the session has a token of its own, told to it alone and taken back when the session lets go of
//! it: no other user of the machine, and no earlier process, can call a tool. It is told over stdin, or, to
//! an agent that reads no servers there, in its environment and hidden from the commands that it runs. What
//! the agent runs with all rights of the user can get at it all the same, as at anything else of the user.
//!
//! What is called becomes a question of the session, as with agents that call tools over their protocol.

mod caller;
mod door;
mod listener;

pub(crate) use caller::{ToolCall, ToolResult};
pub(crate) use listener::ToolServer;

/// The name of the MCP server that has the host's tools, ours or one within the agent's protocol. Models
/// mostly know the tools as `mcp__host__…`.
pub(crate) const SERVER: &str = "host";

/// Calls of one process that may wait for the host at the same time. More are refused.
const CALLS: usize = 32;

/// Connections that may be open at the same time. More wait to be accepted.
const CONNECTIONS: usize = 64;

#[cfg(test)]
mod tests;
