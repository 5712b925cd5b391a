//! What an agent has done by its client, which this library is: text files of the session's directory,
//! and commands.
//!
//! The codec reads what the agent wants, the session's machine says whether it may have it, and this
//! does it, apart from the session's actor: nothing here keeps anything else waiting. Files are looked
//! for beneath the session's directory, and nothing leads out of it, whatever becomes of a folder
//! meanwhile. A command runs as a tree of its own, under a guard of its own, and ends with the process
//! whose agent wanted it.
//!
//! | file | holds |
//! |---|---|
//! | `call` | what is wanted, what became of it, what rules see of it |
//! | `desk` | all of it for one process of a session |
//! | `beneath` | opening what lies in the directory |
//! | `files`, `lines` | reading and writing |
//! | `terminals`, `terminal`, `output` | commands, one, what it wrote |

mod beneath;
mod call;
mod desk;
mod files;
mod lines;
mod output;
mod terminal;
mod terminals;

pub(crate) use call::{ClientCall, Done, Ended, Failure, NewTerminal, Outcome, Why};
pub(crate) use desk::{Desk, Place};

/// So many calls of one session may wait for what becomes of them. More are refused.
pub(crate) const CALLS: usize = 32;

/// So many files are read or written at the same time for one process of a session. More wait.
const FILES: usize = 4;

/// The longest text that is read or written, in bytes.
const MAX_TEXT: u64 = 4 << 20;

/// So many terminals of one process that were not released there may be. More are refused.
const TERMINALS: usize = 16;

/// The most of a terminal's output that is kept, in bytes.
const MAX_OUTPUT: usize = 4 << 20;

/// What is kept of it if the agent does not say.
const USUAL_OUTPUT: usize = 1 << 20;
