//! The server of one session.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use http_body_util::combinators::BoxBody;
use hyper::body::{Bytes, Incoming};
use hyper::header::AUTHORIZATION;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use parking_lot::Mutex;
use rmcp::model::Tool;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::{AbortHandle, JoinSet};

use super::CONNECTIONS;
use super::caller::{Caller, describe};
use super::door::{Door, Service};
use crate::config::{HostTool, McpServer};
use crate::error::{Error, ErrorKind};
use crate::ids::ProcessId;
use crate::session::Call;

type Body = BoxBody<Bytes, Infallible>;

/// Serves a session's tools until it is dropped.
pub(crate) struct ToolServer {
    address: SocketAddr,
    list: Arc<[Tool]>,
    session: mpsc::WeakUnboundedSender<Call>,
    numbers: Arc<AtomicU64>,
    doors: Arc<Mutex<Vec<Door>>>,
    task: AbortHandle,
}

impl ToolServer {
    /// Listens on a port of the system's choice. Called within a runtime.
    ///
    /// # Errors
    ///
    /// What the system says, as a shortage.
    pub(crate) fn start(
        tools: &[HostTool],
        session: mpsc::WeakUnboundedSender<Call>,
    ) -> Result<Self, Error> {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(refused)?;
        listener.set_nonblocking(true).map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        let listener = TcpListener::from_std(listener).map_err(refused)?;
        let doors = Arc::new(Mutex::new(Vec::new()));
        let task = tokio::spawn(accept(listener, Arc::clone(&doors)));
        Ok(Self {
            address,
            list: tools.iter().filter_map(describe).collect(),
            session,
            numbers: Arc::default(),
            doors,
            task: task.abort_handle(),
        })
    }

    /// Lets a process in. What is given back tells it how.
    pub(crate) fn admit(&self, process: ProcessId) -> McpServer {
        let (list, session) = (Arc::clone(&self.list), self.session.clone());
        let caller = Caller::new(process, list, session, Arc::clone(&self.numbers));
        let door = Door::new(process, caller);
        let password = door.password();
        self.doors.lock().push(door);
        McpServer::Http {
            url: format!("http://{}/mcp", self.address),
            headers: BTreeMap::from([("Authorization".to_owned(), password)]),
        }
    }

    /// Lets a process in no more.
    pub(crate) fn dismiss(&self, process: ProcessId) {
        self.doors.lock().retain(|door| door.process != process);
    }
}

impl Drop for ToolServer {
    fn drop(&mut self) {
        // Its connections are its own, and end with it.
        self.task.abort();
    }
}

impl std::fmt::Debug for ToolServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ToolServer")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

/// A host without a descriptor or a port left is no fault of the agent.
#[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` gives")]
fn refused(error: std::io::Error) -> Error {
    let message = format!("no server for the host's tools: {error}");
    Error::new(ErrorKind::Shortage, message)
}

async fn accept(listener: TcpListener, doors: Arc<Mutex<Vec<Door>>>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, _)) => {
                let doors = Arc::clone(&doors);
                connections.spawn(async move {
                    serve(stream, doors).await;
                    drop(place);
                });
            }
            // One that left before it was accepted, or no descriptor left: the next may fare better.
            Err(error) => {
                tracing::warn!(%error, "a caller of the host's tools was not accepted");
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
        }
        while connections.try_join_next().is_some() {}
    }
}

async fn serve(stream: TcpStream, doors: Arc<Mutex<Vec<Door>>>) {
    // Whatever is small and late is worse than whatever is small and on its way.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        let service = find(&doors, &request);
        async move {
            match service {
                Some(service) => Ok::<_, Infallible>(service.handle(request).await),
                None => Ok(unauthorized()),
            }
        }
    });
    // A client that breaks off is not worth a word.
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

/// The service of whoever shows its password.
fn find(doors: &Mutex<Vec<Door>>, request: &Request<Incoming>) -> Option<Service> {
    let shown = request.headers().get(AUTHORIZATION)?.as_bytes();
    let doors = doors.lock();
    let door = doors.iter().find(|door| door.opens(shown))?;
    Some(door.service.clone())
}

fn unauthorized() -> Response<Body> {
    let mut response = Response::new(BoxBody::default());
    *response.status_mut() = StatusCode::UNAUTHORIZED;
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_cannot_listen_is_a_shortage_and_downgrades_nothing() {
        // EMFILE.
        let error = refused(std::io::Error::from_raw_os_error(24));
        assert_eq!(error.kind(), ErrorKind::Shortage);
        assert!(!error.kind().is_runtime());
    }
}
