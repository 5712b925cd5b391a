//! Where one process of a session has its calls done.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::task::{AbortHandle, spawn_blocking};

use super::FILES;
use super::call::{ClientCall, Done, Failure, Outcome, Why};
use super::files::Folder;
use super::terminals::{Surroundings, Terminals};
use crate::process::Containment;
use crate::provider::AgentRequest;

/// Where calls are done.
#[derive(Debug)]
pub(crate) struct Place<'a> {
    /// The session's directory.
    pub cwd: &'a Path,
    /// The environment of commands.
    pub env: Vec<(OsString, OsString)>,
    /// The weakest containment of commands that will do.
    pub lowest: Containment,
}

/// The calls of one process. Dropping it takes back those that have not begun, and kills the commands.
#[derive(Debug)]
pub(crate) struct Desk {
    shop: Arc<Shop>,
    open: HashMap<AgentRequest, AbortHandle>,
}

/// What calls need.
#[derive(Debug)]
struct Shop {
    folder: Folder,
    files: Semaphore,
    terminals: Arc<Terminals>,
}

impl Desk {
    pub(crate) fn new(place: Place<'_>) -> Self {
        let around = Surroundings {
            env: place.env,
            lowest: place.lowest,
        };
        Self {
            shop: Arc::new(Shop {
                folder: Folder::new(place.cwd),
                files: Semaphore::new(FILES),
                terminals: Arc::new(Terminals::new(around)),
            }),
            open: HashMap::new(),
        }
    }

    /// Begins a call. Must be called where a runtime is entered. `tell` is told what became of it, unless it is taken back.
    pub(crate) fn begin(
        &mut self,
        request: AgentRequest,
        call: ClientCall,
        tell: impl FnOnce(Outcome) + Send + 'static,
    ) {
        let shop = Arc::clone(&self.shop);
        let task = tokio::spawn(async move { tell(shop.serve(call).await) });
        self.open.insert(request, task.abort_handle());
    }

    /// A call was done. `false`: it was taken back.
    pub(crate) fn done(&mut self, request: AgentRequest) -> bool {
        self.open.remove(&request).is_some()
    }

    /// Takes a call back. What has begun is done all the same, and nobody is told.
    pub(crate) fn forgo(&mut self, request: AgentRequest) {
        if let Some(task) = self.open.remove(&request) {
            task.abort();
        }
    }

    /// The process ends, and with it all that was done for it.
    pub(crate) fn end(&mut self) {
        self.open.drain().for_each(|(_, task)| task.abort());
        self.shop.terminals.end();
    }

    /// Waits until every command is gone. `None`: they are. Only after [`end`](Self::end).
    pub(crate) fn rest(&self) -> Option<impl Future<Output = ()> + Send + 'static> {
        let terminals = Arc::clone(&self.shop.terminals);
        (!terminals.is_gone()).then_some(async move { terminals.gone().await })
    }

    /// Processes of commands that did not die.
    pub(crate) fn left(&self) -> Vec<u32> {
        self.shop.terminals.left()
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.end();
    }
}

impl Shop {
    async fn serve(self: Arc<Self>, call: ClientCall) -> Outcome {
        match call {
            ClientCall::Read { path, line, limit } => {
                let _place = self.files.acquire().await;
                let shop = Arc::clone(&self);
                let read = move || shop.folder.read(&path, line, limit).map(Done::Text);
                apart(read).await
            }
            ClientCall::Write { path, content } => {
                let _place = self.files.acquire().await;
                let shop = Arc::clone(&self);
                let write = move || shop.folder.write(&path, &content);
                apart(write).await.map(|()| Done::Nothing)
            }
            ClientCall::Create(new) => {
                let shop = Arc::clone(&self);
                let runtime = Handle::current();
                apart(move || {
                    let cwd = shop.folder.folder(new.cwd.as_deref())?;
                    shop.terminals.create(&new, cwd, &runtime)
                })
                .await
            }
            ClientCall::Output { terminal } => Ok(self.terminals.get(&terminal)?.output()),
            ClientCall::Wait { terminal } => {
                let terminal = self.terminals.get(&terminal)?;
                Ok(Done::Ended(terminal.wait().await))
            }
            ClientCall::Kill { terminal } => {
                self.terminals.get(&terminal)?.kill();
                Ok(Done::Nothing)
            }
            ClientCall::Release { terminal } => {
                self.terminals.release(&terminal)?;
                Ok(Done::Nothing)
            }
        }
    }
}

/// Runs what blocks where that does no harm.
async fn apart<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    match spawn_blocking(work).await {
        Ok(outcome) => outcome,
        Err(_) => Err(Failure::new(Why::Failed, "a fault of this library")),
    }
}
