//! What the agent's MCP client meets: a list of tools, and calls that wait for the host.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, Implementation,
    ListToolsResult, PaginatedRequestParams, ServerCapabilities, ServerConfig, Tool,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler};
use tokio::sync::{Semaphore, mpsc, oneshot};

use super::{CALLS, SERVER};
use crate::config::HostTool;
use crate::event::RawJson;
use crate::ids::ProcessId;
use crate::session::Call;

/// A call of a tool, on its way to the session.
#[derive(Debug)]
pub(crate) struct ToolCall {
    /// The process that calls.
    pub process: ProcessId,
    /// The number of the call within the session.
    pub number: u64,
    pub tool: String,
    pub input: RawJson,
}

/// What a tool gave, and whether it failed.
pub(crate) type ToolResult = (String, bool);

/// The tools, as one process sees them.
#[derive(Clone)]
pub(super) struct Caller {
    process: ProcessId,
    list: Arc<[Tool]>,
    /// Weak: a server must not keep its session open.
    session: mpsc::WeakUnboundedSender<Call>,
    places: Arc<Semaphore>,
    numbers: Arc<AtomicU64>,
}

impl Caller {
    pub(super) fn new(
        process: ProcessId,
        list: Arc<[Tool]>,
        session: mpsc::WeakUnboundedSender<Call>,
        numbers: Arc<AtomicU64>,
    ) -> Self {
        let places = Arc::new(Semaphore::new(CALLS));
        Self {
            process,
            list,
            session,
            places,
            numbers,
        }
    }

    /// Asks the session, and waits.
    async fn call(&self, params: CallToolRequestParams) -> ToolResult {
        let Ok(_place) = self.places.try_acquire() else {
            return refused("too many calls wait");
        };
        let Some(session) = self.session.upgrade() else {
            return refused("the session is closed");
        };
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let input = serde_json::value::to_raw_value(&params.arguments.unwrap_or_default());
        let call = ToolCall {
            process: self.process,
            number,
            tool: params.name.into_owned(),
            input: input.map_or_else(|_| RawJson::from_text("{}"), RawJson::from),
        };
        let (reply, result) = oneshot::channel();
        if session.send(Call::Tool { call, reply }).is_err() {
            return refused("the session is closed");
        }
        // The agent may leave at any time, which drops this.
        let waiting = Waiting {
            number,
            session: &self.session,
        };
        let result = result.await;
        std::mem::forget(waiting);
        result.unwrap_or_else(|_| refused("the session is closed"))
    }
}

/// Tells the session that nobody waits for a call any more.
struct Waiting<'a> {
    number: u64,
    session: &'a mpsc::WeakUnboundedSender<Call>,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if let Some(session) = self.session.upgrade() {
            // A session that is gone waits for nothing.
            let _ = session.send(Call::ToolLeft(self.number));
        }
    }
}

fn refused(why: &str) -> ToolResult {
    (why.to_owned(), true)
}

impl ServerHandler for Caller {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(Implementation::new(SERVER, env!("CARGO_PKG_VERSION")))
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(self.list.to_vec()))
    }

    async fn call_tool(
        &self,
        params: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        if !self.list.iter().any(|tool| tool.name == params.name) {
            let message = format!("there is no tool {}", params.name);
            return Err(ErrorData::invalid_params(message, None));
        }
        tokio::select! {
            (text, is_error) = self.call(params) => {
                let said = vec![ContentBlock::text(text)];
                Ok(if is_error {
                    CallToolResult::error(said)
                } else {
                    CallToolResult::success(said)
                }
                .into())
            }
            () = context.ct.cancelled() => Ok(CallToolResult::error(Vec::new()).into()),
        }
    }
}

/// A tool in the protocol's words. `None` for a schema that the options refuse.
pub(super) fn describe(tool: &HostTool) -> Option<Tool> {
    let schema = tool.schema().ok()?;
    Some(Tool::new(
        tool.name.clone(),
        tool.description.clone(),
        Arc::new(schema),
    ))
}
