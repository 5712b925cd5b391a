//! Threads for what may wait for a disk. JavaScript's own thread must not.

use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::Builder;

use remuda::{Error, ErrorKind};

pub(crate) type Job = Box<dyn FnOnce() + Send>;

/// One for the whole process, whatever copies of JavaScript run in it. It lives as long as that does.
///
/// Its queue has no bound of its own: each job is a call of a host that waits for the answer.
static JOBS: OnceLock<Option<Sender<Job>>> = OnceLock::new();

/// Does the job soon, after those that came before.
pub(crate) fn run(job: Job) -> Result<(), Error> {
    let jobs = JOBS.get_or_init(start).as_ref().ok_or_else(none)?;
    jobs.send(job).map_err(|_| none())
}

/// Does the job now, on a thread that ends with it.
pub(crate) fn run_apart(job: Job) -> Result<(), Error> {
    thread().spawn(job).map(drop).map_err(|_| none())
}

fn start() -> Option<Sender<Job>> {
    let (sender, jobs) = channel();
    thread().spawn(move || work(&jobs)).ok().map(|_| sender)
}

fn thread() -> Builder {
    Builder::new().name("remuda-node".to_owned())
}

fn none() -> Error {
    Error::new(ErrorKind::Shortage, "the system gives no thread")
}

fn work(jobs: &Receiver<Job>) {
    while let Ok(job) = jobs.recv() {
        // Whoever waits for the answer learns that there is none.
        let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(job));
    }
}
