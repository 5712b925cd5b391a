//! `remuda._remuda`: what the Python package needs of core, and no more.
//!
//! Pull-shaped like core. Nothing in here calls Python from a thread of the library: a waker puts a number into an
//! [`Inbox`](inbox::Inbox), and Python's own loop or thread looks there. Everything that waits, or may take a lock for long, is
//! done detached from the interpreter.
//!
//! - `inbox`: who has something to look at; one descriptor per event loop.
//! - `source`: what can be polled from Python: [`reader`] (events), [`call`] (answers), [`lent`] (lines).
//! - `pool`, `session`, `turn`, `lent`: the handles.
//! - `event`: events as Python objects.
//! - `life`: forks and the end of the interpreter.
//! - `error`: errors as exceptions.

mod call;
mod error;
mod event;
mod inbox;
mod lent;
mod life;
mod pool;
mod reader;
mod session;
mod source;
mod turn;

use pyo3::prelude::*;

/// The module.
#[pymodule]
mod _remuda {
    #[pymodule_export]
    use super::call::Call;
    #[pymodule_export]
    use super::error::{error_kinds, show};
    #[pymodule_export]
    use super::event::{Event, Handle, ReasoningDelta, TextDelta, event_kinds, set_event_class};
    #[pymodule_export]
    use super::inbox::Inbox;
    #[pymodule_export]
    use super::lent::Lent;
    #[pymodule_export]
    use super::life::{forked, leave};
    #[pymodule_export]
    use super::pool::{Pool, capabilities, doctor};
    #[pymodule_export]
    use super::reader::Reader;
    #[pymodule_export]
    use super::session::{Hold, Session};
    #[pymodule_export]
    use super::turn::Turn;

    use super::{Bound, PyModule, PyModuleMethods, PyResult};

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        super::life::forked();
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
